"""What a spec chooses of a set, against the same choice made with plain masks."""

import shutil

import casacore.tables as casa
import numpy as np
import pytest

from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.read import describe, find, read
from spectrum_workflows.radio.types import SPEED_OF_LIGHT

from .conftest import spec_of

pytestmark = pytest.mark.xdist_group("radio selection")  # what they share is made once

SCANS = np.repeat([1, 2, 5], [4, 4, 3])  # of the eleven times
FIRST = np.datetime64("1858-11-17")


@pytest.fixture(scope="module")
def root(small, tmp_path_factory):
    """The small set with scans and a few autocorrelations, as Measurement Set and as Zarr."""
    root = tmp_path_factory.mktemp("selection")
    shutil.copytree(small / "small.ms", root / "small.ms")
    with casa.table(str(root / "small.ms"), readonly=False, ack=False) as table:
        table.putcol("SCAN_NUMBER", np.repeat(SCANS, 351).astype(np.int32))
        second = table.getcol("ANTENNA2")
        second[::26] = table.getcol("ANTENNA1")[::26]  # one pair of each time at least stays
        table.putcol("ANTENNA2", second)
    convert(str(root / "small.ms"), str(root / "small.zarr"))
    return root


def everything(root, form="ms", limit=10**9, **changes):
    spec = spec_of(**changes)
    observation = describe(spec, str(root / f"small.{form}"))
    return observation, [read(chunk) for chunk in chunks(observation, limit)]


@pytest.fixture(scope="module")
def whole(root):
    observation, [data] = everything(root)
    return observation, data


def when(seconds):
    """Seconds of the Modified Julian Date as a spec writes them."""
    return str(FIRST + np.timedelta64(round(1e6 * seconds), "us"))


def rows_chosen(select, observation, data):
    """A mask of rows, from what the test knows of the set."""
    rows, times = data.rows, observation.times
    ends = [sorted(pair) for pair in select.get("baselines", ())]
    keep = np.ones(len(data.uvw), bool)
    if "scans" in select:
        keep &= np.isin(SCANS[rows.time], select["scans"])
    if "antennas" in select:
        keep &= np.isin(rows.first, [1, 2, 3, 9]) & np.isin(rows.second, [1, 2, 3, 9])
    if "without_antennas" in select:
        keep &= (rows.first != 4) & (rows.second != 4)
    if "times" in select:
        keep &= (times[rows.time] > times[2] - 1) & (times[rows.time] < times[6] - 1)
    if ends:
        keep &= np.array([[a, b] in ends for a, b in zip(rows.first, rows.second, strict=True)])
    return keep


@pytest.mark.parametrize(
    "select",
    [
        {"scans": [5, 1]},
        {"antennas": ["V001", 2, "V003_V003", 9]},
        {"without_antennas": [4], "scans": [2]},
        {"baselines": [[5, 3], [0, 26]]},
        {"times": "2 to 6"},
        {"times": "2 to 6", "scans": [1, 2, 7], "without_antennas": ["V004"]},
    ],
    ids=str,
)
def test_rows(root, whole, select):
    observation, data = whole
    keep = rows_chosen(select, observation, data)
    assert 0 < keep.sum() < len(keep)
    if "times" in select:
        ends = (when(observation.times[2] - 1), when(observation.times[6] - 1))
        select = select | {"times": [ends]}
    for form in ("ms", "zarr"):
        for limit in (10**9, 800):
            known, found = everything(root, form, limit, select=select)
            assert (len(found) > 1) == (limit < keep.sum() * 8)
            for name in ("uvw", "visibility", "weight"):
                values = getattr(data, name)[keep]
                if limit < 351 * 8 and len({part.frequency[0] for part in found}) > 1:
                    continue  # cut in channels, too: only the sum is compared
                got = np.concatenate([getattr(part, name) for part in found])
                np.testing.assert_array_equal(got, values, err_msg=f"{form} {name}")
            assert sum(part.weight.size for part in found) == keep.sum() * 8
            assert known.rows == keep.sum()
            assert len(known.times) == len(np.unique(data.rows.time[keep]))


def test_channels(root, whole):
    _, data = whole
    select = {"channels": [[0, 3], [5, 8]], "frequencies_hz": [[1.404e9, 1.5e9]]}
    for form in ("ms", "zarr"):
        known, found = everything(root, form, select=select)
        assert known.frequency.tolist() == [1.4e9 + 4e6 * n for n in (1, 2, 5, 6, 7)]
        assert [len(part.frequency) for part in found] == [2, 3]
        got = np.concatenate([part.visibility for part in found], axis=1)
        np.testing.assert_array_equal(got, data.visibility[:, [1, 2, 5, 6, 7]])
    with pytest.raises(SpecError, match=r"leave no channel; the windows have 0: 8 channels, 1400"):
        everything(root, select={"channels": [[9, 12]]})


@pytest.mark.parametrize("form", ["ms", "zarr"])
def test_uv_ranges(root, whole, form):
    _, data = whole
    length = np.hypot(data.uvw[:, 0], data.uvw[:, 1])[:, None]
    waves = length * data.frequency / SPEED_OF_LIGHT
    keep = (length < 700) & (waves >= 400) & (waves < 3000)
    assert 0 < keep.sum() < keep.size
    select = {"uv_m": [0, 700], "uv_wavelengths": [400, 3000]}
    _, [found] = everything(root, form, select=select)
    np.testing.assert_array_equal(found.weight, np.where(keep, data.weight, 0))
    np.testing.assert_array_equal(found.visibility, np.where(keep, data.visibility, 0))
    assert found.outside == np.count_nonzero(~keep)
    image = {"npix": 64, "cell_arcsec": 16.0}
    for count in (1, 2):
        spec = spec_of(select=select, image=image, strips={"count": count})
        result, _ = DOMAIN.run(spec, DOMAIN.plan(spec, str(root)))
        use = result.groups[0].use
        assert (use.planned, use.flagged, use.unusable, use.beyond) == (keep.size, 0, 0, 0)
        assert use.outside == np.count_nonzero(~keep)
        assert result.planes[0].visibilities == np.count_nonzero(keep)


