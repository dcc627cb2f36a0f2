"""A Zarr set that is written: its chunks, the grid of rows, and what is there already."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.convert import grid as gridding
from spectrum_workflows.radio.convert import layout as layouts
from spectrum_workflows.radio.convert.grid import Grid, check_single, fuller, grids, rounded
from spectrum_workflows.radio.convert.layout import Block, blocks, chunk_keys, layout
from spectrum_workflows.radio.convert.parts import FULLEST, check_filling
from spectrum_workflows.radio.convert.schema import _receptors
from spectrum_workflows.radio.convert.target import NOTE, begun, converted_from
from spectrum_workflows.radio.read.msv2.row_index import RowIndex, grouped, pairs_in

SHAPES = st.tuples(
    st.integers(1, 40), st.integers(1, 50), st.integers(1, 30), st.sampled_from([1, 2, 4])
)


@settings(max_examples=60)
@given(shape=SHAPES, pieces=st.integers(1, 12), chunk=st.integers(1, 1 << 14))
def test_chunks_fit_and_pieces_of_channels_are_their_own(shape, pieces, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layouts, "CHUNK_BYTES", chunk)
        cut = layout(shape, pieces)
    ntime, nbaseline, nchan, npol = shape
    assert cut.chunks == (cut.time_chunk, nbaseline, cut.chan_chunk, npol)
    one = nbaseline * npol * 8
    alone = cut.time_chunk == cut.chan_chunk == 1
    assert cut.time_chunk * cut.chan_chunk * one <= chunk or alone
    assert cut.chan_chunk <= -(-nchan // min(pieces, nchan))
    assert 1 <= cut.time_chunk <= ntime
    assert cut.visibilities == ntime * nbaseline * nchan


@settings(max_examples=60)
@given(
    shape=SHAPES,
    pieces=st.integers(1, 6),
    chunk=st.integers(1, 1 << 13),
    block=st.integers(1, 1 << 14),
)
def test_blocks_hold_every_cell_and_every_chunk_once(shape, pieces, chunk, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layouts, "CHUNK_BYTES", chunk)
        patch.setattr(layouts, "BLOCK_BYTES", block)
        cut = layout(shape, pieces)
        every = list(blocks(cut))
    seen = np.zeros((shape[0], shape[2]), int)
    for one in every:
        seen[one.time_start : one.time_stop, one.chan_start : one.chan_stop] += 1
        assert seen[one.time_start, one.chan_start] == 1
        assert one.shape == (one.time_stop - one.time_start, one.chan_stop - one.chan_start)
    assert (seen == 1).all()
    keys = [key for one in every for key in chunk_keys("x/V", cut, one, axes=4)]
    counts = -(-shape[0] // cut.time_chunk), -(-shape[2] // cut.chan_chunk)
    assert len(keys) == len({*keys}) == counts[0] * counts[1]
    assert f"x/V/c/{counts[0] - 1}/0/{counts[1] - 1}/0" in keys


@pytest.mark.parametrize(("axes", "key"), [(2, "x/T/c/2/0"), (3, "x/T/c/2/0/0")])
def test_arrays_without_channels_have_one_chunk_of_a_time(axes, key):
    cut = layouts.ZarrLayout((10, 5, 8, 2), 4, 2)
    assert chunk_keys("x/T", cut, Block(8, 10, 2, 6), axes=axes) == {key}
    assert chunk_keys("x/V", cut, Block(8, 10, 2, 6), axes=4) == {"x/V/c/2/0/1/0", "x/V/c/2/0/2/0"}


@pytest.mark.parametrize(
    ("types", "receptors"), [((9, 12), "XY"), ((5, 8), "RL"), ((1,), "XY"), ((8,), "RL")]
)
def test_receptors_are_those_of_the_hands(types, receptors):
    assert _receptors(types) == list(receptors)


# Grids of rows


TABLES = []
"""Those that a test has opened."""


@pytest.fixture(autouse=True)
def _closed():
    """What is open when its folder is removed ends the process."""
    yield
    while TABLES:
        TABLES.pop().close()


def table_of(tmp_path, **columns):
    """A main table of casacore; columns are lists."""
    import casacore.tables as casa

    own = {"FIELD_ID": 0, "DATA_DESC_ID": 0} | columns
    count = len(own["TIME"])
    kinds = {"TIME": 0.0, "INTERVAL": 0.0}
    described = casa.maketabdesc([casa.makescacoldesc(n, kinds.get(n, 0)) for n in own])
    place = str(tmp_path / f"rows{len(list(tmp_path.iterdir()))}")
    table = casa.table(place, described, nrow=count, readonly=False, ack=False)
    for name, values in own.items():
        kind = float if name in kinds else np.int32
        table.putcol(name, np.broadcast_to(np.asarray(values, kind), count).copy())
    TABLES.append(table)
    return table


def test_every_field_and_description_has_a_grid_of_its_rows(tmp_path):
    table = table_of(
        tmp_path,
        TIME=[5.0, 5.0, 9.0, 5.0, 9.0],
        ANTENNA1=[0, 1, 0, 2, 1],
        ANTENNA2=[1, 0, 1, 2, 1],
        FIELD_ID=[0, 0, 0, 3, 3],
        DATA_DESC_ID=[1, 1, 1, 0, 0],
    )
    one, two = grids(table)
    assert (one.field, one.data_description, one.shape) == (0, 1, (2, 2))
    assert list(zip(one.antenna1, one.antenna2, strict=True)) == [(0, 1), (1, 0)]
    assert [getattr(one.at, n).tolist() for n in ("first", "last", "count")] == [
        [0, 2],
        [1, 2],
        [2, 1],
    ]
    assert (two.field, two.antenna1.tolist()) == (3, [1, 2])
    cells = gridding.cells(table, one, slice(0, 2), "x.ms")
    assert cells.row.tolist() == [0, 1, 2]
    assert cells.cell.tolist() == [0, 1, 2]
    assert gridding.cells(table, one, slice(1, 2), "x.ms").cell.tolist() == [0]


def averaged(tmp_path, **changes):
    """A short baseline averaged to 8 s, a long one of 1 s, over 16 s."""
    own = {
        "TIME": [4.0, 12.0, *np.arange(0.5, 16.0)],
        "ANTENNA1": [0, 0, *[0] * 16],
        "ANTENNA2": [1, 1, *[2] * 16],
        "INTERVAL": [8.0, 8.0, *[1.0] * 16],
    }
    return table_of(tmp_path, **own | changes)


def test_rows_averaged_by_baseline_have_a_grid_of_each_interval(tmp_path):
    table = averaged(tmp_path)
    one, two = grids(table)
    assert (one.interval, one.shape, one.cells) == (1.0, (16, 1), 16)
    assert (two.interval, two.shape) == (8.0, (2, 1))
    assert two.crossed.tolist() == [4.0, 12.0]
    every = slice(0, None)
    rows = [gridding.cells(table, part, every, "x.ms").row for part in (one, two)]
    assert sorted(np.concatenate(rows).tolist()) == [*range(18)]


def test_rows_of_too_many_intervals_or_none_keep_one_grid(tmp_path, monkeypatch):
    monkeypatch.setattr(gridding, "MOST_INTERVALS", 16)
    [one] = grids(averaged(tmp_path, INTERVAL=[0.5, 8.0, *np.arange(1.0, 17.0)]))
    assert (one.interval, one.shape) == (None, (18, 2))
    plain = {"TIME": [1.0, 2.0, 3.0], "ANTENNA1": [0, 0, 0], "ANTENNA2": [1, 2, 3]}
    [sparse] = grids(table_of(tmp_path, **plain))
    assert sparse.sparse
    assert sparse.interval is None


def test_intervals_are_compared_to_the_millisecond():
    assert rounded(np.array([1.0004, 0.9996, 1.0006])).tolist() == [1, 1, 1.001]


def grid_of(ntime, nbaseline, rows):
    none = np.zeros(ntime, np.int64)
    count = np.diff(np.linspace(0, rows, ntime + 1).astype(int))
    at = RowIndex(np.arange(float(ntime)), none, none, count)
    return Grid(0, 0, at, np.arange(nbaseline), np.arange(nbaseline))


def test_grids_by_interval_are_taken_where_they_are_a_quarter_smaller():
    whole = grid_of(10, 10, 20)
    part = grid_of(5, 15, 20)  # 75 of 100 cells
    assert fuller(whole, [part])[0] is part
    assert fuller(whole, [grid_of(4, 19, 20)])[0] is whole


def test_a_set_that_would_be_nearly_empty_is_refused():
    check_filling(grid_of(10, 2 * FULLEST, 20), "x.ms")
    with pytest.raises(DataError) as caught:
        check_filling(grid_of(10, 2 * FULLEST, 19), "x.ms")
    assert caught.value.what == "10 times × 40 baselines for 19 rows: most would be empty"
    assert "image the set itself" in caught.value.remedy


def test_two_rows_of_one_cell_are_refused():
    check_single(np.array([3, 1, 2]), "x.ms")
    with pytest.raises(DataError, match=r"x\.ms: several rows of the same time and baseline"):
        check_single(np.array([3, 1, 3]), "x.ms")


@settings(max_examples=40)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_rows_of_equal_times_are_merged(times):
    time, row = np.array(times, float), np.arange(len(times))
    at = grouped(time, row, row, np.ones_like(row))
    assert at.time.tolist() == sorted({*times})
    for n, value in enumerate(at.time):
        own = np.flatnonzero(time == value)
        assert (at.first[n], at.last[n], at.count[n]) == (own[0], own[-1], len(own))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=20))
def test_pairs_of_field_and_data_description_are_listed_once(rows):
    field, data_description = np.array(rows, np.int32).reshape(-1, 2).T
    assert pairs_in(field, data_description) == sorted(set(rows))


# The target

JOB = {"form": 2, "source": "abc", "columns": ["DATA"], "output_channels": 8}


def place_of(name, **objects):
    url = f"memory://target/{name}.zarr"
    for key, content in objects.items():
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        storage.write_bytes(f"{url}/{key.replace('__', '.')}", data)
    return url


def root_of(job):
    return {"attributes": {"spectrum_workflows": {"job": job}}}


def test_a_new_conversion_notes_what_it_does():
    url = place_of("new")
    target = begun(url, JOB, overwrite=False)
    assert target.names == {NOTE}
    assert json.loads(storage.read_bytes(f"{url}/{NOTE}")) == JOB


def test_an_interrupted_conversion_goes_on_and_a_complete_one_is_done():
    url = place_of("half", conversion__json=JOB, chunk=b"x")
    assert begun(url, JOB, overwrite=False).names == {NOTE, "chunk"}
    done = place_of("done", zarr__json=root_of(JOB), chunk=b"x")
    assert begun(done, JOB, overwrite=False) is None


DAMAGED = b'{"attributes": {"spectrum_w'


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ({"zarr__json": root_of(JOB | {"source": "other"})}, "another set is here"),
        ({"zarr__json": {"attributes": {}}}, "another set is here"),
        ({"zarr__json": {"attributes": {"spectrum_workflows": {"job": 3}}}}, "another set is here"),
        ({"zarr__json": [1]}, "another set is here"),
        ({"zarr__json": {"attributes": None}}, "another set is here"),
        ({"zarr__json": DAMAGED}, "another set is here"),
        ({"conversion__json": JOB | {"form": 1}}, "another conversion was begun here"),
        ({"conversion__json": DAMAGED}, "another conversion was begun here"),
        ({"conversion__json": b"\xff"}, "another conversion was begun here"),
    ],
    ids=str,
)
def test_what_is_there_is_replaced_when_asked_to_and_only_then(objects, words, request):
    url = place_of(f"other-{request.node.callspec.indices['objects']}", chunk=b"x", **objects)
    with pytest.raises(DataError, match=words) as caught:
        begun(url, JOB, overwrite=False)
    assert caught.value.remedy == "--overwrite replaces it"
    assert storage.exists(f"{url}/chunk")
    assert begun(url, JOB, overwrite=True).names == {NOTE}
    assert not storage.exists(f"{url}/chunk")
    assert not storage.exists(f"{url}/zarr.json")
    assert json.loads(storage.read_bytes(f"{url}/{NOTE}")) == JOB


def test_what_is_no_set_is_never_replaced():
    url = place_of("else", letters=b"mine")
    for overwrite in (False, True):
        with pytest.raises(DataError, match="something else is here; choose another name"):
            begun(url, JOB, overwrite=overwrite)
    assert storage.read_bytes(f"{url}/letters") == b"mine"


def test_a_set_says_what_it_was_made_of():
    assert converted_from(place_of("from", zarr__json=root_of(JOB))) == JOB
