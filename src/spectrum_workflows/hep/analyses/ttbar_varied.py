"""The top-pair selection under many variations of its jets at once: the bits of `ttbar.select`.

Everything that does not vary is looked up and computed once per event; what varies is done for
all variations side by side, so that the processor does several of them in one instruction.  What
cannot be, by the least and the largest momentum of each jet, is not computed.
"""

from __future__ import annotations

from math import cos, sin, sinh, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spectrum_workflows.hep.analyses.jagged import chosen_offsets, flat
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

INFINITE = 0x7F800000
"""Bits of an infinite float32; those of what is no number are above, or negative."""

HELD = 32
"""Events that are held back before they are written."""


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
    seen = (np.abs(jets.eta) <= np.float32(JET_ETA)) & (jets.identity == TIGHT_JET_NOT_LEPTON)
    jets = Jets(chosen_offsets(jets.first, seen), *(column[seen] for column in jets[1:]))

    n = len(events)
    index = np.empty((varied.number, n), np.int64)
    value = np.empty((varied.number, n))
    counts = np.zeros((2, varied.number), np.int64)
    for block in varied.blocks(items=seen):
        first = jets.first[block.start]
        mass = block.changed.get(MASS)
        if mass is None:
            own = jets.mass[first : jets.first[block.stop], np.newaxis]
            mass = np.broadcast_to(own, (len(own), varied.number)).copy()
        pt = np.ascontiguousarray(block.changed[PT], np.float32)
        scope = (block.start, block.stop)
        _select_block(jets, leptons, scope, pt, mass, cuts, index, value, counts)
    return [
        {"4j1b": _back(index, value, v, int(one)), "4j2b": _front(index, value, v, int(two))}
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
    """Events of a block in both regions: two b-tags from the front, one from the end."""
    start, stop = scope
    lanes = index.shape[0]
    most = 0
    for event in range(start, stop):
        most = max(most, jet.first[event + 1] - jet.first[event])
    clean = np.empty(most, np.int64)
    tagged, always, ready = np.empty((3, most), np.bool_)
    triples = np.empty((most * (most - 1) * (most - 2) // 6 + 1, 3), np.int64)
    most_pt2 = np.empty(len(triples))
    bounds, lines = np.empty((4, most)), np.empty((3, most))
    px, py = np.empty((most, lanes)), np.empty((most, lanes))
    pz, energy = np.empty((most, lanes)), np.empty((most, lanes))
    n_jets, n_tags = np.empty(lanes, np.int32), np.empty(lanes, np.int32)
    ht, pt2, largest, mass2, mass = np.empty((5, lanes))
    best = np.empty(lanes, np.int64)
    bits = varied_pt.view(np.int32)
    events, held = np.empty(HELD, np.int64), 0
    regions, results = np.empty((HELD, lanes), np.int8), np.empty((HELD, lanes))
    ends = np.empty(2, np.int32)
    extremes = ends.view(np.float32)
    offset = jet.first[start]

    for event in range(start, stop):
        if leptons[event] != 1:
            continue
        n_clean, tags, least_jets, least_tags = 0, 0, 0, 0
        for i in range(jet.first[event], jet.first[event + 1]):
            is_clean = (abs(jet.eta[i]) < JET_ETA) & (jet.identity[i] == TIGHT_JET_NOT_LEPTON)
            if not is_clean:
                continue
            row = bits[i - offset]  # of positive numbers in the order of the numbers
            low, high = row[0], row[0]
            for s in range(lanes):
                low = min(low, row[s])
                high = max(high, row[s])
            ends[0], ends[1] = low, high
            ordered = (low >= 0) & (high < INFINITE)
            lowest = np.float64(extremes[0]) if ordered else -np.inf
            highest = np.float64(extremes[1]) if ordered else np.inf
            if highest > cut.jet_pt:  # good under some variation
                clean[n_clean] = i
                tagged[n_clean] = jet.btag[i] > cut.btag
                always[n_clean] = lowest > cut.jet_pt
                bounds[0, n_clean], bounds[1, n_clean] = lowest, highest
                tags += tagged[n_clean]
                least_jets += always[n_clean]
                least_tags += tagged[n_clean] & always[n_clean]
                n_clean += 1
        if n_clean < 4 or tags < 1:
            continue

        n_jets[:], n_tags[:], ht[:] = least_jets, least_tags, 0.0
        for k in range(n_clean):
            pts = varied_pt[clean[k] - offset]
            if not always[k]:
                for s in range(lanes):
                    n_jets[s] += np.int32(pts[s] > cut.jet_pt)
                if tagged[k]:
                    for s in range(lanes):
                        n_tags[s] += np.int32(pts[s] > cut.jet_pt)
            if least_tags > 1:
                continue  # nobody asks for the sum
            if always[k]:
                for s in range(lanes):
                    ht[s] += np.float64(pts[s])
            else:
                for s in range(lanes):
                    pt = pts[s]
                    ht[s] += np.float64(pt) if pt > cut.jet_pt else 0.0

        certain = False
        if tags > 1:
            for k in range(n_clean):
                i = clean[k]
                phi = np.float64(jet.phi[i])
                lines[0, k], lines[1, k] = cos(phi), sin(phi)
                lines[2, k] = sinh(np.float64(jet.eta[i]))
                ready[k] = False
            n_triples = _may_be_largest(n_clean, tagged, always, bounds, lines, triples, most_pt2)
            first = triples[0]
            certain = n_triples == 1 and always[first[0]] and always[first[1]] and always[first[2]]

        if certain:
            a, b, d = first
            at_a, at_b, at_d = clean[a] - offset, clean[b] - offset, clean[d] - offset
            pts_a, pts_b, pts_d = varied_pt[at_a], varied_pt[at_b], varied_pt[at_d]
            m_a, m_b, m_d = varied_mass[at_a], varied_mass[at_b], varied_mass[at_d]
            c_a, s_a, z_a = lines[0, a], lines[1, a], lines[2, a]
            c_b, s_b, z_b = lines[0, b], lines[1, b], lines[2, b]
            c_d, s_d, z_d = lines[0, d], lines[1, d], lines[2, d]
            for s in range(lanes):
                xa, ya, za = pts_a[s] * c_a, pts_a[s] * s_a, np.float64(pts_a[s]) * z_a
                xb, yb, zb = pts_b[s] * c_b, pts_b[s] * s_b, np.float64(pts_b[s]) * z_b
                xd, yd, zd = pts_d[s] * c_d, pts_d[s] * s_d, np.float64(pts_d[s]) * z_d
                total = sqrt(xa**2 + ya**2 + za**2 + np.float64(m_a[s]) ** 2)
                total += sqrt(xb**2 + yb**2 + zb**2 + np.float64(m_b[s]) ** 2)
                total += sqrt(xd**2 + yd**2 + zd**2 + np.float64(m_d[s]) ** 2)
                x, y, z = xa + xb + xd, ya + yb + yd, za + zb + zd
                mass2[s] = total**2 - (x**2 + y**2 + z**2)
            for s in range(lanes):
                mass[s] = sqrt(max(mass2[s], 0.0))
        elif tags > 1:  # one array is written in each loop: only such become vectors
            largest[:], best[:] = -1.0, 0
            for t in range(n_triples):
                for k in triples[t]:
                    if ready[k]:
                        continue
                    ready[k] = True
                    i = clean[k]
                    pts, masses = varied_pt[i - offset], varied_mass[i - offset]
                    xs, ys, zs, energies = px[k], py[k], pz[k], energy[k]
                    c, s_phi, sh = lines[0, k], lines[1, k], lines[2, k]
                    for s in range(lanes):
                        x = pts[s] * c  # others are in no triple
                        xs[s] = x if pts[s] > cut.jet_pt else np.nan
                    for s in range(lanes):
                        ys[s] = pts[s] * s_phi
                    for s in range(lanes):
                        zs[s] = np.float64(pts[s]) * sh
                    for s in range(lanes):
                        own2 = np.float64(masses[s]) ** 2
                        energies[s] = sqrt(xs[s] ** 2 + ys[s] ** 2 + zs[s] ** 2 + own2)
                a, b, d = triples[t]
                for s in range(lanes):
                    x = px[a, s] + px[b, s] + px[d, s]
                    y = py[a, s] + py[b, s] + py[d, s]
                    pt2[s] = x**2 + y**2
                for s in range(lanes):
                    before = best[s]
                    best[s] = t if pt2[s] > largest[s] else before
                for s in range(lanes):
                    before_pt2, new = largest[s], pt2[s]
                    largest[s] = new if new > before_pt2 else before_pt2
            for s in range(lanes):
                mass[s] = np.nan  # no momentum is a number
                if largest[s] >= 0:
                    a, b, d = triples[best[s], 0], triples[best[s], 1], triples[best[s], 2]
                    z = pz[a, s] + pz[b, s] + pz[d, s]
                    total = energy[a, s] + energy[b, s] + energy[d, s]
                    mass[s] = sqrt(max(total**2 - (largest[s] + z**2), 0.0))

        events[held] = event
        regions_of, values = regions[held], results[held]
        for s in range(lanes):
            one_or_two = np.int8(2) if n_tags[s] > 1 else np.int8(n_tags[s])
            regions_of[s] = one_or_two if n_jets[s] >= 4 else np.int8(0)
        for s in range(lanes):
            values[s] = ht[s] if n_tags[s] == 1 else mass[s]
        held += 1
        if held == HELD:
            _write(held, events, regions, results, index, value, counts)
            held = 0
    _write(held, events, regions, results, index, value, counts)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _write(
    held: int,
    events: NDArray[np.int64],
    regions: NDArray[np.int8],
    results: NDArray[np.float64],
    index: NDArray[np.int64],
    value: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """Write some events, one variation after the other: each has its own page of memory."""
    n_events = index.shape[1]
    for s in range(index.shape[0]):
        one, two = counts[0, s], counts[1, s]
        for k in range(held):
            if regions[k, s] == 2:
                index[s, two], value[s, two] = events[k], results[k, s]
                two += 1
            elif regions[k, s] == 1:
                one += 1
                index[s, n_events - one] = events[k]
                value[s, n_events - one] = results[k, s]
        counts[0, s], counts[1, s] = one, two


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _may_be_largest(  # noqa: C901  (bounds of every triple, and a second look)
    n: int,
    tagged: NDArray[np.bool_],
    always: NDArray[np.bool_],
    bounds: NDArray[np.float64],
    lines: NDArray[np.float64],
    triples: NDArray[np.int64],
    most_pt2: NDArray[np.float64],
) -> int:
    """List triples with a tag that may have the largest momentum under any variation.

    Sums of the least and of the largest numbers, rounded in the same order as those of any
    variation, bound them as they are computed: rounding keeps the order.  What is no number
    excludes nothing and is not excluded.
    """
    x_low, x_high = np.empty(n), np.empty(n)
    y_low, y_high = np.empty(n), np.empty(n)
    for k in range(n):
        x_1, x_2 = bounds[0, k] * lines[0, k], bounds[1, k] * lines[0, k]
        y_1, y_2 = bounds[0, k] * lines[1, k], bounds[1, k] * lines[1, k]
        x_low[k], x_high[k] = (x_1, x_2) if lines[0, k] > 0 else (x_2, x_1)
        y_low[k], y_high[k] = (y_1, y_2) if lines[1, k] > 0 else (y_2, y_1)
    floor, listed = -1.0, 0
    for a in range(n):
        for b in range(a + 1, n):
            two_tagged = tagged[a] | tagged[b]
            for d in range(b + 1, n):
                if not (two_tagged | tagged[d]):
                    continue
                x_1, x_2 = x_low[a] + x_low[b] + x_low[d], x_high[a] + x_high[b] + x_high[d]
                y_1, y_2 = y_low[a] + y_low[b] + y_low[d], y_high[a] + y_high[b] + y_high[d]
                upper = max(x_1**2, x_2**2) + max(y_1**2, y_2**2)
                if upper < floor:
                    continue
                if always[a] & always[b] & always[d] & (upper < np.inf):
                    x = max(x_1, -x_2, 0.0)
                    y = max(y_1, -y_2, 0.0)
                    floor = max(floor, x**2 + y**2)
                triples[listed, 0], triples[listed, 1], triples[listed, 2] = a, b, d
                most_pt2[listed] = upper
                listed += 1
    kept = 0
    for t in range(listed):
        if most_pt2[t] < floor:
            continue
        for k in range(3):
            triples[kept, k] = triples[t, k]
        kept += 1
    return kept
