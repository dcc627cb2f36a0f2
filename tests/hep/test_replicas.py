"""Poisson bootstrap: draws that belong to events, replicas, and covariances between bins."""

import json
import math
from dataclasses import replace
from pathlib import Path

import awkward as ak
import hist
import numpy as np
import pytest
import uproot
from scipy.stats import chi2

from spectrum_workflows import check, connect, hep, load, load_site, load_spec, run, save, show
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import DOMAIN, binning
from spectrum_workflows.hep.bootstrap.filling import replicas_of
from spectrum_workflows.hep.bootstrap.keys import FEWEST, Resampling, event_keys, lowest_keys
from spectrum_workflows.hep.columns import to_keep
from spectrum_workflows.hep.declarations import numbers
from spectrum_workflows.hep.exact.sums import rounded
from spectrum_workflows.hep.select.workload import load_workload
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec
from spectrum_workflows.hep.spec.eras import EraSpec
from spectrum_workflows.hep.synthetic import make
from spectrum_workflows.hep.types import Observable
from spectrum_workflows.hep.workflow.codec import codec
from spectrum_workflows.hep.workflow.event_tasks import fill

pytestmark = pytest.mark.xdist_group("hep replicas")  # what they share is made once

CODE = """
import awkward as ak
import numpy as np
from spectrum_workflows.hep import Observable


def select(events, *, least=0.0):
    assert "event" not in events.fields
    x, w = np.asarray(events.x), np.asarray(events.w)
    all_of_them, high = np.flatnonzero(x > least), np.flatnonzero(x > 5)
    jets = np.asarray(ak.flatten(events.Jet_pt))
    which = np.repeat(np.arange(len(events)), np.asarray(ak.num(events.Jet_pt)))
    kinds = np.asarray(events.kind)
    varied = {"other_up": Observable(x[high], index=high)}
    return {
        "x": Observable(x[all_of_them], w[all_of_them], all_of_them),
        "high": Observable(x[high], w[high], high, {"other_up": Observable(x[high], index=high)}),
        "jets": Observable(jets, w[which], which),
        "ones": Observable(x[high], None, high),
        "kind": Observable(kinds[high], None, high),
    }
"""

SPEC = """
workflow = "hep"
name = "replicas"
select = "mine.py:select"
columns = ["x", "w", "kind", "Jet_pt"]
normalisation = "none"
partition = { max_events = 700 }
[samples.one]
files = ["a.root", "b.root"]
[samples.data]
files = ["c.root"]
data = true
weighted = true
[histograms.x]
bins = 5
start = 0.0
stop = 10.0
[histograms.high]
bins = 5
start = 0.0
stop = 10.0
[histograms.jets]
bins = 4
start = 0.0
stop = 200.0
[histograms.mean]
observable = "high"
edges = [5.0, 7.0, 10.0]
profile = "high"
[histograms.both]
observable = ["ones", "kind"]
bins = [2, 0]
start = [5.0, 0.0]
stop = [10.0, 0.0]
categories = [[], [1, 2]]
[bootstrap]
replicas = 400
seed = 3
"""

N = 2000


def events_of(seed: int, first: int) -> dict:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(1.5, N)
    return {
        "x": rng.uniform(-1, 11, N),
        "w": rng.normal(0.7, 0.8, N),  # negative ones among them
        "kind": rng.integers(1, 4, N),
        "run": np.ones(N, np.uint32),
        "luminosityBlock": np.full(N, 7, np.uint32),
        "event": np.arange(first, first + N, dtype=np.uint64),
        "Jet": ak.unflatten(ak.zip({"pt": rng.exponential(60, counts.sum())}), counts),
    }


