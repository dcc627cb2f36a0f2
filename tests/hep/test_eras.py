"""Several eras in one spec: each as if it were alone, and their sum, bin by bin."""

import io
import json
import shutil
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrum_workflows import load_site, run
from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep import DOMAIN, declarations, profiles
from spectrum_workflows.hep.columns import to_keep
from spectrum_workflows.hep.select.preparing import selection_for
from spectrum_workflows.hep.select.workload import load_workload
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import Events
from spectrum_workflows.hep.workflow.codec import codec
from spectrum_workflows.hep.workflow.event_tasks import fill
from spectrum_workflows.resuming import question_of
from spectrum_workflows.sites import Place
from spectrum_workflows.specs import merged_tables, parse, read_toml

from .declared_objects import ETA, OUT, WORD, binned, correction

pytestmark = pytest.mark.xdist_group("hep eras")  # what they share is made once

CODE = """
import awkward as ak
import numpy as np
from spectrum_workflows import hep


def select(events, *, jet_pt=20.0, corrections, sample):
    assert sample in ("data", "electrons", "signal", "wjets")
    jets = events.Jet_pt[events.Jet_pt > jet_pt]
    ht, weights = ak.to_numpy(ak.sum(jets, axis=1)), None
    if sample not in ("data", "electrons"):
        weights = np.full(len(ht), corrections["k"].evaluate(1.0))
    return hep.EventCuts({"jets": ak.to_numpy(ak.num(jets)) >= 2}, {"HT": ht}, weights)
"""

COMMON = """
workflow = "hep"
name = "eras"
select = "mine.py:select"
columns = ["Jet_pt"]
normalisation = "genweight"
energy = 13.0
[variations.jes]
object = "jets"
correction = "{source}"
sources = ["stat", "flavour"]
[regions.two]
cuts = ["jets"]
[histograms.HT]
region = "two"
bins = 10
start = 0.0
stop = 500.0
[histograms.mean]
region = "two"
observable = "HT"
profile = "HT"
bins = 5
start = 0.0
stop = 500.0
"""

JETS = """
[objects.jets]
collection = "Jet"
files = "jec_ERA.json"
nominal = "L2"
inputs = { eta = "Jet_eta" }
[weights.flat]
files = "jec_ERA.json"
correction = "sf"
inputs = { eta = "Jet_eta", way = "nominal" }
up = { way = "up" }
down = { way = "down" }
collection = "Jet"
"""

ALONE_2017 = """
cuts = { jet_pt = 20.0 }
corrections = "k_2017.json"
luminosity = 40.0
luminosity_table = "lumi_2017.csv"
good_runs = "good_2017.json"
[samples.data]
files = ["data_2017.root"]
data = true
[samples.signal]
files = ["signal_2017.root"]
cross_section = 3.0
label = "Signal"
[samples.wjets]
files = ["wjets_2017.root"]
cross_section = 9.0
[variations.only]
object = "jets"
correction = "stat"
samples = ["wjets"]
"""

ALONE_2018 = """
cuts = { jet_pt = 25.0 }
corrections = "k_2018.json"
luminosity = 60.0
luminosity_table = "lumi_2018.csv"
good_runs = "good_2018.json"
event_filters = ["Flag_late"]
[[primary_datasets]]
name = "Mu"
triggers = ["HLT_Mu"]
[[primary_datasets]]
name = "Ele"
triggers = ["HLT_Ele"]
[samples.data]
files = ["data_2018.root"]
data = true
primary_dataset = "Mu"
[samples.electrons]
files = ["electrons_2018.root"]
data = true
primary_dataset = "Ele"
[samples.signal]
files = ["signal_2018a.root", "signal_2018b.root"]
cross_section = 4.0
label = "Signal"
"""

