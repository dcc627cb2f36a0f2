"""Cuts by name, combined into regions and categories by the spec, with weighted cut flows."""

import numpy as np
import pytest
import uproot

from spectrum_workflows import load_spec
from spectrum_workflows.errors import SpecError, SpectrumError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.specs import parse, read_toml

pytestmark = pytest.mark.xdist_group("hep regions")  # what they share is made once

CODE = """
import numpy as np
from spectrum_workflows import hep


def select(events, *, jets=4, variations=()):
    n, ht = np.asarray(events.nJet), np.asarray(events.HT)
    def cuts(ht):
        passed = {"lepton": np.asarray(events.nLepton) == 1, "jets": n >= jets, "ht": ht > 100.0}
        passed["tag"] = np.asarray(events.nTag) > 0
        passed["muon"] = np.asarray(events.muon) == 1
        return hep.EventCuts(passed, {"HT": ht, "n": n})
    nominal = cuts(ht)
    varied = {name: cuts(ht * 1.2) for name in variations}
    return hep.EventCuts(nominal.passed, nominal.observables, variations=varied)
"""

SPEC = """
workflow = "hep"
name = "regions"
select = "mine.py:select"
columns = ["nJet", "HT", "nLepton", "nTag", "muon"]
normalisation = "genweight"
luminosity = 10.0
partition = { max_events = 300 }
variations = ["ht_up"]
[samples.signal]
files = ["a.root"]
cross_section = 3.0
[samples.data]
files = ["b.root"]
data = true
[regions.loose]
cuts = ["lepton", "jets"]
[regions.tagged]
within = "loose"
cuts = ["tag", "ht"]
split = ["flavour"]
[regions.control]
within = "loose"
cuts = ["not tag"]
[categories.flavour]
muon = ["muon"]
electron = ["not muon"]
[histograms.HT]
regions = ["loose", "tagged", "tagged_muon"]
bins = 10
start = 0.0
stop = 500.0
[histograms.control]
observable = "n"
bins = 8
start = 0.0
stop = 8.0
"""

N = 1000


def columns_of(seed):
    rng = np.random.default_rng(seed)
    counts = {name: rng.poisson(mean, N) for name, mean in (("nJet", 4), ("nLepton", 1))}
    more = {"nTag": rng.poisson(0.8, N), "muon": rng.integers(0, 2, N)}
    floats = {"HT": rng.exponential(200, N), "genWeight": rng.normal(1, 0.5, N)}
    return counts | more | floats


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regions")
    for name, seed in (("a", 1), ("b", 2)):
        columns = columns_of(seed)
        with uproot.recreate(folder / f"{name}.root") as file:
            file["Events"] = columns
            file["Runs"] = {"genEventSumw": np.array([columns["genWeight"].sum()])}
    (folder / "mine.py").write_text(CODE)
    (folder / "spec.toml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def result(folder):
    return run_of(load_spec(folder / "spec.toml"), folder)


def plan_of(table, folder):
    spec = parse(HepSpec, table | {"folder": str(folder)}, where="spec")
    return DOMAIN.plan(spec, str(folder))


def run_of(spec, folder):
    plan = DOMAIN.plan(spec, str(folder))
    return DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)[0]


def cuts_of(seed, up=1.0):
    c = columns_of(seed)
    masks = {"lepton": c["nLepton"] == 1, "jets": c["nJet"] >= 4, "tag": c["nTag"] > 0}
    masks |= {"ht": c["HT"] * up > 100.0, "not tag": c["nTag"] == 0}
    return masks | {"muon": c["muon"] == 1, "not muon": c["muon"] == 0}


TAGGED = ("lepton", "jets", "tag", "ht")


@pytest.mark.parametrize(
    ("region", "cuts"),
    [
        ("loose", ("lepton", "jets")),
        ("tagged", TAGGED),
        ("control", ("lepton", "jets", "not tag")),
        ("tagged_muon", (*TAGGED, "muon")),
        ("tagged_electron", (*TAGGED, "not muon")),
    ],
)
@pytest.mark.parametrize("variation", ["", "ht_up"])
def test_cut_flows_are_those_of_the_masks(result, region, cuts, variation):
    weight = columns_of(1)["genWeight"]
    scale = 3.0 * 10.0 / weight.sum()
    masks = cuts_of(1, 1.2 if variation else 1.0)
    flow = result.cut_flows["signal", region, variation]
    assert flow.cuts == cuts
    left = np.ones(N, bool)
    for k, name in enumerate(("", *cuts)):
        left = left & masks[name] if name else left
        assert flow.entries[k] == left.sum()
        assert flow.yields[k] == pytest.approx(scale * weight[left].sum(), rel=1e-11)
        expected = abs(scale) * np.sqrt((weight[left] ** 2).sum())
        assert flow.errors[k] == pytest.approx(expected, rel=1e-11)
    for k, name in enumerate(cuts):
        others = np.all([masks[other] for other in cuts if other != name], axis=0)
        assert flow.n_minus_1[k] == pytest.approx(scale * weight[others].sum(), rel=1e-11)
        expected = abs(scale) * np.sqrt((weight[others] ** 2).sum())
        assert flow.n_minus_1_errors[k] == pytest.approx(expected, rel=1e-11)


def test_data_counts_and_has_no_variations(result):
    flow = result.cut_flows["data", "tagged", ""]
    assert flow.yields.tolist() == flow.entries.tolist()
    assert ("data", "tagged", "ht_up") not in result.cut_flows
    assert result.selected["data", "tagged"] == flow.entries[-1]


