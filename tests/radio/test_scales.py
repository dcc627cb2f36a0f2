"""Multi-scale CLEAN: shapes, responses between scales, and extended sources whose flux is known."""

import math

import numpy as np
import pytest

from spectrum_workflows import radio
from spectrum_workflows.radio.deconvolution import Components, components, scales, sidelobes
from spectrum_workflows.radio.deconvolution.convolution import convolved, padded_side
from spectrum_workflows.radio.deconvolution.responses import responses
from spectrum_workflows.radio.deconvolution.restoration import restored
from spectrum_workflows.radio.imaging.beam import draw_beam
from spectrum_workflows.radio.types import ARCSEC, Beam

NPIX, CELL = 128, 20.0


def centred(patch, npix):
    """A small image of odd side in the middle of a large one."""
    image, reach = np.zeros((npix, npix)), patch.shape[0] // 2
    own = slice(npix // 2 - reach, npix // 2 + reach + 1)
    image[own, own] = patch
    return image


@pytest.mark.parametrize("diameter", [0.0, 3.0, 6.5, 20.0, 33.0])
def test_a_component_has_its_flux_and_its_size(diameter):
    shape = scales.shape(diameter)
    assert shape.sum() == pytest.approx(1.0, abs=1e-14)
    assert shape.shape == (2 * scales.reach(diameter) + 1,) * 2
    assert shape.max() == shape[scales.reach(diameter), scales.reach(diameter)]
    np.testing.assert_array_equal(shape, shape.T)
    np.testing.assert_array_equal(shape, shape[::-1])
    if diameter:
        radius = np.arange(scales.reach(diameter) + 1) / (diameter / 2)
        along = shape[scales.reach(diameter), scales.reach(diameter) :]
        expected = (1 - radius**2) * (1 + np.cos(np.pi * radius)) / 2
        np.testing.assert_allclose(along / along[0], expected, atol=1e-15)


def test_its_transform_is_that_of_a_component_at_the_origin():
    diameter, npix = 11.0, 40
    [band, other] = sidelobes.bands(npix, 2)
    whole = np.fft.fft2(np.roll(centred(scales.shape(diameter), band.side), (-30, -30), (0, 1)))
    assert band.side == 60
    half = scales.spectrum(diameter, band.side)
    np.testing.assert_allclose(half, whole.real[:, : half.shape[1]], atol=1e-14)
    parts = [scales.spectrum_in(part, diameter, np.float64) for part in (band, other)]
    np.testing.assert_allclose(np.vstack(parts), whole.real[: band.side // 2 + 1], atol=1e-14)


@pytest.mark.parametrize(("npix", "step"), [(48, 1), (48, 4), (54, 4), (54, 1), (40, 8)])
def test_an_image_at_a_scale_is_its_convolution_at_some_pixels(npix, step):
    image = np.random.default_rng(8).normal(size=(npix, npix))
    side = padded_side(npix)  # that of 54 is odd
    transform = np.fft.rfft2(image, s=(side, side))
    quarter = scales.quarter_spectrum(9.0, side)
    expected = convolved(image, centred(scales.shape(9.0), npix))[::step, ::step]
    found = scales.smoothed(transform, quarter, npix, step)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_half_of_a_component_is_where_it_is_said_to_be():
    x = 2 * scales.HALF
    assert (1 - x**2) * (1 + math.cos(math.pi * x)) / 2 == pytest.approx(0.5, abs=2e-3)


def test_scales_double_from_four_beams_to_a_quarter_of_the_image():
    assert scales.automatic_diameters(3.0, 512) == (12.0, 24.0, 48.0, 96.0)
    assert scales.automatic_diameters(0.5, 40) == (3.0, 6.0)
    assert scales.automatic_diameters(30.0, 100) == ()
    found = scales.scales_of((12.0, 24.0, 48.0))
    assert [scale.diameter for scale in found] == [0.0, 12.0, 24.0, 48.0]
    assert [scale.bias for scale in found] == pytest.approx([1, 0.6**-1, 0.6**-2, 0.6**-3])
    assert [scale.step for scale in scales.scales_of((12.0, 31.9, 32.0, 100.0))] == [1, 1, 1, 2, 4]


def test_responses_are_convolutions_of_the_psf():
    npix = 64
    psf = np.random.default_rng(1).normal(size=(npix, npix))
    own = scales.scales_of((5.0, 32.0))
    found = responses([psf, 2 * psf], own)
    for one, first in enumerate(own):
        for other, second in enumerate(own):
            both = psf
            for scale in (first, second):
                both = convolved(both, centred(scales.shape(scale.diameter), npix))
            step = min(first.step, second.step)
            half = npix // 2 // step * step
            expected = both[npix // 2 - half :: step, npix // 2 - half :: step]
            response = found.of(one, other)
            known = response[: len(expected), : len(expected)]
            edge = 0 if first.margin + second.margin == 0 else 1
            inside = slice(edge * 20 // step, len(expected) - edge * 20 // step)
            # `convolved` cuts at the image's edge twice, the responses do not
            np.testing.assert_allclose(known[inside, inside], expected[inside, inside], atol=2e-2)
            np.testing.assert_allclose(found.of(one, other, 1), 2 * response, rtol=1e-5)
    centre = found.of(1, 1)[32, 32]
    shape = scales.shape(5.0)
    near = psf[28:37, 28:37]
    twice = np.fft.irfft2(np.fft.rfft2(shape, (9, 9)) ** 2, (9, 9))
    assert centre == pytest.approx(np.sum(near * twice[::-1, ::-1]), rel=1e-5)


def test_responses_reach_as_far_as_they_are_asked_to():
    psf = np.random.default_rng(2).normal(size=(64, 64))
    own = scales.scales_of((6.0,))
    near, far = responses([psf], own, 10), responses([psf], own)
    assert near.of(0, 1).shape == (21, 21)
    np.testing.assert_allclose(near.of(0, 1), far.of(0, 1)[22:43, 22:43], atol=1e-5)


@pytest.fixture
def model():
    """Points and extended components, two of one pixel and one across the edges of blocks."""
    row, column = np.array([3, 20, 20, 30, 11]), np.array([4, 20, 20, 14, 39])
    flux = np.array([[1.0], [2.0], [0.5], [-1.0], [3.0]])
    extended = np.array([0.0, 0.0, 9.0, 13.0, 9.0])
    return Components(row, column, flux, extended)


def test_a_model_is_drawn_as_a_whole_and_in_columns(model):
    [dense] = model.dense(48, 48)
    expected = np.zeros((48, 48))
    for row, column, [flux], diameter in zip(
        model.row, model.column, model.flux, model.diameters, strict=True
    ):
        expected += np.roll(
            flux * centred(scales.shape(diameter), 48), (row - 24, column - 24), (0, 1)
        )
    np.testing.assert_allclose(dense, expected, atol=1e-15)
    assert dense.sum() == pytest.approx(model.flux.sum())
    for start, stop in ((0, 12), (12, 40), (40, 48), (26, 27)):
        [part] = model.within(start, stop).dense(48, stop - start)
        np.testing.assert_allclose(part, dense[:, start:stop], atol=1e-15)
    assert len(model.within(46, 48)) == 0


def test_components_of_the_same_pixel_and_scale_are_added(model):
    both = model + model + components.of(np.eye(5))
    assert len(both) == len(model) + 5
    np.testing.assert_allclose(
        both.dense(48, 48)[0], 2 * model.dense(48, 48)[0] + np.pad(np.eye(5), (0, 43)), atol=1e-14
    )
    order = list(zip(both.row, both.column, both.diameters, strict=True))
    assert order == sorted(order)


def test_a_model_is_restored_as_its_drawing_is(model):
    beam, residual = Beam(9.0, 6.0, 30.0), np.random.default_rng(3).normal(size=(48, 48))
    found = restored(model, residual, beam, 2 * ARCSEC)
    [dense] = model.dense(48, 48)
    expected = residual + convolved(dense, draw_beam(beam, 48, 2 * ARCSEC))
    np.testing.assert_allclose(found, expected, atol=1e-11)


# An observation, and what is known of its sky


def observed(sky, noise=0.0, baselines=6_000):
    """Visibilities of an image, at coordinates that are denser towards the centre."""
    rng = np.random.default_rng(4)
    uvw = np.concatenate([rng.normal(0, 300, (baselines, 3)), rng.normal(0, 60, (baselines, 3))])
    uvw[:, 2] *= 0.1
    empty = radio.visibilities(uvw, [1.4e9], np.zeros((len(uvw), 1)))
    seen = radio.predict(sky, empty, cell=CELL, epsilon=1e-7).values
    seen = seen + noise * (rng.normal(size=seen.shape) + 1j * rng.normal(size=seen.shape))
    vis = radio.visibilities(uvw, [1.4e9], seen[..., 0])
    return vis.assign(
        WEIGHT=radio.imaging_weights(vis, npix=NPIX, cell=CELL, weighting="briggs", robust=0.5)
    )


def radius(row, column):
    y, x = np.mgrid[:NPIX, :NPIX]
    return np.hypot(y - row, x - column)


def gaussian():
    shape = np.exp(-4 * math.log(2) * (radius(50, 70) / 10) ** 2)
    return 2.0 * shape / shape.sum()


def ring():
    width = np.exp(-4 * math.log(2) * ((radius(64, 64) - 15) / 5) ** 2)
    return 3.0 * width / width.sum()


POINTS = {(20, 100): 0.5, (100, 30): 0.3, (90, 100): 0.2}


def with_points(sky):
    for pixel, flux in POINTS.items():
        sky[pixel] += flux
    return sky


def aperture(image, beam, row, column, pixels):
    """Flux within a radius, Jy."""
    area = draw_beam(beam, NPIX, CELL * ARCSEC).sum()
    return float(image[radius(row, column) < pixels].sum() / area)


def cleaned(vis, **options):
    found = radio.image(vis, npix=NPIX, cell=CELL, epsilon=1e-6, clean=options)
    beam = radio.fit_beam(found.POINT_SPREAD_FUNCTION)
    names = "SKY", "SKY_MODEL", "SKY_RESIDUAL"
    return {name: found[name].squeeze().transpose("m", "l").values for name in names}, beam


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_gaussian_among_points_has_its_flux(noise):
    vis = observed(with_points(gaussian()), noise)
    images, beam = cleaned(vis, scales="auto", sigma=3, threshold=1e-3)
    assert aperture(images["SKY"], beam, 50, 70, 18) == pytest.approx(2.0, rel=0.01)
    for pixel, flux in POINTS.items():
        assert images["SKY"][pixel] == pytest.approx(flux, rel=0.005, abs=2e-3 if noise else 0)


def test_a_ring_has_its_flux():
    images, beam = cleaned(observed(with_points(ring()), 0.05), scales="auto", sigma=3)
    assert aperture(images["SKY"], beam, 64, 64, 26) == pytest.approx(3.0, rel=0.02)


def test_a_mask_of_itself_leaves_no_more_within_a_ring_than_around_it():
    """A ring of 5 arcmin in noise: a mask of the components' own pixels would leave 1.7."""
    vis = observed(with_points(ring()), 0.05)
    control = {"mgain": 0.9, "accuracy": "as needed"}
    images, beam = cleaned(vis, scales="auto", auto_mask=4, sigma=1, **control)
    assert aperture(images["SKY"], beam, 64, 64, 26) == pytest.approx(3.0, rel=0.02)
    residual, away = images["SKY_RESIDUAL"], radius(64, 64)
    within = (away > 10) & (away < 20)
    assert residual[within].std() <= 1.1 * residual[away > 30].std()
    for pixel, flux in POINTS.items():
        assert images["SKY"][pixel] == pytest.approx(flux, rel=0.005, abs=2e-3)


def test_biases_match_the_noise():
    """Each scale's own shape is where its peak counts most, and noise counts alike in all."""
    npix = 64
    rng = np.random.default_rng(5)
    psf = draw_beam(Beam(6.0, 6.0, 0.0), npix, 2 * ARCSEC)
    own = scales.scales_of((8.0, 16.0))
    known = responses([psf], own)
    assert known.peaks == pytest.approx([known.of(k, k)[32, 32] for k in range(3)])
    matched = scales.matched(own, known.peaks)
    assert matched[0].bias == 1
    for one in range(3):
        counted = [known.of(one, k)[32, 32] * matched[k].bias for k in range(3)]
        assert int(np.argmax(counted)) == one
    # noise whose covariance is the PSF: that of natural weights
    root = np.sqrt(np.maximum(np.fft.rfft2(np.roll(psf, (-32, -32), (0, 1))).real, 0))
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(npix, npix))) * root)
    for scale in matched[1:]:
        shape = np.fft.rfft2(
            np.roll(centred(scales.shape(scale.diameter), npix), (-32, -32), (0, 1))
        )
        smooth = np.fft.irfft2(np.fft.rfft2(noise) * shape)
        assert smooth.std() * scale.bias == pytest.approx(noise.std(), rel=0.15)
    assert scales.matched(own, (1.0, 0.5, -1e-9))[2].bias == scales.LARGEST_BIAS
