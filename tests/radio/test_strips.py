"""The strip operator: as exact as one call, its own adjoint, and what it rests on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.radio.gridding import invert, predict, vis2dirty
from spectrum_workflows.radio.strips import bandpass, planner
from spectrum_workflows.radio.strips.coverage import covered
from spectrum_workflows.radio.strips.cutting import cut, joined, unpacked, within_layout
from spectrum_workflows.radio.strips.interpolation import interpolated, span, transposed
from spectrum_workflows.radio.strips.one_process import invert_in_strips
from spectrum_workflows.radio.strips.types import StripData
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Geometry, Pixels, Visibilities

from .layouts import observed, plan_of, prediction_of, strips_of

FEW = settings(max_examples=12, deadline=None, derandomize=True)


def test_the_gridder_folds_u_and_samples_exactly():
    """What all rests on and ducc0's documentation does not promise: pixels far too
    coarse for the data are samples of the same image, the w term included."""
    data, cell = observed("vla", 45.0, 256)
    width, height = 7.3 * cell, 2.6 * cell
    u_high = np.abs(data.uvw[:, 0]).max() * data.frequency[-1] / SPEED_OF_LIGHT
    assert u_high * width > 1.5  # turns per pixel: folded three times at least
    pixels = Pixels(36, 100, width, height, 1e-9)
    found = vis2dirty(data, data.visibility, pixels)
    x = ((np.arange(36) - 18) * width)[:, None, None, None]
    y = ((np.arange(100) - 50) * height)[None, :, None, None]
    n = np.sqrt(1 - x**2 - y**2) - 1
    direct = np.zeros((36, 100))
    scale = data.frequency / SPEED_OF_LIGHT
    for part in np.array_split(np.arange(len(data.uvw)), 40):
        u, v, w = (data.uvw[part, k, None] * scale for k in range(3))
        turns = -u * x + v * y + w * n  # columns go west
        values = data.weight[part] * data.visibility[part]
        direct += (values * np.exp(-2j * np.pi * turns)).real.sum(axis=(2, 3))
    assert np.abs(found - direct).max() < 1e-6 * np.abs(direct).max()


@pytest.mark.parametrize("declination", [45.0, -30.0, 5.0])
@pytest.mark.parametrize("name", ["vla", "meerkat", "ska-low"])
@pytest.mark.parametrize(("epsilon", "briggs"), [(1e-3, False), (1e-4, True), (1e-5, False)])
def test_strips_equal_one_call(name, declination, epsilon, briggs):
    data, cell = observed(name, declination, 256, briggs=briggs)
    exact = invert(data, Geometry(256, cell, 1e-9))
    plan = plan_of(data, Geometry(256, cell, epsilon), 4)
    assert len(plan.strips) == 4
    assert min(strip.x.count for strip in plan.strips) < 160  # they are coarse
    error = np.abs(invert_in_strips(data, plan) - exact).max() / np.abs(exact).max()
    assert error <= epsilon


@pytest.mark.parametrize("name", ["vla", "meerkat", "ska-low"])
def test_prediction_in_strips_equals_one_call(name):
    data, cell = observed(name, 5.0, 256)
    model = np.zeros((256, 256))
    rng = np.random.default_rng(4)
    model[tuple(rng.integers(0, 256, (2, 30)))] = rng.uniform(0, 1, 30)
    plan = plan_of(data, Geometry(256, cell, 1e-4), 4)
    for own, seen in prediction_of(model, data, plan):
        exact = predict(model, own, Geometry(256, cell, 1e-9))
        assert np.abs(seen - exact).max() <= 1e-4 * np.abs(exact).max()


@given(seed=st.integers(0, 99), count=st.integers(1, 6), epsilon=st.sampled_from([1e-3, 1e-5]))
@FEW
def test_predicting_is_the_adjoint_of_imaging(seed, count, epsilon):
    data, cell = observed("meerkat", -30.0, 128, seed=seed)
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(2, *data.visibility.shape))
    data = Visibilities(
        data.uvw, data.frequency, (noise[0] + 1j * noise[1]).astype("c8"), data.weight, 0
    )
    plan = plan_of(data, Geometry(128, cell, epsilon), count)
    model = rng.normal(size=(128, 128))
    image = invert_in_strips(data, plan)
    left = float(np.sum(model * image))
    right = sum(
        np.sum(own.weight * (seen.conj() * own.visibility)).real
        for own, seen in prediction_of(model, data, plan)
    )
    assert abs(left - right) <= 3e-7 * np.linalg.norm(model) * np.linalg.norm(image)


@given(seed=st.integers(0, 999), count=st.integers(1, 12), pieces=st.integers(1, 4))
@FEW
def test_every_usable_visibility_is_in_one_strip(seed, count, pieces):
    data, cell = observed("ska-low", -60.0, 128, seed=seed)
    plan = plan_of(data, Geometry(128, cell, 1e-4), count)
    assert len(plan.strips) <= count
    by_time = np.array_split(np.arange(len(data.uvw)), pieces)
    chunks = [
        Visibilities(data.uvw[i], data.frequency, data.visibility[i], data.weight[i], len(i))
        for i in by_time
    ]
    found = [joined(parts) for parts in zip(*(cut(chunk, plan) for chunk in chunks), strict=True)]
    assert sum(own.unflagged for own in found) == len(data.uvw)
    usable = data.weight > 0
    total = sum(np.count_nonzero(own.weight) for own in found)
    assert total == np.count_nonzero(usable)
    for own, strip in zip(found, plan.strips, strict=True):
        [seen] = unpacked(own)
        u = np.abs(seen.uvw[:, :1]) * seen.frequency / SPEED_OF_LIGHT
        inside = u[seen.weight > 0]
        assert np.all(inside >= strip.u_start)
        assert np.all(inside < strip.u_stop) or strip is plan.strips[-1]
    values = np.concatenate([own.visibility[own.weight > 0] for own in found])
    assert sorted(values.tolist(), key=abs) == sorted(data.visibility[usable].tolist(), key=abs)


def test_chunks_of_other_channels_join():
    data, cell = observed("vla", 45.0, 128)
    plan = plan_of(data, Geometry(128, cell, 1e-4), 3)
    halves = [
        Visibilities(data.uvw, data.frequency[c], data.visibility[:, c], data.weight[:, c], 0)
        for c in (slice(0, 2), slice(2, 4))
    ]
    parts = [cut(half, plan) for half in halves]
    total = 0
    for n, once in enumerate(strips_of(data, plan)):
        [own] = unpacked(joined([part[n] for part in parts]))
        assert own.frequency.tolist() == once.frequency.tolist()
        for name in ("weight", "visibility"):
            whole, found = getattr(once, name), getattr(own, name)
            assert sorted(found[found != 0], key=abs) == sorted(whole[whole != 0], key=abs)
        total += np.count_nonzero(own.weight)
    assert total == np.count_nonzero(data.weight)


def test_an_empty_strip_is_a_black_image():
    data, cell = observed("vla", 45.0, 128)
    plan = plan_of(data, Geometry(128, cell, 1e-4), 3)
    only = Visibilities(data.uvw[:1], data.frequency, data.visibility[:1], data.weight[:1], 1)
    exact = invert(only, Geometry(128, cell, 1e-9))
    assert np.abs(invert_in_strips(only, plan) - exact).max() < 1e-3 * np.abs(exact).max()
    assert isinstance(joined(cut(only, plan)[:1]), StripData)


def test_a_layout_knows_what_it_was_made_for():
    data, cell = observed("vla", 45.0, 128)
    plan = plan_of(data, Geometry(128, cell, 1e-4), 3)
    assert within_layout(data, plan)
    wider = Visibilities(1.01 * data.uvw, data.frequency, data.visibility, data.weight, 0)
    assert not within_layout(wider, plan)


@given(low=st.floats(0, 1e4), width=st.floats(10, 5e3), gap=st.floats(0.05, 0.3))
@settings(deadline=None, derandomize=True)
def test_no_spectral_image_falls_onto_the_band(low, width, gap):
    """Of every harmonic k: k · rate ± [A, B] stays a transition away from [A, B]."""
    rates, numbers = bandpass.zone(np.array([low]), np.array([low + width]), gap)
    rate, high = rates[0], low + width
    assert rate <= 2 * high / (1 - gap) * (1 + 1e-12)
    bottom = 0.0 if numbers[0] == 1 else low
    nearest = np.inf
    for k in range(1, int(2 * high / rate) + 3):
        for a, b in ((k * rate - high, k * rate - bottom), (bottom - k * rate, high - k * rate)):
            nearest = min(nearest, max(a - high, bottom - b))
    assert nearest >= gap * rate * (1 - 1e-9)


@pytest.mark.parametrize(
    ("decibel", "band"), [(65, (0, 180)), (85, (600, 700)), (105, (900, 1100))]
)
def test_tones_in_the_band_come_back(decibel, band):
    npix, cell = 512, 1 / 2400
    axis = bandpass.axis(npix, cell, band, gap=0.12, decibel=decibel)
    assert axis.taps
    assert axis.count < npix / 2
    at = (np.arange(axis.count) - axis.count // 2) * cell / axis.ratio
    tones = np.linspace(*band, 41)
    samples = np.cos(2 * np.pi * tones * at[:, None] + np.arange(41))
    wanted = np.cos(
        2 * np.pi * tones * ((np.arange(npix) - npix // 2) * cell)[:, None] + np.arange(41)
    )
    first, last = span(axis, 100, 300)
    found = interpolated(samples[first:last], axis, 100, 300)
    assert np.abs(found - wanted[100:300]).max() < 2 * 10 ** (-decibel / 20)


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_the_transpose_is_the_transpose(kind):
    axis = bandpass.axis(512, 1 / 2400, (600, 700), gap=0.12, decibel=85)
    first, last = span(axis, 64, 400)
    rng = np.random.default_rng(1)
    samples = rng.normal(size=(last - first, 5)).astype(kind)
    pixels = rng.normal(size=(336, 5)).astype(kind)
    left = np.sum(interpolated(samples, axis, 64, 400) * pixels, dtype="f8")
    right = np.sum(samples * transposed(pixels, axis, 64, 400), dtype="f8")
    assert left == pytest.approx(right, rel=1e-5 if kind == "f4" else 1e-12)


def test_coverage_adds_up():
    data, _ = observed("vla", 45.0, 128)
    limit = 1.5 * np.abs(data.uvw).max() * data.frequency[-1] / SPEED_OF_LIGHT
    whole = covered(data.uvw, data.frequency, limit)
    parts = [covered(rows, data.frequency, limit) for rows in np.array_split(data.uvw, 7)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert whole.count.sum() == data.weight.size
    assert (total.u_high, total.v_high) == (whole.u_high, whole.v_high)
    for name in ("count", "w_low", "w_high"):
        np.testing.assert_array_equal(getattr(total, name), getattr(whole, name))


class TestRule:
    def coverage(self, **changes):
        data, cell = observed("vla", 45.0, 128)
        limit = 1.5 * np.abs(data.uvw).max() * data.frequency[-1] / SPEED_OF_LIGHT
        found = covered(data.uvw, data.frequency, limit)
        many = {**vars(found), "count": found.count * changes.pop("times", 1)}
        return type(found)(**many), cell

    def test_small_images_keep_one_call(self):
        found, cell = self.coverage(times=10**6)
        for npix, again in ((512, True), (1024, True), (2048, False)):
            geometry = Geometry(npix, cell / 16, 1e-4)
            assert planner.strip_count(found, geometry, again=again) == 1

    def test_large_images_are_cut(self):
        found, cell = self.coverage(times=1000)
        assert planner.strip_count(found, Geometry(2048, cell / 8, 1e-4), again=True) > 1
        count = planner.strip_count(found, Geometry(4096, cell, 1e-4), again=False)
        assert planner.EVEN <= count <= planner.MOST
        assert count % planner.EVEN == 0

    def test_a_strong_w_term_asks_for_fewer(self):
        found, cell = self.coverage(times=10**5)
        steep = type(found)(**{**vars(found), "w_high": 60 * found.w_high})
        wide = Geometry(4096, cell, 1e-4)
        counts = [planner.strip_count(each, wide, again=True) for each in (steep, found)]
        assert counts[0] < counts[1]

    def test_no_strips_beyond_the_horizon(self):
        found, _ = self.coverage()
        beyond = Geometry(4096, 1.39 / 4096, 1e-4)
        assert planner.strip_count(found, beyond, again=True) == 1

    def test_strips_cost_about_the_same(self):
        found, cell = self.coverage(times=300)
        plan = planner.layout(found, Geometry(512, cell / 2, 1e-4), 6)
        edges = [strip.u_start for strip in plan.strips]
        assert edges == sorted(set(edges))
        assert plan.strips[0].u_start == 0
        assert sum(strip.size for strip in plan.strips) == found.count.sum()
        sizes = [strip.size for strip in plan.strips]
        assert max(sizes) < 0.5 * sum(sizes)
