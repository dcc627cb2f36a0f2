"""Functions of flat arrays, applied to arrays of any form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from spectrum_workflows.errors import SpectrumError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    OfFlat = Callable[..., NDArray[np.float64]]


def on_elements(function: OfFlat, inputs: tuple[Any, ...]) -> Any:
    """Call a function with flat arrays, and give its result the form of the inputs.

    Parameters
    ----------
    function : callable
        Takes as many arguments as there are inputs: arrays of shape (n,), and words as they are.
        Gives an array of shape (n, ...).
    inputs : tuple
        Arrays, numbers and words, that are broadcast.

    Returns
    -------
    ndarray or ak.Array
        Without axes of its own if no input is an array.
    """
    words = {k: given for k, given in enumerate(inputs) if isinstance(given, str)}
    arrays = [given for given in inputs if not isinstance(given, str)]

    def called(flat: list[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[np.float64]:
        left = iter(flat)
        values = function(*(words[k] if k in words else next(left) for k in range(len(inputs))))
        return values.reshape(shape + values.shape[1:])

    if any(isinstance(given, ak.Array) for given in arrays):
        return _on_awkward(called, arrays)
    together = np.broadcast_arrays(*arrays) if arrays else []
    shape = together[0].shape if arrays else ()
    return called([np.ravel(a) for a in together], shape)


def _on_awkward(called: Callable[..., NDArray[np.float64]], arrays: list[Any]) -> Any:
    failed: list[SpectrumError] = []

    def on_leaves(layouts: Any, **_: Any) -> Any:
        layouts = layouts if isinstance(layouts, list | tuple) else [layouts]
        if not all(layout.is_numpy for layout in layouts):
            return None
        together = np.broadcast_arrays(*(ak.to_numpy(layout) for layout in layouts))
        try:
            values = called([np.ravel(a) for a in together], together[0].shape)
        except SpectrumError as error:  # Awkward would put words of its own around it
            failed.append(error)
            values = np.zeros(together[0].shape)
        return ak.contents.NumpyArray(np.ascontiguousarray(values))

    made = ak.transform(on_leaves, *ak.broadcast_arrays(*arrays))
    if failed:
        raise failed[0]
    return made


def broadcast(given: Any, n: int, dtype: Any) -> NDArray[Any]:
    """A number or flat array as an array of n."""
    array = np.asarray(given, dtype=dtype)
    return np.ascontiguousarray(array if array.shape == (n,) else np.broadcast_to(array, n))
