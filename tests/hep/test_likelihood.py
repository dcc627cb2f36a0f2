"""The full ttbar analysis on generated events: workspace, fit, and what is saved of it."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyhf
import pytest

from spectrum_workflows import load_spec
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import DOMAIN, review
from spectrum_workflows.hep.fit import fit_workspace, likelihood, workspace
from spectrum_workflows.hep.fit.scan import REACH, scan
from spectrum_workflows.record import digest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import hep_toys

pytestmark = [
    pytest.mark.xdist_group("hep likelihood"),
    pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning"),
]

QUIET = {"report": lambda stage, done, total: None}
EVENTS = 6_000


def run(spec, folder, **options):
    plan = DOMAIN.plan(spec, str(folder))
    return DOMAIN.run(spec, plan, client=None, **({"on_error": "raise"} | QUIET | options))[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("agc")
    DOMAIN.make(load_spec(ROOT / "workflows/hep/ttbar.toml"), str(path), size=EVENTS, **QUIET)
    return path


@pytest.fixture(scope="module")
def result(folder):
    return run(load_spec(ROOT / "workflows/hep/ttbar.toml"), folder)


def binned(result, sample, template):
    """Bins from 110 GeV in pairs, counted another way."""
    values = result.histograms[sample, template].values()
    return np.array([values[k : k + 2].sum() for k in range(3, 25, 2)])


def test_the_workspace_holds_the_histograms_as_they_should_be_fitted(result):
    made = result.likelihood.workspace
    pyhf.schema.validate(made, "workspace.json")
    names = [n for n in result.spec.samples if not n.startswith("ttbar_")]
    for channel, observation in zip(made["channels"], made["observations"], strict=True):
        region = channel["name"]
        assert [sample["name"] for sample in channel["samples"]] == names
        for sample in channel["samples"]:
            expected = binned(result, sample["name"], region)
            np.testing.assert_allclose(sample["data"], expected, rtol=1e-12)
        mixed = binned(result, "wjets", region)
        for name in ("ttbar_ME_var", "ttbar_PS_var"):
            mixed = mixed + binned(result, name, region) / 2
        np.testing.assert_allclose(observation["data"], mixed, rtol=1e-12)
        np.testing.assert_allclose(result.likelihood.prefit.edges[region], np.arange(110, 551, 40))


@pytest.mark.parametrize(
    ("parameter", "sample", "up", "down"),
    [
        ("btag_1", "wjets", ("wjets", "{}_btag_var_1_up"), ("wjets", "{}_btag_var_1_down")),
        ("ttbar_scale", "ttbar", ("ttbar_scaleup", "{}"), ("ttbar_scaledown", "{}")),
        ("wjets_scale", "wjets", ("wjets", "{}_scale_var_up"), ("wjets", "{}_scale_var_down")),
        ("ttbar_ME", "ttbar", ("ttbar_ME_var", "{}"), None),
        ("jet_energy_scale", "single_top_tW", ("single_top_tW", "{}_pt_scale_up"), None),
    ],
)
def test_one_standard_deviation_gives_the_varied_template(result, parameter, sample, up, down):
    model = pyhf.Workspace(result.likelihood.workspace).model()
    k, at = model.config.par_map[parameter]["slice"].start, model.config.samples.index(sample)
    for shift, source in ((1.0, up), (-1.0, down)):
        if source is None:
            continue
        values = np.array(model.config.suggested_init())
        values[k] = shift
        found = model.main_model.expected_data(values, return_by_sample=True)[at]
        template = [binned(result, source[0], source[1].format(r)) for r in ("4j1b", "4j2b")]
        np.testing.assert_allclose(found, np.concatenate(template), rtol=1e-9, atol=1e-9)


def test_a_mirrored_variation_is_the_opposite_in_yield_and_in_shape(result):
    samples = {s["name"]: s for s in result.likelihood.workspace["channels"][1]["samples"]}
    nominal = np.array(samples["ttbar"]["data"])
    size, shape = (m["data"] for m in samples["ttbar"]["modifiers"] if m["name"] == "ttbar_PS")
    assert size["hi"] + size["lo"] == pytest.approx(2.0)
    both = np.array(shape["hi_data"]) + np.array(shape["lo_data"])
    np.testing.assert_allclose(both, 2 * nominal, rtol=1e-12)
    assert sum(shape["hi_data"]) == pytest.approx(nominal.sum())


def test_what_belongs_to_one_process_touches_no_other(result):
    for channel in result.likelihood.workspace["channels"]:
        for sample in channel["samples"]:
            names = {m["name"] for m in sample["modifiers"]}
            assert ("ttbar_ME" in names) == (sample["name"] == "ttbar")
            assert ("wjets_scale" in names) == (sample["name"] == "wjets")
            assert {"luminosity", f"staterror_{channel['name']}"} <= names


def test_data_equal_to_the_model_give_the_truth_without_pulls(result):
    nominal = dict.fromkeys(result.spec.nominal_samples, 1.0)
    fit = result.spec.fit.model_copy(update={"pseudodata": nominal})
    found = likelihood(replace(result, spec=result.spec.model_copy(update={"fit": fit})))
    truth = [1.0 if n == found.poi or n.startswith("stat") else 0.0 for n in found.names]
    np.testing.assert_allclose(found.values, truth, atol=2e-4)
    assert found.chi2 == pytest.approx(0.0, abs=1e-3)
    assert 0.01 < found.errors[found.names.index("ttbar_norm")] < 0.5


def test_the_fit_describes_the_pseudodata(result):
    fit = result.likelihood
    assert 0.5 < fit.chi2 / fit.ndf + 0.5 < 2.5
    pulls = DOMAIN.summary(result)["pulls"]
    assert len(pulls) == 11  # ten systematics and the luminosity
    assert all(abs(p["pull"]) < 3 and 0 < p["pull_error"] < 1.1 for p in pulls.values())
    for region, data in fit.data.items():
        before, after = (
            np.abs(sum(t.yields[region].values()) - data).sum() for t in (fit.prefit, fit.postfit)
        )
        assert after < before / 3
        assert (fit.postfit.errors[region] < fit.prefit.errors[region]).all()
    assert np.allclose(fit.correlations, fit.correlations.T)
    assert np.allclose(np.diag(fit.correlations), 1.0)


def test_everything_is_saved_and_pyhf_finds_the_same_best_fit(result, tmp_path):
    """The command of pyhf; its default minimiser stops within 1e-4, too near for a test."""
    saved = dict(DOMAIN.files(result))
    assert [*saved] == ["histograms.json", "histograms.root", "workspace.json", "fit.json"]
    (tmp_path / "workspace.json").write_bytes(saved["workspace.json"])
    program = str(Path(sys.executable).with_name("pyhf"))
    minuit = ["--optimizer", "minuit", "--optconf", "tolerance=0.001"]
    command = [program, "fit", str(tmp_path / "workspace.json"), *minuit]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)["mle_parameters"]
    ours = json.loads(saved["fit.json"])
    assert ours["parameter_of_interest"] == "ttbar_norm"
    assert len(ours["parameters"]) == 34
    value = ours["parameters"]["ttbar_norm"]["value"]
    assert value == pytest.approx(theirs["ttbar_norm"][0], rel=1e-4)
    (tmp_path / "histograms.json").write_bytes(saved["histograms.json"])
    assert digest(DOMAIN.read(str(tmp_path))) == digest(DOMAIN.arrays(result))


def test_there_are_pictures_before_and_after_the_fit(result):
    drawn = dict(DOMAIN.pictures(result))
    stages = [f"{r}_{s}.png" for s in ("prefit", "postfit") for r in ("4j1b", "4j2b")]
    assert [*drawn] == [
        "4j1b.png",
        "4j2b.png",
        *stages,
        "pulls.png",
        "ranking.png",
        "correlations.png",
    ]
    for name in ("4j2b_postfit.png", "correlations.png"):
        drawn[name].savefig(buffer := io.BytesIO(), format="png")
        assert len(buffer.getvalue()) > 10_000
    legend = [t.get_text() for t in drawn["4j1b_prefit.png"].axes[0].get_legend().get_texts()]
    assert legend[:1] == ["pseudo-data"]
    assert "W + jets" in legend
    assert len(DOMAIN.plot(result).axes) == 8


def test_what_the_fit_leaves_out_stands_in_its_pictures(result):
    said = review.of_fit(result, "4j1b")
    assert any("bins are left out" in line for line in said)
    assert not any("4j2b" in line for line in said)
    drawn = dict(DOMAIN.pictures(result))
    for name in ("4j1b_prefit.png", "4j1b_postfit.png", "pulls.png", "correlations.png"):
        above = drawn[name].get_suptitle().replace("\n  ", " ")
        assert said[0] in above, name
        assert max(map(len, above.splitlines())) < 400
    assert "4j2b" not in drawn["4j1b_prefit.png"].get_suptitle()


def test_a_partial_result_cannot_enter_the_fit(result, folder, tmp_path):
    spec = result.spec.model_copy(update={"select": "mine.py:select", "folder": str(tmp_path)})
    spec = spec.model_copy(update={"corrections": str(ROOT / "workflows/hep/ttbar_weights.json")})
    (tmp_path / "mine.py").write_text(
        "from spectrum_workflows.hep.analyses import ttbar\n"
        "def select(events, **options):\n"
        "    if len(events) and 'scale_var_up' in options['variations']:\n"
        "        raise ValueError('lost')\n"
        "    return ttbar.select(events, **options)\n"
    )
    partial = run(spec, folder, on_error="keep")
    url = f"{folder}/agc/wjets.root"
    assert partial.missing == (f"wjets: 0 of {EVENTS} events of {url}",)
    assert DOMAIN.summary(partial)["incomplete"] == [*partial.missing]
    said = DOMAIN.summary(partial)["likelihood"]["no_fit"]
    assert "a partial result cannot enter a fit of cross sections" in said
    assert url in said
    with pytest.raises(DataError, match="partial result cannot enter .*run again without"):
        workspace(partial)
    assert "workspace.json" not in dict(DOMAIN.files(partial))
    assert [n for n, _ in DOMAIN.pictures(partial)] == ["4j1b.png", "4j2b.png"]


def test_what_cannot_be_fitted_is_said(result):
    spec = result.spec
    with pytest.raises(SpecError, match=r"no \[fit\] table"):
        workspace(replace(result, spec=spec.model_copy(update={"fit": None})))
    bare = spec.fit.model_copy(update={"pseudodata": {}})
    with pytest.raises(SpecError, match="nothing to fit"):
        workspace(replace(result, spec=spec.model_copy(update={"fit": bare})))
    with pytest.raises(DataError, match="not a workspace"):
        fit_workspace({"version": "1.0.0"})


def test_a_few_toys(result):
    pulls = hep_toys.study(dict(result.likelihood.workspace), toys=2, seed=3)
    assert np.isfinite(pulls).all()
    assert (np.abs(pulls) < 4).all()
    assert pulls[0] != pulls[1]


def test_the_scan_is_lowest_at_the_best_fit_and_rises_as_the_error_says(result):
    scanned = scan(result.likelihood, points=3)
    assert scanned.values[1] == pytest.approx(scanned.best)
    assert scanned.twice_delta_nll[1] == pytest.approx(0.0, abs=0.01)
    sides = scanned.twice_delta_nll[[0, 2]]  # not the same: the likelihood is no parabola
    assert sides.mean() == pytest.approx(REACH**2, rel=0.3)
    assert sides.min() > 2


def test_no_impact_is_larger_than_the_error(result):
    fit = result.likelihood
    impacts = fit.impacts
    assert impacts.keys() == {*fit.nuisances}
    error = fit.errors[fit.names.index(fit.poi)]
    assert 0 < max(abs(shift) for shift in impacts.values()) < error
