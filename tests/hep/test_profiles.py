"""Profiles: means in bins of others, from sums that merge, in everything that a result becomes."""

from __future__ import annotations

import json
from itertools import pairwise

import hist
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import compare, connect, load, load_site, load_spec, run, save
from spectrum_workflows.domain import Panel
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import envelopes, histogram, library, plot, profiles, results, review
from spectrum_workflows.hep.exact.histograms import rounded
from spectrum_workflows.hep.fit.bands import band
from spectrum_workflows.hep.io import reading_back, write
from spectrum_workflows.hep.plot.projections import projected
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.weights import GeneratorWeightSpec
from spectrum_workflows.hep.types import Events, Filled, HepResult, Observable
from spectrum_workflows.hep.workflow.codec import codec
from spectrum_workflows.record import digest
from spectrum_workflows.specs import parse

from . import fills

pytestmark = pytest.mark.xdist_group("hep profiles")  # what they share is made once

N = 500
RNG = np.random.default_rng(23)
WEIGHTS = RNG.uniform(0.2, 2.0, N)
COLUMNS = {
    "x": RNG.uniform(-1, 6, N),
    "y": RNG.normal(0, 1, N),
    "w": RNG.choice(["ee", "mumu", "emu"], N),
    "n": RNG.integers(0, 4, N),
    "pt": RNG.exponential(30.0, N),
}
LINE = {"observable": "x", "edges": [0.0, 1.0, 2.0, 5.0], "label": "x [GeV]"}
KINDS = {
    "line": LINE | {"profile": "pt", "profile_label": "mean pt [GeV]"},
    "words": {"observable": "w", "categories": ["mumu", "ee"], "profile": "y"},
    "plane": {
        "observable": ["x", "w"],
        "edges": [[0.0, 2.0, 5.0], []],
        "categories": [[], ["mumu", "emu"]],
        "profile": "pt",
    },
    "cube": {
        "observable": ["x", "y", "n"],
        "bins": [3, 2, 0],
        "start": [0.0, -1.0, 0],
        "stop": [5.0, 1.0, 3],
        "integer": [False, False, True],
        "profile": "pt",
    },
    "four": {
        "observable": ["x", "y", "n", "w"],
        "bins": [2, 2, 0, 0],
        "start": [0.0, -1.0, 0, 0],
        "stop": [5.0, 1.0, 3, 0],
        "integer": [False, False, True, False],
        "categories": [[], [], [], ["ee"]],
        "profile": "pt",
    },
}


def spec(**changes: object) -> HepSpec:
    table = {
        "workflow": "hep",
        "name": "profiles",
        "select": "any.module:select",
        "columns": ["x"],
        "luminosity": 6.0,
        "variations": ["pt_up", "pt_down"],
        "samples": {
            "a": {"files": ["a.root"], "cross_section": 2.0},
            "b": {"files": ["b.root"], "cross_section": 3.0},
            "d": {"files": ["d.root"], "data": True},
        },
        "histograms": KINDS,
        **changes,
    }
    return parse(HepSpec, table, where="spec")


def filled(sample: str, part: slice, weights: np.ndarray = WEIGHTS) -> Filled:
    moved = {"pt_up": 1.1, "pt_down": 0.8}
    variations = [] if sample == "d" else list(moved)

    def observed(name: str) -> Observable:
        values, w = COLUMNS[name][part], weights[part]
        varied = {
            v: Observable(values * moved[v] if name == "pt" else values, w) for v in variations
        }
        return Observable(values, None if sample == "d" else w, variations=varied)

    return fills.filled(
        sample,
        {name: observed(name) for name in COLUMNS},
        spec().histograms,
        events=len(COLUMNS["x"][part]),
        variations=variations,
        titles=spec().titles,
    )


def direct(name: str, weights: np.ndarray, factor: float = 1.0) -> hist.Hist:
    """The profile that hist fills, on the axes of an empty one of ours."""
    described = spec().histograms[name]
    axes = histogram.empty(name, described).axes[:-1]
    h = hist.Hist(*axes, storage=hist.storage.WeightedMean())
    columns = [COLUMNS[axis.observable] for axis in described.axes(name)]
    return h.fill(*columns, weight=weights, sample=factor * COLUMNS[described.profile])


def total_of(cuts: list[int], sample: str = "a", weights: np.ndarray = WEIGHTS) -> Filled:
    parts = [filled(sample, slice(a, b), weights) for a, b in pairwise([0, *sorted(cuts), N])]
    total = parts[0]
    for part in parts[1:]:
        total = histogram.merge(total, part)
    return total


