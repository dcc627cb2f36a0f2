"""The top-pair selection under many variations of its jets at once: the bits of `ttbar.select`.

Everything that does not vary is looked up and computed once per event; what varies is done for
all variations side by side, so that the processor does several of them in one instruction.
"""

from __future__ import annotations

from math import cos, sin, sinh, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spectrum_workflows.hep.analyses.jagged import flat
from spectrum_workflows.hep.analyses.ttbar import (
    JET_ETA,
    TIGHT_JET_NOT_LEPTON,
    good_electrons_before,
    good_muons_before,
)
from spectrum_workflows.hep.analyses.ttbar_objects import (
    ELECTRON_COLUMNS,
    JET_COLUMNS,
    MUON_COLUMNS,
    Cuts,
    Electrons,
    Jets,
    Muons,
)
from spectrum_workflows.hep.types import Observable

if TYPE_CHECKING:
    from spectrum_workflows.hep.types.varied import VariedObjects

PT, MASS = "Jet_pt", "Jet_mass"


def select_varied(
    events: Any,
    *,
    varied: VariedObjects,
    electron_pt: float = 30.0,
    muon_pt: float = 30.0,
    muon_isolation: float = 0.15,
    jet_pt: float = 30.0,
    btag: float = 0.5,
) -> list[dict[str, Observable]]:
    """Select events under every variation of momentum and mass of their jets.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        Nominal.
    varied : VariedObjects
        Their jets.
    electron_pt, muon_pt, muon_isolation, jet_pt, btag : float
        As of `ttbar.select`.

    Returns
    -------
    list of dict of Observable
        What `ttbar.select` returns of the events under each variation.
    """
    cuts = Cuts(*map(float, (electron_pt, muon_pt, muon_isolation, jet_pt, btag)))
    electrons = good_electrons_before(Electrons(*flat(events, ELECTRON_COLUMNS)), cuts)
    muons = good_muons_before(Muons(*flat(events, MUON_COLUMNS)), cuts)
    firsts = (flat(events, {name: kinds}) for name, kinds in (_FIRST_E, _FIRST_MU))
    first_e, first_mu = (offsets for offsets, _ in firsts)
    leptons = np.diff(electrons[first_e]) + np.diff(muons[first_mu])
    jets = Jets(*flat(events, JET_COLUMNS))

    n = len(events)
    index = np.empty((varied.number, n), np.int64)
    value = np.empty((varied.number, n))
    counts = np.zeros((2, varied.number), np.int64)
    for block in varied.blocks:
        first = jets.first[block.start]
        mass = block.changed.get(MASS)
        if mass is None:
            own = jets.mass[first : jets.first[block.stop], np.newaxis]
            mass = np.broadcast_to(own, (len(own), varied.number)).copy()
        pt = block.changed[PT]
        scope = (block.start, block.stop)
        _select_block(jets, leptons, scope, pt, mass, cuts, index, value, counts)
    return [
        {"4j1b": _front(index, value, v, int(one)), "4j2b": _back(index, value, v, int(two))}
        for v, (one, two) in enumerate(counts.T)
    ]


_FIRST_E, _FIRST_MU = (("Electron_pt", np.float32), ("Muon_pt", np.float32))


def _front(index: NDArray[Any], value: NDArray[Any], v: int, count: int) -> Observable:
    return Observable(value[v, :count], index=index[v, :count])


