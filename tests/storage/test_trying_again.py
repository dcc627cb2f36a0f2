"""Tries of what may pass, copies that stand in, and limits in seconds."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from spectrum_workflows import storage
from spectrum_workflows.errors import (
    AccessError,
    DataError,
    DataNotFoundError,
    SpectrumError,
    StoreError,
)
from spectrum_workflows.storage import Stores, failover, retry
from spectrum_workflows.storage.limits import LISTING, LateError, Limited, allow


class Scripted(MemoryFileSystem):
    """A store that answers with the next error of a list, and then as it should."""

    protocol = "scripted"
    errors: ClassVar[list[BaseException]] = []
    asked: ClassVar[list[str]] = []

    def info(self, path: str, **options: Any) -> Any:
        self.asked.append(path.removeprefix("scripted:/"))
        if self.errors:
            raise self.errors.pop(0)
        return super().info(path, **options)


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The store, empty; and the pauses that were made, none of which is waited for."""
    fsspec.register_implementation("scripted", Scripted, clobber=True)
    now, pauses = itertools.count(), []  # one second of the clock per look at it

    def pause(seconds: float) -> None:
        pauses.append(seconds)

    clock = SimpleNamespace(monotonic=lambda: float(next(now)), sleep=pause)
    monkeypatch.setattr(retry, "time", clock)
    monkeypatch.setattr(failover, "_failed", {})
    monkeypatch.setattr(failover, "_sizes", {})
    Scripted.errors, Scripted.asked = [], []
    storage.write_bytes("scripted://x", b"0123456789")
    pauses.clear()
    yield pauses
    Scripted.store.clear()


def using(**options: object) -> Any:
    return storage.using(Stores((("scripted://", tuple(options.items())),)))


def info() -> dict[str, Any]:
    return storage.persist("scripted://x", lambda fs, path: fs.info(path))


def test_what_passes_is_tried_until_it_does(scripted: list[float]) -> None:
    Scripted.errors += [ConnectionResetError("gone"), TimeoutError(), BrokenPipeError()]
    with using(patience=1000):
        assert info()["size"] == 10
    assert len(Scripted.asked) == 4


