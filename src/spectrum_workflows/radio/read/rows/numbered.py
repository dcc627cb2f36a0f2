"""Things that rows name by number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from spectrum_workflows.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True)
class Numbered(Generic[T]):
    """Some numbers, and the thing of each, or of all of them together."""

    numbers: tuple[int, ...]
    things: tuple[T, ...]

    def places(self, numbers: NDArray[np.int64], subject: str, url: str) -> NDArray[np.int32]:
        """The place of each number in the list.

        Raises
        ------
        DataError
            One is not in it.
        """
        known = np.array(self.numbers, np.int64)
        order = np.argsort(known)
        place = np.searchsorted(known[order], numbers).clip(0, len(known) - 1)
        positions = order[place]
        wrong = known[positions] != numbers
        if wrong.any():
            group = int(np.flatnonzero(wrong)[0])
            listed = ", ".join(map(str, self.numbers[:8]))
            message = f"{subject} {numbers[group]} is in no table (there are {listed})"
            raise DataError(message, url, "the file contradicts itself: write it again")
        return np.asarray(positions, np.int32)
