"""Search for Z' → t t̄ with one muon and jets, in the manner of the IRIS-HEP Integration Challenge.

Definition: iris-hep/integration-challenge, the CMS example (its objects and cuts), and the search
that it follows, arXiv:1810.05905, section 7 (two-dimensional isolation, χ² of both top quarks).
Here jets that make the top quarks are chosen among all assignments, and there is no network.
"""

from __future__ import annotations

from math import cos, hypot, inf, pi, sin, sinh, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import awkward as ak
import numpy as np
from numba import njit

from spectrum_workflows.hep.analyses.jagged import flat
from spectrum_workflows.hep.types import EventCuts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

W_MASS = 80.4
"""Constrains the neutrino's momentum along the beam, in GeV."""

LEPTONIC, HADRONIC, TAGGED = (175.0, 19.0), (177.0, 16.0), (173.0, 15.0)
"""Mean and width in GeV of the masses of a leptonic top quark, of one of three jets, and of one
that is a fat jet."""

APART = 1.2
"""Least distance of a jet from the fat jet beside which it belongs to the leptonic top quark."""

MUON_ETA, JET_ETA, TIGHT_JET, MEDIUM_ISOLATION = 2.4, 2.4, 6, 2
ISOLATION_R, ISOLATION_PT = 0.4, 25.0
"""A muon nearer to a jet than this must have more momentum across it, in GeV."""

MOST_JETS = 7
"""Of an event, the hardest: all assignments of four among them are tried."""

NOT_RECONSTRUCTED = 999.0
"""χ² of an event without two top quarks."""

COLUMNS = ("pt", "eta", "phi", "mass")


class Momenta(NamedTuple):
    """Jets of all events, those of event i at ``first[i]:first[i + 1]``."""

    first: NDArray[np.int64]
    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats


def good_muons(events: Any, *, muon_pt: float = 55.0) -> Any:
    """Which muons the selection counts."""
    identified = events.Muon_tightId & (events.Muon_miniIsoId >= MEDIUM_ISOLATION)
    within = abs(events.Muon_eta) < np.float64(MUON_ETA)
    return identified & within & (events.Muon_pt > np.float64(muon_pt))


def good_jets(events: Any, *, jet_pt: float = 30.0) -> Any:
    """Which jets the selection counts."""
    within = abs(events.Jet_eta) < np.float64(JET_ETA)
    return (events.Jet_jetId == TIGHT_JET) & within & (events.Jet_pt > np.float64(jet_pt))


def tagged_jets(events: Any, *, btag: float = 0.5) -> Any:
    """Which jets are b-tagged."""
    return events.Jet_btagDeepB > np.float64(btag)


def top_tagged(events: Any, *, fat_jet_pt: float = 400.0, top_tag: float = 0.5) -> Any:
    """Which fat jets are taken for top quarks."""
    hard = events.FatJet_pt > np.float64(fat_jet_pt)
    return hard & (events.FatJet_particleNet_TvsQCD > np.float64(top_tag))


