from dataclasses import replace

import numpy as np
import pytest

from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio import gridding
from spectrum_workflows.radio.gridding import invert, invert_psf, predict
from spectrum_workflows.radio.imaging.self_check import Sample, direct_sum
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT, Geometry, Pixels, Visibilities

CELL = 20 * ARCSEC


@pytest.fixture(scope="module")
def data():
    """300 rows × 4 channels with strong w terms and some zero weights."""
    rng = np.random.default_rng(2)
    uvw = rng.uniform(-1000, 1000, (300, 3))
    shape = (300, 4)
    weight = rng.uniform(0.5, 1.5, shape).astype(np.float32)
    weight[rng.random(shape) < 0.2] = 0
    noise = rng.normal(size=(2, *shape))
    return Visibilities(
        uvw=uvw,
        frequency=np.linspace(1.0e9, 1.1e9, 4),
        visibility=(noise[0] + 1j * noise[1]).astype(np.complex64),
        weight=weight,
        unflagged=1200,
    )


def as_sample(data):
    scale = data.frequency / SPEED_OF_LIGHT
    return Sample(
        (data.uvw[:, None, :] * scale[None, :, None]).reshape(-1, 3),
        data.visibility.ravel(),
        data.weight.ravel(),
    )


@pytest.mark.parametrize("epsilon", [1e-3, 1e-4, 1e-5, 1e-7])
def test_every_pixel_agrees_with_the_direct_sum(data, epsilon):
    geometry = Geometry(64, CELL, epsilon)
    rows, columns = np.mgrid[:64, :64].reshape(2, -1)
    image = invert(data, geometry)
    direct = direct_sum(as_sample(data), geometry, rows, columns).reshape(64, 64)
    assert np.abs(image - direct).max() <= 3 * epsilon * np.abs(direct).max()


@pytest.mark.parametrize("epsilon", [1e-4, 1e-6])
def test_prediction_is_the_adjoint_of_gridding(data, epsilon):
    geometry = Geometry(64, CELL, epsilon)
    model = np.random.default_rng(3).normal(size=(64, 64))
    seen = predict(model, data, geometry).astype(np.complex128)
    left = np.sum(data.weight * (seen.conj() * data.visibility)).real
    right = np.sum(model * invert(data, geometry))
    scale = np.linalg.norm(model) * np.linalg.norm(invert(data, geometry))
    assert abs(left - right) <= 1e-6 * scale


def test_a_source_lands_on_its_pixel(data):
    geometry = Geometry(64, CELL, 1e-6)
    model = np.zeros((64, 64))
    model[40, 20] = 2.0  # north and east of the centre
    east, north = 12 * CELL, 8 * CELL
    depth = np.sqrt(1 - east**2 - north**2) - 1
    turns = data.uvw @ [east, north, depth]
    expected = 2 * np.exp(2j * np.pi * turns[:, None] * data.frequency / SPEED_OF_LIGHT)
    seen = predict(model, data, geometry)
    used = data.weight > 0
    assert np.abs(seen - expected)[used].max() < 1e-5
    assert not seen[~used].any()


def test_psf_peaks_at_the_centre_with_the_sum_of_weights(data):
    geometry = Geometry(64, CELL, 1e-4)
    psf = invert_psf(data, geometry)
    assert np.unravel_index(psf.argmax(), psf.shape) == (32, 32)
    assert psf[32, 32] == pytest.approx(data.weight.sum(), rel=1e-4)


def test_images_are_double_precision_and_contiguous(data):
    image = invert(data, Geometry(64, CELL, 1e-4))
    assert image.dtype == np.float64
    assert image.flags.c_contiguous


def test_more_w_planes_than_the_gridder_has(data):
    """Baselines across the Earth in a field of degrees: milliarcseconds were meant."""
    far = replace(data, uvw=data.uvw * 6e3, frequency=data.frequency * 20)
    geometry = Geometry(64, 1000 * ARCSEC, 1e-4)
    for call in (
        lambda: invert(far, geometry),
        lambda: predict(np.ones((64, 64)), far, geometry),
    ):
        with pytest.raises(SpecError, match="more w planes") as caught:
            call()
        assert "\n" not in str(caught.value)


