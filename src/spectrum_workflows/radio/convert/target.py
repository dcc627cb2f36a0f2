"""A Zarr set that is being written: chunks first, every word about them last.

Chunks are encoded by zarr-python in memory and stored as whole objects under
their final names, so that an object that is there is complete, on a file
system and in an object store alike.  Metadata are written when all chunks are
there, the root's (with the consolidated metadata) as the last object: before
that nothing can open the set.  ``conversion.json`` says meanwhile what is being
converted; it is removed at the end.
"""

from __future__ import annotations

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.errors import UnstableSpecificationWarning, ZarrUserWarning
from zarr.storage import MemoryStore

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.msv4.checksums import NAME, ROOT, checksum, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr
    from numpy.typing import NDArray

    from spectrum_workflows.radio.convert.schema import Variable

NOTE = "conversion.json"
TOGETHER = 8
"""Objects that are stored at the same time."""


@dataclass
class Target:
    """Set that is being written: its place, what is there already, and what waits in memory.

    Attributes
    ----------
    url : str
    names : set of str
        Names of the objects below ``url``.
    objects : dict
        Metadata and small arrays, written by `commit`, by their names.
    arrays : dict
        The large arrays, by their names; their chunks pass through ``objects``.
    nbytes : int
        Bytes stored so far by this process.
    checksums : dict
        Of all objects it has stored.
    """

    url: str
    names: set[str]
    objects: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, zarr.Array[Any]] = field(default_factory=dict)
    nbytes: int = 0
    checksums: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, region: tuple[slice, ...], values: NDArray[Any]) -> None:
        """Store a part of a large array that consists of whole chunks."""
        self.arrays[name][region] = values
        self._flush(key for key in list(self.objects) if key.startswith(f"{name}/c/"))

    def add(self, group: str, described: xr.Dataset) -> None:
        """Keep small arrays and attributes until the commit."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnstableSpecificationWarning)  # text; as xradio writes
            described.to_zarr(
                self._store(), group=group, zarr_format=3, consolidated=False, mode="a"
            )

    def create(
        self, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], variable: Variable
    ) -> None:
        """Declare a large array; each chunk ends in a checksum and is stored even if empty."""
        self.arrays[name] = zarr.create_array(
            self._store(),
            name=name,
            shape=shape,
            chunks=chunks,
            dtype=variable.dtype,
            fill_value=variable.fill,
            dimension_names=variable.dims,
            attributes=variable.attributes,
            compressors=[BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"), Crc32cCodec()],
            config={"write_empty_chunks": True},
        )

    def commit(self, attributes: dict[str, Any]) -> None:
        """Write all metadata, the root's last: now the set can be opened."""
        root = zarr.open_group(self._store(), mode="a")
        root.attrs.update(attributes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ZarrUserWarning)  # so are consolidated metadata
            warnings.simplefilter("ignore", UnstableSpecificationWarning)
            zarr.consolidate_metadata(self._store())
        self._flush(key for key in list(self.objects) if key != ROOT)
        for leftover in (key for key in self.names if key.endswith(".part")):
            storage.remove(storage.join(self.url, leftover))
        self._list()
        self._flush([ROOT])
        storage.remove(storage.join(self.url, NOTE))

    def _list(self) -> None:
        """Write the checksums of all objects; what an earlier call had stored is read again."""
        stores = storage.current_stores()

        def read(name: str) -> str:
            with storage.using(stores):
                return checksum(storage.read_bytes(storage.join(self.url, name)))

        kept = {name for name in self.names if "/c/" in name and not name.endswith(".part")}
        names = sorted(kept - self.checksums.keys())
        with ThreadPoolExecutor(TOGETHER) as pool:
            self.checksums |= dict(zip(names, pool.map(read, names), strict=True))
        self.checksums[ROOT] = checksum(self.objects[ROOT].to_bytes())
        listed = encode(self.checksums)
        storage.write_bytes(storage.join(self.url, NAME), listed)
        self.nbytes += len(listed)

    def _store(self) -> MemoryStore:
        return MemoryStore(store_dict=self.objects)

    def _flush(self, keys: Iterable[str]) -> None:
        """Move objects from memory to their place."""
        stores = storage.current_stores()

        def move(key: str) -> tuple[str, int]:
            data = self.objects[key].to_bytes()
            with storage.using(stores):
                storage.write_bytes(storage.join(self.url, key), data)
            return checksum(data), len(data)

        names = list(keys)
        with ThreadPoolExecutor(TOGETHER) as pool:
            for name, (digest, nbytes) in zip(names, pool.map(move, names), strict=True):
                self.checksums[name] = digest
                self.nbytes += nbytes
        for name in names:
            del self.objects[name]


def begun(url: str, job: dict[str, Any], *, overwrite: bool) -> Target | None:
    """Begin a conversion, or take up the one that was interrupted.

    Parameters
    ----------
    url : str
        The set to be written.
    job : dict
        What is converted and how, without the time; JSON.
    overwrite : bool
        Remove whatever else is there.

    Returns
    -------
    Target or None
        None if that very conversion is complete.

    Raises
    ------
    DataError
        Something else is there.
    """
    complete = storage.exists(storage.join(url, ROOT))
    note = storage.join(url, NOTE)
    before = _described(note) if storage.exists(note) else None
    if complete and not overwrite and converted_from(url) == job:
        return None
    if not complete and before == job:
        return Target(url, _names(url))
    if complete or before is not None:
        if not overwrite:
            message = "another set is here" if complete else "another conversion was begun here"
            raise DataError(message, url, "--overwrite replaces it")
        _removed(url)
    elif _names(url):
        raise DataError("something else is here", url, "choose another name")
    storage.write_bytes(note, json.dumps(job, indent=1).encode())
    return Target(url, {NOTE})


def converted_from(url: str) -> dict[str, Any] | None:
    """The job that a complete set says it comes from."""
    value: Any = _described(storage.join(url, ROOT))
    for name in ("attributes", "spectrum_workflows", "job"):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None


def _described(url: str) -> dict[str, Any]:
    """The words of an object; none of one that is damaged, or is something else."""
    try:
        value = json.loads(storage.read_bytes(url))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _removed(url: str) -> None:
    """Remove all but the note, which says so meanwhile; first what makes it readable."""
    storage.write_bytes(storage.join(url, NOTE), b'{"removing": true}')
    storage.remove(storage.join(url, ROOT))
    for name in {key.partition("/")[0] for key in _names(url)} - {NOTE}:
        storage.remove(storage.join(url, name))


def _names(url: str) -> set[str]:
    """Objects below a URL, relative to it."""
    prefix = storage.locate(url)[1].rstrip("/") + "/"
    return {path.rpartition(prefix)[2] for path in storage.files_below(url)}
