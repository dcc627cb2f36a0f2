"""How strips are planned: their number, borders, samples and filters, beside plain sums."""

import math
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from spectrum_workflows.radio.strips import accuracy, bandpass, cost, interpolation, planner
from spectrum_workflows.radio.strips.coverage import BINS, Coverage, covered
from spectrum_workflows.radio.strips.transform import slices
from spectrum_workflows.radio.strips.types import CoarseAxis
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Geometry

GEOMETRY = Geometry(256, 1 / 4000, 1e-4)


def baselines(longest=1000.0, depth=300.0, count=400, seed=1):
    """Rows in wavelengths at the frequency `FREQUENCY[0]`."""
    rng = np.random.default_rng(seed)
    uvw = rng.uniform(-1, 1, (count, 3)) * [longest, 0.3 * longest, depth]
    uvw[0] = longest, 0.3 * longest, -depth
    return uvw


FREQUENCY = SPEED_OF_LIGHT * np.array([1.0, 1.25, 1.5])


# Coverage


def test_every_visibility_is_counted_in_its_bin():
    uvw, limit = baselines(), 2000.0
    found = covered(uvw, FREQUENCY, limit)
    scale = FREQUENCY / SPEED_OF_LIGHT
    u, v, w = (np.abs(np.outer(column, scale)) for column in uvw.T)
    number = np.floor(u / (limit / BINS)).astype(int)
    for n in range(BINS):
        inside = w[number == n]
        assert found.count[n] == len(inside)
        assert found.w_low[n] == pytest.approx(inside.min(initial=np.inf))
        assert found.w_high[n] == pytest.approx(inside.max(initial=0.0))
    assert found.count.sum() == u.size
    assert (found.u_high, found.v_high) == pytest.approx((u.max(), v.max()))
    assert found.limit == limit


def test_the_longest_baseline_is_in_the_last_bin():
    found = covered(np.array([[100.0, 0.0, 7.0]]), FREQUENCY[:1], 100.0)
    assert np.flatnonzero(found.count).tolist() == [BINS - 1]
    assert (found.w_low[-1], found.w_high[-1]) == (7, 7)


def test_no_rows_cover_nothing():
    found = covered(np.zeros((0, 3)), FREQUENCY, 100.0)
    assert (found.count.sum(), found.u_high, found.v_high) == (0, 0, 0)
    assert np.isinf(found.w_low).all()


def test_coverages_add_up():
    one, other = (
        covered(baselines(seed=n, depth=d), FREQUENCY, 2000.0) for n, d in ((1, 9), (2, 5))
    )
    both = one + other
    np.testing.assert_array_equal(both.count, one.count + other.count)
    np.testing.assert_array_equal(both.w_low, np.minimum(one.w_low, other.w_low))
    np.testing.assert_array_equal(both.w_high, np.maximum(one.w_high, other.w_high))
    assert both.u_high == max(one.u_high, other.u_high)
    assert both.v_high == max(one.v_high, other.v_high)
    assert both.limit == 2000.0


# Cost


def test_more_digits_cost_more_of_each_visibility():
    costs = [cost.constants(10.0**-digits)[0] for digits in (3, 3.5, 4, 4.5, 5)]
    assert costs == sorted(set(costs))
    assert costs[1] == pytest.approx((costs[0] + costs[2]) / 2)
    assert cost.constants(1e-2) == cost.constants(1e-3)
    assert cost.constants(1e-8) == cost.constants(1e-5)
    assert all(1e-9 < each < 1e-7 for each in [cost.constants(10.0**-d)[1] for d in (3, 4, 5)])


def test_planes_grow_with_depth_and_field():
    """Those of the kernel's support, and 1.6 per turn of the phase at the corner."""
    flat, deep, wide = (
        float(cost.planes(np.array(depth), half, 1e-4))
        for depth, half in ((0.0, 0.1), (1000.0, 0.1), (1000.0, 0.2))
    )
    assert deep - flat == pytest.approx(1.6 * 1000 * 0.1**2)
    assert wide - flat == pytest.approx(4 * (deep - flat))
    assert float(cost.planes(np.array(-1.0), 0.1, 1e-4)) == flat
    assert 5 <= float(cost.planes(np.array(0.0), 0.1, 1e-3)) < flat < 7


@pytest.fixture(scope="module")
def layout():
    coverage = covered(baselines(), FREQUENCY, 2000.0)
    made = planner.layout(coverage, GEOMETRY, 3)
    assert made is not None
    return made


