"""Reading the groups of a UVFITS file.

The parameters of a group stand before its visibilities, so that finding out which rows there
are means reading the file once.  That is done at the first look, in blocks, and remembered.
"""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.radio.read.rows.conventions import DAMAGED, DAY, JULIAN_ZERO
from spectrum_workflows.radio.read.rows.identity import identity
from spectrum_workflows.radio.read.rows.imaging import FARTHEST
from spectrum_workflows.radio.read.rows.rowfile import Band, Identifiers, RowContent, RowFile
from spectrum_workflows.radio.read.rows.units import of_units
from spectrum_workflows.radio.read.uvfits import shifts, tables
from spectrum_workflows.radio.read.uvfits.header import Header, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SCAN_BYTES = 8 << 20
"""Bytes that are read at a time."""

LONGER = 1.5
"""Integrations that differ by less are whole ones and such that were cut short."""

LARGE_BASELINE = 65_536
"""From here on a baseline is 65536 + 2048 a + b, and 256 a + b below."""


@dataclass(frozen=True)
class Groups:
    """Where the groups of a file are, and what is in one."""

    url: str
    begin: int
    header: Header

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """The numbers of consecutive groups, shape (n, header.numbers)."""
        size = self.header.group_bytes
        [data] = storage.read_ranges(
            self.url, [(self.begin + start * size, self.begin + stop * size)]
        )
        return np.frombuffer(data, self.header.dtype).reshape(stop - start, -1)

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Consecutive groups that are read at a time."""
        step = max(1, SCAN_BYTES // self.header.group_bytes)
        for start in range(0, self.header.ngroup, step):
            yield start, min(start + step, self.header.ngroup)

    def uvw_of(self, numbers: NDArray[Any]) -> NDArray[np.float64]:
        """Baseline coordinates of some groups, m."""
        of = (self.header.parameters[name].of(numbers) for name in "uvw")
        return np.stack([*of], axis=1) * self.header.metre

    def uvw(self, start: int, stop: int) -> NDArray[np.float64]:
        """Baseline coordinates of consecutive groups, m."""
        return self.uvw_of(self.read(start, stop))

    def block(self, start: int, stop: int, band: Band, channels: slice, hands: slice) -> RowContent:
        """Visibilities of one IF."""
        return self._block(self.read(start, stop), band, channels, hands)

    def blocks(self, start: int, stop: int, bands: Sequence[Band]) -> Iterator[RowContent]:
        """Visibilities of several IFs, which stand together in a group."""
        numbers = self.read(start, stop)
        for band in bands:
            yield self._block(numbers, band, slice(None), slice(None))

    def _block(
        self, numbers: NDArray[Any], band: Band, channels: slice, hands: slice
    ) -> RowContent:
        """Visibilities of one IF of some groups: a weight that is not positive is a flag."""
        number = band.number % self.header.axis("IF").length
        data = self.header.data_of(numbers)[:, number, channels, hands]
        visibility = np.empty(data.shape[:3], np.complex64)
        visibility.real, visibility.imag = data[..., 0], data[..., 1]
        if data.shape[3] < 3:
            weight = np.ones(data.shape[:3], np.float32)
        else:
            weight = data[..., 2].astype(np.float32)
        flag = ~(weight > 0)
        return RowContent(self.uvw_of(numbers), visibility, flag, np.abs(weight))


def opened(url: str) -> RowFile:
    """A file's rows and what it says of itself, read once for every state of it.

    Raises
    ------
    DataError
        It is no UVFITS file, or is damaged.
    """
    return _opened(url, storage.stamp(url))


@lru_cache(maxsize=4)
def _opened(url: str, stamp: str) -> RowFile:
    primary, header, by_name, begin = _headers(url)
    groups = Groups(url, begin, header)
    if not header.ngroup:
        raise DataError("the set has no rows", url, "name another one")
    end = begin + header.ngroup * header.group_bytes
    size = int(storage.info(url)["size"])
    if size < end:
        raise DataError(f"it ends after {size:,} of {end:,} bytes", url, DAMAGED)
    numbers, exposure, longest = _scanned(groups)
    _check_subarrays(numbers, by_name, url)
    stations = np.unique([numbers["first"], numbers["second"]])
    named = "AIPS SU" in by_name and "SOURCE" in header.parameters
    try:
        bands = tables.bands_of(by_name.get("AIPS FQ"), primary, header, url)
        fields = tables.fields_of(by_name.get("AIPS SU"), primary, header)
        antennas = tables.antennas_of(by_name.get("AIPS AN"), stations, url)
        count = (len(fields.things), header.axis("IF").length)
        offset = shifts.offsets(by_name.get("AIPS SU") if named else None, *count)
    except (LookupError, TypeError, ValueError) as error:
        if isinstance(error, SpectrumError):
            raise
        raise DataError(f"its tables cannot be read ({error})", url, DAMAGED) from error
    if not named and len(np.unique(numbers["source"])) > 1:
        message = "its groups are of several sources, and it has no table AIPS SU of them"
        raise DataError(message, url, "write it again, with its tables")
    place = antennas.places
    setup = numbers["setup"]
    if "FREQSEL" not in header.parameters:
        setup = np.full_like(setup, bands.numbers[0])
    field = np.zeros(header.ngroup, np.int32)
    if named:
        field = fields.places(numbers["source"], "source", url)
    setups = shifts.Setups(bands.things, bands.places(setup, "frequency setup", url))
    setups = setups.shifted(field, offset)
    rows = Identifiers(
        time=numbers["time"],
        first=place(numbers["first"], "antenna", url),
        second=place(numbers["second"], "antenna", url),
        field=field,
        setup=setups.of_row,
        exposure=exposure,
    )
    unit = tables.text(primary.get("BUNIT", "Jy"))
    return RowFile(
        url=url,
        telescope=tables.text(primary.get("TELESCOP", "")),
        bands=tuple(band for own in setups.bands for band in own),
        fields=fields.things,
        antennas=antennas.things[0],
        rows=rows,
        longest=longest,
        identity=identity(url, size, stamp, primary.tostring().encode()),
        stored_bytes=header.axis("COMPLEX").length * np.dtype(header.dtype).itemsize,
        weights="weights",
        reading=lambda: nullcontext(groups),
        row_bytes=header.group_bytes,
        time_scale=tables.time_scale(by_name.get("AIPS AN")),
        notes=(*of_units(unit), *_of_durations(groups, exposure)),
        about={key: tables.text(primary.get(key.upper(), "")) for key in ("observer", "project")},
    )


def _headers(url: str) -> tuple[Any, Header, dict[str, Any], int]:
    """The primary header, what it says, the tables by name, and where the groups begin."""
    from astropy.io import fits

    by_name: dict[str, Any] = {}
    try:
        with warnings.catch_warnings(), storage.open_read(url) as file:
            warnings.simplefilter("ignore")  # of what the standard would have otherwise
            with fits.open(file, mode="readonly", memmap=False, lazy_load_hdus=True) as hdus:
                primary, begin = hdus[0].header.copy(), hdus[0].fileinfo()["datLoc"]
                header = parsed(primary, url)
                for hdu in hdus[1:]:
                    name = str(hdu.name).strip().upper()
                    if name in ("AIPS AN", "AIPS SU", "AIPS FQ"):
                        hdu.data  # noqa: B018  (read while the file is open)
                        by_name.setdefault(name, hdu)
                        by_name[f"{name} tables"] = by_name.get(f"{name} tables", 0) + 1
    except (SpectrumError, MemoryError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0][:160]
        raise DataError(f"its headers cannot be read ({reason})", url, DAMAGED) from error
    return primary, header, by_name, begin


def _scanned(groups: Groups) -> tuple[dict[str, NDArray[Any]], NDArray[np.float32], float]:
    """Identifiers of all groups, their exposures, and the longest baseline."""
    header = groups.header
    columns: dict[str, NDArray[Any]] = {"time": np.empty(header.ngroup)}
    for name in ("first", "second", "source", "setup", "subarray"):
        columns[name] = np.zeros(header.ngroup, np.int64)
    exposure = np.full(header.ngroup, np.nan, np.float32)
    longest = 0.0
    for start, stop in groups.pieces():
        numbers, here = groups.read(start, stop), slice(start, stop)
        days = header.parameters["DATE"].of(numbers, without=JULIAN_ZERO)
        columns["time"][here] = days * DAY
        first, second, subarray = _antennas(header, numbers)
        columns["first"][here], columns["second"][here] = first, second
        columns["subarray"][here] = subarray
        for name, parameter in (("source", "SOURCE"), ("setup", "FREQSEL")):
            if parameter in header.parameters:
                columns[name][here] = _whole(header.parameters[parameter].of(numbers))
        if "INTTIM" in header.parameters:
            exposure[here] = header.parameters["INTTIM"].of(numbers)
        uvw = groups.uvw_of(numbers)
        _check_numbers(days, uvw, start, groups.url)
        length = np.hypot(uvw[:, 0], uvw[:, 1])
        longest = max(longest, float(np.max(length[np.isfinite(length)], initial=0.0)))
    return columns, exposure, longest


def _of_durations(groups: Groups, exposure: NDArray[np.float32]) -> tuple[str, ...]:
    """A warning where a long integration weighs what a short one does."""
    known = np.flatnonzero(exposure > 0)
    if not len(known):
        return ()
    shortest, longest = (known[find(exposure[known])] for find in (np.argmin, np.argmax))
    if exposure[longest] < LONGER * exposure[shortest]:
        return ()
    rows = (groups.header.data_of(groups.read(row, row + 1)) for row in (shortest, longest))
    one, other = (np.abs(row[..., 2]) if row.shape[-1] > 2 else np.ones(1) for row in rows)
    if not np.array_equal(one, other):
        return ()
    times = f"{exposure[shortest]:g} to {exposure[longest]:g} s"
    return (f"integration times differ ({times}) and weights do not: all count the same",)


def _check_numbers(
    days: NDArray[np.float64], uvw: NDArray[np.float64], start: int, url: str
) -> None:
    if not np.isfinite(days).all():
        group = start + int(np.flatnonzero(~np.isfinite(days))[0])
        raise DataError(f"DATE is not a number in group {group}", url, DAMAGED)
    far = np.isfinite(uvw).all(axis=1) & (np.abs(uvw) > FARTHEST).any(axis=1)
    if far.any():
        group = start + int(np.flatnonzero(far)[0])
        message = f"UU, VV and WW of group {group} are larger than any baseline"
        raise DataError(message, url, DAMAGED)


def _whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers, -1 for what is none."""
    return np.where(np.isfinite(values), np.rint(values), -1).astype(np.int64)


