"""Correlations to Stokes I, with one weight that is 0 for whatever is unusable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
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


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
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
    nchan, nhand = data.shape[1], data.shape[2]
    per_channel = given.shape[1] > 1
    unflagged = 0
    for k in range(source.shape[0]):
        row, out = source[k], target[k]
        for chan in range(nchan):
            real, imag, variance = 0.0, 0.0, 0.0
            usable, flags = 0, 0
            for hand in range(nhand):
                value = data[row, chan, hand]
                w = given[row, chan if per_channel else 0, hand]
                if flag[row, chan, hand]:
                    flags += 1
                elif w > 0.0 and w < np.inf and np.isfinite(value.real) and np.isfinite(value.imag):
                    usable += 1
                    real += value.real
                    imag += value.imag
                    variance += 1.0 / w
            unflagged += flags < nhand if either else flags == 0
            if usable == nhand or (either and usable > 0):
                visibility[out, chan] = complex(real / usable, imag / usable)
                weight[out, chan] = usable * usable / variance
            else:
                visibility[out, chan] = 0
                weight[out, chan] = 0
    return unflagged
