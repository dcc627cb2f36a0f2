"""Images in pictures: as few pixels as are seen, where they belong."""

import numpy as np
import pytest
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure

from spectrum_workflows.radio.plot.drawing import (
    SIDE,
    add_colour_bar,
    averaged,
    draw_image,
    label_of,
    strongest,
)


@pytest.mark.parametrize(
    ("npix", "left"),
    [(1, 1), (64, 64), (SIDE, SIDE), (1500, 1500), (2048, 1024), (3000, 1500), (3072, 1024)],
)
def test_a_picture_has_fewer_than_twice_its_side(npix, left):
    image = np.arange(npix * 4.0).reshape(4, npix)
    seen = averaged(image)
    assert seen.shape == (4, left)
    assert seen.mean() == pytest.approx(image.mean())


def test_a_side_without_divisors_is_drawn_as_it_is():
    assert averaged(np.zeros((2503, 2))).shape == (2503, 2)


def test_a_source_is_drawn_where_it_is():
    image = np.zeros((2048, 2048))
    image[1500, 700] = 1.0
    axes = Figure().add_subplot()
    drawn = draw_image(axes, image)
    assert axes.get_xlim() == axes.get_ylim() == (-0.5, 2047.5)
    left, right, lower, _upper = drawn.get_extent()
    seen = drawn.get_array()
    row, column = np.unravel_index(seen.argmax(), seen.shape)
    size = (right - left) / seen.shape[1]
    assert abs(left + (column + 0.5) * size - 700) <= size / 2
    assert abs(lower + (row + 0.5) * size - 1500) <= size / 2
    assert seen.max() == pytest.approx(1 / size**2)


def test_of_a_model_the_strongest_pixels_are_drawn():
    image = np.zeros((2048, 4096))
    image[1, 5], image[3, 9] = 0.5, -0.7
    seen = strongest(image)
    assert seen.shape == (1024, 1024)
    assert (seen[0, 1], seen[1, 2]) == (0.5, -0.7)
    assert np.count_nonzero(seen) == 2
    assert np.array_equal(strongest(image[:8, :8]), image[:8, :8])
    drawn = draw_image(Figure().add_subplot(), image, sparse=True)
    assert np.array_equal(drawn.get_array(), seen)
    assert label_of("Jy / pixel", image, sparse=True) == "Jy / pixel, strongest of 2 × 4 pixels"
    assert label_of("Jy / beam", image) == "Jy / beam, means of 2 × 4 pixels"
    assert label_of("Jy / beam", image[:8, :8]) == "Jy / beam"


def test_limits_that_are_given_are_those_of_image_and_scale():
    norm = AsinhNorm(linear_width=1.0, vmin=-3.0, vmax=50.0)
    drawn = draw_image(Figure().add_subplot(), np.full((8, 8), 1e3), norm=norm, cmap="viridis")
    bar = add_colour_bar(drawn, label="Jy")
    bar.set_ticks([0.0, 50.0])
    assert drawn.norm is norm
    assert drawn.get_cmap().name == bar.cmap.name == "viridis"
    assert (norm.vmin, norm.vmax) == (-3.0, 50.0)
    assert (bar.vmin, bar.vmax) == pytest.approx((-3.0, 50.0))
