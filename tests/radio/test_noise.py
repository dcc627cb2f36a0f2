"""The noise of images: exact medians of pieces, noise of squares, and a small view."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spectrum_workflows.radio.imaging import noise
from spectrum_workflows.radio.imaging.noise import (
    LocalNoise,
    collected,
    combined,
    counted,
    even_noise,
    exact_median,
    keys,
    local_noise,
    rms_of,
    square_histograms,
    squares,
)
from spectrum_workflows.radio.imaging.preview import preview
from spectrum_workflows.radio.types.robust import MAD_TO_SIGMA, robust_rms

NUMBERS = st.floats(-1e300, 1e300, allow_subnormal=True) | st.sampled_from([0.0, -0.0, 1.0, -1.0])


def median_of(pieces, centre=None):
    """The median of pieces, by `exact_median`."""
    return exact_median(
        sum(piece.size for piece in pieces),
        centre,
        lambda span: sum(counted(piece, span) for piece in pieces),
        lambda span: np.concatenate([collected(piece, span) for piece in pieces]),
    )


@settings(max_examples=40)
@given(
    pixels=arrays.arrays(np.float64, st.integers(1, 24), elements=NUMBERS),
    cut=st.integers(0, 24),
    few=st.sampled_from([0, 1, 3, 500_000]),
)
def test_the_median_of_pieces_is_that_of_the_whole(pixels, cut, few):
    """However few pixels may be brought together, down to none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noise, "FEW", few)
        pieces = [pixels[:cut], pixels[cut:]]
        assert median_of(pieces) == np.median(pixels)
        centre = float(pixels[0])
        assert median_of(pieces, centre) == np.median(np.abs(pixels - centre))


def test_single_precision_pixels_have_the_median_of_their_values():
    pixels = np.float32([0.1, 0.2, 0.3, 0.4])
    assert median_of([pixels]) == np.median(pixels.astype(np.float64))


@settings(max_examples=40)
@given(arrays.arrays(np.float64, st.integers(2, 20), elements=NUMBERS))
def test_keys_are_in_the_order_of_the_numbers(pixels):
    order = np.argsort(keys(pixels, None), kind="stable")
    assert (np.diff(pixels[order]) >= 0).all()
    assert keys(np.array([0.0]), None) == keys(np.array([-0.0]), None)


# Robust rms


@pytest.mark.parametrize("shape", [(64, 64), (33, 47), (1, 1001)])
def test_the_rms_of_gaussian_noise_is_its_standard_deviation(shape):
    image = np.random.default_rng(2).normal(5.0, 0.3, (200, *shape))
    assert robust_rms(image) == pytest.approx(0.3, rel=0.01)


@settings(max_examples=25)
@given(
    pixels=arrays.arrays(np.int64, (5, 7), elements=st.integers(-1000, 1000)),
    factor=st.sampled_from([-4.0, -1.0, 0.5, 8.0]),
    offset=st.integers(-50, 50),
)
def test_the_rms_scales_with_the_image_and_forgets_a_constant(pixels, factor, offset):
    image = pixels.astype(np.float64)
    assert robust_rms(factor * image) == abs(factor) * robust_rms(image)
    assert robust_rms(image + offset) == robust_rms(image)


@pytest.mark.parametrize("height", [1e3, 1e9, np.inf])
def test_outliers_fewer_than_half_of_the_pixels_do_not_count_by_their_height(height):
    image = np.arange(101.0)
    image[:40] = height
    assert robust_rms(image) == MAD_TO_SIGMA * 40  # median 90, half of all within 40


def test_planes_add_their_squares():
    one, two = np.array([[0.0, 3.0, -3.0]]), np.array([[0.0, 4.0, -4.0]])
    assert rms_of([one]) == 3 * MAD_TO_SIGMA
    assert rms_of([one, two]) == pytest.approx(5 * MAD_TO_SIGMA)
    assert combined([7.0]) == 7.0


def test_the_factor_is_that_of_a_normal_distribution():
    assert pytest.approx(1 / NormalDist().inv_cdf(0.75), rel=1e-14) == MAD_TO_SIGMA


# Squares


