"""The luminosity that was processed: blocks of a brilcalc table, lost partitions taken out."""

import json
import math
from functools import reduce
from itertools import combinations, pairwise

import numpy as np
import pytest
import uproot

from spectrum_workflows import load_spec
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import DOMAIN, luminosity
from spectrum_workflows.hep.io.blocks import read_blocks
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.luminosity import luminosity_table
from spectrum_workflows.hep.select.event_filters import BLOCKS
from spectrum_workflows.hep.types import Events, FileRead

HEADER = "#run:fill,ls,time,beamstatus,E(GeV),delivered(/ub),recorded(/ub),avgpu,source"
SUMMARY = "#Summary:\n#nfill,nrun,nls,ncms,totdelivered(/ub),totrecorded(/ub)\n#1,2,9,9,9,9\n"

EVENTS = {(355100, 1): 40, (355100, 2): 25, (355100, 4): 35, (355103, 7): 30, (355103, 8): 70}
EMPTY = [(355100, 3), (355103, 9)]
"""Blocks in which no event is left."""
RECORDED = {block: 1e5 * math.sqrt(k + 2) for k, block in enumerate([*EVENTS, *EMPTY])}

SPEC = """
workflow = "hep"
name = "processed"
select = "mine.py:select"
columns = ["MET_pt"]
good_runs = "good.json"
luminosity_table = "lumi.csv"
normalisation = "none"
partition = { max_events = 50 }
[samples.muons]
files = ["a.root"]
data = true
[histograms.met]
bins = 5
start = 0.0
stop = 100.0
"""


def rows_of(recorded):
    return "\n".join(
        f"{run}:8000,{ls}:{ls},07/05/22 10:00:00,STABLE,6800,{2 * value!r},{value!r},30.1,HFOC"
        for (run, ls), value in recorded.items()
    )


def csv_of(recorded):
    return f"#Data tag : v1\n{HEADER}\n{rows_of(recorded)}\n{SUMMARY}".encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("luminosity")
    run, block = np.repeat(np.array([*EVENTS], np.uint32), [*EVENTS.values()], axis=0).T
    met = np.linspace(0, 100, len(run)).astype(np.float32)
    every = np.array([*EVENTS, *EMPTY], np.uint32)
    with uproot.recreate(folder / "a.root") as file:
        file["Events"] = {"run": run, "luminosityBlock": block, "MET_pt": met}
        file["LuminosityBlocks"] = {"run": every[:, 0], "luminosityBlock": every[:, 1]}
    (folder / "lumi.csv").write_bytes(csv_of(RECORDED))
    (folder / "good.json").write_text(json.dumps({"355100": [[1, 9]], "355103": [[8, 9]]}))
    (folder / "mine.py").write_text("def select(events):\n    return {'met': events.MET_pt}\n")
    (folder / "spec.toml").write_text(SPEC)
    return folder


def sum_over(blocks):
    return math.fsum(RECORDED[block] * 1e-6 for block in blocks)


def read_of(url, start, stop):
    tree = open_tree(url, "Events")
    part = Events("muons", url, "Events", start, stop, "", 0)
    return FileRead(stop - start, tree.entries, blocks=read_blocks(tree, part))


def test_every_subset_of_partitions_gives_the_sum_over_the_table(folder):
    url = str(folder / "a.root")
    table = luminosity_table((folder / "lumi.csv").read_bytes(), where="lumi.csv")
    ends = np.cumsum([0, *EVENTS.values()])
    parts = [read_of(url, int(a), int(b)) for a, b in pairwise(ends)]
    for n in range(1, len(parts) + 1):
        for some in combinations(range(len(parts)), n):
            files = {("muons", url): reduce(FileRead.__add__, [parts[k] for k in some])}
            of = luminosity.processed(files, table, None)["muons"]
            blocks = [[*EVENTS][k] for k in some] + EMPTY
            assert of.processed == pytest.approx(sum_over(blocks), rel=1e-15)
            assert (of.blocks, of.parts, of.unlisted) == (len(blocks), 0, 0)
            assert of.certified == pytest.approx(sum_over(RECORDED), rel=1e-15)


