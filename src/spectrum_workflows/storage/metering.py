"""Bytes that were read, by store, and copies that stood in, counted per thread."""

from __future__ import annotations

import threading
from collections import Counter as Sums
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from spectrum_workflows.replicas import Replica
from spectrum_workflows.storage.options import current_stores
from spectrum_workflows.storage.urls import is_local, shown

LOCAL, UNKNOWN = "local files", "unknown store"


@dataclass
class Counter:
    """Bytes read while it was the innermost counter of its thread.

    ``copies`` are the roots of copies that were read in place of what was planned, ``replicas``
    what was read there, and ``themselves`` the inputs with copies that were read all the same;
    ``remarks`` are for the record;
    ``by_store`` has the bytes of each store, which sum up to ``bytes_read``; ``between``, where
    several sites compute together, those that are counted here by the site where they lay and
    the one that read them.
    """

    bytes_read: int = 0
    by_store: dict[str, int] = field(default_factory=dict)
    copies: set[str] = field(default_factory=set)
    replicas: set[Replica] = field(default_factory=set)
    themselves: set[str] = field(default_factory=set)
    remarks: set[str] = field(default_factory=set)
    between: Sums[tuple[str, str]] = field(default_factory=Sums)


@dataclass
class _Local(threading.local):
    counter: Counter | None = None
    url: str = ""


_local = _Local()


@contextmanager
def metering() -> Iterator[Counter]:
    """Count the bytes that are read inside the block, in this thread."""
    before, counter = _local.counter, Counter()
    _local.counter = counter
    try:
        yield counter
    finally:
        _local.counter = before
        if before is not None:
            count_stores(counter.by_store.items())
            before.copies |= counter.copies
            before.replicas |= counter.replicas
            before.themselves |= counter.themselves
            before.remarks |= counter.remarks
            before.between += counter.between


@contextmanager
def reading_from(url: str) -> Iterator[None]:
    """Let bytes that are counted inside the block, in this thread, be those of a URL's store."""
    before, _local.url = _local.url, url
    try:
        yield
    finally:
        _local.url = before


def store_of(url: str) -> str:
    """The store of a URL: its server, with the bucket where there is one; without any secret.

    >>> store_of("root://eospublic.cern.ch//eos/file.root")
    'root://eospublic.cern.ch'
    >>> store_of("s3://bucket/data/file.root")
    's3://bucket'
    >>> store_of("data/file.root")
    'local files'
    """
    if not url:
        return UNKNOWN
    return LOCAL if is_local(url) else "/".join(shown(url).split("/", 3)[:3])


def count(nbytes: int, url: str = "") -> None:
    """Report bytes that were read, and where; for readers that do not read through `storage`."""
    url = url or _local.url
    count_stores([(store_of(url), nbytes)])
    stores = current_stores()
    if stores.here and url and _local.counter is not None:
        _local.counter.between[stores.site_of(stores.nearest(url)), stores.here] += nbytes


def count_stores(stores: Iterable[tuple[str, int]]) -> None:
    """Report bytes that were read elsewhere, by store."""
    if _local.counter is not None:
        for store, nbytes in stores:
            _local.counter.bytes_read += nbytes
            _local.counter.by_store[store] = _local.counter.by_store.get(store, 0) + nbytes


def note_copy(root: str, replica: Replica) -> None:
    """Report that a copy below this root was read in place of what was planned."""
    if _local.counter is not None:
        _local.counter.copies.add(root)
        _local.counter.replicas.add(replica)


def note_itself(planned: str) -> None:
    """Report that an input that has copies was read."""
    if _local.counter is not None:
        _local.counter.themselves.add(planned)


def remark(text: str) -> None:
    """Report what the record of a run should say of how it went."""
    if _local.counter is not None:
        _local.counter.remarks.add(text)


def replicas_of(planned: str) -> tuple[Replica, ...]:
    """What was read so far in the place of an input, as far as it is counted here."""
    noted = _local.counter.replicas if _local.counter is not None else ()
    return tuple(sorted(replica for replica in noted if replica.planned == planned))
