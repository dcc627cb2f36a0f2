"""A fit is checked against samples, variations and axes before anything runs."""

import numpy as np
import pytest

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.axes import HistogramSpec
from spectrum_workflows.hep.spec.fit import FitSpec
from spectrum_workflows.hep.spec.fit_check import Binning, binning
from spectrum_workflows.specs import parse

AXIS = HistogramSpec(bins=20, start=-1.0, stop=1.0)


def bins(axis: HistogramSpec = AXIS, **changes) -> Binning:
    fit = FitSpec(signal="s", regions=("h",), **changes)
    return binning(fit, axis.axes("h")[0], "h")


def test_without_start_and_stop_the_whole_axis_is_fitted():
    assert bins() == Binning(0, 20, 1)


@pytest.mark.parametrize(
    ("start", "first"),
    [(-2.0, 0), (-1.0, 0), (-0.9, 1), (-0.5, 5), (0.0, 10), (0.1, 11), (0.9, 19)],
)
def test_start_is_an_edge_whatever_its_sign(start, first):
    assert bins(start=start) == Binning(first, 20, 1)
    if start > -1.0:
        assert bins(stop=start) == Binning(0, first, 1)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e12, 1e300])
@pytest.mark.parametrize("log", [False, True])
def test_edges_are_found_at_any_scale(scale, log):
    axis = HistogramSpec(bins=30, start=scale, stop=100 * scale, log=log)
    for k, edge in enumerate(axis.axes("h")[0].boundaries[:-1]):
        assert bins(axis, start=edge).first == k
        assert bins(axis, start=float(f"{edge:.10g}")).first == k


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start": -0.95}, r"fit\.start, region h: -0\.95 is inside a bin.*-1, -0\.9"),
        ({"stop": 0.55}, r"fit\.stop, region h: 0\.55 is inside a bin"),
        ({"start": 1.0}, "no bin of h is left"),
        ({"start": 0.5, "stop": 0.5}, "no bin of h is left"),
        ({"stop": -1.0}, "no bin of h is left"),
        ({"rebin": 3}, "20 bins of h from -1 to 1 cannot be merged in groups of 3"),
        ({"rebin": 40}, "cannot be merged"),
        ({"start": -0.9, "rebin": 2}, "19 bins of h from -0.9 to 1 cannot be merged"),
    ],
)
def test_what_does_not_fit_the_axis_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        bins(**changes)


TABLE = {
    "workflow": "hep",
    "name": "test",
    "select": "any.module:select",
    "columns": ["x"],
    "luminosity": 1.0,
    "variations": ["x_up", "x_down"],
    "samples": {
        "sig": {"files": ["s.root"], "cross_section": 1.0, "variations": ["x_up"]},
        "bkg": {"files": ["b.root"], "cross_section": 1.0},
        "alt": {"files": ["a.root"], "cross_section": 1.0, "varies": "bkg"},
        "data": {"files": ["d.root"], "data": True},
    },
    "histograms": {
        "h": {"bins": 4, "start": 0.0, "stop": 4.0},
        "map": {"observable": ["x", "y"], "bins": [2, 2], "start": 0.0, "stop": 1.0},
    },
}


def spec(**fit) -> HepSpec:
    table = {**TABLE, "fit": {"signal": "sig", "regions": ["h"], **fit}}
    return parse(HepSpec, table, where="spec")


@pytest.mark.parametrize(
    "systematics",
    [
        {"x": {"up": "x_up"}},
        {"x": {"up": "x_up", "down": "x_down", "samples": ["bkg"]}},
        {"x": {"up": "x_down"}},
        {"x": {"up": "alt"}},
        {"x": {"up": "alt", "down": "x_down"}},
        {"x": {"up": "alt", "samples": ["bkg"]}},
    ],
)
def test_templates_that_exist_are_taken(systematics):
    assert spec(systematics=systematics).fit.systematics


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        (
            {"systematics": {"x": {"up": "x_up", "down": "x_down"}}},
            "sample 'sig' has no variation 'x_d",
        ),
        (
            {"systematics": {"x": {"up": "x_down", "samples": ["sig"]}}},
            "sample 'sig' has no variation",
        ),
        (
            {"systematics": {"x": {"up": "alt", "samples": ["sig"]}}},
            "'alt' varies 'bkg', not 'sig'",
        ),
        ({"systematics": {"x": {"up": "x_up", "down": "alt"}}}, "'alt' varies 'bkg', not 'sig'"),
        ({"systematics": {"x": {"up": "x_up", "down": "x_up"}}}, "up and down are both 'x_up'"),
        ({"systematics": {"x": {"up": "x_upp"}}}, "no 'x_upp' here; did you mean x_up"),
        ({"systematics": {"x": {"up": "x_up", "samples": ["data"]}}}, "no 'data' here"),
        ({"systematics": {"x": {"up": "x_up", "samples": ["bkg", "bkg"]}}}, "'bkg' is there twice"),
        ({"systematics": {"luminosity": {"up": "x_up"}}}, "is the luminosity; choose another"),
        ({"systematics": {"sig_norm": {"up": "x_up"}}}, "is the parameter of interest"),
        ({"systematics": {"staterror_h": {"up": "x_up"}}}, "the statistics of h"),
        ({"signal": "data"}, "'data' is data"),
        ({"signal": "alt"}, "no 'alt' here"),
        ({"regions": ["h", "h"]}, "'h' is there twice"),
        ({"regions": ["map"]}, "'map' has 2 axes"),
        ({"pseudodata": {"data": 1.0}}, "'data' is data"),
        ({"rebin": 3}, "cannot be merged in groups of 3"),
        ({"start": 0.5}, "inside a bin"),
        ({"luminosity_error": 1.5}, "relative and below 1"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_one_line(fit, said):
    with pytest.raises(SpecError, match=said) as error:
        spec(**fit)
    assert "\n" not in str(error.value)


def test_boundaries_are_those_that_are_filled():
    from spectrum_workflows.hep.histogram import empty

    for axis in (
        AXIS,
        HistogramSpec(bins=7, start=0.1, stop=900.0, log=True),
        HistogramSpec(edges=(0.0, 1.0, 10.0)),
        HistogramSpec(integer=True, start=-3.0, stop=4.0),
    ):
        found = np.asarray(empty("h", axis).axes[0].edges)
        np.testing.assert_allclose(axis.axes("h")[0].boundaries, found, rtol=1e-12, atol=1e-15)
