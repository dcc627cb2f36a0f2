"""Visibilities cut into strips, joined, and unpacked: each one comes back where it was taken."""

from dataclasses import replace

import numpy as np
import pytest

from spectrum_workflows.radio.strips import planner
from spectrum_workflows.radio.strips.coverage import covered
from spectrum_workflows.radio.strips.cutting import cut, joined, unpacked, within_layout
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Geometry, Visibilities

GEOMETRY = Geometry(256, 1 / 4000, 1e-4)


def chunk(frequency, rows=60, seed=1, window=0, flagged=0.2):
    """Long baselines among short ones, whose channels are in several strips."""
    rng = np.random.default_rng(seed)
    frequency = np.asarray(frequency) * SPEED_OF_LIGHT
    shape = (rows, len(frequency))
    noise = rng.normal(size=(2, *shape))
    weight = rng.uniform(0.5, 1.5, shape).astype(np.float32)
    weight[rng.random(shape) < flagged] = 0
    return Visibilities(
        uvw=rng.uniform(-1, 1, (rows, 3)) * [1000.0, 300.0, 200.0],
        frequency=frequency,
        visibility=(noise[0] + 1j * noise[1]).astype(np.complex64),
        weight=weight,
        unflagged=10 * rows,
        window=window,
        outside=rows,
    )


BAND = np.linspace(1.0, 1.5, 6)


@pytest.fixture(scope="module")
def layout():
    """Four strips, which end where channels of a row lie on both sides."""
    many = chunk(BAND, rows=4000)
    limit = 1500.0
    made = planner.layout(covered(many.uvw, many.frequency, limit), GEOMETRY, 4)
    assert len(made.strips) == 4
    wide = (1500.0 * planner.ROUNDING,) * 3
    return replace(made, limits=wide)


def listed(*wholes):
    """Every visibility that has a weight: coordinates, frequency, value and weight."""
    return sorted(
        (*own.uvw[row].tolist(), own.frequency[channel], value.real, value.imag, weight)
        for own in wholes
        for (row, channel), weight in np.ndenumerate(own.weight)
        if weight > 0
        for value in [own.visibility[row, channel]]
    )


def in_strip(data, layout, number):
    """The same data with weights in one strip only."""
    u = np.abs(np.outer(data.uvw[:, 0], data.frequency / SPEED_OF_LIGHT))
    edges = [strip.u_start for strip in layout.strips[1:]]
    inside = np.searchsorted(edges, u, side="right") == number
    return replace(data, weight=np.where(inside, data.weight, np.float32(0)))


def test_channels_of_a_row_go_to_their_strips(layout):
    data = chunk(BAND)
    for number, part in enumerate(cut(data, layout)):
        [own] = unpacked(part)
        assert listed(own) == listed(in_strip(data, layout, number))
    assert len(listed(data)) == np.count_nonzero(data.weight)


@pytest.mark.parametrize("frequency", [BAND[::-1], BAND[[3, 0, 5, 1, 4, 2]]])
def test_channels_may_come_in_any_order(layout, frequency):
    data = chunk(frequency)
    parts = cut(data, layout)
    for number, part in enumerate(parts):
        [own] = unpacked(part)
        assert listed(own) == listed(in_strip(data, layout, number))


def test_edges_belong_to_the_strip_above(layout):
    edge = layout.strips[2].u_start
    data = chunk([1.0], rows=2, flagged=0.0)
    data = replace(data, uvw=np.array([[edge, 0, 0], [-np.nextafter(edge, 0), 0, 0]]))
    assert [len(part.uvw) for part in cut(data, layout)] == [0, 1, 1, 0]


def test_counts_are_in_the_first_strip_only(layout):
    parts = cut(chunk(BAND, rows=60), layout)
    assert [part.unflagged for part in parts] == [600, 0, 0, 0]
    assert [part.outside for part in parts] == [60, 0, 0, 0]
    both = joined([parts[0], parts[0]])
    assert (both.unflagged, both.outside) == (1200, 120)


def test_a_strip_holds_no_more_than_it_has_to(layout):
    """Of each row the channels from its first to its last in the strip; rows without are gone."""
    data = chunk(BAND)
    for number, part in enumerate(cut(data, layout)):
        weight = in_strip(data, layout, number).weight > 0
        rows = weight.any(axis=1)
        np.testing.assert_array_equal(part.uvw, data.uvw[rows])
        spans = [(np.flatnonzero(row)[0], np.flatnonzero(row)[-1] + 1) for row in weight[rows]]
        assert part.channels.tolist() == [list(map(int, span)) for span in spans]
        assert part.weight.size == part.visibility.size == sum(b - a for a, b in spans)
        assert (part.visibility[part.weight == 0] == 0).all()
        assert (part.visibility.dtype, part.weight.dtype) == (np.complex64, np.float32)


