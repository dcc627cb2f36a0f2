"""Simulated arrays, schedules and skies: closed forms, without writing a set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import OutputError, SpecError
from spectrum_workflows.radio import synthetic
from spectrum_workflows.radio.spec import SimulationSpec, SourceSpec
from spectrum_workflows.radio.synthetic import array, sky
from spectrum_workflows.radio.synthetic.schedule import SIDEREAL, _turns, schedule
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT

from .conftest import spec_of


def simulation(**keys):
    return SimulationSpec.model_validate({"telescope": "vla-d"} | keys)


def source(flux=1.0, east=0.0, north=0.0, **keys):
    return SourceSpec(name="S", flux_jy=flux, east_arcsec=east, north_arcsec=north, **keys)


def seen(uvw, hertz, *sources):
    sky_ = sky.sky_of(sources)
    return sky.visibilities(np.array(uvw, float), np.atleast_1d(np.array(hertz, float)), sky_)


BASELINES = np.random.default_rng(1).normal(0, 500, (40, 3))
HERTZ = 1.4e9 + 5e6 * np.arange(5)

# Skies


def test_a_source_in_the_middle_has_its_flux_on_every_baseline():
    np.testing.assert_allclose(seen(BASELINES, HERTZ, source(2.5)), 2.5, rtol=1e-6)


def test_no_source_is_no_visibility():
    assert not seen(BASELINES, HERTZ).any()


@settings(max_examples=20)
@given(east=st.floats(-5e4, 5e4), north=st.floats(-5e4, 5e4), flux=st.floats(0.01, 10))
def test_a_point_turns_the_phase_by_its_path(east, north, flux):
    l, m = east * ARCSEC, north * ARCSEC  # noqa: E741
    turns = BASELINES @ [l, m, np.sqrt(1 - l**2 - m**2) - 1]
    expected = flux * np.exp(2j * np.pi * turns[:, None] * HERTZ / SPEED_OF_LIGHT)
    found = seen(BASELINES, HERTZ, source(flux, east, north))
    np.testing.assert_allclose(found, expected, atol=2e-6 * flux)


def test_skies_add_up_and_the_order_does_not_matter():
    a, b = source(1.0, 100.0, -50.0), source(0.5, -300.0, 20.0, fwhm_arcsec=30.0)
    c = source(0.2, 10.0, 10.0, ring_arcsec=(10.0, 20.0))
    whole = seen(BASELINES, HERTZ, a, b, c)
    parts = sum(seen(BASELINES, HERTZ, each).astype(complex) for each in (a, b, c))
    np.testing.assert_allclose(whole, parts, atol=1e-6)
    np.testing.assert_allclose(seen(BASELINES, HERTZ, c, b, a), whole, atol=1e-6)


def test_the_opposite_baseline_sees_the_conjugate():
    extended = source(1.0, 200.0, 30.0, fwhm_arcsec=20.0), source(0.3, ring_arcsec=(0.0, 60.0))
    one, two = (seen(sign * BASELINES, HERTZ, *extended) for sign in (1, -1))
    np.testing.assert_allclose(one, two.conj(), atol=1e-6)


def test_a_gaussian_has_half_its_flux_where_its_transform_does():
    """At 2 ln 2 / (π θ) wavelengths."""
    theta = 10 * ARCSEC
    length = 2 * np.log(2) / (np.pi * theta) * SPEED_OF_LIGHT / 1e9
    found = seen([[length, 0, 0], [0, -length, 5e3]], 1e9, source(3.0, fwhm_arcsec=10.0))
    np.testing.assert_allclose(found, 1.5, rtol=1e-5)


@pytest.mark.parametrize(
    ("inner", "outer", "zero"),
    [(1.0, 1.0, 2.404825557695773), (0.0, 1.0, 3.8317059702075125)],
    ids=["thin ring", "disk"],
)
def test_rings_vanish_where_their_bessel_functions_do(inner, outer, zero):
    baseline = np.array([0.0, zero / np.pi])
    assert sky.ring(baseline, inner, outer) == pytest.approx([1, 0], abs=1e-9)


def test_a_ring_that_gets_thin_is_a_thin_ring():
    baseline = np.linspace(0, 3, 20)
    nearly = sky.ring(baseline, 1 - 1e-6, 1.0)
    np.testing.assert_allclose(nearly, sky.ring(baseline, 1.0, 1.0), atol=1e-5)


def test_a_source_behind_the_observer_is_refused():
    with pytest.raises(SpecError, match="source S is more than 90 deg") as caught:
        sky.sky_of([source(east=150_000.0, north=150_000.0)])
    assert caught.value.remedy
    sky.sky_of([source(east=200_000.0)])


@pytest.mark.parametrize("count", [0, 1, 2, 500])
def test_scattered_sources_have_the_fluxes_of_a_power_law(count):
    drawn = sky.sources(simulation(point_sources=count, flux_jy=(0.01, 1.0)), 1000.0)
    fluxes = np.array([each.flux_jy for each in drawn])
    assert len(fluxes) == count
    assert all(max(abs(s.east_arcsec), abs(s.north_arcsec)) <= 420 for s in drawn)
    if count:
        assert fluxes[0] == 1.0
        assert (np.diff(fluxes) < 0).all()
    if count > 1:
        assert fluxes[-1] == pytest.approx(0.01)
    if count > 100:  # N(>S) goes as S^-0.8 from its value at the lower end
        middle = np.searchsorted(-fluxes, -0.1)
        expected = (0.1**-0.8 - 1) / (0.01**-0.8 - 1)
        assert middle / count == pytest.approx(expected, abs=0.01)


def test_another_field_and_another_seed_have_other_sources():
    fields = [
        {"name": n, "right_ascension_deg": 10.0, "declination_deg": 5.0, "point_sources": 3}
        for n in "ab"
    ]
    own = simulation(fields=fields)
    one, two = (sky.sources(own, 100.0, n) for n in (0, 1))
    assert one != two
    assert sky.sources(own, 100.0, 0) == one
    assert sky.sources(simulation(fields=fields, seed=2), 100.0, 0) != one


# Arrays


@pytest.mark.parametrize("name", ["vla-a", "vla-d", "meerkat"])
def test_baselines_keep_their_lengths_through_the_day(name):
    telescope = array.telescope(name)
    uvw = array.uvw(telescope, np.linspace(-1.5, 1.5, 4), 0.3)
    first, second = array.baselines(telescope)
    count = len(telescope.enu)
    assert len(first) == count * (count - 1) // 2
    assert (first < second).all()
    expected = np.linalg.norm(telescope.enu[second] - telescope.enu[first], axis=1)
    np.testing.assert_allclose(np.linalg.norm(uvw, axis=2), np.tile(expected, (4, 1)), rtol=1e-12)


def test_a_source_at_the_pole_sees_the_array_turn():
    telescope = array.telescope("vla-d")
    uvw = array.uvw(telescope, np.array([0.0, np.pi / 2]), np.pi / 2)
    np.testing.assert_allclose(uvw[1, :, 0], -uvw[0, :, 1], atol=1e-9)
    np.testing.assert_allclose(uvw[1, :, 1], uvw[0, :, 0], atol=1e-9)
    np.testing.assert_allclose(uvw[1, :, 2], uvw[0, :, 2], atol=1e-9)


@pytest.mark.parametrize("hour", [-3.0, 0.0, 2.0])
def test_w_is_the_height_over_the_plane_of_the_sky(hour):
    """A baseline towards the zenith has w = its length × sin(elevation)."""
    enu = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 100.0]])
    telescope = array.Telescope("T", 0.6, 0.0, 0.0, enu, 25.0)
    angle = np.radians([15 * hour])
    [[[_, _, w]]] = array.uvw(telescope, angle, 0.4)
    assert w == pytest.approx(100 * np.sin(array.elevation(telescope, angle, 0.4)[0]))
    zenith = array.elevation(telescope, np.array([0.0]), 0.6)[0]
    assert zenith == pytest.approx(np.pi / 2, abs=1e-7)


def test_configurations_shrink_by_their_factor():
    sizes = [np.linalg.norm(array.telescope(f"vla-{c}").enu, axis=1).max() for c in "abcd"]
    np.testing.assert_allclose(np.divide(sizes[:-1], sizes[1:]), 3.285)
    assert sizes[0] == pytest.approx(21_000.0)


def test_dishes_on_the_earth_are_as_far_apart_as_on_the_ground():
    telescope = array.telescope("meerkat")
    place = array.itrf(telescope)
    np.testing.assert_allclose(
        np.linalg.norm(place - array.centre(telescope), axis=1),
        np.linalg.norm(telescope.enu, axis=1),
        rtol=1e-9,
    )


# Schedules


@pytest.mark.parametrize(("asked", "times"), [(1, 1), (351 * 16, 1), (351 * 16 * 7, 7)])
def test_so_many_times_make_about_the_visibilities(asked, times):
    plan = schedule(simulation(), asked)
    assert len(plan.hour_angle) == times
    assert plan.nrow == 351 * times
    assert plan.interval == 4 / 24 * 86_400 / times
    assert np.degrees(plan.hour_angle).mean() == pytest.approx(0, abs=1e-9)
    assert plan.plain


def test_noise_follows_bandwidth_and_time():
    own = {"sefd_jy": 400.0, "channel_width_hz": 1e6}
    windows = [{"frequency_hz": 1e9}, {"frequency_hz": 2e9, "channel_width_hz": 4e6}]
    plan = schedule(simulation(windows=windows, **own), 351 * 32 * 10)
    one, two = plan.bands
    assert one.sigma == pytest.approx(400 / np.sqrt(2 * 1e6 * plan.interval))
    assert two.sigma == one.sigma / 2
    assert one.weight == pytest.approx(one.sigma**-2)
    silent = schedule(simulation(sefd_jy=0), 10).bands[0]
    assert (silent.sigma, silent.weight) == (0, 1)


def test_hour_angles_are_a_sidereal_day_apart_in_time():
    plan = schedule(simulation(hour_angles=(-3.0, 3.0)), 351 * 16 * 20)
    turned = np.degrees(np.diff(plan.hour_angle)) / SIDEREAL * 86_400
    np.testing.assert_allclose(np.diff(plan.time), turned, rtol=1e-6)
    assert 60_310 * 86_400 <= plan.time[0] < 60_311 * 86_400


@settings(max_examples=40)
@given(ntarget=st.integers(1, 4), turns=st.integers(1, 4), ntime=st.integers(1, 40))
def test_fields_take_turns_of_equal_lengths(ntarget, turns, ntime):
    if ntarget * turns > ntime:
        with pytest.raises(
            SpecError, match=f"{ntarget * turns} scans, and {ntime} times"
        ) as caught:
            _turns(ntarget, turns, ntime)
        assert "fewer turns" in caught.value.remedy
        return
    target, scan = _turns(ntarget, turns, ntime)
    lengths = np.bincount(scan)[1:]
    assert len(lengths) == ntarget * turns
    assert np.ptp(lengths) <= 1
    assert (np.diff(scan) >= 0).all()
    assert (target == (scan - 1) % ntarget).all()


@settings(max_examples=20)
@given(longest=st.integers(1, 9), turns=st.integers(1, 3))
def test_stretches_hold_every_time_once_and_one_field_each(longest, turns):
    fields = [{"name": n, "right_ascension_deg": 180.0, "declination_deg": 40.0} for n in "abc"]
    plan = schedule(simulation(fields=fields, turns=turns), 351 * 16 * 20)
    pieces = list(plan.stretches(longest))
    assert [n for p in pieces for n in range(p.start, p.stop)] == [*range(20)]
    assert all(p.stop - p.start <= longest and np.ptp(plan.scan[p]) == 0 for p in pieces)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"declination_deg": -70.0}, "the phase centre is below the horizon of VLA"),
        ({"hour_angles": (-9.0, 1.0), "declination_deg": 0.0}, "the phase centre is below"),
    ],
)
def test_nobody_looks_below_the_horizon(keys, words):
    with pytest.raises(SpecError, match=words) as caught:
        schedule(simulation(**keys), 351 * 16 * 10)
    assert "hour_angles or declination_deg" in caught.value.remedy


# Files


@pytest.mark.parametrize("form", ["ms", "uvfits", "uvh5", "zarr"])
def test_a_set_of_another_format_in_its_place_is_not_hidden(tmp_path, form):
    other = "uvfits" if form != "uvfits" else "uvh5"
    (tmp_path / f"small.{other}").write_bytes(b"")
    with pytest.raises(OutputError, match="a set of that name is here in another format"):
        synthetic._check_alone(f"{tmp_path}/small", form)
    synthetic._check_alone(f"{tmp_path}/else", form)


def test_a_source_behind_the_observer_is_told_before_anything_is_written(tmp_path):
    behind = {"name": "far", "flux_jy": 1.0, "east_arcsec": 3e5, "north_arcsec": 0.0}
    spec = spec_of(synthetic={"sources": [behind]})
    with pytest.raises(SpecError, match="source far is more than 90 deg"):
        synthetic.make(spec, str(tmp_path))
    assert list(tmp_path.iterdir()) == []
