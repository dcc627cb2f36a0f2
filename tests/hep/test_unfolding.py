"""Unfolding by maximum likelihood: closure, covariance, regularisation, pulls, commands."""

import json
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from spectrum_workflows import connect, hep, load_site, load_spec, run, save
from spectrum_workflows.cli import main
from spectrum_workflows.domain import Metrics
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.fit.likelihood import fit_workspace
from spectrum_workflows.hep.fit.response import unfolding_model
from spectrum_workflows.hep.fit.unfolding import simulated
from spectrum_workflows.hep.workflow import histogramming

pytestmark = [
    pytest.mark.xdist_group("hep unfolding"),
    pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning"),
]

CODE = """
import numpy as np
from spectrum_workflows.hep import Observable


def select(events, *, variations=()):
    truth, seen, kept = (np.asarray(events[n], float) for n in ("truth", "seen", "kept"))
    def regions(seen):
        index = np.flatnonzero((kept < 0.7) & (seen > 0))
        return {
            "all": Observable(truth, index=np.arange(len(truth))),
            "pt": Observable(seen[index], index=index),
            "truth_of_pt": Observable(truth[index], index=index),
        }
    out = regions(seen)
    for name in variations:
        varied = regions(seen * (1.05 if name == "scale_up" else 0.95))
        for region, observable in out.items():
            observable.variations[name] = varied[region]
    return out
"""

SPEC = """
workflow = "hep"
name = "spectrum"
select = "mine.py:select"
columns = ["truth", "seen", "kept"]
luminosity = 1.0
variations = ["scale_up", "scale_down"]
[samples.signal]
files = ["signal.root"]
cross_section = 20000.0
[samples.harder]
files = ["harder.root"]
cross_section = 20000.0
varies = "signal"
[samples.background]
files = ["background.root"]
cross_section = 4000.0
[histograms.all]
edges = [0, 40, 80, 120, 200]
label = "true momentum [GeV]"
[histograms.pt]
bins = 20
start = 0
stop = 200
[histograms.response]
observable = ["truth_of_pt", "pt"]
edges = [[0, 40, 80, 120, 200], []]
bins = [0, 20]
start = [0, 0]
stop = [0, 200]
[fit]
signal = "signal"
regions = ["pt"]
rebin = 2
luminosity_error = 0.02
pseudodata = { harder = 1.0, background = 1.0 }
[fit.systematics.scale]
up = "scale_up"
down = "scale_down"
[fit.unfolding]
truth = "all"
responses = { pt = "response" }
"""

N = 60_000


