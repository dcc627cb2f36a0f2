"""Strips keep the accuracy that is asked for, or are not made; a direct sum is the judge."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spectrum_workflows.radio.deconvolution import components
from spectrum_workflows.radio.gridding import predict
from spectrum_workflows.radio.imaging.self_check import Sample, direct_sum
from spectrum_workflows.radio.strips import planner, transform
from spectrum_workflows.radio.strips.accuracy import error_bound
from spectrum_workflows.radio.strips.coverage import covered
from spectrum_workflows.radio.strips.cutting import cut, unpacked
from spectrum_workflows.radio.strips.one_process import invert_in_strips
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Geometry, Visibilities

EDGE = np.array([0, 0, 1, 1, 0.5, 0.5, 0, 1]), np.array([0, 1, 0, 1, 0, 1, 0.5, 0.5])
"""Corners and middles of the sides, as parts of the image."""


def observed(longest, count, seed, *, flat):
    """Visibilities up to a longest baseline, in wavelengths; few of them may all be the longest."""
    rng = np.random.default_rng(seed)
    radius = longest * (np.ones(count) if count < 10 else np.sqrt(rng.uniform(0, 1, count)))
    angle = rng.uniform(0, 2 * np.pi, count)
    w = 0 * radius if flat else longest * rng.uniform(-1, 1, count)
    uvw = np.stack([radius * np.cos(angle), radius * np.sin(angle), w], axis=1)
    vis = (1 + 0.3 * np.exp(2j * np.pi * rng.uniform(size=count))).astype(np.complex64)
    weight = np.ones((count, 1), np.float32)
    return Visibilities(uvw, np.array([SPEED_OF_LIGHT]), vis[:, None], weight, count)


def planned(data, geometry, count):
    longest = float(np.hypot(data.uvw[:, 0], data.uvw[:, 1]).max())
    return planner.layout(covered(data.uvw, data.frequency, longest), geometry, count)


def error_of(data, layout, geometry):
    """Relative to the peak, at the image's edge and at some pixels within."""
    npix = geometry.npix
    some = np.random.default_rng(1).integers(0, npix, (2, 40))
    edge = [(part * (npix - 1)).astype(int) for part in EDGE]
    rows, columns = (np.concatenate(pair) for pair in zip(edge, some, strict=True))
    image = invert_in_strips(data, layout)
    subset = Sample(data.uvw, data.visibility[:, 0], data.weight[:, 0])
    direct = direct_sum(subset, geometry, rows, columns)
    return np.abs(image[rows, columns] - direct).max() / np.abs(image).max()


@settings(max_examples=60)
@given(
    field=st.floats(1, 90),
    exponent=st.floats(np.log10(5), np.log10(5000)),
    digits=st.floats(3, 7),
    count=st.integers(2, 8),
    npix=st.sampled_from([256, 384, 512]),
    visibilities=st.sampled_from([2, 5, 300]),
    flat=st.booleans(),
    seed=st.integers(0, 99),
)
@example(64, np.log10(9), 4, 4, 512, 300, False, 0)
@example(64, np.log10(9), 4, 4, 512, 2, False, 0)
@example(76, np.log10(5), 6, 4, 256, 300, False, 0)
@example(40, np.log10(5), 7, 4, 256, 300, False, 0)
@example(90, np.log10(50), 4, 4, 256, 300, False, 0)
def test_strips_are_right_or_not_made(
    field, exponent, digits, count, npix, visibilities, flat, seed
):
    geometry = Geometry(npix, np.radians(field) / npix, 10**-digits)
    data = observed(10**exponent, visibilities, seed, flat=flat)
    layout = planned(data, geometry, count)
    if layout is not None:
        assert error_of(data, layout, geometry) <= geometry.epsilon


@pytest.mark.parametrize(("field", "longest"), [(1, 5000), (5, 500), (20, 300), (40, 120)])
def test_strips_are_made_where_they_are_wanted(field, longest):
    """Not given up where they can be right: guards grow instead."""
    geometry = Geometry(512, np.radians(field) / 512, 1e-4)
    data = observed(longest, 300, 0, flat=False)
    layout = planned(data, geometry, 4)
    assert layout is not None
    assert 0 < error_bound(layout) <= 1e-4


@pytest.mark.parametrize(("field", "longest"), [(2, 400), (20, 50), (40, 60)])
def test_predictions_are_as_accurate(field, longest):
    """The transposed filters: components at the corners to visibilities."""
    geometry = Geometry(256, np.radians(field) / 256, 1e-5)
    data = observed(longest, 300, 2, flat=False)
    layout = planned(data, geometry, 3)
    assert layout is not None
    model = np.zeros((256, 256))
    model[0, 0], model[255, 3], model[128, 0], model[128, 128] = 1.0, 0.5, 0.7, 1.0
    fine = predict(model, data, Geometry(256, geometry.cell, 1e-9))
    found, rows = components.of(model), 0
    for own, strip in zip(cut(data, layout), layout.strips, strict=True):
        [seen] = unpacked(own)
        samples = transform.model_samples(found, strip, layout)
        [got] = transform.visible(samples, [seen], strip, layout)
        places = [np.flatnonzero((data.uvw == row).all(axis=1))[0] for row in seen.uvw]
        assert np.abs(got - fine[places]).max(initial=0) <= 1e-5 * model.sum()
        rows += len(places)
    assert rows == len(data.uvw)


def test_a_field_of_short_baselines_is_not_cut():
    """2304 pixels over 64 degrees and 9 wavelengths, in double precision: beyond the horizon."""
    geometry = Geometry(2304, np.radians(76) / 2304, 1e-7)
    assert planned(observed(5.0, 300, 0, flat=False), geometry, 4) is None
