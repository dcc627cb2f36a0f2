"""The luminosity that was really processed, block by block.  Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.select.event_filters import BLOCKS, GoodRuns, in_good_runs
from spectrum_workflows.hep.types.luminosity import Blocks, ProcessedLuminosity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.types import FileRead

UNITS = {"b": 1e-12, "mb": 1e-9, "ub": 1e-6, "nb": 1e-3, "pb": 1.0, "fb": 1e3}
"""Inverse of these in 1/pb, by brilcalc's names."""

RECORDED = re.compile(r"recorded\(/(\w+)\)")

NEAR = 1e-3
"""Relative difference below which two luminosities are taken for the same."""

_REMEDY = "make it with: brilcalc lumi --byls -i GOOD_RUNS -o FILE"


@dataclass(frozen=True)
class LuminosityTable:
    """Recorded luminosity of blocks.

    Attributes
    ----------
    place : ndarray of int64, shape (n_blocks,)
        ``run * 2**32 + luminosity block``, rising.
    recorded : ndarray, shape (n_blocks,)
        In 1/pb.
    """

    place: NDArray[np.int64]
    recorded: NDArray[np.float64]


def luminosity_table(text: bytes, *, where: str) -> LuminosityTable:
    """Read what ``brilcalc lumi --byls`` writes: a line per luminosity block.

    Parameters
    ----------
    text : bytes
        CSV with a header ``#run:fill,ls,...,recorded(/ub),...``, which says the unit.
    where : str
        The file, for errors.

    Raises
    ------
    DataError
        It is no such table, or holds a block twice.
    """
    column, unit, table = -1, 0.0, {}
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), start=1):
        cells = [cell.strip() for cell in line.split(",")]
        if line.startswith("#"):
            column, unit = _header(cells, column, unit, where)
        elif line.strip():
            if column < 0:
                raise DataError("no header #run:fill,ls,...,recorded(/UNIT)", where, _REMEDY)
            place, recorded = _row(cells, column, f"{where}, line {number}")
            if place is None:
                continue
            if place in table:
                message = f"run {place // BLOCKS}, block {place % BLOCKS} is there twice"
                raise DataError(message, f"{where}, line {number}", "keep one of them")
            table[place] = recorded * unit
    if not table:
        raise DataError("holds no luminosity block", where, _REMEDY)
    places = sorted(table)
    return LuminosityTable(np.array(places, np.int64), np.array([table[p] for p in places]))


def _header(cells: list[str], column: int, unit: float, where: str) -> tuple[int, float]:
    """Column of the recorded luminosity and its unit, if this line is a header."""
    if not cells[0].startswith("#run:fill"):
        return column, unit
    for k, cell in enumerate(cells):
        match = RECORDED.fullmatch(cell)
        if match and match[1] in UNITS and cells[1] == "ls":
            return k, UNITS[match[1]]
    units = ", ".join(f"/{name}" for name in UNITS)
    raise DataError(f"no column recorded(...) of a known unit ({units})", where, _REMEDY)


def _row(cells: list[str], column: int, where: str) -> tuple[int | None, float]:
    """Place of a block, and its luminosity; no place where the detector took no data."""
    try:
        run, block = int(cells[0].split(":")[0]), int(cells[1].split(":")[-1])
        recorded = float(cells[column])
    except (ValueError, IndexError):
        raise DataError("not a line of a luminosity block", where, _REMEDY) from None
    if not (0 <= run < BLOCKS and 0 <= block < BLOCKS and 0 <= recorded < math.inf):
        raise DataError("holds a number that cannot be", where, _REMEDY)
    return (run * BLOCKS + block if block else None), recorded


def processed(
    files: Mapping[tuple[str, str], FileRead], table: LuminosityTable, good: GoodRuns | None
) -> dict[str, ProcessedLuminosity]:
    """The luminosity of every sample of data.

    Parameters
    ----------
    files : mapping of (sample, url) to FileRead
        What was read, with its luminosity blocks.
    table : LuminosityTable
    good : GoodRuns or None
        Where data is certified; everywhere if None.
    """
    read: dict[str, list[Blocks]] = {}
    for (sample, _), file in sorted(files.items()):
        if file.blocks is not None:
            read.setdefault(sample, []).append(file.blocks)
    certified = math.fsum(table.recorded[_certified(table.place, good)])
    return {
        s: _of_sample(reduce(Blocks.beside, b), table, good, certified) for s, b in read.items()
    }


def _of_sample(
    blocks: Blocks, table: LuminosityTable, good: GoodRuns | None, certified: float
) -> ProcessedLuminosity:
    counted = _certified(blocks.place, good) & ((blocks.read > 0) | (blocks.events == 0))
    place, events, read = blocks.place[counted], blocks.events[counted], blocks.read[counted]
    at = np.minimum(np.searchsorted(table.place, place), len(table.place) - 1)
    listed = table.place[at] == place
    share = np.where(events > read, read / np.maximum(events, 1), 1.0)
    return ProcessedLuminosity(
        processed=math.fsum((table.recorded[at] * share)[listed]),
        certified=certified,
        blocks=len(place),
        parts=int(np.count_nonzero(events > read)),
        unlisted=int(np.count_nonzero(~listed)),
    )


def _certified(place: NDArray[np.int64], good: GoodRuns | None) -> NDArray[np.bool_]:
    if good is None:
        return np.ones(len(place), np.bool_)
    return in_good_runs(place // BLOCKS, place % BLOCKS, good)


def notes(
    luminosities: Mapping[str, ProcessedLuminosity],
    files: Mapping[tuple[str, str], FileRead],
    scaled_to: float | None,
) -> Iterator[str]:
    """Warnings: what simulation is scaled to is not what was processed, or blocks are unknown.

    Parameters
    ----------
    luminosities, files
        As `processed` gives and takes them.
    scaled_to : float or None
        Luminosity of simulation, in 1/pb.
    """
    for sample, of in luminosities.items():
        if scaled_to is not None and not math.isclose(of.processed, scaled_to, rel_tol=NEAR):
            yield (
                f"{sample}: {of.processed:.6g} /pb of data was processed (of {of.certified:.6g}"
                f" certified), and simulation is scaled to {scaled_to:.6g} /pb"
            )
        if of.unlisted:
            yield f"{sample}: {of.unlisted} of {of.blocks} luminosity blocks are not in the table"
        if not all(f.blocks.listed for (s, _), f in files.items() if s == sample and f.blocks):
            yield (
                f"{sample}: files without a LuminosityBlocks tree; blocks in which no event is"
                " left count nothing"
            )
