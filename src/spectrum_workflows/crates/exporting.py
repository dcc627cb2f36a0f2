"""A saved run as one zip file, the same bytes wherever and whenever it is made."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from spectrum_workflows import storage
from spectrum_workflows.crates import layout
from spectrum_workflows.crates.reading import opened
from spectrum_workflows.errors import DataError, OutputError, SpecError
from spectrum_workflows.record.writing import RECORD
from spectrum_workflows.sites import Site, load_site

BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The time of every file of an archive: the earliest that the format knows."""
PIECE = 8 << 20


def export(run: str, archive: str, *, site: Site | str | None = None) -> str:
    """Write a saved run into a zip file: result, record, and all that asks its question again.

    Input data is not in it, but the identity of each is.  Files are stored as they are, in the
    order of their names, without times: the same run gives the same bytes.

    Parameters
    ----------
    run : str
        Folder of a saved run, on this file system or in a store.
    archive : str
        The zip file to be made, here or in a store.
    site : Site or str, optional
        Whose storage options reach a URL: a profile, or its name; the default site's,
        if left out.

    Returns
    -------
    str
        URL of the archive.

    Raises
    ------
    DataNotFoundError
        There is no finished run in the folder.
    DataError
        What is there is damaged, or was saved without a description of its own.
    SpecError
        The archive's name does not end in ``.zip``.
    OutputError
        There is a file of that name, or none can be written there.
    """
    if not archive.lower().endswith(".zip"):
        raise SpecError("not the name of a zip file", archive, "give a name that ends in .zip")
    stores = storage.current_stores()
    if site is not None or not (storage.is_local(run) and storage.is_local(archive)):
        stores = (site if isinstance(site, Site) else load_site(site)).stores
    with storage.using(stores), opened(run) as crate:
        if bad := crate.damaged:
            raise DataError(f"{', '.join(bad)} is not what was recorded", run, "run it again")
        if not crate.has(layout.METADATA):
            remedy = "run it again with this version"
            raise DataError(f"it was saved without {layout.METADATA}", run, remedy)
        if storage.exists(archive):
            raise OutputError("there is a file of that name", archive, "give another name")
        names = sorted(entry["name"] for entry in crate.record["objects"])
        with TemporaryDirectory(prefix="spectrum-export-") as scratch:
            path = Path(scratch, "crate.zip")
            _pack(storage.local_path(crate.folder), [layout.METADATA, RECORD, *names], path)
            storage.put_file(path, archive)
    return archive


def _pack(folder: Path, names: list[str], path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
        for name in dict.fromkeys(names):
            member = zipfile.ZipInfo(name, BEGINNING)
            member.create_system, member.external_attr = 3, 0o644 << 16
            source = (folder / name).open("rb")
            with source, packed.open(member, "w", force_zip64=True) as target:
                while piece := source.read(PIECE):
                    target.write(piece)
