"""Work and memory of an image before it is made: what grows with what, from plain numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio.deconvolution.scales import Scale
from spectrum_workflows.radio.gridding import working_type
from spectrum_workflows.radio.plan import costs, forecast, memory
from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.plan.planning import _sampling
from spectrum_workflows.radio.strips import cost
from spectrum_workflows.radio.types import (
    ARCSEC,
    SINGLE_EPSILON,
    SPEED_OF_LIGHT,
    Channels,
    Chunk,
    Geometry,
    Plane,
    Selection,
    Window,
    grouped,
)
from spectrum_workflows.radio.weights import density_side

from .conftest import spec_of
from .layouts import observed, plan_of
from .test_chunks import observation


def chunk_of(size, description=0):
    return Chunk("x.ms", "DATA", 0, description, 0, 1, 0, 1, size)


CHUNKS = tuple(map(chunk_of, (1000, 3000, 2000)))
GEOMETRY = Geometry(1024, 2 * ARCSEC, 1e-4)


@pytest.fixture(scope="module")
def strips():
    """Data of an array and the layout of four strips for them."""
    data, cell = observed("vla", 40, 512)
    geometry = Geometry(512, cell, 1e-4)
    return plan_of(data, geometry, 4)


def amounts(stage):
    return dict(stage.work)


# Chunks of windows, channels and planes


def windows_of(*windows, **changes):
    """An observation of windows, each of (first MHz, channels, rows per time, chosen)."""
    made = tuple(
        Window(n, 1e6 * (first + np.arange(nchan)), np.array(rows), chosen=chosen)
        for n, (first, nchan, rows, chosen) in enumerate(windows)
    )
    return replace(observation([1], 1), windows=made, **changes)


def test_chunks_are_in_the_order_of_windows_times_and_channels():
    cut = chunks(windows_of((100, 4, [5, 5], None), (200, 4, [5, 5], None)), 10)
    places = [(c.data_description, c.time_start, c.chan_start) for c in cut]
    assert places == sorted(places)
    assert {c.data_description for c in cut} == {0, 1}


@settings(max_examples=40)
@given(
    chosen=st.lists(st.booleans(), min_size=8, max_size=8).filter(any),
    limit=st.integers(1, 60),
)
def test_channels_that_are_not_chosen_are_in_no_chunk(chosen, limit):
    mask = np.array(chosen)
    cut = chunks(windows_of((100, 8, [3, 4], mask)), limit)
    seen = np.zeros((2, 8), int)
    for chunk in cut:
        seen[chunk.time_start : chunk.time_stop, chunk.chan_start : chunk.chan_stop] += 1
    np.testing.assert_array_equal(seen, [mask.astype(int)] * 2)


def test_a_chunk_knows_the_planes_that_it_feeds():
    planes = (Plane(0, Channels(100e6, 102e6)), Plane(3, Channels(102e6, 104e6)))
    cut = chunks(windows_of((99, 8, [5], None), (300, 2, [5], None)), 10, planes)
    assert [(c.chan_start, c.chan_stop, c.planes) for c in cut] == [(1, 3, (0,)), (3, 5, (3,))]
    [one] = chunks(windows_of((100, 4, [5], None)), 100, planes)
    assert one.planes == (0, 3)


def test_channels_between_planes_feed_none_and_are_left_out():
    planes = (Plane(0, Channels(0, 101e6)), Plane(1, Channels(106e6, 107e6)))
    cut = chunks(windows_of((100, 8, [5], None)), 5, planes)
    assert [(c.chan_start, c.planes) for c in cut] == [(0, (0,)), (6, (1,))]


def test_a_plane_without_channels_is_refused():
    plane = Plane(0, Channels(5e9, 6e9))
    with pytest.raises(SpecError) as caught:
        chunks(windows_of((100, 8, [5], None)), 5, (Plane(), plane))
    assert caught.value.what == "no channel lies in Stokes I, 5000 to 6000 MHz"
    assert caught.value.where == "x.ms"
    chosen = np.arange(8) < 3
    with pytest.raises(SpecError, match="no channel lies in"):
        chunks(windows_of((100, 8, [5], chosen)), 5, (Plane(0, Channels(104e6, 1e9)),))


def test_a_chunk_takes_column_field_and_selection_along():
    selection = Selection(scans=(3,))
    [chunk] = chunks(windows_of((100, 2, [5], None), column="X", field=4, selection=selection), 100)
    assert (chunk.column, chunk.field, chunk.selection) == ("X", 4, selection)
    assert chunk.where == "x.ms (field 4, data description 0, times 0:1, channels 0:2)"


# Work


def test_weights_read_all_once_and_hand_on_their_grid():
    stage = forecast.weights(CHUNKS, GEOMETRY)
    grid = 4 * density_side(1024) ** 2
    assert amounts(stage) == {"read": 6000, "weigh": 6000}
    assert (stage.tasks, stage.bytes_moved) == (3, 2 * grid)
    assert forecast.weights(CHUNKS[:1], GEOMETRY).bytes_moved == 0
    assert stage.memory == memory.PROCESS + 3000 * 24 + 2 * grid


def coverage_of(low, high):
    from spectrum_workflows.radio.strips.coverage import covered

    w = np.array([low, high]) * SPEED_OF_LIGHT / 1e9
    uvw = np.stack([np.full(2, 100.0), np.zeros(2), w], axis=1)
    return covered(uvw, np.array([1e9]), 1e3)


@pytest.mark.parametrize("psf", [False, True])
def test_a_cycle_grids_and_predicts_and_the_first_pass_makes_the_psf(psf):
    coverage = coverage_of(0.0, 50.0)
    image, cycle = forecast.in_chunks(CHUNKS, GEOMETRY, coverage, psf=psf, memory=7)
    times = 1 + psf
    for kind in ("grid", "transform"):
        assert amounts(image)[kind] == times / 2 * amounts(cycle)[kind]
    assert amounts(cycle)["grid"] == 2 * 6000
    assert (image.memory, cycle.memory) == (7, 7)
    assert (image.bytes_moved, cycle.bytes_moved) == (times * 2 * 8 * 1024**2, 2 * 8 * 1024**2)


def test_work_of_gridding_grows_with_depth_pixels_and_chunks():
    def transforms(chunks=CHUNKS, geometry=GEOMETRY, depth=500.0):
        _, cycle = forecast.in_chunks(chunks, geometry, coverage_of(0.0, depth), psf=True, memory=0)
        return amounts(cycle)["transform"]

    assert transforms(chunks=CHUNKS * 2) == pytest.approx(2 * transforms())
    assert transforms(depth=5e5) > transforms()
    larger = replace(GEOMETRY, npix=2048, cell=GEOMETRY.cell / 2)  # the same field
    assert transforms(geometry=larger) == pytest.approx(4 * transforms())


def test_planes_are_linear_in_depth_and_in_the_square_of_the_field():
    support = float(cost.planes(np.array(0.0), 0.1, 1e-4))
    deep = cost.planes(np.array([100.0, 200.0, -5.0]), 0.1, 1e-4) - support
    np.testing.assert_allclose(deep, [1.6, 3.2, 0.0])
    wide = float(cost.planes(np.array(100.0), 0.2, 1e-4)) - support
    assert wide == pytest.approx(4 * 1.6)


@pytest.mark.parametrize(("epsilon", "same"), [(1e-1, 1e-3), (1e-9, 1e-5)])
def test_costs_beyond_what_was_measured_are_those_at_its_ends(epsilon, same):
    assert cost.constants(epsilon) == cost.constants(same)


def test_finer_gridding_costs_more_per_visibility():
    each = [cost.constants(epsilon)[0] for epsilon in (1e-3, 3e-4, 1e-4, 1e-5)]
    assert each == sorted(each)
    assert len({*each}) == 4


def test_strips_are_forecast_stage_by_stage(strips):
    options = {"rows": 600, "weighted": False, "psf": True}
    stages = {s.name: s for s in forecast.in_strips(CHUNKS, strips, **options)}
    names = ["strips", "image", "psf", "psf transform", "minor cycle", "major cycle"]
    assert list(stages) == names
    assert amounts(stages["strips"]) == {"read": 6000, "cut": 6000}
    assert stages["strips"].bytes_moved == 6000 * 12 + 600 * 32
    assert stages["image"] == replace(stages["psf"], name="image")
    once, twice = amounts(stages["image"]), amounts(stages["major cycle"])
    assert twice["grid"] == 2 * once["grid"]
    assert twice["filter"] == once["filter"]
    without = forecast.in_strips(CHUNKS, strips, **options | {"psf": False, "weighted": True})
    assert "psf" not in [stage.name for stage in without]
    assert amounts(without[0])["weigh"] == 6000


def test_strips_of_several_windows_are_copied_once_more(strips):
    several = (*CHUNKS, chunk_of(5, 1))
    one, two = (
        {s.name: s.memory for s in forecast.in_strips(c, strips, rows=1, weighted=False, psf=True)}
        for c in (CHUNKS, several)
    )
    largest = max(strip.size for strip in strips.strips)
    assert two["image"] - one["image"] == 12 * largest


def test_extended_scales_take_the_place_of_sidelobes(strips):
    options = {"rows": 1, "weighted": False, "psf": True}
    scales = (Scale(0.0, 1), Scale(20.0, 1), Scale(40.0, 2))
    several = {s.name: s for s in forecast.in_strips(CHUNKS, strips, **options, scales=scales)}
    fewer = {s.name: s for s in forecast.in_strips(CHUNKS, strips, **options, scales=scales[:2])}
    assert "psf transform" not in several
    assert several["minor cycle"].work > fewer["minor cycle"].work
    assert several["minor cycle"].bytes_moved > fewer["minor cycle"].bytes_moved
    points = forecast.in_strips(CHUNKS, strips, **options, scales=scales[:1])
    assert points == forecast.in_strips(CHUNKS, strips, **options)


# Memory


MEASURED = (
    # visibilities, chunks, pixels, accuracy, PSF, largest resident MB of one worker that did all
    (10**6, 1, 512, 1e-4, False, 167),
    (10**6, 1, 1024, 1e-4, False, 183),
    (10**6, 1, 2048, 1e-4, False, 268),
    (10**6, 1, 4096, 1e-4, False, 548),
    (10**6, 1, 4096, 1e-4, True, 682),
    (10**6, 1, 2048, 1e-6, True, 410),
    (10**6, 1, 4096, 1e-6, False, 776),
    (10**7, 1, 1024, 1e-4, False, 412),
    (10**7, 1, 1024, 1e-4, True, 423),
    (10**7, 1, 2048, 1e-4, False, 607),
    (10**7, 1, 4096, 1e-4, True, 973),
    (10**7, 1, 1024, 1e-6, False, 712),
    (10**7, 1, 2048, 1e-6, False, 999),
    (10**7, 4, 1024, 1e-4, False, 271),
    (10**7, 4, 2048, 1e-4, False, 421),
    (10**7, 4, 2048, 1e-6, True, 762),
)


@pytest.mark.parametrize("case", MEASURED, ids=str)
def test_memory_of_a_task_is_foretold(case):
    size, count, npix, epsilon, psf, measured = case
    cut = [replace(CHUNKS[0], size=size // count)] * count
    geometry = replace(GEOMETRY, npix=npix, epsilon=epsilon)
    assert memory.task_bytes(cut, geometry, psf=psf) / 1e6 == pytest.approx(measured, rel=0.15)


def test_memory_of_windows_that_are_gridded_together_is_foretold():
    each = (replace(CHUNKS[0], size=10**7 // 4),) * 4
    need = memory.task_bytes([grouped(each)], replace(GEOMETRY, npix=2048))
    assert need / 1e6 == pytest.approx(631, rel=0.15)


@pytest.mark.parametrize(
    ("products", "npix", "measured"),
    [
        (memory.DIRTY, 512, 201),
        (memory.DIRTY, 2048, 308),
        (memory.DIRTY, 4096, 707),
        (memory.WITH_PSF, 1024, 256),
        (memory.WITH_PSF, 2048, 381),
        (memory.WITH_PSF, 4096, 889),
        (memory.CLEANED, 1024, 406),
        (memory.CLEANED, 2048, 606),
        (memory.CLEANED, 4096, 1419),
    ],
)
def test_memory_of_files_and_pictures_is_foretold(products, npix, measured):
    need = memory.products_bytes(replace(GEOMETRY, npix=npix), 1, products)
    assert need / 1e6 == pytest.approx(measured, rel=0.15)
    assert memory.products_bytes(replace(GEOMETRY, npix=npix), 3, products) > need


def test_memory_goes_with_the_largest_chunk_and_accuracy():
    one, all_of_them = memory.task_bytes(CHUNKS[:1], GEOMETRY), memory.task_bytes(CHUNKS, GEOMETRY)
    assert all_of_them > one
    double = replace(GEOMETRY, epsilon=SINGLE_EPSILON / 2)
    assert memory.task_bytes(CHUNKS, double) > all_of_them
    assert memory.task_bytes(CHUNKS * 50, GEOMETRY) == memory.task_bytes(CHUNKS * 60, GEOMETRY)
    assert working_type(SINGLE_EPSILON) == np.float32
    assert working_type(SINGLE_EPSILON / 2) == np.float64
    assert memory.session_bytes(GEOMETRY) == memory.PROCESS + 12 * 8 * 1024**2


def test_a_session_needs_more_for_scales_planes_and_a_whole_residual():
    scales = (Scale(0.0, 1), Scale(20.0, 2), Scale(80.0, 8))
    sizes = [
        memory.session_bytes(GEOMETRY, scales[:1]),
        memory.session_bytes(GEOMETRY, scales[:2]),
        memory.session_bytes(GEOMETRY, scales),
        memory.session_bytes(GEOMETRY, scales, 4),
        memory.session_bytes(GEOMETRY, scales, 4, whole=True),
    ]
    assert sizes == sorted({*sizes})
    assert sizes[0] == memory.session_bytes(GEOMETRY)


# Pixels for the longest baseline


def sampled(cell, longest=1000.0, **changes):
    seen = replace(windows_of((1000, 2, [1], None)), longest_baseline=longest)
    return _sampling(spec_of(image={"cell_arcsec": cell}, **changes), seen)


NYQUIST = SPEED_OF_LIGHT / 1.001e9 / 1000 / 2 / ARCSEC


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (1.001 * NYQUIST, "undersamples the longest baseline"),
        (0.999 * NYQUIST, None),
        (1.001 * NYQUIST / 12, None),
        (0.999 * NYQUIST / 12, "puts 24 pixels or more across the beam; cell_arcsec = 15 puts 4"),
    ],
)
def test_pixels_too_large_or_too_small_are_told_with_better_ones(cell, words):
    lines = sampled(cell)
    assert len(lines) == (words is not None)
    assert all(words in line for line in lines)


def test_a_chosen_uv_range_is_the_longest_baseline():
    half = 1.5 * NYQUIST
    assert sampled(half)
    assert not sampled(half, select={"uv_m": [0, 500]})
    assert not sampled(half, select={"uv_wavelengths": [0, 1000 * 1.001e9 / SPEED_OF_LIGHT / 2]})
    assert sampled(half, select={"uv_m": [0, 1e6]})


@pytest.mark.parametrize("longest", [0.0, float("nan")])
def test_baselines_without_length_are_told(longest):
    assert sampled(1.0, longest) == (
        "no baseline has a length above 0: are the set's UVW filled in?",
    )


# What is measured


def test_the_typical_time_is_a_median_without_the_first_call(monkeypatch):
    clock = iter([0, 100, 200, 203, 300, 301, 400, 402])
    monkeypatch.setattr(costs.time, "thread_time", lambda: next(clock))
    values = iter("abcd")
    assert costs._typical(lambda: next(values)) == (2.0, "d")


def test_two_calls_tell_visibilities_from_samples(monkeypatch):
    """Of a gridder that takes 3 s per visibility and 0.5 s per sample and plane."""
    data, cell = observed("vla", 40, 512)
    depth = np.abs(data.uvw[:, 2]).max() * data.frequency.max() / SPEED_OF_LIGHT

    def taken(call):
        own, _, pixels = call.args
        half = np.hypot(pixels.columns * pixels.width, pixels.rows * pixels.height) / np.sqrt(8)
        planes = float(cost.planes(depth, half, costs.EPSILON))
        samples = pixels.columns * pixels.rows * planes
        return 3.0 * own.weight.size + 0.5 * samples, None

    monkeypatch.setattr(costs, "_typical", taken)
    found = costs._gridder(data, Geometry(512, cell, costs.EPSILON))
    assert found == pytest.approx((3.0, 0.5), rel=1e-6)
