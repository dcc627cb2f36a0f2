"""What a benchmark's copy of a NanoAOD file is like: its branches, and how precise its floats."""

from __future__ import annotations

import numpy as np
import uproot
from numpy.typing import NDArray

MANTISSA_BITS = 10

WANTED = 60
FIRST = {
    "Electron": ("pt", "eta", "phi", "mass", "cutBased", "sip3d", "charge"),
    "Muon": ("pt", "eta", "phi", "mass", "tightId", "sip3d", "pfRelIso04_all", "charge"),
    "Jet": ("pt", "eta", "phi", "mass", "jetId", "btagCSVV2"),
}
"""Branches always kept; others of the source fill up to ``WANTED``."""
EXTRA = {
    "Electron": ("dxy", "dz", "hoe", "r9", "pfRelIso03_all", "sieie", "lostHits", "eInvMinusPInv"),
    "Muon": ("dxy", "dz", "pfRelIso03_all", "nStations", "nTrackerLayers", "isGlobal", "looseId"),
    "Jet": (
        "area",
        "chEmEF",
        "chHEF",
        "neEmEF",
        "neHEF",
        "muEF",
        "nConstituents",
        "rawFactor",
        "nMuons",
        "nElectrons",
        "qgl",
        "btagDeepB",
        "btagDeepFlavB",
        "puId",
    ),
    "": (
        "genWeight",
        "run",
        "luminosityBlock",
        "event",
        "MET_pt",
        "MET_phi",
        "MET_sumEt",
        "PV_npvs",
        "PV_z",
        "PV_x",
        "PV_y",
        "PV_chi2",
        "MET_significance",
        "fixedGridRhoFastjetAll",
    ),
}


def columns(tree: uproot.TTree) -> dict[str, dict[str, str]]:
    """Which branches to keep: group -> {field: branch}; ``WANTED`` leaves with counters."""
    have, out, kept = set(tree.keys()), {}, 0
    for table in (FIRST, EXTRA):
        for group, fields in table.items():
            for field in fields:
                branch = f"{group}_{field}" if group else field
                if branch in have and kept < WANTED - len(FIRST):
                    out.setdefault(group, {})[field] = branch
                    kept += 1
    return out


def truncated(values: NDArray[np.float32], bits: int = MANTISSA_BITS) -> NDArray[np.float32]:
    """Round float32 to a mantissa of ``bits`` bits, as NanoAOD production does."""
    drop = 23 - bits
    raw = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half = np.uint32(1 << (drop - 1))
    kept = (raw + half) & np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)
    return kept.view(np.float32)
