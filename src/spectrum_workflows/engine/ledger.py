"""A ledger: finished subtrees of a reduction, kept in a store, so that no run computes them twice.

A folder holds what is known of one question: the values of nodes of the merge tree, each in an
object of its own, with a hash over all of it.  When a node is finished that is made of others,
it takes their place, so the objects stay few.  Whatever is damaged, was made of other input, or
is not there is computed.  Two runs of one question write the same values under the same names.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows import display, storage
from spectrum_workflows.ambient import Ambient
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.parts import Part, source_of
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.replicas import Replica

R = TypeVar("R")
T = TypeVar("T")
U = TypeVar("U")

MAGIC = b"spectrum-workflows ledger 1\n"
SUFFIX = ".entry"

SKIMS, CONTENT = "skims", "content.json"
"""Beside the ledgers: folder of what runs have left to be read instead of their input, and what
every folder in it says of itself."""

MOST_WAITING = 32
"""Nodes that wait to be written; of more, the smallest are left out."""

READERS, FEW = 16, 4
"""Entries that are read at a time, where there are not just a few."""

LAST_WORDS = 10.0
"""Seconds that the end of a run waits for what is being written."""

_DAMAGED = (SpectrumError, OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Written:
    """A value as arrays and as what JSON holds.

    Attributes
    ----------
    arrays : mapping of str to ndarray
        None of objects.
    words : object
        Ready for JSON.
    compressed : bool
        Whether that is worth its time.
    """

    arrays: Mapping[str, NDArray[Any]]
    words: Any = None
    compressed: bool = True


@dataclass(frozen=True)
class Codec(Generic[R]):
    """How a value of neighbouring items is written and read back, to the bit.

    Attributes
    ----------
    write : callable
        ``write(value, items) -> Written``; of an input it keeps nothing but which of the items
        it is of, so that a copy elsewhere serves as well.
    read : callable
        ``read(written, items)``: the value; an error where it does not fit the items.
    """

    write: Callable[[R, Sequence[Any]], Written]
    read: Callable[[Written, Sequence[Any]], R]


@dataclass(frozen=True, order=True)
class Node:
    """A node of the merge tree: level 0 holds the items."""

    level: int
    index: int

    def above(self, level: int, fan_in: int) -> Node:
        """The node of a higher level that it is part of."""
        return Node(level, self.index // fan_in ** (level - self.level))

    def children(self, fan_in: int) -> Iterator[Node]:
        """The nodes that it is made of, and perhaps some that do not exist."""
        first = self.index * fan_in
        yield from (Node(self.level - 1, n) for n in range(first, first + fan_in))

    def span(self, fan_in: int) -> slice:
        """Its items."""
        width = fan_in**self.level
        return slice(self.index * width, (self.index + 1) * width)


def _look_again(urls: Iterable[str]) -> Mapping[str, str]:
    return storage.stamps_of(urls, hasty=True)


@dataclass(frozen=True)
class Ledger:
    """What is known of one question, and where.

    Attributes
    ----------
    folder : str
        URL; its name is the question's hash.
    stamps : mapping of str to str
        Version of every input by URL, as its store tells it.
    published : frozenset of str
        URLs of inputs whose content is known by a checksum, wherever they lie.
    about : mapping
        For people who list it: name of the spec, number of partitions.
    after : float
        Seconds that a run takes before it keeps anything.
    reading : bool
        Whether what is there is used.
    copies : mapping of str to tuple of str
        What is read in the place of inputs, by their URL; in ``stamps``, too.
    trusting : bool
        Whether an input elsewhere is taken for the same by its identity without a checksum.
    known : str
        URL of the folder of all that runs have left; empty where a science leaves nothing else.
    look : callable
        Gives the versions of inputs as they are now.
    seen : dict of str to str
        Versions of copies that were read when a store failed; empty of those of which two were.
    """

    folder: str
    stamps: Mapping[str, str]
    published: frozenset[str] = frozenset()
    about: Mapping[str, Any] = field(default_factory=dict)
    after: float = 30.0
    reading: bool = True
    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trusting: bool = False
    known: str = ""
    begun: float = field(default_factory=time.monotonic)
    look: Callable[[Iterable[str]], Mapping[str, str]] = _look_again
    seen: dict[str, str] = field(default_factory=dict)

    @property
    def remaining(self) -> float:
        """Seconds until the run has lasted long enough for its work to be kept."""
        return self.after - (time.monotonic() - self.begun)

    def doubt(self, urls: Iterable[str], replicas: Iterable[Replica] = ()) -> str:
        """Why inputs may be others than those that the run was planned with; empty if they are not.

        What was computed of one that was exchanged since must not be taken for the other's. Stores
        are asked for the versions, and for those of copies that were read in the place of inputs.

        Parameters
        ----------
        urls : iterable of str
            Inputs that were read.
        replicas : iterable of Replica
            What was read when a store failed.
        """
        read = [u for url in urls if url for u in (url, *self.copies.get(url, ()))]
        before = {url: self.stamps[url] for url in read if self.stamps.get(url)}
        for replica in replicas:
            if replica.version:
                before[replica.url] = replica.version
                if self.seen.setdefault(replica.url, replica.version) != replica.version:
                    self.seen[replica.url] = ""  # of no value can be said of which one it is
                    return f"{storage.shown(replica.url)} was exchanged while it was read"
        now = self.look(before)
        for url, version in before.items():
            if url in now and now[url] != version:
                return f"{storage.shown(url)} is not what it was when the run began"
        silent = next((url for url in before if url not in now), "")
        if silent:
            words = f"its store has it no more, refused, or was silent for {storage.HASTY:.0f} s"
            return f"{storage.shown(silent)}: {words}"
        return ""

    def accepts(
        self, sources: Mapping[str, str], items: Sequence[Any], replaced: Iterable[str] = ()
    ) -> bool:
        """Whether an entry that was made of some inputs may stand for these items.

        Parameters
        ----------
        sources : mapping of str to str
            URL and version of what it was made of.
        items : sequence
            What it would stand for; they are the same by the question's hash.
        replaced : iterable of str
            Inputs of which it was made by copies at other URLs.
        """
        urls, others = dict.fromkeys(source_of(item) for item in items), {*replaced}
        for url in urls:
            if url in others and not (self.trusting or url in self.published):
                return False
            if url in sources:
                if not sources[url] or sources[url] != self.stamps.get(url):
                    return False
            elif not (self.trusting or url in self.published):
                return False
        return True


_ledger: Ambient[Ledger | None] = Ambient("ledger", None)


def keeping(ledger: Ledger | None) -> AbstractContextManager[None]:
    """Let what is reduced inside the block be kept in a ledger, and taken from it."""
    return _ledger.set(ledger)


def current_ledger() -> Ledger | None:
    """The ledger in force here."""
    return _ledger.value


@dataclass
class Subtrees(Generic[R]):
    """The finished subtrees of one reduction: those that were there, and those to be written.

    Attributes
    ----------
    ledger : Ledger
    stage : str
        Of the run, which tells its reductions apart.
    items : tuple
        In the order in which they are merged.
    fan_in : int
    codec : Codec
    parts : dict of Node to Part
        What earlier runs had finished, none of them within another; no cost of this run.
    warnings : list of str
    """

    ledger: Ledger
    stage: str
    items: tuple[Any, ...]
    fan_in: int
    codec: Codec[R]
    parts: dict[Node, Part[R]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _written: set[Node] = field(default_factory=set)
    _early: dict[Node, Callable[[], Part[R]]] = field(default_factory=dict)
    _waiting: list[Future[None]] = field(default_factory=list)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="ledger")
    )
    _broken: bool = False
    _doubted: dict[Node, str] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    @property
    def resumed(self) -> int:
        """Items whose values are known already."""
        return sum(len(self.items[node.span(self.fan_in)]) for node in self.parts)

    def covers(self, node: Node) -> bool:
        """Whether a node is known, or is part of one that is."""
        top = max((known.level for known in self.parts), default=-1)
        levels = range(node.level, top + 1)
        return any(node.above(level, self.fan_in) in self.parts for level in levels)

    @property
    def is_time(self) -> bool:
        """Whether the run has lasted long enough for its work to be kept."""
        return self.ledger.remaining <= 0

    def load(self) -> None:
        """Look up what earlier runs had finished; the largest subtrees count."""
        damaged = 0
        try:
            names = entries(self.ledger.folder) if self.ledger.reading else {}
        except (SpectrumError, OSError) as error:
            self._give_up(error)
            return
        sizes = {node: size for url, size in names.items() if (node := self._node(url))}
        nodes = sorted(sizes)
        for _, level in groupby(reversed(nodes), lambda node: node.level):
            whole = [*level]
            covered = {node for node in whole if self.covers(node)}
            self._written |= covered
            fresh = [node for node in whole if node not in covered]
            tried = at_once(lambda node: self._tried(node, sizes[node]), fresh)
            for node, part in zip(fresh, tried, strict=True):
                damaged += isinstance(part, Exception)
                if isinstance(part, Part):
                    self.parts[node] = part
                    self._written.add(node)
        if damaged:
            some = f"{damaged} damaged {'entry' if damaged == 1 else 'entries'}"
            self.warnings.append(f"{some} of the ledger {self.ledger.folder}: computed again")

    def _tried(self, node: Node, size: int | None) -> Part[R] | Exception | None:
        """A node as it was kept, or why it cannot be used; nothing where it is of other input."""
        try:
            return self._read(node, size)
        except _DAMAGED as error:
            return error

    def offer(self, node: Node, value: Callable[[], Part[R]]) -> None:
        """Have a finished node written, once the run has lasted long enough; nobody waits for it.

        Parameters
        ----------
        node : Node
            Above the items.
        value : callable
            Gives it, in a thread of its own; what it raises is no error.
        """
        with self._lock:
            for child in node.children(self.fan_in):
                self._early.pop(child, None)
            if self._broken or node in self._written:
                return
            self._early[node] = value
            if self.is_time:
                for early in [*self._early]:
                    self._submit(early, self._early.pop(early))

    def _submit(self, node: Node, value: Callable[[], Part[R]]) -> None:
        self._waiting = [future for future in self._waiting if not future.done()]
        if len(self._waiting) < MOST_WAITING or node.level > 1:
            stores = storage.current_stores()
            self._waiting.append(self._pool.submit(self._keep, node, value, stores))

    def close(self) -> None:
        """Let what is being written be written, for a while."""
        self._early.clear()
        wait(self._waiting, timeout=LAST_WORDS)
        self._pool.shutdown(wait=False, cancel_futures=True)
        undone = sum(not future.done() or future.cancelled() for future in self._waiting)
        if undone and not self._broken:
            few = f"{undone} {'entry' if undone == 1 else 'entries'}"
            self.warnings.append(
                f"{few} of the ledger could not be written in the {LAST_WORDS:.0f} s after the run"
            )
        doubted = dict(self._doubted)  # it may still be changed
        if lost := self._lost(doubted):
            reason = next(iter(doubted.values()))
            self.warnings.append(
                f"what is finished of {display.counted(lost, 'partition')} was not kept, to go on"
                f" from: {reason}"
            )

    def _lost(self, doubted: Iterable[Node]) -> int:
        """Items of nodes that were not kept, and are in no other that was."""
        kept = {n for node in [*self._written] for n in self._numbers(node)}
        return len({n for node in doubted for n in self._numbers(node)} - kept)

    def _numbers(self, node: Node) -> range:
        return range(*node.span(self.fan_in).indices(len(self.items)))

    def _keep(self, node: Node, value: Callable[[], Part[R]], stores: storage.Stores) -> None:
        try:
            part = value()
        except Exception:  # it was lost with its worker, or the run has ended
            return
        if part.value is None or part.metrics.failures or self._broken:
            return
        try:
            with storage.using(stores):
                header = self._header(node, part)
                read = self._read_themselves(node, part)
                doubt = self.ledger.doubt(read, part.metrics.replicas)
                self._doubted = {
                    other: reason
                    for other, reason in self._doubted.items()
                    if other.level > node.level or other.above(node.level, self.fan_in) != node
                }
                if doubt:
                    self._doubted[node] = doubt
                    return
                content = packed(self.codec.write(part.value, self._of(node)), header)
                storage.write_bytes(self._url(node), content)
                self._written.add(node)
                for child in node.children(self.fan_in):
                    if child in self._written:
                        self._written.discard(child)
                        storage.remove(self._url(child))
        except (SpectrumError, OSError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Go on without the ledger: a run is not ended for it."""
        if not self._broken:
            cause = " ".join(str(error).split())
            self.warnings.append(f"what is finished could not be kept, to go on from: {cause}")
        self._broken = True

    def _header(self, node: Node, part: Part[R]) -> dict[str, Any]:
        urls = dict.fromkeys(source_of(item) for item in self._of(node))
        metrics = part.metrics
        return {
            **self.ledger.about,
            "stage": self.stage,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "node": [node.level, node.index, len(self._of(node)), self.fan_in],
            "sources": {url: self.ledger.stamps.get(url, "") for url in urls},
            "copies": list(metrics.copies),
            "replicas": pairs_of(metrics.replicas),
            "warnings": list(metrics.warnings),
        }

    def _read_themselves(self, node: Node, part: Part[R]) -> list[str]:
        """The inputs of a node, without those of which it was made by copies alone."""
        replaced = part.metrics.replaced
        partitions = Counter(source_of(item) for item in self._of(node))
        return [url for url, count in partitions.items() if replaced.get(url, 0) < count]

    def _read(self, node: Node, size: int | None) -> Part[R] | None:
        """A node as it was kept; nothing where it was made of other input."""
        written, header = entry(self._url(node), size)
        items = self._of(node)
        if header["node"] != [node.level, node.index, len(items), self.fan_in]:
            raise DataError("an entry of another tree", self._url(node))
        replicas = tuple(Replica(*pair) for pair in header.get("replicas", ()))
        replaced = {replica.planned for replica in replicas}
        if not self.ledger.accepts(header["sources"], items, replaced):
            return None
        metrics = Metrics(
            copies=tuple(header["copies"]),
            warnings=tuple(header["warnings"]),
            resumed=len(items),
            replicas=replicas,
            replaced=Counter(url for item in items if (url := source_of(item)) in replaced),
        )
        return Part(self.codec.read(written, items), metrics)

    def _of(self, node: Node) -> tuple[Any, ...]:
        return self.items[node.span(self.fan_in)]

    def _url(self, node: Node) -> str:
        words = "-".join(re.findall(r"\w+", self.stage))
        return storage.join(self.ledger.folder, f"{words}.{node.level}.{node.index}{SUFFIX}")

    def _node(self, url: str) -> Node | None:
        """The node of an entry's name, if it is of this tree."""
        words = url.rpartition("/")[2].removesuffix(SUFFIX).split(".")
        with suppress(ValueError, IndexError):
            node = Node(int(words[1]), int(words[2]))
            if node.level > 0 and self._url(node).rpartition("/")[2] == url.rpartition("/")[2]:
                return node if self._of(node) else None
        return None


