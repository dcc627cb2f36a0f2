"""Semileptonic top-pair selection of the Analysis Grand Challenge (AGC).

Definition: A. Held et al., the AGC ttbar analysis, as implemented in
root-project/analysis-grand-challenge and iris-hep/analysis-grand-challenge.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, sin, sinh, sqrt
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.analyses.jagged import flat
from spectrum_workflows.hep.analyses.smearing import event_key, normal
from spectrum_workflows.hep.analyses.ttbar_objects import (
    ELECTRON_COLUMNS,
    EVENT_COLUMNS,
    JET_COLUMNS,
    MUON_COLUMNS,
    Cuts,
    Electrons,
    Jets,
    Muons,
    Numbers,
)
from spectrum_workflows.hep.analyses.ttbar_weights import (
    CORRECTION,
    KINEMATIC,
    checked,
    varied_weights,
)
from spectrum_workflows.hep.types import Observable

LEPTON_ETA, LEPTON_SIP3D, JET_ETA = 2.1, 4.0, 2.4
"""Absolute pseudorapidities and significance of the impact parameter are below."""

TIGHT_ELECTRON, TIGHT_JET_NOT_LEPTON = 4, 6
"""Values of NanoAOD's ``Electron_cutBased`` and ``Jet_jetId``."""

NOMINAL, SCALE_UP, RESOLUTION_UP = range(3)
JET_SCALE, JET_RESOLUTION = np.float32(1.03), 0.05
"""Kinematic variations: factor on jet pt, and width of a Gaussian factor about 1."""

ONE_TAG, TWO_TAGS = 1, 2
"""Regions 4j1b and 4j2b; 0 is neither."""


def select(
    events: Any,
    *,
    electron_pt: float = 30.0,
    muon_pt: float = 30.0,
    muon_isolation: float = 0.15,
    jet_pt: float = 30.0,
    btag: float = 0.5,
    variations: Sequence[str] = (),
    corrections: Any = None,
) -> dict[str, Observable]:
    """Select events with one lepton, four jets and at least one b-tag.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        NanoAOD branches of electrons, muons and jets; for ``pt_res_up`` also
        run, luminosityBlock and event.
    electron_pt, muon_pt, jet_pt : float
        Transverse momenta must be above these, in GeV.
    muon_isolation : float
        Relative isolation in a cone of 0.4 must be below.
    btag : float
        A jet is b-tagged if its CSVv2 discriminant is above.
    variations : sequence of str
        ``pt_scale_up``: jet pt x 1.03; ``pt_res_up``: jet pt x N(1, 0.05);
        ``btag_var_0_up`` to ``btag_var_3_down``, ``scale_var_up`` and
        ``scale_var_down``: weights from ``corrections``.
    corrections : correctionlib.CorrectionSet
        With a correction ``event_weight`` of systematic, direction and jet pt.

    Returns
    -------
    dict of Observable
        ``4j1b``: exactly one b-tag, scalar sum of jet pt in GeV;
        ``4j2b``: two or more, mass in GeV of the three jets, one of them
        b-tagged, whose vector sum has the largest pt.

    Raises
    ------
    SpecError
        A cut is negative, a variation unknown, or its corrections are missing.

    Examples
    --------
    One muon, four jets, and a b-tag in one of them:

    >>> import awkward as ak
    >>> event = {name: [] for name in ("Electron_pt", "Electron_eta", "Electron_cutBased")}
    >>> event |= {"Electron_sip3d": [], "Muon_pt": [50.0], "Muon_eta": [0.1]}
    >>> event |= {"Muon_tightId": [True], "Muon_sip3d": [1.0], "Muon_pfRelIso04_all": [0.01]}
    >>> event |= {"Jet_pt": [80.0, 60.0, 50.0, 40.0], "Jet_eta": [0.0, 1.0, -1.0, 0.5]}
    >>> event |= {"Jet_phi": [0.0, 1.0, 2.0, 3.0], "Jet_mass": [8.0, 6.0, 5.0, 4.0]}
    >>> event |= {"Jet_jetId": [6] * 4, "Jet_btagCSVV2": [0.9, 0.1, 0.1, 0.1]}
    >>> regions = select(ak.Array([event, event]))
    >>> regions["4j1b"].values.tolist(), len(regions["4j2b"].values)
    ([230.0, 230.0], 0)
    """
    cuts = Cuts(*map(float, (electron_pt, muon_pt, muon_isolation, jet_pt, btag)))
    for name, value in cuts._asdict().items():
        if value < 0:
            raise SpecError(f"{value:g} is negative", f"cuts.{name}", "use 0 for no cut")
    shifts, weighted = checked(variations, corrections)
    electrons = Electrons(*flat(events, ELECTRON_COLUMNS))
    muons, jets = Muons(*flat(events, MUON_COLUMNS)), Jets(*flat(events, JET_COLUMNS))
    numbers = _numbers(events if "pt_res_up" in shifts else events[:0], shifts)
    kinds = np.array([NOMINAL, *(KINEMATIC[name] for name in shifts)])
    region, value, leading = _event_loop(electrons, muons, jets, numbers, kinds, cuts)

    regions = {}
    correction = corrections[CORRECTION] if weighted else None
    for name, which in {"4j1b": ONE_TAG, "4j2b": TWO_TAGS}.items():
        nominal, *shifted = (np.flatnonzero(row == which) for row in region)
        varied = {
            shift: Observable(value[k][index], index=index)
            for k, (shift, index) in enumerate(zip(shifts, shifted, strict=True), start=1)
        }
        values = value[0][nominal]
        for weight_name, weights in varied_weights(weighted, correction, leading[nominal]):
            varied[weight_name] = Observable(values, weights, nominal)
        regions[name] = Observable(values, index=nominal, variations=varied)
    return regions


