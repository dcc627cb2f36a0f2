"""Files of a run: their names, what they are recognised by, what they lack, what they stand for."""

import json
import os
import shutil

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrum_workflows import load_spec, storage
from spectrum_workflows.domain import fraction_done
from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.io import rootfile, runs
from spectrum_workflows.hep.plan import cache
from spectrum_workflows.hep.plan.patterns import matching_files
from spectrum_workflows.hep.select.preparing import beginning
from spectrum_workflows.record import digest

QUIET = {"report": lambda *_: None}

SPEC = """
workflow = "hep"
name = "files"
select = "mine.py:select"
columns = ["x"]
normalisation = "none"
[samples.s]
files = ["a.root"]
[histograms.h]
bins = 4
start = 0.0
stop = 100.0
"""

SELECT = """
import numpy as np
from spectrum_workflows.hep.types import Observable

def select(events):
    return {"h": Observable(np.asarray(events.x), index=np.arange(len(events)))}
"""


def write(path, n=10, *, runs=None, **columns):
    """A file with n events, and what its Runs tree says."""
    branches = {"x": np.arange(n, dtype=np.float32), **columns}
    types = {k: v.dtype for k, v in branches.items()}
    with uproot.recreate(path) as file:
        file.mktree("Events", types).extend(branches) if n else file.mktree("Events", types)
        if runs is not None:
            rows = len(next(iter(runs.values())))
            file["Runs"] = {"run": np.ones(rows, np.uint32)} | {
                k: np.asarray(v) for k, v in runs.items()
            }


def sums(weights, count, squares=None, end=""):
    found = {f"genEventSumw{end}": [float(weights)], f"genEventCount{end}": [count]}
    return found | ({} if squares is None else {f"genEventSumw2{end}": [float(squares)]})


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "mine.py").write_text(SELECT)
    (tmp_path / "mine.toml").write_text(SPEC)
    rootfile.close_all()
    return load_spec(tmp_path / "mine.toml")


@pytest.fixture
def simulated(spec):
    """Normalised by generator weights to a luminosity of 1/pb."""
    sample = {"cross_section": 1.0, "files": ["a.root", "b.root"]}
    return spec.changed(normalisation="genweight", luminosity=1.0, samples={"s": sample})


def of(spec, *files, **more):
    return spec.changed(samples={"s": {"files": list(files)} | more})


def run(spec, data, on_error="raise", client=None, **options):
    plan = DOMAIN.plan(spec, str(data), on_error=on_error, client=client, **options)
    result, metrics = DOMAIN.run(spec, plan, client=client, on_error=on_error, **QUIET)
    return plan, result, metrics


def ones(n):
    return np.ones(n, np.float32)