def test_filtering_is_a_product_per_tap(layout):
    """Lines of samples to columns, then columns to pixels."""
    rows, npix = layout.y.count, 256
    assert len(layout.strips) == 3
    along_x = [npix * rows * strip.x.taps for strip in layout.strips]
    assert cost.filtering(layout) == sum(along_x) + npix * npix * layout.y.taps


def test_samples_that_travel_are_the_slices_of_the_blocks(layout, monkeypatch):
    monkeypatch.setattr(planner, "BLOCK", 64)
    coverage = covered(baselines(), FREQUENCY, 2000.0)
    for cut, count in ((layout, 1), (planner.layout(coverage, GEOMETRY, 3), 4)):
        assert len(cut.blocks) == count
        sent = 0
        for strip in cut.strips:
            samples = np.zeros((strip.x.count, cut.y.count))
            sent += sum(part.size for part in slices(samples, strip, cut))
        assert cost.coarse_samples(cut) == pytest.approx(sent, rel=0.06)


# Layout


def test_strips_follow_one_another_to_the_longest_baseline(layout):
    u = np.abs(np.outer(baselines()[:, 0], FREQUENCY / SPEED_OF_LIGHT))
    w = np.abs(np.outer(baselines()[:, 2], FREQUENCY / SPEED_OF_LIGHT))
    strips = layout.strips
    assert [strip.number for strip in strips] == [0, 1, 2]
    assert {strip.count for strip in strips} == {3}
    assert strips[0].u_start == 0
    assert all(one.u_stop == other.u_start for one, other in pairwise(strips))
    assert u.max() <= strips[-1].u_stop <= u.max() * (1 + 1e-8)
    for strip in strips:
        inside = (u >= strip.u_start) & (u < strip.u_stop)
        assert strip.size == inside.sum()
        assert strip.depth == pytest.approx(w[inside].max())
        assert strip.planes == pytest.approx(
            float(cost.planes(np.ptp(w[inside]), 128 / 4000, 1e-4)), rel=1e-6
        )
    assert strips[0].where == f"strip 1 of 3 (|u| 0 to {strips[0].u_stop:.6g} wavelengths)"


def test_a_layout_knows_the_largest_of_each_coordinate(layout):
    largest = np.abs(baselines()).max(axis=0) * 1.5
    assert layout.limits == pytest.approx(largest, rel=1e-8)
    assert (np.array(layout.limits) >= largest).all()
    assert layout.geometry is GEOMETRY


def test_samples_hold_the_strip_and_its_guards(layout):
    """The w term's slope at the corner, and four elements of resolution on either side."""
    steepest, field = planner.slope(GEOMETRY), 256 / 4000
    for strip in layout.strips:
        rate = strip.x.ratio * 4000  # samples per radian
        guard = steepest * strip.depth + 4 / field
        assert strip.x.high * rate >= strip.u_stop + guard - 1e-6
        assert strip.x.low * rate <= max(strip.u_start - guard, 0) + 1e-6
    top = layout.limits[1] + steepest * layout.limits[2] + 4 / field
    assert layout.y.high * layout.y.ratio * 4000 >= top * (1 - 1e-6)


@pytest.mark.parametrize(
    ("npix", "widths"), [(256, [256]), (300, [128, 128, 44]), (384, [128] * 3)]
)
def test_blocks_are_all_columns(npix, widths, monkeypatch):
    monkeypatch.setattr(planner, "BLOCK", 256 if npix == 256 else 128)
    coverage = covered(baselines(), FREQUENCY, 2000.0)
    made = planner.layout(coverage, replace(GEOMETRY, npix=npix), 2)
    assert [block.stop - block.start for block in made.blocks] == widths
    assert made.blocks[0].start == 0
    assert all(one.stop == other.start for one, other in pairwise(made.blocks))
    assert [block.size for block in made.blocks] == [npix * width for width in widths]
    assert made.blocks[0].where == f"columns 0:{widths[0]} of the image"


def test_there_are_no_more_strips_than_bins_with_data():
    coverage = covered(np.array([[3.0, 100.0, 0.0], [990.0, 0.0, 0.0]]), FREQUENCY[:1], 1000.0)
    made = planner.layout(coverage, GEOMETRY, 2)
    assert [strip.size for strip in made.strips] == [1, 1]
    nearest = covered(np.array([[3.0, 100.0, 0.0]]), FREQUENCY[:1], 1000.0)
    assert len(planner.layout(nearest, GEOMETRY, 5).strips) == 1


