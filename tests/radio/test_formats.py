"""UVFITS and UVH5 against the Measurement Set they were written from: the same numbers."""

import shutil

import casacore.tables as casa
import numpy as np
import pytest

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio import DOMAIN, synthetic
from spectrum_workflows.radio.convert import convert, layout
from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.read import describe, find, formats, read
from spectrum_workflows.radio.read.rows.index import spans
from spectrum_workflows.record import digest

from .conftest import spec_of
from .written import columns_of, rounded, write_uvfits, write_uvh5

pytestmark = pytest.mark.xdist_group("radio formats")  # what they share is made once

CUT = 351 * 8 * 4  # three chunks
FORMS = ("uvfits", "uvh5")
ARRAYS = ("uvw", "frequency", "visibility", "weight")


@pytest.fixture(scope="module")
def root(small, tmp_path_factory):
    """The small set with rows in any order, some flagged, without weight, or of one antenna."""
    root = tmp_path_factory.mktemp("formats")
    rng = np.random.default_rng(7)
    rows = rng.permutation(11 * 351)[:3500]
    with casa.table(str(small / "small.ms"), ack=False) as table:
        table.selectrows(rows).copy(str(root / "small.ms"), deep=True).close()
    rounded(root / "small.ms")
    with casa.table(str(root / "small.ms"), readonly=False, ack=False) as table:
        table.putcol("FLAG", rng.random((3500, 8, 2)) < 0.1)
        table.putcol("WEIGHT", rng.uniform(1, 3, (3500, 2)).astype(np.float32))
        table.putcell("ANTENNA2", 5, table.getcell("ANTENNA1", 5))
    columns = columns_of(root / "small.ms")
    write_uvfits(root / "small.uvfits", columns)
    write_uvh5(root / "small.uvh5", columns)
    return root


@pytest.fixture(scope="module")
def columns(root):
    return columns_of(root / "small.ms")


def everything(url, spec=None, limit=CUT):
    observation = describe(spec or spec_of(), str(url))
    return observation, [read(chunk) for chunk in chunks(observation, limit)]


def joined(pieces, name):
    return np.concatenate([getattr(piece, name) for piece in pieces])


@pytest.mark.parametrize("form", FORMS)
def test_every_number_is_that_of_the_measurement_set(root, form):
    one, expected = everything(root / "small.ms")
    two, found = everything(root / f"small.{form}")
    assert len(found) == len(expected) == 3
    for a, b in zip(expected, found, strict=True):
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
        for name in ("time", "first", "second"):
            np.testing.assert_array_equal(getattr(a.rows, name), getattr(b.rows, name))
        assert a.unflagged == b.unflagged
    for name in ("telescope", "object_name", "frame", "longest_baseline"):
        assert getattr(one, name) == getattr(two, name), name
    assert two.phase_centre == pytest.approx(one.phase_centre, rel=1e-15)
    assert two.times == pytest.approx(one.times, abs=1e-3, rel=0)
    [here], [there] = one.windows, two.windows
    np.testing.assert_array_equal(here.rows_per_time, there.rows_per_time)
    np.testing.assert_allclose(one.antennas.position, two.antennas.position, atol=1e-3)
    np.testing.assert_array_equal(one.channel_width, two.channel_width)
    assert set(two.antennas.diameter) == {25.0}
    assert two.notes == ()


def image_of(spec, root):
    """The digest of a run on the only set below a root."""
    result, _ = DOMAIN.run(spec, DOMAIN.plan(spec, str(root)))
    return digest(DOMAIN.arrays(result))


def test_one_set_in_three_formats_has_one_digest(root, tmp_path):
    digests = set()
    for form in ("ms", *FORMS):
        own = tmp_path / form
        own.mkdir()
        (own / f"small.{form}").symlink_to(root / f"small.{form}")
        assert find(spec_of(), str(own)) == str(own / f"small.{form}")
        digests.add(image_of(spec_of(clean={"max_major": 1}), own))
    assert len(digests) == 1


def test_a_set_is_found_by_its_whole_name_and_whatever_its_suffix(root, tmp_path):
    for form in FORMS:
        shutil.copy(root / f"small.{form}", tmp_path / f"{form} data.bin")
        found = find(spec_of(data_set=f"{form} data.bin"), str(tmp_path))
        assert formats.reader_of(found).name == form.upper()


