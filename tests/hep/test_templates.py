"""Templates before they are fitted: smoothed where that is declared, and pruned where too small."""

from dataclasses import replace

import hist
import numpy as np
import pytest

from spectrum_workflows import hep
from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.fit.bands import band
from spectrum_workflows.hep.fit.left_out import pruned
from spectrum_workflows.hep.fit.smoothing import running_medians, smoothed
from spectrum_workflows.hep.plot import stacks
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import HepResult

BY_ROOT = [
    ([0.9, 1.1, 1.0], [1.0, 1.0, 1.0]),
    ([1.0, 1.0, 1.0, 1.0, 1.2], [1.0, 1.0, 1.0, 1.0, 1.0]),
    ([0.9, 0.9, 1.0, 1.0, 1.0, 1.1, 0.8, 1.0], [0.9, 0.925, 0.975, 1.0, 1.0, 1.0, 1.0, 1.0]),
    (
        [
            1.22464696754,
            -0.29752684437,
            -0.810814583238,
            0.75224382718,
            0.253446516208,
            0.895883070778,
            -0.345215710051,
            -1.48181827372,
        ],
        [
            -0.29752684437,
            -0.29752684437,
            -0.153822396016,
            0.213122218497,
            0.464022547533,
            0.290141598921,
            -0.345215710051,
            -1.34733318937,
        ],
    ),
    (
        [1.0, 1.1, 1.0, 1.0, 1.0, 1.1, 0.8, 1.0, 1.0, 0.9, 1.0],
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    ),
]
"""What TH1::Smooth of ROOT 6.40 makes of some contents, ends and flat places included."""


@pytest.mark.parametrize(("before", "after"), BY_ROOT, ids=lambda values: str(len(values)))
def test_running_medians_are_those_of_root(before, after):
    np.testing.assert_allclose(running_medians(np.array(before)), after, rtol=1e-10)


def test_what_is_smoothed_keeps_its_yield_and_less_of_its_noise():
    rng = np.random.default_rng(1)
    nominal = 1000 * np.exp(-np.arange(20) / 6)
    truth = nominal * np.linspace(0.95, 1.1, 20)
    noisy = truth + rng.normal(0, 0.03, 20) * nominal
    smooth = smoothed(noisy, nominal, 1)
    assert smooth.sum() == pytest.approx(noisy.sum())
    assert np.std((smooth - truth) / nominal) < 0.7 * np.std((noisy - truth) / nominal)
    assert smoothed(noisy, nominal, 0) is noisy
    assert smoothed(noisy[:2], nominal[:2], 3).tolist() == noisy[:2].tolist()


def test_bins_without_nominal_events_stay():
    nominal, varied = np.array([5.0, 0.0, 4.0, 6.0]), np.array([5.5, 0.0, 4.4, 6.6])
    np.testing.assert_allclose(smoothed(varied, nominal, 1), varied)


AXIS = hist.axis.Regular(4, 0, 4, name="x")
CONTENTS = {
    ("top", ""): [100.0, 80.0, 60.0, 40.0],
    ("top", "jes_up"): [110.0, 84.0, 60.0, 38.0],
    ("top", "tag_up"): [100.2, 80.1, 60.1, 40.1],
    ("wjets", ""): [50.0, 30.0, 20.0, 10.0],
    ("wjets", "jes_up"): [50.1, 30.0, 20.0, 10.0],
    ("wjets", "tag_up"): [55.0, 33.0, 22.0, 11.0],
    ("data", ""): [150.0, 110.0, 80.0, 50.0],
}
SYSTEMATICS = {"jes": {"up": "jes_up"}, "tag": {"up": "tag_up"}}


def filled(contents):
    h = hist.Hist(AXIS, storage=hist.storage.Weight())
    h.view().value, h.view().variance = contents, contents
    return h


def described(**options):
    keyed = {
        (sample, "4j", name) if name else (sample, "4j"): filled(contents)
        for (sample, name), contents in CONTENTS.items()
    }
    return hep.workspace(keyed, signal="top", **({"systematics": SYSTEMATICS} | options))