class TestNormalisation:
    @pytest.mark.parametrize("events", [(), (10, 0)], ids=["opened", "counted"])
    @pytest.mark.parametrize("end", ["", "_"])
    @pytest.mark.parametrize("workers", [False, True], ids=["here", "workers"])
    def test_a_file_without_events_counts_with_its_sum(
        self, simulated, tmp_path, events, end, workers, request
    ):
        write(tmp_path / "a.root", 10, genWeight=ones(10), runs=sums(1000, 1000, end=end))
        write(tmp_path / "b.root", 0, genWeight=ones(0), runs=sums(3000, 3000, end=end))
        client = request.getfixturevalue("dask_client") if workers else None
        spec = simulated.changed(samples={"s": {"events": list(events)}})
        plan, result, _ = run(spec, tmp_path, client=client)
        assert result.weights["s"] == 1 / 4000
        assert result.missing == ()
        assert f"{tmp_path}/b.root has no events" in plan.warnings

    def test_a_file_without_events_or_branches_counts_too(self, simulated, tmp_path):
        write(tmp_path / "a.root", 10, genWeight=ones(10), runs=sums(1000, 1000))
        with uproot.recreate(tmp_path / "b.root") as file:
            file.mktree("Events", {"other": np.int32})
            file["Runs"] = sums(1000, 1000)
        assert run(simulated, tmp_path)[1].weights["s"] == 1 / 2000

    def test_a_glance_at_an_empty_file_says_nothing_of_the_others(self, simulated, tmp_path):
        write(tmp_path / "b.root", 10, genWeight=ones(10), runs=sums(-1, 10))
        write(tmp_path / "a.root", 0, genWeight=ones(0), runs=sums(0, 0))
        assert DOMAIN.plan(simulated, str(tmp_path), preflight=True).size == 0
        with pytest.raises(DataError, match="sum of generator weights is -1"):
            DOMAIN.plan(simulated, str(tmp_path))

    @pytest.mark.parametrize("events", [(), (10, 10)])
    def test_events_beside_an_empty_runs_tree_are_refused(self, simulated, tmp_path, events):
        write(tmp_path / "a.root", 10, genWeight=ones(10), runs=sums(1000, 1000))
        none = {"genEventSumw": np.zeros(0), "genEventCount": np.zeros(0, np.int64)}
        write(tmp_path / "b.root", 10, genWeight=ones(10), runs=none)
        spec = simulated.changed(samples={"s": {"events": list(events)}})
        with pytest.raises(DataError, match="b.root: has 10 events, but its Runs tree is empty"):
            run(spec, tmp_path)

    def test_several_runs_are_summed(self, simulated, tmp_path):
        runs = {"genEventSumw": [10.0, 20.0, 30.0], "genEventCount": [10, 20, 30]}
        write(tmp_path / "a.root", 10, genWeight=ones(10), runs=runs)
        assert run(of(simulated, "a.root"), tmp_path)[1].weights["s"] == 1 / 60

    def test_a_file_without_sums_is_named(self, simulated, tmp_path):
        write(tmp_path / "a.root", 10, genWeight=ones(10), runs=sums(1000, 1000))
        write(tmp_path / "b.root", 10, genWeight=ones(10))
        for events in ((), (10, 10)):
            spec = simulated.changed(samples={"s": {"events": list(events)}})
            with pytest.raises(DataError, match=r"b.root: no Runs tree with genEventSumw"):
                run(spec, tmp_path)

    @pytest.mark.parametrize("counted", [False, True])
    @pytest.mark.parametrize("total", [0.0, -5.0, float("nan"), float("inf")])
    def test_a_sum_that_cannot_be_one_is_refused_before_the_run(
        self, simulated, tmp_path, total, counted
    ):
        write(tmp_path / "a.root", 10, genWeight=ones(10), runs=sums(total, 10))
        spec = of(simulated, "a.root", **({"events": [10]} if counted else {}))
        where = "samples.s" if np.isfinite(total) else "a.root"
        with pytest.raises(DataError, match=f"{where}: .*sum of generator weights is"):
            DOMAIN.plan(spec, str(tmp_path))

    def test_sums_that_are_one_only_one_by_one_are_refused_before_the_run(
        self, simulated, tmp_path
    ):
        for name in ("a.root", "b.root"):
            write(tmp_path / name, 10, genWeight=ones(10), runs=sums(1.5e308, 10))
        with pytest.raises(DataError, match="samples.s: the sum of generator weights is inf"):
            DOMAIN.plan(simulated, str(tmp_path))

    def test_a_wrong_count_is_found_before_the_run_where_files_are_opened(
        self, simulated, tmp_path
    ):
        for name in ("a.root", "b.root"):
            write(tmp_path / name, 10, genWeight=ones(10), runs=sums(10, 10))
        spec = simulated.changed(samples={"s": {"events": [10, 7]}})
        with pytest.raises(DataError, match="b.root: has 10 events, not 7 as was said"):
            DOMAIN.plan(spec, str(tmp_path))
        plan, result, _ = run(spec, tmp_path, on_error="keep")
        assert [f.where for f in plan.failures] == [f"{tmp_path}/b.root"]
        assert result.weights["s"] == 1 / 10

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_a_weight_that_cannot_be_loses_its_partition_and_its_share(
        self, simulated, tmp_path, bad
    ):
        weights = ones(10)
        weights[6] = bad
        write(tmp_path / "a.root", 10, genWeight=weights, runs=sums(1000, 1000))
        write(tmp_path / "b.root", 10, genWeight=ones(10), runs=sums(3000, 3000))
        spec = simulated.changed(partition={"max_events": 4})  # 0 to 3, 3 to 6, 6 to 10
        with pytest.raises(DataError, match=f"a.root .*genWeight is {bad} in entry 6,.*leave it"):
            run(spec, tmp_path)
        plan, result, metrics = run(spec, tmp_path, on_error="keep")
        [failure] = metrics.failures
        assert "genWeight" in failure.error
        assert "entry 6, which cannot be; copy the file again, or leave it out" in failure.error
        read = 20 - failure.size
        assert fraction_done(plan, metrics.failures) == read / 20
        assert result.events == {"s": read}
        expected = 1 / (1000 * (10 - failure.size) / 10 + 3000)
        assert result.weights["s"] == pytest.approx(expected, rel=1e-15)
        inside = result.histograms["s", "h"].sum(flow=True).value
        assert inside == pytest.approx(read * expected, rel=1e-12)
        assert result.missing == (f"s: {10 - failure.size} of 10 events of {tmp_path}/a.root",)

    def test_what_is_left_may_have_no_usable_sum_and_the_rest_is_kept(self, simulated, tmp_path):
        weights = ones(10)
        weights[3] = np.nan
        write(tmp_path / "a.root", 10, genWeight=weights, runs=sums(1000, 1000))
        write(tmp_path / "b.root", 10, genWeight=ones(10), runs=sums(-5, 10))
        write(tmp_path / "c.root", 10, genWeight=ones(10), runs=sums(10, 10))
        samples = {"s": {}, "t": {"files": ["c.root"], "cross_section": 1.0}}
        _, result, _ = run(simulated.changed(samples=samples), tmp_path, on_error="keep")
        assert np.isnan(result.weights["s"])
        assert result.weights["t"] == 1 / 10
        assert result.histograms["t", "h"].sum(flow=True).value == 1
        said = DOMAIN.warnings(result)
        words = "samples.s: the sum of generator weights of what was read is -5"
        assert any(words in line for line in said)
        assert "histogram h: not finite in s" in said
        assert dict(DOMAIN.files(result))

    def test_a_sample_of_which_no_event_passed_is_empty_not_refused(self, simulated, tmp_path):
        write(tmp_path / "a.root", 10, genWeight=ones(10), runs=sums(10, 10))
        write(tmp_path / "b.root", 0, genWeight=ones(0), runs=sums(500, 500))
        samples = {"s": {"files": ["a.root"]}, "qcd": {"files": ["b.root"], "cross_section": 9.0}}
        for events in ([], [0]):
            samples["qcd"]["events"] = events
            _, result, _ = run(simulated.changed(samples=samples), tmp_path)
            assert result.events == {"s": 10, "qcd": 0}
            assert result.weights == {"s": 0.1, "qcd": 9 / 500}
            assert result.histograms["qcd", "h"].sum().value == 0

    def test_what_is_lost_is_lost_with_its_weights(self, simulated, tmp_path):
        write(tmp_path / "a.root", 10, genWeight=ones(10), runs=sums(1000, 1000))
        write(tmp_path / "b.root", 10, genWeight=ones(10), runs=sums(3000, 3000))
        write(tmp_path / "c.root", 0, genWeight=ones(0), runs=sums(500, 500))
        spec = of(simulated, "a.root", "b.root", "c.root")
        (tmp_path / "b.root").write_bytes((tmp_path / "b.root").read_bytes()[:400])
        plan, result, _ = run(spec, tmp_path, on_error="keep")
        assert result.weights["s"] == 1 / 1500
        assert [f.where for f in plan.failures] == [f"{tmp_path}/b.root"]
        assert result.missing == (f"nothing of {tmp_path}/b.root",)

    def test_by_events_a_skim_is_warned_of_with_the_file_s_own_number(self, simulated, tmp_path):
        write(tmp_path / "a.root", 10, runs=sums(500, 500, 500))
        write(tmp_path / "b.root", 30, runs=sums(30, 30, 30))
        spec = simulated.changed(normalisation="events")
        plan, result, _ = run(spec, tmp_path)
        [said] = [w for w in plan.warnings if "generated" in w]
        assert "40 events in its files, but their Runs trees count 530" in said
        assert "a.root: 10 of 500" in said
        assert "13.2 times too high" in said
        assert result.weights["s"] == 1 / 40
        whole, _, _ = run(of(spec, "b.root"), tmp_path)
        said = "runs the code in mine.py on every worker; it was imported here"
        assert whole.warnings == (said,)
        counted, _, _ = run(of(spec, "a.root", events=[10]), tmp_path)
        assert any("nobody looked" in w for w in counted.warnings)

    @pytest.mark.parametrize("squares", [None, 10.0])
    def test_by_events_negative_weights_are_named(self, simulated, tmp_path, squares):
        weights = np.where(np.arange(10) < 3, -1, 1).astype(np.float32)
        write(tmp_path / "a.root", 10, genWeight=weights, runs=sums(4, 10, squares))
        spec = of(simulated.changed(normalisation="events"), "a.root")
        said = DOMAIN.plan(spec, str(tmp_path)).warnings[0]
        assert "of which 30 % are negative" in said
        write(tmp_path / "a.root", 10, genWeight=weights)
        rootfile.close_all()
        assert "of which 30 % are negative" in DOMAIN.plan(spec, str(tmp_path)).warnings[0]

    @pytest.mark.parametrize("size", [1.0, 250.0])
    def test_by_events_a_skim_that_tells_its_sum_of_weights_only_is_warned_of(
        self, simulated, tmp_path, size
    ):
        spec = of(simulated.changed(normalisation="events"), "a.root")
        runs = {"genEventSumw": np.array([500 * size])}
        write(tmp_path / "a.root", 10, genWeight=size * ones(10), runs=runs)
        [said, _] = DOMAIN.plan(spec, str(tmp_path)).warnings
        assert f"a sum of weights of {500 * size:g}, its events about {10 * size:g}" in said
        runs = {"genEventSumw": np.array([10 * size])}
        write(tmp_path / "a.root", 10, genWeight=size * ones(10), runs=runs)
        rootfile.close_all()
        assert len(DOMAIN.plan(spec, str(tmp_path)).warnings) == 1

    def test_equal_weights_of_any_size_are_no_news(self, simulated, tmp_path):
        w = 17_432.123
        write(tmp_path / "a.root", 10, genWeight=ones(10), runs=sums(10 * w, 10, 10 * w * w))
        spec = of(simulated.changed(normalisation="events"), "a.root")
        assert len(DOMAIN.plan(spec, str(tmp_path)).warnings) == 1

    def test_more_events_than_were_generated_are_warned_of(self, simulated, tmp_path):
        write(tmp_path / "a.root", 10, genWeight=ones(10), runs=sums(5, 5, 5))
        said = DOMAIN.plan(of(simulated, "a.root"), str(tmp_path)).warnings
        assert any("has 10 events, but its Runs tree counts 5 generated" in w for w in said)

    def test_a_runs_that_is_no_tree_says_nothing(self, tmp_path):
        write(tmp_path / "a.root", 3)
        with uproot.update(tmp_path / "a.root") as file:
            file["Runs"] = np.histogram([1.0])
        assert (
            runs.read_generated(rootfile.open_tree(f"{tmp_path}/a.root", "Events")).weights is None
        )