def select(
    events: Any,
    *,
    muon_pt: float = 55.0,
    jet_pt: float = 30.0,
    leading_pt: float = 150.0,
    second_pt: float = 50.0,
    btag: float = 0.5,
    fat_jet_pt: float = 400.0,
    top_tag: float = 0.5,
    met: float = 50.0,
    leptonic_ht: float = 150.0,
    chi2: float = 30.0,
) -> EventCuts:
    """Cuts and observables of every event, which the spec combines.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        NanoAOD branches of muons, jets, fat jets, vertices and missing momentum.
    muon_pt, jet_pt, fat_jet_pt, leading_pt, second_pt, met : float
        Transverse momenta must be above these, in GeV; of the two hardest jets the last but one.
    btag, top_tag : float
        Discriminants of b jets and of top quarks in fat jets must be above.
    leptonic_ht : float
        The sum of the transverse momenta of muon and neutrino must be above, in GeV.
    chi2 : float
        Distance of the two top quarks from their masses must be below.

    Returns
    -------
    EventCuts
        Cuts ``vertex``, ``muon``, ``isolation``, ``jets``, ``met``, ``leptonic_ht``, ``btag``,
        ``top_tag``, ``no_top_tag``, ``chi2`` and ``positive``; observables ``mtt``, ``chi2``,
        ``leptonic_top``, ``hadronic_top``, ``st``, ``jet_pt``, ``muon_pt``, ``muon_eta``, ``met``
        in GeV, ``jets`` and ``vertices``.
    """
    identified = good_muons(events, muon_pt=muon_pt)
    tagged_tops = top_tagged(events, fat_jet_pt=fat_jet_pt, top_tag=top_tag)
    muons, muon = _first(events, "Muon", (*COLUMNS, "charge"), identified)
    tops, fat_jet = _first(events, "FatJet", COLUMNS, tagged_tops)
    jets, order = _hardest_first(events, good_jets(events, jet_pt=jet_pt))
    tags = np.asarray(ak.flatten(tagged_jets(events, btag=btag)))[order]
    pt, phi = (np.asarray(events[f"PuppiMET_{name}"], np.float64) for name in ("pt", "phi"))
    one, number = muons == 1, np.diff(jets.first)
    made = _reconstruct(one & (number > 0), muon, fat_jet, pt, phi, jets)
    leading, second = (_hardest(jets, number, place) for place in (0, 1))
    event = np.repeat(np.arange(len(number)), number)
    vertices = np.asarray(events.PV_npvsGood)
    return EventCuts(
        passed={
            "vertex": vertices > 0,
            "muon": one,
            "isolation": _isolated(one, muon, jets),
            "jets": (leading > leading_pt) & (second > second_pt),
            "met": pt > met,
            "leptonic_ht": muon[:, 0] + pt > leptonic_ht,
            "btag": np.bincount(event[tags], minlength=len(number)) > 0,
            "top_tag": tops == 1,
            "no_top_tag": tops == 0,
            "chi2": made[:, 0] < chi2,
            "positive": muon[:, 4] > 0,
        },
        observables={
            "chi2": made[:, 0],
            "mtt": made[:, 1],
            "leptonic_top": made[:, 2],
            "hadronic_top": made[:, 3],
            "st": np.bincount(event, jets.pt, minlength=len(number)) + muon[:, 0] + pt,
            "jet_pt": leading,
            "muon_pt": muon[:, 0],
            "muon_eta": muon[:, 1],
            "met": pt,
            "jets": number,
            "vertices": vertices,
        },
    )


def _first(
    events: Any, collection: str, names: Sequence[str], good: Any
) -> tuple[NDArray[np.int64], Floats]:
    """Number of good items of every event, and columns of the first; 0 where there is none."""
    offsets, *columns = flat(events, {f"{collection}_{name}": np.float64 for name in names})
    chosen = np.flatnonzero(np.asarray(ak.flatten(good)))
    before = np.searchsorted(chosen, offsets)
    number, out = np.diff(before), np.zeros((len(offsets) - 1, len(names)))
    at = chosen[before[:-1][number > 0]]
    out[number > 0] = np.column_stack([column[at] for column in columns])
    return number, out


def _hardest_first(events: Any, good: Any) -> tuple[Momenta, NDArray[np.int64]]:
    """Good jets by falling transverse momentum in every event, and where they were."""
    offsets, *columns = flat(events, {f"Jet_{name}": np.float64 for name in COLUMNS})
    chosen = np.flatnonzero(np.asarray(ak.flatten(good)))
    event = np.searchsorted(offsets, chosen, side="right")
    order = chosen[np.lexsort((-columns[0][chosen], event))]
    first = np.searchsorted(chosen, offsets)
    return Momenta(first, *(column[order] for column in columns)), order


