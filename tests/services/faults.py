"""A proxy on loopback that does what stores do on bad days, to every Nth request.

It stands in front of a real S3 or http server and keeps the Host header, so that signatures
still hold.  ``python faults.py TARGET_PORT --mode 503`` prints its port, and when it is told to
end, how many requests it has seen and how many it has spoilt.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MODES = ("503", "drop", "slow", "truncate")
UNAVAILABLE = b'<?xml version="1.0"?><Error><Code>ServiceUnavailable</Code></Error>'
KEEP = 400  # bytes of a truncated answer
PIECE = 1 << 18


@dataclass
class Proxy:
    """A running proxy: its port, and once it has ended, what it did."""

    port: int
    seen: int = 0
    spoilt: int = 0


@contextmanager
def proxy(target: int, mode: str, *, every: int = 7, delay: float = 2.0) -> Iterator[Proxy]:
    """Run the proxy in a process of its own, in front of a port of loopback."""
    options = ["--mode", mode, "--every", str(every), "--delay", str(delay)]
    command = [sys.executable, str(Path(__file__)), str(target), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        running = Proxy(int(process.stdout.readline()))
        try:
            yield running
        finally:
            process.terminate()
            told, _ = process.communicate(timeout=30)
            running.seen, running.spoilt = json.loads(told)


@dataclass
class Faults:
    """What the proxy is to do, and what it has done."""

    target: int
    mode: str
    every: int
    delay: float
    seen: int = 0
    spoilt: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def next_is_bad(self) -> bool:
        """Count one more request."""
        self.seen += 1
        bad = self.seen % self.every == 0
        self.spoilt += bad
        return bad


class EndedError(Exception):
    """One side has closed the connection, or is to see it closed."""


async def serve(faults: Faults) -> None:
    """Serve until told to end, then say what happened."""
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        faults.tasks.add(asyncio.current_task())
        try:
            await relay(faults, reader, writer)
        except (EndedError, asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()
            faults.tasks.discard(asyncio.current_task())

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 20)
    tell(server.sockets[0].getsockname()[1])
    await done.wait()
    tell([faults.seen, faults.spoilt])
    for task in [*faults.tasks]:
        task.cancel()


def tell(what: object) -> None:
    """One line of JSON for whoever started us."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def relay(faults: Faults, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on the requests of one connection, one after the other."""
    above = None
    try:
        while True:
            request = await reader.readuntil(b"\r\n\r\n")
            bad = faults.next_is_bad()
            if bad and faults.mode == "503":
                await unavailable(request, reader, writer)
            if bad and faults.mode == "drop":
                raise EndedError
            if bad and faults.mode == "slow":
                await asyncio.sleep(faults.delay)
            above = above or await asyncio.open_connection("127.0.0.1", faults.target)
            await exchange(request, (reader, writer), above, bad and faults.mode == "truncate")
    finally:
        if above:
            above[1].close()


async def unavailable(
    request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer 503 without asking the server, and close."""
    if header(request, b"expect") != b"100-continue":
        await body(request, reader, None)
    answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\n"
    answer += b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(UNAVAILABLE)
    writer.write(answer + (b"" if request.startswith(b"HEAD") else UNAVAILABLE))
    await writer.drain()
    raise EndedError


async def exchange(request: bytes, below: tuple, above: tuple, truncate: bool) -> None:
    """One request and its answer."""
    (reader, writer), (up_reader, up_writer) = below, above
    up_writer.write(request)
    if header(request, b"expect") == b"100-continue":
        answer = await up_reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if not answer.startswith(b"HTTP/1.1 100"):
            await body(answer, up_reader, writer)
            raise EndedError
    await body(request, reader, up_writer)
    await up_writer.drain()
    answer = await up_reader.readuntil(b"\r\n\r\n")
    while answer.startswith(b"HTTP/1.1 100"):
        answer = await up_reader.readuntil(b"\r\n\r\n")
    writer.write(answer)
    empty = request.startswith(b"HEAD") or answer.split(b" ")[1] in (b"204", b"304")
    if not empty:
        get = truncate and request.startswith(b"GET")
        await body(answer, up_reader, writer, limit=KEEP if get else None)
    await writer.drain()
    if header(answer, b"connection") == b"close":
        raise EndedError


async def body(
    head: bytes,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter | None,
    *,
    limit: int | None = None,
) -> None:
    """Pass on what follows a head; close after ``limit`` bytes of it."""
    if header(head, b"transfer-encoding") == b"chunked":
        await chunked(reader, writer)
        return
    left = int(header(head, b"content-length") or 0)
    short = limit is not None and limit < left
    left = limit if short else left
    while left:
        data = await reader.read(min(left, PIECE))
        if not data:
            raise EndedError
        left -= len(data)
        if writer:
            writer.write(data)
            await writer.drain()
    if short:
        raise EndedError


async def chunked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
    """Pass on a body that comes in chunks."""
    size = -1
    while size:
        line = await reader.readline()
        size = int(line.split(b";")[0], 16)
        data = await reader.readexactly(size + 2)
        if writer:
            writer.write(line + data)
            await writer.drain()


def header(head: bytes, name: bytes) -> bytes:
    """The value of a header, in lower case; empty where it is missing."""
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().lower()
    return b""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=int)
    parser.add_argument("--mode", choices=MODES, default="503")
    parser.add_argument("--every", type=int, default=7)
    parser.add_argument("--delay", type=float, default=2.0)
    asyncio.run(serve(Faults(**vars(parser.parse_args()))))