def write(path: Path, scale: float, seed: int, events: int = N) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(3.0, scale, events)
    seen = truth + rng.normal(0, 8 + 0.05 * truth)
    with uproot.recreate(path) as file:
        file["Events"] = {"truth": truth, "seen": seen, "kept": rng.uniform(size=events)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unfolding")
    for name, scale, seed in (("signal", 24, 1), ("harder", 27, 2), ("background", 10, 3)):
        write(folder / f"{name}.root", scale, seed)
    (folder / "mine.py").write_text(CODE)
    (folder / "spec.toml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def saved(folder: Path) -> Any:
    """A run, and its folder."""
    with (
        pytest.MonkeyPatch.context() as patch,
        connect(load_site("serial"), data=str(folder), results=str(folder / "r")) as place,
    ):
        patch.setattr(histogramming, "watched", lambda *_, **__: nullcontext(Metrics))
        outcome = run(load_spec(folder / "spec.toml"), place, watch=False)
        return outcome.result, save(outcome, place)


@pytest.fixture(scope="module")
def model(saved: Any) -> Any:
    return unfolding_model(saved[0])


def test_the_simulation_unfolds_to_its_truth(model: Any) -> None:
    for regularisation in (0.0, 5.0):
        closed = hep.unfold(simulated(model.workspace), model.truth, regularisation=regularisation)
        assert np.max(np.abs(closed.values / closed.truth - 1)) < 1e-6
        assert closed.chi2 < 1e-6


def test_pseudo_data_of_another_spectrum_unfolds_to_its_own_truth(model: Any) -> None:
    """Of other events, so that both statistics count; χ² of 4 degrees below the 99.9 % quantile."""
    found = hep.unfold(model.workspace, model.truth, edges=model.edges)
    assert found.distance(model.generated) < 18.5
    assert found.distance(found.truth) > 2 * found.distance(model.generated)
    assert found.ndf == 10 - 4
    np.testing.assert_allclose(found.values, found.strengths * found.truth)
    np.testing.assert_allclose(np.diag(found.correlation), 1)


def test_pyhf_finds_the_same_without_regularisation(model: Any) -> None:
    found = hep.unfold(model.workspace, model.truth)
    fit = fit_workspace(model.workspace)
    index = [fit.names.index(name) for name in found.names]
    assert (np.abs(found.strengths - fit.values[index]) < 5e-3 * fit.errors[index]).all()
    np.testing.assert_allclose(found.errors / found.truth, fit.errors[index], rtol=0.01)
    np.testing.assert_allclose(found.correlation, fit.correlations[np.ix_(index, index)], atol=0.01)


def templates(response: Any, data: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """A workspace of a matrix, without anything else; every event of the truth is seen."""
    samples = [
        {
            "name": f"t{k}",
            "data": row.tolist(),
            "modifiers": [{"name": f"t{k}", "type": "normfactor", "data": None}],
        }
        for k, row in enumerate(response)
    ]
    bounds = [{"name": s["name"], "bounds": [[-100.0, 100.0]]} for s in samples]
    described = {
        "channels": [{"name": "r", "samples": samples}],
        "observations": [{"name": "r", "data": list(data)}],
        "measurements": [{"name": "m", "config": {"poi": "t0", "parameters": bounds}}],
        "version": "1.0.0",
    }
    return described, {f"t{k}": float(row.sum()) for k, row in enumerate(response)}


def smeared(n: int = 6) -> Any:
    """Of every bin of the truth half stays, and the rest goes next to it."""
    return 400.0 * (0.5 * np.eye(n) + 0.25 * np.eye(n, k=1) + 0.25 * np.eye(n, k=-1))


def test_a_square_response_is_the_inverse_matrix() -> None:
    """Without more bins than factors the best fit meets the data, and errors are propagated."""
    response = smeared()
    data = np.array([330.0, 410, 380, 420, 390, 290])
    found = hep.unfold(*templates(response, data))
    inverse = np.linalg.inv(response)
    np.testing.assert_allclose(found.strengths, data @ inverse, rtol=1e-5)
    spread = inverse.T @ np.diag(data) @ inverse * np.outer(found.truth, found.truth)
    np.testing.assert_allclose(found.covariance, spread, rtol=1e-4, atol=1e-3)
    assert found.chi2 < 1e-6


def test_regularisation_is_tikhonovs() -> None:
    """Against a least-squares solution with the same second differences, as n grows large."""
    response = 1e4 * smeared()
    truth = 1 + 0.1 * np.array([1, -1, 1, -1, 1, -1.0])
    data = truth @ response
    tau, rows = 300.0, np.zeros((4, 6))
    for k in range(4):
        rows[k, k : k + 3] = [1, -2, 1]
    weighted = response / data
    normal = response @ weighted.T + tau**2 * rows.T @ rows
    expected = np.linalg.solve(normal, weighted @ data)
    found = hep.unfold(*templates(response, data), regularisation=tau)
    np.testing.assert_allclose(found.strengths, expected, rtol=2e-3)
    spread = np.linalg.inv(normal)
    relative = found.covariance / np.outer(found.truth, found.truth)
    np.testing.assert_allclose(relative, spread, atol=0.01 * spread.max())
    rough = hep.unfold(*templates(response, data))
    assert np.abs(rows @ found.strengths).max() < 0.9 * np.abs(rows @ rough.strengths).max()


def test_strong_regularisation_leaves_a_straight_line() -> None:
    data = np.array([330.0, 410, 380, 420, 390, 290])
    found = hep.unfold(*templates(smeared(), data), regularisation=1e4)
    assert np.abs(np.diff(found.strengths, 2)).max() < 1e-4
    assert abs(found.values.sum() - data.sum()) > 0
    assert (found.errors < hep.unfold(*templates(smeared(), data)).errors).all()


def test_pulls_of_toys_are_standard() -> None:
    """Of 500 toys: the mean within 4 times 0.045, the width within 4 times 0.032 of 1."""
    response = 10 * smeared(4)
    described, truth = templates(response, response.sum(axis=0))
    pulls = hep.unfold_toys(described, truth, toys=500, seed=3)
    assert pulls.failed == 0
    assert np.abs(pulls.mean).max() < 0.18
    assert np.abs(pulls.width - 1).max() < 0.13


def test_toys_depend_on_seed_and_number_alone(model: Any) -> None:
    """Hesse's errors are those of a parabola: with systematics pulls are wider."""
    pulls = hep.unfold_toys(model.workspace, model.truth, toys=300, seed=3)
    assert pulls.failed == 0
    assert np.abs(pulls.mean).max() < 0.3
    assert np.abs(pulls.width - 1).max() < 0.3
    few = hep.unfold_toys(model.workspace, model.truth, toys=30, seed=3, at_once=7)
    assert np.array_equal(few.pulls, pulls.pulls[:30])
    other = hep.unfold_toys(model.workspace, model.truth, toys=2, seed=4)
    assert not np.array_equal(other.pulls, pulls.pulls[:2])


def test_a_systematic_changes_the_response_at_constant_truth(saved: Any) -> None:
    """Templates of a sample of another spectrum are scaled to the nominal truth."""
    result = saved[0]
    fit = result.spec.fit
    other = fit.model_copy(
        update={"systematics": {"model": fit.systematics["scale"].changed(up="harder", down="")}}
    )
    changed = replace(result, spec=result.spec.model_copy(update={"fit": other}))
    (channel,) = unfolding_model(changed).workspace["channels"]
    effects = {
        s["name"]: m["data"]["hi"]
        for s in channel["samples"]
        for m in s["modifiers"]
        if m["name"] == "model" and m["type"] == "normsys"
    }
    inside = [effects[f"signal_truth_{k}"] for k in range(3)]
    np.testing.assert_allclose(inside, 1.0, atol=0.02)  # efficiency hardly depends on the spectrum
    assert "signal_outside" in effects


def test_impacts_of_an_unfolding_are_those_of_fits_with_that_bin_of_interest(model: Any) -> None:
    """Of each bin alone, by the impacts of a parameter of interest."""
    ranked = hep.unfolding_impacts(model.workspace, model.truth)
    assert "scale" in ranked.names
    assert not {*ranked.names} & {*model.truth}
    for k, name in enumerate(ranked.truth):
        (measurement,) = model.workspace["measurements"]
        own = {**measurement, "config": {**measurement["config"], "poi": name}}
        one = hep.impacts({**model.workspace, "measurements": [own]})
        at = [one.names.index(nuisance) for nuisance in ranked.names]
        assert ranked.strengths[k] == pytest.approx(one.best)
        assert ranked.errors[k] == pytest.approx(one.error, rel=1e-6)
        np.testing.assert_allclose(ranked.up[:, k], one.up[at], atol=1e-7)
        np.testing.assert_allclose(ranked.down[:, k], one.down[at], atol=1e-7)
    size = np.abs([ranked.up, ranked.down] / ranked.errors).max(axis=(0, 2))
    assert (np.diff(size) <= 1e-12).all()


def test_regularisation_counts_in_impacts_of_an_unfolding(model: Any) -> None:
    rough, tame = (
        hep.unfolding_impacts(model.workspace, model.truth, regularisation=r) for r in (0.0, 50.0)
    )
    assert (tame.errors < rough.errors).all()
    assert np.abs(np.diff(tame.up, 2, axis=1)).max() < np.abs(np.diff(rough.up, 2, axis=1)).max()


def test_without_nuisance_parameters_there_are_no_impacts() -> None:
    ranked = hep.unfolding_impacts(*templates(smeared(3), [300.0, 400.0, 300.0]))
    assert ranked.names == ()
    assert ranked.up.shape == (0, 3)
    with pytest.raises(SpecError, match="no factor 'x' in the workspace"):
        hep.unfolding_impacts(templates(smeared(3), [1, 1, 1])[0], {"x": 1.0, "t0": 1.0})


def test_what_cannot_be_unfolded_is_refused(folder: Path, model: Any) -> None:
    spec = load_spec(folder / "spec.toml")
    fit = spec.fit

    def with_(**changes: Any) -> Any:
        unfolding = fit.unfolding.model_dump() | changes
        return spec.changed(fit=fit.model_dump() | {"unfolding": unfolding})

    for changes, says in (
        ({"truth": "al"}, r"fit.unfolding.truth: no 'al' here; did you mean"),
        ({"truth": "response"}, "'response' needs 1 axes of numbers"),
        ({"truth": "pt"}, "the first axis of 'response' has other bins than 'pt'"),
        ({"responses": {"ptt": "response"}}, "'ptt' is no region of the fit; did you mean pt"),
        ({"responses": {"pt": "all"}}, "'all' needs 2 axes"),
        ({"regularisation": -1.0}, "regularisation"),
    ):
        with pytest.raises(SpecError, match=says):
            with_(**changes)
    with pytest.raises(SpecError, match="events of 'signal' are left out by triggers before"):
        spec.changed(triggers=["HLT_x"])
    with pytest.raises(SpecError, match=r"events of 'signal' are left out by skim.require before"):
        spec.changed(skim={"require": {"some": {"minimum": {spec.columns[0]: 1.0}}}})
    described, truth = model.workspace, model.truth
    with pytest.raises(SpecError, match="no factor 'x' in the workspace"):
        hep.unfold(described, {**truth, "x": 1.0})
    with pytest.raises(SpecError, match="2 bins of the truth; .* three or more to regularise"):
        hep.unfold(*templates(smeared(2), [1, 1]), regularisation=1.0)
    with pytest.raises(SpecError, match="1 toys"):
        hep.unfold_toys(described, truth, toys=1)
    same = np.ones((2, 3)) * 50
    with pytest.raises(DataError, match="merge bins of the truth, or regularise"):
        hep.unfold(*templates(same, [100, 100, 100]))


def test_the_command_prints_and_writes_the_spectrum(saved: Any, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SPECTRUM_SITE", "serial")
    words = ["spectrum", "hep", "unfold", str(saved[1]), "--number", "20", "--regularisation", "1"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stopped:
        main()
    out = capsys.readouterr().out
    assert not stopped.value.code
    assert "truth of the pseudo-data" in out
    assert "pulls of 20 toys" in out
    folder = Path(saved[1])
    (written,) = folder.rglob("unfold.json")
    numbers = json.loads(written.read_text())
    assert numbers["regularisation"] == 1
    assert np.shape(numbers["covariance"]) == (4, 4)
    assert numbers["closure"] < 1e-3
    assert (written.parent / "unfolded.png").stat().st_size > 10_000
    assert (written.parent / "unfolding_impacts.png").stat().st_size > 10_000
    assert np.shape(numbers["impacts"]["up"]) == (len(numbers["impacts"]["names"]), 4)
    assert "impacts on each bin" in out
