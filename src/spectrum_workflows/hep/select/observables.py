"""Checks of the observables that ``select`` returns: pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.types import Observable

EXACT = 2**53
"""Beyond it, whole numbers lose digits as the float64 that a histogram is filled with."""

LARGEST_WEIGHT = 1e100
"""Beyond it, sums of squared weights may overflow."""

_KINDS = {
    "b": "true or false",
    "c": "complex numbers",
    "m": "spans of time",
    "M": "dates",
    "S": "text",
    "U": "text",
    "T": "text",
    "V": "records",
    "O": "Python objects",
}
"""Kinds of NumPy types that are no numbers, in words."""


def check_regions(
    returned: Any, *, seen: int | None = None, text: Collection[str] = ()
) -> dict[str, Observable]:
    """Every region that ``select`` returned, as finite numbers or as text.

    Parameters
    ----------
    returned : mapping of region to Observable or array, shape (n_selected,)
        As returned by ``select``.
    seen : int, optional
        Events that it was given.
    text : collection of str
        Regions that hold text, for axes of categories.

    Raises
    ------
    DataError
        It is no such mapping, or a region is not one finite number per
        selected event.
    """
    remedy = 'return a dict of regions, such as {"met": events.MET_pt}'
    if not isinstance(returned, Mapping):
        kind = "nothing (None)" if returned is None else f"a {type(returned).__name__}"
        raise DataError(f"select returned {kind}, not a dict of regions", "select", remedy)
    for name in returned:
        if not isinstance(name, str):
            message = f"select returned a region called {name!r}, which is not text"
            raise DataError(message, "select", remedy)
    return {
        name: check_region(name, value, seen=seen, text=name in text)
        for name, value in returned.items()
    }


def check_region(
    region: str, returned: Any, *, seen: int | None = None, text: bool = False
) -> Observable:
    """One region with its variations, as finite numbers.

    Parameters
    ----------
    region : str
        Name in errors.
    returned : Observable or array, shape (n_selected,)
        As returned by ``select``.
    seen : int, optional
        Events that ``select`` was given.
    text : bool
        Whether its values are text; numbers that are whole are taken as such.

    Raises
    ------
    DataError
        It is not one finite number, or text, per selected event.
    """
    if not isinstance(returned, Observable):
        returned = Observable(returned)
    values = (_texts if text else _numbers)(returned.values, f"region {region!r}")
    weights = index = None
    if returned.weights is not None:
        weights = _weights(returned.weights, region)
    if returned.index is not None:
        index = _index(returned.index, region, seen)
    for attribute, array in (("weights", weights), ("index", index)):
        if array is not None and array.shape != values.shape:
            shapes = f"shape {values.shape}, {attribute} {array.shape}"
            remedy = "return one number per selected event"
            raise DataError(f"region {region!r} has {shapes}", "select", remedy)
    if not isinstance(returned.variations, Mapping):
        kind = type(returned.variations).__name__
        remedy = 'give {"jes_up": Observable(...)}'
        raise DataError(f"variations of region {region!r} are a {kind}, no dict", "select", remedy)
    varied = {
        n: check_region(f"{region}_{n}", o, seen=seen, text=text)
        for n, o in returned.variations.items()
    }
    return Observable(values, weights, index, varied)


def weighted(region: str, observable: Observable, generated: NDArray[Any] | None) -> Observable:
    """The region with every event's weight multiplied by its generator weight.

    Parameters
    ----------
    region : str
        Name in errors.
    observable : Observable
        As `check_region` gives it.
    generated : ndarray, shape (n_events,), optional
        Of all events that were looked at; none leaves the region as it is.

    Raises
    ------
    SpecError
        The region does not say which events it holds.
    """
    if generated is None:
        return observable
    if observable.index is None:
        raise SpecError(
            f"region {region!r} does not say which events it holds, and genWeight is applied",
            "select",
            "return Observable(values, index=positions of the selected events)",
        )
    weights = np.asarray(generated, np.float64)[observable.index]
    if observable.weights is not None:
        weights = weights * observable.weights
    varied = {name: weighted(region, o, generated) for name, o in observable.variations.items()}
    return Observable(observable.values, weights, observable.index, varied)


def refuse_weights(observables: Mapping[str, Observable], sample: str) -> None:
    """Refuse weights of data whose spec does not ask for them.

    Raises
    ------
    SpecError
        Naming the region.
    """
    for region, observable in observables.items():
        if observable.weights is not None:
            raise SpecError(
                f"select weights region {region!r} of {sample!r}, which is data",
                "select",
                f"return weights for simulation only, or set samples.{sample}.weighted = true",
            )


def _weights(given: Any, region: str) -> NDArray[Any]:
    weights = _numbers(given, f"weights of region {region!r}")
    beyond = int(np.count_nonzero(np.abs(weights.astype(np.float64)) > LARGEST_WEIGHT))
    if beyond:
        message = f"weights of region {region!r} hold {beyond} numbers beyond {LARGEST_WEIGHT:g}"
        raise DataError(message, "select", "their squares cannot be summed")
    return weights


def _index(given: Any, region: str, seen: int | None) -> NDArray[Any]:
    """Positions of events; one may be there several times, with as many values."""
    name = f"index of region {region!r}"
    remedy = "positions count from 0 in what select was given: numpy.flatnonzero(mask)"
    array = _array(given, name)
    if array.dtype.kind not in "iu" and array.size:
        kind = _KINDS.get(array.dtype.kind, str(array.dtype))
        raise DataError(f"{name} holds {kind}, no whole numbers", "select", remedy)
    index = array.astype(np.int64, copy=False)
    low, high = int(index.min(initial=0)), int(index.max(initial=-1))
    if low < 0 or (seen is not None and high >= seen):
        bad = low if low < 0 else high
        count = "" if seen is None else f", of {seen} events"
        raise DataError(f"{name} holds {bad}{count}", "select", remedy)
    return index


def _numbers(given: Any, subject: str) -> NDArray[Any]:
    """One finite number per entry, from whatever holds them."""
    array = _array(given, subject)
    if array.dtype.kind in _KINDS and array.size:
        raise DataError(f"{subject} holds {_kind(array)}", "select", _remedy(array))
    if array.dtype.kind in _KINDS:  # no entries: a list of nothing has no type
        return np.zeros(0)
    if array.dtype.kind in "iu" and array.size:
        low, high = int(array.min()), int(array.max())
        if low < -EXACT or high > EXACT:
            digits = "whole numbers beyond 2**53, which lose digits in a histogram"
            raise DataError(f"{subject} holds {digits}", "select", "subtract an offset")
        return array
    if array.dtype.itemsize > np.dtype(np.float64).itemsize:
        with np.errstate(over="ignore"):  # it is found in the next line
            array = array.astype(np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        bad = int(np.count_nonzero(~finite))
        raise DataError(
            f"{subject} holds {bad} numbers that are not finite", "select", "exclude those events"
        )
    return array


def _texts(given: Any, subject: str) -> NDArray[Any]:
    """One text per entry; whole numbers as they are written."""
    array = _array(given, subject)
    kind = array.dtype.kind
    if kind == "S":
        return np.char.decode(array, "utf-8", "replace")
    if array.size and not (
        kind in "UTiu" or (kind == "O" and all(isinstance(v, str) for v in array))
    ):
        remedy = "return one text per selected event, for its categories"
        raise DataError(f"{subject} holds {_KINDS.get(kind, str(array.dtype))}", "select", remedy)
    return array.astype(np.str_)


def _array(given: Any, subject: str) -> NDArray[Any]:
    """An array with one axis and no missing entries."""
    remedy = "return one number per selected event"
    if given is None:
        raise DataError(f"{subject} is None", "select", remedy)
    if isinstance(given, np.ma.MaskedArray):
        _refuse_missing(int(np.count_nonzero(np.ma.getmaskarray(given))), subject)
        given = given.data
    if isinstance(given, ak.Record | Mapping):
        raise DataError(f"{subject} is a {type(given).__name__}", "select", remedy)
    if hasattr(given, "axes") and not hasattr(given, "dtype"):  # its contents are no values
        remedy = f"{remedy}; the histograms are filled from them"
        raise DataError(f"{subject} is a histogram ({type(given).__name__})", "select", remedy)
    to_array = _from_awkward if isinstance(given, ak.Array) else _from_any
    array = to_array(given, subject)
    if array.ndim != 1:
        shape = f"has shape {array.shape}" if array.ndim else f"is one {type(given).__name__}"
        raise DataError(f"{subject} {shape}", "select", remedy)
    return array


def _from_awkward(given: ak.Array, subject: str) -> NDArray[Any]:
    if ak.fields(given):
        raise DataError(
            f"{subject} holds records with {', '.join(ak.fields(given))}",
            "select",
            "choose one field",
        )
    if given.ndim > 1:
        remedy = "flatten them, or choose one per event"
        raise DataError(f"{subject} holds a list per event", "select", remedy)
    _refuse_missing(int(ak.sum(ak.is_none(given))), subject)
    array: NDArray[Any] = np.asarray(ak.to_numpy(given, allow_missing=False))
    return array


def _from_any(given: Any, subject: str) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except (ValueError, TypeError) as error:  # lists of different lengths, for one
        line = str(error).splitlines()[0]
        remedy = "return one number per selected event"
        raise DataError(f"{subject} is no array ({line})", "select", remedy) from None


def _refuse_missing(missing: int, subject: str) -> None:
    if missing:
        remedy = "leave those events out: ak.drop_none(...), or .compressed() of a masked array"
        raise DataError(f"{subject} holds {missing} missing values", "select", remedy)


def _kind(array: NDArray[Any]) -> str:
    if array.dtype.kind != "O":
        return _KINDS[array.dtype.kind]
    kinds = sorted({type(item).__name__ for item in array.flat})
    return f"Python objects ({', '.join(kinds[:3])})"


def _remedy(array: NDArray[Any]) -> str:
    if array.dtype.kind == "b":
        return "is it a mask? return the values it selects: events.MET_pt[mask]"
    if array.dtype.kind in "SUT":
        return "return one number per selected event, or give its histogram categories"
    return "return one number per selected event"
