"""The missing transverse momentum, against which objects change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from spectrum_workflows.hep.objects.inputs import flat, offsets_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import awkward as ak
    from numpy.typing import NDArray

    from spectrum_workflows.hep.objects.declared import Chain, Met

    Changed = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Recoil:
    """What changes of the objects of one collection do to the missing momentum.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n_events + 1,)
    x, y : ndarray, shape (n_objects,)
        Direction of every object; 0 for those that do not count.
    before : ndarray, shape (n_objects,)
        Transverse momenta in the file.
    """

    offsets: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    before: NDArray[Any]

    def of(self, pt: NDArray[Any]) -> NDArray[np.float64]:
        """Change of the missing momentum, shape (2, n_events), if these are the momenta."""
        change = np.zeros((2, len(self.offsets) - 1))
        _recoil(self.offsets, self.x, self.y, self.before, pt, change)
        return change


def recoil(events: ak.Array, chain: Chain, minimum_pt: float) -> Recoil:
    """Prepare the recoil against the objects of a chain.

    Parameters
    ----------
    events : ak.Array
        Packed, as in the file.
    chain : Chain
    minimum_pt : float
        Objects whose transverse momentum in the file, in GeV, is not above do not count.
    """
    before = flat(events, chain.pt)
    phi = flat(events, chain.phi).astype(np.float64)
    counts = np.asarray(before > minimum_pt, np.float64)
    return Recoil(offsets_of(events, chain.pt), counts * np.cos(phi), counts * np.sin(phi), before)


def follow(events: ak.Array, met: Met, changes: Iterable[NDArray[np.float64]]) -> Changed:
    """Columns of the missing momentum after some changes, in GeV.

    Parameters
    ----------
    events : ak.Array
        Packed, as in the file.
    met : Met
    changes : iterable of ndarray, shape (2, n_events)
        As of `Recoil.of`, and others.
    """
    pt, phi = flat(events, met.pt), flat(events, met.phi)
    total = sum(changes, np.zeros((2, len(events))))
    out = {met.pt: np.empty_like(pt), met.phi: np.empty_like(phi)}
    _followed(pt, phi, total, out[met.pt], out[met.phi])
    return out


def instead(events: ak.Array, met: Met, pt: str, phi: str) -> NDArray[np.float64]:
    """Change of the missing momentum that other columns of the file stand for."""
    size, angle = (flat(events, name).astype(np.float64) for name in (met.pt, met.phi))
    other, towards = (flat(events, name).astype(np.float64) for name in (pt, phi))
    x = other * np.cos(towards) - size * np.cos(angle)
    return np.stack([x, other * np.sin(towards) - size * np.sin(angle)])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _recoil(offsets: Any, x: Any, y: Any, before: Any, after: Any, change: Any) -> None:
    for event in range(len(offsets) - 1):
        for i in range(offsets[event], offsets[event + 1]):
            grown = np.float64(after[i]) - np.float64(before[i])
            change[0, event] -= grown * x[i]
            change[1, event] -= grown * y[i]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _followed(pt: Any, phi: Any, change: Any, new_pt: Any, new_phi: Any) -> None:
    """What does not change stays as it is, to the bit."""
    for event in range(len(pt)):
        new_pt[event], new_phi[event] = pt[event], phi[event]
        if change[0, event] != 0.0 or change[1, event] != 0.0:
            size, angle = np.float64(pt[event]), np.float64(phi[event])
            x = size * np.cos(angle) + change[0, event]
            y = size * np.sin(angle) + change[1, event]
            new_pt[event], new_phi[event] = np.hypot(x, y), np.arctan2(y, x)
