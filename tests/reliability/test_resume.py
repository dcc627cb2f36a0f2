"""HEP runs that are killed, and go on from what they had finished."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectrum_workflows import domain, load_site, load_spec, make_data, run
from spectrum_workflows.engine.ledger import entries, packed, unpacked
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.exact.histograms import fill
from spectrum_workflows.hep.exact.sums import exactly, rounded
from spectrum_workflows.hep.types import FileRead, Filled
from spectrum_workflows.hep.types.luminosity import Blocks
from spectrum_workflows.hep.workflow.codec import codec
from spectrum_workflows.ledgers import prune, questions
from spectrum_workflows.resuming import FOLDER, KNOWN, question_of
from spectrum_workflows.sites import Place

SELECT = '''"""Muon pairs, slowly."""
import time
from other import threshold
from spectrum_workflows.hep.analyses import dimuon

def select(events, **cuts):
    time.sleep(0.05)
    return dimuon.select(events, **{**cuts, "muon_pt": threshold()})
'''
OTHER = "def threshold():\n    return 20.0\n"
KILLED = """
import sys
from spectrum_workflows import connect, load_site, load_spec, run
if __name__ == "__main__":
    site = load_site(sys.argv[1], changes={"ledger.after": 0.0, "workers.count": 2})
    with connect(site, data=sys.argv[2], results=sys.argv[3]) as place:
        run(load_spec(sys.argv[4]), place)
"""
SPEC = """
workflow = "hep"
name = "pairs"
select = "mine.py:select"
columns = ["Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge", "run", "event"]
normalisation = "none"

[partition]
max_events = 250

[synthetic]
events = 10_000
cluster_events = 250

[samples.zmumu]
files = ["zmumu.root"]
generator = "zmumu"

[histograms.mass]
observable = "dimuon"
bins = 60
start = 60.0
stop = 120.0
"""


def site(**changes: Any) -> Any:
    changed = {name.replace("__", "."): value for name, value in changes.items()}
    return load_site("serial", changes={"ledger.after": 0.0, **changed})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec, code in two files, and 40 partitions of data."""
    folder = tmp_path_factory.mktemp("pairs")
    shipped = load_spec("hep/dimuon")
    (folder / "mine.py").write_text(SELECT)
    (folder / "other.py").write_text(OTHER)
    columns = json.dumps(shipped.model_dump(mode="json")["columns"])
    lines = [f"columns = {columns}" if n.startswith("columns") else n for n in SPEC.splitlines()]
    (folder / "pairs.toml").write_text("\n".join(lines))
    spec = load_spec(folder / "pairs.toml")
    make_data(spec, Place(site(), str(folder), str(folder)))
    return folder