FILES = {"a": (1, 0), "b": (2, N), "c": (3, 0)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replicas")
    for name, (seed, first) in FILES.items():
        columns = events_of(seed, first)
        with uproot.recreate(folder / f"{name}.root") as file:
            kinds = {k: v.type if k == "Jet" else v.dtype for k, v in columns.items()}
            file.mktree("Events", kinds)
            file["Events"].extend(columns)
    (folder / "mine.py").write_text(CODE)
    (folder / "spec.toml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def spec(folder):
    return load_spec(folder / "spec.toml")


@pytest.fixture(scope="module")
def place(folder):
    with connect(load_site("serial"), data=str(folder), results=str(folder / "results")) as place:
        yield place


@pytest.fixture(scope="module")
def outcome(spec, place):
    return run(spec, place)


# draws


@pytest.fixture(scope="module")
def drawn():
    event = np.arange(40_000)
    return hep.bootstrap_weights(np.ones_like(event), event // 1000, event, sample="s", replicas=50)


def test_draws_are_poisson_numbers_of_mean_one(drawn):
    most = 7
    seen = np.bincount(np.minimum(drawn, most).ravel(), minlength=most + 1)
    p = [math.exp(-1) / math.factorial(k) for k in range(most)]
    expected = drawn.size * np.array([*p, 1 - sum(p)])
    distance = float(np.sum((seen - expected) ** 2 / expected))
    assert distance < chi2.isf(1e-4, most)
    assert drawn.max() <= 12


def test_draws_of_replicas_and_of_events_are_independent(drawn):
    numbers = drawn.astype(float) - 1
    between_replicas = numbers.T @ numbers / len(numbers)
    off = between_replicas[~np.eye(50, dtype=bool)] * math.sqrt(len(numbers))
    assert np.abs(off).max() < 5  # standard deviations; of 1225 pairs
    assert off.var() == pytest.approx(1, abs=0.1)
    neighbours = (numbers[1:] * numbers[:-1]).mean() * math.sqrt(numbers.size)
    assert abs(neighbours) < 4
    assert abs((numbers[2000:] * numbers[:-2000]).mean()) * math.sqrt(numbers.size) < 4


def test_a_draw_belongs_to_the_event_the_sample_and_the_seed(drawn):
    event = np.arange(40_000)
    some = event[[5, 39_999, 17]]

    def again(**changes):
        asked = {"sample": "s", "replicas": 50} | changes
        return hep.bootstrap_weights(np.ones(3, np.uint32), some // 1000, some, **asked)

    assert np.array_equal(again(), drawn[some])
    for fewer in (1, 7, 20):
        assert np.array_equal(again(replicas=fewer), drawn[some, :fewer])
    assert not np.array_equal(again(sample="t"), drawn[some])
    assert not np.array_equal(again(seed=2), drawn[some])
    other_run = hep.bootstrap_weights([2] * 3, some // 1000, some, sample="s", replicas=50)
    assert not np.array_equal(other_run, drawn[some])


def test_draws_are_the_same_on_every_machine():
    numbers = hep.bootstrap_weights([1, 1], [7, 7], [41, 42], sample="ttbar", replicas=12)
    assert numbers.tolist() == [
        [1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0],
        [2, 1, 1, 1, 2, 1, 0, 1, 1, 1, 2, 1],
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"replicas": 0}, "no whole number from 1"),
        ({"replicas": 2.5}, "no whole number from 1"),
        ({"replicas": True}, "no whole number from 1"),
        ({"seed": -1}, "no whole number from 0"),
        ({"event": [1.5, 2.5]}, "event is of type float64"),
        ({"event": [1]}, "differ in length"),
        ({"run": [[1], [1]]}, "run is of shape"),
        ({"event": [[1], [1, 2]]}, "event is not one number per event"),
        ({"event": ak.Array([1, None])}, "event is "),
        ({"event": np.ma.masked_array([1, 2], [0, 1])}, "event is missing in some events"),
        ({"event": [True, False]}, "event is of type bool"),
        ({"sample": None}, "None is no name of a sample"),
        ({"sample": 3}, "3 is no name of a sample"),
        ({"replicas": 10**12}, "no whole number from 1 to 10000"),
    ],
)
def test_absurd_draws_are_refused(changes, words):
    asked = {"run": [1, 1], "luminosity_block": [1, 1], "event": [1, 2]}
    asked |= {"sample": "s", "replicas": 2} | changes
    with pytest.raises((SpecError, DataError), match=words):
        hep.bootstrap_weights(**asked)


# filling


AXES = {
    "regular": HistogramSpec(bins=7, start=-1.0, stop=2.0),
    "edges": HistogramSpec(edges=(-1.0, 0.0, 0.1, 2.0)),
    "log": HistogramSpec(bins=5, start=0.1, stop=2.0, log=True),
    "integer": HistogramSpec(integer=True, start=-1.0, stop=2.0),
    "codes": HistogramSpec(categories=(2, -1, 5)),
    "text": HistogramSpec(categories=("c", "a")),
    "several": HistogramSpec(
        observable=("regular", "codes"),
        bins=(3, 0),
        start=(-1.0, 0.0),
        stop=(2.0, 0.0),
        categories=((), (2, -1)),
    ),
}


@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize("replicas", [2, 5])
def test_replicas_are_what_the_library_fills_with_the_drawn_weights(name, replicas):
    rng = np.random.default_rng(4)
    n, seen = 300, 200
    index = rng.integers(0, seen, n)  # some several times
    weights = rng.normal(0.5, 1, n)
    values = {
        "text": np.array(["a", "b", "c", "é"])[rng.integers(0, 4, n)],
        "codes": rng.integers(-2, 6, n),
    }
    plain = rng.normal(0.5, 1.5, n)
    spec = AXES[name]
    keys = event_keys(
        dict.fromkeys(("run", "luminosityBlock", "event"), np.arange(seen)), sample="s", seed=1
    )
    regions = {key: Observable(values.get(key, plain), weights, index) for key in spec.filled(name)}
    got = rounded(replicas_of(regions, {name: spec}, Resampling(keys, replicas, (name,)))[name])
    own = np.arange(seen)
    numbers = hep.bootstrap_weights(own, own, own, sample="s", replicas=replicas)
    observables = [regions[key] for key in spec.filled(name)]
    coordinates = binning.coordinates(spec.axes(name), observables)
    for replica in range(replicas):
        h = hist.Hist(*binning.axes_of(name, spec), storage=hist.storage.Double())
        h.fill(*coordinates, weight=weights * numbers[index, replica])
        np.testing.assert_allclose(got[..., replica], h.view(flow=True), rtol=1e-12, atol=1e-12)


def test_few_replicas_at_a_time_are_the_same(monkeypatch):
    from spectrum_workflows.hep.bootstrap import filling

    own = np.arange(100)
    keys = event_keys(dict.fromkeys(("run", "luminosityBlock", "event"), own), sample="s", seed=1)
    regions = {"x": Observable(own / 100, own - 20.0, own)}
    spec = {"x": HistogramSpec(bins=4, start=0.0, stop=1.0)}
    whole = rounded(replicas_of(regions, spec, Resampling(keys, 31, ("x",)))["x"])
    monkeypatch.setattr(filling, "BLOCK", 700)  # six at a time
    few = rounded(replicas_of(regions, spec, Resampling(keys, 31, ("x",)))["x"])
    assert np.array_equal(few, whole)


# covariance


def analytic(bins: dict[str, np.ndarray]) -> np.ndarray:
    """Covariance of bins by the weight that every event has in each of them."""
    every = np.concatenate([*bins.values()], axis=1)
    return every.T @ every


def weights_in_bins(names, files) -> dict[str, np.ndarray]:
    """By histogram: the weight of every event in every bin, shape (n_events, n_bins)."""
    out = {}
    for name in names:
        of_files = []
        for file in files:
            events = events_of(*FILES[file])
            x, w = events["x"], events["w"]
            if name == "jets":
                counts = np.asarray(ak.num(events["Jet"]))
                which, values = (
                    np.repeat(np.arange(N), counts),
                    ak.to_numpy(ak.flatten(events["Jet"].pt)),
                )
                edges = np.linspace(0, 200, 5)
            else:
                which = np.flatnonzero(x > (5 if name == "high" else 0))
                values, edges = x[which], np.linspace(0, 10, 6)
            matrix = np.zeros((N, len(edges) - 1))
            place = np.searchsorted(edges, values, side="right") - 1
            inside = (place >= 0) & (place < len(edges) - 1)
            np.add.at(matrix, (which[inside], place[inside]), w[which[inside]])
            of_files.append(matrix)
        out[name] = np.concatenate(of_files)
    return out


@pytest.mark.parametrize(("sample", "files"), [("one", "ab"), ("data", "c")])
def test_covariance_is_the_analytic_one(outcome, sample, files):
    """Of weights of both signs, shared events, and events that fill several entries.

    A covariance from R replicas has the variance (C_ii C_jj + C_ij²) / (R - 1): of 105 elements
    none is further than 4.5 of its standard deviations (1e-3 of such tests fail), and their mean
    square is 1 within a third, several times what it fluctuates by.
    """
    names = ["x", "high", "jets"]
    expected = analytic(weights_in_bins(names, files))
    found = hep.covariance(outcome.result, samples=sample, histograms=names)
    diagonal = np.diag(expected)
    errors = np.sqrt((np.outer(diagonal, diagonal) + expected**2) / (400 - 1))
    known = np.outer(diagonal > 0, diagonal > 0)
    pulls = (found.values - expected)[known] / errors[known]
    assert np.abs(pulls).max() < 4.5
    assert np.mean(pulls**2) == pytest.approx(1, abs=0.33)
    assert np.array_equal(found.values[~known], np.zeros(np.count_nonzero(~known)))
    shared = found.sel(bin="x/4", other_bin="high/4").item()
    assert shared == pytest.approx(found.sel(bin="x/4", other_bin="x/4").item())
    jets = found[found.histogram == "jets", found.other_histogram == "jets"]
    uncorrelated = outcome.result.histograms[sample, "jets"].variances()
    assert (np.diag(jets) > uncorrelated * 0.7).all()


def test_replicas_scatter_about_the_nominal(outcome):
    for (sample, name), array in outcome.result.replicas.items():
        h = outcome.result.histograms[sample, name]
        if name in ("mean", "jets"):
            continue
        errors = np.sqrt(h.variances(flow=True) / array.shape[-1])
        away = np.abs(array.mean(axis=-1) - h.values(flow=True))
        assert (away <= 4.5 * errors).all()


def test_means_of_a_profile_have_the_error_of_the_mean(outcome):
    positive = hep.covariance(outcome.result, samples="one", histograms="mean")
    assert positive.shape == (2, 2)
    events = [events_of(*FILES[file]) for file in "ab"]
    x, w = (np.concatenate([e[key] for e in events]) for key in ("x", "w"))
    for k, (low, high) in enumerate([(5, 7), (7, 10)]):
        own = (x > 5) & (x >= low) & (x < high)
        mean = np.sum(w[own] * x[own]) / np.sum(w[own])
        variance = np.sum((w[own] * (x[own] - mean)) ** 2) / np.sum(w[own]) ** 2
        assert positive.values[k, k] == pytest.approx(variance, rel=5 * math.sqrt(2 / 399))


def test_covariance_of_what_lies_outside_and_of_several_axes(outcome):
    both = hep.covariance(outcome.result, samples="one", histograms="both")
    assert both.bin.values.tolist() == ["both/0,0", "both/0,1", "both/1,0", "both/1,1"]
    flow = hep.covariance(outcome.result, samples="one", histograms=["both", "x"], flow=True)
    assert flow.shape == (12 + 7, 12 + 7)  # categories have no underflow
    names = flow.bin.values.tolist()
    assert names[:3] == ["both/-1,0", "both/-1,1", "both/-1,2"]
    assert names[-7:] == [f"x/{k}" for k in range(-1, 6)]
    some = both.bin.values
    assert np.array_equal(flow.sel(bin=some, other_bin=some), both)
    assert flow.attrs == {"replicas": 400, "samples": ["one"]}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"samples": "on"}, "did you mean one"),
        ({"samples": []}, "none is named"),
        ({"samples": ["one", "one"]}, "there twice"),
        ({"histograms": "hig"}, "did you mean high"),
        ({"histograms": ["x", "x"]}, "there twice"),
        ({"histograms": [3]}, "no replicas of the histogram 3"),
        ({"samples": 3}, "samples: 3 is no name"),
        ({"histograms": 3}, "histograms: 3 is no name"),
    ],
)
def test_covariance_of_what_is_not_there(outcome, asked, words):
    with pytest.raises(SpecError, match=words):
        hep.covariance(outcome.result, **asked)