class TestNothingTwice:
    ROUTES = ("./a.root", "folder/../a.root", "link.root", "hard.root", "copy.root", "ABSOLUTE")

    @pytest.fixture
    def routes(self, tmp_path):
        write(tmp_path / "a.root", 10)
        (tmp_path / "folder").mkdir()
        (tmp_path / "link.root").symlink_to(tmp_path / "a.root")
        os.link(tmp_path / "a.root", tmp_path / "hard.root")
        shutil.copyfile(tmp_path / "a.root", tmp_path / "copy.root")
        return tmp_path

    @pytest.mark.parametrize("route", ROUTES)
    @pytest.mark.parametrize("counted", [False, True])
    def test_in_one_sample(self, spec, routes, route, counted):
        name = f"{routes}/a.root" if route == "ABSOLUTE" else route
        events = {"events": [10, 10]} if counted else {}
        for data in (False, True):
            with pytest.raises(DataError, match="the same file is listed twice.*list it once"):
                run(of(spec, "a.root", name, data=data, **events), routes)

    @pytest.mark.parametrize("counted", [(False, False), (True, True), (True, False)])
    @pytest.mark.parametrize("other", ["a.root", "copy.root"])
    def test_in_two_samples(self, spec, routes, counted, other):
        events = [{"events": [10]} if known else {} for known in counted]
        for data in (True, False):
            samples = {
                "s": {"data": True} | events[0],
                "t": {"files": [other], "data": data} | events[1],
            }
            with pytest.raises(DataError, match="the same file is in two samples, s and t"):
                run(spec.changed(samples=samples), routes)
        samples = {"s": events[0], "t": {"files": [other], "varies": "s"} | events[1]}
        plan, result, _ = run(spec.changed(samples=samples), routes)
        said = {*plan.warnings, *DOMAIN.warnings(result)}
        assert any("s and t have the same events" in w for w in said)
        assert result.events == {"s": 10, "t": 10}

    def test_on_workers(self, spec, routes, dask_client):
        counted = of(spec, "a.root", "copy.root", events=[10, 10])
        with pytest.raises(DataError, match="the same file is listed twice"):
            run(counted, routes, client=dask_client)

    @pytest.mark.parametrize("form", ["tree", "rntuple"])
    @pytest.mark.parametrize("same", [True, False])
    def test_a_copy_that_was_written_anew_is_warned_of(self, spec, tmp_path, form, same):
        x = np.random.default_rng(1).uniform(0, 100, 300)
        y = x if same else x[::-1]
        with uproot.recreate(tmp_path / "a.root") as file:
            file["Events"] = {"x": x}
        with uproot.recreate(tmp_path / "b.root", compression=uproot.ZSTD(3)) as file:
            if form == "tree":
                file["Events"] = {"x": y[:200]}  # a skim begins alike
            else:
                file.mkrntuple("Events", {"x": y})
        of_two = of(spec, "a.root", "b.root").changed(partition={"max_events": 100})
        _, result, _ = run(of_two, tmp_path)
        said = [w for w in DOMAIN.warnings(result) if "begin with the same events" in w]
        names = f"{tmp_path}/a.root and {tmp_path}/b.root begin with the same events"
        assert [w[: len(names)] for w in said] == [names] * same

    def test_a_variation_may_be_simulated_from_the_same_events(self, spec, tmp_path):
        x = np.random.default_rng(1).uniform(0, 100, 300)
        for name, numbers in (("a.root", x), ("b.root", x[:200])):
            with uproot.recreate(tmp_path / name) as file:
                file["Events"] = {"x": numbers}
        samples = {"s": {"files": ["a.root"]}, "t": {"files": ["b.root"]}}
        for varies, warned in (({}, 1), ({"varies": "s"}, 0)):
            both = spec.changed(samples={**samples, "t": samples["t"] | varies})
            _, result, _ = run(both, tmp_path)
            warnings = [w for w in DOMAIN.warnings(result) if "begin with the same" in w]
            assert len(warnings) == warned

    def test_events_that_repeat_themselves_are_no_copies(self, spec, tmp_path):
        for name in ("a.root", "b.root"):
            with uproot.recreate(tmp_path / name) as file:
                file["Events"] = {"x": np.zeros(300)}
        _, result, _ = run(of(spec, "a.root", "b.root"), tmp_path)
        assert not [w for w in DOMAIN.warnings(result) if "begin with" in w]

    def test_numbers_of_events_begin_alike_in_different_samples(self):
        """As those of simulation do; the first column with a fraction decides."""
        number, low, high = np.arange(1, 61), np.linspace(0, 1, 60), np.linspace(1, 2, 60)
        one, another = (ak.Array({"event": number, "pt": pt}) for pt in (low, high))
        assert beginning(one)
        assert beginning(one) != beginning(another)
        assert not beginning(one[["event"]])

    def test_columns_of_any_type_have_a_beginning_or_none(self):
        odd = {"s": "a", "r": {"x": 1, "y": "z"}, "o": None, "l": [["a"]], "e": []}
        events = ak.Array([{**odd, "x": float(k), "t": f"a{k}"} for k in range(60)])
        assert [bool(beginning(events[[name]])) for name in events.fields] == [
            *[False] * 5,
            *(True, False),
        ]
        assert not beginning(events[["x"]][:49])
        assert beginning(events[["x"]][:50]) == beginning(events[["x"]])

    def test_one_uuid_for_different_files_is_none_for_both(self, spec, tmp_path):
        import uuid

        for k, name in enumerate(("a.root", "b.root")):
            with uproot.recreate(
                tmp_path / name, uuid_function=lambda: uuid.UUID(int=7), compression=None
            ) as file:
                file["Events"] = {"x": np.full(1000, k, np.float32)}
        assert (tmp_path / "a.root").stat().st_size == (tmp_path / "b.root").stat().st_size
        plan, result, _ = run(of(spec, "a.root", "b.root"), tmp_path)
        assert result.events == {"s": 2000}
        assert any("have the same UUID" in w for w in plan.warnings)

    def test_a_counted_file_that_changes_while_it_is_read_is_noticed(self, spec, tmp_path):
        write(tmp_path / "a.root", 10)
        (tmp_path / "mine.py").write_text(
            "import pathlib, shutil\n"
            f"here = pathlib.Path({str(tmp_path)!r})\n"
            "def select(events):\n"
            "    later = 4 in list(events.x)  # the first are tried before the run begins\n"
            "    if later and (here / 'b.root').exists():\n"
            "        (here / 'b.root').replace(here / 'a.root')\n"
            "    return {'h': events.x}\n"
        )
        write(tmp_path / "b.root", 10)
        spec = of(spec, "a.root", events=[10]).changed(partition={"max_events": 4})
        with pytest.raises(DataError, match="changed while the run read it"):
            run(spec, tmp_path)