@pytest.mark.parametrize("form", FORMS)
def test_a_file_in_a_store_is_read_where_it_is(root, form):
    place = f"memory://formats/small.{form}"
    storage.write_bytes(place, (root / f"small.{form}").read_bytes())
    _, expected = everything(root / f"small.{form}")
    assert find(spec_of(), "memory://formats") in (place, "memory://formats/small.uvfits")
    _, found = everything(place)
    for name in ("uvw", "visibility", "weight"):
        np.testing.assert_array_equal(joined(expected, name), joined(found, name))


def parts(columns, tmp_path, form):
    """A file of two windows of four channels and two fields."""
    source = (columns.time > np.median(columns.time)).astype(np.int32)
    directions = np.array([columns.directions[0], columns.directions[0] + [0.01, -0.02]])
    both = columns.__class__(**{**vars(columns), "source": source, "directions": directions})
    if form == "uvfits":
        return source, write_uvfits(tmp_path / "parts.uvfits", both, ifs=2, sources=True)
    return source, write_uvh5(tmp_path / "parts.uvh5", both, windows=2)


@pytest.mark.parametrize("form", FORMS)
def test_windows_and_fields_are_chosen_by_number(columns, tmp_path, form):
    source, url = parts(columns, tmp_path, form)
    with pytest.raises(SpecError, match="the set holds several fields: 0 "):
        describe(spec_of(), str(url))
    with pytest.raises(SpecError, match="the set holds several spectral windows: 0 "):
        describe(spec_of(field=0), str(url))
    for field in (0, 1):
        for window in (0, 1):
            spec = spec_of(field=field, data_description=window)
            observation, found = everything(url, spec, 10**9)
            wanted = (source == field) & (columns.first != columns.second)
            assert observation.rows == wanted.sum()
            channels = slice(4 * window, 4 * window + 4)
            np.testing.assert_array_equal(observation.frequency, columns.frequency[channels])
            rows = np.flatnonzero(wanted)
            order = np.lexsort((columns.second[rows], columns.first[rows], columns.time[rows]))
            [data], own = found, columns.rows(rows[order])
            np.testing.assert_array_equal(data.uvw, own.uvw)
            good = ~own.flag[:, channels].any(axis=2)
            np.testing.assert_array_equal(data.weight > 0, good)
            expected = own.data[:, channels].mean(axis=2)
            np.testing.assert_allclose(data.visibility[good], expected[good], rtol=1e-5)


@pytest.mark.parametrize("baseline", ["256", "2048"])
def test_baselines_of_both_kinds_name_the_same_antennas(root, columns, tmp_path, baseline):
    url = write_uvfits(tmp_path / "small.uvfits", columns, baseline=baseline)
    _, expected = everything(root / "small.uvfits")
    _, found = everything(url)
    for name in ("first", "second"):
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(getattr(a.rows, name), getattr(b.rows, name))


def test_wavelengths_and_scaled_parameters_are_coordinates_too(root, columns, tmp_path):
    keys = {f"PTYPE{n}": f"{2 * letter}-L-SIN" for n, letter in enumerate("UVW", start=1)}
    keys |= {f"PSCAL{n}": columns.frequency[0] for n in (1, 2, 3)}  # seconds to wavelengths
    url = write_uvfits(tmp_path / "small.uvfits", columns, keys=keys)
    _, expected = everything(root / "small.uvfits")
    _, found = everything(url)
    np.testing.assert_allclose(joined(found, "uvw"), joined(expected, "uvw"), rtol=1e-12)


def test_weights_of_unequal_integrations_count_their_time(columns, tmp_path):
    exposure = np.where(columns.first < 5, 30.0, 60.0)
    uneven = columns.__class__(**{**vars(columns), "exposure": exposure})
    observation, found = everything(write_uvh5(tmp_path / "small.uvh5", uneven))
    _, plain = everything(write_uvh5(tmp_path / "plain.uvh5", columns))
    assert any("integration times differ" in note for note in observation.notes)
    for a, b in zip(found, plain, strict=True):
        half = a.rows.first < 5
        np.testing.assert_allclose(a.weight[half], b.weight[half] / 2, rtol=1e-6)
        np.testing.assert_array_equal(a.weight[~half], b.weight[~half])