# runs


def with_histograms(spec, *names):
    """The same with fewer histograms."""
    table = spec.model_dump(exclude_unset=True)
    table["histograms"] = {name: table["histograms"][name] for name in names}
    return load_spec_of(table, spec.folder)


def load_spec_of(table, folder):
    return HepSpec.model_validate(table | {"folder": folder})


@pytest.mark.parametrize("most", [130, 5000])
def test_however_events_are_cut_the_digest_is_the_same(spec, place, outcome, most):
    assert run(spec.changed(partition={"max_events": most}), place).digest == outcome.digest


def test_workers_give_the_same_bits(spec, folder, outcome, dask_client):
    plan = DOMAIN.plan(spec, str(folder))
    asked = {"client": dask_client, "on_error": "raise", "report": lambda *_: None}
    result, _ = DOMAIN.run(spec, plan, **asked)
    own = DOMAIN.arrays(outcome.result)
    assert all(np.array_equal(own[name], array) for name, array in DOMAIN.arrays(result).items())


def test_nothing_else_of_a_result_changes(spec, place, outcome):
    plain = run(spec.changed(bootstrap=None), place)
    with_replicas, without = DOMAIN.arrays(outcome.result), DOMAIN.arrays(plain.result)
    more = with_replicas.keys() - without.keys()
    assert more == {f"{s}/{h}/replicas" for s in ("one", "data") for h in spec.histograms}
    assert all(np.array_equal(with_replicas[name], array) for name, array in without.items())
    assert plain.result.replicas == {}
    assert "bootstrap" not in plain.summary
    with pytest.raises(SpecError, match=r"no replicas.*\[bootstrap\] with replicas = 100"):
        hep.covariance(plain.result)


