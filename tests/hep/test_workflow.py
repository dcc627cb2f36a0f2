"""Plan, run and save on generated events, serial and on workers."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import uproot

from spectrum_workflows.errors import DataError, DataNotFoundError, PartitionError, SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.record import digest
from spectrum_workflows.specs import parse

pytestmark = pytest.mark.xdist_group("hep workflow")  # what they share is made once


def run(spec, data, client=None, on_error="raise"):
    plan = DOMAIN.plan(spec, str(data))
    seen = []
    result, metrics = DOMAIN.run(
        spec, plan, client=client, on_error=on_error, report=lambda *a: seen.append(a)
    )
    assert seen[-1] == ("select", len(plan.partitions), len(plan.partitions))
    return plan, result, metrics


@pytest.fixture(scope="module")
def outcome(ttbar_spec, generated):
    return run(ttbar_spec.changed(partition={"max_events": 420}), generated)


def test_the_plan_cuts_at_clusters_and_knows_the_bytes(outcome):
    plan, _, metrics = outcome
    assert len(plan.partitions) == 21
    assert plan.size == 8400
    assert all(p.start % 200 == 0 and p.size == 400 for p in plan.partitions)
    assert 0.9 * plan.bytes_to_read < metrics.bytes_read < 1.2 * plan.bytes_to_read
    assert "ttbar.root (Events entries 0 to 400)" in plan.partitions[0].where


def test_the_generated_top_peak_is_where_it_should_be(outcome):
    _, result, _ = outcome
    summary = DOMAIN.summary(result)
    assert summary["counts"]["4j2b"] > 1500
    assert summary["fit"]["4j2b"]["mass"] == pytest.approx(173.0, abs=5.0)
    assert summary["samples"]["ttbar"]["events"] == 8400
    json.dumps(summary, allow_nan=False)


def test_serial_and_workers_give_identical_arrays(outcome, ttbar_spec, generated, dask_client):
    _, serial, _ = outcome
    spec = ttbar_spec.changed(partition={"max_events": 420})
    _, parallel, metrics = run(spec, generated, client=dask_client)
    assert digest(DOMAIN.arrays(parallel)) == digest(DOMAIN.arrays(serial))
    assert not metrics.failures


def test_the_partition_size_does_not_change_the_result(outcome, ttbar_spec, generated):
    _, reference, _ = outcome
    for most in (100_000, 137):
        _, result, _ = run(ttbar_spec.changed(partition={"max_events": most}), generated)
        assert digest(DOMAIN.arrays(result)) == digest(DOMAIN.arrays(reference))


def test_saved_results_read_back_to_the_same_bits(outcome, tmp_path):
    _, result, _ = outcome
    names = []
    for name, content in DOMAIN.files(result):
        (tmp_path / name).write_bytes(content)
        names.append(name)
    assert names == ["histograms.json", "histograms.root"]
    arrays, back = DOMAIN.arrays(result), DOMAIN.read(str(tmp_path))
    assert digest(back) == digest(arrays)
    assert list(back) == list(arrays)
    with uproot.open(tmp_path / "histograms.root") as file:
        h = file["ttbar/4j2b"]
        assert np.array_equal(h.values(flow=True), arrays["ttbar/4j2b/values"])
        assert np.array_equal(h.variances(flow=True), arrays["ttbar/4j2b/variances"])
        assert np.array_equal(h.axis().edges(), np.linspace(50, 550, 51))
        assert h.axis().all_members["fTitle"] == "m(bjj) [GeV]"


def drawn(result):
    """Every picture as it would be saved."""
    found = {}
    for name, figure in DOMAIN.pictures(result):
        figure.savefig(buffer := io.BytesIO(), format="png")
        found[name] = buffer.getvalue()
    return found


def test_there_is_a_picture_of_every_histogram(outcome):
    _, result, _ = outcome
    first = drawn(result)
    assert list(first) == ["4j1b.png", "4j2b.png"]
    assert all(len(content) > 10_000 for content in first.values())
    assert drawn(result) == first


def test_saving_twice_gives_the_same_json(outcome):
    _, result, _ = outcome
    first, second = dict(DOMAIN.files(result)), dict(DOMAIN.files(result))
    assert {n for n in first if first[n] != second[n]} <= {"histograms.root"}  # holds the time


def test_data_is_never_weighted(ttbar_spec, generated, tmp_path):
    code = "import numpy as np\nfrom spectrum_workflows.hep.types import Observable\n"
    code += "def select(events, **cuts):\n    n = len(events)\n"
    code += "    return {'4j1b': Observable(np.ones(n), np.full(n, 2.0)), '4j2b': np.ones(n)}\n"
    (tmp_path / "mine.py").write_text(code)
    names = list(ttbar_spec.samples)
    spec = ttbar_spec.changed(
        select="mine.py:select", folder=str(tmp_path), samples={names[0]: {"data": True}}
    )
    plan = DOMAIN.plan(spec, str(generated))
    with pytest.raises(SpecError, match=f"weights region '4j1b' of '{names[0]}', which is data"):
        DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)


def test_reading_a_folder_without_or_with_a_foreign_result(tmp_path):
    with pytest.raises(DataNotFoundError, match="histograms.json: no such file"):
        DOMAIN.read(str(tmp_path))
    (tmp_path / "histograms.json").write_text("[]")
    with pytest.raises(DataError, match="not a saved result"):
        DOMAIN.read(str(tmp_path))


def test_the_figure_has_a_panel_per_histogram_with_units_and_processes(outcome):
    _, result, _ = outcome
    figure = DOMAIN.plot(result)
    labels = [(a.get_xlabel(), a.get_ylabel()) for a in figure.axes]
    assert labels == [("$H_T$ [GeV]", "Events / 20 GeV"), ("m(bjj) [GeV]", "Events / 10 GeV")]
    legend = [t.get_text() for t in figure.axes[1].get_legend().get_texts()]
    assert "tt̄" in legend
    assert any("fit: m = " in t for t in legend)


def test_a_lost_partition_stops_the_run_or_is_a_value(ttbar_spec, generated, tmp_path):
    """Baskets are damaged after the headers that planning reads."""
    with uproot.open(generated / "ttbar.root") as file:
        branch = file["Events"]["Jet_phi"]
        at, nbytes = branch.member("fBasketSeek")[7], branch.basket_compressed_bytes(7)
    content = bytearray((generated / "ttbar.root").read_bytes())
    content[at : at + nbytes] = bytes(nbytes)
    (tmp_path / "ttbar.root").write_bytes(content)
    spec = ttbar_spec.changed(partition={"max_events": 200})
    with pytest.raises(DataError, match=r"Events entries 1400 to 1600.*damaged"):
        run(spec, tmp_path)
    _, result, metrics = run(spec, tmp_path, on_error="keep")
    (failure,) = metrics.failures
    assert failure.size == 200
    assert "1400 to 1600" in failure.where
    assert result.events == {"ttbar": 8200}
    assert result.weights["ttbar"] == pytest.approx(211.7 * 3378.0 / 8200)


def test_a_run_that_loses_everything_says_why(generated, tmp_path, ttbar_spec):
    (tmp_path / "bad.py").write_text(
        "def select(events):\n"
        "    if len(events): raise ValueError('my mistake')\n"
        "    return {'4j1b': [], '4j2b': []}\n"
    )
    spec = ttbar_spec.changed(select="bad.py:select", folder=str(tmp_path), cuts={}).model_copy(
        update={"cuts": {}}
    )
    with pytest.raises(DataError, match=r"no partition could be computed .*my mistake"):
        run(spec, generated, on_error="keep")
    with pytest.raises(PartitionError, match=r"ttbar.root \(Events .*ValueError: my mistake"):
        run(spec, generated)


def plan_error(spec, data, kind, said):
    with pytest.raises(kind, match=said) as error:
        DOMAIN.plan(spec, str(data))
    assert "\n" not in str(error.value)


def test_planning_refuses_what_could_not_work(ttbar_spec, generated, tmp_path):
    columns = ttbar_spec.columns
    bad_cut = ttbar_spec.changed(cuts={"jet_pt": -30.0})
    plan_error(bad_cut, generated, SpecError, "cuts.jet_pt: -30 is negative")
    fewer = ttbar_spec.changed(columns=columns[1:])
    plan_error(
        fewer, generated, DataError, r"not read \(.*no field 'Electron_pt'.*add it to columns"
    )
    plan_error(ttbar_spec.changed(tree="Evts"), generated, DataError, "did you mean Events")
    plan_error(ttbar_spec, tmp_path, DataNotFoundError, r"ttbar.root: no such file")
    extra = ttbar_spec.changed(histograms={"4j3b": {"bins": 2, "start": 0.0, "stop": 1.0}})
    plan_error(extra, generated, SpecError, "no region '4j3b'.*did you mean")
    twice = ttbar_spec.changed(samples={"ttbar": {"files": ["ttbar.root", "ttbar.root"]}})
    plan_error(twice, generated, DataError, "listed twice")


def test_a_sample_without_events_is_refused_and_an_empty_file_beside_others_is_warned_of(
    ttbar_spec, generated, tmp_path
):
    with uproot.open(generated / "ttbar.root") as file:
        sample = file["Events"].arrays(list(ttbar_spec.columns), entry_stop=1, how=dict)
    with uproot.recreate(tmp_path / "none.root") as file:
        file.mktree("Events", {name: array.type.content for name, array in sample.items()})
    none = ttbar_spec.changed(samples={"ttbar": {"files": ["none.root"]}})
    plan_error(none, tmp_path, DataError, "none.root: no events; leave sample 'ttbar' out")
    files = [str(tmp_path / "none.root"), str(generated / "ttbar.root")]
    plan = DOMAIN.plan(ttbar_spec.changed(samples={"ttbar": {"files": files}}), "")
    assert plan.size == 8400
    assert plan.warnings[0] == f"{files[0]} has no events"
    assert [p.size for p in plan.partitions][:1] == [0]  # somebody must see what it stands for


def test_the_plan_says_that_a_spec_brings_its_own_code(ttbar_spec, generated, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import awkward as ak\n"
        "def select(events, *, most=3):\n"
        "    n = ak.num(events.Jet_pt)\n"
        "    return {'njet': n[n < most]}\n"
    )
    spec = ttbar_spec.model_copy(
        update={
            "select": "mine.py:select",
            "folder": str(tmp_path),
            "cuts": {"most": 5},
            "columns": ("Jet_pt",),
            "histograms": {"njet": ttbar_spec.histograms["4j1b"]},
        }
    )
    plan, result, _ = run(spec, generated)
    assert plan.warnings[-1] == "runs the code in mine.py on every worker; it was imported here"
    with uproot.open(generated / "ttbar.root") as file:
        n = file["Events"]["nJet"].array(library="np")
    assert result.counts == {"njet": int(np.sum(n < 5))}


def test_what_a_worker_imports_is_light():
    code = (
        "import sys, spectrum_workflows.hep, spectrum_workflows.hep.analyses.ttbar\n"
        "heavy = {'matplotlib', 'mplhep', 'scipy.optimize', 'distributed', 'IPython'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_selection_that_cannot_stand_no_events_is_warned_of_and_still_runs(
    ttbar_spec, generated, tmp_path
):
    (tmp_path / "mine.py").write_text(
        "import awkward as ak\n"
        "import numpy as np\n"
        "def select(events):\n"
        "    pt = ak.to_numpy(ak.max(events.Jet_pt, axis=1, mask_identity=False))\n"
        "    return {'pt': np.minimum(pt, pt[0])}\n"
    )
    changes = {"select": "mine.py:select", "folder": str(tmp_path), "cuts": {}}
    axis = {"pt": ttbar_spec.histograms["4j1b"]}
    spec = ttbar_spec.model_copy(update=changes | {"columns": ("Jet_pt",), "histograms": axis})
    plan, result, _ = run(spec, generated)
    assert (
        "could not be rehearsed on no events (mine.py, line 5, in select: IndexError"
        in plan.warnings[1]
    )
    assert result.counts == {"pt": 8400}


def test_an_edited_selection_is_another_run_with_another_answer(
    ttbar_spec, generated, tmp_path, dask_client
):
    """The code travels by value and its hash is in the plan: live workers take the new one."""
    axis = {"pt": ttbar_spec.histograms["4j1b"]}
    changes = {"select": "mine.py:select", "folder": str(tmp_path), "cuts": {}}
    spec = ttbar_spec.model_copy(update=changes | {"columns": ("Jet_pt",), "histograms": axis})
    answers, codes = [], []
    for least in (30, 60):
        code = "import awkward as ak\ndef select(events):\n    pt = ak.flatten(events.Jet_pt)\n"
        (tmp_path / "mine.py").write_text(code + f"    return {{'pt': pt[pt > {least}]}}\n")
        plan, result, _ = run(spec, generated, client=dask_client)
        answers.append(result.counts["pt"])
        codes.append(plan.code)
    with uproot.open(generated / "ttbar.root") as file:
        pt = file["Events"]["Jet_pt"].array().layout.content.data
    assert answers == [int(np.sum(pt > least)) for least in (30, 60)]
    assert codes[0] != codes[1]


class TestCodeThatChangesAfterThePlan:
    @pytest.fixture
    def own(self, ttbar_spec, tmp_path):
        """A selection that writes a log by its full path, with a module beside it."""
        with uproot.recreate(tmp_path / "a.root") as file:
            file["Events"] = {"x": np.arange(10.0)}
        (tmp_path / "beside.py").write_text("SHIFT = 0\n")
        (tmp_path / "mine.py").write_text(
            "import beside\n"
            "def select(events):\n"
            f"    with open({str(tmp_path / 'log.txt')!r}, 'a') as log:\n"
            "        log.write('called\\n')\n"
            "    return {'h': events.x + beside.SHIFT}\n"
        )
        table = {
            "workflow": "hep",
            "name": "own",
            "folder": str(tmp_path),
            "select": "mine.py:select",
            "columns": ["x"],
            "normalisation": "none",
            "samples": {"s": {"files": ["a.root"]}},
            "histograms": {"h": {"bins": 10, "start": 0.0, "stop": 10.0}},
        }
        return parse(type(ttbar_spec), table, where="own")

    def test_a_log_that_it_writes_is_warned_of(self, own, tmp_path):
        (tmp_path / "log.txt").write_text("before\n")
        _, result, _ = run(own, tmp_path)
        [warning] = [w for w in DOMAIN.warnings(result) if "changed after the run" in w]
        assert warning.startswith("mine.py:select: a file that it names by full path")
        assert DOMAIN.arrays(result)["s/h/values"].sum() == 10

    @pytest.mark.parametrize("file", ["mine.py", "beside.py"])
    def test_a_file_of_its_own_that_is_edited_ends_the_run(self, own, tmp_path, file):
        plan = DOMAIN.plan(own, str(tmp_path))
        path = tmp_path / file
        path.write_text(f"{path.read_text()}ANOTHER = 3\n")
        with pytest.raises(DataError, match="the code has changed since the run was planned"):
            DOMAIN.run(own, plan, client=None, on_error="raise", report=lambda *_: None)

    def test_a_comment_beside_it_is_no_change(self, own, tmp_path):
        (tmp_path / "mine.py").write_text(
            "import beside\ndef select(events): return {'h': events.x + beside.SHIFT}\n"
        )
        plan = DOMAIN.plan(own, str(tmp_path))
        path = tmp_path / "beside.py"
        path.write_text(f"# a comment\n{path.read_text()}")
        result, _ = DOMAIN.run(own, plan, client=None, on_error="raise", report=lambda *_: None)
        assert not any("changed after the run" in w for w in DOMAIN.warnings(result))