DAMAGE = {
    "missing": None,
    "empty": b"",
    "not a root file": b"hello, world" * 100,
    "header only": b"root" + bytes(40),
}


class TestKeep:
    @pytest.mark.parametrize("damage", DAMAGE)
    @pytest.mark.parametrize("first", [True, False])
    def test_what_cannot_be_looked_into_is_listed(self, spec, tmp_path, damage, first):
        write(tmp_path / "a.root", 10)
        if DAMAGE[damage] is not None:
            (tmp_path / "bad.root").write_bytes(DAMAGE[damage])
        names = ("bad.root", "a.root") if first else ("a.root", "bad.root")
        with pytest.raises((DataError, DataNotFoundError)):
            DOMAIN.plan(of(spec, *names), str(tmp_path))
        plan, result, _ = run(of(spec, *names), tmp_path, on_error="keep")
        uncounted = [(f"{tmp_path}/bad.root", 0)]
        assert [(f.where, f.size) for f in plan.failures] == uncounted
        assert result.events == {"s": 10}
        assert result.missing == (f"nothing of {tmp_path}/bad.root",)

    def test_a_file_without_the_tree_or_a_column(self, spec, tmp_path):
        write(tmp_path / "a.root", 10)
        with uproot.recreate(tmp_path / "b.root") as file:
            file["Other"] = {"x": np.ones(3)}
        with uproot.recreate(tmp_path / "c.root") as file:
            file["Events"] = {"y": np.ones(3)}
        plan, result, _ = run(of(spec, "b.root", "c.root", "a.root"), tmp_path, on_error="keep")
        assert [f.where[-6:] for f in plan.failures] == ["b.root", "c.root"]
        assert result.events == {"s": 10}

    def test_every_file_failing_is_an_error(self, spec, tmp_path):
        with pytest.raises(DataError, match=r"no file could be planned: .*a.root: no such file"):
            DOMAIN.plan(of(spec, "a.root", "b.root"), str(tmp_path), on_error="keep")

    def test_a_misspelt_name_in_the_selection_is_found_on_the_next_file(self, spec, tmp_path):
        write(tmp_path / "b.root", 10)
        (tmp_path / "mine.py").write_text("def select(events):\n    return {'h': events.y}\n")
        with pytest.raises(DataError, match="asks for what is not read"):
            DOMAIN.plan(of(spec, "a.root", "b.root"), str(tmp_path), on_error="keep")

    def test_on_workers(self, spec, tmp_path, dask_client):
        write(tmp_path / "a.root", 10)
        names = [f"{k}.root" for k in range(5)]
        plan, result, _ = run(
            of(spec, *names, "a.root"), tmp_path, on_error="keep", client=dask_client
        )
        assert [f.where[-6:] for f in plan.failures] == names
        assert result.events == {"s": 10}


