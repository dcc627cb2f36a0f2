"""The top-pair selection with what declared weights ask: which objects count, which are tagged.

Cuts are compared in double precision, as the event loop does: in single, 2.1 is below 2.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from spectrum_workflows.hep.analyses.jagged import flat
from spectrum_workflows.hep.analyses.ttbar import (
    JET_ETA,
    LEPTON_ETA,
    LEPTON_SIP3D,
    TIGHT_ELECTRON,
    TIGHT_JET_NOT_LEPTON,
    good_electrons_before,
    good_muons_before,
    select,
)
from spectrum_workflows.hep.analyses.ttbar_objects import (
    ELECTRON_COLUMNS,
    JET_COLUMNS,
    MUON_COLUMNS,
    Cuts,
    Electrons,
    Muons,
)
from spectrum_workflows.hep.analyses.ttbar_varied import select_varied

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "good_electrons",
    "good_jets",
    "good_muons",
    "may_pass",
    "select",
    "select_varied",
    "tagged_jets",
]


def good_electrons(events: Any, *, electron_pt: float = 30.0) -> Any:
    """Which electrons the selection counts."""
    tight = (events.Electron_cutBased == TIGHT_ELECTRON) & (events.Electron_sip3d < LEPTON_SIP3D)
    within = _within(events.Electron_eta, LEPTON_ETA)
    kinematic = (events.Electron_pt > np.float64(electron_pt)) & within
    return tight & kinematic


def good_muons(events: Any, *, muon_pt: float = 30.0, muon_isolation: float = 0.15) -> Any:
    """Which muons the selection counts."""
    tight = events.Muon_tightId & (events.Muon_sip3d < LEPTON_SIP3D)
    isolated = events.Muon_pfRelIso04_all < np.float64(muon_isolation)
    kinematic = (events.Muon_pt > np.float64(muon_pt)) & _within(events.Muon_eta, LEPTON_ETA)
    return tight & isolated & kinematic


def good_jets(events: Any, *, jet_pt: float = 30.0) -> Any:
    """Which jets the selection counts."""
    return _clean(events) & (events.Jet_pt > np.float64(jet_pt))


def tagged_jets(events: Any, *, btag: float = 0.5) -> Any:
    """Which jets are b-tagged."""
    return events.Jet_btagCSVV2 > np.float64(btag)


def may_pass(
    events: Any,
    *,
    electron_pt: float = 30.0,
    muon_pt: float = 30.0,
    muon_isolation: float = 0.15,
    btag: float = 0.5,
) -> NDArray[np.bool_]:
    """Which events are selected at some energy of their jets; shape (n_events,).

    One lepton, four jets and a b-tag, whatever the momenta of the jets.
    """
    cuts = Cuts(*map(float, (electron_pt, muon_pt, muon_isolation, 0.0, btag)))
    e = Electrons(*flat(events, ELECTRON_COLUMNS))
    mu = Muons(*flat(events, MUON_COLUMNS))
    electrons = np.diff(good_electrons_before(e, cuts)[e.first])
    muons = np.diff(good_muons_before(mu, cuts)[mu.first])
    jets = flat(events, {name: JET_COLUMNS[name] for name in _AT_ANY_ENERGY})
    passed: NDArray[np.bool_] = _jets_may_pass(*jets, cuts.btag) & (electrons + muons == 1)
    return passed


_AT_ANY_ENERGY = ("Jet_eta", "Jet_jetId", "Jet_btagCSVV2")


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _jets_may_pass(
    first: NDArray[np.int64],
    eta: NDArray[np.float32],
    identity: NDArray[np.int32],
    tag: NDArray[np.float32],
    btag: float,
) -> NDArray[np.bool_]:
    """Which events have four clean jets and a b-tag among them."""
    out = np.empty(len(first) - 1, np.bool_)
    for event in range(len(out)):
        clean, tags = 0, 0
        for i in range(first[event], first[event + 1]):
            is_clean = (abs(eta[i]) < JET_ETA) & (identity[i] == TIGHT_JET_NOT_LEPTON)
            clean += is_clean
            tags += is_clean & (tag[i] > btag)
        out[event] = (clean >= 4) & (tags > 0)
    return out


def _clean(events: Any) -> Any:
    """Jets in the acceptance that are no leptons, at any energy."""
    return (events.Jet_jetId == TIGHT_JET_NOT_LEPTON) & _within(events.Jet_eta, JET_ETA)


def _within(eta: Any, limit: float) -> Any:
    return abs(eta) < np.float64(limit)
