"""Our likelihood beside pyhf's, and what is asked of it: limits, impacts, scans, goodness, toys."""

from functools import partial

import numpy as np
import pyhf
import pytest

from spectrum_workflows import hep
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.fit.minimum import covariance, expected, minimum
from spectrum_workflows.hep.fit.model import compiled

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")

NOMINAL = {"4j": {"new": [2.0, 6.0, 3.0], "top": [40.0, 30.0, 15.0]}, "5j": {"top": [22.0, 9.0]}}


def sample(region, name, *more):
    data = np.array(NOMINAL[region][name])
    errors = (0.4 * np.sqrt(data)).tolist()
    by_bin = {"name": f"staterror_{region}", "type": "staterror", "data": errors}
    return {"name": name, "data": data.tolist(), "modifiers": [*more, by_bin]}


def both_ways(name, hi, lo, up, down):
    shape = {"hi_data": up, "lo_data": down}
    return [
        {"name": name, "type": "normsys", "data": {"hi": hi, "lo": lo}},
        {"name": name, "type": "histosys", "data": shape},
    ]


def workspace(data=((41, 34, 20), (20, 11))):
    """Every kind of modifier that the schema has."""
    signal = {"name": "mu", "type": "normfactor", "data": None}
    lumi = {"name": "lumi", "type": "lumi", "data": None}
    energy = both_ways("energy", 1.08, 0.95, [38.0, 31.0, 16.0], [43.0, 28.0, 14.0])
    fakes = {
        "name": "fakes",
        "data": [5.0, 4.0],
        "modifiers": [
            {"name": "guess", "type": "shapesys", "data": [2.0, 0.0]},
            {"name": "free", "type": "shapefactor", "data": None},
        ],
    }
    tagging = {"name": "tagging", "type": "normsys", "data": {"hi": 1.2, "lo": 0.9}}
    return {
        "version": "1.0.0",
        "channels": [
            {
                "name": "4j",
                "samples": [sample("4j", "new", signal, lumi), sample("4j", "top", lumi, *energy)],
            },
            {"name": "5j", "samples": [sample("5j", "top", lumi, tagging), fakes]},
        ],
        "observations": [
            {"name": region, "data": [float(n) for n in counts]}
            for region, counts in zip(("4j", "5j"), data, strict=True)
        ],
        "measurements": [
            {
                "name": "fit",
                "config": {
                    "poi": "mu",
                    "parameters": [
                        {
                            "name": "lumi",
                            "auxdata": [1.0],
                            "sigmas": [0.05],
                            "bounds": [[0.5, 1.5]],
                            "inits": [1.0],
                        },
                        {"name": "free", "fixed": True},
                    ],
                },
            }
        ],
    }


@pytest.fixture(scope="module")
def described():
    return workspace()


def theirs(described):
    found = pyhf.Workspace(described)
    model = found.model()
    return model, np.array(found.data(model))


def in_their_order(ours, model, values):
    """Our parameters in pyhf's order."""
    return np.concatenate([values[ours.sets[name]] for name in model.config.par_order])


def test_the_likelihood_is_that_of_pyhf_wherever_it_is_looked_at(described):
    ours, (model, data) = compiled(described), theirs(described)
    rng = np.random.default_rng(1)
    arrays = ours.arrays
    for _ in range(20):
        x = np.array(ours.start)
        free = ~ours.fixed
        spread = np.where(np.array(ours.start) == 0, 1.5, 0.2)  # beyond one standard deviation too
        x[free] += rng.normal(0, spread[free])
        x = np.clip(x, arrays.parameters[0], arrays.parameters[1])
        shifted = in_their_order(ours, model, x)
        np.testing.assert_allclose(
            expected(ours, x), model.expected_actualdata(shifted), rtol=1e-12
        )
        held = minimum(ours, held=dict(enumerate(x.tolist())))
        ln = held.distance + ours.constant(ours.data, ours.centre)
        assert -ln == pytest.approx(float(model.logpdf(shifted, data)[0]), rel=1e-11)


