"""Correlations to Stokes I, with one weight that is 0 for whatever is unusable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Hands

NAMES = {1: "I", 2: "Q", 3: "U", 4: "V", 5: "RR", 6: "RL", 7: "LR", 8: "LL"}
NAMES |= {9: "XX", 10: "XY", 11: "YX", 12: "YY"}
"""Correlations by their number in the Measurement Set (casacore's ``Stokes``)."""

_HANDS = (("I",), ("XX", "YY"), ("RR", "LL"))


def hands(types: Sequence[int], where: str, asked: Hands = "both") -> tuple[int, ...]:
    """Positions of the correlations whose mean is Stokes I.

    Parameters
    ----------
    types : sequence of int
        ``CORR_TYPE`` of the POLARIZATION subtable.
    where : str
        The data set, for the error.
    asked : str
        ``both`` hands, ``either``, or the name of one.

    Returns
    -------
    tuple of int
        One position (I, or one hand) or two (XX and YY, or RR and LL).

    Raises
    ------
    DataError
        Stokes I cannot be formed.
    """
    names = [NAMES.get(int(t), f"type {t}") for t in types]
    listed = ", ".join(names)
    if asked in names:
        return (names.index(asked),)
    if asked not in ("both", "either"):
        raise DataError(f"there is no {asked}, but {listed}", where, "choose other hands")
    for parallel in _HANDS:
        present = tuple(sorted(names.index(name) for name in parallel if name in names))
        if len(present) == len(parallel) or (present and asked == "either"):
            return present
    remedy = "choose another spectral_window"
    if single := [name for pair in _HANDS for name in pair if name in names]:
        remedy = f'hands = "either" takes {single[0]} for Stokes I (right without polarisation)'
    raise DataError(f"Stokes I needs I, XX and YY, or RR and LL; there is {listed}", where, remedy)


VISIBILITIES_AT_A_TIME = 1 << 15
"""Visibilities whose hands are combined at a time: as many as a processor's cache holds."""


def combine(
    correlations: tuple[NDArray[np.complex64], NDArray[np.bool_], NDArray[np.float32]],
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    visibility: NDArray[np.complex64],
    weight: NDArray[np.float32],
    either: bool,
) -> int:
    """Write Stokes I of some rows, in their final order, into the output arrays.

    I = (P + Q) / 2 with weight 4 / (1/w_P + 1/w_Q), P and Q being the parallel
    hands; both are needed.  Where either is flagged, not finite, or has a
    weight that is not positive and finite, visibility and weight become 0.
    Where ``either`` will do, a hand alone stands for I with its own weight.

    Parameters
    ----------
    correlations : tuple of ndarray
        Data, shape (n, nchan, nhand); flags, same shape; weights, shape
        (n, nchan or 1, nhand).
    source, target : ndarray of int64, shape (nrow,)
        Row ``source[k]`` of the block becomes row ``target[k]`` of the output.
    visibility, weight : ndarray, shape (nrow_out, nchan)
        Filled in place.
    either : bool
        Whether one usable hand is enough.

    Returns
    -------
    int
        Visibilities of which no hand is flagged (``either``: not every one), usable or not.
    """
    data, flag, given = correlations
    step = max(1, VISIBILITIES_AT_A_TIME // max(1, data.shape[1]))
    unflagged = 0
    for start in range(0, len(source), step):
        rows, out = source[start : start + step], target[start : start + step]
        pieces = (data[rows], flag[rows], given[rows])
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            visibility[out], weight[out] = _mean_of_any(*pieces) if either else _mean(*pieces)
        flagged = pieces[1].all(axis=2) if either else _of_hands(np.logical_or, pieces[1])
        unflagged += flagged.size - int(np.count_nonzero(flagged))
    return unflagged


def _mean(
    data: NDArray[np.complex64], flag: NDArray[np.bool_], given: NDArray[np.float32]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Stokes I and its weight, of all hands together."""
    nhand = data.shape[2]
    mean = np.ascontiguousarray(_of_hands(np.add, data))
    mean += 0  # which makes 0 of -0
    mean.view(np.float32)[:] *= np.float32(1 / nhand)
    if not np.isfinite(mean).all():  # or it is the sum that is beyond single precision
        mean = (_of_hands(np.add, data.astype(np.complex128)) + 0) / nhand
    weight = nhand**2 / _of_hands(np.add, 1.0 / given.astype(np.float64))
    usable = _of_hands(np.logical_and, (given > 0) & (given < np.inf))
    usable = usable & np.isfinite(mean) & ~_of_hands(np.logical_or, flag)
    if usable.all():
        return mean, weight
    return np.where(usable, mean, 0), np.where(usable, weight, 0)


def _mean_of_any(
    data: NDArray[np.complex64], flag: NDArray[np.bool_], given: NDArray[np.float32]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Stokes I and its weight, of the hands that are usable."""
    usable = np.isfinite(data) & (given > 0) & (given < np.inf) & ~flag
    count = _of_hands(np.add, usable.astype(np.float64))
    variance = _of_hands(np.add, np.where(usable, 1.0 / given.astype(np.float64), 0.0))
    mean = _of_hands(np.add, np.where(usable, data, 0).astype(np.complex128))
    mean += 0
    mean.view(np.float64).reshape(*mean.shape, 2)[:] /= np.maximum(count, 1)[..., None]
    return mean, np.where(count > 0, count**2 / variance, 0)


def _of_hands(combined: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
    """What an operation makes of the one or two hands, (n, nchan, nhand); of one, a copy."""
    if values.shape[2] == 1:
        return values[..., 0].copy()
    one: NDArray[Any] = combined(values[..., 0], values[..., 1])
    return one
