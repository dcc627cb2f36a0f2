"""A replica stands in when a store fails in the middle: what is kept of it, and when it serves."""

import hashlib
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import muon_pairs

from spectrum_workflows import load_site, load_spec, make_data, run
from spectrum_workflows.domain import Metrics
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.workflow import histogramming
from spectrum_workflows.ledgers import questions, skims
from spectrum_workflows.record.outcome import Outcome
from spectrum_workflows.sites import Place
from spectrum_workflows.storage import failover

SPEC = muon_pairs.spec("replicas")
SKIM = {"require": {"pair": {"at_least": 2, "items": {"Muon": {"minimum": {"pt": 1.0}}}}}}


Harms = Mapping[int, Callable[[], object]]


class Ranges(SimpleHTTPRequestHandler):
    """Files with byte ranges; of a folder that is down, nothing."""

    down: set[str]

    def answer(self) -> bytes | None:
        path = Path(self.translate_path(self.path))
        if path.parent.name in self.down or not path.is_file():
            self.send_error(503 if path.parent.name in self.down else 404)
            return None
        size = path.stat().st_size
        asked = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        start, stop = int(asked[0] or 0), min(int(asked[2] or size - 1) + 1, size)
        self.send_response(206 if asked[1] else 200)
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        self.end_headers()
        return path.read_bytes()[start:stop]

    def do_GET(self) -> None:
        if (content := self.answer()) is not None:
            self.wfile.write(content)

    def do_HEAD(self) -> None:
        self.answer()

    def log_message(self, *_: Any) -> None:
        pass


@dataclass
class Replicas:
    """Two folders of a web server with one file, and what a catalogue says of them."""

    folder: Path
    url: str = ""
    down: set[str] = field(default_factory=set)

    def place(self, results: Path, **changes: Any) -> Place:
        quick = {f"{self.url}/near": {"patience": 0.0, "timeout": 5.0}}
        site = load_site("serial", changes={"ledger.after": 0.0, "storage": quick, **changes})
        return Place(site, str(self.folder), str(results))

    def catalogue(self, *, published: bool) -> None:
        content = (self.folder / "near" / "zmumu.root").read_bytes()
        words = dict.fromkeys(("title", "licence", "citation", "source"), "x")
        entry: dict[str, Any] = words | {"replicas": [f"{self.url}/near", f"{self.url}/far"]}
        file: dict[str, Any] = {"name": "zmumu.root", "events": 2400}
        if published:
            file["checksum"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        lines = ["[entries.mine]", *(f"{key} = {json.dumps(v)}" for key, v in entry.items())]
        lines += ["[[entries.mine.files]]", *(f"{k} = {json.dumps(v)}" for k, v in file.items())]
        (self.folder / "catalogue.toml").write_text("\n".join(lines))

    def run(
        self,
        results: Path,
        harms: Harms | None = None,
        *,
        trust_weak: bool = False,
        **changes: Any,
    ) -> Outcome:
        """A run in one process, in which something happens when so many partitions are done."""
        left = dict(harms or {})

        def watch(state: Any) -> None:
            for done in [n for n in left if state.stage == "select" and state.done >= n]:
                left.pop(done)()

        spec = load_spec(self.folder / "spec.toml")
        named = spec.changed(samples={"zmumu": {"files": ["catalogue:mine"]}}, **changes)
        outcome = run(named, self.place(results), watch=watch, trust_weak=trust_weak)
        assert left == {}
        return outcome

    def leave(self, results: Path) -> None:
        """Once something is kept, the near replica is not there any more."""
        end = time.monotonic() + 60
        while not questions(self.place(results)) and time.monotonic() < end:
            time.sleep(0.01)
        self.down.add("near")

    def touch(self) -> None:
        """Another version of the far replica, with the same bytes."""
        path = self.folder / "far" / "zmumu.root"
        os.utime(path, (path.stat().st_mtime + 100, path.stat().st_mtime + 100))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that can be kept is, however busy the machine; no store is remembered as failing.

    Whether a selection repeats itself is tested elsewhere, and takes a process each time.
    """
    monkeypatch.setattr("spectrum_workflows.engine.ledger.LAST_WORDS", 100.0)
    monkeypatch.setattr(failover, "_failed", {})
    monkeypatch.setattr(histogramming, "_watched", lambda *_: nullcontext(Metrics))


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "spec.toml").write_text(SPEC)
    make_data(load_spec(folder / "spec.toml"), Place(load_site("serial"), str(folder / "near"), ""))
    (folder / "far").mkdir()
    (folder / "far" / "zmumu.root").write_bytes((folder / "near" / "zmumu.root").read_bytes())
    here = Replicas(folder)
    handler = partial(type("Handler", (Ranges,), {"down": here.down}), directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        here.url = f"http://127.0.0.1:{server.server_port}"
        yield here
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("published", "trust_weak", "resumed"),
    [(True, False, 16), (False, True, 16), (False, False, 8)],
)
def test_a_run_whose_store_went_away(
    replicas: Replicas, tmp_path: Path, published: bool, trust_weak: bool, resumed: int
) -> None:
    """What the replica gave is kept, what both gave is not: nobody says what the first one was.

    Another run goes on from it where the content is known or trusted.
    """
    replicas.catalogue(published=published)
    undisturbed = replicas.run(tmp_path / "other")
    outcome = replicas.run(tmp_path, {9: partial(replicas.leave, tmp_path)})
    assert outcome.digest == undisturbed.digest
    assert outcome.metrics.copies == (f"{replicas.url}/far",)
    assert outcome.metrics.replaced == {f"{replicas.url}/near/zmumu.root": 15}
    [told] = [warning for warning in outcome.warnings if "kept" in warning]
    assert re.match("what is finished of 8 partitions was not kept.*near/.*was silent for 5", told)
    [kept] = questions(replicas.place(tmp_path))
    assert (kept.finished, kept.entries, kept.damaged) == (16, 2, ())
    replicas.down.clear()
    failover._failed.clear()
    again = replicas.run(tmp_path, trust_weak=trust_weak)
    assert (again.digest, again.metrics.resumed) == (undisturbed.digest, resumed)


def test_a_replica_that_is_exchanged_meanwhile(replicas: Replicas, tmp_path: Path) -> None:
    """No result, and nothing to go on from, though it be back when the run is given again."""
    replicas.catalogue(published=True)
    before = (replicas.folder / "far" / "zmumu.root").stat()
    harms: Harms = {9: partial(replicas.leave, tmp_path), 12: replicas.touch}
    with pytest.raises(DataError, match=r"far/zmumu\.root: it was exchanged while the run"):
        replicas.run(tmp_path, harms)
    os.utime(replicas.folder / "far" / "zmumu.root", ns=(before.st_atime_ns, before.st_mtime_ns))
    replicas.down.clear()
    failover._failed.clear()
    assert replicas.run(tmp_path).metrics.resumed == 8


def test_no_skim_is_left_of_a_replica_and_the_record_says_so(
    replicas: Replicas, tmp_path: Path
) -> None:
    replicas.catalogue(published=True)
    harms = {8: lambda: replicas.down.add("near")}
    outcome = replicas.run(tmp_path, harms, skim=SKIM)
    [kept] = skims(replicas.place(tmp_path))
    assert kept.partitions in (8, 9)  # one may have been read when the eighth was counted
    told = [warning for warning in outcome.warnings if "skims" in warning]
    assert told == [f"not all skims were kept: copies of files in {replicas.url} were read"]
