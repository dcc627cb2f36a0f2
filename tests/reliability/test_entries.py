"""Entries of a ledger, one by one: their names and contents, and which of them may be used."""

import hashlib
import io
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spectrum_workflows import storage
from spectrum_workflows.domain import Failure, Metrics
from spectrum_workflows.engine import Codec, Ledger, Written, keeping
from spectrum_workflows.engine import ledger as room
from spectrum_workflows.engine.ledger import (
    MAGIC,
    Node,
    Subtrees,
    current_ledger,
    entries,
    packed,
    source_of,
    unpacked,
)
from spectrum_workflows.engine.parts import Part
from spectrum_workflows.errors import DataError, StoreError
from spectrum_workflows.replicas import Replica

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
import items as kit


def write(value: Any, items: Any) -> Written:
    return Written({"sum": value}, [item.n for item in items])


def read(written: Written, items: Any) -> Any:
    assert written.words == [item.n for item in items]
    return written.arrays["sum"]


def subtrees(folder: Path, count: int = 10, fan_in: int = 3, **options: Any) -> Subtrees[Any]:
    stamps = options.pop("stamps", {"": "1"})
    kept = Ledger(str(folder), stamps, **{"after": 0.0, **options})
    return Subtrees(kept, "first look", tuple(kit.items(count)), fan_in, Codec(write, read))


def part(value: float, **metrics: Any) -> Part[Any]:
    return Part(np.array([value]), Metrics(**metrics))


def keep(of: Subtrees[Any], *nodes: tuple[int, int]) -> None:
    for level, index in nodes:
        of.offer(Node(level, index), lambda index=index: part(float(index)))
    of.close()


def loaded(of: Subtrees[Any]) -> Subtrees[Any]:
    of.load()
    return of


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


REPLICA = Replica("s3://near/f", "s3://far/f", "v1")


@dataclass(frozen=True)
class Event:
    """A partition of a file with copies."""

    n: int
    url: str = REPLICA.planned
    size: int = 1
    where: str = ""


def of_copies(folder: Path, now: dict[str, str], **options: Any) -> Subtrees[Any]:
    """Nine partitions of one file; the versions of it and of its copy as they are now."""
    kept = Ledger(
        str(folder),
        {REPLICA.planned: "planned"},
        after=0.0,
        look=lambda urls: {url: now[url] for url in urls if url in now},
        **options,
    )
    return Subtrees(kept, "select", tuple(map(Event, range(9))), 3, Codec(write, read))


def from_copies(*replicas: Replica, partitions: int = 3) -> Callable[[], Part[Any]]:
    return lambda: part(1.0, replicas=replicas, replaced={REPLICA.planned: partitions})


def test_what_was_not_kept_is_told_once_and_only_if_it_is_lost(tmp_path: Path) -> None:
    now: dict[str, str] = {}
    of = of_copies(tmp_path, now)
    for index in range(3):
        of.offer(Node(1, index), lambda: part(1.0))
    wait(of._waiting)
    of.close()
    [warning] = of.warnings
    assert warning == (
        "what is finished of 9 partitions was not kept, to go on from: s3://near/f: its store"
        " has it no more, refused, or was silent for 5 s"
    )
    of = of_copies(tmp_path, now)
    of.offer(Node(1, 0), lambda: part(1.0))
    wait(of._waiting)
    now[REPLICA.planned] = "planned"
    of.offer(Node(2, 0), lambda: part(1.0))
    of.close()
    assert (of.warnings, names(tmp_path)) == ([], ["select.2.0.entry"])
    now.clear()
    of = of_copies(tmp_path, now)
    of.load()
    of.offer(Node(2, 0), lambda: part(1.0))
    of.close()
    assert of.warnings == []


def test_what_is_made_of_copies_alone_is_kept_while_the_store_is_away(tmp_path: Path) -> None:
    of = of_copies(tmp_path, {REPLICA.url: "v1"})
    of.offer(Node(1, 0), from_copies(REPLICA))
    of.offer(Node(1, 1), from_copies(REPLICA, partitions=2))  # of one the file was read
    of.close()
    assert names(tmp_path) == ["select.1.0.entry"]
    assert "of 3 partitions was not kept" in of.warnings[0]


