"""A model as ``select`` calls it: columns of events or objects in, one value for each out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.models.batches import in_batches
from spectrum_workflows.hep.models.loaded import Loaded, Tensor
from spectrum_workflows.specs import closest


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes
    ----------
    name : str
    loaded : Loaded
    """

    name: str
    loaded: Loaded

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of its features, or of its tensors with their shapes."""
        return self.loaded.features or tuple(map(str, self.loaded.tensors))

    def __call__(self, *columns: Any, **named: Any) -> Any:
        """Evaluate it for events, or for the objects of events.

        Parameters
        ----------
        *columns : array, shape (n_events,) or (n_events, n_objects), or number
            One for each feature, in the order that the model was trained with; or one NumPy array
            of shape (n_events, n_features) with all of them.
        **named : array
            Instead: columns by the names of the features, if the model knows them; or of a model
            of several tensors an array of shape (n_events, ...) for each.

        Returns
        -------
        array
            Shape (n_events,), (n_events, n_outputs) or whatever one row gives, by objects if
            columns are by objects; with the bits that each row has alone.

        Raises
        ------
        SpecError
            It takes other columns.
        DataError
            A value is missing or too large, or the model gives no number for some row.
        """
        if columns and named:
            raise SpecError("columns are given by place or by name, not both", self._where)
        if named and not self.loaded.features:
            return self._evaluated(self._tensors(named))
        if named:
            self._check_names(named, self.loaded.features)
            columns = tuple(named[feature] for feature in self.loaded.features)
        (tensor, *more) = self.loaded.tensors
        if more or len(tensor.shape) != 1:
            if len(columns) == len(self.loaded.tensors):
                names = [tensor.name for tensor in self.loaded.tensors]
                return self._evaluated(self._tensors(dict(zip(names, columns, strict=True))))
            raise SpecError(f"takes {', '.join(self.inputs)}", self._where, "give each by its name")
        if len(columns) == 1 and isinstance(columns[0], np.ndarray) and columns[0].ndim > 1:
            return self._evaluated([self._tensor(tensor, columns[0])])
        return self._of_columns(tensor, columns)

    @property
    def _where(self) -> str:
        return f"models.{self.name}"

    def _of_columns(self, tensor: Tensor, columns: Sequence[Any]) -> Any:
        width = tensor.shape[0]
        if not columns or width not in {None, len(columns)}:
            message = f"takes {width or 'some'} columns, and was given {len(columns)}"
            known = f": {', '.join(self.loaded.features)}" if self.loaded.features else ""
            raise SpecError(f"{message}{known}", self._where, "give those it was trained with")
        if all(isinstance(column, int | float) for column in columns):
            raise SpecError("was given numbers", self._where, "give arrays, of one event or more")
        arrays = [ak.Array(array) for array in ak.broadcast_arrays(*columns)]
        counts = [] if arrays[0].ndim == 1 else [ak.num(arrays[0])]
        if arrays[0].ndim > 2:
            raise SpecError("columns have lists of lists", self._where, "flatten them (ak.flatten)")
        flat = [ak.flatten(array) if counts else array for array in arrays]
        stacked = np.stack([self._numbers(array, tensor.dtype) for array in flat], axis=1)
        values = self._evaluated([stacked])
        return ak.unflatten(values, counts[0]) if counts else values

    def _tensors(self, named: Mapping[str, Any]) -> list[NDArray[Any]]:
        self._check_names(named, [tensor.name for tensor in self.loaded.tensors])
        tensors = [self._tensor(tensor, named[tensor.name]) for tensor in self.loaded.tensors]
        if len({len(tensor) for tensor in tensors}) > 1:
            lengths = ", ".join(str(len(tensor)) for tensor in tensors)
            message = f"was given arrays of {lengths} events"
            raise SpecError(message, self._where, "give all of the same events")
        return tensors

    def _check_names(self, named: Mapping[str, Any], known: Sequence[str]) -> None:
        for name in (*named, *known):
            if name not in known:
                raise SpecError(f"no input {name!r}", self._where, closest(name, list(known)))
            if name not in named:
                raise SpecError(f"input {name!r} is not given", self._where, "give all by name")

    def _tensor(self, tensor: Tensor, given: Any) -> NDArray[Any]:
        array = self._numbers(given, tensor.dtype)
        own = (None, *tensor.shape)
        alike = len(array.shape) == len(own) and all(
            size in {None, actual} for size, actual in zip(own, array.shape, strict=True)
        )
        if not alike:
            message = f"takes {tensor}, and was given an array of shape {array.shape}"
            raise SpecError(message, self._where, "pad and stack it so")
        return array

    def _numbers(self, given: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of numbers in the type of a tensor, none of which becomes another kind."""
        try:
            array = np.asarray(ak.to_numpy(given, allow_missing=False))
        except ValueError as error:
            message = f"a column is no array of numbers ({str(error).splitlines()[0]})"
            remedy = "fill what is missing (ak.fill_none), pad lists (ak.pad_none)"
            raise DataError(message, self._where, remedy) from error
        if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and dtype.kind != "f"):
            message = f"takes {dtype}, and was given {array.dtype}"
            raise SpecError(message, self._where, "convert it (ak.values_astype)")
        with np.errstate(over="ignore"):
            converted = array.astype(dtype)
        if dtype.kind == "f" and array.dtype.kind == "f":
            wrong = np.isfinite(array) & ~np.isfinite(converted)
        else:
            wrong = converted.astype(array.dtype) != array if dtype.kind in "iu" else np.False_
        if np.any(wrong):
            raise DataError(f"a value is too large for {dtype}", self._where, "look at its inputs")
        return converted

    def _evaluated(self, tensors: Sequence[NDArray[Any]]) -> NDArray[Any]:
        values = in_batches(self.loaded, tensors)
        if values.dtype.kind == "f":
            rows = np.isnan(values).reshape(len(values), -1).any(axis=1) if len(values) else values
            bad = int(np.count_nonzero(rows))
            if bad:
                message = f"gives no number for {bad:,} of {len(values):,} rows"
                remedy = "look for what is no number among its inputs"
                raise DataError(message, self._where, remedy)
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
