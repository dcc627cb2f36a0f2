"""Primary data sets that share events, and flags of good events, against plain arrays."""

import json

import numpy as np
import pytest
import uproot

from spectrum_workflows import load_spec
from spectrum_workflows.errors import SpecError, SpectrumError
from spectrum_workflows.hep import DOMAIN, declarations
from spectrum_workflows.hep.columns import to_keep
from spectrum_workflows.hep.select.workload import load_workload
from spectrum_workflows.hep.workflow.codec import codec
from spectrum_workflows.hep.workflow.event_tasks import fill

pytestmark = pytest.mark.xdist_group("hep primary datasets")  # what they share is made once

CODE = """
import numpy as np
from spectrum_workflows import hep


def select(events):
    ht = np.asarray(events.HT)
    return hep.EventCuts({"high": ht > 100.0}, {"HT": ht})
"""

SPEC = """
workflow = "hep"
name = "streams"
select = "mine.py:select"
columns = ["HT"]
normalisation = "genweight"
luminosity = 10.0
good_runs = "good.json"
event_filters = ["Flag_good", { path = "Flag_late", absent = true }]
[[primary_datasets]]
name = "DoubleMuon"
triggers = ["HLT_MuMu"]
[[primary_datasets]]
name = "SingleMuon"
triggers = ["HLT_Mu", { path = "HLT_MuOld", absent = false }]
[[primary_datasets]]
name = "EGamma"
triggers = ["HLT_Ele"]
[samples.mumu]
files = ["DoubleMuon.root"]
data = true
primary_dataset = "DoubleMuon"
[samples.mu]
files = ["SingleMuon.root"]
data = true
primary_dataset = "SingleMuon"
[samples.e]
files = ["EGamma.root"]
data = true
primary_dataset = "EGamma"
[samples.signal]
files = ["signal.root"]
cross_section = 3.0
[regions.high]
cuts = ["high"]
[histograms.HT]
region = "high"
bins = 10
start = 0.0
stop = 500.0
"""

BITS = {"HLT_MuMu": 0.1, "HLT_Mu": 0.4, "HLT_MuOld": 0.05, "HLT_Ele": 0.3, "Flag_good": 0.9}
STREAMS = {
    "DoubleMuon": ["HLT_MuMu"],
    "SingleMuon": ["HLT_Mu", "HLT_MuOld"],
    "EGamma": ["HLT_Ele"],
}


def pool_of(n, seed):
    rng = np.random.default_rng(seed)
    bits = {name: rng.random(n) < share for name, share in BITS.items()}
    numbers = {"run": np.full(n, 7, np.uint32), "event": np.arange(n, dtype=np.uint64)}
    block = rng.integers(1, 10, n).astype(np.uint32)
    floats = {"HT": rng.exponential(150, n), "genWeight": rng.normal(1, 0.5, n)}
    return bits | numbers | {"luminosityBlock": block} | floats


def write(path, columns, sum_of_weights=None):
    with uproot.recreate(path) as file:
        file["Events"] = columns
        if sum_of_weights is not None:
            file["Runs"] = {"genEventSumw": np.array([sum_of_weights])}


@pytest.fixture(scope="module")
def pools():
    return {"data": pool_of(2000, 1), "signal": pool_of(900, 2)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pools):
    folder = tmp_path_factory.mktemp("streams")
    (folder / "mine.py").write_text(CODE)
    (folder / "good.json").write_text(json.dumps({"7": [[1, 7]]}))
    (folder / "streams.toml").write_text(SPEC)
    data = pools["data"]
    for stream, triggers in STREAMS.items():
        fired = np.any([data[t] for t in triggers], axis=0)
        own = {name: values[fired] for name, values in data.items() if name != "genWeight"}
        if stream == "EGamma":
            own.pop("HLT_MuOld")  # which did not fire there
        write(folder / f"{stream}.root", own)
    signal = pools["signal"]
    write(folder / "signal.root", signal, signal["genWeight"].sum())
    return folder


@pytest.fixture(scope="module")
def spec(folder):
    return load_spec(folder / "streams.toml")


def run_of(spec, folder, most=200_000, on_error="raise"):
    spec = spec.changed(partition={"max_events": most})
    plan = DOMAIN.plan(spec, str(folder), on_error=on_error)
    result, _ = DOMAIN.run(spec, plan, client=None, on_error=on_error, report=lambda *_: None)
    return plan, result