@pytest.fixture(scope="module")
def saved(spec, place):
    """A run with two histograms, and the folder it was saved to."""
    outcome = run(with_histograms(spec, "high", "mean"), place)
    return outcome, save(outcome, place)


def test_a_saved_result_comes_back_to_the_bit(saved):
    outcome, folder = saved
    again = load(folder)
    assert again.digest == outcome.digest
    assert again.result.replicas.keys() == outcome.result.replicas.keys()
    for key, array in outcome.result.replicas.items():
        assert np.array_equal(again.result.replicas[key], array)
    assert again.summary["bootstrap"] == {"replicas": 400}


def test_replicas_are_in_the_files_for_others(saved):
    outcome, folder = saved
    replicas = outcome.result.replicas["one", "high"]
    with uproot.open(Path(folder) / "histograms.root") as file:
        assert np.array_equal(file["one/high_replicas"].values(flow=False), replicas[1:-1])
        means = file["one/mean_replicas"].values(flow=False).mean(axis=1)
    np.testing.assert_allclose(means, outcome.result.histograms["one", "mean"].values(), rtol=0.02)
    node = outcome.to_xarray()["high"]
    assert node["replicas"].dims == ("sample", "x", "replica")
    assert np.array_equal(node["replicas"].sel(sample="one").values, replicas[1:-1])