@pytest.mark.parametrize("options", [{"trusting": True}, {"published": {REPLICA.planned}}, {}])
def test_what_is_made_of_copies_serves_where_they_are_known_or_trusted(
    tmp_path: Path, options: Any
) -> None:
    keeping = of_copies(tmp_path, {REPLICA.url: "v1"})
    keeping.offer(Node(1, 0), from_copies(REPLICA))
    keeping.close()
    again = loaded(of_copies(tmp_path, {REPLICA.planned: "planned"}, **options))
    assert len(again.parts) == bool(options)
    for known in again.parts.values():
        assert known.metrics.replicas == (Replica(REPLICA.planned, REPLICA.url),)
        assert known.metrics.replaced == {REPLICA.planned: 3}


@pytest.mark.parametrize("versions", [("v1", "v2"), ("v2", "v1")])
def test_nothing_is_kept_of_a_copy_that_was_exchanged(
    tmp_path: Path, versions: tuple[str, str]
) -> None:
    """Nor what is wholly of the second, whichever that is: the first may be back some day."""
    first, second = (Replica(REPLICA.planned, REPLICA.url, version) for version in versions)
    now = {REPLICA.url: first.version}
    of = of_copies(tmp_path, now)
    of.offer(Node(1, 0), from_copies(first))
    wait(of._waiting)
    now[REPLICA.url] = second.version
    of.offer(Node(1, 1), from_copies(first, second))
    of.offer(Node(1, 2), from_copies(second))
    wait(of._waiting)
    of.close()
    assert names(tmp_path) == ["select.1.0.entry"]
    assert "6 partitions was not kept, to go on from: s3://far/f was exch" in of.warnings[0]


def test_a_node_of_input_that_was_exchanged_meanwhile_is_not_kept(tmp_path: Path) -> None:
    now = {"a": "1", "b": "1"}
    of = subtrees(tmp_path, stamps=dict(now), look=lambda urls: {url: now[url] for url in urls})
    of.items = tuple(SimpleNamespace(n=n, url="ab"[n > 2]) for n in range(10))
    now["b"] = "2"
    keep(of, (1, 0), (1, 1), (2, 0))
    assert names(tmp_path) == ["first-look.1.0.entry"]


def test_a_node_is_of_its_items() -> None:
    assert Node(0, 4).span(3) == slice(4, 5)
    assert Node(1, 2).span(3) == slice(6, 9)
    assert Node(2, 1).span(3) == slice(9, 18)
    assert [*Node(2, 1).children(3)] == [Node(1, 3), Node(1, 4), Node(1, 5)]
    assert Node(0, 17).above(2, 3) == Node(2, 1)
    assert Node(1, 5).above(1, 3) == Node(1, 5)
    assert sorted([Node(1, 2), Node(2, 0), Node(1, 0)]) == [Node(1, 0), Node(1, 2), Node(2, 0)]


def test_an_entry_is_written_and_found_again(tmp_path: Path) -> None:
    keep(subtrees(tmp_path), (1, 0), (1, 2))
    assert names(tmp_path) == ["first-look.1.0.entry", "first-look.1.2.entry"]
    again = loaded(subtrees(tmp_path))
    assert {node: p.value.tolist() for node, p in again.parts.items()} == {
        Node(1, 0): [0.0],
        Node(1, 2): [2.0],
    }
    assert again.resumed == 6
    assert again.warnings == []


def test_the_last_node_may_hold_fewer_items(tmp_path: Path) -> None:
    keep(subtrees(tmp_path), (1, 3))
    again = loaded(subtrees(tmp_path))
    assert again.resumed == 1
    assert again.parts[Node(1, 3)].metrics.resumed == 1


def test_what_was_found_is_no_cost_of_this_run(tmp_path: Path) -> None:
    of = subtrees(tmp_path)
    spent = part(1.0, cpu_seconds=7.0, bytes_read=9, copies=("s3://copy",), warnings=("odd",))
    of.offer(Node(1, 0), lambda: spent)
    of.close()
    found = loaded(subtrees(tmp_path)).parts[Node(1, 0)].metrics
    assert found == Metrics(copies=("s3://copy",), warnings=("odd",), resumed=3)


def test_a_node_takes_the_place_of_those_it_is_made_of(tmp_path: Path) -> None:
    keep(subtrees(tmp_path), (1, 0), (1, 1), (1, 2), (2, 0))
    assert names(tmp_path) == ["first-look.2.0.entry"]


def test_only_what_was_written_is_taken_away(tmp_path: Path) -> None:
    keep(subtrees(tmp_path), (1, 3), (2, 0))
    assert names(tmp_path) == ["first-look.1.3.entry", "first-look.2.0.entry"]


