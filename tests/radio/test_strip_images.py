"""Coarse samples of strips, step by step: of single visibilities and of single components."""

from dataclasses import replace

import numpy as np
import pytest

from spectrum_workflows.radio.deconvolution import components
from spectrum_workflows.radio.strips import planner, transform
from spectrum_workflows.radio.strips.coverage import covered
from spectrum_workflows.radio.strips.cutting import cut, unpacked
from spectrum_workflows.radio.strips.one_process import assembled, invert_in_strips
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Geometry, Visibilities

NPIX = 256
GEOMETRY = Geometry(NPIX, 1 / 4000, 1e-5)
"""Of an accuracy that asks for double precision."""


def visibilities(uvw, seed=1):
    """Rows in wavelengths, two of nine without a weight."""
    rng = np.random.default_rng(seed)
    count = len(uvw)
    noise = rng.normal(size=(2, count, 1))
    weight = rng.uniform(0.5, 1.5, (count, 1)).astype(np.float32)
    weight[::9] = weight[5::9] = 0
    return Visibilities(
        uvw=np.asarray(uvw, float),
        frequency=np.array([SPEED_OF_LIGHT]),
        visibility=(noise[0] + 1j * noise[1]).astype(np.complex64),
        weight=weight,
        unflagged=count,
    )


@pytest.fixture(scope="module")
def data():
    uvw = np.random.default_rng(2).uniform(-1, 1, (90, 3)) * [1500, 450, 300]
    return visibilities(uvw)


@pytest.fixture(scope="module", params=[NPIX, 100], ids=["one block", "three blocks"])
def layout(data, request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "BLOCK", request.param)
        made = planner.layout(covered(data.uvw, data.frequency, 1600.0), GEOMETRY, 3)
    assert all(strip.x.taps for strip in made.strips)
    assert made.y.taps
    return made


def direct(data, east, north):
    """The image at some directions, columns to the west; not normalised."""
    n = np.sqrt(1 - east[:, None] ** 2 - north**2) - 1
    total = np.zeros(n.shape)
    for (u, v, w), [value], [weight] in zip(data.uvw, data.visibility, data.weight, strict=True):
        turns = u * -east[:, None] + v * north + w * n
        total += weight * (value * np.exp(-2j * np.pi * turns)).real
    return total


