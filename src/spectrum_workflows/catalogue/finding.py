"""Lookup of catalogue entries, and the choice of a replica for each file.

The file below the data root comes first, as `fetching.fetch` leaves it there;
then the replicas in the order of the site's ``replicas``, and otherwise in the
catalogue's.  `storage` tries each with a back-off before the next one is taken,
and takes another where one fails in the middle of a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from spectrum_workflows import shipped, storage
from spectrum_workflows.catalogue.entries import PREFIX, Catalogue, CatalogueEntry, CatalogueFile
from spectrum_workflows.catalogue.trusting import distrust
from spectrum_workflows.errors import (
    AccessError,
    DataError,
    DataNotFoundError,
    SpecError,
    StoreError,
)
from spectrum_workflows.specs import closest, parse, read_toml

FILE = "catalogue.toml"
ARCHIVES = (".tgz", ".tar.gz", ".tar")


@dataclass(frozen=True)
class Located:
    """Place where a file of a spec is read, with what is published of it.

    Attributes
    ----------
    url : str
        Where it is read first.
    checksum : str
        As it was published, if it was.
    events : int or None
        Events in it, if that is published.
    replicas : tuple of str
        All URLs of a file of a data set, in this site's order; empty elsewhere.
    """

    url: str
    checksum: str = ""
    events: int | None = None
    replicas: tuple[str, ...] = ()


def catalogue(data: str = "") -> dict[str, CatalogueEntry]:
    """All entries: those that come with the package, then those of the data root.

    Parameters
    ----------
    data : str
        Data root; a ``catalogue.toml`` there adds entries, or replaces some.  Where it stands for
        those of several sites, the first that has an entry of a name counts.

    Raises
    ------
    SpecError
        A catalogue is not valid.
    """
    entries: dict[str, CatalogueEntry] = {}
    for name, own in every_entry(data):
        entries.setdefault(name, own)
    return entries


def every_entry(data: str = "") -> tuple[tuple[str, CatalogueEntry], ...]:
    """Names and entries; several of one name where the data roots of several sites differ.

    Raises
    ------
    SpecError
        A catalogue is not valid.
    """
    entries: dict[str, CatalogueEntry] = {}
    for path in sorted(shipped.folder("workflows").glob(f"*/{FILE}")):
        entries |= _read(str(path))
    files = [storage.urls.join(root, FILE) for root in storage.data_roots(data) if root]
    own = [pair for file in files if storage.exists(file) for pair in _read(file).items()]
    replaced = {name for name, _ in own}
    kept = [pair for pair in entries.items() if pair[0] not in replaced]
    return tuple(dict.fromkeys((*kept, *own)))


def entry(name: str, data: str = "") -> CatalogueEntry:
    """One entry, with or without the prefix.

    Raises
    ------
    SpecError
        There is no such entry; the closest is named.
    """
    known = catalogue(data)
    name = name.removeprefix(PREFIX)
    if name not in known:
        raise SpecError(f"no entry {name!r} in the catalogue", remedy=closest(name, list(known)))
    return known[name]


def places(reference: str, data: str) -> list[str]:
    """URLs below the data root of what a spec names; nothing is opened but catalogues."""
    if not reference.startswith(PREFIX):
        return [storage.below(data, reference)]
    return [storage.join(data, file.name) for file in entry(reference, data).files]


def located(reference: str, data: str) -> list[Located]:
    """The places to read what a spec names: a file, or all files of an entry.

    Raises
    ------
    SpecError
        There is no such entry.
    DataNotFoundError
        No replica has the file, or none answers; all are named.
    """
    if not reference.startswith(PREFIX):
        return [Located(storage.below(data, reference))]
    catalogue_entry = entry(reference, data)
    counted = _counted(
        catalogue_entry, [file for file in catalogue_entry.files if file.events is not None], data
    )
    return [
        Located(
            _first(catalogue_entry, file, data) if file.events is None else next(counted),
            file.checksum or "",
            file.events,
        )
        for file in catalogue_entry.files
    ]


def _counted(found: CatalogueEntry, files: Sequence[CatalogueFile], data: str) -> Iterator[str]:
    """Where files are whose events are known: one answer of a replica speaks for the others.

    So that thousands of files can be planned without asking for each.
    """
    local, replica = storage.is_local(data), ""
    for file in files:
        here = storage.join(data, file.name)
        if replica and not (local and storage.exists(here)):
            yield storage.join(replica, file.name)
            continue
        url = _first(found, file, data)
        if url != here or not local:
            replica = url.removesuffix(f"/{file.name}")
        yield url


SET_ENDINGS = (".ms", ".MS", ".zarr")
"""How names of data sets end; a spec leaves them out."""


def stems(reference: str, data: str) -> list[str]:
    """URLs, without suffix, under which a data set may lie, in order."""
    if not reference.startswith(PREFIX):
        return [storage.join(root, reference) for root in storage.data_roots(data)]
    catalogue_entry = entry(reference, data)
    name = set_name(catalogue_entry.files[0].name)
    for ending in SET_ENDINGS:
        name = name.removesuffix(ending)
    roots = [*storage.data_roots(data), *ordered(catalogue_entry.replicas)]
    return [storage.join(root, name) for root in roots]


def published(data: str = "") -> dict[str, str]:
    """The entry that a name below the data root belongs to, by the name without its endings."""
    return {
        plain_name(file.name): name
        for name, found in catalogue(data).items()
        for file in found.files
    }


def plain_name(name: str) -> str:
    """The name of a file or set without the endings of archives and forms.

    >>> plain_name("3c391.ms.tgz"), plain_name("3c391.zarr"), plain_name("Run2012B.root")
    ('3c391', '3c391', 'Run2012B')
    """
    name = set_name(name)
    for ending in (*SET_ENDINGS, ".root"):
        name = name.removesuffix(ending)
    return name


def set_name(name: str) -> str:
    """The name of what an archive holds."""
    for ending in ARCHIVES:
        name = name.removesuffix(ending)
    return name


def ordered(replicas: Sequence[str]) -> list[str]:
    """Replicas in the order in which this site wants them."""
    prefixes = storage.current_stores().replicas

    def place(url: str) -> int:
        return next(
            (n for n, prefix in enumerate(prefixes) if url.startswith(prefix)), len(prefixes)
        )

    return sorted(replicas, key=place)


def copies(references: Iterable[str], data: str = "") -> tuple[tuple[str, ...], ...]:
    """Remote roots below which the same files lie, entry by entry, in this site's order.

    Not of Zarr sets: their objects are read one by one, and two replicas that
    were converted at different times must not be mixed.
    """
    replica_roots = []
    for name in references:
        named = entry(name, data)
        if any(file.name.endswith(".zarr") for file in named.files):
            continue
        roots = [root for root in ordered(named.replicas) if not storage.is_local(root)]
        replica_roots.append(tuple(root.rstrip("/") for root in roots))
    return tuple(roots for roots in replica_roots if len(roots) > 1)


def candidates(found: CatalogueEntry, file: CatalogueFile) -> Iterator[str]:
    """URLs of a file's replicas, in order."""
    for replica in ordered(found.replicas):
        yield storage.join(replica, file.name)


def _first(found: CatalogueEntry, file: CatalogueFile, data: str) -> str:
    errors = []
    for url in (storage.join(data, file.name), *candidates(found, file)):
        try:
            if storage.exists(url):
                _check_here(file, url)
                return url
            errors.append(f"{storage.shown(url)}: not there")
        except (AccessError, StoreError) as error:
            errors.append(str(error))
    raise DataNotFoundError(
        f"no replica can be read ({'; '.join(errors)})", file.name, "try spectrum data fetch"
    )


def _check_here(file: CatalogueFile, url: str) -> None:
    """Refuse a file below a local data root that is no longer what was fetched."""
    if not storage.is_local(url) or not storage.local_path(url).is_file():
        return
    if fault := distrust(file, storage.local_path(url)):
        raise DataError(fault, url, "spectrum data fetch brings it again")


def _read(url: str) -> dict[str, CatalogueEntry]:
    table = read_toml(storage.read_bytes(url), where=url)
    return parse(Catalogue, table, where=url).entries
