"""Poisson weights of events for a bootstrap of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.bootstrap.keys import event_keys
from spectrum_workflows.hep.spec.bootstrap import EVENT_NUMBERS, LARGEST_SEED, MOST_REPLICAS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def bootstrap_weights(
    run: ArrayLike,
    luminosity_block: ArrayLike,
    event: ArrayLike,
    *,
    sample: str,
    replicas: int,
    seed: int = 1,
) -> NDArray[np.uint8]:
    """How often events count in each replica, as in a run with ``[bootstrap]``.

    Parameters
    ----------
    run, luminosity_block, event : array of int, shape (n_events,)
        What names the events.
    sample : str
        Whose they are; in a spec with eras ``"era/sample"``.
    replicas : int
        At most 10,000.
    seed : int
        From 0.

    Returns
    -------
    ndarray of uint8, shape (n_events, replicas)
        Poisson numbers of mean 1, the same for the same event whatever stands beside it; the first
        replicas are the same however many there are.

    Raises
    ------
    SpecError
        There is less than one replica, or too many, or the seed is negative.
    DataError
        Numbers are not whole, or not one per event; or the sample has no name.

    Examples
    --------
    >>> from spectrum_workflows import hep
    >>> hep.bootstrap_weights([1, 1], [7, 7], [41, 42], sample="ttbar", replicas=6).tolist()
    [[1, 0, 0, 1, 1, 1], [2, 1, 1, 1, 2, 1]]
    """
    limits = (("replicas", replicas, 1, MOST_REPLICAS), ("seed", seed, 0, LARGEST_SEED))
    for name, value, least, most in limits:
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not least <= value <= most:
            message = f"{value!r} is no whole number from {least} to {most}"
            raise SpecError(message, name, "give another")
    from spectrum_workflows.hep.bootstrap import draws  # compiled kernels come with it

    numbers = dict(zip(EVENT_NUMBERS, (run, luminosity_block, event), strict=True))
    keys = event_keys(numbers, sample=sample, seed=int(seed))
    out = np.empty((len(keys), int(replicas)), np.uint8)
    draws.draw(keys, 0, out)
    return out