def test_the_picture(saved):
    outcome, folder = saved
    assert (Path(folder) / "bootstrap.png").stat().st_size > 10_000
    assert "bootstrap" in DOMAIN.shown(outcome.result)
    assert len(show(outcome, "bootstrap").axes) == 3  # simulation, data, and the colours
    with pytest.raises(SpecError, match="replicas is shown alone"):
        show(outcome, ["bootstrap", "high"])


def test_what_a_ledger_keeps_comes_back(spec, place):
    kept, workload = codec(spec), load_workload(spec)
    for item in DOMAIN.plan(spec, place.data).partitions[:2]:
        filled = fill(item, workload)
        back = kept.read(kept.write(filled, [item]), [item])
        assert back.replicas.keys() == filled.replicas.keys()
        assert all(np.array_equal(back.replicas[k], a) for k, a in filled.replicas.items())
        assert np.array_equal(back.lowest_keys[item.sample], filled.lowest_keys[item.sample])


def test_replicas_belong_to_the_question(spec):
    questions = [
        json.dumps(numbers(spec.changed(bootstrap=changed)), sort_keys=True)
        for changed in ({}, {"replicas": 401}, {"seed": 4}, {"histograms": ["x"]}, None)
    ]
    assert len({*questions}) == len(questions)


def test_only_some_histograms(spec, place, outcome):
    result = run(spec.changed(bootstrap={"histograms": ["jets", "x"]}), place).result
    assert result.replicas.keys() == {(s, h) for s in ("one", "data") for h in ("x", "jets")}
    for key, array in result.replicas.items():
        assert np.array_equal(array, outcome.result.replicas[key])