def _back(index: NDArray[Any], value: NDArray[Any], v: int, count: int) -> Observable:
    """Those that were written from the end, in the order of events."""
    n = index.shape[1]
    return Observable(value[v, n - count :][::-1], index=index[v, n - count :][::-1])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _select_block(  # noqa: C901  (the whole definition, in one loop)
    jet: Jets,
    leptons: NDArray[np.int32],
    scope: tuple[int, int],
    varied_pt: NDArray[np.float32],
    varied_mass: NDArray[np.float32],
    cut: Cuts,
    index: NDArray[np.int64],
    value: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """Events of a block in both regions: one b-tag from the front, two from the end."""
    start, stop = scope
    n_events, lanes = index.shape[1], index.shape[0]
    most = 0
    for event in range(start, stop):
        most = max(most, jet.first[event + 1] - jet.first[event])
    clean = np.empty(most, np.int64)
    tagged = np.empty(most, np.bool_)
    triples = np.empty((most * (most - 1) * (most - 2) // 6 + 1, 3), np.int64)
    px, py = np.empty((most, lanes)), np.empty((most, lanes))
    pz, energy = np.empty((most, lanes)), np.empty((most, lanes))
    n_jets, n_tags = np.empty(lanes, np.int32), np.empty(lanes, np.int32)
    ht, pt2, largest = np.empty(lanes), np.empty(lanes), np.empty(lanes)
    best = np.empty(lanes, np.int64)
    offset = jet.first[start]

    for event in range(start, stop):
        if leptons[event] != 1:
            continue
        n_clean, tags = 0, 0
        for i in range(jet.first[event], jet.first[event + 1]):
            is_clean = (abs(jet.eta[i]) < JET_ETA) & (jet.identity[i] == TIGHT_JET_NOT_LEPTON)
            if not is_clean:
                continue
            varied, pts = 0, varied_pt[i - offset]  # variations under which it is good
            for s in range(lanes):
                varied += pts[s] > cut.jet_pt
            if varied:
                clean[n_clean] = i
                tagged[n_clean] = jet.btag[i] > cut.btag
                tags += tagged[n_clean]
                n_clean += 1
        if n_clean < 4 or tags < 1:
            continue

        n_jets[:], n_tags[:], ht[:] = 0, 0, 0.0
        for k in range(n_clean):
            pts = varied_pt[clean[k] - offset]
            for s in range(lanes):
                n_jets[s] += np.int32(pts[s] > cut.jet_pt)
            if tagged[k]:
                for s in range(lanes):
                    n_tags[s] += np.int32(pts[s] > cut.jet_pt)
            for s in range(lanes):
                pt = pts[s]
                ht[s] += np.float64(pt) if pt > cut.jet_pt else 0.0

        if tags > 1:  # one array is written in each loop: only such become vectors
            for k in range(n_clean):
                i = clean[k]
                pts, masses = varied_pt[i - offset], varied_mass[i - offset]
                xs, ys, zs, energies = px[k], py[k], pz[k], energy[k]
                phi = np.float64(jet.phi[i])
                c, s_phi, sh = cos(phi), sin(phi), sinh(np.float64(jet.eta[i]))
                for s in range(lanes):
                    x = pts[s] * c  # others are in no triple
                    xs[s] = x if pts[s] > cut.jet_pt else np.nan
                for s in range(lanes):
                    ys[s] = pts[s] * s_phi
                for s in range(lanes):
                    zs[s] = np.float64(pts[s]) * sh
                for s in range(lanes):
                    mass2 = np.float64(masses[s]) ** 2
                    energies[s] = sqrt(xs[s] ** 2 + ys[s] ** 2 + zs[s] ** 2 + mass2)
            largest[:], best[:], n_triples = -1.0, 0, 0
            for a in range(n_clean):
                for b in range(a + 1, n_clean):
                    two_tagged = tagged[a] | tagged[b]
                    for d in range(b + 1, n_clean):
                        if not (two_tagged | tagged[d]):
                            continue
                        triples[n_triples, 0] = a
                        triples[n_triples, 1] = b
                        triples[n_triples, 2] = d
                        for s in range(lanes):
                            x = px[a, s] + px[b, s] + px[d, s]
                            y = py[a, s] + py[b, s] + py[d, s]
                            pt2[s] = x**2 + y**2
                        for s in range(lanes):
                            before = best[s]
                            best[s] = n_triples if pt2[s] > largest[s] else before
                        for s in range(lanes):
                            before_pt2, new = largest[s], pt2[s]
                            largest[s] = new if new > before_pt2 else before_pt2
                        n_triples += 1

        for s in range(lanes):
            if n_jets[s] < 4 or n_tags[s] < 1:
                continue
            if n_tags[s] == 1:
                at = counts[0, s]
                counts[0, s] = at + 1
                value[s, at] = ht[s]
            else:
                counts[1, s] += 1
                at = n_events - counts[1, s]
                value[s, at] = np.nan  # no momentum is a number
                if largest[s] >= 0:
                    a, b, d = triples[best[s], 0], triples[best[s], 1], triples[best[s], 2]
                    z = pz[a, s] + pz[b, s] + pz[d, s]
                    total = energy[a, s] + energy[b, s] + energy[d, s]
                    value[s, at] = sqrt(max(total**2 - (largest[s] + z**2), 0.0))
            index[s, at] = event
