"""The top-pair selection with what declared weights ask: which objects count, which are tagged.

Cuts are compared in double precision, as the event loop does: in single, 2.1 is below 2.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from spectrum_workflows.hep.analyses.ttbar import (
    JET_ETA,
    LEPTON_ETA,
    LEPTON_SIP3D,
    TIGHT_ELECTRON,
    TIGHT_JET_NOT_LEPTON,
    select,
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
    leptons = ak.sum(good_electrons(events, electron_pt=electron_pt), axis=1)
    leptons = leptons + ak.sum(
        good_muons(events, muon_pt=muon_pt, muon_isolation=muon_isolation), axis=1
    )
    clean = _clean(events)
    tagged = ak.any(clean & tagged_jets(events, btag=btag), axis=1)
    return np.asarray((leptons == 1) & (ak.sum(clean, axis=1) >= 4) & tagged)


def _clean(events: Any) -> Any:
    """Jets in the acceptance that are no leptons, at any energy."""
    return (events.Jet_jetId == TIGHT_JET_NOT_LEPTON) & _within(events.Jet_eta, JET_ETA)


def _within(eta: Any, limit: float) -> Any:
    return abs(eta) < np.float64(limit)
