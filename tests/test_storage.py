"""The one door to files and stores."""

import pickle
import ssl
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows import storage
from spectrum_workflows.errors import (
    DataError,
    DataNotFoundError,
    MissingExtraError,
    OutputError,
    StoreError,
)
from spectrum_workflows.storage import Stores, filesystems
from spectrum_workflows.storage.errors import kind_of
from spectrum_workflows.storage.ranges import GAP, WASTE, joined


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
    assert stores.for_url("s3://ab/x") == {}, "another bucket"
    assert Stores((("s3://", (("anon", True),)),)).for_url("s3://any") == {"anon": True}


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
    with storage.metering() as outer:
        storage.read_bytes(url)
        with storage.metering() as inner:
            storage.read_bytes(url)
            storage.count(7)
    assert (outer.bytes_read, inner.bytes_read) == (207, 107)


# Names


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    assert storage.shown("https://me:word@host:1/a?X-Amz-Signature=5#x") == "https://host:1/a"
    assert storage.shown("s3://bucket/a b#c@d") == "s3://bucket/a b#c@d"
    assert storage.shown("root://host:1//a") == "root://host:1//a"
    assert storage.shown("/data/a?b") == "/data/a?b"


def test_a_password_in_a_url_is_refused_and_not_shown() -> None:
    with pytest.raises(DataError, match="password in this URL") as caught:
        storage.read_bytes("https://me:word@host/a")
    assert "word@" not in str(caught.value)
    assert storage.locate("memory://a:b/c@d")


@pytest.mark.parametrize("url", ["s3://b/x", "root://h//x", "https://h/x", "memory://x"])
def test_a_url_of_a_store_is_not_local(url: str) -> None:
    assert not storage.is_local(url)
    assert storage.is_local("file:///x")


def test_a_location_keeps_the_options_of_the_door_it_came_in_by(tmp_path: Path) -> None:
    """Wherever it is handed on to: another thread, a process, another block."""
    stores = Stores((("s3://b", (("patience", 1.5), ("concurrency", 3))),))
    with storage.using(stores):
        place = storage.location_of("s3://b/x")
    assert storage.location_of(place) is place
    assert pickle.loads(pickle.dumps(place)) == place
    assert (place.scheme, place.bucket, place.is_local) == ("s3", "b", False)
    assert (place.patience, place.concurrency, place.timeout) == (1.5, 3, 10.0)
    assert storage.location_of("s3://b/x") != place
    path = tmp_path / "x"
    path.write_bytes(b"0123")
    [view] = storage.read_ranges(storage.location_of(str(path)), [(1, 3)])
    assert bytes(view) == b"12"
    assert storage.location_of(str(path)).patience == 0.0


# Options: what a profile says, as the libraries want it


def options(url: str, **said: object) -> dict[str, Any]:
    with storage.using(Stores(((url, tuple(said.items())),))):
        return storage.filesystem_options(f"{url}/x")


def test_the_options_of_s3() -> None:
    found = options(
        "s3://b", endpoint_url="http://e", profile="p", credential_file="/c", timeout=3, patience=1
    )
    assert (found["endpoint_url"], found["profile"]) == ("http://e", "p")
    assert found["session_vars"]["credentials_file"][2] == "/c"
    assert found["config_kwargs"]["read_timeout"] == 3
    assert not found.keys() & {"credential_file", "timeout", "patience", "key", "secret", "token"}
    assert options("s3://b", ca_file="/a", region="r")["client_kwargs"] == {
        "verify": "/a",
        "region_name": "r",
    }


def test_the_options_of_https_and_root() -> None:
    found = options("https://h", ca_file="/a", timeout=3, patience=1)
    assert found["client_kwargs"] == {"ca_file": "/a", "timeout": 3}
    assert options("root://h", timeout=3)["timeout"] == 3


@pytest.mark.parametrize(
    ("module", "url", "extra"), [("s3fs", "s3://b/x", "s3"), ("XRootD", "root://h//x", "xrootd")]
)
def test_an_extra_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, url: str, extra: str
) -> None:
    filesystems._notice_soon.cache_clear()
    monkeypatch.delitem(_registry, url.partition(":")[0], raising=False)  # known by other tests
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"spectrum-workflows\[{extra}\]"):
        storage.locate(url)


# Byte ranges


spans = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**5)).map(lambda p: (p[0], sum(p))),
    max_size=30,
)