@pytest.fixture(scope="module")
def result() -> HepResult:
    total = histogram.merge(total_of([150, 320]), total_of([], "b"))
    return histogram.normalised(histogram.merge(total, total_of([200], "d")), spec())


def assert_same(ours: hist.Hist, theirs: hist.Hist, scale: float = 1.0) -> None:
    a, b = ours.view(flow=True), theirs.view(flow=True)
    for field, factor in zip(profiles.FIELDS, (scale, scale**2, 1.0, scale), strict=True):
        np.testing.assert_allclose(a[field], factor * b[field], rtol=1e-10, atol=1e-10)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, N), max_size=3))
def test_means_are_those_of_hist_for_every_partitioning(cuts: list[int]) -> None:
    total = total_of(cuts)
    for name in KINDS:
        ours = profiles.means_of(rounded(total.histograms["a", name]))
        assert_same(ours, direct(name, WEIGHTS))
    up = profiles.means_of(rounded(total.histograms["a", "line_pt_up"]))
    assert_same(up, direct("line", WEIGHTS, 1.1))


def test_scaling_leaves_means_and_spreads_and_scales_the_events(result) -> None:
    for name in KINDS:
        assert_same(result.histograms["a", name], direct(name, WEIGHTS), 2.0 * 6.0 / N)
        assert_same(result.histograms["d", name], direct(name, np.ones(N)))
    h, inside = result.histograms["d", "line"], (COLUMNS["x"] >= 1) & (COLUMNS["x"] < 2)
    pt = COLUMNS["pt"][inside]
    assert h.values()[1] == pytest.approx(pt.mean())
    assert profiles.spread(h)[1] == pytest.approx(pt.std(ddof=1))
    assert profiles.error_of_mean(h)[1] == pytest.approx(pt.std(ddof=1) / np.sqrt(len(pt)))
    assert profiles.effective(h)[1] == pytest.approx(len(pt))


def test_the_error_of_the_mean_covers_what_repetition_shows() -> None:
    rng = np.random.default_rng(4)
    means, errors = [], []
    for _ in range(400):
        w, v = rng.uniform(0.1, 3.0, 50), rng.normal(10.0, 2.0, 50)
        sums = profiles.empty_sums([hist.axis.Regular(1, 0, 1, name="x")], "p")
        h = profiles.means_of(profiles.fill_sums(sums, [np.full(50, 0.5)], v, w))
        means.append(h.values()[0])
        errors.append(profiles.error_of_mean(h)[0])
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.1)  # 3 standard deviations


def test_weights_of_either_sign_lose_nothing() -> None:
    """Running means divide by sums that may vanish on the way; sums do not."""
    axis = [hist.axis.Regular(2, 0, 2, name="x")]
    x, v = np.array([0.5, 0.5, 0.5, 1.5, 1.5]), np.array([3.0, 4.0, 5.0, 1.0, 2.0])
    w = np.array([1.0, -1.0, 2.0, 1.0, -1.0])
    h = profiles.means_of(profiles.fill_sums(profiles.empty_sums(axis, "p"), [x], v, w))
    assert h.values()[0] == (3.0 - 4.0 + 10.0) / 2.0
    assert np.isnan(h.values()[1])
    assert profiles.sums_of(h)[1].tolist() == [0, 6, 2, 0]
    empty = profiles.means_of(profiles.empty_sums(axis, "p"))
    assert profiles.arrays(empty)["means"].tolist() == [0, 0, 0, 0]
    assert np.isnan(profiles.error_of_mean(empty)).all()
    one = profiles.means_of(
        profiles.fill_sums(
            profiles.empty_sums(axis, "p"), [x[:1]], np.array([0.1]), np.array([0.3])
        )
    )
    assert (one.values()[0], np.isnan(profiles.error_of_mean(one)[0])) == (pytest.approx(0.1), True)


def test_saved_and_read_back_to_the_bit(result, tmp_path) -> None:
    for file, content in write.files(result):
        (tmp_path / file).write_bytes(content)
    arrays = histogram.arrays(result)
    assert arrays["a/cube/means"].shape == (5, 4, 5)
    assert digest(write.read(str(tmp_path))) == digest(arrays)
    described = json.loads((tmp_path / "histograms.json").read_bytes())["histograms"]
    assert described["line"]["profile"] == {"observable": "pt", "label": "mean pt [GeV]"}
    assert len(described["plane"]["axes"]) == 2
    again = reading_back.load(str(tmp_path), result.spec, results.summary(result))
    assert digest(histogram.arrays(again)) == digest(arrays)
    assert again.histograms == result.histograms


