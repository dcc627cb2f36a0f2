"""Limit and impacts that a run evaluates with its fit."""

import numpy as np
import pytest

from spectrum_workflows import load_spec
from spectrum_workflows.hep import DOMAIN, impacts, limit
from spectrum_workflows.hep.fit.evaluation import evaluate

QUIET = {"report": lambda stage, done, total: None}
FIT = {
    "signal": "single_top_tW",
    "regions": ["4j1b"],
    "start": 110.0,
    "stop": 510.0,
    "rebin": 4,
    "luminosity_error": 0.03,
    "pseudodata": {"ttbar": 1.0},
    "evaluate": ["limit", "impacts"],
}


@pytest.fixture(scope="module")
def result(generated):
    spec = load_spec("hep/quickstart")
    ttbar = spec.samples["ttbar"].model_copy(update={"files": ("ttbar.root",)})
    other = ttbar.model_copy(update={"cross_section": 30.0})
    spec = spec.model_copy(update={"samples": {"ttbar": ttbar, "single_top_tW": other}})
    spec = spec.changed(fit=FIT)
    plan = DOMAIN.plan(spec, str(generated))
    return DOMAIN.run(spec, plan, client=None, on_error="raise", **QUIET)[0]


def test_a_run_tells_what_the_functions_do(result):
    workspace = result.likelihood.workspace
    found, ranked, summary = limit(workspace), impacts(workspace), DOMAIN.summary(result)
    assert summary["limit"]["observed"] == pytest.approx(found.observed, rel=1e-9)
    assert summary["limit"]["expected"] == pytest.approx(found.expected[2], rel=1e-9)
    assert summary["limit"]["expected_-1"] < summary["limit"]["expected_+1"]
    assert [*summary["impacts"]] == list(ranked.names[: len(summary["impacts"])])
    assert {"limit.png", "impacts.png"} <= {name for name, _ in DOMAIN.pictures(result)}
    assert {"limit", "impacts"} <= {*DOMAIN.shown(result)}


def test_a_saved_run_knows_them(result, tmp_path):
    for name, content in DOMAIN.files(result):
        (tmp_path / name).write_bytes(content)
    back = DOMAIN.load(str(tmp_path), result.spec, DOMAIN.summary(result))
    assert DOMAIN.summary(back) == DOMAIN.summary(result)
    assert np.array_equal(back.evaluation.limit.cls_expected, result.evaluation.limit.cls_expected)
    assert back.evaluation.impacts.names == result.evaluation.impacts.names


def test_what_cannot_be_had_costs_nothing_else(result):
    workspace = {**result.likelihood.workspace, "measurements": []}
    evaluation = evaluate(workspace, ("limit", "impacts"))
    assert evaluation.limit is evaluation.impacts is None
    assert [line.split(":")[0] for line in evaluation.reasons] == ["no limit", "no impacts"]