def test_what_an_earlier_run_left_within_a_node_is_taken_away_with_it(tmp_path: Path) -> None:
    keep(subtrees(tmp_path), (1, 0), (1, 1))
    of = loaded(subtrees(tmp_path))
    keep(of, (2, 0))
    assert names(tmp_path) == ["first-look.2.0.entry"]


def test_the_largest_subtree_counts(tmp_path: Path) -> None:
    keep(subtrees(tmp_path), (2, 0))
    keep(subtrees(tmp_path), (1, 0), (1, 3))
    again = loaded(subtrees(tmp_path))
    assert sorted(again.parts) == [Node(1, 3), Node(2, 0)]
    assert again.resumed == 10


def test_a_node_within_a_known_one_is_covered() -> None:
    of = subtrees(Path("nowhere"))
    assert not of.covers(Node(1, 0))
    of.parts[Node(2, 0)] = part(1.0)
    assert of.covers(Node(2, 0))
    assert of.covers(Node(1, 2))
    assert of.covers(Node(0, 8))
    assert not of.covers(Node(1, 3))
    assert not of.covers(Node(3, 0))
    of.parts[Node(1, 3)] = part(1.0)
    assert of.covers(Node(1, 3))
    assert not of.covers(Node(2, 1))


def test_what_is_known_is_not_written_again(tmp_path: Path) -> None:
    keep(subtrees(tmp_path), (1, 0))
    of = loaded(subtrees(tmp_path))
    of.offer(Node(1, 0), lambda: pytest.fail("nobody asks for it"))
    of.close()
    assert of.warnings == []


def test_a_short_run_keeps_nothing_and_a_longer_one_all_that_is_finished(tmp_path: Path) -> None:
    of = subtrees(tmp_path, after=1e6)
    of.offer(Node(1, 0), lambda: part(0.0))
    assert not of.is_time
    object.__setattr__(of.ledger, "after", 0.0)
    assert of.is_time
    of.offer(Node(1, 1), lambda: part(1.0))
    of.close()
    assert names(tmp_path) == ["first-look.1.0.entry", "first-look.1.1.entry"]


def test_what_is_early_and_has_become_part_of_another_is_not_written(tmp_path: Path) -> None:
    of = subtrees(tmp_path, after=1e6)
    for n in range(3):
        of.offer(Node(1, n), lambda: pytest.fail("it is in a larger one"))
    of.offer(Node(2, 0), lambda: part(5.0))
    object.__setattr__(of.ledger, "after", 0.0)
    keep(of, (1, 3))
    assert names(tmp_path) == ["first-look.1.3.entry", "first-look.2.0.entry"]


def test_what_is_early_is_let_go_at_the_end(tmp_path: Path) -> None:
    of = subtrees(tmp_path, after=1e6)
    of.offer(Node(1, 0), lambda: part(0.0))
    of.close()
    assert names(tmp_path) == []


def test_it_is_time_after_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    of = Subtrees(Ledger("f", {}, begun=100.0), "s", (), 2, Codec(write, read))
    assert of.ledger.after == 30.0
    for now, time in ((129.9, False), (130.0, True)):
        monkeypatch.setattr(room.time, "monotonic", lambda now=now: now)
        assert of.is_time is time


def test_a_ledger_begins_now_and_is_read() -> None:
    kept = Ledger("f", {})
    assert 0 <= room.time.monotonic() - kept.begun < 60
    assert (kept.reading, kept.trusting, kept.published, kept.about) == (
        True,
        False,
        frozenset(),
        {},
    )


def test_failures_and_nothing_are_not_kept(tmp_path: Path) -> None:
    of = subtrees(tmp_path)
    lost = Failure("item 1", 1, "odd", 1)
    of.offer(Node(1, 0), lambda: part(1.0, failures=(lost,)))
    of.offer(Node(1, 1), lambda: Part(None, Metrics()))
    of.offer(Node(1, 2), lambda: 1 / 0)
    keep(of, (1, 3))
    assert names(tmp_path) == ["first-look.1.3.entry"]
    assert of.warnings == []


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Subtrees[Any]], None]]:
    """Have the writer wait for a while, with room for two more."""
    monkeypatch.setattr(room, "MOST_WAITING", 3)
    release = threading.Event()

    def begin(of: Subtrees[Any]) -> None:
        def slow() -> Part[Any]:
            release.wait(timeout=10)
            return part(0.0)

        of.offer(Node(1, 0), slow)

    begin.release = release  # type: ignore[attr-defined]
    yield begin
    release.set()