def test_root_has_profiles_of_one_to_three_axes(result, tmp_path) -> None:
    (tmp_path / "h.root").write_bytes(dict(write.files(result))["histograms.root"])
    names = {"line": "TProfile", "words": "TProfile", "plane": "TProfile2D", "cube": "TProfile3D"}
    with uproot.open(tmp_path / "h.root") as file:
        for name, kind in (names | {"four": "TProfile"}).items():
            ours, theirs = result.histograms["a", name], file[f"a/{name}"]
            assert theirs.classname == kind
            w, w2, wv, wv2 = profiles.sums_of(ours)
            pads = [(0 if axis.traits.ordered else 1, 0) for axis in ours.axes]
            w, w2, wv, wv2 = (np.pad(sums, pads) for sums in (w, w2, wv, wv2))
            if name == "four":
                w, w2, wv, wv2 = (np.pad(s[..., 1:].ravel(), 1) for s in (w, w2, wv, wv2))
            flat = {"fBinEntries": w, "fBinSumw2": w2, "fSumw2": wv2}
            for member, sums in flat.items():
                np.testing.assert_allclose(theirs.member(member), sums.T.ravel(), rtol=1e-12)
            contents = np.asarray(theirs.base(uproot.models.TArray.Model_TArray)[0])
            np.testing.assert_allclose(contents, wv.T.ravel(), rtol=1e-12, atol=1e-12)
            mean = theirs.values(flow=True)
            there = w != 0
            np.testing.assert_allclose(mean[there], (wv / np.where(there, w, 1))[there], rtol=1e-9)
        errors = file["a/line"].errors()
        biased = np.sqrt(1 - 1 / profiles.effective(result.histograms["a", "line"]))
        ours = profiles.error_of_mean(result.histograms["a", "line"])
        np.testing.assert_allclose(errors, ours * biased, rtol=1e-9)  # ROOT does not correct it
        assert file["a/words"].axis().labels() == ["mumu", "ee"]


def test_xarray_has_means_errors_and_spreads_and_the_table_the_events(result) -> None:
    tree = results.dataset(result)
    line, h = tree["line"], result.histograms["a", "line"]
    assert set(line.data_vars) == {"mean", "error", "spread", "effective_entries", "sum_of_weights"}
    np.testing.assert_array_equal(line["mean"][0], h.values())
    np.testing.assert_array_equal(line["error"][0], profiles.error_of_mean(h))
    assert line["x"].attrs["long_name"] == "x [GeV]"
    rows = {(row["sample"], row["histogram"]): row for row in results.table(result)}
    assert rows["a", "line"]["yield"] == pytest.approx(12.0 / N * WEIGHTS.sum())
    error = 12.0 / N * np.sqrt((WEIGHTS**2).sum())
    assert rows["a", "line"]["error"] == pytest.approx(error)


def test_pictures_show_means_with_the_band_of_all_simulation(result) -> None:
    found = band(result, "line")
    both = profiles.added([result.histograms[s, "line"] for s in ("a", "b")])
    np.testing.assert_allclose(found.total, both.values())
    shifts = np.abs(np.array([0.1, -0.2])[:, None] * both.values())
    statistics = profiles.error_of_mean(both)
    np.testing.assert_allclose(found.up, np.hypot(statistics, shifts[0]), rtol=1e-9)
    np.testing.assert_allclose(found.down, np.hypot(statistics, shifts[1]), rtol=1e-9)
    for name, figure in plot.pictures(result):
        figure.canvas.draw()
        if name == "line.png":
            main, below = figure.axes
            assert main.get_ylabel() == "mean pt [GeV]"
            assert below.get_ylabel() == "data / sim."
    one = projected(result, "cube", 2)
    flat = profiles.projected(result.histograms["a", "cube"], 2)
    assert one.histograms["a", "cube"] == flat
    inside = COLUMNS["n"] == 1
    w, pt = WEIGHTS[inside], COLUMNS["pt"][inside]
    assert flat.values()[1] == pytest.approx((w * pt).sum() / w.sum())
    assert review.warnings(result) == ()
    with pytest.raises(SpecError, match="is a profile; what is explored"):
        results.explore(result, "line")


