"""Whatever goes wrong after the work, the numbers that there are are saved, and it is said."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrum_workflows.domain import Metrics, Plan
from spectrum_workflows.hep import DOMAIN, histogram
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import Observable
from spectrum_workflows.hep.workflow.histogramming import fit
from spectrum_workflows.jsontext import as_json
from spectrum_workflows.record import Outcome, digest, machine, read_record, save
from spectrum_workflows.specs import parse

from . import fills

pytestmark = [
    pytest.mark.xdist_group("hep resilience"),
    pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning"),
]

FLAT = np.repeat(np.arange(4) + 0.5, 50)


def spec(**changes) -> HepSpec:
    table = {
        "workflow": "hep",
        "name": "test",
        "select": "any.module:select",
        "columns": ["x"],
        "normalisation": "none",
        "variations": ["up", "down"],
        "samples": {
            "sig": {"files": ["s.root"]},
            "bkg": {"files": ["b.root"]},
            "data": {"files": ["d.root"], "data": True},
        },
        "histograms": {"h": {"bins": 4, "start": 0.0, "stop": 4.0}},
        "fit": {"signal": "sig", "regions": ["h"], "systematics": {"x": {"up": "up"}}},
    }
    return parse(HepSpec, {**table, **changes}, where="spec")


def result(of=None, **contents):
    """What a run gives for these contents: per sample values, or (values, weights, varied)."""
    of = of or spec()
    standard = {"sig": FLAT[::2], "bkg": FLAT, "data": np.concatenate([FLAT, FLAT[::2]])}
    total = None
    for sample, given in {**standard, **contents}.items():
        values, weights, varied = given if isinstance(given, tuple) else (given, None, {})
        variations = {v: Observable(values, weights) for v in of.variations_of(sample)} | varied
        found = {"h": Observable(np.asarray(values), weights, variations=variations)}
        filled = fills.filled(
            sample,
            found,
            of.histograms,
            events=max(len(values), 1),
            variations=of.variations_of(sample),
        )
        total = filled if total is None else histogram.merge(total, filled)
    made = histogram.normalised(total, of)
    return replace(made, likelihood=fit(made)) if of.fit else made


def outcome(found):
    return Outcome(
        spec=found.spec,
        plan=Plan((), 0, 0),
        result=found,
        metrics=Metrics(),
        digest=digest(DOMAIN.arrays(found)),
        started="2026-11-26T11:00:00+00:00",
        seconds=1.0,
        cpu_seconds=1.0,
        workers=0,
        machine=machine(),
        worker_machines=(),
    )


def saved(found, tmp_path):
    """The record, read as strictly as can be; the histograms read back are the same bits."""
    folder = save(outcome(found), str(tmp_path))
    for name in ("record.json", "histograms.json"):
        text = Path(folder, name).read_text()
        json.loads(text, parse_constant=pytest.fail)
    assert digest(DOMAIN.read(folder)) == digest(DOMAIN.arrays(found))
    return read_record(folder)


def test_the_standard_contents_are_fitted(tmp_path):
    record = saved(result(), tmp_path)
    assert record["likelihood"]["sig_norm"] == pytest.approx(1.0, abs=1e-3)
    assert (record["warnings"], record["notes"], record["lost"]) == ([], [], [])


EMPTY = np.zeros(0)
HALF = np.full(len(FLAT), 0.5)
NEGATIVE = (FLAT, -HALF, {})


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ({"sig": EMPTY}, "the signal has 0 events in the fitted bins"),
        ({"sig": FLAT + 10}, "the signal has 0 events in the fitted bins"),
        ({"sig": (FLAT, -HALF * 0.1, {})}, "the signal has -10 events"),
        ({"bkg": (FLAT, -HALF * 4, {})}, "bin from 0 to 1: -75 events are expected, fewer than"),
        ({"bkg": FLAT[:100], "sig": FLAT[:100]}, "bin from 2 to 3: 75 events of data where none"),
        (
            {"bkg": (FLAT, None, {"up": Observable(EMPTY)})},
            "the template is empty where the sample",
        ),
        ({"bkg": (FLAT, None, {"up": Observable(FLAT, -HALF)})}, "the template has -100 events"),
        (
            {"bkg": (FLAT, None, {"up": Observable(FLAT, HALF * 5)})},
            "up is 2.5 times the nominal yield, which cannot be mirrored",
        ),
        ({"data": (FLAT, None, {})}, None),
        ({"data": EMPTY}, "there are no events of data"),
    ],
)
def test_a_fit_is_given_up_or_done_and_the_histograms_are_saved(contents, said, tmp_path):
    found = result(**contents)
    record = saved(found, tmp_path)
    given_up = "no_fit" in record["likelihood"]
    if said is None:
        assert not given_up
    else:
        assert any(said in line for line in record["warnings"]), record["warnings"]
        assert given_up == ("there are no events of data" not in said)
    assert "histograms.root" in [o["name"] for o in record["objects"]]


@pytest.mark.parametrize("where", ["sig", "bkg", "data"])
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_contents_that_are_not_finite_are_saved_and_said(where, bad, tmp_path):
    found = result()
    h = found.histograms[where, "h"].copy()
    h.view(flow=True).value[2] = bad
    found = replace(found, histograms={**found.histograms, (where, "h"): h})
    found = replace(found, likelihood=fit(found))
    record = saved(found, tmp_path)
    assert f"histogram h: not finite in {where}" in record["warnings"]
    assert "bins that are not finite" in record["likelihood"]["no_fit"]
    assert "h.png" in [o["name"] for o in record["objects"]]
    assert record["lost"] == record["notes"] == []


def fails(*_, **__):
    raise ZeroDivisionError("a mistake\nof ours")


def test_a_mistake_in_the_fit_loses_the_fit_only(monkeypatch, tmp_path):
    monkeypatch.setattr("spectrum_workflows.hep.fit.possible.check_signal", fails)
    record = saved(result(), tmp_path)
    assert record["likelihood"]["no_fit"] == "the fit failed (ZeroDivisionError: a mistake"
    monkeypatch.setattr("spectrum_workflows.hep.fit.peak.fit_peak", fails)
    axis = {"bins": 4, "start": 0.0, "stop": 4.0, "fit": "top"}
    record = saved(result(spec(histograms={"h": axis}, fit=None)), tmp_path)
    assert "ZeroDivisionError" in record["fit"]["h"]["no_fit"]


@pytest.mark.parametrize("product", ["_root", "fit_as_table"])
def test_a_product_that_cannot_be_made_is_named_and_the_others_are_there(
    product, monkeypatch, tmp_path
):
    monkeypatch.setattr(f"spectrum_workflows.hep.io.write.{product}", fails)
    record = saved(result(), tmp_path)
    name = {"_root": "histograms.root", "fit_as_table": "fit.json"}[product]
    assert [f"could not be made: {name} (ZeroDivisionError: a mistake of ours)"] == record["lost"]
    names = [o["name"] for o in record["objects"]]
    assert name not in names
    assert {"histograms.json", "workspace.json", "h.png", "pulls.png"} <= set(names)


def test_pictures_summary_and_warnings_that_fail_cost_no_numbers(monkeypatch, tmp_path):
    found = result()
    monkeypatch.setattr("spectrum_workflows.hep.plot.likelihood.pulls", fails)
    record = saved(found, tmp_path)
    assert "pulls.png (ZeroDivisionError" in record["notes"][0]
    assert "correlations.png" in [o["name"] for o in record["objects"]]
    assert record["lost"] == []
    monkeypatch.setattr("spectrum_workflows.hep.review.fit_peaks", fails)
    monkeypatch.setattr("spectrum_workflows.hep.fit.peak.fit_peaks", fails)
    record = read_record(save(outcome(found), str(tmp_path)))
    assert "ZeroDivisionError" in record["no_summary"]
    assert any("could not be looked at (ZeroDivisionError" in w for w in record["warnings"])


def test_what_the_fit_leaves_out_is_said():
    fit = {"signal": "sig", "regions": ["h"], "start": 1.0, "systematics": {"x": {"up": "up"}}}
    axis = {"bins": 4, "start": 0.0, "stop": 4.0}
    of = spec(fit=fit, histograms={"h": axis, "other": {**axis, "observable": "h"}})
    found = result(of, data=np.concatenate([FLAT, [-1.0, 9.0, 9.0]]), bkg=FLAT[:50])
    assert DOMAIN.warnings(found) == (
        "fit: h is fitted from 1 to 4; 1 of its 4 bins are left out",
        "fit: of 203 events of data in h, 51 below and 2 above the fitted bins are not in it",
        "fit: histograms that are not among its regions: other",
        "fit: sample bkg has no events in the fitted bins of h",
        "fit: x has no effect on bkg in h",
    )
    assert found.likelihood.data["h"].sum() == 150


def test_what_a_fit_does_not_take_from_the_spec_is_said():
    fit = {"signal": "sig", "regions": ["h"], "pseudodata": {"bkg": 1.0}}
    samples = {
        "sig": {"files": ["s.root"], "cross_section": 2.0},
        "bkg": {"files": ["b.root"]},
        "data": {"files": ["d.root"], "data": True},
    }
    assert DOMAIN.warnings(result(spec(fit=fit, samples=samples)))[:2] == (
        'fit: normalisation = "none" leaves cross sections out: simulated events are expected',
        "fit: pseudo-data are fitted, not the data in data",
    )


def test_one_bin_is_fitted(tmp_path):
    of = spec(histograms={"h": {"bins": 1, "start": 0.0, "stop": 4.0}})
    record = saved(result(of), tmp_path)
    assert record["likelihood"]["sig_norm"] == pytest.approx(1.0, abs=1e-3)
    assert record["notes"] == []


def test_text_whole_numbers_and_uneven_bins_are_fitted(tmp_path):
    for axis in (
        {"edges": [0.0, 1.0, 2.5, 4.0]},
        {"integer": True, "start": 0.0, "stop": 4.0},
        {"bins": 4, "start": 0.1, "stop": 10.0, "log": True},
    ):
        record = saved(result(spec(histograms={"h": axis})), tmp_path)
        assert record["likelihood"]["sig_norm"] == pytest.approx(1.0, abs=1e-2)
        assert record["notes"] == []


def test_json_takes_whatever_there_is():
    value = {
        "a": np.float64("nan"),
        2: [np.inf, -np.inf, np.float32(0.5), np.int64(3), np.bool_(True), None],
        "s": {"x"},
        "array": np.array([[1.0, np.nan]]),
        "odd": "\ud800",
        "object": ValueError("x"),
        "whole": 2**70,
    }
    assert json.loads(as_json(value), parse_constant=pytest.fail) == {
        "a": None,
        "2": [None, None, 0.5, 3, True, None],
        "s": ["x"],
        "array": [[1.0, None]],
        "odd": "?",
        "object": "x",
        "whole": 2**70,
    }
    spelled = json.loads(as_json([np.nan, np.inf, -np.inf, 1.5], spelled=True))
    np.testing.assert_array_equal(np.array(spelled, float), [np.nan, np.inf, -np.inf, 1.5])
    plain = {"x": [0.1, 1e300], "é": "ü"}
    assert as_json(plain) == json.dumps(plain, indent=1)
