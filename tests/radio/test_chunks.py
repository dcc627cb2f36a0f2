import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.types import Observation, Window


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
