"""Rows of a model, always the same number at a time: its bits depend on no other row.

Matrix products of few rows are computed otherwise than those of many, so that the last bits of a
row would depend on how events are cut into partitions.  Every call therefore has the same number
of rows, the last one filled up with zeros, and a model is tried, when it is loaded, with its rows
in another order and among others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.models.loaded import Loaded, Tensor

ROWS = 256
"""Of one call."""

SEED = 20261127
"""Of the rows that a model is tried with."""

ANY = 2
"""Size that stands for one that may be anything."""

CLOSE = 1e-4
"""Relative difference that rounding may make."""


def in_batches(model: Loaded, tensors: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The output for some rows, of any number.

    Parameters
    ----------
    model : Loaded
    tensors : sequence of ndarray, shape (n_rows, ...)
        One for each tensor of the model.

    Returns
    -------
    ndarray, shape (n_rows, ...)
    """
    total = len(tensors[0])
    parts = []
    for start in range(0, max(total, 1), model.rows):
        given = [tensor[start : start + model.rows] for tensor in tensors]
        count = len(given[0])
        parts.append(model.compute([_filled(tensor, model.rows) for tensor in given])[:count])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def independent(model: Loaded, where: str) -> Loaded:
    """The model, if an event's value depends on that event alone.

    One whose values change in their last bits with a row's place is given one row at a time.

    Raises
    ------
    DataError
        They change by more: with the other rows of a call, or by drawing random numbers.
    """
    rng, half = np.random.default_rng(SEED), model.rows // 2
    tensors, others = ([_tried(t, model.rows, rng) for t in model.tensors] for _ in range(2))
    mixed = [np.concatenate([a[:half], b[half:]]) for a, b in zip(tensors, others, strict=True)]
    order = rng.permutation(model.rows)
    values = _output(model, tensors, where)
    pairs = (
        (values, _output(model, tensors, where)),
        (values[:half], _output(model, mixed, where)[:half]),
        (values[order], _output(model, [tensor[order] for tensor in tensors], where)),
    )
    if all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs):
        return model
    near = CLOSE * float(np.nanmax(np.abs(values), initial=0.0))
    if not all(np.allclose(a, b, rtol=CLOSE, atol=near, equal_nan=True) for a, b in pairs):
        message = "the value of a row depends on other rows, or is another when asked again"
        remedy = "export it for inference: no dropout, no normalisation over a batch"
        raise DataError(message, where, remedy)
    return replace(model, rows=1)


def _output(model: Loaded, tensors: Sequence[NDArray[Any]], where: str) -> NDArray[Any]:
    values = np.asarray(model.compute(tensors))
    if values.ndim == 0 or len(values) != model.rows:
        message = f"gives an output of shape {values.shape} for {model.rows} rows"
        raise DataError(message, where, "its first axis has to be that of the rows")
    return values


def _tried(tensor: Tensor, rows: int, rng: np.random.Generator) -> NDArray[Any]:
    shape = (rows, *(ANY if size is None else size for size in tensor.shape))
    if tensor.dtype.kind == "f":
        return rng.normal(size=shape).astype(tensor.dtype)
    return rng.integers(0, 2, shape).astype(tensor.dtype)


def _filled(tensor: NDArray[Any], rows: int) -> NDArray[Any]:
    missing = rows - len(tensor)
    if not missing:
        return np.ascontiguousarray(tensor)
    return np.concatenate([tensor, np.zeros((missing, *tensor.shape[1:]), tensor.dtype)])
