"""Jets from partons by the anti-kT algorithm.

Algorithm: Cacciari, Salam and Soyez (doi:10.1088/1126-6708/2008/04/063), momenta added up as
four-vectors.  Events here have a dozen partons, so that no fast search for neighbours is needed.
"""

from __future__ import annotations

from math import atan2, log, pi

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spectrum_workflows.hep.synthetic.kinematics import Floats


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def anti_kt(first: NDArray[np.int64], p4: Floats, radius: float) -> NDArray[np.int64]:
    """To which jet of its event every particle belongs.

    Parameters
    ----------
    first : ndarray, shape (n_events + 1,)
        Particles of event i are at ``first[i]:first[i + 1]``.
    p4 : ndarray, shape (n, 4)
        (E, px, py, pz) in GeV.
    radius : float
        Parameter R of the algorithm: distance in rapidity and azimuth.

    Returns
    -------
    ndarray, shape (n,)
        Jets are numbered through all events, in the order in which they are found.
    """
    jet = np.empty(len(p4), np.int64)
    number = 0
    for event in range(len(first) - 1):
        start, n = first[event], first[event + 1] - first[event]
        own, member, alive = p4[start : start + n].copy(), np.arange(n), np.ones(n, np.bool_)
        rapidity, phi, pt2 = np.empty(n), np.empty(n), np.empty(n)
        for i in range(n):
            rapidity[i], phi[i], pt2[i] = _direction(own[i])
        for _ in range(n):
            a, b = _nearest(rapidity, phi, pt2, alive, radius)
            if b < 0:  # nearer to the beam than to any other: a jet
                jet[start : start + n][member == a] = number
                number += 1
            else:
                own[b] += own[a]
                rapidity[b], phi[b], pt2[b] = _direction(own[b])
                member[member == a] = b
            alive[a] = False
    return jet


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _nearest(
    rapidity: Floats, phi: Floats, pt2: Floats, alive: NDArray[np.bool_], radius: float
) -> tuple[int, int]:
    """The two that are nearest to each other, or the one nearest to the beam and -1."""
    best, a, b = np.inf, -1, -1
    for i in range(len(alive)):
        if not alive[i]:
            continue
        if 1.0 / pt2[i] < best:
            best, a, b = 1.0 / pt2[i], i, -1
        for j in range(i):
            if not alive[j]:
                continue
            turn = abs(phi[i] - phi[j])
            turn = min(turn, 2 * pi - turn)
            distance2 = ((rapidity[i] - rapidity[j]) ** 2 + turn**2) / radius**2
            if distance2 / max(pt2[i], pt2[j]) < best:
                best, a, b = distance2 / max(pt2[i], pt2[j]), i, j
    return a, b


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _direction(p: Floats) -> tuple[float, float, float]:
    """Rapidity, azimuth and squared transverse momentum."""
    energy, px, py, pz = p
    pt2 = max(px**2 + py**2, 1e-18)
    transverse2 = max(energy**2 - pz**2, pt2)
    rapidity = log((energy + abs(pz)) / transverse2**0.5)
    return (rapidity if pz > 0 else -rapidity), atan2(py, px), pt2