def test_of_many_that_wait_the_smallest_are_left_out(tmp_path: Path, busy: Any) -> None:
    of = subtrees(tmp_path, count=100)
    busy(of)
    for n in range(1, 5):
        of.offer(Node(1, n), lambda: part(1.0))
    of.offer(Node(2, 5), lambda: part(2.0))
    busy.release.set()
    of.close()
    assert names(tmp_path) == [
        *(f"first-look.1.{n}.entry" for n in range(3)),
        "first-look.2.5.entry",
    ]


def test_what_is_written_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_WAITING", 1)
    of = subtrees(tmp_path, count=100)
    for n in range(4):
        of.offer(Node(1, n), lambda: part(1.0))
        room.wait(of._waiting)
    of.close()
    assert len(names(tmp_path)) == 4


def test_the_end_does_not_wait_for_ever(
    tmp_path: Path, busy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LAST_WORDS", 0.01)
    of = subtrees(tmp_path)
    busy(of)
    of.offer(Node(1, 1), lambda: part(1.0))
    of.close()
    assert names(tmp_path) == []
    assert of._waiting[1].cancelled()


def test_a_store_that_does_not_take_it_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(url: str, _content: bytes) -> None:
        raise StoreError("does\n  not answer", url)

    monkeypatch.setattr(storage, "write_bytes", refuse)
    of = subtrees(tmp_path)
    keep(of, (1, 0), (1, 1))
    [warning] = of.warnings
    assert warning.startswith("what is finished could not be kept, to go on from: ")
    assert warning.endswith("first-look.1.0.entry: does not answer")


def test_after_a_failure_nothing_more_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_folder: str) -> list[str]:
        raise StoreError("does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "sizes_below", refuse)
        of = loaded(subtrees(tmp_path))
    assert len(of.warnings) == 1
    keep(of, (1, 0))
    assert names(tmp_path) == []


def test_it_is_written_with_the_stores_of_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(
        storage, "write_bytes", lambda url, content: seen.append(storage.current_stores())
    )
    stores = storage.Stores(())
    with storage.using(stores):
        keep(subtrees(tmp_path), (1, 0))
    assert seen[0] is stores


def test_an_entry_tells_what_it_is_of(tmp_path: Path) -> None:
    of = subtrees(tmp_path, about={"spec": "dimuon"})
    of.offer(Node(1, 3), lambda: part(1.0, copies=("c",), warnings=("w",)))
    of.close()
    [path] = tmp_path.glob("*")
    _, header = unpacked(path.read_bytes())
    when = header.pop("written")
    assert header == {
        "spec": "dimuon",
        "stage": "first look",
        "node": [1, 3, 1, 3],
        "sources": {"": "1"},
        "copies": ["c"],
        "replicas": [],
        "warnings": ["w"],
    }
    assert when.endswith("+00:00")
    assert len(when) == len("2026-11-27T16:00:00+00:00")


@pytest.mark.parametrize(
    "changes", [{"count": 2}, {"fan_in": 4}, {"reading": False}, {"stamps": {"": "2"}}]
)
def test_an_entry_of_another_tree_or_input_is_not_used(tmp_path: Path, changes: dict) -> None:
    keep(subtrees(tmp_path), (1, 0))
    again = loaded(subtrees(tmp_path, **changes))
    assert again.parts == {}
    damaged = "count" in changes or "fan_in" in changes
    assert len(again.warnings) == damaged


def test_entries_that_are_damaged_are_counted(tmp_path: Path) -> None:
    keep(subtrees(tmp_path), (1, 0), (1, 1), (1, 2))
    for n in (0, 1):
        (tmp_path / f"first-look.1.{n}.entry").write_bytes(b"nothing")
    again = loaded(subtrees(tmp_path))
    assert [*again.parts] == [Node(1, 2)]
    [warning] = again.warnings
    assert warning == f"2 damaged entries of the ledger {tmp_path}: computed again"
    (tmp_path / "first-look.1.0.entry").unlink()
    [warning] = loaded(subtrees(tmp_path)).warnings
    assert warning == f"1 damaged entry of the ledger {tmp_path}: computed again"


def test_a_damaged_entry_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "first-look.1.0.entry").write_bytes(b"nothing")
    keep(loaded(subtrees(tmp_path)), (1, 0))
    assert loaded(subtrees(tmp_path)).resumed == 3


