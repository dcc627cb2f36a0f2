"""Columns of selected events as Parquet and ROOT files, with weights and their sums."""

import hashlib
import json
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrum_workflows import connect, load_site, load_spec, run
from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.record import digest

pytestmark = pytest.mark.xdist_group("hep columns out")  # what they share is made once

CODE = """
import awkward as ak
import numpy as np
from spectrum_workflows.hep import Observable


def select(events, *, jets=2):
    n, ht = np.asarray(ak.num(events.Jet_pt)), np.asarray(ak.sum(events.Jet_pt, axis=1))
    many, hard = np.flatnonzero(n >= jets), np.flatnonzero(ht > 150)
    weights = np.full(len(hard), 0.5) if "genWeight" in events.fields else None
    return {"ht": Observable(ht[many], index=many), "hard": Observable(ht[hard], weights, hard)}
"""

SPEC = """
workflow = "hep"
name = "skim"
select = "mine.py:select"
columns = ["Jet_pt", "Jet_eta", "MET_pt", "event"]
simulation_columns = ["genWeight"]
normalisation = "genweight"
luminosity = 10.0
partition = { max_events = 300 }
[samples.signal]
files = ["a.root", "empty.root"]
cross_section = 3.0
[samples.data]
files = ["b.root"]
data = true
[histograms.ht]
bins = 10
start = 0.0
stop = 500.0
[columns_out]
columns = ["Jet_pt", "Jet_eta", "MET_pt", "event"]
"""

N = 800