TOGETHER = """
cuts = { jet_pt = 20.0 }
corrections = "k_2017.json"
uncorrelated = ["jes_stat", "flat"]
[samples.data]
data = true
[samples.electrons]
data = true
[samples.signal]
cross_section = 3.0
label = "Signal"
[samples.wjets]
cross_section = 9.0
[variations.only]
object = "jets"
correction = "stat"
samples = ["wjets"]

[eras.2017]
luminosity = 40.0
luminosity_table = "lumi_2017.csv"
good_runs = "good_2017.json"
[eras.2017.samples]
data = { files = ["data_2017.root"] }
signal = { files = ["signal_2017.root"] }
wjets = { files = ["wjets_2017.root"] }

[eras.2018]
luminosity = 60.0
luminosity_table = "lumi_2018.csv"
good_runs = "good_2018.json"
cuts = { jet_pt = 25.0 }
corrections = "k_2018.json"
event_filters = ["Flag_late"]
primary_datasets = [
  { name = "Mu", triggers = ["HLT_Mu"] },
  { name = "Ele", triggers = ["HLT_Ele"] },
]
objects.jets.files = "jec_2018.json"
weights.flat.files = "jec_2018.json"
variations.jes.sources = ["stat", "late"]
[eras.2018.samples]
data = { files = ["data_2018.root"], primary_dataset = "Mu" }
electrons = { files = ["electrons_2018.root"], primary_dataset = "Ele" }
signal = { files = ["signal_2018a.root", "signal_2018b.root"], cross_section = 4.0 }
"""

FILES = {  # events, and run of data
    "data_2017": (500, 1),
    "data_2018": (400, 2),
    "electrons_2018": (300, 2),
    "signal_2017": (600, 0),
    "wjets_2017": (300, 0),
    "signal_2018a": (200, 0),
    "signal_2018b": (350, 0),
}


def events_of(n, run, seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 6, n)
    pt = (15 + rng.exponential(50, counts.sum())).astype(np.float32)
    eta = rng.normal(0, 2, counts.sum()).astype(np.float32)
    jets = {"pt": pt, "eta": eta, "mass": pt / 10}
    bits = {name: rng.random(n) < 0.6 for name in ("HLT_Mu", "HLT_Ele", "Flag_late")}
    numbers = {"run": np.full(n, run, np.uint32)}
    numbers["luminosityBlock"] = np.sort(rng.integers(1, 9, n)).astype(np.uint32)
    weights = {"genWeight": rng.normal(1, 0.4, n)}
    return {"Jet": ak.zip({k: ak.unflatten(v, counts) for k, v in jets.items()})} | (
        bits | numbers | weights
    )


def corrections_of(scale):
    edges = [-5.0, 0.0, 5.0]
    ways = [("nominal", 1.0), ("up", 1.0 + 0.1 * scale), ("down", 0.9)]
    content = [{"key": key, "value": value} for key, value in ways]
    category = {"nodetype": "category", "input": "way", "content": content}
    sf = {"name": "sf", "version": 1, "inputs": [ETA, WORD], "output": OUT, "data": category}
    relative = {"stat": 0.02, "flavour": 0.05, "late": 0.04}
    jets = [correction("L2", binned(edges, [scale, 1.0]), ETA)]
    jets += [correction(n, binned(edges, [u * scale, u]), ETA) for n, u in relative.items()]
    return {"schema_version": 2, "corrections": [*jets, sf]}


def brilcalc(run, good):
    """A table of eight blocks, and the luminosity of those that are good, in /pb."""
    rows = [
        f"{run}:8000,{ls}:{ls},07/05/22 10:00:00,STABLE,6800,9,{ls * 1e5!r},30,HFOC"
        for ls in range(1, 9)
    ]
    head = "#run:fill,ls,time,beamstatus,E(GeV),delivered(/ub),recorded(/ub),avgpu,source"
    return "\n".join([head, *rows]), sum(range(good[0], good[1] + 1)) / 10


