"""Smearing: the momentum resolution of simulated objects made that of data.

The hybrid method of CMS (JINST 12 (2017) P02014, section 8): an object with a match among the
generated ones has its distance to that scaled; one without gets a random number.  The random
number is a hash of what names the event, and of the object's place in it: it is the same under
every variation, and however events are cut into partitions.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from math import cosh, pi, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from spectrum_workflows.hep.analyses.smearing import event_key, mixed, normal
from spectrum_workflows.hep.objects.inputs import flat, gathered, offsets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import awkward as ak
    from numpy.typing import NDArray

    from spectrum_workflows.hep.objects.declared import Call, Chain, Smearing

    Smeared = dict[Call | str, NDArray[np.float64]]
    """Corrections of objects, and the random numbers that are drawn so far."""

RANDOM = "random numbers"

LEAST = 1e-2
"""GeV of momentum that an object keeps."""


@dataclass(frozen=True)
class _Generated:
    """Generated objects, and which of them is whose match; -1 where there is none."""

    index: NDArray[np.int64]
    offsets: NDArray[np.int64]
    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]


def smearing_factors(
    events: ak.Array, chain: Chain, pt: NDArray[np.float64], kernels: Any, known: Smeared
) -> NDArray[np.float64]:
    """Factors by which objects are smeared; shape (n_objects,).

    Parameters
    ----------
    events : ak.Array
        Packed, with the columns as they are after the other corrections.
    chain : Chain
        With a smearing.
    pt : ndarray, shape (n_objects,)
        Their transverse momenta, in GeV.
    kernels : callable
        ``kernels(file)``.
    known : dict
        Corrections of these objects that are known already, and random numbers; more are added.

    Raises
    ------
    DataError
        A correction has no value for an object.
    """
    described = chain.smearing
    assert described is not None
    offsets = offsets_of(events, chain.pt)
    calls = [described.resolution, described.scale_factor]
    known |= _looked_up([c for c in calls if c not in known], events, offsets, kernels)
    resolution, scale = known[described.resolution], known[described.scale_factor]
    if len(scale) != len(pt):  # of words alone
        scale = np.full(len(pt), scale[0])
    random = known.setdefault(RANDOM, np.full(len(pt), np.nan))
    match = _generated(events, described, len(pt))
    eta, phi = (flat(events, chain.beside(name)).astype(np.float64) for name in ("eta", "phi"))
    run, block, event = (flat(events, name).astype(np.uint64) for name in described.numbers)
    salt = np.uint64(zlib.crc32(chain.pt.encode()))
    limits = (described.cone, described.widths)
    out = np.empty(len(pt))
    _smear(
        *(offsets, pt, eta, phi, resolution, scale),
        *(match.index, match.offsets, match.pt, match.eta, match.phi),
        *(run, block, event, salt, *limits, random, out),
    )
    return out


def scale_factors(
    events: ak.Array, chains: Sequence[Chain], kernels: Any
) -> dict[Call | str, NDArray[np.float64]]:
    """Scale factors of the resolution that several corrections of the same objects take.

    Parameters
    ----------
    events, kernels
        As of `smearing_factors`.
    chains : sequence of Chain
        Equal but for their smearing.
    """
    calls = [chain.smearing.scale_factor for chain in chains if chain.smearing is not None]
    if not calls:
        return {}
    return _looked_up(list(dict.fromkeys(calls)), events, offsets_of(events, chains[0].pt), kernels)


def _looked_up(
    calls: Sequence[Call], events: ak.Array, offsets: NDArray[np.int64], kernels: Any
) -> dict[Call | str, NDArray[np.float64]]:
    """Some corrections; those that differ in words alone together."""
    alike: dict[object, list[Call]] = {}
    for call in calls:
        numbers = tuple(s if not isinstance(s.value, str) else None for s in call.inputs)
        alike.setdefault((call.file, call.name, numbers), []).append(call)
    known: dict[Call | str, NDArray[np.float64]] = {}
    for group in alike.values():
        first = group[0]
        inputs = gathered(first.inputs, events, offsets)
        sets = [
            tuple(
                s.value if isinstance(s.value, str) else x
                for s, x in zip(c.inputs, inputs, strict=True)
            )
            for c in group
        ]
        values = kernels(first.file).evaluate_under(first.name, *sets)
        known |= dict(zip(group, values, strict=True))
    return known


def _generated(events: ak.Array, described: Smearing, n: int) -> _Generated:
    if not described.generated:
        none = np.zeros(0)
        starts = np.zeros(len(events) + 1, np.int64)
        return _Generated(np.full(n, -1), starts, none, none, none)
    names = [f"{described.generated}_{name}" for name in ("pt", "eta", "phi")]
    columns = (flat(events, name).astype(np.float64) for name in names)
    index = flat(events, described.index).astype(np.int64)
    return _Generated(index, offsets_of(events, names[0]), *columns)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _smear(
    offsets: Any,
    pt: Any,
    eta: Any,
    phi: Any,
    resolution: Any,
    scale: Any,
    index: Any,
    first: Any,
    true_pt: Any,
    true_eta: Any,
    true_phi: Any,
    run: Any,
    block: Any,
    number: Any,
    salt: Any,
    cone: float,
    widths: float,
    random: Any,
    out: Any,
) -> None:
    for event in range(len(offsets) - 1):
        key = mixed(event_key(run[event], block[event], number[event]), salt)
        generated = first[event + 1] - first[event]
        for i in range(offsets[event], offsets[event + 1]):
            matched = 0 <= index[i] < generated
            by = 0.0
            if matched:
                j = first[event] + index[i]
                angle = abs(phi[i] - true_phi[j])
                angle = 2 * pi - angle if angle > pi else angle
                apart = pt[i] - true_pt[j]
                near = sqrt(angle**2 + (eta[i] - true_eta[j]) ** 2) < cone
                matched = near and abs(apart) < widths * resolution[i] * pt[i]
                by = (scale[i] - 1.0) * apart / pt[i]
            if not matched:
                width = sqrt(max(scale[i] ** 2 - 1.0, 0.0))
                place = i - offsets[event]
                if width > 0 and np.isnan(random[i]):
                    random[i] = normal(key, place)
                by = random[i] * resolution[i] * width if width > 0 else 0.0
            out[i] = 1.0 + by
            if not (
                pt[i] > 0 and out[i] >= LEAST / pt[i]
            ):  # a momentum is no less than its transverse
                out[i] = max(1.0 + by, LEAST / (pt[i] * cosh(eta[i])))
