"""Statistics of counting experiments, whose answers can be written down."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2, norm

from spectrum_workflows import hep
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.fit import toys
from spectrum_workflows.hep.fit.minimum import minimum
from spectrum_workflows.hep.fit.model import compiled

pytestmark = pytest.mark.xdist_group("hep counting experiments")  # what they share is made once


def experiment(
    signal: list[float], background: list[float], data: list[float], luminosity: float = 0.0
) -> dict[str, Any]:
    """One region in the schema of pyhf; nothing is uncertain but the luminosity, perhaps."""
    strength = {"name": "mu", "type": "normfactor", "data": None}
    lumi = [{"name": "lumi", "type": "lumi", "data": None}] if luminosity else []
    samples = [{"name": "signal", "data": signal, "modifiers": [strength, *lumi]}]
    if any(background):
        samples.append({"name": "background", "data": background, "modifiers": []})
    parameters = [{"name": "mu", "bounds": [[0.0, 10.0]], "inits": [1.0]}]
    if luminosity:
        known = {"auxdata": [1.0], "sigmas": [luminosity], "inits": [1.0]}
        parameters.append({"name": "lumi", "bounds": [[0.5, 1.5]], **known})
    return {
        "version": "1.0.0",
        "channels": [{"name": "r", "samples": samples}],
        "observations": [{"name": "r", "data": data}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
    }


def rise(mu: float, s: float, b: float, n: float, best: float) -> float:
    """Twice the rise of the negative logarithm of the Poisson likelihood from its minimum."""

    def negative(strength: float) -> float:
        expected = strength * s + b
        return expected - (n * math.log(expected) if n else 0.0)

    return 2 * (negative(mu) - negative(best))


@pytest.mark.parametrize(
    ("s", "b", "n"), [(100.0, 0.0, 100.0), (40.0, 60.0, 130.0), (5.0, 9.0, 14.0)]
)
def test_a_scan_is_the_parabola_of_poisson(s: float, b: float, n: float) -> None:
    best = (n - b) / s
    scan = hep.scan_likelihood(experiment([s], [b], [n]), points=7)
    assert scan.best == pytest.approx(best, rel=1e-5)
    assert scan.error == pytest.approx(math.sqrt(n) / s, rel=1e-4)
    expected = [rise(mu, s, b, n, best) for mu in scan.values.tolist()]
    np.testing.assert_allclose(scan.twice_delta_nll, expected, atol=1e-6)
    for end in scan.interval:
        if math.isfinite(end):
            assert rise(end, s, b, n, best) == pytest.approx(1.0, abs=1e-4)


def test_an_interval_that_leaves_the_range_of_the_parameter_has_no_end() -> None:
    low, high = hep.scan_likelihood(experiment([5.0], [9.0], [9.0]), points=3).interval
    assert math.isnan(low)
    assert high == pytest.approx(brentq(lambda mu: rise(mu, 5, 9, 9, 0.0) - 1, 0.1, 5), rel=1e-4)


@pytest.mark.parametrize("points", [2, 0, -1])
def test_a_scan_has_three_points(points: int) -> None:
    with pytest.raises(SpecError, match=f"a scan of {points} points; choose 3 or more"):
        hep.scan_likelihood(experiment([1.0], [1.0], [1.0]), points=points)


def test_goodness_of_fit_is_the_deviance_of_the_bins() -> None:
    s, n = np.array([50.0, 150.0, 100.0]), np.array([65.0, 140.0, 95.0])
    found = hep.goodness_of_fit(experiment(s.tolist(), [0.0] * 3, n.tolist()))
    expected = s * n.sum() / s.sum()
    deviance = 2 * np.sum(expected - n + n * np.log(n / expected))
    assert found.chi2 == pytest.approx(deviance, rel=1e-5)
    assert found.ndf == 2
    assert found.p_value == pytest.approx(chi2.sf(deviance, 2), rel=1e-4)


def test_one_bin_leaves_nothing_to_be_tested() -> None:
    found = hep.goodness_of_fit(experiment([50.0], [1.0], [60.0]))
    assert found.ndf == 0
    assert found.chi2 == pytest.approx(0.0, abs=1e-7)
    assert math.isnan(found.p_value)


@pytest.mark.parametrize(
    ("s", "b", "n"), [(10.0, 50.0, 60.0), (10.0, 50.0, 75.0), (3.0, 100.0, 90.0)]
)
def test_significance_of_a_known_background(s: float, b: float, n: float) -> None:
    found = hep.significance(experiment([s], [b], [n]))
    z = math.sqrt(2 * (n * math.log(n / b) - (n - b))) if n > b else 0.0
    expected = math.sqrt(2 * ((s + b) * math.log(1 + s / b) - s))
    assert found.z == pytest.approx(z, abs=1e-4)
    assert found.expected_z == pytest.approx(expected, abs=1e-4)
    assert found.p_value == pytest.approx(norm.sf(z), abs=1e-4)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_a_limit_where_the_background_is_observed(level: float) -> None:
    """CLs is twice the tail of the normal distribution there, at any background."""
    s, b = 10.0, 40.0
    found = hep.limit(experiment([s], [b], [b]), level=level)
    tail = norm.isf((1 - level) / 2) ** 2
    expected = brentq(lambda mu: rise(mu, s, b, b, 0.0) - tail, 0.1, 9.0)
    assert found.observed == pytest.approx(expected, rel=2e-3)
    assert found.expected[2] == pytest.approx(expected, rel=2e-3)
    assert list(found.expected) == sorted(found.expected)


def test_an_impact_of_the_luminosity_is_its_inverse() -> None:
    found = hep.impacts(experiment([10_000.0], [0.0], [10_000.0], luminosity=0.05))
    assert found.names == ("lumi",)
    assert found.errors[0] == pytest.approx(0.05, rel=1e-3)
    assert found.up[0] == pytest.approx(1 / 1.05 - 1, rel=2e-3)
    assert found.down[0] == pytest.approx(1 / 0.95 - 1, rel=2e-3)
    assert found.pulls[0] == pytest.approx(0.0, abs=1e-3)
    assert found.pull_errors[0] == pytest.approx(1.0, rel=1e-3)
    assert found.error == pytest.approx(math.hypot(0.05, 0.01), rel=5e-3)


def test_more_data_than_the_model_pulls_what_is_uncertain() -> None:
    """With the strength held, one constraint and one count share the difference."""
    model = compiled(experiment([10_000.0], [0.0], [10_500.0], luminosity=0.05))
    held = minimum(model, held={model.poi: 1.0})
    assert held is not None
    pulled = held.values[[k for k, name in enumerate(model.names) if name != "mu"]][0]
    weight = 0.05**-2 / (0.05**-2 + 10_000)
    assert pulled == pytest.approx(1 + 0.05 * (1 - weight), rel=1e-3)


@pytest.mark.parametrize(
    ("statistic", "number", "says"),
    [("qmu", 0, "toys"), ("nothing", 10, "nothing")],
)
def test_toys_that_cannot_be_are_refused(statistic: str, number: int, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        toys.check(statistic, toys=number)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda w: w.pop("channels"),
        lambda w: w["channels"][0]["samples"][0]["data"].append(1.0),
        lambda w: w["measurements"][0]["config"].update(poi="nothing"),
        lambda w: w["observations"].clear(),
    ],
)
def test_what_is_no_workspace_is_refused(spoil: Any) -> None:
    described = experiment([10.0], [5.0], [15.0])
    spoil(described)
    with pytest.raises((DataError, SpecError)):
        hep.goodness_of_fit(described)