def test_no_layout_reaches_the_horizon():
    coverage = covered(baselines(), FREQUENCY, 2000.0)
    assert planner.layout(coverage, Geometry(256, 1.4 / 256, 1e-4), 3) is None


# Number of strips


def coverage_of(count, *, u=1000.0, w=0.0):
    counts, low, high = np.zeros(BINS, np.int64), np.zeros(BINS), np.zeros(BINS)
    counts[0], high[3] = count, w
    return Coverage(2000.0, counts, low, high, u, u)


LARGE = Geometry(4096, 1e-6, 1e-4)


def visibilities_for(seconds, geometry=LARGE):
    """As many as take so long to grid, by the law of `cost`."""
    a, beta = cost.constants(geometry.epsilon)
    planes = float(cost.planes(np.array(0.0), geometry.npix * geometry.cell / 2, geometry.epsilon))
    return round((seconds - beta * geometry.npix**2 * planes) / a)


@pytest.mark.parametrize(
    ("seconds", "count"),
    [(1.9, 4), (2.1, 8), (3.9, 8), (4.1, 12), (15.9, 32), (16.1, 32), (1000.0, 32)],
)
def test_a_strip_is_worth_half_a_second(seconds, count):
    coverage = coverage_of(visibilities_for(seconds))
    assert planner.strip_count(coverage, LARGE, again=False) == count


@pytest.mark.parametrize(("seconds", "count"), [(0.4, 1), (0.9, 2), (1.4, 3), (1.9, 4), (2.1, 8)])
def test_few_strips_are_as_many_as_are_worth_it(seconds, count):
    smaller = Geometry(1100, 1e-6, 1e-4)
    coverage = coverage_of(visibilities_for(seconds, smaller))
    assert planner.strip_count(coverage, smaller, again=True) == count


def test_small_images_are_not_cut():
    many = coverage_of(10**9)
    for npix, again, cut in (
        *((1024, True, False), (1025, True, True), (1025, False, False)),
        *((2048, False, False), (2048, True, True), (2049, False, True)),
    ):
        count = planner.strip_count(many, replace(LARGE, npix=npix), again=again)
        assert (count > 1) == cut


