"""Veto maps of correctionlib: events, or objects, are left out as correctionlib says."""

import json

import awkward as ak
import correctionlib
import numpy as np
import pytest
import uproot

from spectrum_workflows import load_spec
from spectrum_workflows.errors import SpecError, SpectrumError
from spectrum_workflows.hep import DOMAIN, declarations
from spectrum_workflows.hep.select.declaring import declare

from .declared_objects import OUT, binned, correction

CODE = """
import awkward as ak
import numpy as np
from spectrum_workflows import hep


def tight(events, *, jet_pt=20.0):
    return (events.Jet_pt > jet_pt) & (abs(events.Jet_eta) < 4.0)


def select(events, *, jet_pt=20.0, min_jets=1):
    jets = events.Jet_pt[events.Jet_pt > jet_pt]
    values = {"HT": ak.sum(jets, axis=1), "n": events.nJet, "tags": ak.sum(events.Jet_tag, axis=1)}
    assert ak.all(ak.num(events.Jet_pt) == events.nJet)
    return hep.EventCuts({"jets": ak.to_numpy(ak.num(jets)) >= min_jets}, values)
"""

SPEC = """
workflow = "hep"
name = "vetoes"
select = "mine.py:select"
columns = ["Jet_pt", "Jet_eta", "Jet_tag", "nJet"]
normalisation = "genweight"
luminosity = 10.0
[samples.data]
files = ["data.root"]
data = true
[samples.signal]
files = ["signal.root"]
cross_section = 3.0
[objects.jets]
collection = "Jet"
files = "jec.json"
nominal = "L2"
inputs = { eta = "Jet_eta" }
[variations.jes]
object = "jets"
correction = "shift"
[weights.flat]
files = "jec.json"
correction = "sf"
inputs = { eta = "Jet_eta" }
collection = "Jet"
[veto_maps.zones]
files = "maps.json"
correction = "Map_V1"
collection = "Jet"
inputs = { type = "jetvetomap", eta = "Jet_eta", phi = "Jet_phi" }
where = "tight"
[regions.all]
cuts = ["jets"]
[histograms.HT]
region = "all"
bins = 10
start = 0.0
stop = 500.0
[histograms.n]
region = "all"
bins = 10
start = 0.0
stop = 10.0
[histograms.tags]
region = "all"
bins = 10
start = 0.0
stop = 10.0
"""

ETA, EDGE = np.linspace(-5, 5, 11), 3.1415926
PHI = np.linspace(-EDGE, EDGE, 9)


def map_of(seed, flow):
    rng = np.random.default_rng(seed)
    content = [100.0 * float(x < 0.1) for x in rng.random(80)]
    content[7::8] = [0.0] * 9 + [100.0]  # the last in phi: of the last in eta only
    head = {"nodetype": "multibinning", "inputs": ["eta", "phi"], "flow": flow}
    bins = head | {"edges": [ETA.tolist(), PHI.tolist()], "content": content}
    kinds = [{"key": "jetvetomap", "value": bins}, {"key": "other", "value": 0.0}]
    category = {"nodetype": "category", "input": "type", "content": kinds}
    inputs = [{"name": "type", "type": "string"}]
    inputs += [{"name": name, "type": "real"} for name in ("eta", "phi")]
    name = {"name": "Map_V1", "version": 1, "inputs": inputs, "output": OUT, "data": category}
    return {"schema_version": 2, "corrections": [name]}


def corrections():
    eta = {"name": "eta", "type": "real"}
    steps = [-5.0, -1.0, 1.0, 5.0]
    own = [
        correction("L2", binned(steps, [1.2, 0.9, 1.1]), eta),
        correction("shift", binned(steps, [0.05, 0.02, 0.08]), eta),
        correction("sf", binned(steps, [0.97, 1.01, 0.95]), eta),
    ]
    return {"schema_version": 2, "corrections": own}


