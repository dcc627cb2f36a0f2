"""Reading and writing through the one door, stamps, and counts of bytes."""

import errno
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import storage
from spectrum_workflows.errors import DataNotFoundError, OutputError, SpectrumError, StoreError
from spectrum_workflows.replicas import Replica
from spectrum_workflows.storage import Stores, stamps
from spectrum_workflows.storage.atomic_file import atomic_file
from spectrum_workflows.storage.metering import note_copy
from spectrum_workflows.storage.reading import TruncatedError

CONTENT = bytes(range(256)) * 4


@pytest.fixture(params=["memory", "here"], scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of 1,024 bytes, in a store and here."""
    here = str(tmp_path_factory.mktemp("reading") / "x.bin")
    path = here if request.param == "here" else "memory://reading/x.bin"
    storage.write_bytes(path, CONTENT)
    return path


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.integers(-40, 1100), st.integers(0, 300))))
@settings(max_examples=40)
def test_a_stream_is_a_file(url: str, moves: list[tuple[int, int, int]]) -> None:
    """Seeks and reads in any order give what the bytes in memory give."""
    model = io.BytesIO(CONTENT)
    with storage.open_read(url) as stream:
        for whence, step, count in moves:
            base = (0, model.tell(), len(CONTENT))[whence]
            if base + step >= 0:
                assert stream.seek(step, whence) == model.seek(step, whence)
            assert stream.read(count) == model.read(count)


ranges = st.lists(
    st.tuples(st.integers(0, 1024), st.integers(0, 1024)).map(lambda p: (min(p), max(p))),
    max_size=12,
)


@given(ranges)
@settings(max_examples=40)
def test_ranges_come_in_the_order_they_were_asked_for(
    url: str, ranges: list[tuple[int, int]]
) -> None:
    parts = storage.read_ranges(url, ranges)
    assert [bytes(part) for part in parts] == [CONTENT[a:b] for a, b in ranges]


def test_a_local_file_that_was_cut_is_not_read_as_if_it_were_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    with pytest.raises(TruncatedError, match="x is shorter than it was"):
        storage.read_ranges(str(path), [(0, 5), (3, 6)])


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    storage.write_bytes("memory://folder/in/x", b"1")
    for read in (storage.read_bytes, storage.open_read):
        with pytest.raises(DataNotFoundError, match="folder/in: "):
            read("memory://folder/in")
        with pytest.raises(DataNotFoundError):
            read(str(tmp_path))


class Odd(MemoryFileSystem):
    """A store that gives whole objects, and says no sizes, where it is asked not to."""

    protocol = "odd"
    ignores_ranges: ClassVar[bool] = False
    says_size: ClassVar[bool] = True
    cut: ClassVar[int] = 0

    def cat_ranges(self, paths: Any, starts: Any, ends: Any, **options: Any) -> list[bytes]:
        if self.ignores_ranges:
            return [self.cat_file(path) for path in paths]
        return super().cat_ranges(paths, starts, ends, **options)

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        described = super().info(path, **options)
        return described if self.says_size else described | {"size": None}

    def cat_file(self, path: str, start: Any = None, end: Any = None, **options: Any) -> bytes:
        data = super().cat_file(path, start, end, **options)
        return data[: len(data) - self.cut]


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``odd(ignores_ranges=True)``: the URL of a file of 1,024 bytes in such a store."""
    fsspec.register_implementation("odd", Odd, clobber=True)

    def make(**manners: Any) -> str:
        storage.write_bytes("odd://x", CONTENT)
        for name, value in manners.items():
            monkeypatch.setattr(Odd, name, value)
        return "odd://x"

    return make


def test_a_server_that_ignores_ranges_is_not_asked_again(odd: Callable[..., str]) -> None:
    with pytest.raises(StoreError, match="the server ignores byte ranges; stage the file"):
        storage.read_ranges(odd(ignores_ranges=True), [(0, 10)])


def test_a_file_of_unknown_size_is_read_whole(odd: Callable[..., str]) -> None:
    assert storage.read_bytes(odd(says_size=False)) == CONTENT


def test_a_whole_file_that_comes_short_is_an_error(odd: Callable[..., str]) -> None:
    patience = Stores((("odd://", (("patience", 0),)),))
    with storage.using(patience), pytest.raises(StoreError, match="1014 of 1024 bytes came"):
        storage.read_bytes(odd(cut=10))


def test_an_empty_file_is_empty_bytes() -> None:
    storage.write_bytes("memory://reading/empty", b"")
    assert storage.read_bytes("memory://reading/empty") == b""
    with storage.open_read("memory://reading/empty") as stream:
        assert stream.read() == b""


# Folders


@pytest.fixture(scope="module", params=["memory", "here"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three files of 1, 2 and 3 bytes, two of them deeper."""
    here = str(tmp_path_factory.mktemp("folder"))
    root = here if request.param == "here" else "memory://below/folder"
    for number, name in enumerate(("b", "a/x", "a/y/z"), start=1):
        storage.write_bytes(storage.join(root, name), bytes(number))
    return root


def test_files_below_are_urls_in_order(folder: str) -> None:
    below = storage.files_below(folder)
    names = [url.replace("y:///", "y://").removeprefix(folder) for url in below]
    assert names == ["/a/x", "/a/y/z", "/b"]
    assert all(map(storage.exists, below))


def test_sizes_below_are_summed_and_what_is_not_there_is_nothing(folder: str) -> None:
    assert storage.size_below(folder) == 6
    assert storage.size_below(storage.join(folder, "a/y/z")) == 3
    assert storage.size_below(storage.join(folder, "none")) == 0
    assert storage.files_below(storage.join(folder, "none")) == []


def test_a_size_that_no_one_says_is_nothing(odd: Callable[..., str]) -> None:
    assert storage.size_below(odd(says_size=False)) == 0


# Writing


def test_what_is_written_replaces_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new and longer")
    for root in (str(tmp_path / "deep" / "er"), "memory://writing"):
        target = storage.join(root, "x")
        storage.write_bytes(target, b"old")
        storage.put_file(tmp_path / "source", target)
        assert storage.read_bytes(target) == b"new and longer"
        assert len(storage.files_below(root)) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    target = tmp_path / "x"
    target.write_bytes(b"old")

    def half(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:2])
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OutputError) as caught:
        storage.write_bytes(str(target), b"new")
    assert caught.value.what == f"cannot write ({os.strerror(number)})"
    assert (caught.value.where, caught.value.remedy) == (
        str(target),
        "choose another place with --out",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert target.read_bytes() == b"old"


def test_an_interrupted_write_leaves_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    (tmp_path / "source").write_bytes(b"1234")
    monkeypatch.setattr("shutil.copyfile", stopped)
    with pytest.raises(KeyboardInterrupt):
        storage.put_file(tmp_path / "source", str(tmp_path / "out" / "x"))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_is_written_over_http(scheme: str) -> None:
    with pytest.raises(OutputError, match="nothing can be written over http") as caught:
        storage.write_bytes(f"{scheme}://me:word@h/x?sig=abcdefgh", b"1")
    assert caught.value.where == f"{scheme}://h/x"


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write \(.*null"):
        storage.write_bytes(str(tmp_path / "a\0b"), b"1")
    with pytest.raises(OutputError, match="File name too long"):
        storage.write_bytes(str(tmp_path / ("a" * 300)), b"1")


class Closed(MemoryFileSystem):
    """A store that takes nothing, for the next of some reasons."""

    protocol = "closed"
    reason: ClassVar[Exception] = PermissionError("no")

    def pipe_file(self, *_: Any, **__: Any) -> None:
        raise self.reason


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (PermissionError("no"), r"cannot write: closed://h refused access \(no\); check the cred"),
        (TimeoutError("late"), r"cannot write: closed://h did not answer \(late\); is it up"),
        (FileNotFoundError("no"), "cannot write: no such file at closed://h; choose another place"),
    ],
)
def test_a_store_that_takes_nothing_is_an_error_of_the_output(
    monkeypatch: pytest.MonkeyPatch, reason: Exception, says: str
) -> None:
    fsspec.register_implementation("closed", Closed, clobber=True)
    monkeypatch.setattr(Closed, "reason", reason)
    stores = Stores((("closed://", (("patience", 0),)),))
    with storage.using(stores), pytest.raises(OutputError, match=says) as caught:
        storage.write_bytes("closed://h/x", b"1")
    assert caught.value.where == "closed://h/x"


def test_only_what_was_named_is_removed(tmp_path: Path) -> None:
    for name in ("a/x", "a/y/z", "ab/x"):
        storage.write_bytes(str(tmp_path / name), b"1")
    storage.remove(str(tmp_path / "a"))
    storage.remove(str(tmp_path / "a"))
    assert [path.name for path in tmp_path.iterdir()] == ["ab"]


# Stamps


def test_a_stamp_of_a_folder_is_that_of_its_head_where_files_are_many() -> None:
    storage.write_bytes("memory://stamped/set.zarr/c/0", b"1")
    assert storage.stamp("memory://stamped/set.zarr") == "folder"
    storage.write_bytes("memory://stamped/set.zarr/zarr.json", b"{}")
    first = storage.stamp("memory://stamped/set.zarr")
    storage.write_bytes("memory://stamped/set.zarr/zarr.json", b"{ }")
    assert storage.stamp("memory://stamped/set.zarr") != first


def test_a_stamp_of_what_is_not_there() -> None:
    with pytest.raises(DataNotFoundError, match="stamped/none"):
        storage.stamp("memory://stamped/none")
    assert storage.stamp_below("memory://stamped/none") == ""
    assert storage.stamp_below("gopher://h/x") == ""


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda folder: (folder / "a" / "x").write_bytes(b"22"),
    "a new file": lambda folder: (folder / "a" / "w").write_bytes(b""),
    "one file less": lambda folder: (folder / "b").unlink(),
    "a name": lambda folder: (folder / "b").rename(folder / "c"),
    "a place": lambda folder: (folder / "b").rename(folder / "a" / "b"),
    "a time": lambda folder: os.utime(folder / "b", ns=(5, 5)),
}


@pytest.mark.parametrize("stamp", [storage.stamp, storage.stamp_below])
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_below_a_folder_is_seen(
    tmp_path: Path, stamp: Callable[[str], str], change: str
) -> None:
    for name in ("a/x", "b"):
        storage.write_bytes(str(tmp_path / name), b"1")
    before = stamp(str(tmp_path))
    assert before == stamp(f"{tmp_path}/")
    for name in ("table.lock", "a/table.lock", "checksums.json"):
        storage.write_bytes(str(tmp_path / name), b"not data")
    assert stamp(str(tmp_path)) == before
    CHANGES[change](tmp_path)
    assert stamp(str(tmp_path)) != before


def test_the_same_files_in_another_folder_have_the_same_stamp_below(tmp_path: Path) -> None:
    for root in ("one", "two/deeper"):
        path = tmp_path / root / "a" / "x"
        storage.write_bytes(str(path), b"1")
        os.utime(path, ns=(5, 5))
    one, two = (storage.stamp_below(str(tmp_path / root)) for root in ("one", "two/deeper"))
    assert one == two


def test_a_huge_folder_is_looked_at_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "MANY", 2)
    for name in "abc":
        (tmp_path / name).touch()
    before = storage.stamp(str(tmp_path))
    (tmp_path / "c").write_bytes(b"1")
    assert storage.stamp(str(tmp_path)) == before
    (tmp_path / "b").write_bytes(b"1")
    assert storage.stamp(str(tmp_path)) != before


# Counts


def test_another_thread_counts_for_itself(url: str) -> None:
    with storage.metering() as counter:
        thread = threading.Thread(target=storage.read_bytes, args=(url,))
        thread.start()
        thread.join()
        storage.read_ranges(url, [(0, 10), (5, 15)])
    assert counter.bytes_read in (15, 20), "of a store, what two ranges share is read once"


def test_bytes_of_a_block_that_fails_are_counted() -> None:
    def failing() -> None:
        with storage.metering():
            storage.count(5)
            note_copy("s3://b", Replica("s3://a/f", "s3://b/f", "v"))
            raise ZeroDivisionError

    with storage.metering() as outer:
        with pytest.raises(ZeroDivisionError):
            failing()
        storage.count(1)
    assert (outer.bytes_read, outer.copies) == (6, {"s3://b"})
    storage.count(5)
    note_copy("s3://b", Replica("s3://a/f", "s3://b/f", "v"))
    assert (outer.bytes_read, outer.copies) == (6, {"s3://b"})


# Options and locations


def test_of_two_options_for_one_prefix_the_later_counts() -> None:
    stores = Stores((("s3://b", (("a", 1),)), ("s3://b", (("a", 2),))))
    assert stores.for_url("s3://b/x") == {"a": 2}


def test_changed_options_keep_the_others_and_the_original() -> None:
    stores = Stores((("s3://b", (("a", 1), ("c", 3))),), ("s3://r",), (("s3://b", "s3://r"),))
    changed = stores.changed("s3://b/deep", a=2)
    assert changed.for_url("s3://b/deep/x") == {"a": 2, "c": 3}
    assert changed.for_url("s3://b/x") == stores.for_url("s3://b/x") == {"a": 1, "c": 3}
    assert (changed.replicas, changed.copies) == (stores.replicas, stores.copies)


@pytest.mark.parametrize(
    ("url", "options", "renewable"),
    [
        ("s3://b/x", {}, True),
        ("s3://b/x", {"anon": True}, False),
        ("https://h/x", {}, False),
        ("https://h/x", {"token_file": "t"}, True),
        ("root://h//x", {}, True),
    ],
)
def test_whether_there_may_be_other_credentials(
    url: str, options: dict[str, Any], renewable: bool
) -> None:
    with storage.using(Stores(((url, tuple(options.items())),))):
        assert storage.location_of(url).has_credentials is renewable


def test_options_of_an_xrootd_server_hold_however_its_paths_are_written() -> None:
    with storage.using(Stores((("root://h//eos", (("timeout", 3),)),))):
        assert storage.location_of("root://h/eos/x").timeout == 3
        assert storage.location_of("root://h//eos/x").timeout == 3


def test_no_limit_is_without_sense() -> None:
    options = (("timeout", 0), ("slowest", -5))
    with storage.using(Stores((("s3://b", options),))):
        place = storage.location_of("s3://b/x")
    assert (place.timeout, place.slowest) == (0.1, 1.0)


def test_the_results_root_is_in_force_inside_the_block_only() -> None:
    with storage.writing_below("s3://b/results"):
        assert storage.results_root() == "s3://b/results"
    assert storage.results_root() == ""


def test_a_scheme_that_nobody_knows_is_told_without_its_query() -> None:
    with pytest.raises(SpectrumError, match="cannot open this kind of URL") as caught:
        storage.locate("gopher://h/x?a=b")
    assert caught.value.where == "gopher://h/x"


WRITES_FOR_EVER = """
import sys
from spectrum_workflows import storage

print("begun", flush=True)
while True:
    for n in range(100):
        storage.write_bytes(f"{sys.argv[1]}/new{n}", bytes(1 << 22))
    storage.remove(sys.argv[1])
"""


def test_a_process_that_is_killed_while_it_writes_leaves_nothing(tmp_path: Path) -> None:
    try:  # what the system itself says: the code under test must then use it
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system has no files without a name")
    assert seen_while_written(tmp_path) == []
    for rounds in range(4):
        folder = tmp_path / str(rounds)
        command = [sys.executable, "-c", WRITES_FOR_EVER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.05 + 0.03 * rounds)
            writer.kill()
        assert all(path.stat().st_size == 1 << 22 for path in folder.glob("*"))
        assert not list(folder.glob("*.part"))


def seen_while_written(folder: Path) -> list[str]:
    """The suffixes of what is seen in a folder while a file is written there."""
    with atomic_file(str(folder / "x")) as part:
        part.write_bytes(b"1")
        seen = [path.suffix for path in folder.iterdir()]
    (folder / "x").unlink()
    return seen


def test_without_files_that_have_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    assert seen_while_written(tmp_path) == [".part"]
    for data in (b"1", b"23"):
        storage.write_bytes(str(tmp_path / "x"), data)
        assert (tmp_path / "x").read_bytes() == data
    with suppress(ZeroDivisionError), atomic_file(str(tmp_path / "y")) as part:
        part.write_bytes(b"4")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_where_a_file_cannot_be_given_a_name_it_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for data in (b"1", b"23"):
        storage.write_bytes(str(tmp_path / "x"), data)
        assert (tmp_path / "x").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_the_longest_name_is_written_again(tmp_path: Path) -> None:
    name = "x" * 255
    for data in (b"1", b"23"):
        storage.write_bytes(str(tmp_path / name), data)
        assert (tmp_path / name).read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_takes_the_place_of_another_and_none_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"cannot write \(Is a directory\)"):
        storage.write_bytes(str(tmp_path / "folder"), b"1")
    for data in (b"1", b"23"):
        storage.write_bytes(str(tmp_path / "x"), data)
        assert (tmp_path / "x").read_bytes() == data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "x"]