def test_a_uv_range_that_holds_nothing(root):
    spec = spec_of(select={"uv_m": [1e6, 2e6]}, image={"npix": 64, "cell_arcsec": 16.0})
    with pytest.raises(DataError, match="outside the chosen uv range.*select.uv_m"):
        DOMAIN.run(spec, DOMAIN.plan(spec, str(root)))


@pytest.mark.parametrize("form", ["ms", "zarr"])
def test_selections_that_hold_nothing_say_what_there_is(root, form):
    held = r"select.scans leave no cross-correlations; this field and window hold 11 times from "
    with pytest.raises(DataError, match=held + r"20\d\d-.* to 20\d\d-.*, scans 1, 2, 5"):
        everything(root, form, select={"scans": [3]})
    with pytest.raises(SpecError, match="antenna ea99 is not in the set; it has V000_V000, V001"):
        everything(root, form, select={"antennas": ["ea99"]})
    with pytest.raises(SpecError, match="antenna 27 is not in the set; it has 27"):
        everything(root, form, select={"without_antennas": [27]})


@pytest.mark.parametrize("form", ["ms", "zarr"])
def test_one_hand(root, whole, form):
    observation, [found] = everything(root, form, hands="YY")
    with casa.table(str(root / "small.ms"), ack=False) as table:
        cross = table.getcol("ANTENNA1") != table.getcol("ANTENNA2")
        np.testing.assert_array_equal(found.visibility, table.getcol("DATA")[cross][..., 1])
    np.testing.assert_allclose(found.weight, whole[1].weight / 2, rtol=1e-6)
    assert any("pseudo-I of YY alone" in note for note in observation.notes)


def test_a_set_of_one_hand(small, altered):
    root = altered()
    with casa.table(f"{root / 'small.ms'}::POLARIZATION", readonly=False, ack=False) as table:
        table.putcell("CORR_TYPE", 0, np.array([9, 10], np.int32))
    with pytest.raises(DataError, match='there is XX, XY; hands = "either" takes XX'):
        everything(root)
    observation, [found] = everything(root, hands="either")
    with casa.table(str(small / "small.ms"), ack=False) as table:
        np.testing.assert_array_equal(found.visibility, table.getcol("DATA")[..., 0])
    assert any("pseudo-I of XX" in note for note in observation.notes)


def test_any_data_column(altered):
    def add(table):
        data = table.getcol("DATA")
        column = casa.makearrcoldesc("SUBTRACTED", 0j, ndim=2, valuetype="complex")
        table.addcols(casa.maketabdesc(column))
        table.putcol("SUBTRACTED", 2 * data)

    root = altered(add)
    doubled, [found] = everything(root, column="SUBTRACTED")
    plain, [data] = everything(root)
    np.testing.assert_array_equal(found.visibility, 2 * data.visibility)
    assert (doubled.column, plain.column) == ("SUBTRACTED", "DATA")
    with pytest.raises(DataError, match="no column MODEL_DATA; it has DATA, SUBTRACTED"):
        everything(root, column="MODEL_DATA")
    with pytest.raises(DataError, match="FLAG holds boolean, not arrays of complex"):
        everything(root, column="FLAG")


def test_ranges_that_do_not_rise_are_refused():
    with pytest.raises(SpecError, match="ends where it begins"):
        spec_of(select={"channels": [[4, 4]]})
    with pytest.raises(SpecError, match="ends where it begins"):
        spec_of(select={"times": [["2024-01-02", "2024-01-01"]]})


def test_fields_by_name(altered):
    def second(table):
        field = table.getcol("FIELD_ID")
        field[351 * 6 :] = 1
        table.putcol("FIELD_ID", field)
        with casa.table(f"{table.name()}::FIELD", readonly=False, ack=False) as fields:
            fields.addrows(1)
            fields.putcell("PHASE_DIR", 1, fields.getcell("PHASE_DIR", 0))
            fields.putcell("NAME", 1, "OTHER")

    root = altered(second)
    convert(str(root / "small.ms"), str(root / "small.zarr"))
    for form in ("ms", "zarr"):
        assert everything(root, form, field="OTHER")[0].rows == 351 * 5
        assert everything(root, form, field="SIMULATED")[0].field == 0
        with pytest.raises(SpecError, match=r"field X is not in the set; it holds 0 \(SIMULATED\)"):
            everything(root, form, field="X")


@pytest.mark.parametrize("name", ["small.ms", "obs.ms.split.cal", "odd", "small.zarr"])
def test_a_set_is_called_anything(root, tmp_path, name):
    form = "zarr" if name.endswith("zarr") else "ms"
    (tmp_path / name).symlink_to(root / f"small.{form}")
    spec = spec_of(synthetic=None, data_set=name)
    assert find(spec, str(tmp_path)) == str(tmp_path / name)
    (tmp_path / name).unlink()
    with pytest.raises(DataNotFoundError, match=f"{name}(.ms)?: no such data set"):
        find(spec, str(tmp_path))