def test_a_ledger_keeps_the_sums() -> None:
    items = [Events("a", "a.root", "Events", 0, N, "", 0)]
    part, kept = filled("a", slice(0, N)), codec(spec())
    again = kept.read(kept.write(part, items), items)
    assert again.histograms.keys() == part.histograms.keys()
    for name, h in part.histograms.items():
        assert rounded(again.histograms[name]) == rounded(h)


def test_envelopes_are_of_means() -> None:
    members = [
        profiles.means_of(rounded(total_of([], weights=w).histograms["a", "line"]))
        for w in (
            WEIGHTS,
            WEIGHTS * (1 + 0.01 * COLUMNS["pt"]),
            WEIGHTS / (1 + 0.01 * COLUMNS["pt"]),
        )
    ]
    described = GeneratorWeightSpec(column="W", kind="envelope", members=(0, 1))
    up, down = envelopes.up_and_down(members[0], members[1:], described)
    np.testing.assert_array_equal(up.values(), members[1].values())
    np.testing.assert_array_equal(down.values(), members[2].values())
    np.testing.assert_array_equal(up.view()["sum_of_weights"], members[0].view()["sum_of_weights"])


def test_two_runs_compare_by_their_largest_mean() -> None:
    a = histogram.normalised(total_of([100, 400]), spec())
    b = histogram.normalised(total_of([]), spec())
    ours, theirs = histogram.arrays(a), histogram.arrays(b)
    for name, array in ours.items():
        found = histogram.deviation(name, array, theirs[name])
        assert found.found <= found.allowed, name
    moved = theirs["a/line/means"] * (1 + 1e-10)
    found = histogram.deviation("a/line/means", ours["a/line/means"], moved)
    assert found.found > found.allowed


