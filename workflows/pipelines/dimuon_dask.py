"""A plain Dask script: one histogram of a file's events, on as many workers as there are.

``python dimuon_dask.py FILE WORKERS`` prints what it found as JSON: the same for any number of
workers, and for 0, which is a loop in this process.
"""

import json
import sys
from contextlib import nullcontext
from functools import partial
from operator import add

import hist
import uproot
from distributed import Client

from spectrum_workflows import hep
from spectrum_workflows.engine import map_reduce
from spectrum_workflows.hep.analyses import dimuon

COLUMNS = ("Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge")
AXIS = hist.axis.Regular(60, 60, 120, name="x", label="m(µµ) [GeV]")
STEP = 20_000
"""Events of a task: it must not depend on the number of workers."""


def histogram(file: str, entries: tuple[int, int]) -> hist.Hist:
    """The histogram of a range of events: what a worker computes."""
    events = hep.read(file, COLUMNS, entry_start=entries[0], entry_stop=entries[1])
    return hep.fill(dimuon.select(events)["dimuon"], AXIS)


def main(file: str, workers: int) -> None:
    """Fill on some workers, merge in the fixed order, fit the Z."""
    total = uproot.open(file)["Events"].num_entries
    ranges = [(start, min(start + STEP, total)) for start in range(0, total, STEP)]
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0"}
    with Client(**options) if workers else nullcontext() as client:
        filled = map_reduce(partial(histogram, file), ranges, add, client=client)
    edges, values, variances = filled.axes[0].edges, filled.values(), filled.variances()
    z = hep.fit_peak(edges, values, variances, kind="z")
    found = {"tasks": len(ranges), "events": values.sum(), "values": values.tolist()}
    print(json.dumps(found | {"mass": z.values["mass"], "error": z.errors["mass"]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