@pytest.fixture(scope="module")
def result(spec, folder):
    return run_of(spec, folder)[1]


def total_of(result):
    samples = [name for name, sample in result.spec.samples.items() if sample.data]
    return sum(result.histograms[name, "HT"].values(flow=True) for name in samples)


def test_an_event_of_several_primary_data_sets_counts_once(result, pools):
    data = pools["data"]
    fired = np.any([data[t] for ts in STREAMS.values() for t in ts], axis=0)
    late = data["HLT_MuOld"] & data["HLT_Ele"] & ~data["HLT_Mu"] & ~data["HLT_MuMu"]
    good = (data["luminosityBlock"] <= 7) & data["Flag_good"]
    chosen = fired & good & (data["HT"] > 100)
    # in the EGamma file nobody knows that the old trigger fired: those count there, too
    values = np.concatenate([data["HT"][chosen], data["HT"][chosen & late]])
    expected = np.histogram(values, np.linspace(0, 500, 11))[0]
    np.testing.assert_array_equal(total_of(result)[1:-1], expected)
    assert (late & chosen).sum() > 0


def test_simulation_needs_a_trigger_of_any(result, pools):
    signal = pools["signal"]
    fired = np.any([signal[t] for ts in STREAMS.values() for t in ts], axis=0)
    chosen = fired & signal["Flag_good"] & (signal["HT"] > 100)
    edges, scale = np.linspace(0, 500, 11), 30 / signal["genWeight"].sum()
    expected = np.histogram(signal["HT"][chosen], edges, weights=signal["genWeight"][chosen])[0]
    found = result.histograms["signal", "HT"].values()
    np.testing.assert_allclose(found, expected * scale, rtol=1e-12)


def test_every_veto_has_a_row(result, pools):
    data = pools["data"]
    mu = data["HLT_Mu"] | data["HLT_MuOld"]
    masks = {
        "read": np.ones(len(mu), bool),
        "triggers": np.ones(len(mu), bool),
        "primary_datasets": ~data["HLT_MuMu"],
        "good_runs": data["luminosityBlock"] <= 7,
        "Flag_good": data["Flag_good"],
        "Flag_late": np.ones(len(mu), bool),
    }
    flow = result.filter_flows["mu"]
    assert flow.rows == tuple(masks)
    left = mu
    for row, mask, entries, number in zip(
        masks, masks.values(), flow.entries, flow.yields, strict=True
    ):
        left = left & mask
        assert entries == number == left.sum(), row
    assert result.cut_flows["mu", "high", ""].entries[0] == flow.entries[-1]
    simulated = result.filter_flows["signal"]
    assert simulated.rows == ("read", "triggers", "Flag_good", "Flag_late")
    assert simulated.yields[0] == pytest.approx(30.0, rel=1e-12)
    squares = np.sum(pools["signal"]["genWeight"] ** 2)
    scale = 30 / pools["signal"]["genWeight"].sum()
    assert simulated.errors[0] == pytest.approx(scale * np.sqrt(squares), rel=1e-12)
    summary = DOMAIN.summary(result)["event_filters"]
    assert list(summary) == list(masks)  # in this order, though simulation has no certified runs
    assert summary["primary_datasets"] == {
        "mu": flow.yields[2],
        "mu_error": flow.errors[2],
        "e": result.filter_flows["e"].yields[2],
        "e_error": result.filter_flows["e"].errors[2],
    }
    rows = [r for r in DOMAIN.table(result) if r["cut"] == "primary_datasets"]
    assert [(r["sample"], r["entries"]) for r in rows] == [
        ("mu", flow.entries[2]),
        ("e", result.filter_flows["e"].entries[2]),
    ]


def test_it_does_not_matter_how_the_files_are_cut(spec, folder, result):
    plan, other = run_of(spec, folder, most=130)
    assert len(plan.partitions) > 10
    np.testing.assert_array_equal(total_of(other), total_of(result))
    for sample, flow in result.filter_flows.items():
        np.testing.assert_array_equal(other.filter_flows[sample].entries, flow.entries)
        np.testing.assert_allclose(other.filter_flows[sample].yields, flow.yields, rtol=1e-12)