GOOD = {2017: (1, 5), 2018: (3, 8)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eras")
    (folder / "mine.py").write_text(CODE)
    for k, (era, scale) in enumerate(((2017, 1.1), (2018, 1.3)), start=1):
        (folder / f"jec_{era}.json").write_text(json.dumps(corrections_of(scale)))
        number = correction("k", scale, {"name": "x", "type": "real"})
        table = {"schema_version": 2, "corrections": [number]}
        (folder / f"k_{era}.json").write_text(json.dumps(table))
        (folder / f"good_{era}.json").write_text(json.dumps({str(k): [[*GOOD[era]]]}))
        (folder / f"lumi_{era}.csv").write_text(brilcalc(k, GOOD[era])[0])
    for seed, (name, (n, of_run)) in enumerate(FILES.items()):
        columns = events_of(n, of_run, seed)
        with uproot.recreate(folder / f"{name}.root") as file:
            file.mktree("Events", columns)
            blocks = {"run": np.full(8, of_run, np.uint32)}
            blocks["luminosityBlock"] = np.arange(1, 9, dtype=np.uint32)
            file.mktree("LuminosityBlocks", blocks)
            if not of_run:
                file.mktree("Runs", {"genEventSumw": np.array([columns["genWeight"].sum()])})
    return folder


def spec_of(folder, text, era="2017"):
    tables = [read_toml(t.encode(), where="spec") for t in (COMMON, JETS.replace("ERA", era), text)]
    table = {}
    for more in tables:
        table = merged_tables(table, more)
    return parse(HepSpec, table | {"folder": str(folder)}, where="spec")


@pytest.fixture(scope="module")
def spec(folder):
    return spec_of(folder, TOGETHER)


def run_of(spec, folder, most=200_000, on_error="raise"):
    spec = spec.changed(partition={"max_events": most})
    plan = DOMAIN.plan(spec, str(folder), on_error=on_error)
    result, _ = DOMAIN.run(spec, plan, client=None, on_error=on_error, report=lambda *_: None)
    return plan, result


@pytest.fixture(scope="module")
def result(spec, folder):
    return run_of(spec, folder)[1]


@pytest.fixture(scope="module")
def alone(folder):
    late = spec_of(folder, ALONE_2018, "2018")
    late = late.changed(variations={"jes": {"sources": ["stat", "late"]}})
    specs = {"2017": spec_of(folder, ALONE_2017), "2018": late}
    return {era: run_of(own, folder)[1] for era, own in specs.items()}


def same(a, b, **tolerance):
    assert a.keys() == b.keys()
    for name, array in a.items():
        np.testing.assert_allclose(b[name], array, err_msg=name, **tolerance)


@pytest.mark.parametrize("era", ["2017", "2018"])
def test_each_era_is_as_if_it_were_alone(result, alone, era):
    same(DOMAIN.arrays(alone[era]), DOMAIN.arrays(result.eras[era]), rtol=0)
    assert result.eras[era].weights == alone[era].weights
    assert result.eras[era].luminosities == alone[era].luminosities


def views(results, sample, title):
    return [
        r.histograms[sample, title].view(flow=True) for r in results if sample in r.spec.samples
    ]


def added(parts):
    return sum(part.value for part in parts), sum(part.variance for part in parts)


@pytest.mark.parametrize(
    ("template", "of_eras"),
    [
        ("HT", ("HT", "HT")),
        ("HT_jes_stat_2017_up", ("HT_jes_stat_up", "HT")),
        ("HT_jes_stat_2018_up", ("HT", "HT_jes_stat_up")),
        ("HT_jes_flavour_down", ("HT_jes_flavour_down", "HT")),
        ("HT_jes_late_up", ("HT", "HT_jes_late_up")),
        ("HT_flat_2017_down", ("HT_flat_down", "HT")),
        ("HT_flat_2018_up", ("HT", "HT_flat_up")),
    ],
)
def test_the_sum_varies_what_is_correlated_together(result, alone, template, of_eras):
    parts = [
        alone[era].histograms["signal", title].view(flow=True)
        for era, title in zip(("2017", "2018"), of_eras, strict=True)
    ]
    value, variance = added(parts)
    found = result.histograms["signal", template].view(flow=True)
    np.testing.assert_allclose(found.value, value, rtol=1e-14)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-14)


def test_a_profile_of_the_sum_has_the_mean_of_all_events(result, alone):
    for title, of_eras in (
        ("mean", ("mean", "mean")),
        ("mean_jes_late_up", ("mean", "mean_jes_late_up")),
    ):
        parts = [
            profiles.sums_of(alone[era].histograms["signal", own])
            for era, own in zip(("2017", "2018"), of_eras, strict=True)
        ]
        w, _, wv, _ = np.sum(np.nan_to_num(parts), axis=0)
        found = result.histograms["signal", title]
        assert found.name == title
        filled = w != 0
        np.testing.assert_allclose(
            found.view(flow=True)["value"][filled], wv[filled] / w[filled], rtol=1e-12
        )