def test_a_skim_gives_the_same(spec, place, folder):
    few = with_histograms(spec, "x", "high")
    asked = few.changed(skim={"require": {"some": {"minimum": {"x": 0.0}}}})
    first, again = run(asked, place), run(asked.changed(cuts={"least": 1.0}), place)
    files = run(few.changed(cuts={"least": 1.0}), place)
    assert again.result.skimmed == 3 * N
    assert first.result.skimmed == 0
    key = ("one", "x")
    assert np.array_equal(again.result.replicas[key], files.result.replicas[key])


def test_eras_have_their_own_and_their_sum(spec, place):
    table = spec.model_dump(exclude_unset=True)
    for sample in table["samples"].values():
        sample.pop("files")
    own = {
        era: {"samples": {"one": {"files": [mc]}, "data": {"files": [data]}}}
        for era, mc, data in (("y17", "a.root", "c.root"), ("y18", "a.root", "b.root"))
    }
    result = run(load_spec_of(table | {"eras": own}, spec.folder), place).result
    y17, y18 = (result.eras[era].replicas["one", "x"] for era in own)
    assert not np.array_equal(y17, y18)  # the same numbers are other events in another era
    assert np.array_equal(result.replicas["one", "x"], y17 + y18)
    nominal = [result.eras[era].histograms["one", "x"].values() for era in own]
    assert np.array_equal(*nominal)
    shared = np.corrcoef(y17.sum(axis=0), y18.sum(axis=0))[0, 1]
    assert abs(shared) < 4 / math.sqrt(400)
    assert hep.covariance(result.eras["y17"]).shape == hep.covariance(result).shape


def test_a_saved_run_of_eras_comes_back(spec, place):
    table = with_histograms(spec, "x").model_dump(exclude_unset=True)
    for sample in table["samples"].values():
        sample.pop("files")
    samples = {"one": {"files": ["a.root"]}, "data": {"files": ["c.root"]}}
    others = samples | {"data": {"files": ["b.root"]}}
    own = {"y17": {"samples": samples, "cuts": {"least": 1.0}}, "y18": {"samples": others}}
    outcome = run(load_spec_of(table | {"eras": own, "cuts": {"least": 2.0}}, spec.folder), place)
    again = load(save(outcome, place))
    assert again.digest == outcome.digest
    for era, of in outcome.spec.era_specs.items():
        assert again.spec.era_specs[era].cuts == of.cuts
    everything = EraSpec(samples=samples)
    older = {n: getattr(everything, n) for n in EraSpec.model_fields}
    assert EraSpec.model_validate(older).model_fields_set == {"samples"}
    assert EraSpec(samples=samples, triggers=()).model_dump()["triggers"] == ()


def test_bins_of_profiles_that_are_empty_in_a_replica_are_told(spec, outcome):
    key = ("one", "mean")
    few = outcome.result.replicas[key].copy()
    few[1, :, 7] = 0.0
    result = replace(outcome.result, replicas={**outcome.result.replicas, key: few})
    with pytest.warns(UserWarning, match="1 bins of profiles are empty in some replica"):
        matrix = hep.covariance(result, samples="one", histograms="mean")
    assert np.isnan(matrix.values).tolist() == [[True, True], [True, False]]


