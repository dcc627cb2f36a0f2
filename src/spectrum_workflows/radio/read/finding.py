"""Where a data set is, in which form, and whether a copy is older than what it was made from."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from spectrum_workflows import catalogue, storage
from spectrum_workflows.errors import AccessError, DataError, DataNotFoundError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spectrum_workflows.radio.spec import RadioSpec

MADE = ".ms"
"""How the names of sets end that are made here."""

SUFFIXES = (MADE, ".MS", "")
"""How the names of Measurement Sets end; what it is decides, whatever it is called."""


def inputs(spec: RadioSpec, data: str) -> list[str]:
    """The set the spec names: a Zarr set if that alone is there, else the Measurement Set."""
    stem = catalogue.stems(spec.data_set, data)[0]
    if (made := _table(stem)) is not None:
        return [made]
    return [_arrays(stem) or f"{stem}{MADE}"]


def find(spec: RadioSpec, data: str) -> str:
    """The URL of the spec's data set: ``NAME.zarr``, else ``NAME.ms``, else the folder NAME.

    Raises
    ------
    DataNotFoundError
        There is no such set.
    DataError
        There is only a Zarr set whose conversion was not finished, only a
        remote Measurement Set, or a folder that is no set.
    """
    stem, *more = catalogue.stems(spec.data_set, data)
    for other in (replica for replica in more if not _there(stem)):
        with suppress(AccessError, StoreError):  # the next one may answer
            if found := _arrays(other):
                return found
    if found := _arrays(stem) or _table(stem):
        return found
    url = f"{stem}.zarr"
    if storage.exists(f"{url}/conversion.json"):
        remedy = "run spectrum data convert again: it goes on where it was"
        raise DataError("its conversion was not finished", url, remedy)
    _check_folder(stem)
    remedy = "check data_set, or say where the data is with --data"
    if storage.exists(url):
        what = "it is there, but no Zarr set (it has no zarr.json)"
        raise DataError(what, url, "convert or copy the set again, whole")
    if storage.is_local(stem):
        raise DataNotFoundError("no such data set", f"{stem}{MADE}", remedy)
    raise DataNotFoundError("no such data set (remote sets are in Zarr form)", url, remedy)


def _check_folder(stem: str) -> None:
    """Refuse a name under which there is something else."""
    for url in (f"{stem}.zarr", stem):
        if storage.exists(f"{url}/.zgroup"):
            remedy = "convert the Measurement Set with spectrum data convert"
            raise DataError("a set in version 2 of Zarr; version 3 is read", url, remedy)
    if storage.is_local(stem) and storage.exists(stem):
        what = "it is there, but neither a Measurement Set (table.dat) nor a Zarr set (zarr.json)"
        raise DataError(what, stem, "check data_set")


def _arrays(stem: str) -> str | None:
    """A Zarr set of that name."""
    urls = (f"{stem}.zarr", stem)
    return next((url for url in urls if storage.exists(f"{url}/zarr.json")), None)


def _table(stem: str) -> str | None:
    """A local Measurement Set of that name, or what is called like one."""
    if not storage.is_local(stem):
        return None
    if storage.exists(f"{stem}{MADE}"):
        return f"{stem}{MADE}"
    urls = (f"{stem}{suffix}" for suffix in SUFFIXES)
    return next((url for url in urls if storage.exists(f"{url}/table.dat")), None)


def _there(stem: str) -> bool:
    """Whether the data root has the set in one form or the other."""
    return _table(stem) is not None or _arrays(stem) is not None


def is_zarr(url: str) -> bool:
    """Whether a set is in Zarr form: all are that are not on this file system."""
    if url.rstrip("/").endswith(".zarr") or not storage.is_local(url):
        return True
    return not storage.exists(f"{url}/table.dat") and storage.exists(f"{url}/zarr.json")


def is_measurement_set(source: str) -> bool:
    """Whether a local folder holds a casacore table."""
    return storage.is_local(source) and storage.exists(f"{source.rstrip('/')}/table.dat")


def beside(url: str) -> tuple[str, ...]:
    """A warning where a Measurement Set is imaged because the Zarr set beside it is not whole."""
    path = storage.local_path(url)
    other = path.with_name(f"{path.name.removesuffix(MADE).removesuffix('.MS')}.zarr")
    if other == path or not other.exists() or (other / "zarr.json").exists():
        return ()
    return (
        f"{other.name} is there without its zarr.json, which is written last: {path.name} is "
        "imaged",
    )


def older(url: str) -> tuple[str, ...]:
    """A warning where the Measurement Set beside a Zarr set is not what that was made from."""
    stem = url.rstrip("/").removesuffix(".zarr")
    source = _table(stem) if stem != url.rstrip("/") else None
    if source is None or not storage.exists(f"{source}/table.dat"):
        return ()
    path, made = storage.local_path(source), storage.local_path(url)
    here = f"{made.name} is imaged: convert it again"
    attributes = json.loads((made / "zarr.json").read_bytes()).get("attributes", {})
    noted = attributes.get("spectrum_workflows", {}).get("job", {}).get("source", "")
    if not noted:
        newer = _changed(path) > (made / "zarr.json").stat().st_mtime_ns
        return (f"{path.name} is newer than {made.name}; {here} if the data changed",) * newer
    content, _, changed = noted.rpartition(" ")
    if content != structure(path):
        return (f"{path.name} is not the set that {made.name} was made from; {here}",)
    if _changed(path) > int(changed):
        what = f"{path.name} was written after {made.name} was made from it"
        return (f"{what}; {here} if the data changed",)
    return ()


def structure(path: Path) -> str:
    """Digest of a set's table description and of its files' names and sizes."""
    sizes = [(str(file.relative_to(path)), file.stat().st_size) for file in _files(path)]
    described = (path / "table.dat").read_bytes() + json.dumps(sorted(sizes)).encode()
    return f"{hashlib.sha256(described).hexdigest()} {sum(size for _, size in sizes)}"


def stamp(source: str) -> str:
    """Structure of a set's files and the time of their last change."""
    path = storage.local_path(source)
    return f"{structure(path)} {_changed(path)}"


def _changed(path: Path) -> int:
    """When a file of a set was last written, ns."""
    return max(file.stat().st_mtime_ns for file in _files(path))


def _files(path: Path) -> Iterator[Path]:
    """A set's files, without those that come and go."""
    return (file for file in path.rglob("*") if file.is_file() and file.name != "table.lock")