def events_of(n, seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 7, n)
    total = int(counts.sum())
    phi = rng.uniform(-np.pi, np.pi, total).astype(np.float32)
    phi[::17] = np.float32(np.pi)  # beyond the last edge of the map
    jets = {
        "pt": (10 + rng.exponential(40, total)).astype(np.float32),
        "eta": np.clip(rng.normal(0, 2, total), -4.9, 4.9).astype(np.float32),
        "phi": phi,
        "mass": rng.uniform(2, 12, total).astype(np.float32),
        "tag": rng.random(total) < 0.3,
    }
    jagged = ak.zip({k: ak.unflatten(v, counts) for k, v in jets.items()})
    return {"Jet": jagged, "genWeight": rng.normal(1, 0.5, n)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vetoes")
    (folder / "mine.py").write_text(CODE)
    (folder / "vetoes.toml").write_text(SPEC)
    (folder / "maps.json").write_text(json.dumps(map_of(1, "error")))
    (folder / "more.json").write_text(json.dumps(map_of(2, 0.0)))
    (folder / "jec.json").write_text(json.dumps(corrections()))
    for seed, name in enumerate(("data", "signal")):
        columns = events_of(700, seed)
        with uproot.recreate(folder / f"{name}.root") as file:
            file.mktree("Events", columns)
            file.mktree("Runs", {"genEventSumw": np.array([columns["genWeight"].sum()])})
    return folder


@pytest.fixture(scope="module")
def spec(folder):
    return load_spec(folder / "vetoes.toml")


def run_of(spec, folder, most=200_000):
    spec = spec.changed(partition={"max_events": most})
    plan = DOMAIN.plan(spec, str(folder))
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    return plan, result


def plain(folder, name, corrected=True):
    """Events with corrected momenta, by correctionlib and awkward alone."""
    with uproot.open(folder / f"{name}.root") as file:
        events = file["Events"].arrays()
    jec = correctionlib.CorrectionSet.from_file(str(folder / "jec.json"))
    counts, eta = ak.num(events.Jet_eta), ak.to_numpy(ak.flatten(events.Jet_eta))
    pt = ak.to_numpy(ak.flatten(events.Jet_pt))
    if name == "signal" and corrected:
        pt = (pt.astype(np.float64) * jec["L2"].evaluate(eta)).astype(np.float32)
    events["Jet_pt"] = ak.unflatten(pt, counts)
    events["Jet_sf"] = ak.unflatten(jec["sf"].evaluate(eta), counts)
    return events


def vetoed_jets(events, folder, file="maps.json", *, everywhere=False):
    veto = correctionlib.CorrectionSet.from_file(str(folder / file))["Map_V1"]
    counts, eta = ak.num(events.Jet_eta), ak.to_numpy(ak.flatten(events.Jet_eta))
    phi = np.clip(ak.to_numpy(ak.flatten(events.Jet_phi)), -3.1415925, 3.1415925)
    hit = ak.unflatten(veto.evaluate("jetvetomap", eta, phi) != 0, counts)
    tight = (events.Jet_pt > 20.0) & (abs(events.Jet_eta) < 4.0)
    return hit if everywhere else hit & tight


def filled(events, weights):
    jets = events.Jet_pt[events.Jet_pt > 20.0]
    passed = ak.to_numpy(ak.num(jets)) >= 1
    ht = ak.to_numpy(ak.sum(jets, axis=1))[passed]
    return np.histogram(ht, np.linspace(0, 500, 11), weights=weights[passed])[0]


def weights_of(events, name):
    if name == "data":
        return np.ones(len(events))
    product = ak.to_numpy(ak.prod(events.Jet_sf, axis=1))
    return ak.to_numpy(events.genWeight) * product


@pytest.mark.parametrize("name", ["data", "signal"])
def test_events_with_a_vetoed_jet_are_left_out(spec, folder, name):
    _, result = run_of(spec, folder)
    events = plain(folder, name)
    chosen = events[~ak.any(vetoed_jets(events, folder), axis=1)]
    assert 0.05 * len(events) < len(events) - len(chosen) < 0.95 * len(events)
    scale = result.weights[name]
    expected = filled(chosen, weights_of(chosen, name)) * scale
    h = result.histograms[name, "HT"]
    np.testing.assert_allclose(h.values(), expected, rtol=1e-6 if name == "signal" else 0)
    flow = result.filter_flows[name]
    assert flow.rows == ("read", "veto_maps.zones")
    assert flow.entries.tolist() == [700, len(chosen)]
    assert result.cut_flows[name, "all", ""].entries[0] == len(chosen)
    if name == "signal":
        kept = ak.to_numpy(chosen.genWeight)
        assert flow.yields[1] == pytest.approx(kept.sum() * scale, rel=1e-12)
        assert result.histograms[name, "HT_jes_up"].values().sum() != h.values().sum()


@pytest.mark.parametrize("name", ["data", "signal"])
def test_only_the_jets_can_be_left_out(spec, folder, name):
    _, result = run_of(spec.changed(veto_maps={"zones": {"drop": "objects"}}), folder)
    events = plain(folder, name)
    kept = ~vetoed_jets(events, folder)
    columns = {c: events[c][kept] for c in ("Jet_pt", "Jet_eta", "Jet_tag", "Jet_sf")}
    chosen = ak.zip({**columns, "genWeight": events.genWeight}, depth_limit=1)
    weights = weights_of(chosen, name) * result.weights[name]
    np.testing.assert_allclose(
        result.histograms[name, "HT"].values(), filled(chosen, weights), rtol=1e-6
    )
    passed = ak.to_numpy(ak.num(chosen.Jet_pt[chosen.Jet_pt > 20.0])) >= 1
    for observable, of in (
        ("n", ak.num(chosen.Jet_pt)),
        ("tags", ak.sum(chosen.Jet_tag, axis=1)),
    ):
        edges = np.linspace(0, 10, 11)
        expected = np.histogram(ak.to_numpy(of)[passed], edges, weights=weights[passed])[0]
        np.testing.assert_allclose(
            result.histograms[name, observable].values(), expected, rtol=1e-6
        )
    assert result.filter_flows[name].rows == ("read",)


def test_maps_go_one_after_the_other(spec, folder):
    """A jet that one map drops is no reason for another to drop the event."""
    more = {"files": "more.json", "correction": "Map_V1", "collection": "Jet"}
    more |= {"inputs": {"type": "jetvetomap", "eta": "Jet_eta", "phi": "Jet_phi"}}
    two = spec.changed(veto_maps={"zones": {"drop": "objects"}, "more": more})
    _, result = run_of(two, folder)
    events = plain(folder, "data")
    first = vetoed_jets(events, folder)
    second = vetoed_jets(events, folder, "more.json", everywhere=True) & ~first
    left = int(ak.sum(~ak.any(second, axis=1)))
    assert result.filter_flows["data"].entries.tolist() == [700, left]
    assert left < 700


def test_a_map_of_some_samples_leaves_the_others_alone(spec, folder):
    _, result = run_of(spec.changed(veto_maps={"zones": {"samples": ["data"]}}), folder)
    _, without = run_of(spec.changed(veto_maps={"zones": {"samples": ["signal"]}}), folder)
    assert result.filter_flows["signal"].rows == ("read",)
    assert result.filter_flows["signal"].entries.tolist() == [700]
    assert without.filter_flows["data"].entries.tolist() == [700]


@pytest.mark.parametrize("drop", ["events", "objects"])
def test_it_does_not_matter_how_files_are_cut(spec, folder, drop):
    spec = spec.changed(veto_maps={"zones": {"drop": drop}})
    one, other = (DOMAIN.arrays(run_of(spec, folder, most)[1]) for most in (200_000, 97))
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(other[name], array, rtol=1e-12, atol=1e-12, err_msg=name)


def test_what_a_map_says_is_part_of_the_question(spec, folder):
    moved = spec.changed(veto_maps={"zones": {"where": ""}})
    assert declarations.numbers(moved) != declarations.numbers(spec)
    before = dict(declare(spec).inputs)
    assert before["maps.json"].startswith("sha256 ")
    assert declare(moved).digest != declare(spec).digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correction": "Map_V2"}, "no correction 'Map_V2'.*did you mean Map_V1"),
        ({"where": "tigt"}, "no function 'tigt' beside select"),
        ({"inputs": {"type": 1.0}}, "takes a word for type"),
        ({"inputs": {"eta": "Jet_et"}}, "Jet_et"),
        ({"samples": ["singal"]}, "did you mean signal"),
        ({"drop": "jets"}, "drop"),
        ({"where": "select"}, "does not tell the items"),
    ],
)
def test_what_cannot_be_looked_up_is_refused(spec, folder, changes, message):
    with pytest.raises(SpectrumError, match=message):
        run_of(spec.changed(veto_maps={"zones": changes}), folder)


def test_an_object_outside_of_the_map_is_an_error(spec, folder, tmp_path):
    narrow = map_of(1, "error")
    bins = narrow["corrections"][0]["data"]["content"][0]["value"]
    bins["edges"][0] = (ETA / 5).tolist()
    (folder / "narrow.json").write_text(json.dumps(narrow))
    with pytest.raises(SpectrumError, match="Map_V1"):
        run_of(spec.changed(veto_maps={"zones": {"files": "narrow.json"}}), folder)


def test_columns_that_count_objects_do_not_fit_objects_that_are_dropped(spec):
    columns = [*spec.columns, "Muon_jetIdx"]
    assert spec.changed(columns=columns)
    with pytest.raises(SpecError, match="Muon_jetIdx counts them as the file does"):
        spec.changed(columns=columns, veto_maps={"zones": {"drop": "objects"}})
    other = [*spec.columns, "Electron_fatJetIdx", "Jet_muonIdx1"]
    assert spec.changed(columns=other, veto_maps={"zones": {"drop": "objects"}})
