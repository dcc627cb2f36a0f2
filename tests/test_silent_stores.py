"""Stores that accept a connection and then say nothing, or too little, or point elsewhere."""

import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import zarr

from spectrum_workflows import storage
from spectrum_workflows.errors import OutputError, SpectrumError, StoreError
from spectrum_workflows.radio.read.msv4 import stored
from spectrum_workflows.storage import Stores
from spectrum_workflows.storage.urls import check_redirect

Answer = Callable[[socket.socket], None]


@contextmanager
def server(answer: Answer) -> Iterator[int]:
    """A server on loopback that does with every connection what it is told; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    held.append(connection)
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with suppress(OSError):
                answer(connection)

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in held:
                connection.close()


def nothing(connection: socket.socket) -> None:
    """Read whatever comes."""
    while connection.recv(1 << 16):
        pass


def drip(connection: socket.socket) -> None:
    """Promise a megabyte, and send a byte now and then."""
    while True:
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(1 << 16)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nAccept-Ranges: bytes\r\n"
            b"Content-Type: application/octet-stream\r\n\r\n"
        )
        while not request.startswith(b"HEAD"):
            connection.sendall(b"x")
            time.sleep(0.1)


def stores(url: str, port: int, **options: float) -> tuple[str, Stores]:
    """A URL at that port, and options that give up after about two seconds."""
    common = {"timeout": 1, "patience": 1, **options}
    if url.startswith("s3"):
        common |= {"endpoint_url": f"http://127.0.0.1:{port}", "anon": True}
    url = url.format(port=port)
    prefix = "/".join(url.split("/")[:3])
    return url, Stores(((prefix, tuple(common.items())),))


IN_TIME = 20
"""Seconds, on a busy machine; without the limits asked for it would be a minute and more."""

URLS = ["s3://b/folder/x.bin", "http://127.0.0.1:{port}/folder/x.bin"]
ROOT = "root://127.0.0.1:{port}//folder/x.bin"
READS = [
    storage.read_bytes,
    storage.exists,
    storage.info,
    storage.open_read,
    storage.files_below,
    lambda url: storage.read_ranges(url, [(0, 10), (10**6, 10**6 + 10)]),
]
WRITES = [
    lambda url: storage.write_bytes(url, b"abc"),
    lambda url: storage.write_bytes(url, bytes(120 << 20)),  # in several parts
    storage.check_writable,
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("read", READS)
def test_a_silent_store_is_an_error_in_time(url: str, read: Callable[[str], object]) -> None:
    with server(nothing) as port:
        url, options = stores(url, port)
        begun = time.monotonic()
        with storage.using(options), pytest.raises(StoreError, match="did not answer"):
            read(url)
        assert time.monotonic() - begun < IN_TIME


@pytest.mark.parametrize("write", WRITES)
def test_a_silent_store_is_not_written_to_for_ever(write: Callable[[str], object]) -> None:
    """S3 clients wait for the server's leave to send the bytes, without a limit of their own."""
    with server(nothing) as port:
        url, options = stores(URLS[0], port, slowest=1e9)
        begun = time.monotonic()
        with storage.using(options), pytest.raises(OutputError, match="did not answer"):
            write(url)
        assert time.monotonic() - begun < IN_TIME


@pytest.mark.parametrize("act", [storage.read_bytes, storage.exists, WRITES[0]])
def test_a_silent_xrootd_server(act: Callable[[str], object]) -> None:
    pytest.importorskip("XRootD")
    with server(nothing) as port:
        url, options = stores(ROOT, port, timeout=2)
        begun = time.monotonic()
        with storage.using(options), pytest.raises(SpectrumError, match="did not answer"):
            act(url)
        assert time.monotonic() - begun < 30


@pytest.mark.parametrize("url", URLS)
def test_a_byte_now_and_then_is_not_an_answer(url: str) -> None:
    with server(drip) as port:
        url, options = stores(url, port, slowest=1e6)
        begun = time.monotonic()
        with storage.using(options), pytest.raises(StoreError, match="no whole answer within"):
            storage.read_bytes(url)
        assert time.monotonic() - begun < IN_TIME