def beside_w(data, metres):
    """The same baselines with the farthest at some w."""
    w = np.linspace(-metres, metres / 2, len(data.uvw))
    return replace(data, uvw=np.column_stack([data.uvw[:, :2], w]))


@pytest.mark.parametrize(
    ("columns", "rows", "width", "height"),
    [(64, 64, CELL, CELL), (512, 16, CELL, CELL), (16, 512, CELL, 3 * CELL), (2, 4, 0.5, 0.4)],
)
def test_the_w_term_is_left_out_where_it_turns_no_phase(data, columns, rows, width, height):
    """At the corner it turns by 2π w (1 - √(1 - l² - m²)): a tenth of the accuracy is the limit."""
    pixels = Pixels(columns, rows, width, height, 1e-4)
    corner = np.hypot(columns * width / 2, rows * height / 2)
    fall = 2 * np.sin(np.arcsin(corner) / 2) ** 2  # 1 - √(1 - r²), without cancellation
    limit = 1e-5 * SPEED_OF_LIGHT / (2 * np.pi * fall * data.frequency.max())
    for factor, needed in ((0.98, False), (1.02, True)):
        asked = gridding._options(beside_w(data, factor * limit), pixels)
        assert asked["do_wgridding"] is needed


def test_corners_beyond_the_horizon_need_the_w_term(data):
    flat = beside_w(data, 0.0)
    for width, needed in ((1.0, True), (1.2, True), (0.99, False)):
        pixels = Pixels(2, 0, width, width, 1e-4)  # the corner is at l = width
        assert gridding._options(flat, pixels)["do_wgridding"] is needed


def test_without_rows_there_is_no_w():
    none = Visibilities(
        uvw=np.zeros((0, 3)),
        frequency=np.array([1e9]),
        visibility=np.zeros((0, 1), np.complex64),
        weight=np.zeros((0, 1), np.float32),
        unflagged=0,
    )
    asked = gridding._options(none, Pixels(64, 64, 1e-2, 1e-2, 1e-4))
    assert asked["do_wgridding"] is False


def test_precision_is_single_as_long_as_that_is_enough(data):
    least = gridding.SINGLE_EPSILON
    for epsilon, kind in ((least, np.float32), (0.99 * least, np.float64), (1e-3, np.float32)):
        assert gridding.working_type(epsilon) is kind
        made = gridding.vis2dirty(data, data.visibility, Pixels(32, 32, CELL, CELL, epsilon))
        assert made.dtype == kind


def test_the_gridder_is_asked_for_one_thread_in_both_directions(data, monkeypatch):
    """With two it gives other bits."""
    threads = []
    for name, made in (("vis2dirty", np.zeros((32, 32))), ("dirty2vis", data.visibility)):

        def record(made=made, **options):
            threads.append(options["nthreads"])
            return made

        monkeypatch.setattr(gridding.wgridder, name, record)
    pixels = Pixels(32, 32, CELL, CELL, 1e-4)
    gridding.vis2dirty(data, data.visibility, pixels)
    gridding.dirty2vis(np.zeros((32, 32), np.float32), data, pixels)
    assert threads == [1, 1]


def test_what_a_model_explains_leaves_no_residual(data):
    geometry = Geometry(64, CELL, 1e-6)
    model = np.zeros((64, 64))
    model[40, 20], model[7, 50] = 2.0, -1.0
    explained = replace(data, visibility=predict(model, data, geometry))
    nothing = gridding.invert_residual(explained, model, geometry)
    assert np.abs(nothing).max() <= 1e-6 * np.abs(invert(explained, geometry)).max()