def test_names_of_variations_of_the_sum(spec):
    names = spec.variations_of("signal")
    assert len(names) == len({*names})
    assert {name.removesuffix("_up") for name in names if name.endswith("_up")} == {
        *("jes_stat_2017", "jes_stat_2018", "jes_flavour", "jes_late", "flat_2017", "flat_2018")
    }
    assert "only_up" in spec.variations_of("wjets")
    assert spec.changed(uncorrelated=["jes"]).variations_of("signal")[0] == "jes_stat_2017_up"
    assert "jes_stat_up" in spec.changed(uncorrelated=[]).variations_of("signal")


def test_samples_of_one_era_and_numbers_of_all(result, alone):
    for sample in ("wjets", "electrons", "data"):
        value, variance = added(views(alone.values(), sample, "HT"))
        found = result.histograms[sample, "HT"].view(flow=True)
        np.testing.assert_array_equal(found.value, value)
        np.testing.assert_array_equal(found.variance, variance)
    assert result.events == {"data": 900, "electrons": 300, "signal": 1150, "wjets": 300}
    total = sum(alone[era].selected["signal", "two"] for era in alone)
    assert result.selected["signal", "two"] == total
    flow = result.cut_flows["signal", "two", "jes_stat_2018_down"]
    parts = [alone["2017"].cut_flows["signal", "two", ""]]
    parts += [alone["2018"].cut_flows["signal", "two", "jes_stat_down"]]
    np.testing.assert_array_equal(flow.entries, sum(part.entries for part in parts))
    np.testing.assert_allclose(flow.yields, sum(part.yields for part in parts), rtol=1e-14)
    squares = sum(part.errors**2 for part in parts)
    np.testing.assert_allclose(flow.errors, np.sqrt(squares), rtol=1e-14)
    assert "data" not in result.filter_flows  # in 2017 nothing counts it
    assert result.filter_flows["electrons"].rows[:3] == ("read", "triggers", "primary_datasets")


def test_the_processed_luminosity_is_that_of_the_tables(result):
    own = {era: brilcalc(0, good)[1] for era, good in GOOD.items()}
    for era, luminosity in own.items():
        assert result.eras[str(era)].luminosities["data"].processed == pytest.approx(luminosity)
    assert result.luminosities["data"].processed == pytest.approx(sum(own.values()))
    assert result.spec.total_luminosity == 100.0
    warned = [line for line in DOMAIN.warnings(result) if "simulation is scaled to" in line]
    assert [line.partition(":")[0] for line in warned] == [
        "2017/data",
        "2018/data",
        "2018/electrons",
    ]


def test_the_luminosity_of_the_sum_is_known_if_that_of_every_era_is(spec, folder):
    _, other = run_of(spec.changed(eras={"2017": {"luminosity_table": ""}}), folder)
    assert [*other.luminosities] == ["electrons"]


def test_cuts_of_a_fallback_come_after_those_of_an_era(spec):
    fallback = {"constant": 0.0, "cuts": {"jet_pt": 33.0}}
    changed = spec.changed(fallbacks={"Jet_pt": fallback})
    events = Events("2018/data", "a.root", "Events", 0, 1, "", 0)
    for used, cut in (((), 25.0), (("Jet_pt",), 33.0)):
        own = replace(events, fallbacks_used=used)
        assert dict(selection_for(own, load_workload(changed)).cuts)["jet_pt"] == cut


def test_inputs_that_change_places_are_another_question(spec, folder, tmp_path):
    questions = []
    for place in ("first", "second"):
        here = tmp_path / place
        shutil.copytree(folder, here)
        if questions:
            (here / "good_2017.json").rename(here / "good")
            (here / "good_2018.json").rename(here / "good_2017.json")
            (here / "good").rename(here / "good_2018.json")
        own = spec_of(here, TOGETHER)
        questions.append(question_of(own, DOMAIN.plan(own, str(here)), DOMAIN))
    assert questions[0] != questions[1]


def test_it_does_not_matter_how_files_are_cut(spec, folder, result):
    _, other = run_of(spec, folder, most=90)
    same(DOMAIN.arrays(result), DOMAIN.arrays(other), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["not_there.root", "not_there_*.root", "7a.root"])