def at_once(fn: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """A function of every item, in their order; many wait for a store at the same time."""
    stores = storage.current_stores()

    def called(item: T) -> U:
        with storage.using(stores):
            return fn(item)

    if len(items) < FEW:
        return [fn(item) for item in items]
    with ThreadPoolExecutor(READERS, thread_name_prefix="ledger") as pool:
        return [*pool.map(called, items)]


def entries(folder: str) -> dict[str, int | None]:
    """Sizes of the entries below a folder, by URL, sorted."""
    sizes = storage.sizes_below(folder)
    return {url: size for url, size in sizes.items() if url.endswith(SUFFIX)}


def entry(url: str, size: int | None) -> tuple[Written, dict[str, Any]]:
    """An entry of which a list told the size; another run may have written it again since.

    Raises
    ------
    DataError
        It is none, or not whole.
    """
    try:
        return unpacked(storage.read_bytes(url, size=size))
    except (*_DAMAGED, zlib.error):
        return unpacked(storage.read_bytes(url))


def pairs_of(replicas: Iterable[Replica]) -> list[tuple[str, str]]:
    """Inputs, and what was read in the place of each, for an entry."""
    return sorted({(replica.planned, replica.url) for replica in replicas})


def packed(written: Written, header: Mapping[str, Any]) -> bytes:
    """An entry as bytes: a hash, and arrays and words without pickle."""
    names = list(written.arrays)
    words = json.dumps({"header": header, "words": written.words, "names": names})
    buffer = io.BytesIO()
    numbered = {f"a{n}": written.arrays[name] for n, name in enumerate(names)}
    text = np.frombuffer(words.encode(), np.uint8)
    save = np.savez_compressed if written.compressed else np.savez
    save(buffer, allow_pickle=False, words=text, **numbered)
    content = buffer.getvalue()
    return MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def unpacked(data: bytes) -> tuple[Written, dict[str, Any]]:
    """What `packed` was given.

    Raises
    ------
    DataError
        It is no entry, or not whole.
    """
    head = len(MAGIC) + 65
    if not data.startswith(MAGIC):
        raise DataError("no entry of a ledger that this version can read")
    content = data[head:]
    if hashlib.sha256(content).hexdigest().encode() != data[len(MAGIC) : head - 1]:
        raise DataError("an entry of a ledger that is damaged")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        words = json.loads(arrays["words"].tobytes())
        named = {name: arrays[f"a{n}"] for n, name in enumerate(words["names"])}
    return Written(named, words["words"]), words["header"]