def events_of(seed, n=N):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(3, n)
    jets = {
        "pt": rng.exponential(60, counts.sum()).astype(np.float32),
        "eta": rng.normal(0, 2, counts.sum()).astype(np.float32),
    }
    flat = {"MET_pt": rng.exponential(40, n).astype(np.float32), "event": np.arange(n)}
    return {"Jet": ak.unflatten(ak.zip(jets), counts), **flat, "genWeight": rng.normal(1, 0.5, n)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("columns")
    for name, seed, n in (("a", 1, N), ("b", 2, N), ("empty", 3, 0)):
        columns = events_of(seed, n)
        with uproot.recreate(folder / f"{name}.root") as file:
            file.mktree(
                "Events", {k: v.type if k == "Jet" else v.dtype for k, v in columns.items()}
            )
            if n:
                file["Events"].extend(columns)
            file["Runs"] = {"genEventSumw": np.array([columns["genWeight"].sum() if n else 20.0])}
    (folder / "mine.py").write_text(CODE)
    (folder / "spec.toml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def place(folder):
    with connect(load_site("serial"), data=str(folder), results=str(folder / "results")) as place:
        yield place


@pytest.fixture(scope="module")
def outcome(folder, place):
    return run(load_spec(folder / "spec.toml"), place)


def listed(outcome):
    """The list of files, and the content of those of each sample, as they are written."""
    folder = Path(outcome.result.columns.folder)
    return folder, json.loads((folder / "columns.json").read_text())["samples"]


def read(folder, files):
    return ak.concatenate([ak.from_parquet(folder / f["name"]) for f in files])


def test_files_hold_the_selected_events_with_their_weights(outcome):
    folder, samples = listed(outcome)
    for sample, seed in (("signal", 1), ("data", 2)):
        expected, files = events_of(seed), samples[sample]["files"]
        found = read(folder, files)
        jets = expected["Jet"]
        many, hard = ak.num(jets) >= 2, ak.sum(jets.pt, axis=1) > 150
        some = many | hard
        assert ak.all(found.event == expected["event"][some])
        assert ak.all(found.Jet_pt == jets.pt[some])
        assert ak.all(found.Jet_eta == jets.eta[some])
        assert ak.all(found.passed_ht == many[some])
        assert ak.all(found.passed_hard == hard[some])
        weight = np.where(many, 1.0, 0.5) * expected["genWeight"]
        assert ak.all(found.weight == (weight[some] if sample == "signal" else 1.0))
        assert samples[sample]["events"] == len(found) == sum(f["events"] for f in files)
        for file in files:
            content = (folder / file["name"]).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (
                file["nbytes"],
                file["sha256"],
            )


def test_the_list_says_what_the_events_stand_for(outcome):
    _, samples = listed(outcome)
    total = events_of(1)["genWeight"].sum() + 20.0
    signal = samples["signal"]
    assert signal["sum_of_weights"] == pytest.approx(total, rel=1e-12)
    assert signal["normalisation"] == pytest.approx(3.0 * 10.0 / total, rel=1e-12)
    assert signal["processed"] == N
    assert samples["data"]["normalisation"] == 1.0
    summary = outcome.summary["columns_out"]
    assert summary["files"] == len(signal["files"]) + len(samples["data"]["files"])


def test_yields_of_the_columns_are_those_of_the_histogram(outcome):
    folder, samples = listed(outcome)
    signal = read(folder, samples["signal"]["files"])
    inside = signal[signal.passed_ht]
    h = outcome.result.histograms["signal", "ht"]
    weights = np.asarray(inside.weight) * samples["signal"]["normalisation"]
    values, _ = np.histogram(ak.sum(inside.Jet_pt, axis=1), h.axes[0].edges, weights=weights)
    np.testing.assert_allclose(h.values(), values, rtol=1e-11, atol=1e-12)


def test_a_repeated_run_writes_the_same_bytes_and_another_question_elsewhere(
    folder, place, outcome
):
    _, samples = listed(outcome)
    again = run(outcome.spec, place)
    assert again.result.columns == outcome.result.columns
    assert listed(again)[1] == samples
    other = run(outcome.spec.changed(cuts={"jets": 3}), place)
    assert other.result.columns.folder != outcome.result.columns.folder


def test_histograms_do_not_depend_on_it(folder, place, outcome):
    table = outcome.spec.model_dump(exclude_unset=True)
    del table["columns_out"]
    without = type(outcome.spec).model_validate({**table, "folder": str(folder)})
    result = run(without, place).result
    assert digest(DOMAIN.arrays(result)) == outcome.digest
    assert result.columns is None


def test_root_files_are_input_of_a_spec(folder, place, outcome):
    asked = {"format": "root", "regions": ["ht"], "folder": "skims/v1"}
    skimmed = run(outcome.spec.changed(columns_out=asked), place)
    where, samples = listed(skimmed)
    assert where == folder / "results" / "skims" / "v1"
    names = {s: [str(where / f["name"]) for f in of["files"]] for s, of in samples.items()}
    read_again = {"files": names["signal"]}, {"files": names["data"]}
    spec = outcome.spec.changed(samples=dict(zip(("signal", "data"), read_again, strict=True)))
    result = run(spec, place).result
    for sample in ("signal", "data"):
        a, b = (r.histograms[sample, "ht"] for r in (result, outcome.result))
        np.testing.assert_allclose(a.values(), b.values(), rtol=1e-12)
    assert samples["signal"]["events"] < outcome.result.columns.events


NUMBER = {"name": "eta", "type": "real"}
WAY = {"name": "way", "type": "string"}


def constant(name, given, *values):
    """A correction that is a number, or one for each word."""
    items = [{"key": k, "value": v} for k, v in zip(("nom", "up", "down"), values, strict=False)]
    data = {"nodetype": "category", "input": "way", "content": items}
    out = {"name": "out", "type": "real"}
    alone = {"name": name, "version": 1, "inputs": [given], "output": out}
    return alone | {"data": data if given is WAY else values[0]}


@pytest.mark.parametrize("form", ["parquet", "root"])
def test_events_that_pass_under_a_variation_are_written_too(folder, place, outcome, form):
    """Templates made of the columns are those of the run."""
    corrections = [constant("half", NUMBER, 0.5), constant("scale", WAY, 1.1, 1.3, 0.8)]
    content = {"schema_version": 2, "corrections": corrections}
    (folder / "c.json").write_text(json.dumps(content))
    jets = {"collection": "Jet", "files": "c.json", "scaled": ["pt"], "inputs": {"eta": "Jet_eta"}}
    sides = {side: {"way": side} for side in ("up", "down")}
    scale = {"files": "c.json", "correction": "scale", "inputs": {"way": "nom"}, **sides}
    names = ["jes_up", "jes_down", "scale_up"]
    asked = {"columns": ["event", "Jet_pt"], "regions": ["hard"], "variations": names}
    spec = outcome.spec.changed(
        objects={"jets": jets},
        variations={"jes": {"object": "jets", "correction": "half"}},
        weights={"scale": scale},
        histograms={"hard": {"edges": [0.0, 150.0, 300.0, 2000.0]}},
        columns_out={**asked, "format": form},
    )
    made = run(spec, place)
    where, samples = listed(made)
    files = [where / f["name"] for f in samples["signal"]["files"]]
    tables = [
        uproot.open(f)["Events"].arrays() if form == "root" else ak.from_parquet(f) for f in files
    ]
    signal = ak.concatenate([table for table in tables if len(table)])
    assert ak.sum(signal.passed_hard) < ak.sum(signal.passed_hard_jes_up) == len(signal)
    assert ak.all(signal.weight[~signal.passed_hard] == 0)
    for name in ("", *names):
        suffix = f"_{name}" if name else ""
        pt = signal[f"Jet_pt{suffix}"] if "jes" in name else signal.Jet_pt
        passed = np.asarray(signal[f"passed_hard{suffix}"])
        weights = np.asarray(signal[f"weight{suffix}"])[passed] * samples["signal"]["normalisation"]
        h = made.result.histograms["signal", f"hard{suffix}"]
        ht = np.asarray(ak.sum(pt, axis=1))[passed]
        values, _ = np.histogram(ht, h.axes[0].edges, weights=weights)
        np.testing.assert_allclose(h.values(), values, rtol=1e-11)
    assert "Jet_pt_scale_up" not in signal.fields
    data = where / samples["data"]["files"][0]["name"]
    own = uproot.open(data)["Events"].keys() if form == "root" else ak.from_parquet(data).fields
    assert {"event", "Jet_pt", "weight", "passed_hard"} <= {*own}
    assert not [column for column in own if column.endswith(("_up", "_down"))]
    with pytest.raises(SpecError, match="no variation 'jes_u' of events; did you mean jes_up"):
        run(spec.changed(columns_out={"variations": ["jes_u"]}), place)


def test_a_folder_of_ones_own_holds_every_event_once(folder, place, outcome):
    """Partitions of another size have files of other names: those that were there go."""
    asked = {"folder": "skims/v2", "regions": ["ht"]}
    for most in (200, 500):
        made = run(outcome.spec.changed(columns_out=asked, partition={"max_events": most}), place)
    where, samples = listed(made)
    (where / "signal" / "mine.parquet").write_bytes(b"of the user")
    run(made.spec.changed(cuts={"jets": 4}), place)
    assert {p.name for p in (where / "signal").iterdir()} == {"mine.parquet"} | {
        f["name"].partition("/")[2] for f in samples["signal"]["files"]
    }
    events = [f.event for f in map(ak.from_parquet, sorted((where / "data").iterdir()))]
    assert len({*ak.concatenate(events).tolist()}) == sum(map(len, events)) > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": ["Jet_p"]}, "did you mean Jet_pt"),
        ({"columns": ["genWeight"], "format": "root"}, "a column that is added"),
        ({"columns": ["event", "event"]}, "there twice"),
        ({"regions": ["hrd"]}, "no region 'hrd'; did you mean hard"),
    ],
)
def test_columns_and_regions_that_are_not_there_are_refused(outcome, place, changes, message):
    with pytest.raises(SpecError, match=message):
        run(outcome.spec.changed(columns_out=changes), place)


def test_a_place_without_results_needs_a_folder(outcome, folder):
    plan = DOMAIN.plan(outcome.spec, str(folder))
    with pytest.raises(SpecError, match="no results root"):
        DOMAIN.run(outcome.spec, plan, client=None, on_error="raise", report=lambda *_: None)
