"""Frequencies that differ from source to source: the column FREQOFF of a file's sources.

Where an observation followed a source's velocity, each source, or the same one at each epoch,
has its channels elsewhere (AIPS memo 117, table AIPS SU).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.rows.rowfile import Band


@dataclass(frozen=True)
class Setups:
    """The frequency setups of a file.

    Attributes
    ----------
    bands : tuple of tuple of Band
        Of each setup, one for every IF.
    of_row : ndarray of int32, shape (nrow,)
        The setup of every row.
    """

    bands: tuple[tuple[Band, ...], ...]
    of_row: NDArray[np.int32]

    def shifted(self, field: NDArray[np.int32], offset: NDArray[np.float64]) -> Setups:
        """The setups that occur, with the offsets of the sources that have them.

        Parameters
        ----------
        field : ndarray of int32, shape (nrow,)
            Number of every row's source.
        offset : ndarray of float64, shape (nsource, nif)
            To be added to the frequencies of each IF, Hz.
        """
        if not offset.any():
            return self
        _, same = np.unique(offset, axis=0, return_inverse=True)
        first = np.array([int(np.argmax(same == group)) for group in same])
        pairs = np.stack([self.of_row, first[field]], axis=1)
        known, of_row = np.unique(pairs, axis=0, return_inverse=True)
        bands = [self._shifted(n, setup, offset[f]) for n, (setup, f) in enumerate(known.tolist())]
        return Setups(tuple(bands), of_row.astype(np.int32))

    def _shifted(self, number: int, setup: int, offset: NDArray[np.float64]) -> tuple[Band, ...]:
        own = self.bands[setup]
        return tuple(
            replace(
                band,
                number=number * len(own) + place,
                setup=number,
                frequency=band.frequency + offset[place],
            )
            for place, band in enumerate(own)
        )


def offsets(table: Any | None, fields: int, ifs: int) -> NDArray[np.float64]:
    """FREQOFF of every source and IF, Hz; 0 without such a column."""
    if table is None or "FREQOFF" not in table.data.names:
        return np.zeros((fields, ifs))
    given = np.array(table.data["FREQOFF"], np.float64).reshape(fields, -1)
    return np.array(np.broadcast_to(given, (fields, ifs)))
