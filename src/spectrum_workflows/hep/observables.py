"""What ``select`` returns, looked at before it is trusted: pure functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.types import Observable


def checked(region: str, found: Any) -> Observable:
    """One region with its variations, as finite numbers.

    Parameters
    ----------
    region : str
        Name in errors.
    found : Observable or array, shape (n_selected,)
        As returned by ``select``.

    Raises
    ------
    DataError
        It is not one finite number per selected event.
    """
    if not isinstance(found, Observable):
        found = Observable(np.asarray(found))
    values = np.asarray(found.values)
    weights = None if found.weights is None else np.asarray(found.weights)
    index = None if found.index is None else np.asarray(found.index)
    for what, array in (("weights", weights), ("index", index)):
        if values.ndim != 1 or (array is not None and array.shape != values.shape):
            shapes = f"{values.shape}" + ("" if array is None else f", {what} {array.shape}")
            raise DataError(
                f"region {region!r} has shape {shapes}",
                "select",
                "return one number per selected event",
            )
    for numbers in (values,) if weights is None else (values, weights):
        bad = int(np.count_nonzero(~np.isfinite(numbers)))
        if bad:
            raise DataError(
                f"region {region!r} holds {bad} numbers that are not finite",
                "select",
                "exclude those events",
            )
    varied = {name: checked(f"{region}_{name}", o) for name, o in found.variations.items()}
    return Observable(values, weights, index, varied)


def weighted(region: str, found: Observable, generated: NDArray[Any] | None) -> Observable:
    """The region with every event's weight multiplied by its generator weight.

    Parameters
    ----------
    region : str
        Name in errors.
    found : Observable
        As `checked` gives it.
    generated : ndarray, shape (n_events,), optional
        Of all events that were looked at; none leaves the region as it is.

    Raises
    ------
    SpecError
        The region does not say which events it holds.
    """
    if generated is None:
        return found
    if found.index is None:
        raise SpecError(
            f"region {region!r} does not say which events it holds, and genWeight is applied",
            "select",
            "return Observable(values, index=positions of the selected events)",
        )
    weights = np.asarray(generated, np.float64)[found.index]
    if found.weights is not None:
        weights = weights * found.weights
    varied = {name: weighted(region, o, generated) for name, o in found.variations.items()}
    return Observable(found.values, weights, found.index, varied)
