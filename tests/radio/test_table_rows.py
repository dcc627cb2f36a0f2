"""Rows, cells and fields of casacore's tables: small ones, made for each test."""

import itertools

import casacore.tables as casa
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import AccessError, DataError
from spectrum_workflows.radio.read.msv2 import cells, examining, fields, probing, row_index, tables
from spectrum_workflows.radio.read.msv2.antennas import antenna_names, antennas, cell_or, strings
from spectrum_workflows.radio.read.msv2.cells import EMPTY, Shapes
from spectrum_workflows.radio.read.msv2.examining import check_columns, has_values
from spectrum_workflows.radio.read.msv2.fields import Span, field_of
from spectrum_workflows.radio.types import Chunk, Selection

NUMBERS = itertools.count()
TABLES: list[casa.table] = []
"""Those that a test has opened."""
SHORT = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _closed():
    """What is open when its folder is removed ends the process."""
    yield
    row_index.row_indexes.cache_clear()
    while TABLES:
        TABLES.pop().close()


def columns_of(**columns):
    """Descriptions and values: numbers of each row, or (a list of arrays or None)."""
    described = []
    for name, values in columns.items():
        if isinstance(values, list) and values and isinstance(values[0], np.ndarray | type(None)):
            first = next(value for value in values if value is not None)
            kind = {np.dtype("f4"): "float", np.dtype("f8"): "double"}[first.dtype]
            described.append(casa.makearrcoldesc(name, 0.0, first.ndim, valuetype=kind))
        else:
            own = np.ravel(np.asarray(values))
            described.append(casa.makescacoldesc(name, own[0].item()))
    return casa.maketabdesc(described)


def table_of(tmp_path, count, **columns):
    """A table on disk, open for writing; a value for all rows or one of each."""
    place = str(tmp_path / f"t{next(NUMBERS)}")
    table = casa.table(place, columns_of(**columns), nrow=count, readonly=False, ack=False)
    TABLES.append(table)
    for name, values in columns.items():
        if isinstance(values, list) and values and isinstance(values[0], np.ndarray | type(None)):
            for row, value in enumerate(values):
                if value is not None:
                    table.putcell(name, row, value)
        else:
            table.putcol(name, np.broadcast_to(np.asarray(values), count).copy())
    table.flush()
    return table


# Rows


ROWS = {"FIELD_ID": 0, "DATA_DESC_ID": 0, "SCAN_NUMBER": 1}


def main_of(tmp_path, time, first, second, **more):
    own = {"TIME": np.asarray(time, float), "ANTENNA1": np.asarray(first, np.int32)}
    own |= {"ANTENNA2": np.asarray(second, np.int32)} | ROWS | more
    own = {k: np.asarray(v, np.int32) if k != "TIME" else v for k, v in own.items()}
    return table_of(tmp_path, len(time), **own)


class _Kept:
    """A table as a context that leaves it open."""

    def __init__(self, table):
        self.table = table

    def __enter__(self):
        return self.table

    def __exit__(self, *_):
        pass


def indexed(table, chosen=(0, 0), selection=Selection()):  # noqa: B008 - frozen
    class Opened:
        def __enter__(self):
            return table

        def __exit__(self, *_):
            pass

    return row_index.row_index(
        lambda _: Opened(), table.name(), (next(NUMBERS), 0), chosen, selection
    )


def chunk_of(at, start=0, stop=None, selection=Selection()):  # noqa: B008 - frozen
    stop = len(at.time) if stop is None else stop
    return Chunk("", "DATA", 0, 0, start, stop, 0, 1, 0, selection=selection)


@SHORT
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)),
        min_size=1,
        max_size=12,
    ),
    block=st.integers(1, 5),
)
def test_an_index_of_blocks_is_that_of_all_rows(tmp_path, rows, block):
    time, first, second, field = (np.array([row[n] for row in rows]) for n in range(4))
    table = main_of(tmp_path, time, first, second, FIELD_ID=field)
    own = [n for n, (_, a, b, f) in enumerate(rows) if a != b and f == 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_index, "ROWS", block)
        patch.setattr(examining, "ROWS", block)
        at = indexed(table)
        assert at.count.sum() == len(own)
        assert at.time.tolist() == sorted({float(time[n]) for n in own})
        if not own:
            return
        found, place = row_index.rows_of(table, chunk_of(at), at)
        ordered = np.empty(len(own), int)
        ordered[list(place)] = list(found)
        keys = [rows[n][:3] for n in ordered]
        assert sorted(ordered.tolist()) == own
        assert keys == sorted(keys)
        pairs = {(rows[n][0], *sorted(rows[n][1:3])) for n in own}
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(examining, "TOGETHER", 3)
            inner.setattr(examining, "opened", lambda _: _Kept(table))
            assert examining.doubles("", (0, 0), at) == len(own) - len(pairs)
    if at.ordered:
        assert keys == [rows[n][:3] for n in own]


