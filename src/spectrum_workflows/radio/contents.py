"""What is in a set of visibilities: a table of everything one may choose, for any format."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.domain.contents import Contents, Table
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.plot.array import plot_array
from spectrum_workflows.radio.read import formats
from spectrum_workflows.radio.read.units import UNIX_EPOCH
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.inventory import Inventory, ListedWindow, RowBlock

ACROSS_BEAM = 5
"""Pixels across the narrowest beam, λ / longest baseline."""

FIELD_OF_VIEW = 1.5
"""Side of the image, in half-power widths of a dish's beam, 1.2 λ / diameter."""

WITHOUT_DIAMETER = 1024
"""Pixels along a side where the dishes' diameter is not known."""

MOST_PIXELS = 65_536
"""Largest side of an image."""

LATEST = 2e11
"""Seconds of the Modified Julian Date, some six thousand years: what is later is no time."""

MOST_POINTS = 1 << 15
"""Points of the uv coverage that are kept for the plot."""


def is_set(url: str) -> bool:
    """Whether something is a set of visibilities in one of the formats that are read."""
    if storage.is_local(url) or url.rstrip("/").lower().endswith((".zarr", *formats.ONE_FILE)):
        return any(reader.recognises(url) for reader in formats.READERS)
    return storage.exists(storage.join(url, "zarr.json"))


@dataclass
class _FieldRows:
    """Rows of one field in one data description, as far as they were seen."""

    times: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    cross: int = 0
    autocorrelations: int = 0
    flagged: int = 0
    shortest: float = math.inf
    longest: float = 0.0

    def add(self, block: RowBlock, rows: NDArray[np.bool_]) -> None:
        """Count some rows of a block."""
        cross = rows & (block.first != block.second)
        self.times = np.union1d(self.times, _known(block.time[rows]))
        self.cross += int(cross.sum())
        self.autocorrelations += int(rows.sum() - cross.sum())
        self.flagged += int(block.flagged[cross].sum())
        length = np.hypot(block.uvw[cross, 0], block.uvw[cross, 1])
        length = length[np.isfinite(length) & (length > 0)]
        self.shortest = min(self.shortest, float(length.min(initial=math.inf)))
        self.longest = max(self.longest, float(length.max(initial=0.0)))


@dataclass
class _Scan:
    """A scan: first and last time, fields and data descriptions, and rows."""

    begin: float = math.inf
    end: float = -math.inf
    rows: int = 0
    fields: set[int] = field(default_factory=set)
    windows: set[int] = field(default_factory=set)


@dataclass
class _Coverage:
    """Some baseline coordinates, evenly thinned: every ``step``-th row."""

    step: int = 1
    count: int = 0
    points: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, uv: NDArray[np.float64]) -> None:
        """Keep every ``step``-th of all rows; twice as few once there are too many."""
        first = -self.count % self.step
        self.points.append(uv[first :: self.step].astype(np.float32))
        self.count += len(uv)
        while sum(map(len, self.points)) > MOST_POINTS:
            self.points = [np.concatenate(self.points)[::2]]
            self.step *= 2

    @property
    def all(self) -> NDArray[np.float32]:
        """The points, shape (n, 2), m."""
        return np.concatenate([np.empty((0, 2), np.float32), *self.points])


@dataclass
class _Seen:
    """Everything that was seen of a set's rows."""

    parts: dict[tuple[int, int], _FieldRows] = field(default_factory=dict)
    scans: dict[int, _Scan] = field(default_factory=dict)
    antennas: set[int] = field(default_factory=set)
    coverage: _Coverage = field(default_factory=_Coverage)

    def add(self, block: RowBlock) -> None:
        """Count a block."""
        for number in np.unique(block.field).tolist():
            part = self.parts.setdefault((number, block.window), _FieldRows())
            part.add(block, block.field == number)
        self.antennas |= {*np.unique(block.first).tolist(), *np.unique(block.second).tolist()}
        cross = (block.first != block.second) & np.isfinite(block.uvw).all(axis=1)
        self.coverage.add(block.uvw[cross, :2])
        if block.scan is None:
            return
        for number in np.unique(block.scan).tolist():
            rows, scan = block.scan == number, self.scans.setdefault(number, _Scan())
            time = _known(block.time[rows])
            scan.begin = min(scan.begin, float(time.min(initial=math.inf)))
            scan.end = max(scan.end, float(time.max(initial=-math.inf)))
            scan.rows += int(rows.sum())
            scan.fields |= set(np.unique(block.field[rows]).tolist())
            scan.windows.add(block.window)


