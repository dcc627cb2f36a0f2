"""Where CLEAN may put its next component, and how peaks at several scales compare."""

import math

import numpy as np
import pytest

from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio.deconvolution import search as searching
from spectrum_workflows.radio.deconvolution.components import Components
from spectrum_workflows.radio.deconvolution.masks import pixel_mask
from spectrum_workflows.radio.deconvolution.scales import Scale, scales_of
from spectrum_workflows.radio.deconvolution.search import POINTS, Search, View, search_for
from spectrum_workflows.radio.imaging.noise import LocalNoise
from spectrum_workflows.radio.spec import CleanSpec
from spectrum_workflows.radio.types import ARCSEC, Beam, Geometry

GEOMETRY = Geometry(512, 2.0 * ARCSEC, 1e-4)
BEAM = Beam(12.0, 3.0, 0.0)  # 3 pixels, as the geometric mean of 6 and 1.5


def test_points_are_all_there_is_if_nothing_else_is_asked_for():
    found = search_for(CleanSpec(threshold=0.1), GEOMETRY, None)
    assert found == POINTS
    assert found.alike
    assert found.everywhere


def test_scales_in_arcsec_become_pixels():
    found = search_for(CleanSpec(threshold=0.1, scales=(20.0, 50.0)), GEOMETRY, None)
    assert [scale.diameter for scale in found.scales] == [0.0, 10.0, 25.0]
    assert found.matched
    assert not found.alike


def test_automatic_scales_begin_at_four_beams():
    found = search_for(CleanSpec(threshold=0.1, scales="auto"), GEOMETRY, BEAM)
    assert [scale.diameter for scale in found.scales] == [0.0, 12.0, 24.0, 48.0, 96.0]
    assert found.matched


def test_a_bias_that_is_given_is_kept():
    clean = CleanSpec(threshold=0.1, scales=(20.0, 40.0), scale_bias=0.5)
    found = search_for(clean, GEOMETRY, BEAM)
    assert not found.matched
    assert [scale.bias for scale in found.scales] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(("beams", "side"), [(25.0, 75), (10.5, 32), (5.0, 15)])
def test_squares_of_noise_are_counted_in_beams(beams, side):
    found = search_for(CleanSpec(sigma=3.0, local_rms=beams), GEOMETRY, BEAM)
    assert found.noise_side == side
    assert not found.alike
    assert not found.matched


def test_a_square_has_a_pixel_at_least():
    tiny = Beam(0.1, 0.1, 0.0)
    assert search_for(CleanSpec(sigma=3.0, local_rms=5.0), GEOMETRY, tiny).noise_side == 1


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"scales": "auto", "sigma": 3.0}, "clean.scales"),
        ({"scales": "auto", "sigma": 3.0, "local_rms": 25.0}, "clean.scales"),
        ({"sigma": 3.0, "local_rms": 25.0}, "clean.local_rms"),
    ],
)
def test_what_is_counted_in_beams_needs_a_beam(options, key):
    with pytest.raises(SpecError, match="it is counted in beams, and no beam fits") as caught:
        search_for(CleanSpec(**options), GEOMETRY, None)
    assert caught.value.where == key
    assert caught.value.remedy == "add [restore]"


def test_a_mask_goes_along():
    mask = pixel_mask(np.eye(512, dtype=bool))
    found = search_for(CleanSpec(threshold=0.1), GEOMETRY, BEAM, mask)
    assert found.mask is mask
    assert found.alike
    assert not found.everywhere


def test_scales_are_foretold_from_the_longest_baseline():
    """A uniformly filled plane has a beam of 0.7 wavelengths over it."""
    auto = CleanSpec(threshold=0.1, scales="auto")
    longest = 0.7 / (5 * GEOMETRY.cell)  # a beam of five pixels
    found = searching.expected_scales(auto, GEOMETRY, longest)
    assert [scale.diameter for scale in found] == pytest.approx([0.0, 20.0, 40.0, 80.0])
    unknown = searching.expected_scales(auto, GEOMETRY, 0.0)
    assert [scale.diameter for scale in unknown][:3] == [0.0, 3.0, 6.0]
    given = CleanSpec(threshold=0.1, scales=(20.0, 50.0))
    found = searching.expected_scales(given, GEOMETRY, longest)
    assert [scale.diameter for scale in found] == pytest.approx([0.0, 10.0, 25.0])


