import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.fit import Z_WIDTH, fit_peak


def histogram(values, edges, weight=1.0):
    counts = np.histogram(values, edges)[0].astype(np.float64)
    return edges, counts * weight, counts * weight**2


def z_events(n, sigma, rng):
    return 91.0 + Z_WIDTH / 2 * rng.standard_cauchy(n) + rng.normal(0, sigma, n)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_z_mass_and_resolution_are_recovered_within_their_errors(seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([z_events(20_000, 1.4, rng), rng.uniform(60, 120, 4_000)])
    fitted = fit_peak(*histogram(values, np.linspace(60, 120, 121)), kind="z")
    assert abs(fitted.values["mass"] - 91.0) < 5 * fitted.errors["mass"]
    assert abs(fitted.values["sigma"] - 1.4) < 5 * fitted.errors["sigma"]
    assert 0.01 < fitted.errors["mass"] < 0.05
    assert 0.3 < fitted.chi2 / fitted.ndf < 2.0


def test_top_mass_is_recovered_and_weights_scale_the_peak_only():
    rng = np.random.default_rng(11)
    peak, background = rng.normal(171.0, 12.0, 8_000), rng.lognormal(np.log(190), 0.5, 20_000)
    values, edges = np.concatenate([peak, background]), np.linspace(50, 550, 51)
    one = fit_peak(*histogram(values, edges), kind="top")
    assert abs(one.values["mass"] - 171.0) < 4 * one.errors["mass"]
    assert abs(one.values["events"] - 8_000) < 4 * one.errors["events"]
    seven = fit_peak(*histogram(values, edges, 7.0), kind="top")
    assert seven.values["mass"] == pytest.approx(one.values["mass"], abs=1e-3)
    assert seven.errors["mass"] == pytest.approx(one.errors["mass"], rel=1e-2)
    assert seven.values["events"] == pytest.approx(7 * one.values["events"], rel=1e-3)


def test_the_drawn_curve_is_content_per_bin():
    rng = np.random.default_rng(12)
    edges, values, variances = histogram(z_events(50_000, 1.5, rng), np.linspace(60, 120, 121))
    fitted = fit_peak(edges, values, variances, kind="z")
    centre = (edges[1:] + edges[:-1]) / 2
    near = abs(centre - 91) < 1
    drawn = np.interp(centre[near], fitted.x, fitted.y)
    np.testing.assert_allclose(drawn, values[near], rtol=0.1)


def test_too_few_events_or_no_peak_is_said_instead_of_fitted():
    edges = np.linspace(60, 120, 61)
    with pytest.raises(DataError, match="30 effective entries in 42 bins between 70 and 112"):
        fit_peak(*histogram(np.full(30, 91.0), edges), kind="z")
    with pytest.raises(DataError, match="too few"):
        fit_peak(edges, np.zeros(60), np.zeros(60), kind="z")
    flat = np.random.default_rng(13).uniform(60, 120, 3_000)
    with pytest.raises(DataError, match="no peak"):
        fit_peak(*histogram(flat, edges), kind="z")
