"""Gaussians, beams and dishes: closed forms, symmetries, and what is no Gaussian at all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.beams import dish
from spectrum_workflows.radio.beams.dish import ARCMIN, Airy, Polynomial, image_of, main_lobe
from spectrum_workflows.radio.beams.tables import AZIMUTHS, Katbeam
from spectrum_workflows.radio.imaging.beam import departure, draw_beam, fit_beam
from spectrum_workflows.radio.sources import comparing
from spectrum_workflows.radio.sources.finding import Peak, SourceSearch, _apart, _nearest
from spectrum_workflows.radio.sources.gaussian import FEWEST, fitted, of_the_beam
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT, Beam, Geometry, Planted, Source

CELL = 2 * ARCSEC
LOBE = Beam(14.0, 9.0, 35.0)


def turned(beam, angle):
    """The beam at another angle, in [-90, 90)."""
    return replace(beam, bpa=(angle + 90) % 180 - 90)


def same(one, two, rel=1e-6):
    assert (one.bmaj, one.bmin) == pytest.approx((two.bmaj, two.bmin), rel=rel)
    assert abs((one.bpa - two.bpa + 90) % 180 - 90) < 1e-3


# The beam


@settings(max_examples=25)
@given(
    bmaj=st.floats(8, 30),
    ratio=st.floats(0.4, 0.98),
    bpa=st.floats(-90, 89.9),
    npix=st.sampled_from([64, 65, 96]),
)
def test_a_drawn_beam_is_fitted_exactly(bmaj, ratio, bpa, npix):
    beam = Beam(bmaj, max(ratio * bmaj, 6.0), bpa)
    same(fit_beam(draw_beam(beam, npix, CELL), CELL), beam)


@pytest.mark.parametrize("factor", [1e-6, 3.0, 1e9])
def test_the_height_of_a_psf_does_not_count(factor):
    psf = draw_beam(LOBE, 64, CELL)
    assert fit_beam(factor * psf, CELL) == fit_beam(psf, CELL)
    assert departure(factor * psf, LOBE, CELL) == pytest.approx(departure(psf, LOBE, CELL))


def test_a_mirror_and_a_quarter_turn_change_the_angle_alone():
    psf = draw_beam(LOBE, 65, CELL)  # an odd side has a pixel in its middle
    same(fit_beam(psf[:, ::-1].copy(), CELL), turned(LOBE, -35.0))
    same(fit_beam(psf[::-1].copy(), CELL), turned(LOBE, -35.0))
    same(fit_beam(psf.T.copy(), CELL), turned(LOBE, -90 - 35.0))
    same(fit_beam(psf[::-1, ::-1].copy(), CELL), LOBE)


def test_sizes_go_with_the_pixel():
    psf = draw_beam(LOBE, 64, CELL)
    same(fit_beam(psf, 3 * CELL), Beam(42.0, 27.0, 35.0))


@pytest.mark.parametrize("npix", [32, 33])
def test_a_beam_is_drawn_with_its_half_power_width(npix):
    drawn = draw_beam(Beam(16.0, 8.0, 0.0), npix, CELL)
    middle = npix // 2
    assert drawn[middle, middle] == drawn.max() == 1
    assert drawn[middle + 4, middle] == pytest.approx(0.5)  # 8 arcsec to the north
    assert drawn[middle, middle - 2] == pytest.approx(0.5)  # 4 arcsec to the east
    area = np.pi * 16 * 8 / (4 * np.log(2)) / 2**2
    assert drawn.sum() == pytest.approx(area, rel=1e-5)


@pytest.mark.parametrize("peak", [0.0, -1.0, np.nan])
def test_a_psf_without_peak_has_no_beam(peak):
    psf = draw_beam(LOBE, 64, CELL)
    psf[32, 32] = peak
    with pytest.raises(DataError, match="no peak at its centre") as caught:
        fit_beam(psf, CELL)
    assert "[restore]" in caught.value.remedy


def test_a_saddle_is_no_beam():
    offset = np.arange(-32.0, 32.0)
    north, east = offset[:, None], offset[None, :]
    saddle = np.exp(-((north / 4) ** 2) + (east / 40) ** 2)
    with pytest.raises(DataError, match="not Gaussian-like|main lobe covers"):
        fit_beam(saddle, CELL)


@settings(max_examples=20)
@given(factor=st.floats(0.5, 2.0), bpa=st.floats(-90, 89))
def test_departure_is_the_factor_between_beams(factor, bpa):
    psf = draw_beam(turned(LOBE, bpa), 96, CELL / 2)
    other = Beam(factor * LOBE.bmaj, factor * LOBE.bmin, bpa)
    expected = max(factor, 1 / factor) - 1
    assert departure(psf, other, CELL / 2) == pytest.approx(expected, abs=0.02)


# Gaussians of sources


def gaussian(shape, row, column, major, minor, angle):
    """Height 1; pixels, and degrees from north through east."""
    y, x = np.indices(shape, dtype=float)
    north, east, turn = y - row, column - x, np.radians(angle)
    along = north * np.cos(turn) + east * np.sin(turn)
    across = east * np.cos(turn) - north * np.sin(turn)
    return np.exp(-4 * np.log(2) * ((along / major) ** 2 + (across / minor) ** 2))


@settings(max_examples=40)
@given(
    row=st.floats(8, 12),
    column=st.floats(10, 18),
    major=st.floats(5, 9),
    ratio=st.floats(0.5, 0.95),
    angle=st.floats(-90, 89),
    peak=st.floats(1e-6, 1e3),
)
def test_a_gaussian_is_recovered_from_any_of_its_pixels(row, column, major, ratio, angle, peak):
    image = peak * gaussian((21, 27), row, column, major, ratio * major, angle)
    found = fitted(image, image > 0.3 * image.max())
    assert (found.row, found.column) == pytest.approx((row, column), abs=1e-6)
    assert (found.major, found.minor) == pytest.approx((major, ratio * major), rel=1e-6)
    assert found.peak == pytest.approx(peak, rel=1e-6)
    assert abs((found.angle - angle + 90) % 180 - 90) < 1e-3


def test_what_is_no_gaussian_has_no_fit():
    image = gaussian((15, 15), 7, 7, 6, 4, 0)
    inner = image > 0.5
    assert fitted(image, inner) is not None
    assert fitted(1 / image, inner) is None  # a hollow
    assert fitted(np.where(inner, image, -1), inner | (image > 0.4)) is None
    assert fitted(np.exp(np.indices((15, 15))[0] / 10.0), inner) is None  # a slope without top
    line = np.zeros_like(inner)
    line[7] = True
    assert fitted(image, line) is None
    few = np.zeros_like(inner)
    few.ravel()[np.argsort(image.ravel())[-FEWEST + 1 :]] = True
    assert fitted(image, few) is None


def search_of(image, **changes):
    geometry = Geometry(len(image), CELL, 1e-4)
    made = SourceSearch(image, 1e-3, 5.0, Beam(12.0, 8.0, 20.0), geometry, (1.0, 0.5))
    return replace(made, **changes)


def test_a_point_is_the_beam_as_high_as_its_peak():
    image = np.zeros((32, 32))
    image[3, 9] = 0.25
    found = of_the_beam(search_of(image), Peak(3, 9))
    assert (found.peak, found.row, found.column) == (0.25, 3, 9)
    assert (found.major, found.minor, found.angle) == (6, 4, 20.0)  # pixels
    assert search_of(image).threshold == 5e-3
    assert search_of(image).beam_pixels == pytest.approx(np.pi * 6 * 4 / (4 * np.log(2)))


def test_a_pixel_belongs_to_the_nearest_peak():
    rows, columns = np.array([0, 5, 9]), np.array([0, 0, 0])
    assert _nearest(rows, columns, [Peak(8, 0), Peak(1, 0)]).tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("valley", "apart", "count"),
    [(0.5, 12, 2), (0.9985, 12, 1), (0.0, 1, 1)],  # deep, within three rms, within half a beam
)
def test_peaks_are_sources_of_their_own_across_a_valley(valley, apart, count):
    image = np.full((32, 32), valley)
    image[16, 10], image[16, 10 + apart] = 1.0, 1.0005
    kept = _apart(search_of(image), [Peak(16, 10), Peak(16, 10 + apart)])
    assert len(kept) == count
    assert kept[0].column == 10 + apart  # the stronger first


SKY = (Planted("A", 1.0, 0.0, 0.0), Planted("B", 0.5, 20.0, 0.0, fwhm_arcsec=16.0))
FOUND = Source(1, 0, 0, 0.0, 0.0, 1.0, 1.1, 1.0, 99.0, 12.0, 8.0, 0.0)


def test_a_source_takes_the_nearest_name_within_half_of_what_is_wider():
    search = search_of(np.zeros((64, 64)))
    at = {0.0: "A", 5.9: "A", 6.1: "", 11.9: "", 12.1: "B", 27.9: "B", 28.1: ""}
    sources = tuple(replace(FOUND, east=east) for east in at)
    assert [s.planted for s in comparing.named(sources, SKY, search)] == list(at.values())
    assert comparing.named(sources, (), search) == sources


def test_a_planted_peak_is_widened_by_the_beam():
    search = search_of(np.zeros((64, 64)))
    assert comparing.peak_of(SKY[0], search) == 1.0
    expected = 0.5 * 12 * 8 / (np.hypot(12, 16) * np.hypot(8, 16))
    assert comparing.peak_of(SKY[1], search) == pytest.approx(expected)
    ring = replace(SKY[1], fwhm_arcsec=None, ring_arcsec=(3.0, 16.0))
    assert comparing.peak_of(ring, search) == pytest.approx(expected)


def test_agreement_counts_what_is_strong_inside_and_compares_the_largest_of_a_name():
    search = search_of(np.zeros((64, 64)))  # 64 arcsec each way, threshold 5 mJy
    sky = (*SKY, Planted("far", 9.0, 64.5, 0.0), Planted("faint", 0.0074, 30.0, 30.0))
    own = [replace(FOUND, planted="A", flux=f, east=e) for f, e in ((0.2, 3.0), (1.1, 0.6))]
    spurious = replace(FOUND, east=-40.0, flux=7.0)
    result = comparing.agreement([*own, spurious], sky, search)
    assert (result.expected, result.found, result.spurious) == (2, 1, 1)
    assert (result.flux_ratio, result.offset) == pytest.approx((1.1, 0.6))
    nothing = comparing.agreement([], sky, search)
    assert (nothing.found, np.isnan(nothing.flux_ratio), np.isnan(nothing.offset)) == (
        0,
        True,
        True,
    )


# Dishes


def test_a_main_lobe_ends_where_its_field_does():
    field = np.array([1.0, 0.5, 0.1, -0.1, 0.2])
    assert main_lobe(field, field**2) == pytest.approx([1, 0.25, 0.01, 0, 0])
    rising = np.array([1.0, 0.4, 0.5, 0.1])
    assert main_lobe(rising, rising).tolist() == [1, 0.4, 0, 0]
    assert main_lobe(rising[:2], rising[:2]).tolist() == [1, 0.4]


@settings(max_examples=20)
@given(diameter=st.floats(2, 100), hertz=st.floats(1e8, 1e11), factor=st.floats(1.1, 5))
def test_an_airy_pattern_depends_on_diameter_in_wavelengths(diameter, hertz, factor):
    angle = np.linspace(0, 0.5, 50) * SPEED_OF_LIGHT / hertz / diameter
    one = Airy(diameter).power(angle, hertz)
    np.testing.assert_allclose(Airy(diameter * factor).power(angle, hertz / factor), one, rtol=1e-9)
    assert one[0] == 1
    assert (np.diff(one) < 0).all()


def test_a_blockage_narrows_the_lobe_and_is_named():
    wide, narrow = Airy(10.0), Airy(10.0, 3.0)
    angle = np.linspace(1e-5, 3e-3, 20)
    assert (narrow.power(angle, 1e10) < wide.power(angle, 1e10)).all()
    assert (wide.words, narrow.words) == ("Airy, 10 m", "Airy, 10 m, 3 m blocked")


def test_a_polynomial_is_one_of_the_square_of_arcmin_times_ghz():
    beam = Polynomial("test", (-1e-3, 2e-7))
    power = beam.power(np.array([0.0, 10.0]) * ARCMIN, 1.5e9)
    assert power == pytest.approx([1, 1 - 1e-3 * 225 + 2e-7 * 225**2])


def test_of_many_channels_some_in_the_middle_of_equal_steps_are_taken(monkeypatch):
    taken = []

    class Counted:
        words = ""

        def power(self, angle, hertz):
            taken.append(hertz)
            return np.ones_like(angle)

    monkeypatch.setattr(dish, "MOST", 4)
    geometry = Geometry(32, CELL, 1e-4)
    assert (image_of(Counted(), geometry, np.arange(12.0)[::-1]) == 1).all()
    assert taken == [1, 4, 7, 10]
    taken.clear()
    image_of(Counted(), geometry, np.array([3.0]))
    assert taken == [3]


@pytest.mark.parametrize("npix", [32, 33])
def test_a_beam_over_an_image_is_the_same_in_all_quarters(npix):
    image = image_of(Airy(25.0), Geometry(npix, 60 * ARCSEC, 1e-4), np.array([1.4e9]))
    middle = npix // 2
    inner = image[middle - 10 : middle + 11, middle - 10 : middle + 11]
    np.testing.assert_allclose(inner, inner.T, rtol=1e-12)
    np.testing.assert_allclose(inner, inner[::-1], rtol=1e-12)
    assert image[middle, middle] == 1


def test_an_image_beyond_the_horizon_sees_nothing_there():
    image = image_of(Airy(0.05), Geometry(32, 0.1, 1e-4), np.array([1e9]))
    assert np.isfinite(image).all()
    assert image[0, 0] == image_of(Airy(0.05), Geometry(4, 0.5, 1e-4), np.array([1e9]))[2, 0]


def test_a_beam_that_is_not_round_is_averaged_in_angle():
    class Oval:
        def I(self, x, y, mhz):  # noqa: E743 - katbeam calls it so
            return np.exp(-(x**2) - 4 * y**2) * 0.5

    angle = np.radians([0.0, 0.3, 0.6])
    turn = 2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS
    expected = [
        np.mean(np.exp(-(r**2) * (np.cos(turn) ** 2 + 4 * np.sin(turn) ** 2)))
        for r in (0.0, 0.3, 0.6)
    ]
    assert Katbeam(Oval(), "oval").power(angle, 1e9) == pytest.approx(expected)