@pytest.mark.parametrize(
    ("npix", "side", "count"),
    [(128, 128, 1), (128, 1000, 1), (128, 33, 4), (128, 32, 4), (128, 1, 8), (10, 1, 1)],
)
def test_squares_are_of_about_the_side_and_not_too_many(npix, side, count):
    assert squares(npix, side) == count


def test_histograms_of_pieces_add_up():
    image = np.random.default_rng(0).normal(size=(40, 40))
    whole = square_histograms(image, 0, 3, 1.0)
    parts = [square_histograms(image[:, a:b], a, 3, 1.0) for a, b in ((0, 7), (7, 30), (30, 40))]
    np.testing.assert_array_equal(sum(parts), whole)
    assert whole.sum() == image.size
    np.testing.assert_array_equal(whole.sum(axis=2).sum(axis=0), [14 * 40, 13 * 40, 13 * 40])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_square_has_its_own_noise(scale):
    """Four squares of 1 to 8 times the same noise, to a few per cent."""
    levels = np.array([[1.0, 2.0], [4.0, 8.0]])
    image = np.random.default_rng(3).normal(size=(200, 200)) * np.kron(levels, np.ones((100, 100)))
    rms = robust_rms(image * scale)
    local = local_noise(square_histograms(image * scale, 0, 2, rms), 200)
    np.testing.assert_allclose(1 / local.ratio, levels * scale / rms, rtol=0.03)


def test_what_is_beyond_the_bins_is_in_the_outermost():
    image = np.array([[0.0, 1e300], [1e-300, 1.0]])
    counts = square_histograms(image, 0, 1, 1.0)[0, 0]
    assert (counts[0], counts[-1], counts.sum()) == (2, 1, 4)


def test_an_even_noise_changes_nothing():
    even = even_noise(64)
    some = np.array([0, 31, 63])
    assert even.factor(some, some).tolist() == [1, 1, 1]
    assert (even.factors(some, some) == 1).all()


@settings(max_examples=25)
@given(
    ratio=arrays.arrays(
        np.float64, st.sampled_from([(1, 1), (2, 2), (5, 5)]), elements=st.floats(0.1, 10)
    ),
    npix=st.integers(10, 40),
)
def test_pixels_and_crossings_are_interpolated_alike(ratio, npix):
    local, every = LocalNoise(npix, ratio), np.arange(npix)
    grid = local.factors(every, every)
    rows, columns = np.indices((npix, npix))
    np.testing.assert_allclose(local.factor(rows.ravel(), columns.ravel()), grid.ravel(), rtol=1e-9)
    assert grid.min() >= ratio.min() * (1 - 1e-12)
    assert grid.max() <= ratio.max() * (1 + 1e-12)


def test_between_the_centres_of_squares_the_ratio_is_linear():
    local = LocalNoise(8, np.array([[1.0, 3.0], [1.0, 3.0]]))  # centres at 1.5 and 5.5
    column = np.array([0, 1, 2, 3, 4, 5, 6, 7])
    expected = [1, 1, 1.25, 1.75, 2.25, 2.75, 3, 3]
    np.testing.assert_allclose(local.factor(np.full(8, 3), column), expected)


# A small view


@settings(max_examples=40)
@given(
    npix=st.integers(1, 30),
    side=st.integers(1, 12),
    cut=st.integers(0, 30),
    seed=st.integers(0, 99),
)
def test_no_pixel_is_stronger_than_what_is_shown_of_its_square(npix, side, cut, seed):
    image = np.random.default_rng(seed).normal(size=(npix, npix))
    step = -(-npix // side)
    shown = preview(image, side=side)
    assert max(shown.strongest.shape) <= side
    for row, column in np.ndindex(shown.strongest.shape):
        own = image[row * step : (row + 1) * step, column * step : (column + 1) * step]
        assert abs(shown.strongest[row, column]) == np.float32(np.abs(own).max())
        assert shown.strongest[row, column] in own.astype(np.float32)
        assert shown.sample[row, column] == np.float32(own[0, 0])
    if 0 < cut < npix:
        both = preview(image[:, :cut], side=side) + preview(image[:, cut:], cut, side=side)
        np.testing.assert_array_equal(both.strongest, shown.strongest)
        np.testing.assert_array_equal(both.sample, shown.sample)