def test_rows_in_order_need_no_list_of_them(tmp_path):
    table = main_of(tmp_path, [1, 1, 2, 2, 3], [0, 0, 0, 0, 0], [1, 2, 1, 2, 1])
    at = indexed(table)
    assert at.ordered
    assert at.doubles == 0
    assert row_index.rows_of(table, chunk_of(at, 1, 2), at) == (range(2, 4), range(2))


@pytest.mark.parametrize("block", [1, 2, 3, 4])
def test_rows_in_order_stay_so_across_blocks_and_doubles_are_counted(tmp_path, monkeypatch, block):
    monkeypatch.setattr(row_index, "ROWS", block)
    table = main_of(tmp_path, [1, 1, 1, 2], [0, 0, 0, 0], [1, 1, 2, 1])
    at = indexed(table)
    assert at.ordered
    assert at.doubles == 1


def test_selected_rows_are_indexed_alone(tmp_path):
    table = main_of(tmp_path, [1, 1, 2, 2], [0, 1, 0, 1], [1, 2, 1, 2], SCAN_NUMBER=[4, 4, 5, 5])
    chosen = Selection(scans=(5,), without_antennas=(2,))
    at = indexed(table, selection=chosen)
    assert (at.time.tolist(), at.count.tolist()) == ([2], [1])
    found, _ = row_index.rows_of(table, chunk_of(at, selection=chosen), at)
    assert list(found) == [2]
    assert len(indexed(table, (7, 0)).time) == 0


def test_times_of_their_own_are_not_another_number_s_double(tmp_path):
    table = main_of(tmp_path, [1, 1, 1], [0, 0, 1], [1, 1, 0])
    at = indexed(table)
    assert at.doubles is None  # antenna 1 is the larger somewhere: neighbours do not tell
    assert at.count.tolist() == [3]


# Cells


def test_shapes_are_told_with_the_rows_that_have_none(tmp_path):
    values = [np.ones((2, 3)), None, np.ones((4, 1)), np.ones((2, 3))]
    shapes = cells.shapes(table_of(tmp_path, 4, A=values), "A")
    assert [shapes.of(row) for row in range(4)] == [(2, 3), EMPTY, (4, 1), (2, 3)]
    assert shapes.other_than((2, 3)).tolist() == [1, 2]
    assert shapes.other_than((2, 3), EMPTY).tolist() == [2]
    nothing = table_of(tmp_path, 2, A=[np.ones((1, 1)), None])
    assert cells.shapes(nothing.selectrows([1]), "A").of(0) == EMPTY


def test_a_part_of_some_cells_has_their_own_type(tmp_path):
    values = [np.arange(8, dtype=np.float32).reshape(4, 2) + 10 * n for n in range(3)]
    table = table_of(tmp_path, 3, A=values)
    part = cells.cut(table, "A", ([1, 0], [3, 1], [2, 1]), (1, 2))
    np.testing.assert_array_equal(part, np.array(values)[1:, 1:4:2])
    assert part.dtype == np.float32


WINDOW = ([0, 0], [2, 1], [1, 1])


@pytest.mark.parametrize(
    "present",
    list(itertools.product([True, False], repeat=3)),
    ids=lambda p: "".join("ny"[x] for x in p),
)
def test_weights_are_those_of_channels_where_a_row_has_them(tmp_path, present):
    spectrum = [np.full((3, 2), 7.0 + n, np.float32) if p else None for n, p in enumerate(present)]
    plain = [np.array([n + 1.0, n + 1.5], np.float32) for n in range(3)]
    columns = {"WEIGHT": plain} | ({"WEIGHT_SPECTRUM": spectrum} if any(present) else {})
    found = cells.weights(table_of(tmp_path, 3, **columns), WINDOW, (0, 3))
    assert found.shape == (3, 3 if any(present) else 1, 2)
    for row, own in enumerate(spectrum):
        expected = plain[row][None] if own is None else own
        np.testing.assert_array_equal(found[row], np.broadcast_to(expected, found[row].shape))


