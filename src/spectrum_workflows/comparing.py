"""Whether copies of an input at several sites hold the same bytes: each is hashed where it lies."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.engine.federation import Federation, Member
from spectrum_workflows.errors import AccessError, DataError, SpectrumError, StoreError
from spectrum_workflows.storage import Stores

BLOCK = 8 << 20
"""Bytes of an input that are read at a time."""

KEPT = "copies.json"
"""Below the folder of what is known: hashes of inputs that lie at several sites, by version."""

LOOK_EVERY = 0.05
"""Seconds after which it is looked whether a site has made a hash."""


def equal_copies(
    sites: Federation,
    candidates: Mapping[str, tuple[str, ...]],
    *,
    known: str,
    compare: bool,
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """What holds the same bytes as an input, of what has its name elsewhere, and warnings.

    Parameters
    ----------
    sites : Federation
    candidates : mapping of str to tuple of str
        By the URL of the input.
    known : str
        Folder of the hashes of earlier runs; empty for none.
    compare : bool
        Whether hashes are made that are not there.

    Raises
    ------
    DataError
        Two sites hold different bytes under one name.
    """
    hashes = _Hashes(sites, known)
    pairs = [
        (url, other)
        for url, others in candidates.items()
        for other in others
        if _have_one_size(url, other)
    ]
    if compare:
        hashes.make({u for pair in pairs for u in pair})
    agreed = {pair for pair in pairs if hashes.agree(*pair)}
    equal = {
        url: tuple(other for other in others if (url, other) in agreed)
        for url, others in candidates.items()
    }
    return equal, hashes.warnings


def _have_one_size(url: str, other: str) -> bool:
    """Whether two inputs may hold the same bytes.

    What a store does not let us compare, such as a folder of a web server, is none.
    """
    try:
        sizes = [_file_size(u) for u in (url, other)]
    except (AccessError, StoreError):
        return False
    if sizes[0] != sizes[1]:
        raise _differ(url, other, f" ({sizes[0]:,} and {sizes[1]:,} bytes)")
    return True


def _differ(url: str, other: str, detail: str = "") -> DataError:
    return DataError(
        f"two sites hold different bytes under one name{detail}: here, and at "
        f"{storage.shown(other)}",
        storage.shown(url),
        "copy the right one over the other, or remove one of them",
    )


class _Hashes:
    """Hashes of inputs, kept by the input's version."""

    def __init__(self, sites: Federation, known: str) -> None:
        self.sites = sites
        self.url = storage.join(known, KEPT) if known else ""
        self.kept: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.warnings: list[str] = []
        if self.url:
            with suppress(SpectrumError, OSError, ValueError):
                self.kept = json.loads(storage.read_bytes(self.url))

    def make(self, urls: Iterable[str]) -> None:
        """Make what is not known, and write it down."""
        missing = [url for url in sorted(urls) if (key := self._key(url)) and key not in self.kept]
        made, self.warnings = _hashed(self.sites, missing)
        self.kept |= {self._key(url): value for url, value in made.items()}
        if made and self.url:
            with suppress(SpectrumError, OSError):
                storage.write_bytes(self.url, json.dumps(self.kept, indent=1).encode())

    def agree(self, url: str, other: str) -> bool:
        """Whether two inputs are known to hold the same bytes."""
        mine, theirs = (self.kept.get(self._key(u), "") for u in (url, other))
        if not mine or not theirs:
            return False
        if mine != theirs:
            raise _differ(url, other)
        return True

    def _key(self, url: str) -> str:
        """An input's name and version; empty where its store does not tell."""
        if url not in self.keys:
            self.keys[url] = ""
            with suppress(AccessError, StoreError):
                version = storage.stamp_below(url) or storage.stamp(url)
                self.keys[url] = f"{storage.shown(url)} {version}"
        return self.keys[url]


def _hashed(sites: Federation, urls: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Hashes of inputs, made by workers of the sites where they lie, of all sites at a time.

    A site is waited for as long as it lives.  This process reads what lies at no site that is
    there, or what the site's worker cannot read: then a warning says so.  What it cannot read
    either is left out.
    """
    hashes, warnings = dict[str, str](), list[str]()
    under_way = [_Hashing(url, _holding(sites, url)) for url in urls]
    try:
        for one in under_way:
            one.begin()
        while under_way:
            for one in [one for one in under_way if one.has_ended()]:
                under_way.remove(one)
                if one.at is not None:
                    hashes[one.url] = str(one.future.result())
                    continue
                if one.reason:
                    text = f"hashed by the session, not where it lies ({one.reason})"
                    warnings.append(f"{storage.shown(one.url)}: {text}")
                with suppress(AccessError, StoreError):
                    hashes[one.url] = content_hash(one.url, storage.current_stores())
            if under_way:
                time.sleep(LOOK_EVERY)
    finally:
        for one in under_way:
            one.cancel()
    return hashes, warnings


def _holding(sites: Federation, url: str) -> list[Member]:
    """Sites that are there at which an input lies."""
    at = sites.members[0].stores.sites_of(url)
    return [member for member in sites.alive if member.name in at]


@dataclass
class _Hashing:
    """The hash of an input in the making.

    Attributes
    ----------
    url : str
    left : list of Member
        Sites that hold it, and have not been asked.
    reason : str
        Why the session makes it where no site does; empty where it is the site.
    future : distributed.Future or None
    at : Member or None
        Who makes it; ``None`` is the session.
    """

    url: str
    left: list[Member]
    reason: str = "no site that is there holds it"
    future: Any = None
    at: Member | None = None

    def begin(self) -> None:
        """Ask the next site."""
        self.at = None
        if not self.left:
            return
        member = self.left.pop(0)
        if member.client is None:
            self.left, self.reason = [], ""
            return
        try:
            self.future = member.client.submit(content_hash, self.url, member.stores, pure=False)
            self.at = member
        except Exception as error:  # the client was closed
            self._go_on(member, error)

    def has_ended(self) -> bool:
        """Whether nobody is waited for any more; a site that has failed leaves it to the next."""
        if self.at is None or self.future.status == "finished":
            return True
        if self.future.done():
            error = self.future.exception() if self.future.status == "error" else None
            self._go_on(self.at, error or SpectrumError("its client was closed"))
        elif (fault := self.at.fault(TimeoutError())) is not None:
            self.cancel()
            self._go_on(self.at, fault)
        return self.at is None

    def cancel(self) -> None:
        """Let the site leave it."""
        if self.at is not None:
            with suppress(Exception):
                self.future.cancel()

    def _go_on(self, member: Member, error: BaseException) -> None:
        cause = " ".join(str(getattr(error, "what", "") or error or type(error).__name__).split())
        self.reason = f"{member.name}: {cause}"
        self.begin()


def _file_size(url: str) -> int:
    """Of a folder none: its locks come and go."""
    described = storage.info(url)
    return 0 if described["type"] == "directory" else int(described["size"] or 0)


def content_hash(url: str, stores: Stores) -> str:
    """SHA-256 of a file, or of all files of a folder with their names; locks are no content."""
    digest = hashlib.sha256()
    with storage.using(stores):
        folder = storage.info(url)["type"] == "directory"
        files = storage.files_below(url) if folder else [url]
        for file in files:
            if file.endswith(".lock"):
                continue
            digest.update(file.rpartition(url.rstrip("/"))[2].encode() + b"\0")
            with storage.open_read(file) as content:
                while block := content.read(BLOCK):
                    digest.update(block)
    return digest.hexdigest()