def test_the_best_fit_and_its_errors_are_those_of_minuit(described):
    ours = compiled(described)
    at, fit = minimum(ours), hep.fit_workspace(described)
    assert at.found
    where = [ours.names.index(name) for name in fit.names]
    errors = np.where(fit.errors > 0, fit.errors, 1.0)
    np.testing.assert_allclose((at.values[where] - fit.values) / errors, 0, atol=2e-3)
    assert 2 * at.distance == pytest.approx(fit.chi2, abs=1e-5)
    spread = np.sqrt(np.diag(covariance(ours, at)))[where]
    np.testing.assert_allclose(spread, fit.errors, rtol=0.03)
    goodness = hep.goodness_of_fit(described)
    assert (goodness.ndf, goodness.chi2) == (fit.ndf, pytest.approx(fit.chi2, abs=1e-5))


def test_no_point_around_the_minimum_is_lower(described):
    ours = compiled(described)
    at = minimum(ours)
    rng = np.random.default_rng(2)
    for size in (1e-4, 1e-2, 0.1):
        for _ in range(30):
            x = at.values + size * rng.normal(size=len(at.values)) * ~ours.fixed
            x = np.clip(x, ours.arrays.parameters[0], ours.arrays.parameters[1])
            assert minimum(ours, held=dict(enumerate(x.tolist()))).distance >= at.distance - 1e-10


def test_a_limit_is_where_pyhf_with_minuit_finds_the_level(described):
    found = hep.limit(described)
    model, data = theirs(described)
    pyhf.set_backend("numpy", "minuit")
    try:
        cls, bands = pyhf.infer.hypotest(found.observed, data, model, return_expected_set=True)
        assert float(cls) == pytest.approx(0.05, rel=0.01)
        _, bands = pyhf.infer.hypotest(found.expected[2], data, model, return_expected_set=True)
        assert float(bands[2]) == pytest.approx(0.05, rel=0.01)
    finally:
        pyhf.set_backend("numpy", "scipy")
    assert (np.diff(found.expected) > 0).all()
    assert (np.diff(found.values) > 0).all()
    assert (np.diff(found.cls_observed) < 1e-9).all()
    weaker = hep.limit(described, level=0.68)
    assert weaker.observed < found.observed


def test_a_limit_that_cannot_be_is_refused(described):
    with pytest.raises(SpecError, match=r"1\.5 is no confidence level"):
        hep.limit(described, level=1.5)
    with pytest.raises(DataError, match="beyond 10, the end of the range of mu"):
        hep.limit(workspace(data=((160, 130, 90), (20, 11))))
    with pytest.raises(DataError, match="not a workspace"):
        hep.limit({"version": "1.0.0"})


def test_data_where_only_the_signal_is_expected_is_said():
    alone = workspace()
    top = alone["channels"][0]["samples"][1]
    shape = next(m["data"] for m in top["modifiers"] if m["type"] == "histosys")
    for contents in (top["data"], shape["hi_data"], shape["lo_data"]):
        contents[2] = 0.0
    with pytest.raises(DataError, match="nothing is expected without the signal; merge bins"):
        hep.limit(alone)


def test_a_backend_of_the_user_is_his_again_after_a_limit(described):
    before = pyhf.get_backend()
    hep.significance(described)
    assert pyhf.get_backend() == before


def test_significance_is_of_the_rise_at_no_signal(described):
    found = hep.significance(described)
    ours = compiled(described)
    rise = 2 * (minimum(ours, held={ours.poi: 0.0}).distance - minimum(ours).distance)
    assert found.z == pytest.approx(np.sqrt(rise), rel=1e-5)
    assert found.p_value < 0.5


def test_an_impact_is_the_shift_of_a_fit_with_the_nuisance_held(described):
    found = hep.impacts(described)
    assert (np.diff(np.maximum(abs(found.up), abs(found.down))) <= 0).all()
    model, data = theirs(described)
    k = found.names.index("energy")
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3))
    try:
        init, fixed = model.config.suggested_init(), model.config.suggested_fixed()
        at = model.config.par_slice("energy").start
        init[at], fixed[at] = found.values[k] + found.errors[k], True
        moved = pyhf.infer.mle.fit(data, model, init_pars=init, fixed_params=fixed)
    finally:
        pyhf.set_backend("numpy", "scipy")
    shift = float(moved[model.config.poi_index]) - found.best
    assert found.up[k] == pytest.approx(shift, abs=2e-3 * found.error)
    assert np.isfinite(found.pulls).sum() == len(found.names)


