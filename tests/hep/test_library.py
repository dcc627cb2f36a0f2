"""Event analysis as a library: the same numbers as the workflow's, from arrays and histograms."""

from functools import partial
from operator import add

import hist
import numpy as np
import pytest

from spectrum_workflows import hep
from spectrum_workflows.engine import map_reduce
from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.analyses import dimuon, ttbar
from spectrum_workflows.hep.fit.workspace import workspace
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import HepResult

MASS = hist.axis.Regular(50, 50, 550, name="x", label="m(bjj) [GeV]")


@pytest.fixture(scope="module")
def by_the_workflow(ttbar_spec, generated):
    spec = ttbar_spec.changed(partition={"max_events": 1_000})
    plan = DOMAIN.plan(spec, str(generated))
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    return result


def of_range(file: str, columns: tuple[str, ...], entries: tuple[int, int]) -> hist.Hist:
    """One histogram of some events: what a pipeline's own task does."""
    events = hep.read(file, columns, entry_start=entries[0], entry_stop=entries[1])
    return hep.fill(ttbar.select(events)["4j2b"], MASS)


def test_a_histogram_is_that_of_the_workflow(by_the_workflow, ttbar_spec, generated):
    task = partial(of_range, str(generated / "ttbar.root"), ttbar_spec.columns)
    ranges = [(start, min(start + 1_100, 8_400)) for start in range(0, 8_400, 1_100)]
    found = map_reduce(task, ranges, add)
    theirs = by_the_workflow.histograms["ttbar", "4j2b"]
    weight = by_the_workflow.weights["ttbar"]
    assert found.sum(flow=True).value == by_the_workflow.selected["ttbar", "4j2b"] > 100
    np.testing.assert_array_equal(
        (found * weight).view(flow=True).value, theirs.view(flow=True).value
    )
    np.testing.assert_array_equal(
        (found * weight).view(flow=True).variance, theirs.view(flow=True).variance
    )


def test_a_peak_is_found_in_ones_own_histogram(generated):
    columns = [f"Muon_{name}" for name in ("pt", "eta", "phi", "mass", "charge")]
    events = hep.read(generated / "zmumu.root", columns)
    axis = hist.axis.Regular(120, 60, 120, name="x")
    filled = hep.fill(dimuon.select(events)["dimuon"], axis)
    edges, values, variances = filled.axes[0].edges, filled.values(), filled.variances()
    found = hep.fit_peak(edges, values, variances, kind="z")
    assert found.values["mass"] == pytest.approx(91.19, abs=0.3)
    with pytest.raises(SpecError, match="there is no peak 'zz'"):
        hep.fit_peak(edges, values, variances, kind="zz")


def test_weights_and_several_axes():
    axes = [
        hist.axis.Regular(2, 0, 2, name="x"),
        hist.axis.StrCategory(["e", "mu"], name="flavour"),
    ]
    found = hep.fill(
        [[0.5, 1.5, 1.5], ["e", "mu", "mu"]], axes, weight=[1.0, 2.0, 3.0], name="both"
    )
    assert found.values().tolist() == [[1.0, 0.0], [0.0, 5.0]]
    assert found.variances().tolist() == [[1.0, 0.0], [0.0, 13.0]]
    assert found.name == "both"
    weighted = hep.Observable(np.array([0.5]), np.array([4.0]))
    assert hep.fill(weighted, axes[0]).values().tolist() == [4.0, 0.0]


def templates() -> dict[tuple[str, ...], hist.Hist]:
    """Histograms of a bump over a flat background, which varies, and of data with more of it."""
    rng = np.random.default_rng(4)
    axis = hist.axis.Regular(20, 0, 10, name="x", label="x")
    signal, other = rng.normal(5.0, 0.5, 20_000), rng.uniform(0.0, 10.0, 100_000)
    return {
        ("signal", "r"): hep.fill(signal, axis) * 0.1,
        ("other", "r"): hep.fill(other, axis) * 0.1,
        ("other", "r", "wider"): hep.fill(other, axis) * 0.11,
        ("data", "r"): hep.fill(np.append(signal[:3_000], other[:10_000]), axis),
    }


SYSTEMATICS = {"yield": {"up": "wider"}}


def test_a_workspace_is_that_of_the_workflow(ttbar_spec):
    table = {
        "normalisation": "none",
        "samples": {
            "signal": {"files": ["s.root"]},
            "other": {"files": ["o.root"], "variations": ["wider"]},
            "data": {"files": ["d.root"], "data": True},
        },
        "histograms": {"r": {"bins": 20, "start": 0.0, "stop": 10.0}},
        "fit": {"signal": "signal", "regions": ["r"], "systematics": SYSTEMATICS},
    }
    spec = HepSpec.model_validate(ttbar_spec.model_dump(exclude={"samples", "histograms"}) | table)
    titled = {(s, "_".join(rest)): h for (s, *rest), h in templates().items()}
    theirs = workspace(HepResult(spec, titled, {}, {}, {}))
    assert hep.workspace(templates(), signal="signal", systematics=SYSTEMATICS) == theirs


def test_a_fit_of_ones_own_histograms():
    described = hep.workspace(
        templates(), signal="signal", systematics=SYSTEMATICS, luminosity_error=0.02
    )
    fit = hep.fit_workspace(described)
    assert fit.poi == "signal_norm"
    assert fit.values[fit.names.index(fit.poi)] == pytest.approx(1.5, abs=0.1)
    assert {"luminosity", "yield"} <= {*fit.names}


def test_mistakes_are_named(generated):
    file = generated / "ttbar.root"
    with pytest.raises(DataNotFoundError):
        hep.read(generated / "none.root", ["Jet_pt"])
    with pytest.raises((DataError, SpecError), match="Jet_ptt"):
        hep.read(file, ["Jet_ptt"])
    with pytest.raises(SpecError, match="it has 8400 events, no 8000 to 8500"):
        hep.read(file, ["Jet_pt"], entry_start=8_000, entry_stop=8_500)
    axis = hist.axis.Regular(2, 0, 2, name="x")
    with pytest.raises(DataError, match="not finite|finite"):
        hep.fill([0.5, np.nan], axis)
    with pytest.raises(DataError):
        hep.fill(hep.read(file, ["Jet_pt"], entry_stop=50).Jet_pt, axis)
    with pytest.raises(DataError, match="1 arrays for 2 axes"):
        hep.fill([[0.5]], [axis, axis])
    with pytest.raises(DataError, match="arrays of 1, 2 events"):
        hep.fill([[0.5], [0.5, 0.6]], [axis, hist.axis.Regular(2, 0, 2, name="y")])
    filled = {(s, "r"): hep.fill([0.5, 1.5], axis) for s in ("signal", "data")}
    with pytest.raises(SpecError, match="there is no sample 'observed'"):
        hep.workspace(filled, signal="signal", data="observed")
    with pytest.raises(SpecError, match="fit.signal"):
        hep.workspace(filled, signal="sgnal")
    with pytest.raises(SpecError, match="there is no such histogram"):
        hep.workspace(filled | {("other", "q"): filled["data", "r"]}, signal="signal")
    other = hist.axis.Regular(3, 0, 2, name="x")
    with pytest.raises(DataError, match="other edges"):
        hep.workspace(filled | {("other", "r"): hep.fill([0.5], other)}, signal="signal")
    with pytest.raises(AttributeError, match="no attribute 'reed'"):
        hep.reed  # noqa: B018
