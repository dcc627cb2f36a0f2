"""Reading Zarr sets in the MSv4 schema, from any store.

The names and the meaning of the arrays are those of xradio's MSv4 schema.  Sets
made by ``spectrum data convert`` and by xradio are read; cells of times ×
baselines without a row in the Measurement Set are recognised by their
TIME_CENTROID, which is NaN there.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.msv4.objects import Objects
from spectrum_workflows.radio.read.units import UNIX_EPOCH
from spectrum_workflows.radio.types import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Chunk, Selection

CODES = {name: code for code, name in stokes.NAMES.items()}

COLUMNS = {"DATA": "VISIBILITY", "CORRECTED_DATA": "VISIBILITY_CORRECTED"}
COLUMNS |= {"MODEL_DATA": "VISIBILITY_MODEL"}
"""Data columns of a Measurement Set, and their names in MSv4."""


def variable_of(column: str) -> str:
    """The MSv4 name of a data column; others are called the same in both."""
    return COLUMNS.get(column, column)


@contextmanager
def opened(url: str) -> Iterator[tuple[zarr.Group, Objects]]:
    """A complete set; what is read from it in the block is counted.

    Raises
    ------
    DataError
        It is not a complete set, or is damaged.
    """
    objects = Objects(url)
    try:
        objects.verify()
        root = zarr.open_group(objects, mode="r", zarr_format=3, use_consolidated=True)
        yield root, objects
    except (SpectrumError, OSError, MemoryError):
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {error}".strip().splitlines()[0][:160]
        remedy = "convert or copy the set again"
        raise DataError(f"damaged or incomplete Zarr set ({message})", url, remedy) from error
    finally:
        storage.count(objects.nbytes, url)


@dataclass(frozen=True)
class StoredSet:
    """One field and data description of an opened set.

    Attributes
    ----------
    group : zarr.Group
        The MSv4 dataset.
    field, data_description : int
        Their numbers in the Measurement Set, as far as the set tells.
    field_name, window_name : str
    spectral_window : int
        Its number, as far as the set tells.
    own : dict
        What ``spectrum data convert`` noted; empty in other sets.
    described : int
        The data description that it is a part of: its number, too, unless another dataset of
        that field has it.
    """

    group: zarr.Group
    field: int
    data_description: int
    field_name: str
    own: dict[str, Any]
    window_name: str = ""
    spectral_window: int = 0
    described: int = 0

    def array(self, name: str) -> zarr.Array[Any]:
        """A variable.

        Raises
        ------
        DataError
            There is no such variable.
        """
        variable = self.group.get(name)
        if not isinstance(variable, zarr.Array):
            raise DataError(f"no {name} in {self.group.path or 'the set'}", "", "convert it again")
        return variable


def parts(root: zarr.Group) -> list[StoredSet]:
    """All visibility datasets of a set."""
    groups = [root, *(group for _, group in sorted(root.groups()))]
    sets: list[StoredSet] = []
    windows: dict[str, int] = {}
    for group in groups:
        if group.attrs.get("type") == "visibility":
            own: Any = group.attrs.get("spectrum_workflows", {})
            sets.append(_identified(StoredSet(group, 0, 0, "", own), windows))
    if not sets:
        raise DataError("no visibility dataset in it", "", "name a set in the MSv4 schema")
    return _numbered(sets)


def _numbered(sets: list[StoredSet]) -> list[StoredSet]:
    """The datasets with a number for each of those of the same field and data description.

    A field may lie in several, of some times or baselines each: the first keeps the number of
    its data description, the others get numbers that no data description has.
    """
    free = 1 + max(part.data_description for part in sets)
    seen: set[tuple[int, int]] = set()
    out = []
    for part in sets:
        key = (part.field, part.data_description)
        out.append(replace(part, data_description=free) if key in seen else part)
        free += key in seen
        seen.add(key)
    return out


def _identified(part: StoredSet, windows: dict[str, int]) -> StoredSet:
    """The part with its numbers: MSv4 appends a field's number to its name."""
    names = sorted(set(text(part.array("field_name"))))
    if len(names) > 1:
        remedy = "convert the Measurement Set with spectrum data convert"
        raise DataError(f"{len(names)} fields in one dataset", part.group.path, remedy)
    name, _, number = names[0].rpartition("_")
    window = str(part.array("frequency").attrs.get("spectral_window_name", ""))
    described = f"{window} {text(part.array('polarization'))}"
    description = windows.setdefault(described, len(windows))
    numbered = number.isdigit()
    window_name, _, row = window.rpartition("_")
    return replace(
        part,
        field=int(part.own.get("field_id", number if numbered else 0)),
        data_description=int(part.own.get("data_desc_id", description)),
        described=int(part.own.get("data_desc_id", description)),
        field_name=name if numbered else names[0],
        window_name=window_name if row.isdigit() else window,
        spectral_window=int(row) if row.isdigit() else description,
    )


