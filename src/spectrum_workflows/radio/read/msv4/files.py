"""Zarr sets by their URL, and whether one is older than what it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spectrum_workflows import storage
from spectrum_workflows.radio.read.msv2 import files
from spectrum_workflows.radio.read.suffixes import ONE_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping


def locate(stem: str) -> str | None:
    """A Zarr set of that name."""
    urls = (f"{stem}.zarr", stem)
    return next((url for url in urls if storage.exists(f"{url}/zarr.json")), None)


def is_zarr(url: str) -> bool:
    """Whether a set is in Zarr form, as sets in a store are whose name does not say otherwise."""
    name = url.rstrip("/").lower()
    if name.endswith(".zarr") or (not storage.is_local(url) and not name.endswith(ONE_FILE)):
        return True
    return not storage.exists(f"{url}/table.dat") and storage.exists(f"{url}/zarr.json")


def older(url: str, attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """A warning where the set beside a Zarr set, or at its source's place, is not its source.

    Parameters
    ----------
    url : str
        The Zarr set.
    attributes : mapping
        Of its root: where ``spectrum data convert`` made it from what, if that made it.
    """
    noted = attributes.get("spectrum_workflows", {})
    made = url.rstrip("/").rpartition("/")[2]
    here = f"{made} is imaged: convert it again"
    source = _source(url, str(noted.get("source", "")))
    if source is None:
        return ()
    path, was = storage.local_path(source), str(noted.get("job", {}).get("source", ""))
    if not files.is_measurement_set(source):
        same = made_from(source)["source_written"] == noted.get("source_written", "")
        return () if same else (f"{path.name} is not the file that {made} was made from; {here}",)
    if not was:
        if not storage.is_local(url):
            return ()
        metadata = storage.local_path(url) / "zarr.json"
        newer = files.changed(path) > metadata.stat().st_mtime_ns
        return (f"{path.name} is newer than {made}; {here} if the data changed",) * newer
    content, _, changed = was.rpartition(" ")
    if content != files.structure(path):
        return (f"{path.name} is not the set that {made} was made from; {here}",)
    if files.changed(path) > int(changed):
        message = f"{path.name} was written after {made} was made from it"
        return (f"{message}; {here} if the data changed",)
    return ()


def made_from(source: str) -> dict[str, str]:
    """What a Zarr set notes of where its source was, and of a file there, to be compared later."""
    if not storage.is_local(source):
        return {"source": storage.shown(source)}
    path = storage.local_path(source).resolve()
    if not path.is_file():
        return {"source": str(path)}
    state = path.stat()
    return {"source": str(path), "source_written": f"{state.st_size} {state.st_mtime_ns}"}


def _source(url: str, noted: str) -> str | None:
    """What a Zarr set may have been made from: the Measurement Set beside it, or where it was."""
    stem = url.rstrip("/").removesuffix(".zarr")
    beside = files.locate(stem) if stem != url.rstrip("/") else None
    if beside is not None and files.is_measurement_set(beside):
        return beside
    return noted if noted and storage.is_local(noted) and storage.exists(noted) else None