def test_the_interval_is_where_the_profile_has_risen_by_one(described):
    more = workspace(data=((44, 42, 25), (20, 11)))
    scanned = hep.scan_likelihood(more, points=5)
    ours = compiled(more)
    best = minimum(ours).distance
    for end in scanned.interval:
        rise = 2 * (minimum(ours, held={ours.poi: end}).distance - best)
        assert rise == pytest.approx(1.0, abs=1e-4)
    assert scanned.interval[0] < scanned.best < scanned.interval[1]
    assert np.isnan(hep.scan_likelihood(described, points=3).interval[0])  # it is below 0
    with pytest.raises(SpecError, match="scan of 2 points"):
        hep.scan_likelihood(described, points=2)


def test_what_the_likelihood_does_not_know_is_refused():
    other = workspace()
    other["channels"][0]["samples"][0]["modifiers"][0]["type"] = "wiggle"
    with pytest.raises(DataError, match="a modifier of type 'wiggle'"):
        hep.goodness_of_fit(other)
    shared = workspace()
    shared["channels"][1]["samples"][0]["modifiers"][-1]["name"] = "staterror_4j"
    with pytest.raises(DataError, match="stands in the regions 4j and 5j"):
        hep.goodness_of_fit(shared)


TOYS = 400


@pytest.fixture(scope="module")
def toys(described):
    return hep.throw_toys(described, statistic="limit", tested=3.0, toys=TOYS, seed=4)


def test_toys_do_not_depend_on_workers_or_on_how_they_are_shared_out(described, toys, dask_client):
    again = partial(hep.throw_toys, described, statistic="limit", tested=3.0, toys=TOYS, seed=4)
    assert again(client=dask_client, at_once=37).values.tobytes() == toys.values.tobytes()
    fewer = hep.throw_toys(described, statistic="limit", tested=3.0, toys=10, seed=4)
    assert fewer.values.tobytes() == toys.values[:10].tobytes()
    other = hep.throw_toys(described, statistic="limit", tested=3.0, toys=10, seed=5)
    assert (other.values != fewer.values).any()


def test_toys_find_what_the_asymptotic_formulae_say(described, toys):
    assert toys.failed == 0
    limits = hep.limit(described)
    asymptotic = np.interp(3.0, limits.values, limits.cls_observed)
    assert abs(toys.cls - asymptotic) < 4 * toys.cls_error + 0.05
    goodness = hep.throw_toys(described, statistic="goodness", toys=TOYS, seed=1)
    by_formula = hep.goodness_of_fit(described).p_value
    assert abs(goodness.p_value - by_formula) < 4 * goodness.p_error + 0.05
    assert goodness.observed == pytest.approx(hep.goodness_of_fit(described).chi2)
    assert 0 < goodness.cpu_seconds < 0.1


def test_discovery_toys_are_zero_half_of_the_time(described):
    found = hep.throw_toys(described, statistic="discovery", toys=TOYS, seed=2)
    assert 0.35 < np.mean(found.values == 0) < 0.65
    assert found.observed == pytest.approx(hep.significance(described).z ** 2, rel=1e-4)


def test_a_probability_of_few_toys_is_never_exact():
    few = hep.Toys("limit", 1.0, 5.0, np.zeros(50), np.linspace(0, 10, 50))
    assert (few.p_value, few.cls) == (0.0, 0.0)
    assert few.p_error == pytest.approx(np.sqrt(51 / 53) / 52)  # of Beta(1, 51)
    assert few.cls_error == pytest.approx(2 * few.p_error)
    half = hep.Toys("goodness", np.nan, 5.0, np.repeat([0.0, 9.0], 500))
    assert half.p_error == pytest.approx(np.sqrt(0.25 / 1000), rel=2e-3)


def test_toys_that_cannot_be_are_refused(described):
    for tested in (-1.0, 0.0, 1e6, np.nan):
        with pytest.raises(SpecError, match="is no value of .* to test; choose one above 0, up to"):
            hep.throw_toys(described, statistic="limit", tested=tested, toys=1)
    with pytest.raises(SpecError, match="'mean' is no statistic of toys"):
        hep.throw_toys(described, statistic="mean")
    with pytest.raises(SpecError, match="0 toys"):
        hep.throw_toys(described, toys=0)
