"""What the 200 Gb/s challenge did with an event: unpack many columns, count what is not zero."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from spectrum_workflows.hep import Observable

FIELDS = {
    "GenPart": ("pt", "eta", "phi", "mass", "pdgId"),
    "Jet": ("pt", "eta", "phi", "mass", "btagDeepFlavB"),
    "CorrT1METJet": ("phi", "eta", "rawPt", "muonSubtrFactor"),
    "GenJet": ("pt", "eta", "phi"),
    "SoftActivityJet": ("pt", "eta", "phi"),
    "LHEPart": ("eta", "phi", "mass", "pt"),
}
"""Collections and columns: those of the challenge's notebook that NanoAOD v5 has, 24 of 30."""

COLUMNS = tuple(f"{group}_{name}" for group, names in FIELDS.items() for name in names)


def select(events: Any) -> dict[str, Observable]:
    """Numbers in an event that are not zero."""
    total = np.zeros(len(events))
    for column in COLUMNS:
        total += np.asarray(ak.count_nonzero(events[column], axis=1))
    return {"numbers": Observable(total)}
