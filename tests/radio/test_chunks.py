from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.radio.plan.chunks import chunks, grouped_chunks
from spectrum_workflows.radio.types import Channels, Observation, Plane, Window, grouped


def observation(rows, nchan):
    return Observation(
        url="x.ms",
        column="DATA",
        telescope="",
        object_name="",
        field=0,
        phase_centre=(0.0, 0.0),
        frame="FK5",
        windows=(Window(0, 1e9 + 1e6 * np.arange(nchan), np.array(rows)),),
        longest_baseline=1.0,
        identity="",
    )


@given(
    rows=st.lists(st.integers(1, 60), min_size=1, max_size=40),
    nchan=st.integers(1, 20),
    limit=st.integers(1, 4000),
)
def test_every_visibility_is_in_exactly_one_chunk(rows, nchan, limit):
    cut = chunks(observation(rows, nchan), limit)
    seen = np.zeros((len(rows), nchan), int)
    for chunk in cut:
        times, channels = (
            slice(chunk.time_start, chunk.time_stop),
            slice(chunk.chan_start, chunk.chan_stop),
        )
        seen[times, channels] += 1
        held = sum(rows[times]) * (chunk.chan_stop - chunk.chan_start)
        assert chunk.size == held
        single = chunk.time_stop - chunk.time_start == 1 and chunk.chan_stop - chunk.chan_start == 1
        assert chunk.size <= limit or single
    assert np.all(seen == 1)


def test_chunks_are_about_equal():
    cut = chunks(observation([351] * 100, 64), 351 * 64 * 30)
    sizes = [chunk.size for chunk in cut]
    assert len(cut) == 4
    assert max(sizes) - min(sizes) <= 351 * 64


def test_channels_are_cut_only_where_one_time_is_too_much():
    cut = chunks(observation([100, 100], 10), 250)
    assert len(cut) == 10
    assert {chunk.chan_stop - chunk.chan_start for chunk in cut} == {2}
    assert all(chunk.time_stop - chunk.time_start == 1 for chunk in cut)


def windows_of(*counts):
    """An observation of 100 rows in each of some windows, with as many channels."""
    one = observation([50, 50], 1)
    windows = (
        Window(n, 1e9 + 1e8 * n + 1e6 * np.arange(nchan), np.array([50, 50]))
        for n, nchan in enumerate(counts)
    )
    return replace(one, windows=tuple(windows))


def test_small_windows_are_one_partition():
    cut = chunks(windows_of(2, 3, 4, 12), 1200)
    first, last = grouped_chunks(cut, 1200)
    assert (first.size, last) == (900, cut[-1])
    assert first.chunks == cut[:3]
    assert (first.url, first.field, first.planes) == ("x.ms", 0, (0,))
    assert first.where == (
        "x.ms (field 0, data description 0, times 0:2, channels 0:2) "
        "and 2 more, to field 0, data description 2, times 0:2, channels 0:4"
    )


def test_a_partition_of_several_chunks_has_halves_down_to_a_channel():
    cut = chunks(windows_of(1, 2, 3), 10**4)
    [group] = grouped_chunks(cut, 10**4)
    todo, ends = [group], []
    while todo:
        part = todo.pop(0)
        todo += part.halves()
        if not part.halves():
            ends.append(part)
    assert group.halves() == (cut[0], grouped(cut[1:]))
    assert len({part.where for part in ends}) == len(ends) == 2 * (1 + 2 + 3)


def test_chunks_that_feed_other_planes_are_partitions_of_their_own():
    """One that feeds both would be twice as large in memory."""
    planes = (Plane(0, Channels(0, 1.05e9)), Plane(1, Channels(1.05e9, 2e9)))
    cut = chunks(windows_of(2, 2, 2), 10**4, planes)
    assert [part.planes for part in grouped_chunks(cut, 10**4)] == [(0,), (1,)]


@given(
    counts=st.lists(st.integers(1, 20), min_size=1, max_size=12),
    limit=st.integers(1, 4000),
)
def test_groups_hold_every_chunk_in_order_and_are_small(counts, limit):
    cut = chunks(windows_of(*counts), limit)
    groups = grouped_chunks(cut, limit)
    assert tuple(chunk for part in groups for chunk in part.chunks) == cut
    assert all(part.size <= limit for part in groups if len(part.chunks) > 1)
    assert all(a.size + b.chunks[0].size > limit for a, b in pairwise(groups))
