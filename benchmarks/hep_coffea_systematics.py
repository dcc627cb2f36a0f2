"""The AGC ttbar selection with coffea under all variations of its jets: a peer to be timed.

NanoEvents, jets corrected and varied by coffea's ``CorrectedJetsFactory`` over correctionlib
(``CorrectionLibJECStack``), and the selection done again for every variation, as the AGC's
processor does it (see hep_coffea.py).
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import awkward as ak
import hist
import numpy as np
from coffea.jetmet_tools import CorrectedJetsFactory, CorrectionLibJECStack
from coffea.jetmet_tools.correctionlib_adapters import (
    CorrectionLibJER,
    CorrectionLibJERSF,
    CorrectionLibJUNC,
)
from numpy.typing import NDArray

from hep_coffea import chunks, selected

NAMES = {
    "JetPt": "pt",
    "JetMass": "mass",
    "JetEta": "eta",
    "Rho": "event_rho",
    "ptGenJet": "pt_gen",
}
RHO = 25.0


def histograms(
    path: str,
    corrections: Any,
    *,
    sources: Mapping[str, str],
    resolution: str,
    scale_factor: str,
    normals: NDArray[np.float64],
) -> Mapping[str, list[float]]:
    """All histograms of one file: nominal, and of every source and the resolution up and down.

    Parameters
    ----------
    path : str
        A file that is as small as one chunk of hep_coffea.
    corrections : correctionlib.CorrectionSet
    sources : mapping of str to str
        Corrections that are uncertainties of the energy scale, by the name of the variation.
    resolution, scale_factor : str
        Corrections that smearing takes.
    normals : ndarray, shape (n_jets,)
        Random numbers in place of coffea's own, so that histograms can be compared.
    """
    factory = CorrectedJetsFactory(
        NAMES,
        CorrectionLibJECStack(
            junc=CorrectionLibJUNC([(name, corrections[by]) for name, by in sources.items()]),
            jer=CorrectionLibJER(corrections[resolution]),
            jersf=CorrectionLibJERSF(corrections[scale_factor]),
        ),
    )
    axis = hist.axis.Regular(25, 50, 550)
    filled: dict[str, hist.Hist] = {}
    (events,) = chunks(path)
    jets = events.Jet
    jets["pt_gen"] = ak.zeros_like(jets.pt)  # none: smeared by random numbers
    jets["event_rho"] = ak.full_like(jets.pt, RHO)
    with patch.object(
        sys.modules[CorrectedJetsFactory.__module__], "rand_gauss", lambda _: ak.Array(normals)
    ):
        corrected = factory.build(jets)
    for name, varied in _variations(corrected, sources):
        _, ht, _, mass = selected(events, varied)
        for region, values in (("4j1b", ht), ("4j2b", mass)):
            title = f"{region}_{name}" if name else region
            filled[title] = hist.Hist(axis, hist.storage.Weight()).fill(values)
    return {name: h.values(flow=True).tolist() for name, h in filled.items()}


def _variations(jets: ak.Array, sources: Mapping[str, str]) -> Iterator[tuple[str, ak.Array]]:
    yield "", jets
    for ours, theirs in {"jer": "JER", **{name: f"JES_{name}" for name in sources}}.items():
        yield f"{ours}_up", jets[theirs].up
        yield f"{ours}_down", jets[theirs].down