def test_an_era_that_lost_a_file_leaves_the_other_as_it_is(spec, folder, result, name):
    """Whatever its name is: one is inside that of a file of the other era."""
    lost = {"samples": {"signal": {"files": ["signal_2018a.root", name]}}}
    _, other = run_of(spec.changed(eras={"2018": lost}), folder, on_error="keep")
    assert other.missing == other.eras["2018"].missing
    assert [line.endswith(name) for line in other.missing] == [True]
    assert other.eras["2017"].missing == ()
    same(DOMAIN.arrays(result.eras["2017"]), DOMAIN.arrays(other.eras["2017"]), rtol=0)
    assert other.eras["2018"].events["signal"] == 200


def test_what_is_kept_comes_back(spec, folder):
    plan, _ = run_of(spec, folder)
    kept, workload = codec(spec), load_workload(spec)
    for item in plan.partitions:
        filled = fill(item, workload)
        back = kept.read(kept.write(filled, [item]), [item])
        assert back.histograms.keys() == filled.histograms.keys()
        assert back.files == filled.files
    assert {item.sample for item in plan.partitions} >= {"2017/signal", "2018/signal"}


def test_the_question_holds_all_that_decides(spec):
    asked = json.dumps(declarations.numbers(spec), sort_keys=True)

    def question(**changes):
        return json.dumps(declarations.numbers(spec.changed(**changes)), sort_keys=True)

    same_question = {"luminosity": 1.0, "samples": {"signal": {"cross_section": 7.0}}}
    assert question(eras={"2018": same_question}) == asked
    assert question(uncorrelated=[]) == asked
    for other in (
        {"cuts": {"jet_pt": 30.0}},
        {"event_filters": []},
        {"objects": {"jets": {"files": "jec_2017.json"}}},
        {"corrections": "k_2017.json"},
    ):
        assert question(eras={"2018": other}) != asked
    inputs = dict(load_workload(spec).inputs)
    assert {f"{n}_{e}" for n in ("lumi", "good", "jec", "k") for e in (2017, 2018)} <= {
        name.partition(".")[0] for name in inputs
    }


def test_a_run_that_is_repeated_goes_on_from_what_it_had(spec, folder, result, tmp_path):
    site = load_site("serial", changes={"ledger.after": 0.0})
    place = Place(site, str(folder), str(tmp_path))
    first, again = (run(spec, place) for _ in range(2))
    assert (first.metrics.resumed, again.metrics.resumed) == (0, len(FILES))
    assert first.digest == again.digest
    same(DOMAIN.arrays(result), DOMAIN.arrays(again.result), rtol=0)
    other = spec.changed(eras={"2018": {"weights": {"flat": {"up": {"way": "down"}}}}})
    assert run(other, place).metrics.resumed == 0


def test_a_check_names_the_eras(spec, folder):
    method = DOMAIN.plan(spec, str(folder)).method
    assert method == (
        "era 2017 (40 /pb, 3 samples); "
        "era 2018 (60 /pb, 3 samples, primary data sets Mu before Ele, 1 event filter)"
    )


def test_what_is_saved_comes_back(spec, result, tmp_path):
    for name, content in DOMAIN.files(result):
        (tmp_path / name).write_bytes(content)
    with uproot.open(io.BytesIO((tmp_path / "histograms.root").read_bytes())) as file:
        found = file["2018/signal/HT_jes_late_up"].values()
        total = file["signal/HT_jes_late_up"].values()
    np.testing.assert_array_equal(
        found, result.eras["2018"].histograms["signal", "HT_jes_late_up"].values()
    )
    np.testing.assert_array_equal(total, result.histograms["signal", "HT_jes_late_up"].values())
    loaded = DOMAIN.load(str(tmp_path), spec, DOMAIN.summary(result))
    same(DOMAIN.arrays(result), DOMAIN.arrays(loaded), rtol=0)
    assert loaded.eras["2017"].weights == result.eras["2017"].weights
    assert loaded.luminosities == result.luminosities
    rows = DOMAIN.table(loaded)
    assert {row["era"] for row in rows} == {None, "2017", "2018"}
    drawn = [name for name, _ in DOMAIN.pictures(result)]
    names = [f"{era}{name}.png" for era in ("", "2017_", "2018_") for name in ("HT", "mean")]
    assert drawn == names