def samples_of(axis):
    return (np.arange(axis.count) - axis.count // 2) * GEOMETRY.cell / axis.ratio


def test_coarse_samples_are_those_of_the_image(data, layout):
    for own, strip in zip(cut(data, layout), layout.strips, strict=True):
        [whole] = unpacked(own)
        found = transform.sampled([whole], [whole.visibility], strip, layout)
        expected = direct(whole, samples_of(strip.x), samples_of(layout.y))
        assert found.shape == (strip.x.count, layout.y.count)
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_pixels_of_the_gridder_are_the_samples(layout):
    for strip in layout.strips:
        pixels = transform.pixels_of(strip, layout)
        assert (pixels.columns, pixels.rows) == (strip.x.count, layout.y.count)
        assert pixels.width == pytest.approx(np.diff(samples_of(strip.x))[0])
        assert pixels.height == pytest.approx(np.diff(samples_of(layout.y))[0])
        assert pixels.epsilon == GEOMETRY.epsilon


def test_the_image_of_all_strips_is_a_direct_sum(data, layout):
    image = invert_in_strips(data, layout)
    pixel = (np.arange(NPIX) - NPIX // 2) * GEOMETRY.cell
    expected = direct(data, pixel, pixel).T
    assert np.abs(image - expected).max() <= 1e-5 * np.abs(expected).max()
    assert image.dtype == np.float64


def test_lists_of_frequencies_make_one_image(data, layout):
    """Those without visibilities among them add nothing."""
    strip = layout.strips[1]
    [whole] = unpacked(cut(data, layout)[1])
    parts = [
        replace(
            whole, **{name: getattr(whole, name)[rows] for name in ("uvw", "visibility", "weight")}
        )
        for rows in (slice(0, 0), slice(0, 7), slice(7, 7), slice(7, None))
    ]
    found = transform.sampled(parts, [own.visibility for own in parts], strip, layout)
    expected = transform.sampled([whole], [whole.visibility], strip, layout)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    nothing = transform.sampled(parts[:1], [parts[0].visibility], strip, layout)
    assert nothing.shape == expected.shape
    assert nothing.dtype == expected.dtype == np.float64
    assert not nothing.any()


def test_blocks_get_the_samples_that_they_need(data, layout):
    """And no image changes with the blocks that it is made in."""
    parts = []
    for own, strip in zip(cut(data, layout), layout.strips, strict=True):
        [whole] = unpacked(own)
        samples = transform.sampled([whole], [whole.visibility], strip, layout)
        pieces = transform.slices(samples, strip, layout)
        assert len(pieces) == len(layout.blocks)
        parts.append(pieces)
    blocks = [
        transform.column_block([part[n] for part in parts], block, layout)
        for n, block in enumerate(layout.blocks)
    ]
    assert [block.shape for block in blocks] == [(NPIX, b.stop - b.start) for b in layout.blocks]
    [image] = assembled([(block,) for block in blocks], layout, 1)
    np.testing.assert_array_equal(image, np.hstack(blocks))
    np.testing.assert_array_equal(image, invert_in_strips(data, layout))
    with pytest.raises(ValueError, match="zip"):
        transform.column_block([part[0] for part in parts[:-1]], layout.blocks[0], layout)


def test_planes_are_assembled_apart(layout):
    rng = np.random.default_rng(3)
    planes = rng.normal(size=(2, NPIX, NPIX)).astype(np.float32)
    blocks = [tuple(planes[:, :, block.start : block.stop]) for block in layout.blocks]
    images = assembled(blocks, layout, 2)
    np.testing.assert_array_equal(images, planes)
    assert images[0].dtype == np.float64
    with pytest.raises(ValueError, match="zip"):
        assembled(blocks[:-1], layout, 2)
    with pytest.raises(ValueError, match="zip"):
        assembled(blocks, layout, 1)


def sky_of(*sources):
    image = np.zeros((NPIX, NPIX))
    for row, column, flux in sources:
        image[row, column] = flux
    return components.of(image)


@pytest.mark.parametrize(
    "sources",
    [[(128, 128, 1.0)], [(0, 0, 1.0), (255, 255, -0.5)], [(3, 250, 1.0), (200, 30, 0.7)]],
)
def test_components_are_seen_as_the_measurement_equation_has_it(data, layout, sources):
    for own, strip in zip(cut(data, layout), layout.strips, strict=True):
        [whole] = unpacked(own)
        samples = transform.model_samples(sky_of(*sources), strip, layout)
        assert samples.shape == (strip.x.count, layout.y.count)
        assert samples.dtype == np.float64
        [seen] = transform.visible(samples, [whole], strip, layout)
        expected = np.zeros(len(whole.uvw), complex)
        for row, column, flux in sources:
            east, north = (128 - column) * GEOMETRY.cell, (row - 128) * GEOMETRY.cell
            n = np.sqrt(1 - east**2 - north**2) - 1
            expected += flux * np.exp(2j * np.pi * (whole.uvw @ [east, north, n]))
        used = whole.weight[:, 0] > 0
        assert np.abs(seen[used, 0] - expected[used]).max() <= 3e-5
        assert not seen[~used].any()
        assert seen.dtype == np.complex64


def test_nothing_is_seen_of_no_components(data, layout):
    strip = layout.strips[0]
    samples = transform.model_samples(components.none(1), strip, layout)
    assert samples.shape == (strip.x.count, layout.y.count)
    assert not samples.any()


def test_each_list_of_frequencies_is_predicted(data, layout):
    strip = layout.strips[1]
    [whole] = unpacked(cut(data, layout)[1])
    parts = [
        replace(
            whole, **{name: getattr(whole, name)[rows] for name in ("uvw", "visibility", "weight")}
        )
        for rows in (slice(0, 7), slice(7, 7), slice(7, None))
    ]
    samples = transform.model_samples(sky_of((10, 20, 1.0)), strip, layout)
    [expected] = transform.visible(samples, [whole], strip, layout)
    seen = transform.visible(samples, parts, strip, layout)
    assert [values.shape for values in seen] == [own.weight.shape for own in parts]
    np.testing.assert_allclose(np.concatenate(seen), expected, atol=1e-5)
    assert [values.shape for values in transform.visible(samples, parts[1:2], strip, layout)] == [
        (0, 1)
    ]


def test_predicting_a_strip_is_the_adjoint_of_imaging_it(data, layout):
    rng = np.random.default_rng(4)
    image = rng.normal(size=(NPIX, NPIX))
    for number, strip in enumerate(layout.strips):
        [whole] = unpacked(cut(data, layout)[number])
        samples = transform.model_samples(components.of(image), strip, layout)
        [seen] = transform.visible(samples, [whole], strip, layout)
        left = np.sum(whole.weight * (seen.conj() * whole.visibility)).real
        only = replace(layout, strips=(strip,))
        coarse = transform.sampled([whole], [whole.visibility], strip, layout)
        pieces = transform.slices(coarse, strip, layout)
        blocks = [
            (transform.column_block([piece], block, only),)
            for piece, block in zip(pieces, layout.blocks, strict=True)
        ]
        [dirty] = assembled(blocks, layout, 1)
        scale = np.linalg.norm(image) * np.linalg.norm(dirty)
        assert abs(left - np.sum(image * dirty)) <= 3e-6 * scale