@pytest.mark.parametrize("step", [1, 2, 4, 8])
def test_blocks_are_sampled_where_the_whole_image_is(step):
    columns = np.arange(40)
    for start, stop in ((0, 40), (0, 13), (5, 40), (8, 16), (9, 11), (33, 34)):
        sampled = columns[start:stop][searching.sampled(start, stop, step)]
        assert sampled.tolist() == [n for n in range(start, stop) if n % step == 0]


def test_samples_know_their_pixels():
    view = View((np.zeros((5, 3)),), 12, 4, 20)
    assert view.rows.tolist() == [0, 4, 8, 12, 16]
    assert view.columns.tolist() == [12, 16, 20]


def view_of(*planes, step=1, column=0):
    return View(planes, column, step, planes[0].shape[0] * step)


def test_an_extended_component_lies_within_the_image():
    """One of nine pixels across reaches four beyond its centre."""
    image = np.ones((20, 20))
    allowed = searching.strengths(view_of(image), Scale(9.0), POINTS) > 0
    expected = np.zeros((20, 20), bool)
    expected[4:16, 4:16] = True
    np.testing.assert_array_equal(allowed, expected)


def test_in_a_block_they_lie_within_the_image_too():
    whole = searching.strengths(view_of(np.ones((24, 24))), Scale(9.0), POINTS)
    block = View((np.ones((24, 10)),), 2, 1, 24)
    found = searching.strengths(block, Scale(9.0), POINTS)
    np.testing.assert_array_equal(found, whole[:, 2:12])


def test_masks_and_scales_and_noise_weigh_together():
    rng = np.random.default_rng(1)
    planes = rng.normal(size=(2, 16, 16))
    allowed = rng.random((16, 16)) < 0.6
    noise = LocalNoise(16, rng.uniform(0.5, 2, (4, 4)))
    every = np.arange(16)
    search = Search((Scale(), Scale(5.0, 1.7)), pixel_mask(allowed), noise=noise)
    expected = np.hypot(*planes) * 1.7 * noise.factors(every, every) * allowed
    expected[[0, 1, -1, -2]] = expected[:, [0, 1, -1, -2]] = 0
    found = searching.strengths(view_of(*planes), search.scales[1], search)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    sampled = View(tuple(planes[:, ::2, 4::2]), 4, 2, 16)
    found = searching.strengths(sampled, search.scales[1], search)
    np.testing.assert_allclose(found, expected[::2, 4::2], rtol=1e-12)


def test_images_are_not_changed_by_being_searched():
    image = np.random.default_rng(2).normal(size=(8, 8))
    before = image.copy()
    searching.strengths(view_of(image), Scale(0.0, 2.0), Search(mask=pixel_mask(image > 0)))
    np.testing.assert_array_equal(image, before)


def test_precision_stays_single():
    """Of images on workers, whatever biases and noise are."""
    image = np.ones((16, 16), np.float32)
    search = Search(noise=LocalNoise(16, np.ones((2, 2))))
    assert searching.strengths(view_of(image), Scale(5.0, 1.5), search).dtype == np.float32


def test_the_peak_is_the_largest_of_all_scales():
    scales = scales_of((5.0,), 0.5)
    assert scales[1].bias == 2
    fine, coarse = np.zeros((16, 16)), np.zeros((16, 16))
    fine[3, 4], coarse[8, 8], coarse[0, 0] = -3.0, 1.4, 100.0  # too near to the edge
    views = view_of(fine), view_of(coarse)
    assert searching.peak(views, Search(scales)) == 3.0
    coarse[8, 8] = -1.6
    assert searching.peak(views, Search(scales)) == 3.2
    coarse[8, 8] = np.nan
    assert math.isnan(searching.peak(views, Search(scales)))


def test_nothing_has_no_peak():
    nothing = View((np.zeros((16, 0)),), 16, 1, 16)
    assert searching.peak((nothing,), POINTS) == 0
    masked = Search(mask=pixel_mask(np.ones((16, 16), bool)))
    assert searching.peak((nothing,), masked) == 0


