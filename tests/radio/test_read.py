"""The reader against sets that casacore itself has rearranged."""

import shutil

import casacore.tables as casa
import numpy as np
import pytest

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError, StoreError
from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.read import describe, find, read
from spectrum_workflows.radio.read.msv2 import row_index, visibilities

from .conftest import spec_of

pytestmark = pytest.mark.xdist_group("radio read")  # what they share is made once

NROW = 11 * 351


def everything(root, spec=None, limit=10**9):
    observation = describe(spec or spec_of(), str(root / "small.ms"))
    return [read(chunk) for chunk in chunks(observation, limit)]


def same(a, b):
    for name in ("uvw", "frequency", "visibility", "weight"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.fixture(scope="module")
def whole(small):
    return everything(small)[0]


def test_what_a_set_says_about_itself(small):
    observation = describe(spec_of(), str(small / "small.ms"))
    assert observation.telescope == "VLA"
    assert observation.object_name == "SIMULATED"
    assert observation.phase_centre == pytest.approx(np.radians([180.0, 45.0]))
    assert observation.frequency.tolist() == [1.4e9 + 4e6 * n for n in range(8)]
    assert observation.windows[0].rows_per_time.tolist() == [351] * 11


def test_stokes_i_of_the_whole_set(small, whole):
    with casa.table(str(small / "small.ms"), ack=False) as table:
        data, uvw = table.getcol("DATA"), table.getcol("UVW")
        weight = table.getcol("WEIGHT").astype(float)
    np.testing.assert_array_equal(whole.uvw, uvw)
    np.testing.assert_allclose(whole.visibility, data.mean(axis=2), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(whole.weight[:, 0], 4 / (1 / weight).sum(axis=1), rtol=1e-6)
    assert whole.unflagged == NROW * 8


@pytest.mark.parametrize("limit", [351 * 8 * 3, 351 * 3, 1])
def test_chunks_together_are_the_whole(small, whole, limit):
    if limit == 1:
        limit = 351  # single channels of single times
    pieces = everything(small, limit=limit)
    assert len(pieces) > 3
    assert sum(p.weight.size for p in pieces) == whole.weight.size
    total = sum(np.sum(p.visibility, dtype=complex) for p in pieces)
    assert total == pytest.approx(np.sum(whole.visibility, dtype=complex), rel=1e-9)


def test_bytes_are_counted(small):
    with storage.metering() as counter:
        everything(small)
    assert counter.bytes_read == NROW * 8 * 2 * 9


def test_rows_in_any_order_give_the_same(small, whole, tmp_path):
    order = np.random.default_rng(3).permutation(NROW)
    with casa.table(str(small / "small.ms"), ack=False) as table:
        table.selectrows(order).copy(str(tmp_path / "small.ms"), deep=True).close()
    same(everything(tmp_path)[0], whole)
    pieces = everything(tmp_path, limit=351 * 8 * 4)
    assert len(pieces) == 3
    np.testing.assert_array_equal(np.concatenate([p.uvw for p in pieces]), whole.uvw)


@pytest.mark.parametrize("rows", [1 << 17, 100])
def test_rows_in_order_are_known_to_be(small, whole, tmp_path, monkeypatch, rows):
    """In pieces or at once; two that changed places where a piece ends are noticed."""
    monkeypatch.setattr(row_index, "ROWS", rows)
    row_index.row_indexes.cache_clear()
    chosen = chunks(describe(spec_of(), str(small / "small.ms")), 351 * 8 * 4)
    with casa.table(str(small / "small.ms"), ack=False) as table:
        at = visibilities.index(str(small / "small.ms"), (0, 0))
        found = [row_index.rows_of(table, chunk, at)[0] for chunk in chosen]
        order = np.arange(NROW)
        order[[99, 100]] = 100, 99
        table.selectrows(order).copy(str(tmp_path / "small.ms"), deep=True).close()
    assert at.ordered
    assert [(r.start, r.stop) for r in found] == [(0, 1404), (1404, 2808), (2808, NROW)]
    assert not visibilities.index(str(tmp_path / "small.ms"), (0, 0)).ordered
    same(everything(tmp_path)[0], whole)


def test_rows_ordered_by_baseline_give_the_same(small, whole, tmp_path):
    with casa.table(str(small / "small.ms"), ack=False) as table:
        sorted_table = table.sort("ANTENNA2,ANTENNA1,TIME DESC")
        sorted_table.copy(str(tmp_path / "small.ms"), deep=True).close()
    pieces = everything(tmp_path, limit=351 * 8 * 4)
    np.testing.assert_array_equal(np.concatenate([p.visibility for p in pieces]), whole.visibility)


def test_autocorrelations_are_left_out(altered, whole):
    def autos(table):
        second = table.getcol("ANTENNA2")
        second[::5] = table.getcol("ANTENNA1")[::5]
        table.putcol("ANTENNA2", second)

    found = everything(altered(autos))[0]
    keep = np.arange(NROW) % 5 != 0
    np.testing.assert_array_equal(np.sort(found.uvw[:, 0]), np.sort(whole.uvw[keep, 0]))


def test_flagged_rows_and_lost_coordinates_weigh_nothing(altered):
    def damage(table):
        table.putcell("FLAG_ROW", 3, True)
        table.putcell("UVW", 7, np.array([np.nan, 1.0, 2.0]))
        flag = table.getcell("FLAG", 9)
        flag[2, 1] = True
        table.putcell("FLAG", 9, flag)
        data = table.getcell("DATA", 11)
        data[5, 0] = np.nan
        table.putcell("DATA", 11, data)

    found = everything(altered(damage))[0]
    zero = np.argwhere(found.weight == 0)
    expected = [(row, chan) for row in (3, 7) for chan in range(8)] + [(9, 2), (11, 5)]
    assert sorted(map(tuple, zero.tolist())) == sorted(expected)
    assert np.isfinite(found.uvw).all()
    assert not found.visibility[found.weight == 0].any()
    assert found.unflagged == NROW * 8 - 9  # lost coordinates are not flags


def test_weight_spectrum_is_preferred(altered):
    def spectrum(table):
        column = casa.makearrcoldesc("WEIGHT_SPECTRUM", 0.0, ndim=2, valuetype="float")
        table.addcols(casa.maketabdesc(column))
        values = np.tile(np.arange(1, 17, dtype=np.float32).reshape(8, 2), (NROW, 1, 1))
        table.putcol("WEIGHT_SPECTRUM", values)

    found = everything(altered(spectrum))[0]
    pairs = np.arange(1, 17).reshape(8, 2)
    np.testing.assert_allclose(found.weight[0], 4 / (1 / pairs).sum(axis=1), rtol=1e-6)


def test_an_empty_weight_spectrum_is_passed_over(altered, whole):
    def spectrum(table):
        column = casa.makearrcoldesc("WEIGHT_SPECTRUM", 0.0, ndim=2, valuetype="float")
        table.addcols(casa.maketabdesc(column))

    same(everything(altered(spectrum))[0], whole)


def test_falling_channels_come_out_rising(small, whole, altered):
    def backwards(table):
        table.putcol("DATA", table.getcol("DATA")[:, ::-1])

    root = altered(backwards)
    with casa.table(f"{root / 'small.ms'}::SPECTRAL_WINDOW", readonly=False, ack=False) as table:
        table.putcol("CHAN_FREQ", table.getcol("CHAN_FREQ")[:, ::-1])
    same(everything(root)[0], whole)


def with_second_field(table):
    field = table.getcol("FIELD_ID")
    field[1::2] = 1
    table.putcol("FIELD_ID", field)
    with casa.table(f"{table.name()}::FIELD", readonly=False, ack=False) as fields:
        fields.addrows(1)
        for name in ("NAME", "PHASE_DIR"):
            fields.putcell(name, 1, fields.getcell(name, 0))


def test_several_fields_must_be_chosen_from(altered, whole):
    root = altered(with_second_field)
    with pytest.raises(SpecError, match=r"several fields: 0 \(SIMULATED\), 1 .*field = N"):
        everything(root)
    with pytest.raises(SpecError, match=r"field 2 is not in the set; it holds 0 \(SIM"):
        everything(root, spec_of(field=2))
    second = everything(root, spec_of(field=1))[0]
    np.testing.assert_array_equal(second.uvw, whole.uvw[1::2])


def test_a_polarization_without_stokes_i(altered):
    root = altered()
    with casa.table(f"{root / 'small.ms'}::POLARIZATION", readonly=False, ack=False) as table:
        table.putcell("CORR_TYPE", 0, np.array([9, 10], np.int32))
    with pytest.raises(DataError, match="there is XX, XY"):
        everything(root)


def test_a_column_that_is_not_there(small):
    with pytest.raises(DataError, match="no column CORRECTED_DATA; it has DATA"):
        everything(small, spec_of(column="CORRECTED_DATA"))


def test_a_frame_that_is_not_j2000(altered):
    root = altered()
    with casa.table(f"{root / 'small.ms'}::FIELD", readonly=False, ack=False) as table:
        table.putcolkeyword("PHASE_DIR", "MEASINFO", {"type": "direction", "Ref": "B1950"})
    with pytest.raises(DataError, match="phase centre in B1950"):
        everything(root)


def test_finding_a_set(small, tmp_path):
    assert find(spec_of(), str(small)) == f"{small}/small.ms"
    with pytest.raises(DataNotFoundError, match=r"small\.ms: no such data set; .*--data"):
        find(spec_of(), str(tmp_path))
    with pytest.raises(DataNotFoundError, match=r"small\.zarr: no such .* in Zarr form"):
        find(spec_of(), "memory://bucket")
    (tmp_path / "small.zarr").mkdir()
    (tmp_path / "small.zarr" / "conversion.json").write_text("{}")
    with pytest.raises(DataError, match=r"small\.zarr: its conversion was not finished"):
        find(spec_of(), str(tmp_path))
    (tmp_path / "small.zarr" / "zarr.json").write_text("{}")
    assert find(spec_of(), str(tmp_path)) == f"{tmp_path}/small.zarr"


def test_folders_that_are_no_measurement_set(tmp_path):
    (tmp_path / "small.ms").mkdir()
    with pytest.raises(DataError, match=r"small\.ms: not a Measurement Set"):
        everything(tmp_path)
    casa.table(str(tmp_path / "other"), casa.maketabdesc([]), ack=False).close()
    shutil.rmtree(tmp_path / "small.ms")
    (tmp_path / "other").rename(tmp_path / "small.ms")
    with pytest.raises(DataError, match="no column"):
        everything(tmp_path)


@pytest.mark.parametrize(
    "lost", ["table.f0", "table.f1_TSM0", "SPECTRAL_WINDOW", "FIELD/table.dat"]
)
def test_a_set_with_a_part_missing(small, tmp_path, lost):
    shutil.copytree(small / "small.ms", tmp_path / "small.ms")
    target = tmp_path / "small.ms" / lost
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(DataError, match=r"small\.ms.*(unreadable|not a Meas|has no)") as caught:
        everything(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["table.dat", "table.f0", "table.f1_TSM0", "table.f2_TSM0"])
def test_a_truncated_set(small, tmp_path, file):
    shutil.copytree(small / "small.ms", tmp_path / "small.ms")
    target = tmp_path / "small.ms" / file
    target.write_bytes(target.read_bytes()[: target.stat().st_size // 3])
    with pytest.raises(DataError, match=r"small\.ms") as caught:
        everything(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_link_in_a_circle_is_one_line(tmp_path):
    (tmp_path / "small.ms").symlink_to("small.ms")
    with pytest.raises(StoreError, match=r"small\.ms: cannot be read \(Too many levels"):
        find(spec_of(), str(tmp_path))
    with pytest.raises(StoreError, match="File name too long"):
        find(spec_of(data_set="x" * 300), str(tmp_path))


def test_a_zarr_set_that_is_not_whole_is_told(small, tmp_path):
    (tmp_path / "small.zarr" / "small_0").mkdir(parents=True)
    with pytest.raises(DataError, match=r"small\.zarr: it is there, but no Zarr set"):
        find(spec_of(), str(tmp_path))
    (tmp_path / "small.ms").symlink_to(small / "small.ms")
    found = describe(spec_of(), find(spec_of(), str(tmp_path)))
    assert "small.zarr is there without its zarr.json" in found.notes[0]


def test_a_frequency_that_nobody_observes(altered, tmp_path):
    root = altered()
    with casa.table(f"{root}/small.ms::SPECTRAL_WINDOW", readonly=False, ack=False) as table:
        table.putcell("CHAN_FREQ", 0, np.full(8, 1e300))
    with pytest.raises(DataError, match="no frequency"):
        everything(root)


def test_a_packed_set_is_to_be_unpacked(tmp_path):
    (tmp_path / "x.ms.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(DataError, match=r"x\.ms\.tar\.gz: it is there, but .*; unpack it"):
        find(spec_of(data_set="x.ms.tar.gz"), str(tmp_path))
