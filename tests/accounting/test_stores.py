"""Bytes by store: every byte that is read has a store, and parts sum up to the whole."""

from pathlib import Path

import pytest

from spectrum_workflows import storage
from spectrum_workflows.domain import Metrics
from spectrum_workflows.stages import Stage, together


@pytest.mark.parametrize(
    ("url", "store"),
    [
        ("root://user@eospublic.cern.ch:1094//eos/x.root", "root://eospublic.cern.ch:1094"),
        ("https://localhost/a/b?X-Amz-Signature=abc", "https://localhost"),
        ("s3://bucket/a/b", "s3://bucket"),
        ("file:///data/x", "local files"),
        ("/data/x", "local files"),
        ("", "unknown store"),
    ],
)
def test_the_store_of_a_url_is_its_server_without_secrets(url: str, store: str) -> None:
    assert storage.store_of(url) == store


def test_local_files_are_counted_once_by_both_ways_of_reading(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    with storage.metering() as outer:
        with storage.metering() as counter:
            storage.read_bytes(str(path))
            storage.read_ranges(str(path), [(2, 5)])
        storage.count(7, "s3://bucket/x")
    assert counter.by_store == {"local files": 13}
    assert outer.by_store == {"local files": 13, "s3://bucket": 7}
    assert outer.bytes_read == 20


def test_a_store_in_memory_is_counted_under_its_own_name() -> None:
    import fsspec

    fsspec.filesystem("memory").pipe_file("/box/x", b"0123")
    with storage.metering() as counter:
        assert storage.read_bytes("memory://box/x") == b"0123"
    assert counter.by_store == {"memory://box": 4}


def test_metrics_and_stages_add_their_stores_up() -> None:
    a, b = (("a", 1), ("b", 2)), (("b", 3), ("c", 4))
    total = (("a", 1), ("b", 5), ("c", 4))
    assert together(a, b) == total
    assert (Metrics(stores=a) + Metrics(stores=b)).stores == total
    assert (Stage("read", 1, 1.0, 0, 0, a) + Stage("read", 1, 1.0, 0, 0, b)).stores == total
    assert "stores" not in Stage("read", 1, 1.0, 0, 0, a).numbers
