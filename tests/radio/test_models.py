"""Models made of components: what lies where, in every plane."""

import numpy as np
import pytest

from spectrum_workflows.radio.deconvolution import Components, components, scales, sidelobes
from spectrum_workflows.radio.deconvolution.residual_image import Active, strength


@pytest.fixture
def points():
    """Three in two planes."""
    flux = np.array([[1.0, 0.0], [-2.0, 4.0], [0.5, 8.0]])
    return Components(np.array([1, 1, 3]), np.array([0, 4, 2]), flux)


def places(model):
    return list(zip(model.row.tolist(), model.column.tolist(), strict=True))


def test_columns_hold_their_first_and_not_the_one_after_their_last(points):
    assert places(points.within(0, 2)) == [(1, 0)]
    assert places(points.within(2, 4)) == [(3, 0)]
    assert places(points.within(1, 4)) == [(3, 1)]
    assert places(points.within(0, 5)) == places(points)
    assert len(points.within(3, 4)) == 0
    assert points.within(2, 5).flux.tolist() == [[-2.0, 4.0], [0.5, 8.0]]


def test_a_plane_is_a_model(points):
    assert points.planes == 2
    second = points.plane(1)
    assert second.planes == 1
    assert second.flux.tolist() == [[0.0], [4.0], [8.0]]
    assert places(second) == places(points)
    np.testing.assert_array_equal(second.dense(5, 5)[0], points.dense(5, 5)[1])


def test_lines_are_the_columns_that_have_points(points):
    more = points + Components(np.array([0]), np.array([4]), np.array([[7.0, 9.0]]))
    used, (first, second) = more.lines(4, np.float32)
    assert used.tolist() == [0, 2, 4]
    dense = more.dense(4, 5)
    np.testing.assert_array_equal(first, dense[0][:, used])
    np.testing.assert_array_equal(second, dense[1][:, used])
    assert first.dtype == second.dtype == np.float32


def test_a_drawing_gives_the_model_back(points):
    """In double precision; a pixel counts that is not zero in any plane."""
    drawn = [plane.astype(np.float32) for plane in points.dense(5, 6)]
    again = components.of(*drawn)
    assert places(again) == places(points)
    np.testing.assert_array_equal(again.flux, points.flux)
    assert again.flux.dtype == np.float64
    assert again.scale is None


def test_nothing_is_a_model():
    nothing = components.none(3)
    assert (len(nothing), nothing.planes) == (0, 3)
    assert nothing.diameters.shape == (0,)
    assert [plane.any() for plane in nothing.dense(4, 4)] == [False] * 3
    assert len(nothing + nothing) == 0
    used, planes = nothing.lines(4, np.float64)
    assert used.shape == (0,)
    assert [plane.shape for plane in planes] == [(4, 0)] * 3


def test_points_and_extended_ones_of_a_pixel_are_two(points):
    wide = Components(np.array([1]), np.array([4]), np.array([[3.0, 3.0]]), np.array([9.0]))
    for both in (points + wide, wide + points):
        assert len(both) == 4
        assert both.diameters.tolist() == [0.0, 0.0, 9.0, 0.0]
        assert both.row.tolist() == [1, 1, 1, 3]
        assert both.flux[1:3].tolist() == [[-2.0, 4.0], [3.0, 3.0]]
    assert [diameter for diameter, _ in both.by_scale()] == [0.0, 9.0]
    assert [places(own) for _, own in both.by_scale()] == [places(points), [(1, 4)]]
    assert all(own.scale is None for _, own in both.by_scale())
    [(diameter, same)] = points.by_scale()
    assert (diameter, same) == (0.0, points)


def test_sums_of_points_stay_points(points):
    assert (points + points).scale is None
    assert (points + points).flux.tolist() == (2 * points.flux).tolist()
    assert points.diameters.tolist() == [0.0] * 3


@pytest.mark.parametrize("column", [8, 9, 10, 11, 20, 28, 29, 30, 31])
def test_an_extended_one_reaches_into_columns(column):
    """Of nine pixels across: four to either side."""
    one = Components(np.array([10]), np.array([column]), np.array([[2.0]]), np.array([9.0]))
    [dense] = one.dense(21, 40)
    part = one.within(14, 26)
    np.testing.assert_allclose(part.dense(21, 12)[0], dense[:, 14:26], atol=1e-15)
    assert (len(part) > 0) == (10 <= column <= 29) == bool(dense[:, 14:26].any())
    assert part.planes == 1
    assert part.scale is None


def test_it_is_drawn_beyond_the_lowest_row_of_a_model():
    one = Components(np.array([2]), np.array([5]), np.array([[2.0]]), np.array([9.0]))
    [part] = one.within(0, 11).dense(12, 11)
    assert part.sum() == pytest.approx(one.dense(12, 11)[0].sum())
    assert part[6, 5] > 0


# Scales


@pytest.mark.parametrize(
    ("diameter", "reach"), [(0.0, 0), (1.0, 0), (2.0, 0), (3.0, 1), (4.0, 1), (4.1, 2), (9.0, 4)]
)
def test_a_component_reaches_as_far_as_it_is_not_zero(diameter, reach):
    assert scales.reach(diameter) == scales.Scale(diameter).margin == reach
    assert scales.shape(diameter).shape == (2 * reach + 1,) * 2
    assert reach == 0 or scales.shape(diameter)[reach, 0] > 0


