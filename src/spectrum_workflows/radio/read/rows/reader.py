"""The reader of a format whose files are rows, of what is its own: names, signature, opening."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.radio.read.reader import Reader
from spectrum_workflows.radio.read.rows import imaging, listing

if TYPE_CHECKING:
    from spectrum_workflows.radio.read.inventory import Inventory
    from spectrum_workflows.radio.read.rows.rowfile import RowFile


def row_reader(
    name: str,
    *,
    suffixes: tuple[str, ...],
    begins: Callable[[str], bool],
    opened: Callable[[str], RowFile],
) -> Reader:
    """A reader, in any store.

    Parameters
    ----------
    name : str
        Of the format.
    suffixes : tuple of str
        How the names of its files end, the empty one last.
    begins : callable
        ``begins(url)``: whether the file there begins as those of the format do.
    opened : callable
        ``opened(url)``: the file, or a `DataError`.
    """

    def recognises(url: str) -> bool:
        return _may_be(url, suffixes) and begins(url)

    def locate(stem: str) -> str | None:
        return next((f"{stem}{end}" for end in suffixes if recognises(f"{stem}{end}")), None)

    def inventory(url: str) -> Inventory:
        return listing.inventory(opened(url))

    return Reader(
        name=name,
        remote=True,
        locate=locate,
        recognises=recognises,
        describe=partial(imaging.describe, opened),
        fields=partial(imaging.fields, opened),
        coordinates=partial(imaging.coordinates, opened),
        inventory=inventory,
        read=partial(imaging.read, opened),
    )


def _may_be(url: str, suffixes: tuple[str, ...]) -> bool:
    """Whether it is worth a look: a store is not asked about every name."""
    if storage.is_local(url):
        return storage.local_path(url).is_file()
    return url.rstrip("/").lower().endswith(suffixes[:-1])
