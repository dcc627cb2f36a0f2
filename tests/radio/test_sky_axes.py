import re
from types import SimpleNamespace

import numpy as np
import pytest

from spectrum_workflows.radio.plot.images import celestial
from spectrum_workflows.radio.plot.sky_axes import Edge, edges_of, sexagesimal, ticks_of

NPIX = 256


def field(ra_deg, dec_deg, cell_arcsec):
    """What is asked of a result: geometry and phase centre."""
    return SimpleNamespace(
        geometry=SimpleNamespace(npix=NPIX, cell=np.radians(cell_arcsec / 3600)),
        observation=SimpleNamespace(
            phase_centre=(np.radians(ra_deg), np.radians(dec_deg)), frame="ICRS"
        ),
    )


@pytest.mark.parametrize(
    ("ra", "dec", "cell"),
    [
        (180, 45, 1),
        (0.001, 0, 2),
        (359.99, -30, 40),
        (83.6, 22, 1e-4),
        (10, 80, 5),
        (200, -70, 10),
    ],
)
def test_edges_are_where_astropy_has_them(ra, dec, cell):
    result = field(ra, dec, cell)
    right, up = edges_of(result)
    wcs, corner = celestial(result), np.full(right.pixel.shape, -0.5)
    expected, _ = wcs.wcs_pix2world(right.pixel, corner, 0)
    turns = (right.value / 240 - expected) / 360
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-12)
    _, expected = wcs.wcs_pix2world(corner, up.pixel, 0)
    np.testing.assert_allclose(up.value / 3600, expected, atol=1e-10)
    for edge, turn in ((right, 15.0), (up, 1.0)):
        at, labels = ticks_of(edge)
        assert 2 <= len(at) == len(set(labels)) <= 6
        assert all(-0.5 <= pixel <= NPIX - 0.5 for pixel in at)
        across = [-0.5] * len(at)
        pixels = (at, across) if edge is right else (across, at)
        expected = np.array(wcs.wcs_pix2world(*pixels, 0))[0 if edge is right else 1]
        off = ([turn * degrees(label) for label in labels] - expected + 180) % 360 - 180
        assert np.abs(off).max() < 1e-3 * abs(np.ptp(edge.value)) / 3600 * turn


def degrees(label):
    """What a label says, in degrees, or hours."""
    sign = -1 if label.startswith("-") else 1
    numbers = [float(number) for number in re.findall(r"[\d.]+", label)]
    return sign * sum(number / 60**k for k, number in enumerate(numbers))


@pytest.mark.parametrize(
    ("dec", "cell"), [(90, 1), (-89.99, 1), (45, 1800), (70, 900), (-70, 200), (70, 32)]
)
def test_no_plain_ticks_near_a_pole_or_beyond_the_sphere(dec, cell):
    assert edges_of(field(100, dec, cell)) is None


@pytest.mark.parametrize(
    ("number", "step", "unit", "words"),
    [
        (4321, 10.0, "hours", "12ʰ00ᵐ10ˢ"),
        (-1, 10.0, "hours", "23ʰ59ᵐ50ˢ"),
        (8640, 10.0, "hours", "0ʰ00ᵐ00ˢ"),
        (15, 0.5, "hours", "0ʰ00ᵐ07.5ˢ"),
        (-3, 600.0, "degrees", "-0°30′"),
        (540, 300.0, "degrees", "45°00′"),
        (-7, 2e-3, "degrees", "-0°00′00.014″"),
    ],
)
def test_words_of_a_tick(number, step, unit, words):
    assert sexagesimal(number, step, unit) == words


def test_ticks_of_a_falling_coordinate_are_round():
    edge = Edge(np.array([0.0, 100.0]), np.array([55.0, 5.0]), "hours")
    at, labels = ticks_of(edge)
    assert labels == ["0ʰ00ᵐ10ˢ", "0ʰ00ᵐ20ˢ", "0ʰ00ᵐ30ˢ", "0ʰ00ᵐ40ˢ", "0ʰ00ᵐ50ˢ"]
    np.testing.assert_allclose(at, [90, 70, 50, 30, 10])