@pytest.mark.parametrize("form", FORMS)
def test_what_is_selected_is_that_of_the_measurement_set(root, form):
    times = [["2024-01-01T11:00:00", "2024-01-01T13:30:00"]]
    select = {"times": times, "without_antennas": [3], "channels": [[2, 6]], "uv_m": [50, 800]}
    spec = spec_of(select=select, hands="YY")
    one, expected = everything(root / "small.ms", spec)
    two, found = everything(root / f"small.{form}", spec)
    assert 0 < one.rows < 3000
    assert two.rows == one.rows
    for name in ("uvw", "visibility", "weight"):
        np.testing.assert_array_equal(joined(found, name), joined(expected, name))
    with pytest.raises(DataError, match="does not say its scans"):
        describe(spec_of(select={"scans": [1]}), str(root / f"small.{form}"))


@pytest.mark.parametrize("form", FORMS)
def test_all_windows_in_one_image_are_the_image_of_one_window(root, columns, tmp_path, form):
    (tmp_path / "parts").mkdir()
    write = {"uvfits": write_uvfits, "uvh5": write_uvh5}[form]
    url = write(
        tmp_path / f"parts/small.{form}", columns, **{"ifs" if form == "uvfits" else "windows": 2}
    )
    plan = DOMAIN.plan(spec_of(spectral_window="all"), str(url.parent))
    both, _ = DOMAIN.run(spec_of(spectral_window="all"), plan)
    (tmp_path / "whole").mkdir()
    (tmp_path / f"whole/small.{form}").symlink_to(root / f"small.{form}")
    whole, _ = DOMAIN.run(spec_of(), DOMAIN.plan(spec_of(), str(tmp_path / "whole")))
    for name, image in DOMAIN.arrays(whole).items():
        np.testing.assert_allclose(
            DOMAIN.arrays(both)[name], image, atol=1e-5 * np.abs(image).max(), err_msg=name
        )


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_converted_to_zarr_with_its_digest(root, tmp_path, form, monkeypatch):
    """In blocks of some times and channels, which any file of rows is cut into."""
    monkeypatch.setattr(layout, "CHUNK_BYTES", 351 * 2 * 8 * 4)
    monkeypatch.setattr(layout, "BLOCK_BYTES", 351 * 2 * 8 * 4)
    (tmp_path / form).mkdir()
    said = convert(f"{root}/small.{form}", f"{tmp_path}/{form}/small.zarr", output_channels=2)
    assert (said["parts"], said["left_out"], said["kept"]) == (1, [], 0)
    again = convert(f"{root}/small.{form}", f"{tmp_path}/{form}/small.zarr", output_channels=2)
    assert (again["bytes"], again["visibilities"]) == (0, said["visibilities"])
    one, expected = everything(root / f"small.{form}")
    two, found = everything(tmp_path / form / "small.zarr")
    for name in ("uvw", "visibility", "weight"):
        np.testing.assert_array_equal(joined(found, name), joined(expected, name), err_msg=name)
    assert one.antennas.name == two.antennas.name
    np.testing.assert_array_equal(one.channel_width, two.channel_width)
    assert two.times == pytest.approx(one.times, abs=1e-5, rel=0)
    assert two.phase_centre == pytest.approx(one.phase_centre, rel=1e-15)


@pytest.mark.parametrize("form", FORMS)
def test_windows_and_fields_become_parts_of_a_zarr_set(columns, tmp_path, form):
    _, url = parts(columns, tmp_path, form)
    said = convert(str(url), f"{tmp_path}/both.zarr")
    assert said["parts"] == 4
    for field in (0, 1):
        spec = spec_of(field=field, spectral_window="all")
        one, expected = everything(url, spec)
        two, found = everything(tmp_path / "both.zarr", spec)
        assert [w.number for w in one.windows] == [w.number for w in two.windows] == [0, 1]
        np.testing.assert_array_equal(joined(found, "uvw"), joined(expected, "uvw"))
        np.testing.assert_array_equal(joined(found, "weight"), joined(expected, "weight"))


