"""Reading: whole objects, and many byte ranges in one request."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from typing import IO, Any

from spectrum_workflows.errors import SpectrumError, StoreError
from spectrum_workflows.storage.errors import missing
from spectrum_workflows.storage.failover import anywhere, remember_size
from spectrum_workflows.storage.filesystems import open_filesystem
from spectrum_workflows.storage.limits import allow
from spectrum_workflows.storage.location import Location, to_read
from spectrum_workflows.storage.metering import count
from spectrum_workflows.storage.ranges import joined
from spectrum_workflows.storage.retry import persist

BUFFER = 1 << 20  # bytes that a stream reads ahead
UNKNOWN = 64 << 20  # bytes that are waited for where a server does not say how many there are


class TruncatedError(OSError):
    """An answer that is shorter than what was asked for."""


def info(url: str | Location) -> dict[str, Any]:
    """The store's description of a file: ``size``, ``type``, and what it has of time or tag.

    Raises
    ------
    DataNotFoundError, AccessError, StoreError
        As `copies.anywhere`.
    """
    place = to_read(url)
    described: dict[str, Any] = anywhere(place, lambda fs, path: fs.info(path))
    remember_size(place.url, described.get("size"))
    return described


def exists(url: str) -> bool:
    """Whether a file or folder is there.

    Raises
    ------
    AccessError, StoreError
        It cannot be known.
    """
    try:
        info(url)
    except FileNotFoundError:
        return False
    return True


def files_below(url: str) -> list[str]:
    """URLs of all files below a folder, sorted; none where there is no folder."""
    return [*sizes_below(url)]


def sizes_below(url: str) -> dict[str, int | None]:
    """Sizes of all files below a folder, by URL, sorted, as far as the store's list has them."""
    place = to_read(url)
    fs, _ = open_filesystem(place)
    try:
        listed: dict[str, Any] = persist(
            place, lambda fs, path: fs.find(path, detail=True, **_raising(place))
        )
    except FileNotFoundError:
        return {}
    return {
        path if place.is_local else fs.unstrip_protocol(path): listed[path].get("size")
        for path in sorted(listed)
    }


def _raising(place: Location) -> dict[str, str]:
    """Where fsspec lists folder by folder, it would step over those that gave an error."""
    return {"on_error": "raise"} if place.is_http or place.scheme == "root" else {}


def size_below(url: str) -> int:
    """Bytes of a file, or of all files below a folder; 0 where the store does not say."""
    place = to_read(url)
    try:
        described = info(place)
        if described["type"] != "directory":
            return int(described["size"] or 0)
        return int(persist(place, lambda fs, path: fs.du(path)))
    except SpectrumError:  # a number to be shown, which must not end a run
        return 0


def read_bytes(url: str, *, size: int | None = None) -> bytes:
    """The whole of one (small) file.

    Parameters
    ----------
    url : str
    size : int, optional
        As a list told it just now: the store is not asked for it again, and at most so many
        bytes, from the beginning on, are read.  Whether that is all of it shows from its content.

    Raises
    ------
    DataNotFoundError, AccessError, StoreError
        As `persist`.
    """
    if size:
        data: bytes = anywhere(to_read(url), lambda fs, path: _at_most(fs, path, size))
        return data
    return anywhere(to_read(url), _whole)