def _numbers(events: Any, shifts: Sequence[str]) -> Numbers:
    names = EVENT_COLUMNS if "pt_res_up" in shifts else {}
    read = {name: np.asarray(events[name], kind) for name, kind in names.items()}
    return Numbers(*(read.get(name, np.empty(0, kind)) for name, kind in EVENT_COLUMNS.items()))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def good_electrons_before(e: Electrons, cut: Cuts) -> NDArray[np.int32]:
    """Number of good electrons before each, and in all; without branches: "&", not "and"."""
    before = np.zeros(len(e.pt) + 1, np.int32)
    for i in range(len(e.pt)):
        kinematic = (e.pt[i] > cut.electron_pt) & (abs(e.eta[i]) < LEPTON_ETA)
        good = kinematic & (e.cut_based[i] == TIGHT_ELECTRON) & (e.sip3d[i] < LEPTON_SIP3D)
        before[i + 1] = before[i] + good
    return before


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def good_muons_before(mu: Muons, cut: Cuts) -> NDArray[np.int32]:
    """Number of good muons before each, and in all."""
    before = np.zeros(len(mu.pt) + 1, np.int32)
    for i in range(len(mu.pt)):
        kinematic = (mu.pt[i] > cut.muon_pt) & (abs(mu.eta[i]) < LEPTON_ETA)
        isolated = mu.isolation[i] < cut.muon_isolation
        good = kinematic & mu.tight[i] & (mu.sip3d[i] < LEPTON_SIP3D) & isolated
        before[i + 1] = before[i] + good
    return before


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _event_loop(  # noqa: C901  (the whole definition, in one loop)
    e: Electrons, mu: Muons, jet: Jets, number: Numbers, kinds: NDArray[np.int64], cut: Cuts
) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.float32]]:
    """Region and observable of every event for every kind of jets, and pt of four jets."""
    n_events = len(e.first) - 1
    region = np.zeros((len(kinds), n_events), np.int8)
    value = np.empty((len(kinds), n_events))
    leading = np.empty((n_events, 4), np.float32)
    most = np.max(np.diff(jet.first)) if n_events else 0
    clean, good = np.empty(most, np.int64), np.empty(most, np.int64)
    pts, scratch = np.empty(most, np.float32), np.empty((4, most))
    electrons, muons = good_electrons_before(e, cut), good_muons_before(mu, cut)

    for event in range(n_events):
        leptons = electrons[e.first[event + 1]] - electrons[e.first[event]]
        leptons += muons[mu.first[event + 1]] - muons[mu.first[event]]
        if leptons != 1:
            continue
        first, n_clean, tags = jet.first[event], 0, 0
        for i in range(first, jet.first[event + 1]):  # written always, counted if clean
            is_clean = (abs(jet.eta[i]) < JET_ETA) & (jet.identity[i] == TIGHT_JET_NOT_LEPTON)
            clean[n_clean] = i
            n_clean += is_clean
            tags += is_clean & (jet.btag[i] > cut.btag)
        if n_clean < 4 or tags < 1:
            continue
        scratch[0] = np.nan  # no direction known

        for k, kind in enumerate(kinds):
            jets, btags, ht, key = 0, 0, 0.0, np.uint64(0)
            if kind == RESOLUTION_UP:
                key = event_key(number.run[event], number.block[event], number.event[event])
            for i in clean[:n_clean]:
                pt = _shifted(jet.pt[i], kind, key, i - first)
                is_good = pt > cut.jet_pt
                good[jets], pts[jets] = i, pt
                jets += is_good
                btags += is_good & (jet.btag[i] > cut.btag)
                ht += np.float64(pt) if is_good else 0.0

            if jets >= 4 and btags == 1:
                region[k, event], value[k, event] = ONE_TAG, ht
            elif jets >= 4 and btags >= 2:
                mass = _hadronic_top_mass(jet, first, good[:jets], pts, scratch, cut.btag)
                region[k, event], value[k, event] = TWO_TAGS, mass
            if kind == NOMINAL and jets >= 4:
                leading[event] = pts[:4]
    return region, value, leading


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _shifted(pt: np.float32, kind: int, key: int, index: int) -> np.float32:
    """Transverse momentum of a jet under one of the kinematic variations."""
    if kind == SCALE_UP:
        return np.float32(pt * JET_SCALE)
    if kind == RESOLUTION_UP:
        return np.float32(pt * (1.0 + JET_RESOLUTION * normal(key, index)))
    return pt


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hadronic_top_mass(
    jet: Jets,
    first: int,
    good: NDArray[np.int64],
    pts: NDArray[np.float32],
    scratch: NDArray[np.float64],
    btag: float,
) -> float:
    """Mass of the b-tagged three-jet combination of largest pt."""
    px, py, n = scratch[2], scratch[3], len(good)
    for k, i in enumerate(good):
        at, phi = i - first, np.float64(jet.phi[i])
        if np.isnan(scratch[0, at]):  # common to all kinematic variations
            scratch[0, at], scratch[1, at] = cos(phi), sin(phi)
        px[k], py[k] = pts[k] * scratch[0, at], pts[k] * scratch[1, at]

    largest_pt2, best = -1.0, (0, 0, 0)
    for a in range(n):
        for b in range(a + 1, n):
            two_tagged = (jet.btag[good[a]] > btag) | (jet.btag[good[b]] > btag)
            for c in range(b + 1, n):
                pt2 = (px[a] + px[b] + px[c]) ** 2 + (py[a] + py[b] + py[c]) ** 2
                if (pt2 > largest_pt2) & (two_tagged | (jet.btag[good[c]] > btag)):
                    largest_pt2, best = pt2, (a, b, c)

    if largest_pt2 < 0:  # no momentum is a number
        return np.nan
    pz, energy = 0.0, 0.0
    for k in best:
        i = good[k]
        z = np.float64(pts[k]) * sinh(np.float64(jet.eta[i]))
        pz += z
        energy += sqrt(px[k] ** 2 + py[k] ** 2 + z**2 + np.float64(jet.mass[i]) ** 2)
    return sqrt(max(energy**2 - (largest_pt2 + pz**2), 0.0))
