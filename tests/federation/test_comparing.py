"""Copies are hashed where they lie, at all sites at a time, for as long as a site lives."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from spectrum_workflows import comparing
from spectrum_workflows.comparing import content_hash, equal_copies
from spectrum_workflows.engine.federation import Federation
from spectrum_workflows.engine.ledger import Ledger
from spectrum_workflows.engine.limits import Limits
from spectrum_workflows.errors import SiteError
from spectrum_workflows.storage import Stores


@pytest.fixture
def sites(tmp_path: Path, federation: Federation) -> Federation:
    """The same file at both; nothing may stand still for long."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_bytes(b"content")
    stores = Stores(sites=tuple((str(tmp_path / name), name) for name in "ab"))
    federation.members = tuple(
        replace(m, stores=replace(stores, here=m.name), limits=Limits(stalled=0.01))
        for m in federation.members
    )
    return federation


BOTH, HANG = threading.Barrier(2, timeout=20), threading.Event()


def is_at_b(url: str) -> bool:
    """Whether a worker of b is asked, not the session."""
    return threading.current_thread() is not threading.main_thread() and "/b/" in url


def slow(url: str, stores: Stores) -> str:
    assert threading.current_thread() is not threading.main_thread()
    BOTH.wait()
    time.sleep(0.1)
    return content_hash(url, stores)


def refused(url: str, stores: Stores) -> str:
    if is_at_b(url):
        raise PermissionError("no access")
    return content_hash(url, stores)


def hangs(url: str, stores: Stores) -> str:
    if is_at_b(url):
        HANG.wait(20)
    return content_hash(url, stores)


def compared(sites: Federation, folder: Path) -> tuple[bool, list[str]]:
    url, other = (str(folder / name / "f") for name in "ab")
    equal, warnings = equal_copies(sites, {url: (other,)}, known="", compare=True)
    return equal[url] == (other,), warnings


def test_slow_sites_are_waited_for_and_hash_at_the_same_time(sites, tmp_path, monkeypatch):
    monkeypatch.setattr(comparing, "content_hash", slow)
    assert compared(sites, tmp_path) == (True, [])


def test_what_a_worker_cannot_read_is_read_by_the_session_and_that_is_said(
    sites, tmp_path, monkeypatch
):
    monkeypatch.setattr(comparing, "content_hash", refused)
    same, [warning] = compared(sites, tmp_path)
    assert same
    assert "hashed by the session" in warning
    assert "b: no access" in warning


def test_a_site_that_was_given_up_is_not_waited_for(sites, tmp_path, monkeypatch):
    monkeypatch.setattr(comparing, "content_hash", hangs)
    first, second = sites.members
    sites.members = (first, replace(second, error=lambda: SiteError("no worker for 3 s")))
    same, [warning] = compared(sites, tmp_path)
    HANG.set()
    assert same
    assert "b: no worker for 3 s" in warning


def test_a_ledger_trusts_nothing_of_a_copy_that_has_changed():
    now = {"/a/f": "1", "/b/f": "1"}
    ledger = Ledger(
        "", {**now}, copies={"/a/f": ("/b/f",)}, look=lambda urls: {url: now[url] for url in urls}
    )
    assert not ledger.doubt(["/a/f"])
    now["/b/f"] = "2"
    assert "/b/f is not what it was" in ledger.doubt(["/a/f"])
