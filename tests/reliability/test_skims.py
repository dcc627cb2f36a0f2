"""HEP runs that read what earlier ones have kept of their events: the same digest, or the files."""

import json
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from typer.testing import CliRunner

from spectrum_workflows import check, load_site, run
from spectrum_workflows.cli.commands import app
from spectrum_workflows.domain import Metrics
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.workflow import histogramming, reading
from spectrum_workflows.ledgers import damaged_skims, prune, skims
from spectrum_workflows.resuming import KNOWN
from spectrum_workflows.sites import Place

pytestmark = pytest.mark.xdist_group("reliability skims")  # what they share is made once

EVENTS, PARTITION = 2000, 500
SELECT = """
import awkward as ak
import numpy as np
from spectrum_workflows.hep import Observable

def select(events, *, muon_pt=15.0):
    good = events.Muon_pt > np.float64(muon_pt)
    index = np.flatnonzero(np.asarray(ak.sum(good, axis=1) >= 2))
    leading = np.asarray(ak.max(events.Muon_pt[index], axis=1), np.float64)
    return {"dimuon": Observable(leading, index=index)}
"""
BASE: dict[str, Any] = {
    "workflow": "hep",
    "name": "muons",
    "select": "mine.py:select",
    "columns": ["Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge"],
    "luminosity": 10.0,
    "cuts": {"muon_pt": 15.0},
    "partition": {"max_events": PARTITION},
    "samples": {
        "a": {"files": ["a.root"], "cross_section": 3.0},
        "b": {"files": ["b.root"], "cross_section": 2.0},
    },
    "histograms": {"dimuon": {"bins": 20, "start": 0.0, "stop": 200.0}},
    "skim": {
        "columns": ["MET_pt", "genWeight"],
        "require": {"pair": {"at_least": 2, "items": {"Muon": {"minimum": {"pt": 10.0}}}}},
    },
}


