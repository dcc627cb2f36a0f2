"""Small images and discs around many positions, beside plain sums over whole images."""

import numpy as np
import pytest

from spectrum_workflows.radio.deconvolution.patches import add_patches, mark_discs


def test_patches_are_added_around_their_positions_and_cut_at_the_edges():
    rng = np.random.default_rng(11)
    row, column = rng.integers(-4, 24, (2, 60))
    row[:4], column[:4] = (0, 0, 19, 19), (0, 29, 0, 29)
    flux, patch = rng.normal(size=60), rng.normal(size=(5, 5))
    image = rng.normal(size=(20, 30))
    wide = np.pad(image, 20)
    for y, x, value in zip(row + 20, column + 20, flux, strict=True):
        wide[y - 2 : y + 3, x - 2 : x + 3] += value * patch
    add_patches(image, row, column, flux, patch)
    np.testing.assert_allclose(image, wide[20:40, 20:50], rtol=1e-13)


def test_a_patch_of_one_pixel_is_the_flux():
    image = np.zeros((3, 4))
    pixels = np.array([2, 0, 2]), np.array([3, 1, 3])
    add_patches(image, *pixels, np.array([1.5, -2.0, 1.0]), np.ones((1, 1)))
    assert image.tolist() == [[0, -2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 2.5]]


@pytest.mark.parametrize("step", [1, 2, 4])
def test_discs_are_marked_where_samples_are(step):
    rng = np.random.default_rng(9)
    row, column = rng.integers(-8, 60, 12), rng.integers(-8, 60, 12)
    rows, columns = np.mgrid[0:52:step, 0:52:step]
    for radius in (0.0, 1.0, 4.3):
        marked = np.zeros(rows.shape, bool)
        mark_discs(marked, row, column, radius, step)
        away = np.hypot(rows[..., None] - row, columns[..., None] - column)
        np.testing.assert_array_equal(marked, (away <= radius).any(axis=-1))


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("radius", [0.0, 1.0, 2.0, 3.7])
def test_discs_at_the_edges_are_cut_there(radius, step):
    """One after the other: where another disc lies, too, none could be told to be wrong."""
    shape = (7, 9)
    rows, columns = np.arange(7)[:, None] * step, np.arange(9) * step
    for row in (-3, -1, 0, 1, 2, 6 * step - 1, 6 * step, 6 * step + 2):
        for column in (-2, 0, 1, 3, 8 * step - 1, 8 * step, 8 * step + 3):
            marked = np.zeros(shape, bool)
            mark_discs(marked, np.array([row]), np.array([column]), radius, step)
            away = np.hypot(rows - row, columns - column)
            np.testing.assert_array_equal(marked, away <= radius)
