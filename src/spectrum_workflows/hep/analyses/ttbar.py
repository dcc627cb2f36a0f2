"""Semileptonic top-pair selection of the Analysis Grand Challenge (AGC).

Definition: A. Held et al., the AGC ttbar analysis, as implemented in
root-project/analysis-grand-challenge and iris-hep/analysis-grand-challenge.
"""

from __future__ import annotations

from math import cos, sin, sinh, sqrt
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.analyses.jagged import flat
from spectrum_workflows.hep.types import Observable

LEPTON_ETA, LEPTON_SIP3D, JET_ETA = 2.1, 4.0, 2.4
"""Absolute pseudorapidities and significance of the impact parameter are below."""

TIGHT_ELECTRON, TIGHT_JET_NOT_LEPTON = 4, 6
"""Values of NanoAOD's ``Electron_cutBased`` and ``Jet_jetId``."""

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


class Cuts(NamedTuple):
    """The numbers that a spec may change; pt in GeV."""

    electron_pt: float
    muon_pt: float
    muon_isolation: float
    jet_pt: float
    btag: float


def select(
    events: Any,
    *,
    electron_pt: float = 30.0,
    muon_pt: float = 30.0,
    muon_isolation: float = 0.15,
    jet_pt: float = 30.0,
    btag: float = 0.5,
) -> dict[str, Observable]:
    """Select events with one lepton, four jets and at least one b-tag.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        NanoAOD branches of electrons, muons and jets.
    electron_pt, muon_pt, jet_pt : float
        Transverse momenta must be above these, in GeV.
    muon_isolation : float
        Relative isolation in a cone of 0.4 must be below.
    btag : float
        A jet is b-tagged if its CSVv2 discriminant is above.

    Returns
    -------
    dict of Observable
        ``4j1b``: exactly one b-tag, scalar sum of jet pt in GeV;
        ``4j2b``: two or more, mass in GeV of the three jets, one of them
        b-tagged, whose vector sum has the largest pt.

    Raises
    ------
    SpecError
        A cut is negative.
    """
    cuts = Cuts(*map(float, (electron_pt, muon_pt, muon_isolation, jet_pt, btag)))
    for name, value in cuts._asdict().items():
        if value < 0:
            raise SpecError(f"{value:g} is negative", f"cuts.{name}", "use 0 for no cut")
    electrons = Electrons(*flat(events, ELECTRON_COLUMNS))
    muons, jets = Muons(*flat(events, MUON_COLUMNS)), Jets(*flat(events, JET_COLUMNS))
    ht, mass = _event_loop(electrons, muons, jets, cuts)
    return {"4j1b": Observable(ht), "4j2b": Observable(mass)}


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _good_electron(pt: float, eta: float, cut_based: int, sip3d: float, cut: Cuts) -> bool:
    kinematic = pt > cut.electron_pt and abs(eta) < LEPTON_ETA
    return kinematic and cut_based == TIGHT_ELECTRON and sip3d < LEPTON_SIP3D


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _good_muon(
    pt: float, eta: float, tight: bool, sip3d: float, isolation: float, cut: Cuts
) -> bool:
    kinematic = pt > cut.muon_pt and abs(eta) < LEPTON_ETA
    return kinematic and tight and sip3d < LEPTON_SIP3D and isolation < cut.muon_isolation


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _good_jet(pt: float, eta: float, identity: int, cut: Cuts) -> bool:
    return pt > cut.jet_pt and abs(eta) < JET_ETA and identity == TIGHT_JET_NOT_LEPTON


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _event_loop(
    e: Electrons, mu: Muons, jet: Jets, cut: Cuts
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n_events = len(e.first) - 1
    good = np.empty(len(jet.pt), np.int64)
    ht_4j1b, n_4j1b = np.empty(n_events), 0
    mass_4j2b, n_4j2b = np.empty(n_events), 0

    for event in range(n_events):
        leptons = 0
        for i in range(e.first[event], e.first[event + 1]):
            leptons += _good_electron(e.pt[i], e.eta[i], e.cut_based[i], e.sip3d[i], cut)
        for i in range(mu.first[event], mu.first[event + 1]):
            leptons += _good_muon(
                mu.pt[i], mu.eta[i], mu.tight[i], mu.sip3d[i], mu.isolation[i], cut
            )
        if leptons != 1:
            continue

        jets, btags, ht = 0, 0, 0.0
        for i in range(jet.first[event], jet.first[event + 1]):
            if _good_jet(jet.pt[i], jet.eta[i], jet.identity[i], cut):
                good[jets] = i
                jets += 1
                btags += jet.btag[i] > cut.btag
                ht += jet.pt[i]

        if jets >= 4 and btags == 1:
            ht_4j1b[n_4j1b] = ht
            n_4j1b += 1
        elif jets >= 4 and btags >= 2:
            mass_4j2b[n_4j2b] = _hadronic_top_mass(jet, good[:jets], cut.btag)
            n_4j2b += 1
    return ht_4j1b[:n_4j1b], mass_4j2b[:n_4j2b]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hadronic_top_mass(jet: Jets, good: NDArray[np.int64], btag: float) -> float:
    """Mass of the b-tagged three-jet combination of largest pt."""
    n = len(good)
    px, py, pz, energy = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for k, i in enumerate(good):
        pt, eta = np.float64(jet.pt[i]), np.float64(jet.eta[i])
        phi, mass = np.float64(jet.phi[i]), np.float64(jet.mass[i])
        px[k], py[k], pz[k] = pt * cos(phi), pt * sin(phi), pt * sinh(eta)
        energy[k] = sqrt(px[k] ** 2 + py[k] ** 2 + pz[k] ** 2 + mass**2)
    largest_pt2, mass2 = -1.0, 0.0
    for a in range(n):
        for b in range(a + 1, n):
            for c in range(b + 1, n):
                pt2 = (px[a] + px[b] + px[c]) ** 2 + (py[a] + py[b] + py[c]) ** 2
                best = max(jet.btag[good[a]], jet.btag[good[b]], jet.btag[good[c]])
                if best > btag and pt2 > largest_pt2:
                    p2 = pt2 + (pz[a] + pz[b] + pz[c]) ** 2
                    mass2 = (energy[a] + energy[b] + energy[c]) ** 2 - p2
                    largest_pt2 = pt2
    return sqrt(max(mass2, 0.0))