def test_the_residual_is_the_dirty_image_minus_the_models(data):
    geometry = Geometry(64, CELL, 1e-7)
    model = np.random.default_rng(5).normal(size=(64, 64))
    before = data.visibility.copy()
    residual = gridding.invert_residual(data, model, geometry)
    of_model = replace(data, visibility=predict(model, data, geometry))
    expected = invert(data, geometry) - invert(of_model, geometry)
    np.testing.assert_allclose(residual, expected, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_array_equal(data.visibility, before)


# Windows, which have frequencies of their own


@pytest.fixture(scope="module")
def windows(data):
    """Three: few rows of many channels at low frequencies, one row, and many rows of one channel.

    Only the first has a w term that turns phases.
    """
    rng = np.random.default_rng(6)

    def window(number, rows, frequency, depth):
        shape = (rows, len(frequency))
        weight = rng.uniform(0.5, 1.5, shape).astype(np.float32)
        weight[rng.random(shape) < 0.2] = 0
        noise = rng.normal(size=(2, *shape))
        return Visibilities(
            uvw=rng.uniform(-1000, 1000, (rows, 3)) * [1, 1, depth],
            frequency=frequency,
            visibility=(noise[0] + 1j * noise[1]).astype(np.complex64),
            weight=weight,
            unflagged=rows,
            window=number,
        )

    return (
        window(0, 20, np.linspace(0.6e9, 0.8e9, 5), 1.0),
        window(3, 1, np.array([1.3e9, 1.5e9]), 0.0),
        window(4, 60, np.array([1.0e9]), 0.0),
    )


@pytest.fixture(params=["one call", "a call for each"])
def calls(request, monkeypatch):
    """Gridders that take a list of frequencies per row, and those that do not."""
    if request.param == "a call for each":
        monkeypatch.setattr(gridding, "_packed_call", lambda _name: None)


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("epsilon", [1e-4, 1e-7])
def test_windows_make_the_sum_of_their_images(windows, epsilon):
    geometry = Geometry(64, CELL, epsilon)
    rows, columns = np.mgrid[:64, :64].reshape(2, -1)
    direct = sum(direct_sum(as_sample(own), geometry, rows, columns) for own in windows)
    pixels = Pixels(64, 64, CELL, CELL, epsilon)
    for order in (slice(None), slice(None, None, -1)):
        parts = windows[order]
        image = gridding.windows2dirty(parts, [own.visibility for own in parts], pixels)
        assert image.dtype == gridding.working_type(epsilon)
        error = np.abs(image.T - direct.reshape(64, 64)).max()
        assert error <= 3 * epsilon * np.abs(direct).max()


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("epsilon", [1e-4, 1e-7])
def test_each_window_is_predicted_at_its_own_frequencies(windows, epsilon):
    pixels = Pixels(64, 64, CELL, CELL, epsilon)
    image = np.random.default_rng(7).normal(size=(64, 64))
    exact = replace(pixels, epsilon=1e-9)
    image = image.astype(gridding.working_type(epsilon))
    for parts in (windows, windows[:1], windows[1:]):
        predicted = gridding.dirty2windows(image, parts, pixels)
        for own, seen in zip(parts, predicted, strict=True):
            known = gridding.dirty2vis(image.astype(np.float64), own, exact)
            assert seen.dtype == np.complex64
            assert np.abs(seen - known).max() <= 3 * epsilon * np.abs(known).max()
            assert not seen[own.weight == 0].any()


def test_several_windows_are_one_call_of_the_gridder(windows, monkeypatch):
    """It transforms once; where the w term is needed by one of them, it is taken for all."""
    calls = []
    for name in ("vis2dirty_bda", "dirty2vis_bda"):
        own = getattr(gridding.wgridder.experimental, name)

        def record(own=own, **options):
            calls.append((options["nthreads"], options["do_wgridding"]))
            return own(**options)

        monkeypatch.setattr(gridding.wgridder.experimental, name, record)
    pixels = Pixels(32, 32, CELL, CELL, 1e-4)
    for parts in (windows, windows[1:], windows[:1]):
        gridding.windows2dirty(parts, [own.visibility for own in parts], pixels)
        gridding.dirty2windows(np.zeros((32, 32), np.float32), parts, pixels)
    assert calls == [(1, True)] * 2 + [(1, False)] * 2


@pytest.mark.usefixtures("calls")
def test_images_of_several_windows_are_the_sums_of_theirs(windows):
    geometry, model = Geometry(64, CELL, 1e-7), np.zeros((64, 64))
    model[20, 40] = 2.0
    for made in (invert, invert_psf, lambda data, own: gridding.invert_residual(data, model, own)):
        expected = sum(made(own, geometry) for own in windows)
        assert np.abs(made(windows, geometry) - expected).max() < 1e-6 * np.abs(expected).max()


def test_what_lies_together_is_not_copied():
    whole = np.arange(10, dtype=np.complex64)
    parts = [whole[:4].reshape(2, 2), whole[4:].reshape(2, 3)]
    assert gridding._flat(parts, np.complex64) is whole
    for others in (parts[:1], parts[::-1], [parts[0].T, parts[1]], [parts[0], parts[1].copy()]):
        joined = gridding._flat(others, np.complex64)
        assert joined.base is not whole
        assert joined.tolist() == [value for array in others for value in array.ravel()]
    assert gridding._flat(parts, np.complex128).tolist() == whole.tolist()


def test_ones_take_no_memory():
    ones = [np.broadcast_to(np.complex64(1), shape) for shape in ((2, 3), (1, 4))]
    assert gridding._flat(ones, np.complex64).strides == (0,)
    assert gridding._flat(ones, np.complex128).tolist() == [1] * 10
    twos, none = (np.broadcast_to(np.complex64(2), shape) for shape in ((1, 2), (0, 3)))
    assert gridding._flat([*ones, twos], np.complex64).tolist() == [1] * 10 + [2] * 2
    assert gridding._flat([none, *ones], np.complex64).tolist() == [1] * 10


@pytest.mark.usefixtures("calls")
def test_visibilities_of_every_window_are_needed(windows):
    pixels = Pixels(32, 32, CELL, CELL, 1e-4)
    with pytest.raises((ValueError, RuntimeError)):
        gridding.windows2dirty(windows, [own.visibility for own in windows[:2]], pixels)


def test_gridders_of_other_versions_have_no_call_for_several_windows(monkeypatch):
    assert gridding._packed_call("of another name") is None
    monkeypatch.delattr(gridding.wgridder, "experimental")
    assert gridding._packed_call("vis2dirty_bda") is None


def test_more_w_planes_than_the_gridder_has_in_several_windows(windows):
    far = [replace(own, uvw=own.uvw * 6e4, frequency=own.frequency * 20) for own in windows]
    pixels = Pixels(64, 64, 1000 * ARCSEC, 1000 * ARCSEC, 1e-4)
    with pytest.raises(SpecError, match="more w planes"):
        gridding.windows2dirty(far, [own.visibility for own in far], pixels)
    with pytest.raises(SpecError, match="more w planes"):
        gridding.dirty2windows(np.ones((64, 64), np.float32), far, pixels)


def test_pixels_may_be_of_two_widths(data):
    """Coarser ones than the data resolve, not as many each way: samples of the same image."""
    pixels = Pixels(columns=40, rows=36, width=1.5 * CELL, height=3 * CELL, epsilon=1e-7)
    image = gridding.vis2dirty(data, data.visibility, pixels)
    assert image.shape == (40, 36)
    sample = as_sample(data)
    for column, row in ((0, 0), (20, 18), (39, 3), (7, 35)):
        east, north = (20 - column) * 1.5 * CELL, (row - 18) * 3 * CELL
        depth = np.sqrt(1 - east**2 - north**2) - 1
        turns = sample.uvw @ [east, north, depth]
        expected = np.sum(sample.weight * (sample.visibility * np.exp(-2j * np.pi * turns)).real)
        assert image[column, row] == pytest.approx(expected, abs=1e-5 * np.abs(image).max())
