"""Convolutions of images, and the PSF between scales, beside SciPy's plain sums."""

import tracemalloc

import numpy as np
import pytest
from scipy import signal

from spectrum_workflows.radio.deconvolution import convolution, scales
from spectrum_workflows.radio.deconvolution.components import Components
from spectrum_workflows.radio.deconvolution.responses import response_bytes, responses
from spectrum_workflows.radio.deconvolution.restoration import restored
from spectrum_workflows.radio.imaging.beam import draw_beam
from spectrum_workflows.radio.types import ARCSEC, Beam

SIDES = [10, 11, 16, 27]  # padded 15, 16, 24 and 40


@pytest.mark.parametrize("npix", SIDES)
def test_nothing_wraps_around(npix):
    """A kernel of ones adds up what is within half an image of each pixel, and nothing else."""
    rng = np.random.default_rng(npix)
    image, kernel = rng.normal(size=(2, npix, npix))
    half = npix // 2
    expected = signal.convolve2d(image, kernel)[half : half + npix, half : half + npix]
    np.testing.assert_allclose(convolution.convolved(image, kernel), expected, atol=1e-12)


@pytest.mark.parametrize("npix", [4, 5, 64, 100, 243, 1000])
def test_padding_holds_half_an_image_more(npix):
    side = convolution.padded_side(npix)
    assert npix + npix // 2 <= side <= 1.2 * (npix + npix // 2) + 1
    for factor in (2, 3, 5):
        while side % factor == 0:
            side //= factor
    assert side == 1  # lengths that real transforms are fast at


@pytest.mark.parametrize(("one", "other"), [(3, 3), (3, 7), (9, 1), (5, 11)])
def test_two_patches_spread_as_far_as_both_reach(one, other):
    rng = np.random.default_rng(one)
    patch, kernel = rng.normal(size=(one, one)), rng.normal(size=(other, other))
    found = convolution.spread(patch, kernel)
    np.testing.assert_allclose(found, signal.convolve2d(patch, kernel), atol=1e-12)
    assert found.flags.c_contiguous


# Responses


def whole(psf):
    """The PSF on an odd square around its centre, as far as it is known."""
    return np.pad(psf, ((0, 1), (0, 1)))[: 2 * (len(psf) // 2) + 1, : 2 * (len(psf) // 2) + 1]


@pytest.mark.parametrize("npix", [16, 22, 44])
def test_the_response_of_points_is_the_psf(npix):
    psf = np.random.default_rng(npix).normal(size=(npix, npix))
    found = responses([psf, -psf], (scales.POINT,))
    np.testing.assert_allclose(found.of(0, 0), whole(psf), atol=2e-6)
    np.testing.assert_allclose(found.of(0, 0, 1), -whole(psf), atol=2e-6)
    assert found.values.dtype == np.float32
    assert found.values.shape == (2, (npix + 1) ** 2)


@pytest.mark.parametrize(("npix", "reach"), [(44, 1024), (44, 9), (45, 22), (80, 30)])
def test_responses_are_the_psf_convolved_with_both_shapes(npix, reach):
    """At multiples of the narrower one's step, out to the reach, in whatever order."""
    psf = np.random.default_rng(npix).normal(size=(npix, npix))
    own = scales.scales_of((5.0, 33.0))
    found = responses([psf], own, reach)
    for one, first in enumerate(own):
        for other, second in enumerate(own):
            step = min(first.step, second.step)
            count = min(npix // 2, reach) // step
            both = signal.convolve(scales.shape(first.diameter), scales.shape(second.diameter))
            known = psf if npix % 2 else whole(psf)
            spread = signal.convolve(np.pad(known, 40), both)
            middle, around = len(spread) // 2, count * step
            expected = spread[middle - around : middle + around + 1 : step]
            expected = expected[:, middle - around : middle + around + 1 : step]
            response = found.of(one, other)
            assert response.shape == (2 * count + 1,) * 2
            np.testing.assert_allclose(response, expected, atol=1e-5)
            np.testing.assert_array_equal(response, found.of(other, one))


def test_the_peak_of_a_response_is_the_mean_of_the_planes():
    psf = np.random.default_rng(4).normal(size=(16, 16))
    psf[8, 8] = 1.0
    found = responses([psf, 3 * psf], scales.scales_of((5.0,)))
    assert found.peaks[0] == pytest.approx(2.0, rel=1e-5)
    assert found.peaks[1] == pytest.approx(2 * found.of(1, 1)[8, 8], rel=1e-5)


@pytest.mark.parametrize("diameters", [(), (9.0,), (9.0, 18.0, 36.0)])
@pytest.mark.parametrize("planes", [1, 4])
@pytest.mark.parametrize("npix", [128, 256])
def test_the_memory_of_responses_is_foretold(diameters, planes, npix, monkeypatch):
    """What is taken at most while they are made, and a third more: SciPy's own is not counted."""
    monkeypatch.setattr("spectrum_workflows.radio.deconvolution.responses.REACH", 100)
    own, psfs = scales.scales_of(diameters), [np.eye(npix)] * planes
    responses(psfs, own, 100)  # the shapes are kept from the first time on
    peaks = []
    for _ in range(5):  # what other threads take meanwhile is not ours
        tracemalloc.start()
        try:
            responses(psfs, own, 100)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    peak = min(peaks)
    assert peak < response_bytes(npix, own, planes) < 1.5 * peak


# Restoration


@pytest.mark.parametrize("npix", [12, 40])
def test_a_beam_is_drawn_to_the_far_corner(npix):
    """In an image that is smaller than the beam, too."""
    cell, beam = 2 * ARCSEC, Beam(60.0, 50.0, 20.0)
    model = Components(np.array([0]), np.array([0]), np.array([[2.0]]))
    made = restored(model, np.zeros((npix, npix)), beam, cell)
    drawn = draw_beam(beam, 2 * npix + 1, cell)
    np.testing.assert_allclose(made, 2 * drawn[npix : 2 * npix, npix : 2 * npix], atol=1e-12)
    assert made[-1, -1] > 1e-12


def test_a_beam_is_drawn_as_far_as_it_can_be_told():
    cell, beam = 2 * ARCSEC, Beam(14.0, 5.0, 0.0)  # 7 pixels in FWHM from north to south
    model = Components(np.array([50]), np.array([50]), np.array([[1.0]]))
    made = restored(model, np.zeros((101, 101)), beam, cell)
    np.testing.assert_allclose(made, draw_beam(beam, 101, cell), atol=1e-13)


def test_the_residual_is_not_written_to():
    residual = np.zeros((12, 12))
    model = Components(np.array([4]), np.array([4]), np.array([[1.0]]), np.array([5.0]))
    made = restored(model, residual, Beam(6.0, 6.0, 0.0), 2 * ARCSEC)
    assert made.any()
    assert not residual.any()