@pytest.mark.parametrize("value", [1.0, 1])
def test_a_column_of_single_values_or_another_type_is_refused(tmp_path, value):
    table = table_of(tmp_path, 1, DATA=value)
    with pytest.raises(DataError, match="DATA holds single .* values, not arrays of complex"):
        cells.check_type(table, "DATA", "complex", "dcomplex", url="x.ms")
    arrays = table_of(tmp_path, 1, DATA=[np.ones((1, 1))])
    with pytest.raises(DataError, match="DATA holds double, not arrays of complex; choose"):
        cells.check_type(arrays, "DATA", "complex", url="x.ms")
    cells.check_type(arrays, "DATA", "float", "double", url="x.ms")


def test_other_shapes_and_missing_values_are_refused_by_row():
    shapes = Shapes(((2, 3), (9, 9), EMPTY), np.array([0, 1, 2, 2, 0]))
    rows = np.array([10, 11, 12, 13, 14])
    with pytest.raises(DataError, match=r"DATA has shape \(9, 9\) in row 11, not \(2, 3\)"):
        examining._refuse(shapes, "DATA", (2, 3), rows, "x.ms")
    words = "DATA holds no value in 2 rows, the first of them row 12; fill it"
    with pytest.raises(DataError, match=words):
        examining._refuse(shapes, "DATA", (2, 3), rows, "x.ms", (9, 9))
    examining._refuse(shapes, "DATA", (2, 3), rows, "x.ms", (9, 9), EMPTY)


def test_a_table_without_the_columns_of_an_image_is_another_one(tmp_path):
    table = main_of(tmp_path, [1.0], [0], [1])
    with pytest.raises(DataError, match="no column UVW, FLAG, WEIGHT; name a Measurement Set"):
        check_columns(table, "x.ms")


def test_values_are_looked_for_in_some_rows(tmp_path):
    table = table_of(tmp_path, 3, A=[None, np.ones((1, 2)), None])
    name = table.name()
    assert [has_values(name, "A", rows) for rows in ([0], [1], [0, 2], [0, 1])] == [
        False,
        True,
        False,
        True,
    ]
    assert not has_values(name, "B", [1])
    assert cell_or(table, "A", 0, "none") == cell_or(table, "B", 0, "none") == "none"
    assert cell_or(table, "A", 7, "none") == "none"
    assert cell_or(table, "A", 1, "none").shape == (1, 2)
    assert strings(table, "NAME") == ["", "", ""]


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (3, "A", "POINTER is 3, but the SUB subtable has 2 rows"),
        (-1, "A", "POINTER is -1, but the SUB subtable has 2 rows"),
        (0, "B", "the SUB subtable has no column B"),
        (1, "A", "A of row 1 of SUB holds no value"),
    ],
)
def test_a_cell_that_is_not_there_contradicts_its_pointer(tmp_path, row, column, words):
    table = table_of(tmp_path, 2, A=[np.ones(2), None])
    with pytest.raises(DataError) as caught:
        tables.cell(table, column, row, ("x.ms", "SUB", "POINTER"))
    assert (caught.value.what, caught.value.remedy) == (words, tables.CONTRADICTION)
    assert tables.cell(table, "A", 0, ("x.ms", "SUB", "POINTER")).tolist() == [1, 1]


# Errors of casacore


def test_what_casacore_says_is_told_with_its_cause(tmp_path):
    described = tables._describe
    folder = tmp_path / "x.ms"
    assert described("odd", "x.ms", folder, "").what == "not a Measurement Set"
    folder.mkdir()
    (folder / "table.dat").write_bytes(b"x")
    missing = described("is unknown", "x.ms", folder, "FIELD")
    assert missing.what == "it has no FIELD subtable"
    manager = described("storage manager Foo is unknown", "x.ms", folder, "")
    assert "cannot read how it is stored" in manager.what
    assert "mstransform" in manager.remedy
    broken = described(f"bad {folder}/table.f0\nand more", "x.ms", folder, "")
    assert broken.what == "main table unreadable (bad x.ms/table.f0)"
    assert described("", "x.ms", folder, "").what == "main table unreadable (no reason given)"
    assert not isinstance(broken, AccessError)


@pytest.mark.parametrize(
    ("output", "where"),
    [(None, "its beginning"), ("", "its beginning"), ("a\nb\n", "b"), (b"x\xff\ny", "y")],
)
def test_a_walk_that_died_is_told_by_where_it_was(output, where):
    assert probing._latest(output) == where
    assert (probing._name(6), probing._name(250)) == ("SIGABRT", "signal 250")