class TestAbsent:
    def bits(self, *fired):
        return np.array(fired, np.bool_)

    @pytest.mark.parametrize("counted", [False, True])
    def test_triggers(self, spec, tmp_path, counted):
        write(tmp_path / "a.root", 4, A=self.bits(1, 0, 1, 0))
        write(tmp_path / "b.root", 4, B=self.bits(1, 1, 1, 0))
        write(tmp_path / "c.root", 4)
        events = {"events": [4, 4, 4]} if counted else {}
        both = of(spec, "a.root", "b.root", "c.root", **events)
        with pytest.raises(DataError, match=r'path = "[AB]", absent = false'):
            run(both.changed(triggers=["A", {"path": "B", "absent": False}]), tmp_path)
        triggers = [{"path": name, "absent": False} for name in "AB"]
        plan, result, _ = run(both.changed(triggers=triggers), tmp_path)
        assert result.counts == {"h": 5}
        assert result.events == {"s": 12}
        said = DOMAIN.warnings(result) if counted else plan.warnings
        assert any("A is absent, taken as false in 2 of 3 files" in w for w in said)
        assert any("c.root has none of the triggers" in w for w in said)

    @pytest.mark.parametrize("kind", ["float", "jagged"])
    def test_a_trigger_of_another_type_is_refused_before_the_run(self, spec, tmp_path, kind):
        bits = np.ones(4, np.float32) if kind == "float" else ak.Array([[True]] * 4)
        with uproot.recreate(tmp_path / "a.root") as file:
            file["Events"] = {"x": np.arange(4.0), "A": bits}
        with pytest.raises(DataError, match="a.root: A is (of type|not one number)"):
            DOMAIN.plan(of(spec, "a.root").changed(triggers=["A"]), str(tmp_path))

    def test_a_trigger_can_be_absent_but_not_true_there(self, spec):
        with pytest.raises(SpecError, match="triggers"):
            spec.changed(triggers=[{"path": "A", "absent": True}])

    def test_triggers_cuts_luminosity_and_columns_of_a_sample(self, spec, tmp_path):
        write(tmp_path / "a.root", 4, A=self.bits(1, 0, 1, 1), y=np.arange(4.0))
        write(tmp_path / "b.root", 4)
        (tmp_path / "mine.py").write_text(
            "def select(events, *, least=0.0, sample, is_data=None):\n"
            "    assert (sample, is_data) in [('s', False), ('t', True)], (sample, is_data)\n"
            "    assert ('y' in events.fields) == (sample == 's')\n"
            "    return {'h': events.x[events.x >= least]}\n"
        )
        samples = {
            "s": {
                "cuts": {"least": 2.0},
                "triggers": ["A"],
                "columns": ["y"],
                "luminosity": 8.0,
                "cross_section": 1.0,
            },
            "t": {"files": ["b.root"], "data": True},
        }
        spec = spec.changed(samples=samples, normalisation="events", luminosity=2.0)
        _, result, _ = run(spec, tmp_path)
        assert result.selected == {("s", "h"): 2, ("t", "h"): 4}
        assert result.weights == {"s": 2.0, "t": 1.0}
        with pytest.raises(SpecError, match="unknown cut 'leasst'.*did you mean least"):
            DOMAIN.plan(spec.changed(samples={"t": {"cuts": {"leasst": 1}}}), str(tmp_path))

    @pytest.mark.parametrize(
        ("constant", "kind"),
        [(2.5, "float64"), (3, "int64"), (True, "bool"), ([1.0, 2.0], "list"), ([], "list")],
    )
    def test_a_constant_stands_in_in_some_files(self, spec, tmp_path, constant, kind):
        write(tmp_path / "a.root", 3)
        write(tmp_path / "b.root", 3)
        (tmp_path / "mine.py").write_text(
            "def select(events):\n"
            f"    assert events.y.tolist() == [{constant!r}] * len(events), events.y\n"
            f"    assert {kind!r} == 'list' or str(events.y.type.content) == {kind!r}\n"
            "    return {'h': events.x}\n"
        )
        fallbacks = {"y": {"constant": constant}}
        spec = spec.changed(columns=["x", "y"], fallbacks=fallbacks)
        plan, result, _ = run(of(spec, "a.root", "b.root"), tmp_path)
        assert result.counts == {"h": 6}
        assert "y is absent, the constant" in plan.warnings[0]

    def test_a_constant_may_differ_from_file_to_file(self, spec, tmp_path):
        write(tmp_path / "a.root", 3, y=np.array([5.0, 6.0, 7.0]))
        write(tmp_path / "b.root", 3)
        (tmp_path / "mine.py").write_text("def select(events):\n    return {'h': events.y}\n")
        spec = spec.changed(columns=["x", "y"], fallbacks={"y": {"constant": 50.0}})
        for events in ({}, {"events": [3, 3]}):
            _, result, _ = run(of(spec, "a.root", "b.root", **events), tmp_path)
            assert result.histograms["s", "h"].values().tolist() == [3, 0, 3, 0]
        cuts = {"y": {"constant": 50.0, "cuts": {}}}
        assert run(of(spec.changed(fallbacks=cuts), "a.root", "b.root"), tmp_path)[1].counts

    def test_only_constants_are_read(self, spec, tmp_path):
        write(tmp_path / "a.root", 3)
        (tmp_path / "mine.py").write_text("def select(events):\n    return {'h': events.y}\n")
        spec = spec.changed(columns=["y"], fallbacks={"y": {"constant": 1.0}})
        assert run(spec, tmp_path)[1].counts == {"h": 3}

    @pytest.mark.parametrize(
        "fallback", [{"constant": 1, "column": "z"}, {"constant": 10**30}, {"constant": "text"}]
    )
    def test_what_is_no_constant_is_refused(self, spec, fallback):
        with pytest.raises(SpecError, match="fallbacks"):
            spec.changed(columns=["x", "y"], fallbacks={"y": fallback})


