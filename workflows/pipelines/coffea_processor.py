"""A coffea processor that selects and fills with this package, and fits what it found.

``python coffea_processor.py FILE`` runs it over a NanoAOD file with coffea's own executor.
coffea is not among this package's dependencies: ``pip install coffea``.
"""

import json
import sys
import warnings

import awkward as ak
import hist
from coffea import processor
from coffea.nanoevents import NanoAODSchema

from spectrum_workflows import hep
from spectrum_workflows.hep.analyses import dimuon

FIELDS = ("pt", "eta", "phi", "mass", "charge")
AXIS = hist.axis.Regular(60, 60, 120, name="x", label="m(µµ) [GeV]")


class Dimuon(processor.ProcessorABC):
    """Mass of muon pairs: events come from coffea, selection and histogram from here."""

    def process(self, events):
        """Histogram one chunk of events."""
        columns = {f"Muon_{field}": events.Muon[field] for field in FIELDS}
        selected = dimuon.select(ak.zip(columns, depth_limit=1))
        return {"z": hep.fill(selected["dimuon"], AXIS), "events": len(events)}

    def postprocess(self, accumulator):
        """Nothing is left to do: histograms are merged by addition."""
        return accumulator


def main(file: str) -> None:
    """Run the processor, and fit the Z in what it gives."""
    NanoAODSchema.warn_missing_crossrefs = False
    warnings.simplefilter("ignore")
    executor = processor.IterativeExecutor(compression=None, status=False)
    run = processor.Runner(executor, schema=NanoAODSchema, chunksize=20_000)
    found = run({"zmumu": {"files": {file: "Events"}}}, processor_instance=Dimuon())
    h = found["z"]
    z = hep.fit_peak(h.axes[0].edges, h.values(), h.variances(), kind="z")
    print(json.dumps({"values": h.values().tolist(), "mass": z.values["mass"]}))


if __name__ == "__main__":
    main(sys.argv[1])