@pytest.fixture(scope="module")
def digest(made: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of an undisturbed run that keeps nothing."""
    out = tmp_path_factory.mktemp("undisturbed")
    place = Place(site(ledger__enabled=False), str(made), str(out))
    outcome = run(load_spec(made / "pairs.toml"), place)
    assert len(outcome.plan.partitions) == 40
    assert questions(place) == []
    return str(outcome.digest)


@pytest.mark.parametrize("where", [pytest.param("serial", marks=pytest.mark.long), "laptop"])
def test_a_killed_run_goes_on(made: Path, digest: str, tmp_path: Path, where: str) -> None:
    """Elsewhere, too: what workers had finished serves a run in one process."""
    script, results = tmp_path / "killed.py", tmp_path / "results"
    script.write_text(KILLED)
    command = [sys.executable, script, where, made, results, made / "pairs.toml"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    folder = str(results / KNOWN / FOLDER)
    end = time.monotonic() + 120
    while not entries(folder) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    place = Place(site(), str(made), str(results))
    [one] = questions(place)
    assert (one.workflow, one.name, one.partitions, one.damaged) == ("hep", "pairs", 40, ())
    assert 8 <= one.finished < 40
    outcome = run(load_spec(made / "pairs.toml"), place)
    assert outcome.digest == digest
    assert outcome.summary["partitions_resumed"] == one.finished
    again = run(load_spec(made / "pairs.toml"), place)
    assert (again.digest, again.metrics.resumed) == (digest, 40)
    fresh = run(load_spec(made / "pairs.toml"), place, resume=False)
    assert (fresh.digest, fresh.metrics.resumed) == (digest, 0)
    assert fresh.result.events == again.result.events == outcome.result.events
    assert [removed.key for removed in prune(place)] == [one.key]
    assert questions(place) == []


def question(folder: Path, **changes: Any) -> str:
    spec = load_spec(folder / "pairs.toml").changed(**changes)
    science = domain.get("hep")
    return question_of(spec, science.plan(spec, str(folder)), science)


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    "change",
    [
        edit("pairs.toml", "bins = 60", "bins = 61"),
        edit("pairs.toml", "stop = 120.0", "stop = 121.0"),
        edit("pairs.toml", "max_events = 250", "max_events = 500"),
        edit("pairs.toml", "[samples.zmumu]", "[cuts]\nmuon_eta = 2.0\n\n[samples.zmumu]"),
        edit("mine.py", "**cuts, ", "**cuts, 'muon_eta': 2.0, "),
        edit("other.py", "20.0", "21.0"),
    ],
)
def test_what_decides_the_result_is_another_question(
    copy: Path, change: Callable[[Path], None]
) -> None:
    before = question(copy)
    change(copy)
    assert question(copy) != before


@pytest.mark.parametrize(
    "change",
    [
        edit("pairs.toml", "bins = 60", 'bins = 60  # as in the note\nlabel = "mass [GeV]"'),
        edit("pairs.toml", 'name = "pairs"', 'name = "couples"\nluminosity = 3.0'),
        edit("mine.py", '"""Muon pairs, slowly."""', '"""Muons."""  # two of them'),
        edit("other.py", "    return", '    """In GeV."""\n    return'),
        edit("pairs.toml", "[partition]\nmax_events = 250\n", ""),
    ],
)
def test_what_decides_nothing_is_the_same_question(
    copy: Path, change: Callable[[Path], None]
) -> None:
    before = question(copy)
    change(copy)
    if "[partition]" not in (copy / "pairs.toml").read_text():  # the order of tables
        with (copy / "pairs.toml").open("a") as file:
            file.write("\n[partition]\nmax_events = 250\n")
    assert question(copy) == before


def test_the_order_of_partitions_and_versions_count(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, science = load_spec(made / "pairs.toml"), domain.get("hep")
    plan = science.plan(spec, str(made))
    before = question_of(spec, plan, science)
    turned = replace(plan, partitions=plan.partitions[::-1])
    assert question_of(spec, turned, science) != before
    monkeypatch.setattr("spectrum_workflows.resuming.__version__", "another")
    assert question_of(spec, plan, science) != before


def test_a_file_edited_in_place_is_read_again(copy: Path) -> None:
    """Its identity and size are what they were: only its store tells."""
    place = Place(site(), str(copy), str(copy / "results"))
    spec = load_spec(copy / "pairs.toml")
    run(spec, place)
    [file] = copy.glob("*.root")
    os.utime(file, ns=(1, 1))
    assert run(spec, place).metrics.resumed == 0
    assert run(spec, place).metrics.resumed == 40


def test_a_copy_elsewhere_serves_where_it_is_trusted(copy: Path, digest: str) -> None:
    there = copy / "there"
    there.mkdir()
    spec = load_spec(copy / "pairs.toml")
    run(spec, Place(site(), str(copy), str(copy / "results")))
    for file in copy.glob("*.root"):
        (there / file.name).write_bytes(file.read_bytes())
    place = Place(site(), str(there), str(copy / "results"))
    assert run(spec, place, trust_weak=True).metrics.resumed == 40
    outcome = run(spec, place, trust_weak=True)
    assert outcome.digest == digest


def test_all_of_a_fill_is_kept() -> None:
    """Who adds a field adds it to `keeping`, too; with ``written`` no ledger is kept."""
    known = {"histograms", "selected", "events", "files", "fates", "written", "left"}
    known |= {"replicas", "lowest_keys", "shared"}
    assert {field.name for field in fields(Filled)} == known
    of_a_file = {"read", "entries", "sum_of_weights", "content", "fallbacks_used", "beginning"}
    of_a_file |= {"synthetic", "blocks", "skimmed", "unchecked"}
    assert {field.name for field in fields(FileRead)} == of_a_file


def test_a_fill_is_read_back_to_the_bit(made: Path) -> None:
    spec = load_spec(made / "pairs.toml")
    events = domain.get("hep").plan(spec, str(made)).partitions[:3]
    title = "mass"
    h = histogram.empty(title, spec.histograms[title])
    h.fill([91.0, 70.0, 500.0], weight=[1.5, -0.25, 3.0])
    blocks = Blocks(np.arange(3), np.arange(3) + 5, np.arange(3) + 1, listed=False)
    file = FileRead(750, 10_000, 1.5, "id", ("HLT_x",), "beginning", True, blocks)
    filled = Filled(
        {("zmumu", title): h},
        {("zmumu", "dimuon"): 3},
        {"zmumu": 750},
        {("zmumu", events[0].url): file},
        {("zmumu", "dimuon", ""): np.arange(6.0).reshape(1, 2, 3)},
        left={("zmumu", "all"): exactly(np.array([3.0, 0.1, 1e-9]))},
        shared={("zmumu", "dimuon", "other"): 2},
    )
    kept = codec(spec)
    written, _ = unpacked(packed(kept.write(filled, events), {}))
    back = kept.read(written, events)
    assert back.histograms["zmumu", title] == h
    assert back.histograms["zmumu", title].view(flow=True).tobytes() == h.view(flow=True).tobytes()
    assert (back.selected, back.events) == (filled.selected, filled.events)
    assert back.files == filled.files
    [(_, other)] = back.files.items()
    assert other.blocks is not None
    for name in ("place", "events", "read", "listed"):
        assert np.array_equal(getattr(other.blocks, name), getattr(blocks, name))
    [fates] = back.fates.values()
    assert np.array_equal(fates, filled.fates["zmumu", "dimuon", ""])
    assert back.shared == filled.shared
    [left] = back.left.values()
    assert rounded(left).tolist() == [3.0, 0.1, 1e-9]
    exact = fill(h.copy().reset(), h.axes, [np.array([91.0, 70.0])], [np.array([0.1, 3e9])] * 2)
    again = kept.read(
        kept.write(replace(filled, histograms={("zmumu", title): exact}), events), events
    )
    digits = again.histograms["zmumu", title].sums
    assert np.array_equal(digits.digits, exact.sums.digits)
    assert digits.lowest == exact.sums.lowest
    wrong = spec.changed(histograms={title: {"bins": 7}})
    with pytest.raises(DataError, match="other bins"):
        codec(wrong).read(written, events)


def test_the_commands(made: Path, tmp_path: Path) -> None:
    place = Place(site(), str(made), str(tmp_path))
    run(load_spec(made / "pairs.toml"), place)

    def spectrum(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "spectrum_workflows", "ledger", *words]
        command += ["--site", "serial", "--out", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "hep pairs: 40 of 40 partitions; 1 object" in spectrum("list").stdout
    [one] = json.loads(spectrum("list", "--json").stdout)["questions"]
    assert (one["finished"], one["damaged"]) == (40, [])
    [url] = entries(str(tmp_path))
    data = bytearray(Path(url).read_bytes())
    data[-1] ^= 255
    Path(url).write_bytes(data)
    ended = spectrum("verify")
    assert (ended.returncode, f"damaged: {url}" in ended.stdout) == (3, True)
    refused = spectrum("prune")
    assert refused.returncode == 2
    assert "--all" in refused.stderr
    assert spectrum("prune", one["key"][:8]).stdout.startswith("removed ")
    assert spectrum("list").stdout == "nothing is kept\n"