class TestNames:
    @pytest.mark.parametrize("root", ["root://HOST", "root://HOST/", "root://HOST//"])
    @pytest.mark.parametrize("name", ["store/mc/a.root", "/store/mc/a.root"])
    def test_names_of_das_below_a_redirector(self, root, name):
        assert storage.below(root, name) == "root://HOST//store/mc/a.root"

    @pytest.mark.parametrize(
        ("root", "name", "url"),
        [
            ("root://h:1094//eos", "a.root", "root://h:1094//eos/a.root"),
            ("root://h//eos/", "/store/a.root", "root://h//eos/store/a.root"),
            ("root://h/eos", "a.root", "root://h//eos/a.root"),
            ("root://h", "root://other/store/a.root", "root://other//store/a.root"),
            ("root://h", "file:///d/a.root", "file:///d/a.root"),
            ("/data", "/store/a.root", "/store/a.root"),
            ("s3://b/p", "a.root", "s3://b/p/a.root"),
        ],
    )
    def test_names_below_other_roots(self, root, name, url):
        assert storage.below(root, name) == url

    def test_patterns_are_sorted_and_leave_out_what_is_hidden(self, spec, tmp_path):
        for name in ("b.root", "a.root", "a.txt", ".c.root"):
            (tmp_path / "x[1]").mkdir(exist_ok=True)
            write(tmp_path / "x[1]" / name, 3)
        (tmp_path / "x[1]" / "folder.root").mkdir()
        plan = DOMAIN.plan(of(spec, "*.root"), f"{tmp_path}/x[1]")
        assert [p.url[-6:] for p in plan.partitions] == ["a.root", "b.root"]
        assert matching_files(f"{tmp_path}/x*/[ab].root") == matching_files(f"{tmp_path}/x*/?.root")
        with pytest.raises(DataNotFoundError, match="no file fits this pattern"):
            DOMAIN.plan(of(spec, "c*.root"), str(tmp_path))
        with pytest.raises(DataError, match=r"cannot hold \*\*"):
            DOMAIN.plan(of(spec, "**/a.root"), str(tmp_path))
        closed = "https://127.0.0.1:1"
        impatient = storage.Stores(((closed, (("patience", 0.2),)),))
        with (
            storage.using(impatient),
            pytest.raises(DataError, match="a pattern needs a store that can list"),
        ):
            DOMAIN.plan(of(spec, f"{closed}/*.root"), str(tmp_path))
        with pytest.raises(DataError, match="the same file is listed twice"):
            DOMAIN.plan(of(spec, "*.root", "b.root"), f"{tmp_path}/x[1]")

    def test_a_file_of_that_very_name_is_no_pattern(self, spec, tmp_path):
        write(tmp_path / "a[1].root", 3)
        write(tmp_path / "a1.root", 5)
        assert DOMAIN.plan(of(spec, "a[1].root"), str(tmp_path)).size == 3

    def test_lists_of_names(self, spec, tmp_path):
        for name in ("a", "b", "c"):
            write(tmp_path / f"{name}.root", 3)
        text = "\ufeff# names\r\nb.root\r\n\r\n  a.root   # the other\r\nc*.root\r\n"
        (tmp_path / "list.txt").write_text(text)
        plan = DOMAIN.plan(of(spec, "@list.txt"), str(tmp_path))
        assert [p.url[-6:] for p in plan.partitions] == ["b.root", "a.root", "c.root"]
        assert dict(plan.inputs)["list.txt"].startswith("sha256 ")
        counted = of(spec, "@list.txt", events=[3, 3, 3])
        assert DOMAIN.plan(counted, str(tmp_path)).size == 9
        with pytest.raises(SpecError, match="events has 2 numbers for 3 files"):
            DOMAIN.plan(of(spec, "@list.txt", events=[3, 3]), str(tmp_path))
        with pytest.raises(DataNotFoundError, match="other.txt"):
            DOMAIN.plan(of(spec, "@other.txt"), str(tmp_path))

    @pytest.mark.parametrize(
        "content", [b"", b"# nothing\n", b"\xff\xfe\n", b"a\0b\n", b"@a\n", b'{"s": {}}']
    )
    def test_what_is_no_list_is_refused(self, spec, tmp_path, content):
        (tmp_path / "list.txt").write_bytes(content)
        with pytest.raises(SpecError, match="list"):
            DOMAIN.plan(of(spec, "@list.txt"), str(tmp_path))


