"""Zarr sets by their URL, and whether one is older than what it was made from."""

from __future__ import annotations

import json

from spectrum_workflows import storage
from spectrum_workflows.radio.read.msv2 import files


def locate(stem: str) -> str | None:
    """A Zarr set of that name."""
    urls = (f"{stem}.zarr", stem)
    return next((url for url in urls if storage.exists(f"{url}/zarr.json")), None)


ONE_FILE = (".uvfits", ".uvf", ".fits", ".uvh5", ".h5", ".hdf5")
"""How the names of sets end, in small letters, that are one file."""


def is_zarr(url: str) -> bool:
    """Whether a set is in Zarr form, as sets in a store are whose name does not say otherwise."""
    name = url.rstrip("/").lower()
    if name.endswith(".zarr") or (not storage.is_local(url) and not name.endswith(ONE_FILE)):
        return True
    return not storage.exists(f"{url}/table.dat") and storage.exists(f"{url}/zarr.json")


def older(url: str) -> tuple[str, ...]:
    """A warning where the Measurement Set beside a Zarr set is not what that was made from."""
    stem = url.rstrip("/").removesuffix(".zarr")
    source = files.locate(stem) if stem != url.rstrip("/") else None
    if source is None or not storage.exists(f"{source}/table.dat"):
        return ()
    path, made = storage.local_path(source), storage.local_path(url)
    here = f"{made.name} is imaged: convert it again"
    attributes = json.loads((made / "zarr.json").read_bytes()).get("attributes", {})
    noted = attributes.get("spectrum_workflows", {}).get("job", {}).get("source", "")
    if not noted:
        newer = files.changed(path) > (made / "zarr.json").stat().st_mtime_ns
        return (f"{path.name} is newer than {made.name}; {here} if the data changed",) * newer
    content, _, changed = noted.rpartition(" ")
    if content != files.structure(path):
        return (f"{path.name} is not the set that {made.name} was made from; {here}",)
    if files.changed(path) > int(changed):
        message = f"{path.name} was written after {made.name} was made from it"
        return (f"{message}; {here} if the data changed",)
    return ()
