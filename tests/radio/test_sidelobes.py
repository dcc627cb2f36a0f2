"""Sidelobes by blocks of columns and bands of frequencies: a convolution in pieces."""

from itertools import pairwise

import numpy as np
import pytest

from spectrum_workflows.radio.deconvolution import Components, components, sidelobes
from spectrum_workflows.radio.deconvolution.convolution import convolved


def in_pieces(model, kernel, edges, count):
    """What the workers do, one after the other."""
    npix = len(kernel)
    bands = sidelobes.bands(npix, count)
    blocks = [slice(start, stop) for start, stop in pairwise(edges)]
    own = [sidelobes.kernel_lines(kernel[:, block], block.start, bands) for block in blocks]
    lines = []
    for block in blocks:
        inside = model.within(block.start, block.stop)
        [plane] = sidelobes.component_lines(inside, block.start, npix, bands, kernel.dtype)
        lines.append(plane)
    rows = []
    for number, band in enumerate(bands):
        transformed = sidelobes.transformed([pieces[number] for pieces in own], band)
        rows.append(
            sidelobes.convolved_rows([pieces[number] for pieces in lines], transformed, band)
        )
    side = bands[0].side
    return np.hstack(
        [sidelobes.columns_of([row[:, block] for row in rows], side, npix) for block in blocks]
    )


@pytest.fixture
def model():
    rng = np.random.default_rng(3)
    image = np.zeros((50, 50))
    image[rng.integers(0, 50, 9), rng.integers(0, 50, 9)] = rng.normal(size=9)
    image[0, 0] = image[49, 49] = image[0, 49] = 1.0
    image[:, 20:30] = 0.0  # a block without components
    return components.of(image)


@pytest.mark.parametrize("edges", [[0, 50], [0, 17, 50], [0, 20, 30, 49, 50]])
@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(("kind", "error"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_pieces_are_the_whole_convolution(model, edges, count, kind, error):
    kernel = np.random.default_rng(4).normal(size=(50, 50)).astype(kind)
    expected = convolved(*model.dense(50, 50), kernel.astype(np.float64))
    found = in_pieces(model, kernel, edges, count)
    assert found.dtype == kind
    np.testing.assert_allclose(found, expected, atol=error * np.abs(expected).max())


def test_bands_hold_every_frequency_once():
    bands = sidelobes.bands(50, 7)
    assert [band.start for band in bands[1:]] == [band.stop for band in bands[:-1]]
    assert (bands[0].start, bands[-1].stop) == (0, bands[0].side // 2 + 1)
    assert bands[0].side >= 75
    assert sum(band.size for band in bands) == bands[0].side * (bands[0].side // 2 + 1)
    assert bands[1].where.startswith(f"frequencies {bands[1].start}:")


def test_no_components_have_no_sidelobes():
    found = in_pieces(components.none(1), np.ones((8, 8), np.float32), [0, 4, 8], 2)
    np.testing.assert_array_equal(found, np.zeros((8, 8)))


def test_components_of_the_same_pixel_are_added():
    a = Components(np.array([3, 1]), np.array([0, 2]), np.array([[1.0], [2.0]]))
    b = Components(np.array([1, 0]), np.array([2, 5]), np.array([[0.5], [-1.0]]))
    both = a + b
    assert both.row.tolist() == [0, 1, 3]
    assert both.column.tolist() == [5, 2, 0]
    assert both.flux.tolist() == [[-1.0], [2.5], [1.0]]
    np.testing.assert_array_equal(components.of(*both.dense(4, 6)).flux, both.flux)
    inside = both.within(2, 6)
    assert inside.column.tolist() == [3, 0]
    assert len(components.none(1) + components.none(1)) == 0


@pytest.mark.parametrize(("npix", "count"), [(64, 1), (64, 3), (100, 7), (100, 5)])
def test_bands_are_as_many_as_asked_and_of_one_width(npix, count):
    cut = sidelobes.bands(npix, count)
    side = cut[0].side
    assert len(cut) == count
    assert [f for band in cut for f in range(band.start, band.stop)] == list(range(side // 2 + 1))
    sizes = [band.stop - band.start for band in cut]
    assert max(sizes) - min(sizes) <= 1