def write(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = rng.integers(0, 4, EVENTS)
    flat = {
        "pt": rng.exponential(25.0, n.sum()).astype(np.float32),
        "eta": rng.normal(0, 1.5, n.sum()).astype(np.float32),
        "phi": rng.uniform(-3, 3, n.sum()).astype(np.float32),
        "mass": np.full(n.sum(), 0.1057, np.float32),
        "charge": rng.choice([-1, 1], n.sum()).astype(np.int32),
    }
    content: dict[str, Any] = {
        "Muon": ak.zip({k: ak.unflatten(v, n) for k, v in flat.items()}),
        "MET_pt": rng.exponential(30.0, EVENTS).astype(np.float32),
        "HLT_A": rng.random(EVENTS) < 0.7,
        "HLT_B": rng.random(EVENTS) < 0.4,
        "Flag_A": rng.random(EVENTS) < 0.9,
        "run": rng.integers(1, 4, EVENTS).astype(np.uint32),
        "luminosityBlock": rng.integers(1, 30, EVENTS).astype(np.uint32),
        "genWeight": rng.choice([-1.0, 2.0], EVENTS).astype(np.float32),
    }
    with uproot.recreate(path, compression=uproot.ZSTD(1)) as file:
        tree = file.mktree("Events", {k: ak.Array(v).type for k, v in content.items()})
        for start in range(0, EVENTS, PARTITION):
            tree.extend({k: v[start : start + PARTITION] for k, v in content.items()})
        sums = file.mktree("Runs", {"genEventSumw": np.float64, "genEventCount": np.int64})
        sums.extend({"genEventSumw": np.array([2000.0]), "genEventCount": np.array([EVENTS])})


@pytest.fixture(scope="module", autouse=True)
def _unwatched() -> Iterator[None]:
    """Whether a selection repeats itself is tested elsewhere, and takes a process each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histogramming, "_watched", lambda *_: nullcontext(Metrics))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files, and what a first run has left."""
    folder = tmp_path_factory.mktemp("muons")
    for seed, name in enumerate("ab"):
        write(folder / f"{name}.root", seed)
    (folder / "mine.py").write_text(SELECT)
    BASE["folder"] = str(folder)
    outcome = run(spec(), place(folder), watch=False)
    assert "events_of_skims" not in outcome.summary
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """The same, with the files' times and their place of old: results lie in another folder."""
    shutil.copytree(made / "results", tmp_path / "results")
    return tmp_path


def spec(**changes: Any) -> HepSpec:
    return HepSpec.model_validate({**BASE, **changes})


def place(data: Path, results: Path | None = None, **changes: Any) -> Place:
    site = load_site("serial", changes={"ledger.after": 1e6, **changes})
    return Place(site, str(data), str((results or data) / "results"))


def without(asked: HepSpec, data: Path) -> str:
    """The digest of a run that keeps and reads nothing."""
    return str(run(asked, place(data, **{"ledger.enabled": False}), watch=False).digest)


def test_a_second_run_reads_the_skim_alone(made: Path, copy: Path) -> None:
    asked = spec(cuts={"muon_pt": 17.0})
    one = run(asked, place(made, copy), watch=False)
    assert one.summary["events_of_skims"] == 2 * EVENTS
    assert one.digest == without(asked, made)
    assert one.result.events == {"a": EVENTS, "b": EVENTS}
    table = asked.model_dump(exclude_unset=True)
    table |= {"folder": str(made)}
    table.pop("skim")
    assert one.digest == without(HepSpec.model_validate(table), made)
    fresh = run(asked, place(made, copy), watch=False, resume=False)
    assert "events_of_skims" not in fresh.summary
    assert fresh.digest == one.digest
    assert one.metrics.bytes_read < fresh.metrics.bytes_read


PAIR = BASE["skim"]["require"]["pair"]
MC = {"files": ["a.root"], "cross_section": 3.0}
SERVED: dict[str, dict[str, Any]] = {
    "bins": {"histograms": {"dimuon": {"bins": 7, "start": 10.0, "stop": 90.0}}},
    "a lower cut": {"cuts": {"muon_pt": 10.0}},
    "a column less": {"skim": {"require": {"pair": PAIR}}},
    "a kept column": {"columns": [*BASE["columns"], "MET_pt"]},
    "tighter": {"skim": {"require": {"p": {**PAIR, "items": {"Muon": {"minimum": {"pt": 14.5}}}}}}},
    "more": {"skim": {"require": {"p": PAIR, "x": {"items": {"Muon": {"minimum": {"pt": 12.0}}}}}}},
    "one sample": {"samples": {"a": MC}},
    "another name": {"name": "others", "luminosity": 20.0, "samples": {"c": MC}},
    "counted": {"normalisation": "none"},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "looser": (
        {"skim": {"require": {"p": {**PAIR, "items": {"Muon": {"minimum": {"pt": 9.0}}}}}}},
        "skim.require.pair, which its events fulfil, does not follow",
    ),
    "fewer items": ({"skim": {"require": {"p": {**PAIR, "at_least": 1}}}}, "does not follow"),
    "more to keep": (
        {"skim": {**BASE["skim"], "columns": ["MET_pt", "genWeight", "Flag_A"]}},
        "Flag_A is not kept",
    ),
    "other column": ({"columns": [*BASE["columns"], "run"]}, "run is not kept"),
    "trigger": ({"triggers": ["HLT_A"]}, "HLT_A is not kept"),
    "weights": ({"normalisation": "genweight"}, "without sums of generator weights"),
    "partitions": ({"partition": {"max_events": 2000}}, "other files or partitions"),
}


@pytest.mark.parametrize("name", SERVED)
def test_an_edit_that_is_implied_reads_the_skim(made: Path, copy: Path, name: str) -> None:
    asked, there = spec(**SERVED[name]), place(made, copy)
    lines = check(asked, there).reused
    assert all("4 of 4 partitions from the skim" in line for line in lines)
    one = run(asked, there, watch=False)
    assert one.summary["events_of_skims"] == EVENTS * len(asked.samples)
    assert one.digest == without(asked, made)


@pytest.mark.parametrize("name", REFUSED)
def test_an_edit_that_is_not_implied_reads_the_files(made: Path, copy: Path, name: str) -> None:
    changes, reason = REFUSED[name]
    asked, there = spec(**changes), place(made, copy)
    text = str(check(asked, there))
    assert text.count(reason) == 2
    one = run(asked, there, watch=False)
    assert "events_of_skims" not in one.summary
    assert one.digest == without(asked, made)
    again = run(asked, there, watch=False)  # it left its own
    assert (again.digest, again.summary["events_of_skims"]) == (one.digest, 2 * EVENTS)


def test_a_spec_without_the_table_reads_the_files(made: Path, copy: Path) -> None:
    table = spec().model_dump(exclude_unset=True) | {"folder": str(made)}
    table.pop("skim")
    asked = HepSpec.model_validate(table)
    assert check(asked, place(made, copy)).reused == ()
    assert "events_of_skims" not in run(asked, place(made, copy), watch=False).summary


def test_triggers_good_runs_and_weights_are_those_of_the_files(made: Path, tmp_path: Path) -> None:
    """A part of the triggers and of the good runs follows from all of them."""
    runs = {"1": [[1, 20]], "2": [[3, 9], [12, 25]]}
    (tmp_path / "good.json").write_text(json.dumps(runs))
    (tmp_path / "less.json").write_text(json.dumps({"1": [[5, 6]], "2": [[13, 13]]}))
    samples = {
        "a": {"files": ["a.root"], "cross_section": 3.0},
        "d": {"files": ["b.root"], "data": True},
    }
    more: dict[str, Any] = {"triggers": ["HLT_A", "HLT_B"], "normalisation": "genweight"}
    shutil.copyfile(made / "mine.py", tmp_path / "mine.py")
    more |= {"samples": samples, "good_runs": "good.json", "folder": str(tmp_path)}
    there = place(made, tmp_path)
    assert run(spec(**more), there, watch=False).digest == without(spec(**more), made)
    for changes in ({}, {"triggers": ["HLT_B"]}, {"good_runs": "less.json"}):
        asked = spec(**more | changes)
        one = run(asked, there, watch=False)
        assert one.summary["events_of_skims"] == 2 * EVENTS, changes
        assert one.digest == without(asked, made)
    (tmp_path / "good.json").write_text(json.dumps(runs | {"3": [[1, 1]]}))
    asked = spec(**more)
    assert "the list of good runs holds others" in check(asked, there).reused[1]
    one = run(asked, there, watch=False)
    assert one.summary["events_of_skims"] == EVENTS  # of simulation, which has no good runs
    assert one.digest == without(asked, made)


def test_what_is_left_by_event_filters_is_counted_over_all_events(
    made: Path, tmp_path: Path
) -> None:
    more: dict[str, Any] = {"event_filters": ["Flag_A"], "triggers": ["HLT_A", "HLT_B"]}
    there = place(made, tmp_path)
    first = run(spec(**more), there, watch=False)
    tighter = {"require": {"p": {**PAIR, "items": {"Muon": {"minimum": {"pt": 13.0}}}}}}
    for changes in ({}, {"skim": tighter}):
        asked = spec(**more | changes)
        one = run(asked, there, watch=False)
        assert one.summary["events_of_skims"] == 2 * EVENTS
        assert one.digest == without(asked, made)
        flow = one.result.filter_flows["a"]
        assert repr(flow) == repr(
            run(asked, there, watch=False, resume=False).result.filter_flows["a"]
        )
        assert str(EVENTS) in repr(flow).replace("_", "")
    fewer = spec(**more | {"triggers": ["HLT_A"]})
    assert "counted otherwise what is left" in check(fewer, there).reused[0]
    assert run(fewer, there, watch=False).digest == without(fewer, made) != first.digest


def test_a_file_that_was_written_again_is_read_again(made: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in "ab":
        shutil.copyfile(made / f"{name}.root", data / f"{name}.root")
    there = place(data)
    one = run(spec(), there, watch=False)
    os.utime(data / "b.root", (1, 1))
    assert [line[:8] for line in check(spec(), there).reused] == ["a: 4 of ", "b: no sk"]
    again = run(spec(), there, watch=False)
    assert (again.digest, again.summary["events_of_skims"]) == (one.digest, EVENTS)
    moved = place(data.rename(tmp_path / "moved"), tmp_path / "moved")
    assert "events_of_skims" not in run(spec(), moved, watch=False).summary
    trusted = run(spec(name="t"), moved, watch=False, trust_weak=True)
    assert (trusted.digest, trusted.summary["events_of_skims"]) == (one.digest, 2 * EVENTS)


def test_no_skim_is_left_of_a_file_that_was_exchanged_meanwhile(made: Path, tmp_path: Path) -> None:
    """When the file of before is back, its skims would be those of another."""
    data = tmp_path / "data"
    data.mkdir()
    for name in "ab":
        shutil.copyfile(made / f"{name}.root", data / f"{name}.root")
    before = (data / "b.root").stat()

    def exchange(state: Any) -> None:
        if state.stage == "select" and state.done == 1:
            os.utime(data / "b.root", (1, 1))

    there = place(data)
    with pytest.raises(DataError, match="exchanged while the run read it"):
        run(spec(), there, watch=exchange)
    os.utime(data / "b.root", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [line[:8] for line in check(spec(), there).reused] == ["a: 4 of ", "b: no sk"]


def test_a_damaged_or_missing_skim_is_made_again(made: Path, copy: Path) -> None:
    there = place(made, copy)
    [kept] = skims(there)
    assert (kept.partitions, kept.name, damaged_skims(there)) == (8, "muons", [])
    first, second = (Path(url) for url in kept.urls[:2])
    first.write_bytes(first.read_bytes()[:-1])
    second.unlink()
    assert damaged_skims(there) == [str(first)]
    told = CliRunner().invoke(app, ["ledger", "verify", "--out", str(copy / "results")])
    assert (told.exit_code, "entries that are whole: 6" in told.output) == (3, True)
    one = run(spec(), there, watch=False)
    assert one.summary["events_of_skims"] == 6 * PARTITION
    assert one.digest == without(spec(), made)
    assert (skims(there)[0].partitions, damaged_skims(there)) == (8, [])


def test_listed_and_removed(made: Path, copy: Path) -> None:
    there, out = place(made, copy), str(copy / "results")
    told = CliRunner().invoke(app, ["ledger", "list", "--out", out]).output
    assert "hep muons: skim of 8 partitions" in told
    listed = json.loads(CliRunner().invoke(app, ["ledger", "list", "--json", "--out", out]).output)
    assert [one["partitions"] for one in listed["skims"]] == [8]
    [kept] = skims(there)
    assert [one.key for one in prune(there, [kept.key[:6]])] == [kept.key]
    assert skims(there) == []
    assert not list((copy / "results" / KNOWN / "skims").glob("*"))


def test_nothing_is_kept_where_the_site_keeps_nothing(made: Path, tmp_path: Path) -> None:
    quiet = place(made, tmp_path, **{"ledger.enabled": False})
    assert run(spec(), quiet, watch=False).digest == without(spec(), made)
    assert skims(quiet) == []


def test_conditions_that_are_tighter_than_the_selection_are_refused(made: Path, copy: Path) -> None:
    """With a skim and without, though what they leave out is not in it."""
    both = {"pair": PAIR, "hard": {"items": {"Muon": {"minimum": {"pt": 40.0}}}}}
    for asked in (
        spec(skim={"require": both}),
        spec(cuts={"muon_pt": 2.0}),
    ):
        for there in (place(made, copy), place(made, **{"ledger.enabled": False})):
            with pytest.raises(DataError, match="tighter than the selection"):
                run(asked, there, watch=False)


FIRST_MUON = """
import numpy as np
from spectrum_workflows.hep import Observable

def select(events, *, muon_pt=15.0):
    leading = np.asarray(events.Muon_pt[:, 0], np.float64)
    index = np.flatnonzero(leading > muon_pt)
    return {"dimuon": Observable(leading[index], index=index)}
"""


def muons(number: int, least: float) -> dict[str, Any]:
    return {"m": {"at_least": number, "items": {"Muon": {"minimum": {"pt": least}}}}}


def test_conditions_are_checked_though_some_events_raise_errors(made: Path, tmp_path: Path) -> None:
    """Every fourth event has no muon at all, of which the selection takes the first."""
    (tmp_path / "mine.py").write_text(FIRST_MUON)
    more: dict[str, Any] = {"folder": str(tmp_path), "samples": {"a": BASE["samples"]["a"]}}
    there = place(made, tmp_path)
    with pytest.raises(DataError, match=r"do not fulfil skim\.require are in histogram 'dimuon'"):
        run(spec(**more, skim={"require": muons(2, 10.0)}), there, watch=False)
    one = run(spec(**more, skim={"require": muons(1, 10.0)}), there, watch=False)
    assert "could not be checked" not in str(one.warnings)
    for _ in range(2):  # from the file, and from the skim
        none = run(spec(**more, skim={"require": muons(1, -1.0)}), there, watch=False)
        [warning] = [line for line in none.warnings if "could not be checked" in line]
        assert warning.startswith("a: skim.require could not be checked: select raises an error")
    assert none.summary["events_of_skims"] == EVENTS


def test_first_events_that_are_checked_are_those_that_count(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "FIRST", 100)
    branches = uproot.open(made / "b.root")["Events"]
    run_of, block_of = (branches[name].array(library="np") for name in ("run", "luminosityBlock"))
    pairs = {*zip(run_of[:100].tolist(), block_of[:100].tolist(), strict=True)}
    good = {str(r): [[b, b] for b in range(1, 30) if (r, b) not in pairs] for r in (1, 2, 3)}
    samples = {"d": {"files": ["b.root"], "data": True}}
    more: dict[str, Any] = {"samples": samples, "folder": str(tmp_path), "good_runs": "good.json"}
    shutil.copyfile(made / "mine.py", tmp_path / "mine.py")
    (tmp_path / "good.json").write_text(json.dumps(good))
    there = place(made, tmp_path)
    with pytest.raises(DataError, match="tighter than the selection"):
        run(spec(**more, skim={"require": muons(2, 40.0)}), there, watch=False)
    (tmp_path / "good.json").write_text(json.dumps({"9": [[1, 1]]}))
    for _ in range(2):
        none = run(spec(**more), there, watch=False)
        [warning] = [line for line in none.warnings if "could not be checked" in line]
        assert "no event of its first partition passes" in warning
    assert none.summary["events_of_skims"] == EVENTS


def test_a_column_that_simulation_lacks_cannot_be_kept(
    made: Path, copy: Path, tmp_path: Path
) -> None:
    asked = spec(skim={**BASE["skim"], "columns": ["MET_pf"]})
    quiet = {"ledger.enabled": False}
    for there in (place(made, tmp_path), place(made, copy), place(made, tmp_path, **quiet)):
        with pytest.raises(DataError, match=r"no branch 'MET_pf' in Events; did you mean"):
            check(asked, there)
    counted = {name: {**BASE["samples"][name], "events": [EVENTS]} for name in "ab"}
    with pytest.raises(DataError, match=r"no branch 'MET_pf' in Events; did you mean"):
        run(spec(skim=asked.skim, samples=counted), there, watch=False)


def edits(rng: random.Random) -> Iterator[dict[str, Any]]:
    """Specs at random, of which some are implied by the first and others are not."""
    while True:
        changes: dict[str, Any] = {}
        least = rng.choice([10.0, 10.0, 12.0, 14.0, 8.0])
        cut = rng.choice([15.0, 20.0, 30.0, least])
        changes["cuts"] = {"muon_pt": max(cut, least)}
        limits: dict[str, Any] = {"minimum": {"pt": least}}
        if rng.random() < 0.3:
            limits["maximum"] = {"|eta|": 9.0}
        require: dict[str, Any] = {"r": {"at_least": 2, "items": {"Muon": limits}}}
        if rng.random() < 0.2:
            require["r"]["at_least"] = 1
        more = rng.sample(["MET_pt", "genWeight", "run"], rng.randint(0, 2))
        changes["skim"] = {"require": require, "columns": more}
        if rng.random() < 0.4:
            changes["columns"] = [*BASE["columns"], rng.choice(["MET_pt", "MET_pt", "run"])]
        changes["histograms"] = {
            "dimuon": {"bins": rng.randint(1, 50), "start": 0.0, "stop": rng.uniform(1.0, 300.0)}
        }
        changes["partition"] = {"max_events": rng.choice([PARTITION] * 5 + [2000])}
        changes["normalisation"] = rng.choice(["events", "events", "none", "genweight"])
        if rng.random() < 0.2:
            changes["triggers"] = rng.sample(["HLT_A", "HLT_B"], rng.randint(1, 2))
        names = rng.choice(["ab", "ab", "a", "b"])
        changes["samples"] = {name: BASE["samples"][name] for name in names}
        yield changes


def test_edits_at_random_change_no_digest(made: Path, copy: Path) -> None:
    there, read, made_anew = place(made, copy), 0, 0
    for changes, _ in zip(edits(random.Random(5)), range(8), strict=False):
        asked = spec(**changes)
        one = run(asked, there, watch=False)
        assert one.digest == without(asked, made), changes
        of_skims = one.summary.get("events_of_skims", 0)
        read, made_anew = read + bool(of_skims), made_anew + (not of_skims)
    assert read > 1
    assert made_anew > 1


def test_code_may_change_freely(made: Path, copy: Path, tmp_path: Path) -> None:
    digests = set()
    for old, new in (("leading,", "leading + 1.0,"), (">= 2", ">= 3")):
        (tmp_path / "mine.py").write_text(SELECT.replace(old, new))
        asked = spec(folder=str(tmp_path))
        one = run(asked, place(made, copy), watch=False)
        assert one.summary["events_of_skims"] == 2 * EVENTS
        assert one.digest == without(asked, made)
        digests.add(one.digest)
    assert len(digests) == 2