def test_a_lost_stream_leaves_the_others_as_they_are(spec, folder, result):
    lost = spec.changed(samples={"mumu": {"files": ["not_there.root"]}})
    _, other = run_of(lost, folder, on_error="keep")
    assert other.missing
    assert other.filter_flows["mumu"].entries.tolist() == [0] * 5
    for sample in ("mu", "e"):
        mine, theirs = (r.histograms[sample, "HT"] for r in (result, other))
        np.testing.assert_array_equal(mine.view(flow=True), theirs.view(flow=True))


def test_the_order_of_primary_data_sets_decides(spec, folder, result):
    other = [spec.primary_datasets[k].model_dump() for k in (2, 1, 0)]
    turned = spec.changed(primary_datasets=other)
    assert declarations.numbers(turned) != declarations.numbers(spec)  # what a ledger asks
    assert json.dumps(declarations.numbers(turned), sort_keys=True) != json.dumps(
        declarations.numbers(spec), sort_keys=True
    )
    _, found = run_of(turned, folder)
    assert found.filter_flows["e"].rows[:3] == ("read", "triggers", "good_runs")
    assert found.filter_flows["e"].entries[0] == result.filter_flows["e"].entries[0]
    assert found.selected["mumu", "high"] < result.selected["mumu", "high"]


def test_what_is_kept_and_saved_comes_back(spec, folder, result, tmp_path):
    plan, _ = run_of(spec, folder)
    kept, item = codec(spec), plan.partitions[1]
    filled = fill(item, load_workload(spec))
    back = kept.read(kept.write(filled, [item]), [item])
    assert back.left.keys() == filled.left.keys()
    for key, counts in filled.left.items():
        np.testing.assert_array_equal(back.left[key], counts)
    for name, content in DOMAIN.files(result):
        (tmp_path / name).write_bytes(content)
    loaded = DOMAIN.load(str(tmp_path), spec, DOMAIN.summary(result))
    for sample, flow in result.filter_flows.items():
        other = loaded.filter_flows[sample]
        assert other.rows == flow.rows
        np.testing.assert_array_equal(other.yields, flow.yields)
    assert {f"{s}/event_filters" for s in spec.samples} <= DOMAIN.arrays(result).keys()


def test_nothing_is_counted_where_nothing_new_is_declared(spec, folder):
    plain = spec.model_dump(exclude_unset=True)
    plain |= {"primary_datasets": (), "event_filters": (), "triggers": ["HLT_Mu"]}
    for sample in plain["samples"].values():
        sample.pop("primary_dataset", None)
    _, result = run_of(type(spec)(**plain, folder=str(folder)), folder)
    assert not result.filter_flows
    assert "event_filters" not in DOMAIN.summary(result)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"triggers": ["HLT_Mu"]}, "triggers stand in primary_datasets"),
        ({"samples": {"mu": {"primary_dataset": "SingleMu"}}}, "did you mean SingleMuon"),
        ({"samples": {"mu": {"primary_dataset": ""}}}, "needs primary_dataset, or triggers"),
        ({"samples": {"mu": {"triggers": []}}}, "its triggers are those of its primary"),
        ({"samples": {"signal": {"primary_dataset": "EGamma"}}}, "simulation is of no primary"),
        ({"samples": {"mu": {"primary_dataset": "EGamma"}}}, "no sample is of 'SingleMuon'"),
        ({"primary_datasets": []}, "no 'DoubleMuon' here"),
        ({"event_filters": ["Flag_good", "Flag_good"]}, "'Flag_good' is there twice"),
        ({"primary_datasets": [{"name": "A", "triggers": []}]}, "primary_datasets.0.triggers"),
    ],
)
def test_what_would_count_events_twice_or_not_is_refused(spec, changes, message):
    with pytest.raises(SpecError, match=message):
        spec.changed(**changes)


def test_a_flag_that_is_missing_or_no_flag_is_refused(spec, folder):
    with pytest.raises(SpectrumError, match=r"Flag_goo.*absent = true"):
        run_of(spec.changed(event_filters=["Flag_goo"]), folder)
    with pytest.raises(SpectrumError, match=r"luminosityBlock is \d, |luminosityBlock is \d in"):
        run_of(spec.changed(event_filters=["luminosityBlock"]), folder)


def test_a_smaller_copy_keeps_all_bits(spec):
    kept = {name.removesuffix("?") for name in to_keep(spec)}
    assert {*BITS, "Flag_late"} <= kept