def read_ranges(url: str | Location, ranges: Sequence[tuple[int, int]]) -> list[memoryview]:
    """Byte ranges of one file, by as few requests as makes sense, all at once.

    Neighbours share a request as `ranges.joined` says.  A range whose answer
    fails or is too short is asked for again, and it alone.

    Parameters
    ----------
    url : str or Location
    ranges : sequence of (start, stop)
        Within the file, in any order.

    Returns
    -------
    list of memoryview
        In the same order, each of the length that was asked for.

    Raises
    ------
    DataNotFoundError, AccessError, StoreError
        As `persist`.
    """
    place = to_read(url)
    if place.is_local:
        return persist(place, lambda _, path: _local_ranges(place.url, path, ranges))
    spans = joined(ranges)
    got: dict[tuple[int, int], bytes] = {}

    def ask(fs: Any, path: str) -> None:
        left = [span for span in spans if span not in got]
        answers = _answers(fs, path, left, place.concurrency)
        failures = []
        for span, answer in zip(left, answers, strict=True):
            if isinstance(answer, BaseException):
                failures.append(answer)
            elif len(answer) < span[1] - span[0]:
                short = f"{len(answer)} of {span[1] - span[0]} bytes came"
                failures.append(TruncatedError(short))
            elif len(answer) > span[1] - span[0]:
                raise StoreError("the server ignores byte ranges", place.shown, "stage the file")
            else:
                got[span] = answer
                count(len(answer))
        if failures:
            raise failures[0]

    anywhere(place, ask)
    return [_cut(got, spans, start, stop) for start, stop in ranges]


def open_read(url: str) -> IO[bytes]:
    """A seekable binary file.

    Raises
    ------
    DataNotFoundError, AccessError, StoreError
        As `persist`.
    """
    place = to_read(url)
    if place.is_local:
        return persist(place, lambda fs, path: fs.open(path, "rb"))
    return io.BufferedReader(_RangeFile(place, info(place)), BUFFER)


class _RangeFile(io.RawIOBase):
    """A remote file as a stream, read by `read_ranges`."""

    def __init__(self, place: Location, described: dict[str, Any]) -> None:
        if described["type"] == "directory":
            raise missing(place.url)
        self.place, self.size, self.position = place, int(described["size"]), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        self.position = max(0, base + offset)
        return self.position

    def readinto(self, buffer: Any) -> int:
        stop = min(self.position + len(buffer), self.size)
        if stop <= self.position:
            return 0
        [data] = read_ranges(self.place, [(self.position, stop)])
        buffer[: len(data)] = data
        self.position = stop
        return len(data)


def _whole(fs: Any, path: str) -> bytes:
    described = fs.info(path)
    if described["type"] == "directory":
        raise IsADirectoryError(path)
    size = described["size"]
    if not size:
        return b"" if size == 0 else _counted(bytes(allow(fs, UNKNOWN).cat_file(path)))
    return _beginning(fs, path, size)


def _beginning(fs: Any, path: str, size: int) -> bytes:
    data = _at_most(fs, path, size)
    if len(data) < size:
        raise TruncatedError(f"{len(data)} of {size} bytes came")
    return data


def _at_most(fs: Any, path: str, size: int) -> bytes:
    allow(fs, size)
    return _counted(bytes(fs.cat_file(path, start=0, end=size)))


def _counted(data: bytes) -> bytes:
    count(len(data))
    return data


def _answers(fs: Any, path: str, spans: list[tuple[int, int]], at_a_time: int) -> list[Any]:
    allow(fs, sum(stop - start for start, stop in spans))
    starts, stops = ([span[k] for span in spans] for k in (0, 1))
    answers: list[Any] = fs.cat_ranges([path] * len(spans), starts, stops, batch_size=at_a_time)
    return answers


def _local_ranges(url: str, path: str, ranges: Sequence[tuple[int, int]]) -> list[memoryview]:
    views = []
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # as fsspec does
        for start, stop in ranges:
            file.seek(start)
            data = file.read(stop - start)
            if len(data) < stop - start:
                raise TruncatedError(f"{path} is shorter than it was")
            count(len(data), url)
            views.append(memoryview(data))
    return views


def _cut(
    got: dict[tuple[int, int], bytes], spans: list[tuple[int, int]], start: int, stop: int
) -> memoryview:
    """A range out of the span that holds it."""
    if start == stop:
        return memoryview(b"")
    span = spans[bisect_right(spans, start, key=lambda s: s[0]) - 1]
    return memoryview(got[span])[start - span[0] : stop - span[0]]