@pytest.mark.parametrize(
    "name",
    [
        "other.1.0.entry",  # of another stage
        "first-look.0.1.entry",  # an item
        "first-look.1.4.entry",  # beyond the last
        "first-look.1.entry",
        "first-look.1.x.entry",
        "first-look.01.0.entry",
        "first-look.1.0.txt",
    ],
)
def test_files_that_are_no_entries_of_this_tree_are_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing")
    again = loaded(subtrees(tmp_path))
    assert (again.parts, again.warnings) == ({}, [])


def test_entries_are_those_of_the_folder_in_order(tmp_path: Path) -> None:
    for name in ("b.1.0.entry", "a.1.0.entry", "record.json"):
        (tmp_path / name).touch()
    assert [url.rpartition("/")[2] for url in entries(str(tmp_path))] == [
        "a.1.0.entry",
        "b.1.0.entry",
    ]
    assert not entries(str(tmp_path / "nowhere"))


class At:
    def __init__(self, source: str) -> None:
        self.source = source


@pytest.mark.parametrize(
    ("options", "sources", "accepted"),
    [
        ({}, {"a": "1"}, True),
        ({}, {"a": "2"}, False),
        ({}, {"a": ""}, False),
        ({"stamps": {"a": ""}}, {"a": ""}, False),  # of no known version
        ({"stamps": {}}, {"a": "1"}, False),
        ({}, {"elsewhere": "1"}, False),
        ({"published": frozenset({"a"})}, {"elsewhere": "1"}, True),
        ({"published": frozenset({"b"})}, {"elsewhere": "1"}, False),
        ({"trusting": True}, {"elsewhere": "1"}, True),
        ({"trusting": True}, {"a": "2"}, False),
        ({"published": frozenset({"a"})}, {"a": "2"}, False),
    ],
)
def test_an_entry_serves_the_same_version_or_a_known_copy(
    options: dict, sources: dict, accepted: bool
) -> None:
    kept = Ledger("f", **{"stamps": {"a": "1"}, **options})
    assert kept.accepts(sources, [At("a"), At("a")]) is accepted


def test_all_inputs_of_an_entry_must_be_the_same() -> None:
    kept = Ledger("f", {"a": "1", "b": "2"}, published=frozenset({"c"}))
    assert kept.accepts({"a": "1", "b": "2"}, [At("a"), At("b"), At("c")])
    assert not kept.accepts({"a": "1", "b": "3"}, [At("a"), At("b")])
    assert not kept.accepts({"a": "0", "b": "2"}, [At("a"), At("b")])
    assert not kept.accepts({"a": "1"}, [At("b"), At("a")])


def test_an_item_may_have_no_source() -> None:
    assert source_of(At("a")) == "a"
    assert source_of(kit.Item(1)) == ""


def test_a_ledger_is_in_force_inside_the_block() -> None:
    kept = Ledger("f", {})
    with keeping(kept):
        assert current_ledger() is kept
        with keeping(None):
            assert current_ledger() is None
    assert current_ledger() is None


def test_an_entry_is_its_hash_and_its_content() -> None:
    data = packed(Written({"b": np.arange(3), "a": np.zeros(0)}, "words"), {"k": 1})
    head, content = data[: len(MAGIC) + 65], data[len(MAGIC) + 65 :]
    assert head == MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n"
    written, header = unpacked(data)
    assert [*written.arrays] == ["b", "a"]
    assert (written.words, header) == ("words", {"k": 1})
    assert {**np.load(io.BytesIO(content))}.keys() == {"words", "a0", "a1"}


def test_entries_are_compressed() -> None:
    assert len(packed(Written({"a": np.zeros(100_000)}), {})) < 10_000


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: b"x" + data[1:], "no entry of a ledger that this version can read"),
        (lambda _: b"", "no entry of a ledger that this version can read"),
        (lambda data: data[:-1], "an entry of a ledger that is damaged"),
        (lambda data: data + b"x", "an entry of a ledger that is damaged"),
        (lambda data: data[: len(MAGIC)], "an entry of a ledger that is damaged"),
    ],
)
def test_what_is_no_entry_or_not_whole_is_refused(
    spoil: Callable[[bytes], bytes], said: str
) -> None:
    data = packed(Written({}), {})
    assert unpacked(data)[1] == {}
    with pytest.raises(DataError) as refused:
        unpacked(spoil(data))
    assert refused.value.what == said


def test_objects_are_in_no_entry() -> None:
    with pytest.raises(ValueError, match="pickle"):
        packed(Written({"o": np.array([object()])}), {})
