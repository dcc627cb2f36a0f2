"""Electrons, muons and jets as the ttbar event loop takes them, and their columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ELECTRON_COLUMNS = {
    "Electron_pt": np.float32,
    "Electron_eta": np.float32,
    "Electron_cutBased": np.int32,
    "Electron_sip3d": np.float32,
}
MUON_COLUMNS = {
    "Muon_pt": np.float32,
    "Muon_eta": np.float32,
    "Muon_tightId": np.bool_,
    "Muon_sip3d": np.float32,
    "Muon_pfRelIso04_all": np.float32,
}
JET_COLUMNS = {
    "Jet_pt": np.float32,
    "Jet_eta": np.float32,
    "Jet_phi": np.float32,
    "Jet_mass": np.float32,
    "Jet_jetId": np.int32,
    "Jet_btagCSVV2": np.float32,
}
EVENT_COLUMNS = {"run": np.uint32, "luminosityBlock": np.uint32, "event": np.uint64}
"""What is read, in the order of the fields of the tuples below."""


class Electrons(NamedTuple):
    """Electrons of all events; those of event i start at ``first[i]``."""

    first: NDArray[np.int64]
    pt: NDArray[np.float32]
    eta: NDArray[np.float32]
    cut_based: NDArray[np.int32]
    sip3d: NDArray[np.float32]


class Muons(NamedTuple):
    """Muons of all events; those of event i start at ``first[i]``."""

    first: NDArray[np.int64]
    pt: NDArray[np.float32]
    eta: NDArray[np.float32]
    tight: NDArray[np.bool_]
    sip3d: NDArray[np.float32]
    isolation: NDArray[np.float32]


class Jets(NamedTuple):
    """Jets of all events; those of event i start at ``first[i]``."""

    first: NDArray[np.int64]
    pt: NDArray[np.float32]
    eta: NDArray[np.float32]
    phi: NDArray[np.float32]
    mass: NDArray[np.float32]
    identity: NDArray[np.int32]
    btag: NDArray[np.float32]


class Numbers(NamedTuple):
    """The three numbers that name an event; empty where nothing is smeared."""

    run: NDArray[np.uint32]
    block: NDArray[np.uint32]
    event: NDArray[np.uint64]


class Cuts(NamedTuple):
    """The numbers that a spec may change; pt in GeV."""

    electron_pt: float
    muon_pt: float
    muon_isolation: float
    jet_pt: float
    btag: float