def test_only_a_matrix_has_a_limit_of_bins(outcome, monkeypatch):
    monkeypatch.setattr("spectrum_workflows.hep.bootstrap.covariance.MOST_BINS", 4)
    with pytest.raises(SpecError, match="would have 5 bins, at most 4"):
        hep.covariance(outcome.result, histograms="x")
    assert outcome.to_xarray()["x"]["replicas"].shape == (2, 5, 400)


def test_columns_out_have_no_more_columns(spec, place):
    asked = spec.changed(columns_out={"columns": ["x"], "regions": ["high"]})
    outcome = run(asked, place)
    files = sorted(Path(outcome.result.columns.folder).rglob("*.parquet"))
    assert ak.from_parquet(files[0]).fields == ["x", "weight", "passed_high"]
    assert len(outcome.result.replicas) == 10


def test_normalised_as_the_histograms(spec, place, outcome):
    asked = spec.changed(
        normalisation="events",
        luminosity=10.0,
        samples={"one": {"cross_section": 3.0}},
    )
    result = run(asked, place).result
    factor = 30.0 / (2 * N)
    raw = outcome.result.replicas
    assert np.array_equal(result.replicas["one", "x"], raw["one", "x"] * factor)
    assert np.array_equal(result.replicas["data", "x"], raw["data", "x"])


def test_check_forecasts_their_memory(spec, place):
    largest = [
        check(spec.changed(bootstrap=changed), place).plan.largest_memory
        for changed in (None, {}, {"replicas": 10_000})
    ]
    assert largest[0] < largest[1] < largest[2]


def test_a_smaller_copy_keeps_the_numbers(spec):
    assert {"run?", "luminosityBlock?", "event?"} <= {*to_keep(spec)}


# what is refused


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"replicas": 0}, "bootstrap.replicas.*greater than or equal to 2"),
        ({"replicas": 1}, "bootstrap.replicas.*greater than or equal to 2"),
        ({"replicas": -1}, "bootstrap.replicas.*greater than or equal to 2"),
        ({"replicas": 1e9}, "bootstrap.replicas.*less than or equal to 10000"),
        ({"replicas": math.nan}, "bootstrap.replicas"),
        ({"replicas": math.inf}, "bootstrap.replicas"),
        ({"replicas": 2.5}, "bootstrap.replicas"),
        ({"replicas": True}, "bootstrap.replicas"),
        ({"replicas": "100"}, "bootstrap.replicas.*number, not text"),
        ({}, "replicas"),
        ({"replicas": 5, "seed": -1}, "bootstrap.seed"),
        ({"replicas": 5, "seed": 2**64}, "bootstrap.seed"),
        ({"replicas": 5, "replica": 4}, "replica"),
        ({"replicas": 5, "histograms": ["hig"]}, "did you mean high"),
        ({"replicas": 5, "histograms": ["x", "x"]}, "'x' is there twice"),
    ],
)
def test_absurd_tables_are_refused_in_a_line(folder, tmp_path, table, words):
    head = SPEC.partition("[bootstrap]")[0]
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    text = "\n".join(lines).replace("NaN", "nan").replace("Infinity", "inf")
    (tmp_path / "spec.toml").write_text(f"{head}[bootstrap]\n{text}\n")
    (tmp_path / "mine.py").write_text(CODE)
    with pytest.raises(SpecError, match=words) as error:
        load_spec(tmp_path / "spec.toml")
    assert "\n" not in str(error.value)


def test_more_numbers_than_a_result_can_hold(spec):
    wide = {"bins": 100_000, "start": 0.0, "stop": 1.0, "observable": "x"}
    with pytest.raises(SpecError, match="at most 10000000; ask for fewer, or name some"):
        spec.changed(histograms={"wide": wide})
    assert spec.changed(histograms={"wide": wide}, bootstrap={"histograms": ["x"]})


def test_an_event_number_that_stands_in_is_refused(spec):
    with pytest.raises(SpecError, match=r"fallbacks\.event would give all events one number"):
        spec.changed(fallbacks={"event": {"constant": 1}})
    assert spec.changed(fallbacks={"run": {"constant": 1}}).fallbacks["run"].constant == 1


