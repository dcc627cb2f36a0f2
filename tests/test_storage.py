"""The one door to files and stores."""

from pathlib import Path

import fsspec
import pytest

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError, OutputError
from spectrum_workflows.storage import Stores


def test_round_trip_on_two_file_systems(tmp_path: Path) -> None:
    for root in (str(tmp_path), "memory://round-trip"):
        url = storage.join(root, "deep/er/x.bin")
        storage.write_bytes(url, b"abc")
        assert storage.exists(url)
        assert storage.read_bytes(url) == b"abc"
        with storage.open_read(url) as stream:
            assert stream.read(2) == b"ab"
        storage.remove(root)
        assert not storage.exists(url)


@pytest.mark.parametrize("read", [storage.read_bytes, storage.open_read])
def test_what_is_not_there(tmp_path: Path, read) -> None:
    with pytest.raises(DataNotFoundError, match=r"nope\.bin: no such file; .*--data"):
        read(str(tmp_path / "nope.bin"))
    with pytest.raises(FileNotFoundError):
        read("memory://nowhere/nope.bin")


def test_unknown_scheme() -> None:
    with pytest.raises(DataError, match="gopher"):
        storage.read_bytes("gopher://x/y")


def test_join_leaves_urls_and_absolute_paths_alone() -> None:
    assert storage.join("s3://bucket/data/", "a.root") == "s3://bucket/data/a.root"
    assert storage.join("/data", "https://x/y") == "https://x/y"
    assert storage.join("/data", "/else/where") == "/else/where"
    assert storage.join("", "a") == "a"


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("I am not a folder")
    with pytest.raises(OutputError, match="--out"):
        storage.write_bytes(str(blocker / "x.bin"), b"abc")
    with pytest.raises(OutputError):
        storage.check_writable(str(blocker))
    target = tmp_path / "taken"
    target.mkdir()
    with pytest.raises(OutputError):
        storage.write_bytes(str(target), b"abc")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]


def test_check_writable_leaves_no_trace(tmp_path: Path) -> None:
    storage.check_writable(str(tmp_path / "new"))
    assert list((tmp_path / "new").iterdir()) == []


def test_local_path_refuses_the_remote(tmp_path: Path) -> None:
    assert storage.local_path(f"file://{tmp_path}") == tmp_path
    with pytest.raises(DataError, match="stage it"):
        storage.local_path("s3://bucket/x.ms")


def test_the_longest_prefix_decides() -> None:
    stores = Stores((("s3://a", (("anon", True),)), ("s3://a/b", (("anon", False),))))
    assert stores.for_url("s3://a/x") == {"anon": True}
    assert stores.for_url("s3://a/b/x") == {"anon": False}
    assert stores.for_url("s3://c/x") == {}


def test_options_are_in_force_inside_the_block_only() -> None:
    class Picky(fsspec.AbstractFileSystem):
        protocol = "picky"
        cachable = False

        def __init__(self, colour: str = "none", **options: object) -> None:
            super().__init__(**options)
            self.colour = colour

    fsspec.register_implementation("picky", Picky, clobber=True)
    with storage.using(Stores((("picky://", (("colour", "red"),)),))):
        assert storage.locate("picky://x")[0].colour == "red"
    assert storage.locate("picky://x")[0].colour == "none"


def test_bytes_are_counted_once_on_every_level(tmp_path: Path) -> None:
    url = str(tmp_path / "x")
    storage.write_bytes(url, bytes(100))
    with storage.counting() as outer:
        storage.read_bytes(url)
        with storage.counting() as inner:
            storage.read_bytes(url)
            storage.count(7)
    assert (outer.bytes_read, inner.bytes_read) == (207, 107)