POISON = {
    "twice": {"cut": [[0, 7], [0, 7], [7, 14], [14, 20]]},
    "gap": {"cut": [[0, 7], [14, 20]]},
    "less": {"cut": [], "entries": 0},
    "too large": {"cut": [[0, 20]]},
    "another size": {"nbytes": 3},
    "negative": {"memory": -1},
    "no number": {"entries": "20"},
    "form": {"form": "{}"},
    "stands in": {"fallbacks_used": ["x"]},
    "elsewhere": {"url": "b.root"},
}


class TestKnown:
    """Findings kept for the next plan cannot change a result."""

    @pytest.fixture
    def four(self, spec, tmp_path):
        for k in range(4):
            write(tmp_path / f"{k}.root", 20 + k)
        names = [f"{k}.root" for k in range(4)]
        return of(spec, *names).changed(partition={"max_events": 7})

    @pytest.fixture
    def known(self, four, tmp_path):
        plan = DOMAIN.plan(four, str(tmp_path), known=f"{tmp_path}/known")
        [path] = (tmp_path / "known" / cache.FOLDER).iterdir()
        return plan, path

    def test_one_byte_changed_anywhere_is_found_anew(self, four, known, tmp_path):
        plan, path = known
        whole = path.read_bytes()
        rng = np.random.default_rng(1)
        for at in rng.choice(len(whole), 60, replace=False):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << rng.integers(7)
            path.write_bytes(damaged)
            assert DOMAIN.plan(four, str(tmp_path), known=f"{tmp_path}/known") == plan

    @pytest.mark.parametrize("poison", POISON)
    def test_a_well_formed_entry_with_its_hash_changes_no_result(
        self, four, known, tmp_path, poison
    ):
        plan, path = known
        result, _ = DOMAIN.run(four, plan, client=None, on_error="raise", **QUIET)
        content = json.loads(path.read_bytes())
        key = next(iter(content["files"]))
        entry = json.loads(content["files"][key][1]) | POISON[poison]
        text = json.dumps(entry)
        content["files"][key] = [cache._hash(key + text), text]
        path.write_text(json.dumps(content))
        again = DOMAIN.plan(four, str(tmp_path), known=f"{tmp_path}/known")
        if poison == "less":  # it could be true of some file; who opens this one knows better
            with pytest.raises(DataError, match="not 0 as was said"):
                DOMAIN.run(four, again, client=None, on_error="raise", **QUIET)
            return
        found, _ = DOMAIN.run(four, again, client=None, on_error="raise", **QUIET)
        assert digest(DOMAIN.arrays(found)) == digest(DOMAIN.arrays(result))
        assert again == plan