def test_pauses_double_up_to_the_longest_and_differ(
    scripted: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_jitter", random.Random(3))
    Scripted.errors += [TimeoutError()] * 9
    with using(patience=1000):
        info()
    assert len(scripted) == 9
    for number, seconds in enumerate(scripted):
        whole = min(retry.FIRST * 2**number, retry.LONGEST)
        assert whole / 2 <= seconds <= whole
    assert len({*scripted}) == 9, "many readers would come back at the same moment"


@pytest.mark.parametrize("patience", [0, 20, 60])
def test_patience_ends_the_tries(patience: int) -> None:
    Scripted.errors += [TimeoutError("busy")] * 1000
    with using(patience=patience), pytest.raises(StoreError, match="did not answer"):
        info()
    assert (len(Scripted.asked) == 1) is (patience == 0)
    assert len(Scripted.asked) <= patience + 1


def test_what_led_to_an_error_is_not_kept_with_it() -> None:
    """An error of a library may hold the token that was sent."""
    Scripted.errors += [TimeoutError("Bearer abc")]
    with using(patience=0), pytest.raises(StoreError) as caught:
        info()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(("anon", "tries"), [(True, 1), (False, 2)])
def test_a_refusal_is_tried_again_where_credentials_may_come(anon: bool, tries: int) -> None:
    Scripted.errors += [PermissionError("old token")] * 100
    with using(patience=1000, anon=anon), pytest.raises(AccessError, match="refused access"):
        info()
    assert (len(Scripted.asked) > 1) is (tries > 1)
    assert len(Scripted.asked) <= retry.DENIED, "new ones do not take as long as a store may"


def test_after_a_refusal_the_file_system_is_made_anew() -> None:
    made: list[int] = []
    Scripted.errors += [PermissionError("old token")]

    def look(fs: Any, path: str) -> Any:
        made.append(id(retry.Limited.__getattribute__(fs, "_fs")))
        return fs.info(path)

    with using(patience=1000):
        storage.persist("scripted://x", look)
    assert len({*made}) == 2


@pytest.mark.parametrize("error", [TypeError("a mistake"), KeyError("k"), ZeroDivisionError()])
def test_mistakes_are_raised_as_they_are(error: Exception) -> None:
    Scripted.errors += [error]
    with pytest.raises(type(error)) as caught:
        info()
    assert caught.value is error


def test_an_error_of_ours_within_another_is_taken_out() -> None:
    mine, wrapped = DataError("mine"), OSError("fsspec says")
    wrapped.__cause__ = mine
    Scripted.errors += [wrapped]
    with pytest.raises(DataError) as caught:
        info()
    assert caught.value is mine
    assert len(Scripted.asked) == 1


# Copies


def two_roots() -> Any:
    storage.write_bytes("scripted://near/f", b"12345")
    storage.write_bytes("scripted://far/f", b"12345")
    Scripted.asked.clear()
    options = (("scripted://", (("patience", 0), ("anon", True))),)
    return storage.using(Stores(options, copies=(("scripted://near", "scripted://far"),)))


def look(url: str = "scripted://near/f") -> dict[str, Any]:
    return storage.info(url)


@pytest.mark.parametrize("error", [TimeoutError(), PermissionError(), FileNotFoundError()])
def test_a_copy_stands_in_and_is_noted(error: Exception) -> None:
    with two_roots(), storage.metering() as counter:
        Scripted.errors += [error]
        assert look()["size"] == 5
    assert counter.copies == {"scripted://far"}
    assert counter.themselves == set()
    [replica] = counter.replicas
    assert (replica.planned, replica.url) == ("scripted://near/f", "scripted://far/f")
    assert storage.stamps_of([replica.url]) == {replica.url: replica.version}
    assert Scripted.asked[:3] == ["/near/f", "/far/f", "/far/f"]


def test_a_store_that_failed_is_asked_last_until_it_may_be_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with two_roots():
        Scripted.errors += [TimeoutError()]
        look()
        Scripted.asked.clear()
        look()
        assert Scripted.asked[0] == "/far/f"
        later = time.monotonic() + failover.DOWN
        monkeypatch.setattr(failover, "time", SimpleNamespace(monotonic=lambda: later))
        Scripted.asked.clear()
        look()
        assert Scripted.asked == ["/near/f"]


def test_a_file_that_one_store_lacks_does_not_put_the_store_last() -> None:
    with two_roots():
        Scripted.errors += [FileNotFoundError()]
        look()
        Scripted.asked.clear()
        look()
    assert Scripted.asked == ["/near/f"]


def test_the_error_of_what_was_planned_is_the_one_that_is_told() -> None:
    with two_roots():
        Scripted.errors += [PermissionError(), TimeoutError()]
        with pytest.raises(AccessError, match="scripted://near/f"):
            look()


def test_a_mistake_is_not_carried_to_a_copy() -> None:
    with two_roots():
        Scripted.errors += [TypeError("a mistake")]
        with pytest.raises(TypeError):
            look()
    assert Scripted.asked == ["/near/f"]


def test_a_copy_of_another_size_is_not_read() -> None:
    with two_roots():
        look()
        storage.write_bytes("scripted://far/f", b"1234567")
        Scripted.errors += [TimeoutError()]
        with pytest.raises(StoreError, match="near/f"):
            look()
        Scripted.errors += []
        with pytest.raises(DataError, match=r"7 bytes, not the 5 .*; correct the catalogue"):
            failover._version("scripted://near/f", storage.location_of("scripted://far/f"))


def test_sizes_are_remembered_of_files_with_copies_only() -> None:
    with two_roots():
        failover.remember_size("scripted://else/f", 3)
        failover.remember_size("scripted://near/f", None)
    assert failover._sizes == {}


def test_without_copies_nothing_is_noted() -> None:
    with storage.metering() as counter, using(patience=0), pytest.raises(DataNotFoundError):
        storage.info("scripted://nowhere")
    assert counter.copies == set()


# Limits


class Slow(AsyncFileSystem):
    """A file system that answers after some seconds."""

    protocol = "slow"
    cachable = False
    cancelled: ClassVar[list[str]] = []

    async def _info(self, path: str, **options: Any) -> dict[str, Any]:
        return await self._answer("info", path)

    async def _find(self, path: str, **options: Any) -> dict[str, Any]:
        return await self._answer("find", path)

    async def _answer(self, name: str, path: str) -> dict[str, Any]:
        try:
            await asyncio.sleep(float(path))
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        return {"name": path}

    async def _fails(self) -> None:
        raise DataError("mine")


@pytest.fixture(scope="module")
def slow() -> Slow:
    return Slow()


def test_an_answer_in_time_is_given(slow: Slow) -> None:
    assert Limited(slow, 5.0, 1e5).info("0") == {"name": "0"}
    with pytest.raises(DataError, match="mine"):
        Limited(slow, 5.0, 1e5).fails()


def test_a_late_answer_is_cancelled_and_not_waited_for(slow: Slow) -> None:
    Slow.cancelled.clear()
    begun = time.monotonic()
    with pytest.raises(LateError, match=r"no whole answer within 0\.05 s"):
        Limited(slow, 0.05, 1e5).info("30")
    assert time.monotonic() - begun < 30
    for _ in range(100):
        if Slow.cancelled:
            break
        time.sleep(0.01)
    assert Slow.cancelled == ["info"]


def test_the_limit_is_of_all_calls_together(slow: Slow) -> None:
    fs = Limited(slow, 0.2, 1e5)
    with pytest.raises(LateError):
        [fs.info("0.05") for _ in range(100)]


@pytest.mark.parametrize(
    "give", [lambda fs: allow(fs, 1000), lambda fs: fs.find("0")], ids=["bytes", "a listing"]
)
def test_more_time_is_allowed_for_what_takes_longer(
    slow: Slow, give: Callable[[Limited], object]
) -> None:
    fs = Limited(slow, 0.01, 100.0)
    give(fs)
    assert fs.info("0.1") == {"name": "0.1"}


def test_a_listing_may_take_minutes_and_bytes_what_they_need() -> None:
    fs = Limited(object(), 1.0, 100.0)
    end = fs._end
    assert allow(fs, 500) is fs
    assert (fs._end - end, fs._seconds) == (5.0, 6.0)
    fs._allow(LISTING)
    assert fs._end - end == 5.0 + LISTING
    plain = object()
    assert allow(plain, 500) is plain


def test_a_file_system_without_coroutines_is_passed_through() -> None:
    with using():
        fs, path = storage.locate("scripted://x")
    limited = Limited(fs, 0.0, 1.0)
    assert limited.info(path)["size"] == 10
    assert limited.protocol == "scripted"


def test_errors_know_they_are_of_a_store() -> None:
    assert issubclass(LateError, OSError)
    assert not issubclass(LateError, TimeoutError), "fsspec would make another error of it"
    assert not issubclass(LateError, SpectrumError)