def test_a_file_of_rows_has_one_data_column(root, tmp_path):
    with pytest.raises(SpecError, match="there is no column MODEL_DATA"):
        convert(f"{root}/small.uvh5", f"{tmp_path}/small.zarr", columns=["MODEL_DATA"])


# What is refused


def second_subarray(hdus):
    """All groups are of the second of two subarrays."""
    hdus[0].data["SUBARRAY"][:] = 2.0
    hdus.append(hdus[1].copy())


def test_groups_may_stand_late_in_a_header(columns, tmp_path):
    """The standard asks for SIMPLE, BITPIX and the axes in front, for nothing else."""
    url = write_uvfits(tmp_path / "late.uvfits", columns)
    data = url.read_bytes()
    cards = [data[n : n + 80] for n in range(0, 2880 * 2, 80)]
    end = next(n for n, card in enumerate(cards) if card.startswith(b"END "))
    late = cards.pop(next(n for n, card in enumerate(cards) if card.startswith(b"GROUPS")))
    cards.insert(end - 1, late)
    url.write_bytes(b"".join(cards) + data[2880 * 2 :])
    assert end > 36
    assert b"GROUPS" not in url.read_bytes()[:2880]
    whole = write_uvfits(tmp_path / "whole.uvfits", columns)
    assert digest({"uvw": everything(url)[1][0].uvw}) == digest(
        {"uvw": everything(whole)[1][0].uvw}
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"EPOCH": 1950.0}, "phase centre in epoch 1950, not J2000 or ICRS"),
        ({"RADESYS": "GALACTIC"}, "phase centre in GALACTIC"),
        ({"BSCALE": 2.0}, "visibilities are scaled"),
        ({"CTYPE4": "VELO-LSR"}, "no axis FREQ"),
        ({"PTYPE1": "UU---NCP"}, "UU---NCP, UU---SIN are not read"),
        ({"PTYPE4": "EPOCH", "PTYPE5": "EPOCH"}, "no parameter DATE"),
        ({"BITPIX": 16}, "its numbers are integers"),
        (lambda hdus: hdus.pop(2), "2 IFs and no table AIPS FQ"),
        (lambda hdus: hdus[1].data["NOSTA"].__setitem__(3, 99), "antenna 4 is in no table"),
        (lambda hdus: hdus[1].columns.del_col("NOSTA"), "its tables cannot be read"),
        (second_subarray, "it holds subarray 2, with 2 antenna tables"),
    ],
)
def test_uvfits_that_cannot_be_imaged_says_why(columns, tmp_path, change, message):
    kind = "keys" if isinstance(change, dict) else "change"
    url = write_uvfits(tmp_path / "small.uvfits", columns, ifs=2, **{kind: change})
    with pytest.raises(DataError, match=message) as caught:
        describe(spec_of(data_description=0), str(url))
    assert caught.value.remedy


def replaced(name, value):
    def change(file):
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value

    return change


CENTRE = "Header/phase_center_catalog/0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced(f"{CENTRE}/cat_type", np.bytes_("unprojected")), r"one direction \(unproj"),
        (replaced(f"{CENTRE}/cat_frame", np.bytes_("galactic")), "phase centre in galactic"),
        (replaced("Header/uvw_array", None), "no uvw_array|doesn't exist"),
        (replaced("Header/uvw_array", np.zeros((3, 3))), "uvw_array has shape"),
        (replaced("Data/nsamples", None), "it has no nsamples"),
        (replaced("Data", None), "no UVH5"),
        (replaced("Header/pol_convention", np.bytes_("sum")), "add up to Stokes I"),
        (replaced("Header/phase_center_catalog", np.bytes_("{}")), "phase centres is not readable"),
        (replaced("Header/time_array", np.full(3500, np.nan)), "time_array is not a number"),
        (replaced("Header/ant_1_array", np.full(3500, 99)), "antenna 99 is in no table"),
    ],
)
def test_uvh5_that_cannot_be_imaged_says_why(columns, tmp_path, change, message):
    url = write_uvh5(tmp_path / "small.uvh5", columns, change=change)
    with pytest.raises(DataError, match=message) as caught:
        describe(spec_of(), str(url))
    assert caught.value.remedy


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused(root, tmp_path, form, part):
    whole = (root / f"small.{form}").read_bytes()
    (tmp_path / f"small.{form}").write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DataError) as caught:
        everything(tmp_path / f"small.{form}")
    assert caught.value.remedy


