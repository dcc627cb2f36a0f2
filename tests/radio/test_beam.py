import numpy as np
import pytest
from scipy import ndimage, optimize

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.deconvolution import components
from spectrum_workflows.radio.deconvolution.restoration import restored
from spectrum_workflows.radio.imaging.beam import (
    MAIN_LOBE,
    _main_lobe,
    departure,
    draw_beam,
    fit_beam,
)
from spectrum_workflows.radio.types import ARCSEC, Beam
from spectrum_workflows.radio.types.robust import robust_rms

CELL = 2 * ARCSEC


@pytest.mark.parametrize(
    "beam",
    [
        Beam(12.0, 8.0, 30.0),
        Beam(12.0, 8.0, -75.0),
        Beam(20.0, 7.0, 0.0),
        Beam(9.0, 8.9, 45.0),
        Beam(40.0, 30.0, 89.0),
    ],
)
def test_the_fit_recovers_a_gaussian_psf(beam):
    found = fit_beam(draw_beam(beam, 128, CELL), CELL)
    assert found.bmaj == pytest.approx(beam.bmaj, rel=1e-3)
    assert found.bmin == pytest.approx(beam.bmin, rel=1e-3)
    turned = (found.bpa - beam.bpa + 90) % 180 - 90
    assert abs(turned) < 0.5


@pytest.mark.parametrize("npix", [300, 301])
@pytest.mark.parametrize("width", [12.0, 120.0, 200.0])
def test_the_main_lobe_is_that_of_the_whole_psf(npix, width):
    """Also where it is wider than what is looked at first, and beside a second lobe."""
    psf = draw_beam(Beam(width, 0.9 * width, 10.0), npix, CELL)
    psf[:40, :40] = 0.9
    lobes, _ = ndimage.label(psf > MAIN_LOBE, structure=np.ones((3, 3)))
    expected = np.nonzero(lobes == lobes[npix // 2, npix // 2])
    np.testing.assert_array_equal(_main_lobe(psf), expected)


def test_position_angle_runs_from_north_to_east():
    drawn = draw_beam(Beam(30.0, 10.0, 45.0), 64, CELL)
    north_east, north_west = drawn[37, 27], drawn[37, 37]  # east is at lower columns
    assert north_east > north_west


def test_sidelobes_do_not_enter_the_fit():
    beam = Beam(12.0, 9.0, 20.0)
    psf = draw_beam(beam, 128, CELL)
    psf[10:20, 10:20] = 0.9
    assert fit_beam(psf, CELL).bmaj == pytest.approx(12.0, rel=1e-3)


@pytest.mark.parametrize("width", [0.5, 400.0])
def test_a_main_lobe_that_is_no_lobe(width):
    with pytest.raises(DataError, match="main lobe covers"):
        fit_beam(draw_beam(Beam(width, width, 0.0), 64, CELL), CELL)


def test_restoring_is_an_exact_convolution():
    beam = Beam(12.0, 7.0, 25.0)
    model = np.zeros((64, 64))
    model[5, 60], model[32, 32] = 2.0, -0.5
    residual = np.random.default_rng(0).normal(size=(64, 64))
    drawn = draw_beam(beam, 160, CELL)
    expected = residual + 2.0 * drawn[75:139, 20:84] - 0.5 * drawn[48:112, 48:112]
    np.testing.assert_allclose(
        restored(components.of(model), residual, beam, CELL), expected, atol=1e-12
    )


def test_robust_rms_of_noise_with_a_source():
    noise = np.random.default_rng(1).normal(0, 3.0, (300, 300))
    noise[:10, :10] = 1e6
    assert robust_rms(noise) == pytest.approx(3.0, rel=0.02)


def sparse_psf(npix=256, seed=3):
    """The PSF of few baselines: no Gaussian."""
    rng = np.random.default_rng(seed)
    u, v = rng.normal(0, 0.03, (2, 60))
    offset = np.arange(npix) - npix // 2
    along, across = (
        np.exp(2j * np.pi * np.outer(u, offset)),
        np.exp(2j * np.pi * np.outer(v, offset)),
    )
    return (across.T @ along).real / len(u)


def test_the_fit_is_the_least_squares_one():
    """What SciPy finds, as far as its last digits can be trusted."""
    psf = sparse_psf()
    rows, columns = _main_lobe(psf)
    north, east = rows - 128, 128 - columns

    def misfit(form):
        exponent = form[0] * east**2 + form[1] * north**2 + 2 * form[2] * east * north
        return np.exp(-exponent) - psf[rows, columns]

    found = optimize.least_squares(misfit, [0.01, 0.01, 0.0], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    values = np.linalg.eigvalsh([[found.x[0], found.x[2]], [found.x[2], found.x[1]]])
    axes = np.sqrt(4 * np.log(2) / values) * CELL / ARCSEC
    beam = fit_beam(psf, CELL)
    np.testing.assert_allclose([beam.bmaj, beam.bmin], axes, rtol=3e-8)


@pytest.mark.parametrize("seed", range(5))
def test_last_bits_of_the_psf_do_not_reach_the_beam(seed):
    """Other processors and versions of libraries differ in them."""
    psf = sparse_psf(seed=seed)
    jitter = 1 + 1e-15 * np.random.default_rng(seed).normal(size=psf.shape)
    assert fit_beam(psf * jitter, CELL) == fit_beam(psf, CELL)


@pytest.mark.parametrize("part", [0.36, 0.45])
@pytest.mark.parametrize("wide", [160.0, 90.0])
def test_a_pedestal_is_not_the_main_lobe(part, wide):
    """Of a dense core among long baselines, natural weights."""
    narrow = Beam(14.0, 10.0, 30.0)
    psf = part * draw_beam(Beam(wide, wide, 0.0), 256, CELL)
    psf += (1 - part) * draw_beam(narrow, 256, CELL)
    beam = fit_beam(psf, CELL)
    assert beam.bmaj < 3 * narrow.bmaj


def test_departure_is_that_of_the_half_power_widths():
    psf = draw_beam(Beam(24.0, 16.0, 40.0), 128, CELL)
    assert departure(psf, Beam(24.0, 16.0, 40.0), CELL) < 0.01
    assert departure(psf, Beam(48.0, 32.0, 40.0), CELL) == pytest.approx(1.0, abs=0.02)
    assert departure(psf, Beam(12.0, 8.0, 40.0), CELL) == pytest.approx(1.0, abs=0.02)
    assert departure(np.ones((64, 64)), Beam(12.0, 8.0, 40.0), CELL) == np.inf