def test_a_view_for_every_scale_is_needed():
    with pytest.raises(ValueError, match="zip"):
        searching.peak((view_of(np.ones((16, 16))),), Search(scales_of((5.0,))))
    with pytest.raises(ValueError, match="zip"):
        searching.active((view_of(np.ones((16, 16))),), Search(scales_of((5.0,))), 0.5)


def test_active_positions_of_all_scales():
    """Values are the residual's own; factors are what they are compared with."""
    scales = scales_of((5.0,), 0.5)
    fine, coarse = np.zeros((2, 16, 16)), np.zeros((2, 8, 8))
    fine[:, 3, 4], fine[:, 3, 5] = (3.0, -4.0), (0.3, 0.4)
    coarse[:, 4, 2], coarse[:, 2, 4] = (0.6, 0.8), (0.15, 0.2)
    noise = LocalNoise(16, np.full((2, 2), 1.5))
    views = view_of(*fine), View(tuple(coarse[:, :, 1:]), 2, 2, 16)
    active = searching.active(views, Search(scales, noise=noise), 1.2)
    assert active.position.tolist() == [[3, 4], [3, 5], [4, 8], [8, 4]]
    assert active.scale.tolist() == [0, 0, 1, 1]
    assert active.value.tolist() == [[3.0, -4.0], [0.3, 0.4], [0.15, 0.2], [0.6, 0.8]]
    assert active.factor.tolist() == [1.5, 1.5, 3.0, 3.0]
    assert active.strength.tolist() == pytest.approx([7.5, 0.75, 0.75, 3.0])
    assert active.floor == 0.6  # half of the level


def test_active_values_are_double():
    active = searching.active((view_of(np.ones((8, 8), np.float32)),), POINTS, 0.5)
    assert active.value.dtype == np.float64
    assert active.value.shape == (64, 1)
    assert active.factor.tolist() == [1.0] * 64


def test_what_was_found_is_where_more_is_looked_for():
    """Points at points; within an extended component, to half of its peak, all up to its size."""
    model = Components(np.array([5, 20]), np.array([6, 24]), np.ones((2, 1)), np.array([0.0, 16.0]))
    y, x = np.mgrid[:40, 8:40]  # a block
    inside = np.hypot(y - 20, x - 24) <= 0.214 * 16
    point = (y == 5) & (x == 6)
    search = Search(model=model)
    for diameter, expected in ((0.0, inside | point), (5.0, inside), (16.0, inside), (17.0, None)):
        view = View((np.ones((40, 32)),), 8, 1, 40)
        found = searching.strengths(view, Scale(diameter), search) > 0
        np.testing.assert_array_equal(found, inside & False if expected is None else expected)
    [found] = [searching.strengths(View((np.ones((40, 8)),), 0, 1, 40), Scale(), search) > 0]
    assert np.argwhere(found).tolist() == [[5, 6]]


def test_pixels_around_components_are_those_of_all_blocks():
    """Values and positions, within a mask; a component's disc crosses the border of two blocks."""
    image = np.random.default_rng(7).normal(size=(24, 24))
    allowed = np.ones((24, 24), bool)
    allowed[12, 11] = False
    model = Components(np.array([12, 3]), np.array([12, 20]), np.ones((2, 1)))
    masked = Search(mask=pixel_mask(allowed))
    whole = searching.around(View((image,), 0, 1, 24), masked, model, 2.0)
    row, column = np.mgrid[:24, :24]
    near = np.minimum(np.hypot(row - 12, column - 12), np.hypot(row - 3, column - 20)) <= 2
    np.testing.assert_array_equal(whole.position, np.argwhere(near & allowed))
    np.testing.assert_array_equal(whole.value[:, 0], image[near & allowed])
    first, second = (
        searching.around(View((image[:, own],), own.start, 1, 24), masked, model, 2.0)
        for own in (slice(0, 13), slice(13, 24))
    )
    both = first + second
    order = np.lexsort(both.position.T[::-1])
    np.testing.assert_array_equal(both.position[order], whole.position)
    np.testing.assert_array_equal(both.value[order], whole.value)