def _hardest(jets: Momenta, number: NDArray[np.int64], place: int) -> Floats:
    """Transverse momentum of the jet at a place of every event; 0 where there is none."""
    out = np.zeros(len(number))
    has = number > place
    out[has] = jets.pt[jets.first[:-1][has] + place]
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _vector(pt: float, eta: float, phi: float, mass: float) -> Floats:
    """(px, py, pz, E)."""
    px, py, pz = pt * cos(phi), pt * sin(phi), pt * sinh(eta)
    return np.array([px, py, pz, sqrt(px**2 + py**2 + pz**2 + mass**2)])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mass(p: Floats) -> float:
    return sqrt(max(p[3] ** 2 - p[0] ** 2 - p[1] ** 2 - p[2] ** 2, 0.0))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _distance(eta: float, phi: float, other_eta: float, other_phi: float) -> float:
    turn = abs(phi - other_phi) % (2 * pi)
    return hypot(eta - other_eta, min(turn, 2 * pi - turn))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _isolated(look: NDArray[np.bool_], muon: Floats, jets: Momenta) -> NDArray[np.bool_]:
    """Whether the muon is away from its nearest jet, or has momentum across it."""
    out = np.zeros(len(look), np.bool_)
    for event in np.flatnonzero(look):
        nearest, at = inf, -1
        for i in range(jets.first[event], jets.first[event + 1]):
            distance = _distance(muon[event, 1], muon[event, 2], jets.eta[i], jets.phi[i])
            if distance < nearest:
                nearest, at = distance, i
        if nearest > ISOLATION_R:
            out[event] = True
            continue
        p = _vector(muon[event, 0], muon[event, 1], muon[event, 2], muon[event, 3])[:3]
        axis = _vector(jets.pt[at], jets.eta[at], jets.phi[at], 0.0)
        along = (p[0] * axis[0] + p[1] * axis[1] + p[2] * axis[2]) / axis[3]
        across2 = p[0] ** 2 + p[1] ** 2 + p[2] ** 2 - along**2
        out[event] = across2 > ISOLATION_PT**2
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _neutrinos(muon: Floats, x: float, y: float) -> Floats:
    """Both neutrinos with which the muon makes a W boson; shape (2, 4).

    One twice, with the real part of its momentum along the beam, where there is no solution.
    """
    pt2 = muon[0] ** 2 + muon[1] ** 2
    a = W_MASS**2 / 2 + muon[0] * x + muon[1] * y
    middle = a * muon[2] / pt2
    root2 = middle**2 - ((pt2 + muon[2] ** 2) * (x**2 + y**2) - a**2) / pt2
    root = sqrt(max(root2, 0.0))
    out = np.empty((2, 4))
    for k, pz in enumerate((middle - root, middle + root)):
        out[k] = (x, y, pz, sqrt(x**2 + y**2 + pz**2))
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _reconstruct(
    look: NDArray[np.bool_], muon: Floats, fat_jet: Floats, met: Floats, phi: Floats, jets: Momenta
) -> Floats:
    """χ², mass of the pair, and of the leptonic and hadronic top quark; shape (n_events, 4)."""
    out = np.zeros((len(look), 4))
    out[:, 0] = NOT_RECONSTRUCTED
    p = np.empty((MOST_JETS, 4))
    for event in np.flatnonzero(look):
        lepton = _vector(muon[event, 0], muon[event, 1], muon[event, 2], muon[event, 3])
        neutrinos = _neutrinos(lepton, met[event] * cos(phi[event]), met[event] * sin(phi[event]))
        start = jets.first[event]
        n = min(jets.first[event + 1] - start, MOST_JETS)
        for k in range(n):
            i = start + k
            p[k] = _vector(jets.pt[i], jets.eta[i], jets.phi[i], jets.mass[i])
        eta, azimuth = fat_jet[event, 1], fat_jet[event, 2]
        fat = _vector(fat_jet[event, 0], eta, azimuth, fat_jet[event, 3])
        for b in range(n):
            i, tagged = start + b, fat_jet[event, 0] > 0
            if tagged and _distance(jets.eta[i], jets.phi[i], eta, azimuth) <= APART:
                continue
            for neutrino in neutrinos:
                leptonic = lepton + neutrino + p[b]
                if tagged:
                    _keep_better(out[event], leptonic, fat, TAGGED)
                else:
                    _try_triples(out[event], leptonic, p[:n], b)
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _try_triples(best: Floats, leptonic: Floats, p: Floats, used: int) -> None:
    """Take three jets for the hadronic top quark, without the one that is used."""
    for i in range(len(p)):
        for j in range(i):
            for k in range(j):
                if used not in (i, j, k):
                    _keep_better(best, leptonic, p[i] + p[j] + p[k], HADRONIC)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _keep_better(
    best: Floats, leptonic: Floats, hadronic: Floats, expected: tuple[float, float]
) -> None:
    """Take a pair of top quarks if it is nearer to their masses than the best so far."""
    m_leptonic, m_hadronic = _mass(leptonic), _mass(hadronic)
    chi2 = ((m_leptonic - LEPTONIC[0]) / LEPTONIC[1]) ** 2
    chi2 += ((m_hadronic - expected[0]) / expected[1]) ** 2
    if chi2 < best[0]:
        best[:] = (chi2, _mass(leptonic + hadronic), m_leptonic, m_hadronic)