@given(spans)
def test_joined_ranges_hold_all_and_little_more(ranges: list[tuple[int, int]]) -> None:
    found = joined(ranges)
    assert all(b[0] > a[1] for a, b in pairwise(found))
    wanted = {n for start, stop in ranges for n in range(start, stop, 997)}
    assert all(any(a <= n < b for a, b in found) for n in wanted)
    asked = sorted((a, b) for a, b in ranges if b > a)
    union, end = 0, -1
    for start, stop in asked:
        union += max(0, stop - max(start, end))
        end = max(end, stop)
    assert union <= sum(b - a for a, b in found) <= (1 + WASTE) * union


def test_small_gaps_are_bridged_and_large_ones_are_not() -> None:
    assert joined([(0, 10_000), (10_100, 20_000)]) == [(0, 20_000)]
    assert joined([(0, 10**6), (10**6 + GAP + 1, 2 * 10**6)]) == [
        (0, 10**6),
        (10**6 + GAP + 1, 2 * 10**6),
    ]
    assert joined([(5, 5)]) == []


class Flaky(MemoryFileSystem):
    """Answers as a store does on a bad day: the first answer of every range is too short."""

    protocol = "flaky"
    asked: ClassVar[list[tuple[int, int]]] = []

    def cat_ranges(self, paths, starts, ends, **options):
        whole = super().cat_ranges(paths, starts, ends)
        again = [span in self.asked for span in zip(starts, ends, strict=True)]
        self.asked.extend(zip(starts, ends, strict=True))
        return [data if known else data[:-1] for data, known in zip(whole, again, strict=True)]


def test_a_short_answer_is_asked_for_again_and_counted_once() -> None:
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    Flaky.asked.clear()
    storage.write_bytes("flaky://x", bytes(range(200)))
    with storage.metering() as counter:
        found = storage.read_ranges("flaky://x", [(0, 10), (150, 160), (3, 3)])
    assert [bytes(part) for part in found] == [bytes(range(10)), bytes(range(150, 160)), b""]
    assert counter.bytes_read == 20
    assert Flaky.asked == [(0, 10), (150, 160)] * 2


def test_a_store_that_never_answers_in_full_is_an_error() -> None:
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    storage.write_bytes("flaky://x", bytes(5))
    with (
        storage.using(Stores((("flaky://", (("patience", 0.5),)),))),
        pytest.raises(StoreError, match=r"flaky://x: .* did not answer \(5 of 10 bytes came\)"),
    ):
        storage.read_ranges("flaky://x", [(0, 10)])


# Kinds of trouble


class AnswerError(OSError):
    """As s3fs translates what botocore raised."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{code}: no")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AnswerError(503, "SlowDown"), "passing"),
        (AnswerError(500, "InternalError"), "passing"),
        (AnswerError(429, "TooManyRequests"), "passing"),
        (AnswerError(400, "RequestTimeout"), "passing"),
        (ssl.SSLEOFError("EOF occurred in violation of protocol"), "passing"),
        (AnswerError(400, "ExpiredToken"), "denied"),
        (AnswerError(403, "SignatureDoesNotMatch"), "denied"),
        (AnswerError(404, "NoSuchBucket"), "missing"),
        (AnswerError(416, "InvalidRange"), "permanent"),
        (ConnectionResetError("gone"), "passing"),
        (TimeoutError(), "passing"),
        (ssl.SSLCertVerificationError("CERTIFICATE_VERIFY_FAILED"), "certificate"),
        (FileNotFoundError("x"), "missing"),
        (PermissionError("x"), "denied"),
        (TypeError("a mistake of ours"), "unknown"),
    ],
)
def test_trouble_is_sorted(error: Exception, kind: str) -> None:
    assert kind_of(error, storage.location_of("s3://b/x")) == kind


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("[ERROR] Server responded with an error: [3011] Unable to open /x", "missing"),
        ("[FATAL] Auth failed: No protocols left to try", "denied"),
        ("[ERROR] Operation expired", "passing"),
    ],
)
def test_what_xrootd_says_is_sorted(said: str, kind: str) -> None:
    assert kind_of(OSError(said), storage.location_of("root://h//x")) == kind


def test_what_fsspec_calls_missing_over_http_may_be_something_else() -> None:
    for status, kind in ((503, "passing"), (401, "denied"), (404, "missing")):
        error = FileNotFoundError("https://h/x")
        error.__cause__ = AnswerError(status, "")
        assert kind_of(error, storage.location_of("https://h/x")) == kind