def contents(url: str) -> Contents:
    """What is in a set: fields, windows, hands, antennas, times, scans, columns and flags.

    Every row is looked at, and every flag, in bounded memory.  Formats that keep flags beside
    visibilities (UVFITS, UVH5) are read whole for that.

    Raises
    ------
    DataError
        It cannot be read.
    """
    reader = formats.reader_of(url)
    known = reader.inventory(url)
    seen = _Seen()
    for block in known.blocks():
        seen.add(block)
    if not seen.parts:
        raise DataError("the set has no rows", url, "name another one")
    numbers = {"url": storage.shown(url), "format": reader.name} | _numbers(known, seen)
    fields = {field.number: field.name for field in known.fields}
    tables = (
        _fields(known, seen),
        _windows(known, seen),
        _data(known, seen, fields),
        _scans(seen, fields),
        _antennas(known, seen),
    )
    title = f"{known.telescope or 'unknown telescope'}, {url.rstrip('/').rpartition('/')[2]}"
    return Contents(
        title=title,
        lines=_lines(numbers),
        numbers=numbers,
        tables=[table for table in tables if table.records],
        notes=known.notes,
        plot=partial(plot_array, known.antennas, seen.coverage.all, _wavelengths(known), title),
    )


def _numbers(known: Inventory, seen: _Seen) -> dict[str, Any]:
    """What holds for the whole set."""
    every = list(seen.parts.values())
    size = {w.number: len(w.frequency) * len(w.correlations) for w in known.windows}
    values = sum(part.cross * size[window] for (_, window), part in seen.parts.items())
    flagged = sum(part.flagged for part in every)
    times = np.unique(np.concatenate([part.times for part in every]))
    shortest, longest = (
        f(getattr(p, n) for p in every) for f, n in ((min, "shortest"), (max, "longest"))
    )
    cell, npix = suggested(known, longest)
    return {
        "telescope": known.telescope,
        "observer": known.observer,
        "project": known.project,
        "columns": list(known.columns),
        "begin": _date(times.min(initial=math.inf)),
        "end": _date(times.max(initial=-math.inf)),
        "time_scale": known.time_scale,
        "times": len(times),
        "interval_s": float(np.median(np.diff(times))) if len(times) > 1 else None,
        "antennas_present": len(seen.antennas),
        "rows": sum(part.cross for part in every),
        "autocorrelations": sum(part.autocorrelations for part in every),
        "flagged_fraction": flagged / values if values else None,
        "shortest_baseline_m": shortest if math.isfinite(shortest) else None,
        "longest_baseline_m": longest,
        "suggested_cell_arcsec": cell,
        "suggested_npix": npix,
    }