# Antennas and fields


def subtabled(tmp_path, name, count, keywords=None, **columns):
    """A set whose main table has one subtable."""
    main = table_of(tmp_path, 1, TIME=0.0)
    sub = table_of(tmp_path, count, **columns)
    for column, words in (keywords or {}).items():
        sub.putcolkeywords(column, words)
    sub.flush()
    main.putkeyword(name, f"Table: {sub.name()}")
    main.flush()
    return main.name()


def test_antennas_are_named_with_their_stations_or_numbers(tmp_path):
    url = subtabled(tmp_path, "ANTENNA", 2, NAME=["A", "A"], STATION=["N1", "N2"])
    assert antenna_names(url) == ["A_N1", "A_N2"]
    same = subtabled(tmp_path, "ANTENNA", 2, NAME=["A", "A"], STATION=["N1", "N1"])
    known = antennas(same)
    assert known.name == ("A_N1_0", "A_N1_1")
    assert np.isnan(known.position).all()
    assert known.diameter.shape == (2,)


DEGREES = {"PHASE_DIR": {"QuantumUnits": ["deg", "deg"], "MEASINFO": {"Ref": "ICRS"}}}


def field_at(tmp_path, direction, span=Span(0.0, 0.0, np.inf), keywords=None, **more):  # noqa: B008
    own = {"PHASE_DIR": [np.asarray(direction, float)], "NAME": "3C"} | more
    return field_of(subtabled(tmp_path, "FIELD", 1, keywords, **own), 0, span)


def test_a_direction_has_its_units_and_its_frame(tmp_path):
    field = field_at(tmp_path, [[-30.0, 10.0]], keywords=DEGREES)
    assert np.degrees(field.centre) == pytest.approx((330, 10))
    assert (field.name, field.frame) == ("3C", "ICRS")
    plain = field_at(tmp_path, [[0.5, 0.25]])
    assert (plain.centre, plain.frame) == ((0.5, 0.25), "FK5")


def test_a_polynomial_is_taken_at_the_middle_of_the_observation(tmp_path):
    terms = [[1.0, 0.5], [0.0, 1e-6]]
    field = field_at(tmp_path, terms, Span(100.0, 120.0, 1.0), TIME=100.0, NUM_POLY=1)
    assert field.centre == pytest.approx((1.0, 0.5 + 1e-5), rel=1e-12)
    with pytest.raises(DataError, match="the phase centre of field 0 moves"):
        field_at(tmp_path, terms, Span(100.0, 120.0, 1e-6), TIME=100.0, NUM_POLY=1)


@pytest.mark.parametrize(
    ("direction", "more", "words"),
    [
        ([[1.0, 0.5, 0.0]], {}, r"PHASE_DIR of field 0 has shape \(1, 3\)"),
        ([[1.0, 0.5]], {"NUM_POLY": 1}, "NUM_POLY is 1"),
        ([[1.0, 0.5], [0.0, 1.0]], {"NUM_POLY": 0}, "has 1 orders, NUM_POLY says 0"),
        ([[1.0, 0.5]], {"EPHEMERIS_ID": 3}, "field 0 follows ephemeris 3"),
        ([[1.0, 1.6]], {}, "phase centre of field 0 is no direction"),
    ],
)
def test_directions_that_are_none(tmp_path, direction, more, words):
    with pytest.raises(DataError, match=words):
        field_at(tmp_path, direction, **more)


@pytest.mark.parametrize(("code", "frame"), [(21, "FK5"), (3, "GALACTIC"), (9, "frame 9")])
def test_a_frame_may_stand_in_a_column(tmp_path, code, frame):
    measure = {"VarRefCol": "PhaseDir_Ref", "TabRefCodes": np.array([21, 3])}
    measure["TabRefTypes"] = ["J2000", "GALACTIC"]
    words = {"PHASE_DIR": {"MEASINFO": measure}}
    if frame == "FK5":
        assert field_at(tmp_path, [[0.0, 0.0]], keywords=words, PhaseDir_Ref=code).frame == "FK5"
        return
    with pytest.raises(DataError, match=f"phase centre in {frame}, not J2000 or ICRS"):
        field_at(tmp_path, [[0.0, 0.0]], keywords=words, PhaseDir_Ref=code)


def test_fields_are_named_as_far_as_the_table_goes(tmp_path):
    url = subtabled(tmp_path, "FIELD", 2, NAME=["A", "B"])
    assert [str(each) for each in fields.field_names(url, {5, 1})] == ["1 (B)", "5"]