def chosen(root: zarr.Group, objects: Objects, chunk: Chunk) -> StoredSet:
    """The part that a chunk is of."""
    for part in parts(root):
        if (part.field, part.data_description) == (chunk.field, chunk.data_description):
            objects.strict = is_whole(part)
            return part
    raise changed(chunk)


def is_whole(part: StoredSet) -> bool:
    """Whether every chunk was stored, so that one that is not there is lost."""
    return bool(part.own.get("every_chunk_is_stored"))


def changed(chunk: Chunk) -> DataError:
    """The error for a set that is not the one a run was planned with."""
    return DataError("the set has changed since the run was planned", chunk.where, "run again")


@dataclass(frozen=True)
class Baselines:
    """The baselines of a set in the order of antenna 1, then antenna 2.

    Attributes
    ----------
    order : ndarray of int64, shape (nbaseline,)
        Their places in the set.
    first, second : ndarray of int64, shape (nbaseline,)
        Numbers of their antennas.
    """

    order: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @property
    def cross(self) -> NDArray[np.bool_]:
        """Whether they are between two antennas."""
        return np.asarray(self.first != self.second)


def baselines(part: StoredSet) -> Baselines:
    """The baselines of a set, by the order of its antennas."""
    names = text(part.array("antenna_xds/antenna_name"))
    number = {name: n for n, name in enumerate(names)}
    ends = [text(part.array(f"baseline_antenna{n}_name")) for n in (1, 2)]
    first, second = (np.array([number[name] for name in end]) for end in ends)
    order = np.lexsort((second, first))
    return Baselines(order, first[order], second[order])


def present(part: StoredSet, times: slice) -> NDArray[np.bool_]:
    """Mask of the cells of (time, baseline), in the set's order, that have a row."""
    name = "TIME_CENTROID" if "TIME_CENTROID" in part.group else "UVW"
    finite = np.isfinite(np.asarray(part.array(name)[times]))
    return np.asarray(finite if finite.ndim == 2 else finite.any(axis=2))


def chosen_cells(
    part: StoredSet, times: slice, known: Baselines, selection: Selection
) -> NDArray[np.bool_]:
    """Mask of the cells of (time, baseline), baselines in order, with a chosen cross-correlation.

    Parameters
    ----------
    part : StoredSet
    times : slice
        Of the time axis.
    known : Baselines
        All of the set.
    selection : Selection
    """
    cells = present(part, times)[:, known.order] & known.cross
    if not selection.any_baseline:
        cells &= selection.hold_baselines(known.first, known.second)
    if not selection.any_time:
        cells &= held_times(part, selection)[times, None]
    return cells


def held_times(part: StoredSet, selection: Selection) -> NDArray[np.bool_]:
    """Mask of the times of the time axis that are chosen."""
    seconds = np.asarray(part.array("time")[:], np.float64) + UNIX_EPOCH
    if not selection.scans:
        return selection.hold_times(seconds, None)
    numbers = scans(part)
    if (numbers < 0).any():
        message = "its scans have names that are no numbers"
        raise DataError(message, part.group.path, "choose select.times")
    return selection.hold_times(seconds, numbers)


def scans(part: StoredSet) -> NDArray[np.int64]:
    """The scan of every time of the time axis; -1 where its name is no number.

    Raises
    ------
    DataError
        The set does not say it.
    """
    if "scan_name" not in part.group:
        raise DataError("the set does not say its scans", part.group.path, "choose select.times")
    names = text(part.array("scan_name"))
    return np.array([int(name) if name.lstrip("-").isdigit() else -1 for name in names], np.int64)


def rows_per_time(part: StoredSet, selection: Selection = EVERYTHING) -> NDArray[np.int64]:
    """Chosen cross-correlations at every time of the time axis."""
    known = baselines(part)
    array = part.array("TIME_CENTROID" if "TIME_CENTROID" in part.group else "UVW")
    ntime, step = array.shape[0], array.chunks[0]
    counts = [
        chosen_cells(part, slice(t, min(t + step, ntime)), known, selection).sum(axis=1)
        for t in range(0, ntime, step)
    ]
    return np.concatenate(counts)


def times(part: StoredSet, selection: Selection = EVERYTHING) -> NDArray[np.int64]:
    """Places on the time axis of the times that have chosen cross-correlations."""
    ntime = part.array("time").shape[0]
    without: Any = part.own.get("times_without_cross_correlations")
    if without is None or not selection.any_baseline:
        return np.flatnonzero(rows_per_time(part, selection))
    if not selection.any_time:
        without = [*without, *np.flatnonzero(~held_times(part, selection)).tolist()]
    return np.setdiff1d(np.arange(ntime), without)


def text(array: zarr.Array[Any]) -> list[str]:
    """All of an array of text."""
    return [str(word) for word in np.asarray(array[:]).tolist()]


def types(part: StoredSet) -> list[int]:
    """Correlations by their number in a Measurement Set."""
    return [CODES.get(name, 0) for name in text(part.array("polarization"))]