def test_a_region_that_does_not_say_its_events(spec, place, tmp_path):
    code = CODE.replace("None, high)", "None)")
    (tmp_path / "mine.py").write_text(code)
    (tmp_path / "spec.toml").write_text(SPEC)
    with pytest.raises(SpecError, match="region 'ones' does not say which events.*index="):
        check(load_spec(tmp_path / "spec.toml"), place)


def written(path: Path, **changes) -> None:
    columns = events_of(1, 0)
    columns = {k: v for k, v in (columns | changes).items() if v is not None}
    with uproot.recreate(path) as file:
        file.mktree("Events", {k: v.type if k == "Jet" else v.dtype for k, v in columns.items()})
        file["Events"].extend(columns)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"event": np.ones(N, np.uint64)}, "events have the same run, luminosityBlock and event"),
        ({"event": np.linspace(0, 1, N)}, "event is of type float64"),
        ({"event": None}, "no branch 'event'"),
    ],
)
def test_files_whose_events_have_no_numbers_of_their_own(spec, tmp_path, changes, words):
    written(tmp_path / "a.root", **changes)
    one = spec.model_dump(exclude_unset=True)["samples"]["one"] | {"files": ["a.root"]}
    table = spec.model_dump(exclude_unset=True) | {"samples": {"one": one}}
    with (
        connect(load_site("serial"), data=str(tmp_path), results=str(tmp_path)) as place,
        pytest.raises(DataError, match=words),
    ):
        run(load_spec_of(table, spec.folder), place)


def test_files_that_repeat_numbers_are_told_of_however_they_are_cut(spec, tmp_path):
    written(tmp_path / "a.root")
    written(tmp_path / "b.root", x=events_of(9, 0)["x"])
    one = {"files": ["a.root", "b.root"]}
    table = spec.model_dump(exclude_unset=True) | {"samples": {"one": one}}
    for most in (150, 10_000):
        asked = load_spec_of(table | {"partition": {"max_events": most}}, spec.folder)
        with connect(load_site("serial"), data=str(tmp_path), results=str(tmp_path)) as place:
            outcome = run(asked, place)
        [line] = [w for w in outcome.warnings if "several events of one have the same run" in w]
        assert "covariances are too large" in line
        assert outcome.result.histograms["one", "x"].sum(flow=True).value > 0


def test_the_lowest_keys_do_not_depend_on_the_order():
    keys = event_keys(
        dict.fromkeys(("run", "luminosityBlock", "event"), np.arange(3000)), sample="s", seed=1
    )
    few = lowest_keys(keys)
    assert len(few) == FEWEST
    assert np.array_equal(few, np.sort(keys)[:FEWEST])
    assert np.array_equal(few, lowest_keys(np.random.default_rng(1).permutation(keys)))


def test_generated_files_of_a_sample_count_their_events_on(tmp_path):
    spec = load_spec("hep/quickstart")
    one = {"ttbar": {"files": ["x.root", "y.root"], "cross_section": 1.0}}
    table = spec.model_dump(exclude_unset=True) | {"samples": one}
    for url in make(HepSpec.model_validate(table), str(tmp_path), size=30, report=lambda *_: None):
        with uproot.open(url) as file:
            numbers = file["Events"]["event"].array(library="np")
        first = 16 if url.endswith("y.root") else 1
        assert numbers.tolist() == [*range(first, first + 15)]


def test_files_of_another_format_give_the_same(tmp_path):
    spec = load_spec("hep/dimuon")
    table = spec.model_dump(exclude_unset=True)
    table["samples"] = {"zmumu": {"files": ["zmumu.root"], "cross_section": 1.0}}
    table["histograms"] = {"z": table["histograms"]["z"] | {"fit": ""}}
    table |= {"bootstrap": {"replicas": 5}, "synthetic": {"events": 500, "precision": 12}}
    found = []
    for form in ("NanoAOD", "PHYSLITE"):
        (tmp_path / form).mkdir()
        own = HepSpec.model_validate(table | {"format": form})
        make(own, str(tmp_path / form), size=500, report=lambda *_: None)
        with connect(load_site("serial"), data=str(tmp_path / form)) as place:
            found.append(run(own, place).result.replicas["zmumu", "z"])
    assert found[0].sum() > 0
    assert np.array_equal(*found)
