import numpy as np
import pytest
from scipy import ndimage

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.beam import MAIN_LOBE, _main_lobe, draw_beam, fit_beam
from spectrum_workflows.radio.clean import components
from spectrum_workflows.radio.clean.restoration import restored
from spectrum_workflows.radio.image import robust_rms
from spectrum_workflows.radio.types import ARCSEC, Beam

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