def test_nothing_usable_is_an_empty_strip(layout):
    data = chunk(BAND, flagged=2.0)
    for part in cut(data, layout):
        assert (part.uvw.shape, part.weight.size) == ((0, 3), 0)
        [own] = unpacked(joined([part, part]))
        assert own.weight.shape == own.visibility.shape == (0, 0)


WINDOWS = {
    "one": [chunk(BAND, seed=1), chunk(BAND, seed=2)],
    "two": [chunk(BAND, seed=1), chunk(BAND + 0.01, seed=2, window=3)],
    "interleaved": [
        chunk(BAND, seed=1),
        chunk(BAND[:3] + 0.1, seed=2, window=7),
        chunk(BAND, seed=3),
        chunk(BAND[:3] + 0.1, seed=4, window=7),
        chunk(BAND[1:] - 0.1, seed=5, window=2),
    ],
    "pieces of a band": [
        chunk(BAND[3:], seed=1),
        chunk(BAND[:3], seed=2),
        chunk(BAND[3:], seed=3),
    ],
    "pieces that overlap": [chunk(BAND[:4], seed=1), chunk(BAND[2:], seed=2)],
    "pieces of two bands": [
        chunk(BAND[:2], seed=1, window=5),
        chunk(BAND[3:], seed=2, window=1),
        chunk(BAND[2:], seed=3, window=5),
        chunk(BAND[:3], seed=4, window=1),
    ],
}


@pytest.mark.parametrize("form", WINDOWS)
def test_windows_come_back_with_their_frequencies(layout, form):
    chunks = WINDOWS[form]
    parts = [cut(data, layout) for data in chunks]
    for number, of_strip in enumerate(zip(*parts, strict=True)):
        wholes = unpacked(joined(of_strip))
        assert listed(*wholes) == listed(*(in_strip(data, layout, number) for data in chunks))
        for whole in wholes:
            assert (np.diff(whole.frequency) > 0).all()
            own = [data for data in chunks if data.window == whole.window]
            known = np.unique(np.concatenate([data.frequency for data in own]))
            assert np.isin(whole.frequency, known).all()


@pytest.mark.parametrize(
    ("form", "windows", "lengths"),
    [
        ("one", (0,), [6]),
        ("two", (0, 3), [6, 6]),
        ("interleaved", (0, 7, 2), [6, 3, 5]),
        ("pieces of a band", (0,), [6]),
        ("pieces that overlap", (0, 0), [4, 4]),
        ("pieces of two bands", (5, 1), [6, 6]),
    ],
)
def test_pieces_of_a_window_share_a_list_where_they_follow_one_another(
    layout, form, windows, lengths
):
    part = joined([cut(data, layout)[0] for data in WINDOWS[form]])
    assert part.windows == windows
    assert np.diff([*part.starts, len(part.frequency)]).tolist() == lengths
    assert part.starts[0] == 0
    assert all(isinstance(start, int) for start in part.starts)
    assert part.channels.dtype == np.int32


def test_channels_that_no_row_has_are_left_out(layout):
    data = chunk(BAND, flagged=0.0)
    weight = data.weight.copy()
    weight[:, [0, 4, 5]] = 0
    for part in cut(replace(data, weight=weight), layout):
        [own] = unpacked(part)
        assert np.isin(own.frequency, data.frequency[1:4]).all()
    parts = cut(replace(data, weight=weight), layout)
    used = np.unique(np.concatenate([whole.frequency for p in parts for whole in unpacked(p)]))
    np.testing.assert_array_equal(used, data.frequency[1:4])


def test_what_is_joined_is_in_the_order_of_its_pieces(layout):
    one, other = (cut(chunk(BAND, seed=seed), layout)[1] for seed in (1, 2))
    both = joined([one, other])
    np.testing.assert_array_equal(both.uvw, np.concatenate([one.uvw, other.uvw]))
    np.testing.assert_array_equal(
        both.visibility, np.concatenate([one.visibility, other.visibility])
    )


@pytest.mark.parametrize("coordinate", [0, 1, 2])
def test_a_layout_is_for_the_coordinates_it_was_made_for(layout, coordinate):
    """In wavelengths, at the highest frequency."""
    made = replace(layout, limits=(900.0, 300.0, 120.0))
    data = chunk([1.0, 1.5], rows=3)
    uvw = np.zeros((3, 3))
    for factor, within in ((1.0, True), (1.001, False)):
        uvw[1, coordinate] = -factor * made.limits[coordinate] / 1.5
        assert within_layout(replace(data, uvw=uvw), made) is within


def test_no_rows_are_within_any_layout(layout):
    none = replace(chunk(BAND, rows=0), uvw=np.zeros((0, 3)))
    tiny = replace(layout, limits=(0.0, 0.0, 0.0))
    assert within_layout(none, tiny)