def test_histograms_hold_the_events_of_their_region(result):
    masks, columns = cuts_of(1), columns_of(1)
    scale = 3.0 * 10.0 / columns["genWeight"].sum()
    for region, cuts in (("loose", TAGGED[:2]), ("tagged_muon", (*TAGGED, "muon"))):
        inside = np.all([masks[name] for name in cuts], axis=0)
        h = result.histograms["signal", f"HT_{region}"]
        weights = scale * columns["genWeight"][inside]
        expected, _ = np.histogram(columns["HT"][inside], h.axes[0].edges, weights=weights)
        np.testing.assert_allclose(h.values(), expected, rtol=1e-11, atol=1e-12)
    assert {n for s, n in result.histograms if s == "data"} >= {"HT_tagged", "control"}
    assert ("signal", "control_ht_up") in result.histograms


def test_cut_flows_are_shown_saved_and_read_back(result, folder, tmp_path):
    summary = DOMAIN.summary(result)
    row = summary["cut_flow"]["tagged"]["tag"]
    assert row["signal"] == result.cut_flows["signal", "tagged", ""].yields[3]
    assert [*summary["cut_flow"]["tagged"]] == ["all", *TAGGED]
    assert [*summary["n_minus_1"]["tagged"]] == [*TAGGED]
    rows = [r for r in DOMAIN.table(result) if r["region"] == "tagged" and r["cut"] == "tag"]
    assert [(r["sample"], r["variation"]) for r in rows] == [
        ("signal", ""),
        ("signal", "ht_up"),
        ("data", ""),
    ]
    assert len({tuple(r) for r in DOMAIN.table(result)}) == 1
    for name, content in DOMAIN.files(result):
        (tmp_path / name).write_bytes(content)
    back = DOMAIN.load(str(tmp_path), result.spec, summary)
    assert back.cut_flows.keys() == result.cut_flows.keys()
    for name, array in DOMAIN.arrays(result).items():
        np.testing.assert_array_equal(DOMAIN.arrays(back)[name], array)


def test_cuts_of_partitions_add_up(folder, result):
    whole = run_of(result.spec.changed(partition={"max_events": 10_000}), folder)
    for key, flow in whole.cut_flows.items():
        assert flow.entries.tolist() == result.cut_flows[key].entries.tolist()
        np.testing.assert_allclose(flow.yields, result.cut_flows[key].yields, rtol=1e-11)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"lepton", "jets"]', '"lepton", "jet"]', "no cut 'jet'; did you mean jets"),
        ('observable = "n"', 'observable = "m"', "no observable 'm'"),
        ('within = "loose"', 'within = "lose"', "no 'lose' here; did you mean loose"),
        ('cuts = ["not tag"]', 'cuts = ["jets"]', "'jets' is there twice"),
        ('split = ["flavour"]', 'split = ["flavor"]', "no 'flavor' here"),
        ("[histograms.control]", "[histograms.contrl]", "says no region"),
        ('"tagged_muon"]', '"tagged_moun"]', "no 'tagged_moun' here; did you mean tagged_muon"),
        ('cuts = ["lepton", "jets"]', 'within = "tagged"', "within itself"),
        ('[categories.flavour]\nmuon = ["muon"]', '[categories.flavour]\nmuon = ["ht"]', "twice"),
    ],
)
def test_names_that_are_not_there_are_refused_before_a_run(folder, old, new, message):
    assert old in SPEC
    table = read_toml(SPEC.replace(old, new).encode(), where="spec")
    with pytest.raises(SpectrumError, match=message):
        plan_of(table, folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("n >= jets", "n", "of type int64"),
        ('"n": n}', '"n": n[:5]}', r"of shape \(5,\), of 250 events"),
        ("return hep.EventCuts(nom", "return dict(a=n) or hep.EventCuts(nom", "a dict"),
    ],
)
def test_what_is_no_cut_is_refused(folder, tmp_path, old, new, message):
    assert old in CODE
    (tmp_path / "mine.py").write_text(CODE.replace(old, new))
    (tmp_path / "spec.toml").write_text(SPEC)
    with pytest.raises(SpectrumError, match=message):
        run_of(load_spec(tmp_path / "spec.toml"), folder)


def test_cuts_without_regions_are_refused(folder):
    table = read_toml(SPEC.encode(), where="spec") | {"folder": str(folder)}
    del table["regions"], table["categories"]
    table["histograms"] = {"HT": {"bins": 2, "start": 0.0, "stop": 1.0}}
    with pytest.raises(SpecError, match="the spec has no regions"):
        plan_of(table, folder)


def test_events_in_two_regions_of_a_fit_are_said(folder):
    """Those in fitted bins of both, in all partitions; of disjoint regions nothing is said."""
    fit = {"signal": "signal", "regions": ["HT_tagged", "HT_tagged_muon", "control"]}
    spec = load_spec(folder / "spec.toml").changed(fit=fit)
    result = run_of(spec, folder)
    numbers = []
    for seed in (1, 2):
        masks, ht = cuts_of(seed), columns_of(seed)["HT"]
        numbers.append(np.sum(np.all([masks[c] for c in (*TAGGED, "muon")], axis=0) & (ht < 500)))
    line = "fit: HT_tagged and HT_tagged_muon share events, which count twice: "
    expected = f"{line}{numbers[0]} of signal, {numbers[1]} of data"
    assert [note for note in result.notes if "share events" in note] == [expected]
    apart = spec.changed(fit={"regions": ["HT_tagged", "control"]})
    assert not [note for note in run_of(apart, folder).notes if "share events" in note]