@pytest.mark.parametrize("url", ["s3://b/x.zarr", "http://127.0.0.1:{port}/x.zarr"])
@pytest.mark.parametrize("answer", [nothing, drip])
def test_a_zarr_set_has_the_same_limits(url: str, answer: Answer) -> None:
    said = "did not answer" if answer is nothing else "no whole answer within"
    with server(answer) as port:
        url, options = stores(url, port, slowest=1e6)
        begun = time.monotonic()
        with storage.using(options), pytest.raises(StoreError, match=said), stored.opened(url):
            pass
        assert time.monotonic() - begun < IN_TIME


@pytest.mark.parametrize("late", [nothing, drip])
def test_and_so_have_its_chunks(tmp_path: Path, late: Answer) -> None:
    """The metadata come as they should, and of the numbers a byte now and then, or none."""
    group = zarr.create_group(tmp_path / "x.zarr", zarr_format=3)
    group.create_array("x", data=np.arange(1000.0), chunks=(100,))
    with warnings.catch_warnings(action="ignore"):  # that Zarr's format 3 may yet change
        zarr.consolidate_metadata(tmp_path / "x.zarr")

    def answer(connection: socket.socket) -> None:
        while request := connection.recv(1 << 16):
            method, name = request.split()[:2]
            if b"/c/" in name:
                late(connection)
            file = tmp_path / name.decode().lstrip("/")
            data = file.read_bytes() if file.is_file() else b""
            state = b"200 OK" if data else b"404 Not Found"
            head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (state, len(data))
            connection.sendall(head + (b"" if method == b"HEAD" else data))

    with server(answer) as port:
        url, options = stores("http://127.0.0.1:{port}/x.zarr", port, slowest=1e6)
        begun = time.monotonic()
        with (
            storage.using(options),
            pytest.raises(StoreError, match="answer"),
            stored.opened(url) as (root, _),
        ):
            np.asarray(root["x"][:])
        assert time.monotonic() - begun < IN_TIME


def test_a_slow_answer_is_waited_for_if_it_is_large(tmp_path: Path) -> None:
    """A limit follows the number of bytes, so that a slow line is no fault."""

    def slow(connection: socket.socket) -> None:
        request = connection.recv(1 << 16)
        head = "HTTP/1.1 200 OK\r\nContent-Length: 40\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        for _ in range(0 if request.startswith(b"HEAD") else 40):
            connection.sendall(b"x")
            time.sleep(0.1)
        connection.shutdown(socket.SHUT_WR)

    with server(slow) as port:
        url, options = stores(URLS[1], port, slowest=5)
        with storage.using(options):
            assert storage.read_bytes(url) == b"x" * 40


# Redirects


@pytest.mark.parametrize(
    ("url", "target", "says"),
    [
        ("https://host/a", "http://host/a", "another scheme, http"),
        ("https://host/a", "file:///etc/passwd", "another scheme, file"),
        ("http://host/a", "ftp://host/a", "another scheme, ftp"),
        ("https://host/a", "https://127.0.0.1/a", "own network, 127.0.0.1"),
        ("https://host/a", "https://[fe80::a9fe:a9fe]/a", "own network"),
        ("https://host/a", "https://[::1]/a", "own network"),
        ("https://host/a", "https://localhost:8787/a", "own network"),
        ("https://host.example.org/a", "https://[fd00::1]/a", "own network"),
    ],
)
def test_redirects_that_are_refused(url: str, target: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        check_redirect(url, target)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://host/a", "https://host/a"),
        ("https://host/a", "https://elsewhere/b"),
        ("http://127.0.0.1:1/a", "http://127.0.0.1:2/a"),
    ],
)
def test_redirects_that_are_followed(url: str, target: str) -> None:
    check_redirect(url, target)


def redirect(target: str) -> Answer:
    def answer(connection: socket.socket) -> None:
        head = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        while connection.recv(1 << 16):
            connection.sendall(head.encode())

    return answer


@pytest.mark.parametrize(
    ("target", "says"),
    [("file:///etc/hostname", "another scheme"), ("/again", "did not answer|refused")],
)
def test_a_server_that_points_elsewhere(target: str, says: str) -> None:
    """The second points to itself for ever."""
    with server(redirect(target)) as port:
        url, options = stores(URLS[1], port)
        with storage.using(options), pytest.raises(StoreError, match=says):
            storage.read_bytes(url)