def test_of_a_block_that_is_lost_in_part_the_share_of_its_events_counts(folder):
    url = str(folder / "a.root")
    table = luminosity_table((folder / "lumi.csv").read_bytes(), where="lumi.csv")
    of = luminosity.processed({("muons", url): read_of(url, 0, 50)}, table, None)["muons"]
    share = 0.4 * RECORDED[355100, 2] * 1e-6
    expected = sum_over([(355100, 1), *EMPTY]) + share
    assert of.processed == pytest.approx(expected, rel=1e-15)
    assert (of.blocks, of.parts) == (4, 1)


def test_a_block_in_two_files_counts_once(folder):
    url = str(folder / "a.root")
    table = luminosity_table((folder / "lumi.csv").read_bytes(), where="lumi.csv")
    whole, half = read_of(url, 0, 200), read_of(url, 0, 40)
    of = luminosity.processed({("muons", "x"): whole, ("muons", "y"): half}, table, None)["muons"]
    first, rest = (355100, 1), [b for b in EVENTS if b != (355100, 1)]
    assert of.processed == pytest.approx(
        sum_over([first, *EMPTY]) + 0.5 * sum_over(rest), rel=1e-14
    )


def test_a_run_says_the_luminosity_of_its_certified_data(folder):
    spec = load_spec(folder / "spec.toml")
    plan = DOMAIN.plan(spec, str(folder))
    assert len(plan.partitions) == 4
    assert dict(plan.inputs)["lumi.csv"].startswith("sha256 ")
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    expected = sum_over(b for b in RECORDED if b != (355103, 7))
    assert DOMAIN.arrays(result)["muons/luminosity"][0] == pytest.approx(expected, rel=1e-15)
    summary = DOMAIN.summary(result)["luminosity"]["muons"]
    assert summary["processed"] == summary["certified"]
    assert (summary["blocks"], summary["parts"], summary["unlisted"]) == (6, 0, 0)
    assert not [line for line in DOMAIN.warnings(result) if "luminosity" in line]


def test_other_luminosity_of_simulation_and_unknown_blocks_are_said(folder):
    few = {block: value for block, value in RECORDED.items() if block != (355100, 1)}
    (folder / "few.csv").write_bytes(csv_of(few))
    spec = load_spec(folder / "spec.toml").changed(luminosity_table="few.csv", luminosity=3.0)
    plan = DOMAIN.plan(spec, str(folder))
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    lines = "\n".join(DOMAIN.warnings(result))
    assert "simulation is scaled to 3 /pb" in lines
    assert "1 of 6 luminosity blocks are not in the table" in lines


def test_units_are_those_of_the_header():
    for unit, factor in (("fb", 1e3), ("nb", 1e-3)):
        text = f"{HEADER.replace('/ub', '/' + unit)}\n{rows_of({(1, 2): 0.5})}".encode()
        table = luminosity_table(text, where="lumi.csv")
        assert table.recorded.tolist() == [0.5 * factor]
        assert table.place.tolist() == [BLOCKS + 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1:1,2:2,x", "no header"),
        (HEADER, "no luminosity block"),
        (HEADER.replace("recorded(/ub)", "recorded(hz/ub)"), "known unit"),
        (f"{HEADER}\n1:1,2:2,t,b,6800,1.0", "line 2: not a line"),
        (f"{HEADER}\n{rows_of({(1, 2): -1.0})}", "cannot be"),
        (f"{HEADER}\n{rows_of({(1, 2): 1.0})}\n{rows_of({(1, 2): 1.0})}", "block 2 is there twice"),
    ],
)
def test_what_is_no_table_of_luminosity_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        luminosity_table(text.encode(), where="lumi.csv")