def effects(workspace):
    """Kinds of the effects of every parameter, by sample."""
    return {
        (sample["name"], m["name"], m["type"])
        for sample in workspace["channels"][0]["samples"]
        for m in sample["modifiers"]
        if m["name"] in SYSTEMATICS
    }


def test_small_effects_are_pruned_by_kind_sample_and_region():
    assert len(effects(described())) == 8
    kept = effects(described(pruning={"yields": 0.005, "shapes": 0.01}))
    assert kept == {
        ("top", "jes", "normsys"),
        ("top", "jes", "histosys"),
        ("wjets", "tag", "normsys"),
    }
    with pytest.raises(SpecError, match="pruning"):
        described(pruning={"bins": 0.1})


def result(pruning):
    """The same as the result of a run."""
    table = {
        "workflow": "hep",
        "name": "small",
        "select": "spectrum_workflows.hep.analyses.dimuon:select",
        "columns": ["none"],
        "normalisation": "none",
        "variations": ["jes_up", "tag_up"],
        "samples": {
            name: {"files": ["none"], "data": name == "data"} for name in ("top", "wjets", "data")
        },
        "histograms": {"4j": {"edges": [0, 1, 2, 3, 4]}},
        "fit": {"signal": "top", "regions": ["4j"], "pruning": pruning},
    }
    table["fit"]["systematics"] = SYSTEMATICS
    spec = HepSpec.model_validate(table)
    keyed = {
        (sample, spec.titles["4j", name]): filled(contents)
        for (sample, name), contents in CONTENTS.items()
    }
    return HepResult(spec, keyed, {}, {}, {})


def test_what_is_pruned_is_said():
    said = [*pruned(result({"yields": 0.005, "shapes": 0.01}), "4j")]
    assert said == [
        "fit: yields pruned in 4j, below 0.5 %: tag (top), jes (wjets)",
        "fit: shapes pruned in 4j, below 1 %: tag (top, wjets), jes (wjets)",
    ]
    assert [*pruned(result({}), "4j")] == []


def test_smoothing_is_declared_for_each_parameter():
    smooth = {"jes": {"up": "jes_up", "smooth": 1}, "tag": {"up": "tag_up"}}
    plain, other = described(), described(systematics=smooth)
    templates = [
        {
            m["name"]: m["data"]
            for m in w["channels"][0]["samples"][0]["modifiers"]
            if m["type"] == "histosys"
        }
        for w in (plain, other)
    ]
    assert templates[0]["tag"] == templates[1]["tag"]
    assert templates[0]["jes"] != templates[1]["jes"]
    assert sum(templates[1]["jes"]["hi_data"]) == pytest.approx(280)


def test_a_band_is_of_statistics_and_of_all_that_varies_all_samples_together():
    found = band(result({}), "4j")
    np.testing.assert_allclose(found.total, [150, 110, 80, 50])
    jes, tag = np.array([10.1, 4, 0, -2]), np.array([5.2, 3.1, 2.1, 1.1])
    np.testing.assert_allclose(found.up, np.sqrt(found.total + jes**2 + tag**2))
    np.testing.assert_allclose(found.down, found.up)  # without down, mirrored
    assert found.parameters == 2


def test_without_a_fit_variations_are_paired_by_their_names():
    whole = result({})
    spec = whole.spec.model_copy(update={"fit": None})
    np.testing.assert_allclose(band(replace(whole, spec=spec), "4j").up, band(whole, "4j").up)


def test_data_and_simulation_have_their_ratio_below():
    whole = result({})
    scaled = whole.spec.model_copy(update={"normalisation": "events", "luminosity": 1_000.0})
    figure = stacks.panel(replace(whole, spec=scaled), "4j")
    main, below = figure.axes
    assert below.get_ylabel() == "data / sim."
    labels = [text.get_text() for text in main.get_legend().get_texts()]
    assert "statistical and systematic" in labels
    assert len(stacks.panel(whole, "4j").axes) == 1  # what is not scaled has none