def test_nothing_is_fitted_to_means() -> None:
    with pytest.raises(SpecError, match="'line' is a profile, of means; a region has events"):
        spec(fit={"signal": "a", "regions": ["line"]})
    h = direct("line", WEIGHTS)
    with pytest.raises(DataError, match="a profile holds means"):
        library.workspace({("a", "r"): h, ("data", "r"): h}, signal="a")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"profile_label": "y"}, "no meaning without profile"),
        ({"profile": "y", "fit": "z"}, "fit needs a histogram of events"),
        ({"profile": "y", "marks": {"a": 1.0}}, "marks needs a histogram of events"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        spec(histograms={"h": LINE | changes})


def test_the_quantity_is_of_the_same_events_and_finite() -> None:
    asked = {"line": spec().histograms["line"]}
    x = Observable(COLUMNS["x"])
    for pt, message in (
        (Observable(COLUMNS["pt"][1:]), "differ in their values"),
        (Observable(COLUMNS["pt"], WEIGHTS), "differ in their weights"),
        (Observable(COLUMNS["pt"] * 1e200), "beyond 1e\\+100"),
        (Observable(COLUMNS["w"]), "holds text"),
        (Observable(np.full(N, np.nan)), "not finite"),
    ):
        with pytest.raises(DataError, match=message):
            fills.filled("a", {"x": x, "pt": pt}, asked, events=N)
    with pytest.raises(SpecError, match="no region 'pt'"):
        fills.filled("a", {"x": x}, asked, events=N)


def test_a_spread_that_rounding_makes_is_said() -> None:
    asked = {"line": spec().histograms["line"]}
    small = spec(histograms={"line": KINDS["line"]}, variations=[])
    for offset, n in ((0.0, 0), (3e7, 1)):
        observed = {"x": COLUMNS["x"], "pt": COLUMNS["pt"] + offset}
        total = fills.filled("a", observed, asked, events=N)
        lines = [w for w in review.warnings(histogram.normalised(total, small)) if "digits" in w]
        assert len(lines) == n


def test_a_mean_that_is_not_known_is_in_no_sum_and_no_sample_without_numbers_is() -> None:
    axis = [hist.axis.Regular(1, 0, 1, name="x")]

    def of(values: list[float], weights: list[float]) -> hist.Hist:
        sums, at = profiles.empty_sums(axis, "p"), [np.full(len(values), 0.5)]
        return profiles.means_of(profiles.fill_sums(sums, at, np.array(values), np.array(weights)))

    one, cancelled = of([1.0, 3.0], [1.0, 1.0]), of([1.0, 5.0], [1.0, -1.0])
    assert np.isnan(profiles.added([one, cancelled]).values()[0])
    assert profiles.added([one, profiles.scaled(one, np.nan)]).values()[0] == 2.0
    assert profiles.added([one, of([5.0], [2.0])]).values()[0] == 3.5


def test_one_scale_is_for_what_has_one_unit(result) -> None:
    panels = [Panel(name, result, name) for name in ("line", "words", "line")]
    figure = results.show(panels, region=None, common=True)
    one, two, three = (axes.get_ylim() for axes in figure.axes[:3])
    assert one == three != two


CODE = """
import numpy as np
from spectrum_workflows import hep


def select(events, *, variations=()):
    n, ht = np.asarray(events.nJet), np.asarray(events.HT)
    flavour = np.where(np.asarray(events.muon) == 1, "muon", "electron")
    def cuts(ht):
        return hep.EventCuts({"jets": n >= 2}, {"HT": ht, "n": n, "flavour": flavour})
    varied = {name: cuts(ht * 1.2) for name in variations}
    nominal = cuts(ht)
    return hep.EventCuts(nominal.passed, nominal.observables, variations=varied)
"""

TOML = """
workflow = "hep"
name = "axes"
select = "mine.py:select"
columns = ["nJet", "HT", "muon"]
normalisation = "genweight"
luminosity = 10.0
variations = ["ht_up"]
[samples.signal]
files = ["a.root"]
cross_section = 3.0
[regions.two]
cuts = ["jets"]
[histograms.cube]
region = "two"
observable = ["HT", "n", "flavour"]
edges = [[0.0, 50.0, 100.0, 400.0], [], []]
integer = [false, true, false]
start = [0, 2, 0]
stop = [0, 8, 0]
bins = 0
categories = [[], [], ["electron", "muon"]]
label = ["HT [GeV]", "jets", "flavour"]
[histograms.mean]
region = "two"
observable = "n"
integer = true
start = 2
stop = 8
profile = "HT"
profile_label = "mean HT [GeV]"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("axes"), np.random.default_rng(8)
    columns = {
        "nJet": rng.poisson(4, 900),
        "HT": rng.exponential(100, 900),
        "muon": rng.integers(0, 2, 900),
        "genWeight": rng.choice([1.5, -0.5], 900, p=[0.8, 0.2]),
    }
    with uproot.recreate(folder / "a.root") as file:
        file["Events"] = columns
        file["Runs"] = {"genEventSumw": np.array([columns["genWeight"].sum()])}
    (folder / "mine.py").write_text(CODE)
    (folder / "spec.toml").write_text(TOML)
    return folder, columns


def test_a_run_over_files_has_what_hist_fills_whatever_the_partitions(folder) -> None:
    path, columns = folder
    asked = load_spec(path / "spec.toml")
    saved = []
    with connect(load_site("serial"), data=str(path), results=str(path / "results")) as place:
        for most in (900, 130):
            outcome = run(asked.changed(partition={"max_events": most}), place)
            saved.append(save(outcome, place))
    keep = columns["nJet"] >= 2
    n, w = columns["nJet"][keep].astype(np.int32), columns["genWeight"][keep]
    words = np.where(columns["muon"][keep] == 1, "muon", "electron")
    scale = 30.0 / columns["genWeight"].sum()
    for title, ht in (("", columns["HT"][keep]), ("_ht_up", 1.2 * columns["HT"][keep])):
        cube = hist.Hist(
            hist.axis.Variable([0, 50, 100, 400], name="x"),
            hist.axis.Integer(2, 8, name="y"),
            hist.axis.StrCategory(["electron", "muon"], name="z", overflow=True),
            storage=hist.storage.Weight(),
        ).fill(ht, n, words, weight=w)
        ours = outcome.result.histograms["signal", f"cube{title}"].view(flow=True)
        theirs = cube.view(flow=True)
        np.testing.assert_allclose(ours.value, scale * theirs.value, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(ours.variance, scale**2 * theirs.variance, rtol=1e-12)
        mean = outcome.result.histograms["signal", f"mean{title}"]
        for k, jets in enumerate(range(2, 8)):
            own, v = w[n == jets], ht[n == jets]
            assert mean.values()[k] == pytest.approx((own * v).sum() / own.sum(), rel=1e-10)
            assert mean.view()["sum_of_weights"][k] == pytest.approx(scale * own.sum())
    for other in saved[1:]:
        assert compare(saved[0], other).verdict in ("identical", "equivalent")
    again = load(saved[0])
    assert "mean" in again.to_xarray()
    assert digest(histogram.arrays(again.result)) == again.digest
