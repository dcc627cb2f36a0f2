"""Top pairs with two leptons, as an event loop: the selection that `skim.py` measures and edits.

Cuts are keyword arguments, compared in double precision as the conditions of a skim are.
"""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np
from numba import njit

from spectrum_workflows.hep import Observable

ELECTRON = ("pt", "eta", "phi", "charge", "cutBased", "sip3d", "dxy", "dz", "lostHits", "hoe")
MUON = ("pt", "eta", "phi", "charge", "tightId", "pfRelIso04_all", "sip3d", "dxy", "dz")
JET = ("pt", "eta", "phi", "mass", "jetId", "puId", "btagCSVV2", "neHEF", "neEmEF", "nConstituents")
COLUMNS = (
    *(f"Electron_{name}" for name in ELECTRON),
    *(f"Muon_{name}" for name in MUON),
    *(f"Jet_{name}" for name in JET),
    *("MET_pt", "MET_phi"),
)
"""Branches that are read."""

NAMES = ("mass", "leading", "met", "ht", "jets", "tags")


def select(
    events: Any,
    *,
    lepton_pt: float = 20.0,
    leading_pt: float = 25.0,
    lepton_eta: float = 2.4,
    isolation: float = 0.15,
    impact: float = 0.2,
    jet_pt: float = 30.0,
    jets: int = 0,
    tag: float = 0.5,
) -> dict[str, Observable]:
    """Two good leptons of opposite charge, and what is beside them."""
    columns, offsets = [], []
    for group, names in (("Electron", ELECTRON), ("Muon", MUON), ("Jet", JET)):
        for name in names:
            values = events[f"{group}_{name}"]
            columns.append(np.asarray(ak.flatten(values), np.float64))
        lengths = np.asarray(ak.num(values))
        offsets.append(np.concatenate([[0], np.cumsum(lengths)]))
    met = np.asarray(events.MET_pt, np.float64)
    electrons, muons, of_jets = (
        np.stack(columns[:10]),
        np.stack(columns[10:19]),
        np.stack(columns[19:]),
    )
    cuts = np.array([lepton_pt, leading_pt, lepton_eta, isolation, impact, jet_pt, jets, tag])
    out, index = _loop(electrons, muons, of_jets, *offsets, met, cuts)
    return {name: Observable(out[k], index=index) for k, name in enumerate(NAMES)}


@njit(cache=True, nogil=True)
def _loop(e, m, j, e_at, m_at, j_at, met, cuts):  # type: ignore[no-untyped-def]
    n = len(met)
    out, index, filled = np.empty((6, n)), np.empty(n, np.int64), 0
    pt, eta, phi, charge = np.empty(64), np.empty(64), np.empty(64), np.empty(64)
    for event in range(n):
        k = 0
        for i in range(e_at[event], e_at[event + 1]):
            good = e[4, i] >= 4 and abs(e[6, i]) < cuts[4] and abs(e[7, i]) < 2.5 * cuts[4]
            good = good and e[5, i] < 8.0 and e[8, i] <= 1 and e[9, i] < 1.0
            if good and e[0, i] > cuts[0] and abs(e[1, i]) < cuts[2] and k < 64:
                pt[k], eta[k], phi[k], charge[k] = e[0, i], e[1, i], e[2, i], e[3, i]
                k += 1
        for i in range(m_at[event], m_at[event + 1]):
            good = m[4, i] > 0 and m[5, i] < cuts[3] and m[6, i] < 8.0
            good = good and abs(m[7, i]) < cuts[4] and abs(m[8, i]) < 2.5 * cuts[4]
            if good and m[0, i] > cuts[0] and abs(m[1, i]) < cuts[2] and k < 64:
                pt[k], eta[k], phi[k], charge[k] = m[0, i], m[1, i], m[2, i], m[3, i]
                k += 1
        if k != 2 or charge[0] + charge[1] != 0 or max(pt[0], pt[1]) <= cuts[1]:
            continue
        ht, number, tags = 0.0, 0, 0
        for i in range(j_at[event], j_at[event + 1]):
            good = j[4, i] == 6 and j[7, i] < 0.99 and j[8, i] < 0.99 and j[9, i] > 1
            if good and j[0, i] > cuts[5] and abs(j[1, i]) < 2.4:
                number += 1
                ht += j[0, i]
                tags += j[6, i] > cuts[7]
        if number < cuts[6]:
            continue
        angles = np.cosh(eta[0] - eta[1]) - np.cos(phi[0] - phi[1])
        out[0, filled] = np.sqrt(max(0.0, 2 * pt[0] * pt[1] * angles))
        out[1, filled] = max(pt[0], pt[1])
        out[2, filled], out[3, filled] = met[event], ht
        out[4, filled], out[5, filled] = number, tags
        index[filled] = event
        filled += 1
    return out[:, :filled].copy(), index[:filled].copy()