@pytest.mark.parametrize("form", FORMS)
def test_only_data_can_be_imaged(root, form):
    with pytest.raises(DataError, match="no column CORRECTED_DATA"):
        describe(spec_of(column="CORRECTED_DATA"), str(root / f"small.{form}"))


def test_spans_hold_every_row_once():
    rows = np.array([0, 1, 2, 9, 10, 5000, 5001, 9000])
    found = [(part, start, stop) for part, start, stop in spans(rows, 1 << 20)]
    assert np.concatenate([rows[part] for part, _, _ in found]).tolist() == rows.tolist()
    assert all(start == rows[part][0] and stop == rows[part][-1] + 1 for part, start, stop in found)
    assert max(stop - start for _, start, stop in found) <= 4  # 4 MB


# Other people's files


def test_a_flagged_uvfits_of_a_real_telescope(shared_radio):
    url = str(shared_radio / "mwa_1061316296_all_flagged.uvfits")
    observation, pieces = everything(url, limit=10**9)
    assert (observation.telescope, len(observation.antennas.name)) == ("MWA", 128)
    assert observation.rows == 2 * 127 * 126 // 2  # one does not observe
    assert np.linalg.norm(observation.antennas.position, axis=1) == pytest.approx(6.37e6, rel=1e-3)
    assert sum(piece.unflagged for piece in pieces) == 0


def test_files_are_those_of_pyuvdata(small, pyuvdata, tmp_path):
    """Files that it writes have the digest of their Measurement Set; it reads ours as we do."""
    (tmp_path / "ms").mkdir()
    shutil.copytree(small / "small.ms", tmp_path / "ms/small.ms")
    rounded(tmp_path / "ms/small.ms")
    ours = [tmp_path / f"of_{form}.{form}" for form in FORMS]
    for url, form in zip(ours, FORMS, strict=True):
        made = {"format": form, "visibilities": 6_000}
        synthetic.make(spec_of(data_set=url.stem, synthetic=made), str(tmp_path))
    pyuvdata(tmp_path / "ms/small.ms", tmp_path / "small", *ours)
    digests = {image_of(spec_of(), tmp_path / "ms")}
    for form in FORMS:
        (tmp_path / form).mkdir()
        (tmp_path / f"small.{form}").rename(tmp_path / form / f"small.{form}")
        digests.add(image_of(spec_of(), tmp_path / form))
    assert len(digests) == 1
    for url in ours:
        with np.load(f"{url}.npz") as theirs:
            same_numbers(url, dict(theirs))


def same_numbers(url, theirs):
    """A file as we read it, and the numbers that another program takes from it."""
    observation, [data] = everything(url, limit=10**9)
    order = np.lexsort([theirs[name] for name in ("second", "first", "time")])
    assert len(order) == len(data.uvw) > 500
    for name in ("first", "second"):
        np.testing.assert_array_equal(getattr(data.rows, name), theirs[name][order])
    times = observation.times[data.rows.time]
    np.testing.assert_allclose(times, theirs["time"][order], atol=1e-3, rtol=0)
    np.testing.assert_allclose(data.uvw, theirs["uvw"][order], atol=1e-6, rtol=0)
    np.testing.assert_array_equal(data.frequency, theirs["frequency"])
    np.testing.assert_array_equal(observation.channel_width, theirs["width"])
    assert not theirs["flag"].any()
    stokes = theirs["data"][order].mean(axis=2, dtype=np.complex128)
    np.testing.assert_allclose(data.visibility, stokes, rtol=1e-6, atol=1e-6)
    weight = 4 / (1 / theirs["samples"][order].astype(np.float64)).sum(axis=2)
    np.testing.assert_allclose(data.weight, weight, rtol=1e-6)
    np.testing.assert_allclose(observation.antennas.position, theirs["position"], atol=1e-3)
    assert observation.phase_centre == pytest.approx(tuple(theirs["centre"]), rel=1e-12)
    assert observation.telescope == theirs["telescope"]
