"""Checkpoints: single values of a run, kept in its ledger, and replaced as it gets on.

A reduction whose parts are small keeps its finished subtrees (`ledger.Subtrees`).  Where every
part is as large as the whole, or a loop goes on from its last step alone, one value is kept
under a name, and the next one takes its place.
"""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock, Timer
from typing import Any, TypeVar

from spectrum_workflows import storage
from spectrum_workflows.engine.ledger import (
    LAST_WORDS,
    SUFFIX,
    Codec,
    Ledger,
    current_ledger,
    packed,
    pairs_of,
    unpacked,
)
from spectrum_workflows.engine.parts import source_of
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.replicas import Replica

R = TypeVar("R")

_DAMAGED = (DataError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class _Kept:
    """A value that is to be written, and what it is."""

    name: str
    value: Any
    codec: Codec[Any]
    items: Sequence[Any]
    reached: str
    replicas: tuple[Replica, ...]


@dataclass
class Checkpoints:
    """The checkpoints of one run; without a ledger there are none.

    Attributes
    ----------
    ledger : Ledger or None
        By default the one in force.
    warnings : list of str
    """

    ledger: Ledger | None = field(default_factory=current_ledger)
    warnings: list[str] = field(default_factory=list)
    _waiting: dict[str, _Kept] = field(default_factory=dict)
    _writing: list[Future[None]] = field(default_factory=list)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
    )
    _timer: Timer | None = None
    _lock: Any = field(default_factory=Lock)
    _broken: bool = False
    _doubted: dict[str, str] = field(default_factory=dict)

    def recall(self, name: str, codec: Codec[R], items: Sequence[Any]) -> R | None:
        """What an earlier run kept under a name, if it was made of the same input.

        Parameters
        ----------
        name : str
        codec : Codec
            Where it raises a `DataError`, an entry is of no use, and the value is computed.
        items : sequence of Partition
            What the value is made of.
        """
        if self.ledger is None or not self.ledger.reading or self._broken:
            return None
        url = self._url(name)
        try:
            if not storage.exists(url):
                return None
            written, header = unpacked(storage.read_bytes(url))
            replaced = {planned for planned, _ in header.get("replicas", ())}
            if not self.ledger.accepts(header["sources"], items, replaced):
                return None
        except _DAMAGED:
            self.warnings.append(f"a damaged entry of the ledger {url}: computed again")
            return None
        except (SpectrumError, OSError) as error:
            self._give_up("looked up", error)
            return None
        with suppress(DataError):
            return codec.read(written, items)
        return None

    def keep(
        self,
        name: str,
        value: R,
        codec: Codec[R],
        items: Sequence[Any],
        *,
        reached: str,
        replicas: Iterable[Replica] = (),
    ) -> None:
        """Have a value written, once the run has lasted long enough; nobody waits for it.

        Parameters
        ----------
        name : str
            Values of one name replace each other.
        value : object
            It must not change any more.
        codec : Codec
        items : sequence of Partition
            What it is made of.
        reached : str
            What is finished with it, in words.
        replicas : iterable of Replica
            What was read for it in the place of inputs.
        """
        if self.ledger is None or self._broken:
            return
        with self._lock:
            self._waiting[name] = _Kept(name, value, codec, items, reached, tuple(replicas))
        remaining = self.ledger.remaining
        if remaining <= 0:
            self._submit(storage.current_stores())
        elif self._timer is None:
            self._timer = Timer(remaining, self._submit, (storage.current_stores(),))
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """Let what is being written be written, for a while."""
        if self._timer is not None:
            self._timer.cancel()
        wait(self._writing, timeout=LAST_WORDS)
        undone = any(not future.done() for future in self._writing)
        with self._lock:
            self._waiting.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.warnings += dict(self._doubted).values()
        if undone and not self._broken:
            self.warnings.append(
                f"what was finished last could not be kept in the {LAST_WORDS:.0f} s after the run"
            )

    def _submit(self, stores: storage.Stores) -> None:
        self._writing = [future for future in self._writing if not future.done()]
        try:
            self._writing.append(self._pool.submit(self._write, stores))
        except RuntimeError:  # it was closed while the timer went off
            return

    def _write(self, stores: storage.Stores) -> None:
        """Write whatever waits: of each name the last value alone."""
        assert self.ledger is not None
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for kept in waiting.values():
            try:
                with storage.using(stores):
                    header = self._header(kept)
                    self._doubted.pop(kept.name, "")
                    if doubt := self.ledger.doubt(header["sources"], kept.replicas):
                        self._doubted[kept.name] = f"{kept.reached!r} was not kept: {doubt}"
                        continue
                    content = packed(kept.codec.write(kept.value, kept.items), header)
                    storage.write_bytes(self._url(kept.name), content)
            except (SpectrumError, OSError) as error:
                self._give_up("kept", error)
                return

    def _give_up(self, action: str, error: Exception) -> None:
        """Go on without checkpoints: a run is not ended for them."""
        cause = " ".join(str(error).split())
        self.warnings.append(f"what is finished could not be {action}, to go on from: {cause}")
        self._broken = True

    def _header(self, kept: _Kept) -> dict[str, Any]:
        assert self.ledger is not None
        urls = dict.fromkeys(source_of(item) for item in kept.items)
        return {
            **self.ledger.about,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "reached": kept.reached,
            "time": time.time(),
            "sources": {url: self.ledger.stamps.get(url, "") for url in urls},
            "replicas": pairs_of(kept.replicas),
        }

    def _url(self, name: str) -> str:
        assert self.ledger is not None
        words = "-".join(re.findall(r"\w+", name))
        return storage.join(self.ledger.folder, f"{words}{SUFFIX}")