@pytest.mark.parametrize("allowed", [1.5, 3.5, 4.5, 5.5, 8.5, 11.9])
def test_guards_stay_narrower_than_strips(allowed):
    """2 K l w / u stays below 1.4: fewer strips where the w term is strong."""
    w = 1.4 * 1000.0 / (2 * planner.slope(LARGE) * allowed)
    count = planner.strip_count(coverage_of(10**9, w=w), LARGE, again=False)
    assert count == (int(allowed) if allowed < 4 else int(allowed) // 4 * 4)


def test_where_a_strip_is_hardly_wider_than_its_guard_there_is_one():
    w = 1.4 * 1000.0 / (2 * planner.slope(LARGE) * 0.2)
    assert planner.strip_count(coverage_of(10**9, w=w), LARGE, again=False) == 1
    assert planner.strip_count(coverage_of(10**9, u=0.0), LARGE, again=False) == 1


def test_the_slope_is_that_of_the_w_term_at_the_corner():
    for margin in (1.0, 1.05, 3.0):
        half = margin * 256 / 4000 / 2
        step = 1e-6

        def depth(east, half=half):
            return math.sqrt(1 - east**2 - half**2) - 1

        expected = (depth(half - step) - depth(half + step)) / (2 * step)
        assert planner.slope(GEOMETRY, margin) == pytest.approx(expected, rel=1e-6)
    assert planner.slope(GEOMETRY) == planner.slope(GEOMETRY, 1.05)
    assert planner.slope(Geometry(100, 1.42 / 100, 1e-4), 1.0) == math.inf
    assert planner.slope(Geometry(100, 1.41 / 100, 1e-4), 1.0) < math.inf


def test_an_image_with_its_margin_lies_within_the_hemisphere():
    """Its corner is at side / √2."""
    for side, below in ((1.34, True), (1.35, False)):
        assert planner.below_horizon(Geometry(100, side / 100, 1e-4)) is below
        assert (planner.slope(Geometry(100, side / 100, 1e-4)) < math.inf) is below


# The cheapest cut


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("count", [1, 2, 3, 5, 20])
def test_no_other_cut_has_a_cheaper_costliest_strip(seed, count):
    rng = np.random.default_rng(seed)
    bins = 9
    fixed, each = rng.uniform(0, 3), np.cumsum(np.append(0, rng.uniform(0, 10, bins)))
    costs = np.full((bins + 1, bins + 1), np.inf)
    for i, j in combinations(range(bins + 1), 2):
        costs[i, j] = fixed + each[j] - each[i]

    def costliest(edges):
        return max(costs[i, j] for i, j in pairwise(edges))

    found = planner._minimax(costs, count)
    assert (found[0], found[-1]) == (0, bins)
    assert found == sorted(set(found))
    assert len(found) - 1 <= count
    others = [
        (0, *inner, bins)
        for size in range(min(count, bins))
        for inner in combinations(range(1, bins), size)
    ]
    assert costliest(found) <= 1.01 * min(map(costliest, others))


def test_the_costs_of_strips():
    """Of a range of bins: a visibility costs what it costs; a strip of no bins does not exist."""
    coverage = covered(baselines(), FREQUENCY, 2000.0)
    steepest = planner.slope(GEOMETRY)
    costs = planner._costs(coverage, GEOMETRY, 100, steepest)
    used = int(np.flatnonzero(coverage.count)[-1]) + 1
    assert costs.shape == (used + 1, used + 1)
    upper = np.triu_indices(used + 1, 1)
    assert np.isfinite(costs[upper]).all()
    assert np.isinf(costs[np.tril_indices(used + 1)]).all()
    twice = planner._costs(replace(coverage, count=2 * coverage.count), GEOMETRY, 100, steepest)
    a, beta = cost.constants(1e-4)
    number = np.concatenate([[0], np.cumsum(coverage.count)])
    i, j = upper
    gridding = a * (number[j] - number[i])
    np.testing.assert_allclose(twice[upper] - costs[upper], gridding, rtol=1e-6)
    longer = planner._costs(coverage, GEOMETRY, 200, steepest)
    np.testing.assert_allclose(longer[upper] - costs[upper], costs[upper] - gridding, rtol=1e-6)
    # one strip of all: the samples of its rate, and some beyond the image's edges
    whole = planner.layout(coverage, GEOMETRY, 1).strips[0]
    samples = 256 * whole.x.ratio if whole.x.taps else 2 * 256 / 4000 * (1500 + 4 * 4000 / 256)
    expected = a * number[-1] + beta * 100 * (samples + 60) * whole.planes
    assert costs[0, -1] == pytest.approx(expected, rel=0.15)


def test_bins_end_at_the_longest_baseline():
    edges = planner._bin_edges(covered(baselines(), FREQUENCY, 2000.0))
    assert len(edges) == BINS + 1
    assert edges[:4] == pytest.approx(np.arange(4) * 2000.0 / BINS)
    assert 1500.0 < edges[-1] <= 1500.0 * (1 + 1e-8)


# Band-pass sampling


@pytest.mark.parametrize("gap", [0.05, 0.12, 0.3])
def test_no_zone_allows_fewer_samples(gap):
    """Of all zones whose spectral images leave the gap; the first may always be taken."""
    rng = np.random.default_rng(1)
    low, width = rng.uniform(0, 1000, 50), rng.uniform(1, 400, 50)
    low[:3] = 0.0
    high = low + width
    rates, numbers = bandpass.zone(low, high, gap)
    for a, b, rate, number in zip(low, high, rates, numbers, strict=True):
        allowed = {1: 2 * b / (1 - gap)}
        for n in range(2, 2000):
            if a * n - (n - 1) * b >= gap * (a + b) * (1 - 1e-12):
                allowed[n] = 2 * (a + b) / (2 * n - 1)
        assert rate == pytest.approx(min(allowed.values()))
        assert allowed[int(number)] == pytest.approx(rate)


@pytest.mark.parametrize("band", [(0, 100), (600, 700), (900, 1100), (0, 600), (1100, 1190)])
@pytest.mark.parametrize("npix", [256, 300, 1024])
def test_samples_reach_as_far_as_the_filters_take(npix, band):
    axis = bandpass.axis(npix, 1 / 2400, band, gap=0.12, decibel=90)
    if not axis.taps:
        assert axis == CoarseAxis(npix, 1.0, npix, 0.0, 0.5, 0, 0.0)
        assert 2 * (band[1] - band[0]) / 2400 > 0.3
        return
    first, weight = bandpass.response(axis, 0, npix)
    assert weight.shape == (npix, axis.taps)
    assert 0 <= first[0] <= 2
    assert axis.count - 3 <= first[-1] + axis.taps <= axis.count
    assert axis.count % 2 == axis.taps % 2 == 0
    assert axis.ratio < 1
    assert axis.count < npix
    rates, numbers = bandpass.zone(np.array([band[0]]), np.array([band[1]]), 0.12)
    assert axis.ratio == pytest.approx(rates[0] / 2400)
    assert axis.high - axis.low == 0.5
    assert axis.low == (numbers[0] - 1) / 2


@pytest.mark.parametrize("npix", [100, 200])
def test_short_axes_have_as_many_samples_as_the_gridder_takes(npix):
    axis = bandpass.axis(npix, 1 / 2400, (0, 5), gap=0.3, decibel=40)
    assert 0 < axis.taps < 20
    assert axis.count == 32


def test_as_many_samples_as_pixels_are_the_pixels():
    counts = set()
    for npix in range(32, 160):
        axis = bandpass.axis(npix, 1 / 2400, (0, 500), gap=0.12, decibel=60)
        assert axis.count < npix if axis.taps else axis.count == npix
        counts.add(axis.taps > 0)
    assert counts == {True, False}


@pytest.mark.parametrize("decibel", [60, 80, 100])
@pytest.mark.parametrize("band", [(0, 170), (600, 700)])
def test_filters_are_as_long_as_their_accuracy_needs(band, decibel):
    """Kaiser's estimate: (A - 7.95) / (14.36 × transition) + 1, and even."""
    axis = bandpass.axis(512, 1 / 2400, band, gap=0.12, decibel=decibel)
    low, high = band
    rate, n = axis.ratio * 2400, round(2 * axis.high)
    free = 0.12 if n == 1 else (low * n - (n - 1) * high) / (low + high)
    exact = (decibel - 7.95) / (14.36 * free) + 1
    assert exact <= axis.taps < exact + 2
    assert free >= 0.12
    assert rate > 0


@pytest.mark.parametrize("band", [(0, 170), (600, 700)])
def test_whole_images_come_back_from_samples(band):
    npix, cell = 300, 1 / 2400
    axis = bandpass.axis(npix, cell, band, gap=0.12, decibel=100)
    assert axis.taps
    at = (np.arange(axis.count) - axis.count // 2) * cell / axis.ratio
    pixel = (np.arange(npix) - npix // 2) * cell
    tones = np.linspace(*band, 20)
    samples, expected = (np.cos(2 * np.pi * tones * x[:, None] + tones) for x in (at, pixel))
    first, last = interpolation.span(axis, 0, npix)
    found = interpolation.interpolated(samples[first:last], axis, 0, npix)
    assert np.abs(found - expected).max() < 3e-5


# Interpolation


AXIS = bandpass.axis(300, 1 / 2400, (600, 700), gap=0.12, decibel=80)


def matrix_of(start, stop):
    """The filter as a dense matrix from all samples."""
    first, weight = bandpass.response(AXIS, start, stop)
    dense = np.zeros((stop - start, AXIS.count))
    for n in range(stop - start):
        dense[n, first[n] : first[n] + AXIS.taps] = weight[n]
    return dense


PARTS = [(0, 300), (0, 64), (0, 65), (100, 300), (37, 38), (236, 300)]


@pytest.mark.parametrize(("start", "stop"), PARTS)
def test_interpolation_is_a_band_matrix(start, stop):
    samples = np.random.default_rng(1).normal(size=(AXIS.count, 3))
    first, last = interpolation.span(AXIS, start, stop)
    dense = matrix_of(start, stop)
    assert not dense[:, :first].any()
    assert not dense[:, last:].any()
    assert dense[0, first] != 0 != dense[-1, last - 1]
    found = interpolation.interpolated(samples[first:last], AXIS, start, stop)
    np.testing.assert_allclose(found, dense @ samples, atol=1e-13)


@pytest.mark.parametrize(("start", "stop"), PARTS)
def test_its_transpose_is_the_transposed_matrix(start, stop):
    pixels = np.random.default_rng(2).normal(size=(stop - start, 3))
    first, last = interpolation.span(AXIS, start, stop)
    expected = (matrix_of(start, stop).T @ pixels)[first:last]
    found = interpolation.transposed(pixels, AXIS, start, stop)
    np.testing.assert_allclose(found, expected, atol=1e-13)
    where = np.flatnonzero(np.random.default_rng(3).random(stop - start) < 0.1)
    few = np.zeros_like(pixels)
    few[where] = pixels[where]
    expected = (matrix_of(start, stop).T @ few)[first:last]
    found = interpolation.transposed(pixels[where], AXIS, start, stop, where=where)
    np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_where_samples_are_pixels_nothing_is_done(kind):
    axis = CoarseAxis(50, 1.0, 50, 0.0, 0.5, 0, 0.0)
    lines = np.random.default_rng(4).normal(size=(20, 3)).astype(kind)
    assert interpolation.span(axis, 10, 30) == (10, 30)
    assert interpolation.interpolated(lines, axis, 10, 30) is lines
    np.testing.assert_array_equal(interpolation.transposed(lines, axis, 10, 30), lines)
    where = np.array([3, 19])
    found = interpolation.transposed(lines[:2], axis, 10, 30, where=where)
    np.testing.assert_array_equal(found[where], lines[:2])
    assert np.count_nonzero(found.any(axis=1)) == 2
    assert found.dtype == kind


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_filters_work_in_the_precision_of_the_samples(kind):
    first, last = interpolation.span(AXIS, 0, 300)
    samples = np.ones((last - first, 2), kind)
    assert interpolation.interpolated(samples, AXIS, 0, 300).dtype == kind
    assert interpolation.transposed(np.ones((300, 2), kind), AXIS, 0, 300).dtype == kind


# Accuracy


def test_filters_reach_to_their_outermost_sample():
    first, _ = bandpass.response(AXIS, 0, 300)
    outermost = (AXIS.count // 2 - first[0]) / AXIS.ratio  # pixels from the centre
    assert outermost <= accuracy.reach(AXIS) < outermost + 2 / AXIS.ratio
    assert accuracy.reach(CoarseAxis(300, 1.0, 300, 0.0, 0.5, 0, 0.0)) == 150


def test_the_error_bound_is_that_of_fringes():
    """Of those at the ends of each strip, over all pixels; the bound looks at some of them."""
    made = planner.layout(covered(baselines(), FREQUENCY, 2000.0), GEOMETRY, 3)
    cell, worst = GEOMETRY.cell, 0.0
    assert made.y.taps
    pixel = (np.arange(256) - 128) * cell

    def depth(x, y):
        return np.sqrt(1 - x[:, None] ** 2 - y**2) - 1

    for strip in made.strips:
        assert strip.x.taps
        east, north = (
            (np.arange(axis.count) - axis.count // 2) * cell / axis.ratio
            for axis in (strip.x, made.y)
        )
        for u in (strip.u_start, strip.u_stop):
            for v in (-made.limits[1], 0.0, made.limits[1]):
                for sign in (-1, 1):

                    def fringe(x, y, u=u, v=v, w=sign * strip.depth):
                        return np.exp(2j * np.pi * (u * x[:, None] + v * y + w * depth(x, y)))

                    samples = fringe(east, north)
                    for axis in (strip.x, made.y):
                        first, last = interpolation.span(axis, 0, 256)
                        own = samples[first:last]
                        samples = (
                            interpolation.interpolated(own.real.copy(), axis, 0, 256)
                            + 1j * interpolation.interpolated(own.imag.copy(), axis, 0, 256)
                        ).T
                    worst = max(worst, np.abs(samples - fringe(pixel, pixel)).max())
    assert 0.3 * worst <= accuracy.error_bound(made) <= worst * (1 + 1e-6)
    assert accuracy.error_bound(made) <= 1e-4


def test_pixels_themselves_are_exact():
    made = planner.layout(covered(baselines(), FREQUENCY, 2000.0), replace(GEOMETRY, npix=64), 1)
    plain = CoarseAxis(64, 1.0, 64, 0.0, 0.5, 0, 0.0)
    [strip] = made.strips
    exact = replace(made, strips=(replace(strip, x=plain),), y=plain)
    assert accuracy.error_bound(exact) == 0


def test_samples_from_beyond_the_horizon_are_none():
    made = planner.layout(covered(baselines(), FREQUENCY, 2000.0), GEOMETRY, 1)
    wide = replace(made, geometry=replace(GEOMETRY, cell=1.4 / 256))
    assert wide.y.taps
    assert accuracy.error_bound(wide) == math.inf