def _antennas(header: Header, numbers: NDArray[Any]) -> tuple[NDArray[np.int64], ...]:
    """Station numbers of both antennas, and the subarray, from 0."""
    if "ANTENNA1" in header.parameters and "ANTENNA2" in header.parameters:
        first, second = (_whole(header.parameters[f"ANTENNA{n}"].of(numbers)) for n in (1, 2))
        if "SUBARRAY" in header.parameters:
            return first, second, _whole(header.parameters["SUBARRAY"].of(numbers)) - 1
        return first, second, np.zeros_like(first)
    baseline = np.nan_to_num(header.parameters["BASELINE"].of(numbers), nan=-1)
    whole = np.floor(baseline + 1e-4).astype(np.int64)
    subarray = np.rint(100 * (baseline - whole)).astype(np.int64)
    large = whole >= LARGE_BASELINE
    base = np.where(large, 2048, 256)
    pair = np.where(large, whole - LARGE_BASELINE, whole)
    return pair // base, pair % base, subarray


def _check_subarrays(numbers: dict[str, NDArray[Any]], by_name: dict[str, Any], url: str) -> None:
    """Refuse antennas that are numbered anew in another table."""
    subarrays, count = np.unique(numbers["subarray"]), by_name.get("AIPS AN tables", 0)
    if len(subarrays) > 1 or (subarrays[0] != 0 and count > 1):
        which = ", ".join(str(number + 1) for number in subarrays[:5])
        listed = f"it holds subarray {which}, with {count} antenna tables"
        raise DataError(listed, url, "write one file for each (AIPS: UVCOP)")