def test_a_copy_keeps_the_columns_of_all_eras(spec):
    kept = {name.removesuffix("?") for name in to_keep(spec)}
    assert {"HLT_Mu", "HLT_Ele", "Flag_late", "Jet_pt", "Jet_eta", "run"} <= kept


def test_the_fit_is_of_the_sum(spec):
    systematics = {"stat": {"up": "jes_stat_2018_up", "down": "jes_stat_2018_down"}}
    fit = {"signal": "signal", "regions": ["HT"], "systematics": systematics}
    assert spec.changed(fit=fit).era_specs["2018"].fit is None
    systematics["stat"]["up"] = "jes_stat_up"
    with pytest.raises(SpecError, match="jes_stat_up"):
        spec.changed(fit=fit)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"luminosity": 5.0}, "luminosity is each era's own"),
        ({"luminosity_table": "a.csv"}, "luminosity_table is each era's own"),
        ({"samples": {"signal": {"files": ["a.root"]}}}, "samples.signal.files is each era's own"),
        ({"samples": {"more": {}}}, "samples.more is in no era"),
        ({"eras": {"2018": {"samples": {"sigal": {}}}}}, "no 'sigal' in .samples.; did you mean"),
        ({"eras": {"signal": {"samples": {"data": {}}}}}, "there is a sample of that name"),
        ({"eras": {"2017": {"samples": {"signal": {"data": True}}}}}, "said in .samples."),
        ({"eras": {"2018": {"samples": {"data": {"fils": []}}}}}, "eras.2018: .*samples.data.fils"),
        ({"eras": {"2018": {"samples": {"wjets": {}}}}}, "eras.2018: .*samples.wjets needs files"),
        ({"eras": {"2018": {"weights": {"flat": {"corection": "x"}}}}}, "flat.corection"),
        (
            {"eras": {"2019": {"samples": {"data": {"files": ["a"]}}}}},
            "eras.2019.samples: no simulation, which other eras have; add it",
        ),
        (
            {
                "samples": {"alt": {"varies": "signal", "cross_section": 1.0}},
                "eras": {"2018": {"samples": {"alt": {"files": ["a"]}}}},
            },
            "eras.2017.samples: 'alt' varies 'signal', which is there; add it",
        ),
        ({"uncorrelated": ["jec"]}, "jes"),
        ({"uncorrelated": ["flta"]}, "no variation 'flta'; did you mean flat"),
        ({"eras": {}, "luminosity": 1.0}, "uncorrelated is about .eras."),
        ({"eras": {}, "uncorrelated": [], "luminosity": 1.0}, "samples.data needs files"),
    ],
)
def test_eras_that_do_not_fit_are_refused(folder, spec, changes, message):
    table = spec.model_dump(exclude_unset=True)
    if changes.get("eras") == {}:
        table["eras"] = {}
    with pytest.raises(SpecError, match=message):
        parse(HepSpec, merged_tables(table, changes), where="spec")


def test_an_era_needs_its_luminosity(folder):
    text = TOGETHER.replace("luminosity = 60.0", "")
    with pytest.raises(SpecError, match=r'eras.2018: normalisation = "genweight" needs luminosity'):
        spec_of(folder, text)


def test_columns_of_all_eras_are_written_apart(spec, folder, tmp_path):
    out = {"columns": ["Jet_pt"], "format": "root", "folder": str(tmp_path / "out")}
    _, result = run_of(spec.changed(columns_out=out), folder)
    listed = json.loads((tmp_path / "out" / "columns.json").read_text())["samples"]
    for era, of in result.eras.items():
        for sample, n in of.events.items():
            own = listed[f"{era}/{sample}"]
            assert own["processed"] == n
            assert own["normalisation"] == of.weights[sample]
            assert own["events"] == of.selected[sample, "two"]


def test_workers_give_the_same_bits(spec, folder, dask_client):
    spec = spec.changed(partition={"max_events": 150})
    plan = DOMAIN.plan(spec, str(folder), client=dask_client)
    options = {"on_error": "raise", "report": lambda *_: None}
    there, _ = DOMAIN.run(spec, plan, client=dask_client, **options)
    here, _ = DOMAIN.run(spec, plan, client=None, **options)
    same(DOMAIN.arrays(here), DOMAIN.arrays(there), rtol=0)