def test_shapes_are_not_to_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        scales.shape(9.0)[0, 0] = 1.0


def test_no_scale_is_as_wide_as_a_quarter_of_the_image():
    assert scales.automatic_diameters(2.0, 128) == (8.0, 16.0)  # 32 is a quarter
    assert scales.automatic_diameters(2.0, 129) == (8.0, 16.0, 32.0)


@pytest.mark.parametrize("diameter", [15.9, 16.0, 31.9, 32.0, 63.9, 64.0, 1000.0])
def test_there_are_sixteen_positions_across_a_component(diameter):
    step = scales.Scale(diameter).step
    assert diameter < 32 if step == 1 else diameter / step >= 16
    assert diameter / step < 32
    assert step & (step - 1) == 0


def test_biases_are_of_the_noise_of_each_scale():
    own = scales.scales_of((5.0, 10.0, 20.0))
    found = scales.matched(own, (2.0, 0.5, 0.02, 0.0))
    assert [scale.diameter for scale in found] == [0.0, 5.0, 10.0, 20.0]
    assert [scale.bias for scale in found] == pytest.approx([1.0, 2.0, 10.0, 30.0])
    with pytest.raises(ValueError, match="zip"):
        scales.matched(own, (1.0, 0.5))


# Blocks of columns and bands of frequencies


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("npix", [16, 22])
def test_lines_of_an_image_make_its_transform(kind, npix):
    image = np.random.default_rng(npix).normal(size=(npix, npix)).astype(kind)
    bands = sidelobes.bands(npix, 3)
    side = bands[0].side
    pieces = [
        sidelobes.image_lines(image[:, cut], cut.start, bands)
        for cut in (slice(0, 5), slice(5, 5), slice(5, 6), slice(6, npix))
    ]
    expected = np.fft.fft2(image, (side, side))[: side // 2 + 1]
    for number, band in enumerate(bands):
        own = [piece[number] for piece in pieces]
        assert [len(lines.column) for lines in own] == [5, 0, 1, npix - 6]
        found = sidelobes.transformed(own, band)
        assert found.dtype == (np.complex64 if kind is np.float32 else np.complex128)
        assert {lines.value.dtype for lines in own} == {found.dtype}
        np.testing.assert_allclose(found, expected[band.start : band.stop], atol=1e-4)


def test_lines_of_components_are_those_of_every_plane(points):
    bands = sidelobes.bands(8, 2)
    planes = sidelobes.component_lines(points.within(2, 8), 2, 8, bands, np.float64)
    assert len(planes) == 2
    for number, lines in enumerate(planes):
        [dense] = points.plane(number).within(2, 8).dense(8, 6)
        whole = sidelobes.image_lines(dense, 2, bands)
        for band, one, every in zip(bands, lines, whole, strict=True):
            np.testing.assert_allclose(
                sidelobes.transformed([one], band), sidelobes.transformed([every], band), atol=1e-14
            )


def test_bands_tell_which_they_are():
    first, second = sidelobes.bands(20, 2)
    assert first.side == 30
    assert (first.where, second.where) == ("frequencies 0:8 of 16", "frequencies 8:16 of 16")
    assert (first.size, second.size) == (240, 240)


# Active pixels


def active_of(values, *, floor=0.5, factor=1.0):
    values = np.asarray(values, float)
    count = len(values)
    position = np.stack([np.arange(count), 2 * np.arange(count)], axis=1)
    return Active(position, values, floor, np.arange(count) % 2, np.full(count, factor))


def test_strength_is_the_norm_of_the_planes():
    assert strength([np.array([3.0, -4.0])]).tolist() == [3, 4]
    assert strength([np.array([3.0]), np.array([-4.0])]).tolist() == [5]
    assert active_of([[3.0, 4.0], [0.0, -1.0]], factor=2.0).strength.tolist() == [10, 2]


def test_some_active_pixels_are_still_what_they_were():
    active = active_of([[1.0], [2.0], [3.0]], factor=1.5)
    kept = active[np.array([2, 1])]
    assert kept.position.tolist() == [[2, 4], [1, 2]]
    assert kept.value.tolist() == [[3.0], [2.0]]
    assert kept.scale.tolist() == [0, 1]
    assert kept.factor.tolist() == [1.5, 1.5]
    assert kept.floor == 0.5


def test_blocks_are_put_together_in_their_order():
    one, other = active_of([[1.0], [2.0]], floor=0.25), active_of([[3.0]], factor=4.0)
    both = one + other
    assert both.value.tolist() == [[1.0], [2.0], [3.0]]
    assert both.position.tolist() == [[0, 0], [1, 2], [0, 0]]
    assert both.scale.tolist() == [0, 1, 0]
    assert both.factor.tolist() == [1, 1, 4]
    assert both.floor == (other + one).floor == 0.5  # all that are stronger in both


def test_thinned_is_what_lacks_some_above_half_of_the_level():
    assert not active_of([[1.0]], floor=0.5).thinned(1.0)
    assert active_of([[1.0]], floor=0.51).thinned(1.0)
