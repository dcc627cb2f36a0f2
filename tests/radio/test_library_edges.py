"""The functions on arrays at their edges: nothing, one row, one channel, pixels without a size."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import radio
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio.read.dataset import stokes_i_of

UVW = np.random.default_rng(1).normal(0.0, 300.0, (50, 3))
IMAGED = {"npix": 32, "cell": 20.0}
POINT = np.zeros((32, 32))
POINT[20, 9] = 1.5


def vis_of(uvw=UVW, hertz=(1.4e9,), values=1.0, **more):
    shape = (len(uvw), len(hertz))
    return radio.visibilities(uvw, hertz, np.full(shape, values, np.complex64), **more)


@pytest.mark.parametrize("vis", [vis_of(UVW[:0]), vis_of(hertz=())], ids=["rows", "channels"])
def test_nothing_cannot_be_imaged_but_predicted(vis):
    for function in (radio.dirty_image, radio.psf, radio.imaging_weights, radio.image, radio.clean):
        with pytest.raises(DataError, match="the dataset"):
            function(vis, **IMAGED)
    assert radio.predict(POINT, vis, cell=20.0).shape == vis.VISIBILITY.shape


def test_one_visibility_is_a_fringe():
    """Its dirty image is the cosine of its phase, which is 1 in the middle."""
    uvw = np.array([[500.0, -200.0, 0.0]])
    dirty = radio.dirty_image(vis_of(uvw), **IMAGED, epsilon=1e-7)
    wavelengths = 500.0 * 1.4e9 / 299_792_458.0, -200.0 * 1.4e9 / 299_792_458.0
    phase = 2 * np.pi * (dirty.l * wavelengths[0] + dirty.m * wavelengths[1])
    np.testing.assert_allclose(dirty, np.cos(phase).transpose("m", "l"), atol=1e-5)


def test_baselines_without_length_see_their_mean_everywhere():
    dirty = radio.dirty_image(vis_of(np.zeros((3, 3)), values=2.0), **IMAGED)
    np.testing.assert_allclose(dirty, 2.0, atol=2e-3)


@pytest.mark.parametrize("bad", [{"weight": -1.0}, {"weight": np.inf}, {"values": np.nan}])
def test_what_has_no_usable_weight_or_value_is_no_image(bad):
    with pytest.raises(DataError, match="no unflagged visibility has a positive weight"):
        radio.dirty_image(vis_of(**bad), **IMAGED)


@pytest.mark.parametrize("hertz", [np.nan, 0.0, -1e9])
def test_a_channel_without_frequency_is_refused(hertz):
    with pytest.raises(DataError, match="a channel has no frequency"):
        radio.psf(vis_of(hertz=(1e9, hertz)), **IMAGED)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"weight": np.ones(50)}, r"weight of shape \(50,\) does not fit"),
        ({"flag": np.zeros((50, 3), bool)}, r"flag of shape \(50, 3, 1\) does not fit"),
        ({"polarization": ("XX", "YY")}, "shapes do not fit together"),
        ({"uvw": UVW[:, :2]}, "shapes do not fit together"),
    ],
    ids=str,
)
def test_arrays_that_do_not_fit_together(more, words):
    with pytest.raises(DataError, match=words):
        vis_of(**more)


@settings(max_examples=20)
@given(st.sampled_from([(50, 1), (50, 2), (1, 2), (50, 2, 1), (50, 2, 2), (1, 1, 2), ()]))
def test_weights_that_broadcast_are_those_of_every_visibility(shape):
    given_ = np.random.default_rng(0).uniform(1, 2, shape).astype(np.float32)
    values = np.ones((50, 2, 2))
    made = radio.visibilities(UVW, [1e9, 2e9], values, given_, polarization=("XX", "YY"))
    full = given_[..., None] if given_.ndim == 2 else given_
    np.testing.assert_array_equal(made.WEIGHT, np.broadcast_to(full, values.shape))


def test_imaging_is_linear_and_weights_of_a_constant_factor_do_not_count():
    rng = np.random.default_rng(2)
    one, two = (
        radio.visibilities(UVW, [1.4e9], rng.normal(size=(50, 1, 2)) @ [[1], [1j]]) for _ in "ab"
    )
    both = one.assign(VISIBILITY=one.VISIBILITY + 2 * two.VISIBILITY)
    images = [radio.dirty_image(vis, **IMAGED, epsilon=1e-7) for vis in (one, two, both)]
    np.testing.assert_allclose(images[2], images[0] + 2 * images[1], atol=2e-6)
    heavy = radio.dirty_image(one.assign(WEIGHT=4 * one.WEIGHT), **IMAGED, epsilon=1e-7)
    np.testing.assert_allclose(heavy, images[0], atol=1e-6)


def test_the_order_of_rows_does_not_matter():
    order = np.random.default_rng(3).permutation(50)
    vis = vis_of(values=1.0)
    turned = vis.isel(row=order)
    one, two = (radio.psf(each, **IMAGED, epsilon=1e-7) for each in (vis, turned))
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_a_psf_is_symmetric_about_its_middle():
    psf = radio.psf(vis_of(UVW * [1, 1, 0]), **IMAGED, epsilon=1e-7).values
    np.testing.assert_allclose(psf[1:, 1:], psf[:0:-1, :0:-1], atol=1e-6)


def test_pixels_by_place_and_images_by_projection_agree():
    """A predicted point is imaged where it is: the adjoint, at one pixel."""
    predicted = radio.predict(POINT, vis_of(), cell=20.0, epsilon=1e-7)
    seen = vis_of().assign(VISIBILITY=predicted)
    dirty = radio.dirty_image(seen, **IMAGED, epsilon=1e-7)
    assert np.unravel_index(int(dirty.values.argmax()), dirty.shape) == (20, 9)
    assert float(dirty.max()) == pytest.approx(1.5, rel=1e-4)


def test_rows_without_coordinates_are_predicted_as_unknown():
    uvw = UVW.copy()
    uvw[7, 2] = np.nan
    predicted = radio.predict(POINT, vis_of(uvw, values=0.0), cell=20.0)
    assert np.isnan(predicted).any(axis=(1, 2)).values.nonzero()[0].tolist() == [7]
    assert stokes_i_of(vis_of(uvw)).data.weight[7] == 0


# Images without a size


@pytest.mark.parametrize("cell", [0.0, -2.0, np.nan, np.inf])
def test_a_pixel_has_a_size(cell):
    beam = radio.Beam(60.0, 40.0, 10.0)
    for call in (
        lambda: radio.restore(POINT, POINT, beam, cell=cell),
        lambda: radio.fit_beam(POINT, cell=cell),
        lambda: radio.predict(POINT, vis_of(), cell=cell),
    ):
        with pytest.raises(SpecError, match="no pixel has a size of") as caught:
            call()
        assert caught.value.where == "cell"


@pytest.mark.parametrize(
    "size",
    [(0.0, 0.0, 0.0), (3.0, 0.0, 0.0), (2.0, 3.0, 0.0), (np.nan, 1.0, 0.0), (3.0, 2.0, np.nan)],
)
def test_a_beam_has_two_widths(size):
    with pytest.raises(SpecError, match="no beam is .* arcsec; give full widths above 0"):
        radio.restore(POINT, POINT, radio.Beam(*size), cell=20.0)


@pytest.mark.parametrize("shape", [(0, 0), (32, 34), (4, 4, 4), (5,)])
def test_an_image_is_square_and_holds_something(shape):
    with pytest.raises(DataError, match="an image of shape"):
        radio.fit_beam(np.ones(shape), cell=1.0)


def test_models_and_residuals_have_the_same_pixels():
    beam = radio.Beam(60.0, 40.0, 10.0)
    with pytest.raises(DataError, match="give images of the same size"):
        radio.restore(POINT, np.zeros((34, 34)), beam, cell=20.0)
    dirty = radio.dirty_image(vis_of(), **IMAGED)
    other = radio.dirty_image(vis_of(), npix=32, cell=10.0)
    with pytest.raises(DataError, match="have other pixels"):
        radio.restore(other, dirty, beam)
    turned = dirty.isel(l=slice(None, None, -1))
    with pytest.raises(DataError, match="l must fall and m rise"):
        radio.restore(turned, turned, beam)


def test_coordinates_of_any_order_of_dimensions_are_the_same_image():
    dirty = radio.dirty_image(vis_of(), **IMAGED)
    beam = radio.Beam(60.0, 40.0, 10.0)
    one, two = (radio.restore(dirty, image, beam) for image in (dirty, dirty.transpose("l", "m")))
    xr.testing.assert_allclose(one, two)


@pytest.mark.parametrize("mask", [np.ones((32, 32), bool), [[1] * 32] * 32, np.full((32, 32), 2)])
def test_a_mask_of_everything_changes_nothing(mask):
    options = {**IMAGED, "threshold": 0.5, "max_major": 1}
    one, two = (radio.clean(vis_of(), **options, mask=m) for m in (None, mask))
    np.testing.assert_array_equal(one.SKY_MODEL, two.SKY_MODEL)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((8, 8)), r"the mask has \(8, 8\) pixels, the image \(32, 32\)"),
        (np.zeros((32, 32)), "no pixel of the mask is other than 0"),
        (np.ones((32, 8)), "an image of shape"),
    ],
)
def test_masks_that_fit_no_image(mask, words):
    with pytest.raises(DataError, match=words):
        radio.clean(vis_of(), **IMAGED, mask=mask)