def _lines(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    """The same for a person."""
    spread = _range(numbers["shortest_baseline_m"], numbers["longest_baseline_m"])
    flagged, interval = numbers["flagged_fraction"], numbers["interval_s"]
    lines = [
        ("format", numbers["format"]),
        ("observer, project", ", ".join(filter(None, (numbers["observer"], numbers["project"])))),
        ("data columns", ", ".join(numbers["columns"])),
        (f"begin to end ({numbers['time_scale']})", f"{numbers['begin']} to {numbers['end']}"),
        ("times", f"{numbers['times']:,}"),
        ("median step of times (s)", f"{interval:.4g}" if interval is not None else ""),
        ("antennas with data", f"{numbers['antennas_present']:,}"),
        ("rows, and autocorrelations", f"{numbers['rows']:,}, {numbers['autocorrelations']:,}"),
        ("flagged (%)", f"{100 * flagged:.2f}" if flagged is not None else ""),
        ("baselines (m)", spread),
        ("cell to begin with (arcsec)", f"{numbers['suggested_cell_arcsec'] or ''}"),
        ("npix to begin with", f"{numbers['suggested_npix'] or ''}"),
    ]
    return [(name, value) for name, value in lines if value]


def suggested(known: Inventory, longest: float) -> tuple[float | None, int | None]:
    """A pixel size (arcsec) and image side to begin with.

    A fifth of the narrowest beam, to two digits; and the field that a dish sees: 1.5 half-power
    widths of its beam at the lowest frequency, as far as there are images so large.
    """
    hertz = np.concatenate([w.frequency for w in known.windows])
    hertz = hertz[np.isfinite(hertz) & (hertz > 0)]
    if not len(hertz) or longest <= 0:
        return None, None
    beam = SPEED_OF_LIGHT / float(hertz.max()) / longest / ARCSEC
    digits = 1 - math.floor(math.log10(beam / ACROSS_BEAM))
    cell = round(beam / ACROSS_BEAM, digits)
    diameter = known.antennas.diameter
    diameter = diameter[np.isfinite(diameter) & (diameter > 0)]
    if not len(diameter):
        return cell, _even(WITHOUT_DIAMETER, cell)
    view = FIELD_OF_VIEW * 1.2 * SPEED_OF_LIGHT / float(hertz.min()) / float(np.median(diameter))
    return cell, _even(min(view, 1.0) / ARCSEC / cell, cell)


def _even(pixels: float, cell: float) -> int | None:
    """The next even number of pixels that is quick to transform: 2^n, 3 · 2^n or 5 · 2^n.

    It is at most the largest of an image, with no corner beyond the horizon; None if none is.
    """
    sizes = sorted(k << n for k in (1, 3, 5) for n in range(5, 17))
    highest = min(MOST_PIXELS, 2**0.5 / (cell * ARCSEC) * (1 - 1e-9))
    possible = [size for size in sizes if size <= highest]
    return next((size for size in possible if size >= pixels), possible[-1] if possible else None)


def _wavelengths(known: Inventory) -> float:
    """Wavelength of the middle frequency, m."""
    hertz = np.concatenate([w.frequency for w in known.windows])
    return SPEED_OF_LIGHT / float(np.median(hertz))


def _fields(known: Inventory, seen: _Seen) -> Table:
    head = ("field", "name", "RA (deg)", "Dec (deg)", "frame", "rows", "times")
    cells, records = [], []
    for one in known.fields:
        parts = [part for (number, _), part in seen.parts.items() if number == one.number]
        rows = sum(part.cross for part in parts)
        times = len(np.unique(np.concatenate([np.empty(0), *(part.times for part in parts)])))
        ra, dec = (math.degrees(angle) for angle in one.centre)
        place = (f"{ra % 360:.5f}", f"{dec:+.5f}") if math.isfinite(ra) else ("", "")
        shown = one.frame or one.fault
        cells.append((str(one.number), one.name, *place, shown, f"{rows:,}", f"{times:,}"))
        direction = {"ra_deg": ra % 360, "dec_deg": dec} if place[0] else {}
        record = {"number": one.number, "name": one.name, **direction, "frame": one.frame}
        records.append(record | {"fault": one.fault, "rows": rows, "times": times})
    return Table("fields", head, cells, records)


def _windows(known: Inventory, seen: _Seen) -> Table:
    head = ("window", "name", "channels", "from (MHz)", "to (MHz)", "width (kHz)", "frame", "hands")
    cells, records = [], []
    present = {window for _, window in seen.parts}
    for one in known.windows:
        if one.number not in present:
            continue
        ends, width = _ends(one), one.width[np.isfinite(one.width)]
        kilo = float(np.median(width)) / 1e3 if len(width) else None
        names = ", ".join(one.correlations)
        shown = (f"{ends[0] / 1e6:.6g}", f"{ends[1] / 1e6:.6g}", f"{kilo:.6g}" if kilo else "")
        count = str(len(one.frequency))
        cells.append((str(one.number), one.name, count, *shown, one.frame, names))
        record = {"number": one.number, "name": one.name, "channels": len(one.frequency)}
        record |= {"first_hz": float(one.frequency[0]), "last_hz": float(one.frequency[-1])}
        record |= {"width_hz": kilo * 1e3 if kilo else None, "frame": one.frame}
        records.append(record | {"correlations": list(one.correlations)})
    return Table("windows", head, cells, records)


def _ends(window: ListedWindow) -> tuple[float, float]:
    """Centres of the first and the last channel, Hz, in the set's order."""
    return float(window.frequency[0]), float(window.frequency[-1])


def _data(known: Inventory, seen: _Seen, fields: dict[int, str]) -> Table:
    head = ("field", "window", "times", "rows", "flagged (%)", "baselines (m)")
    size = {w.number: len(w.frequency) * len(w.correlations) for w in known.windows}
    cells, records = [], []
    for (number, window), part in sorted(seen.parts.items()):
        share = part.flagged / (part.cross * size[window]) if part.cross else None
        low = part.shortest if math.isfinite(part.shortest) else None
        name = f"{number} {fields.get(number, '')}".strip()
        percent = f"{100 * share:.2f}" if share is not None else ""
        counts = (f"{len(part.times):,}", f"{part.cross:,}")
        cells.append((name, str(window), *counts, percent, _range(low, part.longest)))
        record: dict[str, Any] = {"field": number, "window": window}
        record |= {"times": len(part.times), "rows": part.cross}
        record |= {"autocorrelations": part.autocorrelations, "flagged_fraction": share}
        record |= {"shortest_baseline_m": low, "longest_baseline_m": part.longest}
        records.append(record)
    return Table("data", head, cells, records)


def _scans(seen: _Seen, fields: dict[int, str]) -> Table:
    head = ("scan", "begin", "end", "fields", "windows", "rows")
    cells, records = [], []
    for number, scan in sorted(seen.scans.items()):
        begin, end = _date(scan.begin), _date(scan.end)
        names = ", ".join(f"{n} {fields.get(n, '')}".strip() for n in sorted(scan.fields))
        of = ", ".join(map(str, sorted(scan.windows)))
        cells.append((str(number), begin, end[11:], names, of, f"{scan.rows:,}"))
        record = {"number": number, "begin": begin, "end": end, "fields": sorted(scan.fields)}
        records.append(record | {"windows": sorted(scan.windows), "rows": scan.rows})
    return Table("scans", head, cells, records)


def _antennas(known: Inventory, seen: _Seen) -> Table:
    head = ("antenna", "name", "diameter (m)", "x (m)", "y (m)", "z (m)", "data")
    cells, records = [], []
    antennas = known.antennas
    for number, name in enumerate(antennas.name):
        place, diameter = antennas.position[number], float(antennas.diameter[number])
        wide = f"{diameter:g}" if diameter > 0 else ""
        at = [f"{value:.2f}" if math.isfinite(value) else "" for value in place.tolist()]
        antenna_used = number in seen.antennas
        cells.append((str(number), name, wide, *at, "yes" if antenna_used else "no"))
        record = {"number": number, "name": name, "diameter_m": _or_none(diameter)}
        record |= {"position_m": [_or_none(value) for value in place.tolist()]}
        records.append(record | {"has_data": antenna_used})
    return Table("antennas", head, cells, records)


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _range(low: float | None, high: float) -> str:
    return f"{low:.4g} to {high:.4g}" if low is not None else ""


def _known(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The times that are some: a set may hold anything."""
    return times[np.abs(times) < LATEST]


def _date(seconds: float) -> str:
    """Seconds of the Modified Julian Date as a date and time; nothing for infinity."""
    if not math.isfinite(seconds):
        return ""
    unix = np.timedelta64(round(1e3 * (float(seconds) - UNIX_EPOCH)), "ms")
    return str(np.datetime64("1970-01-01", "ms") + unix).replace("T", " ")[:-2]
