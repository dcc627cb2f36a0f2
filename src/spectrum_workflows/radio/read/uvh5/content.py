"""Reading the visibilities of a UVH5 file."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.rows.conventions import DAMAGED, DAY, JULIAN_ZERO
from spectrum_workflows.radio.read.rows.identity import identity
from spectrum_workflows.radio.read.rows.imaging import FARTHEST
from spectrum_workflows.radio.read.rows.rowfile import Band, Identifiers, RowContent, RowFile
from spectrum_workflows.radio.read.rows.units import of_units
from spectrum_workflows.radio.read.uvh5 import hdf5
from spectrum_workflows.radio.read.uvh5.header import (
    antennas_of,
    bands_of,
    channels_of,
    fields_of,
    needed,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

ROWS = 1 << 17
"""Rows whose coordinates are in memory at a time."""

NEEDED = ("visdata", "flags", "nsamples")
ABOUT = ("observer", "project")
"""Words that a file may have among its further keywords, there in capitals."""


@dataclass(frozen=True)
class Content:
    """An open file.

    Coordinates of UVH5 are the place of antenna 2 less that of antenna 1, those of UVFITS and of
    Measurement Sets that of 1 less that of 2: they change their sign, and visibilities are
    conjugated.

    Attributes
    ----------
    file : h5py.File
    channels : tuple of ndarray of int64
        Of each band, on the file's axis.
    duration : ndarray of float32, shape (nrow,), or None
        Integration time by the longest one, where they differ.
    """

    file: Any
    channels: tuple[NDArray[np.int64], ...]
    duration: NDArray[np.float32] | None

    def uvw(self, start: int, stop: int) -> NDArray[np.float64]:
        """Baseline coordinates of consecutive rows, m."""
        return -np.asarray(self.file["Header/uvw_array"][start:stop], np.float64)

    def block(self, start: int, stop: int, band: Band, channels: slice, hands: slice) -> RowContent:
        """Visibilities of one window; weights are numbers of samples."""
        [block] = self._blocks((start, stop), [self.channels[band.number][channels]], hands)
        return block

    def blocks(self, start: int, stop: int, bands: Sequence[Band]) -> Iterator[RowContent]:
        """Visibilities of several windows, which share the pieces that the file stores."""
        channels = [self.channels[band.number] for band in bands]
        return self._blocks((start, stop), channels, slice(None))

    def _blocks(
        self, rows: tuple[int, int], channels: Sequence[NDArray[np.int64]], hands: slice
    ) -> Iterator[RowContent]:
        """Lists of channels, each rising, out of what is read once for all of them."""
        first, last = min(int(at[0]) for at in channels), max(int(at[-1]) for at in channels)

        def cut(name: str) -> NDArray[Any]:
            array = self.file[f"Data/{name}"]
            where = (slice(*rows), *((0,) * (array.ndim - 3)), slice(first, last + 1), hands)
            return np.asarray(array[where])

        uvw, stored = self.uvw(*rows), {name: cut(name) for name in NEEDED}
        if self.file.driver != "fileobj":  # a store's bytes are counted where they come from it
            storage.count(sum(array.nbytes for array in stored.values()), self.file.filename)
        duration = None if self.duration is None else self.duration[slice(*rows)]
        for at in channels:
            whole = len(at) == last + 1 - first
            own = {n: array if whole else array[:, at - first] for n, array in stored.items()}
            yield RowContent(uvw, *_taken(own, duration))


def _taken(
    stored: Mapping[str, NDArray[Any]], duration: NDArray[np.float32] | None
) -> tuple[NDArray[np.complex64], NDArray[np.bool_], NDArray[np.float32]]:
    """Visibilities with our signs, flags and weights of what is stored."""
    visdata = stored["visdata"]
    data = np.empty(visdata.shape, np.complex64)
    if visdata.dtype.names:  # integers of a correlator
        data.real, data.imag = visdata["r"], -visdata["i"].astype(np.float32)
    else:
        np.conjugate(visdata, out=data, casting="same_kind")
    weight = np.array(stored["nsamples"], np.float32)
    if duration is not None:
        weight *= duration[:, None, None]
    return data, stored["flags"].astype(np.bool_), weight


def opened(url: str) -> RowFile:
    """A file's rows and what it says of itself, read once for every state of it.

    Raises
    ------
    DataError
        It is no UVH5 file, or is damaged.
    """
    return _opened(url, storage.stamp(url))


@lru_cache(maxsize=4)
def _opened(url: str, stamp: str) -> RowFile:
    with hdf5.opened(url) as file:
        if "Header" not in file or "Data" not in file:
            raise DataError("an HDF5 file, but no UVH5 (Header and Data)", url, "name another one")
        header = file["Header"]
        bands, fields = bands_of(header, url), fields_of(header, url)
        antennas = antennas_of(header, url)
        channels = channels_of(header, bands, url)
        rows = _rows(header, fields, antennas, url)
        _check_arrays(file, len(rows.time), bands, url)
        longest = _longest(header, len(rows.time), url)
        words = {name: value(header, name) for name in ("telescope_name", "history", "vis_units")}
        if str(value(header, "pol_convention", "avg")) == "sum":
            message = "its parallel hands add up to Stokes I (pol_convention sum)"
            remedy = "write it with the convention avg, whose mean is Stokes I (pyuvdata)"
            raise DataError(message, url, remedy)
        about = {name: str(value(header, f"extra_keywords/{name.upper()}", "")) for name in ABOUT}
        item = sum(file[f"Data/{name}"].dtype.itemsize for name in NEEDED)
        described = repr((sorted(file["Data"]), words, rows.time[[0, -1]].tolist())).encode()
    size = int(storage.info(url)["size"])
    unit = str(words["vis_units"] or "Jy")
    nchan, ncorr = sum(len(band.frequency) for band in bands), len(bands[0].types)
    duration = _duration(rows.exposure)

    @contextmanager
    def reading() -> Iterator[Content]:
        with hdf5.opened(url) as file:
            yield Content(file, channels, duration)

    return RowFile(
        url=url,
        telescope=str(words["telescope_name"] or ""),
        bands=bands,
        fields=fields.things,
        antennas=antennas.things[0],
        rows=rows,
        longest=longest,
        identity=identity(url, size, stamp, described),
        stored_bytes=item,
        weights="nsamples",
        reading=reading,
        row_bytes=24 + item * nchan * ncorr,
        notes=(*of_units(unit), *_of_durations(duration)),
        about=about,
    )


def _rows(header: Any, fields: Any, antennas: Any, url: str) -> Identifiers:
    """Time, baseline and field of every row."""
    days = needed(header, "time_array", url).astype(np.float64).ravel()
    nrow = len(days)
    if not nrow:
        raise DataError("the set has no rows", url, "name another one")
    first, second = (needed(header, f"ant_{n}_array", url).astype(np.int64) for n in (1, 2))
    centre = value(header, "phase_center_id_array", np.full(nrow, fields.numbers[0]))
    exposure = np.ravel(value(header, "integration_time", np.nan)).astype(np.float32)
    if exposure.shape not in ((1,), (nrow,)) or {len(first), len(second), len(centre)} != {nrow}:
        raise DataError("the arrays of its header have different lengths", url, DAMAGED)
    if not np.isfinite(days).all():
        row = int(np.flatnonzero(~np.isfinite(days))[0])
        raise DataError(f"time_array is not a number in row {row}", url, DAMAGED)
    return Identifiers(
        time=(days - JULIAN_ZERO) * DAY,
        first=antennas.places(first, "antenna", url),
        second=antennas.places(second, "antenna", url),
        field=fields.places(np.asarray(centre, np.int64), "phase centre", url),
        setup=np.zeros(nrow, np.int32),
        exposure=np.array(np.broadcast_to(exposure, nrow)),
    )


def _check_arrays(file: Any, nrow: int, bands: tuple[Band, ...], url: str) -> None:
    """Refuse arrays that are missing or do not fit together."""
    nchan, ncorr = sum(len(band.frequency) for band in bands), len(bands[0].types)
    for name in NEEDED:
        if name not in file["Data"]:
            raise DataError(f"it has no {name}", url, "write it again, whole")
        shape = file[f"Data/{name}"].shape
        if shape not in ((nrow, nchan, ncorr), (nrow, 1, nchan, ncorr)):
            message = f"{name} has shape {shape}, not {(nrow, nchan, ncorr)}"
            raise DataError(message, url, DAMAGED)
    if file["Header/uvw_array"].shape != (nrow, 3):
        shape = file["Header/uvw_array"].shape
        raise DataError(f"uvw_array has shape {shape}, not {(nrow, 3)}", url, DAMAGED)


def _longest(header: Any, nrow: int, url: str) -> float:
    """Largest hypot(u, v), m."""
    longest = 0.0
    for start in range(0, nrow, ROWS):
        uvw = np.asarray(header["uvw_array"][start : start + ROWS], np.float64)
        known = np.isfinite(uvw).all(axis=1)
        if (np.abs(uvw[known]) > FARTHEST).any():
            raise DataError("uvw_array is larger than any baseline", url, DAMAGED)
        length = np.hypot(uvw[known, 0], uvw[known, 1])
        longest = max(longest, float(np.max(length, initial=0.0)))
    return longest


def _duration(exposure: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Integration times by the longest one; None where all are the same, or one is not known."""
    if not (exposure > 0).all() or exposure.min() == exposure.max():
        return None
    return np.asarray(exposure / exposure.max(), np.float32)


def _of_durations(duration: NDArray[np.float32] | None) -> tuple[str, ...]:
    if duration is None:
        return ()
    return ("integration times differ: weights are nsamples times the integration time",)
