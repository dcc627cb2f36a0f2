"""Several spectral windows in one image: the same image, however channels are spread over them."""

import io
import shutil
from dataclasses import replace

import casacore.tables as casa
import numpy as np
import pytest
from astropy.io import fits

from spectrum_workflows.engine.narrowing import narrowed
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio import DOMAIN, gridding, synthetic
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.imaging import chunk_tasks
from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.plan.planning import geometry_of
from spectrum_workflows.radio.read import describe, read
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT, ChunkGroup
from spectrum_workflows.resuming import question_of

from .conftest import spec_of
from .windowed import parted, windowed
from .written import columns_of

pytestmark = pytest.mark.xdist_group("radio windows")  # what they share is made once

NCHAN, NPIX, CELL = 16, 128, 8.0
FORMS = {
    "one": [list(range(16))],
    "four": [list(range(n, n + 4)) for n in (0, 4, 8, 12)],
    "interleaved": [list(range(0, 16, 2)), list(range(1, 16, 2))],
    "falling": [list(range(15, 7, -1)), list(range(7, -1, -1))],
    "doubled": [list(range(8)), list(range(4, 12)), list(range(4, 12))],
}
WIDE = {"frequency_hz": 1.0e9, "channel_width_hz": 5e7, "channels": NCHAN, "visibilities": 20_000}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Data roots with the same channels in windows of every form, in both formats."""
    root = tmp_path_factory.mktemp("windows")
    (root / "source").mkdir()
    synthetic.make(spec_of(synthetic={**WIDE, "sefd_jy": 200.0}), str(root / "source"))
    for form, windows in FORMS.items():
        (root / form).mkdir()
        windowed(root / "source" / "small.ms", root / form / "small.ms", windows)
    for form in ("interleaved", "one"):
        convert(str(root / form / "small.ms"), str(root / f"{form}-zarr" / "small.zarr"))
    return root


def imaged(root, count=1, **changes):
    image = {"npix": NPIX, "cell_arcsec": CELL, "epsilon": 1e-8}
    changes = {"image": image, "strips": {"count": count}, "spectral_window": "all"} | changes
    spec = spec_of(**changes)
    plan = DOMAIN.plan(spec, str(root))
    result, _ = DOMAIN.run(spec, plan)
    headers = {
        name: fits.getheader(io.BytesIO(content))
        for name, content in DOMAIN.files(result)
        if name.endswith(".fits")
    }
    return plan, result, headers["dirty.fits"]


def same(found, expected):
    plane, other = found[1].planes[0], expected[1].planes[0]
    for name in ("dirty", "psf", "image", "residual"):
        image, known = getattr(plane, name), getattr(other, name)
        if known is not None:
            np.testing.assert_allclose(image, known, atol=1e-6 * np.abs(known).max(), rtol=0)
    assert plane.weight_sum == pytest.approx(other.weight_sum, rel=1e-6)
    for key in ("CRVAL3", "CDELT3", "NVIS", "SPECSYS"):
        assert found[2][key] == expected[2][key], key


@pytest.mark.parametrize("scheme", ["natural", "briggs"])
@pytest.mark.parametrize("count", [1, 3])
def test_windows_change_nothing(sets, count, scheme):
    weights = {"weighting": {"scheme": scheme}, "clean": {"max_major": 2, "threshold": 0.05}}
    one = imaged(sets / "one", count, **weights)
    assert (one[0].groups[0].layout is None) == (count == 1)
    assert one[1].planes[0].visibilities == one[0].size > 15_000
    for form in ("four", "interleaved", "falling"):
        same(imaged(sets / form, count, **weights), one)


def test_small_windows_are_gridded_together(sets):
    """And apart, where two are larger than a partition; the self-check's sample is of all."""
    plots = {"products": {"plots": True}}
    whole = imaged(sets / "four", **plots)
    cut = imaged(sets / "four", partition={"max_visibilities": 6_000}, **plots)
    assert [len(part.chunks) for part in whole[0].partitions] == [4]
    assert [len(part.chunks) for part in cut[0].partitions] == [1] * 4
    same(cut, whole)
    checks = [result.planes[0].self_check for _, result, _ in (whole, cut)]
    assert checks[0].visibilities == checks[1].visibilities == whole[0].size


def test_windows_that_are_read_together_are_gridded_without_a_copy(sets):
    spec = spec_of(spectral_window="all")
    [group] = DOMAIN.plan(spec, str(sets / "four")).partitions
    windows = chunk_tasks.read_together(group, geometry_of(spec), None)
    for name, kind in (("visibility", np.complex64), ("weight", np.float32)):
        arrays = [getattr(data, name) for data in windows]
        assert gridding._flat(arrays, kind) is arrays[0].base
        assert all(
            np.array_equal(a, getattr(read(c), name))
            for a, c in zip(arrays, group.chunks, strict=True)
        )


def test_of_windows_whose_sizes_are_not_known_nothing_is_lost(sets):
    spec = spec_of(spectral_window="all")
    [group] = DOMAIN.plan(spec, str(sets / "four")).partitions
    first, *others = group.chunks
    halves = ChunkGroup((*first.halves(), *others))
    windows = chunk_tasks.read_together(halves, geometry_of(spec), None)
    joined = np.concatenate([data.visibility for data in windows[:2]])
    assert np.array_equal(joined, read(first).visibility)
    for data, chunk in zip(windows[2:], others, strict=True):
        assert np.array_equal(data.visibility, read(chunk).visibility)


@pytest.mark.parametrize("form", ["one", "one-zarr"])
def test_the_part_that_fails_is_found_where_times_have_other_numbers_of_rows(
    sets, tmp_path, monkeypatch, form
):
    """A half is not taken for a set that has changed because it has other rows than the other."""
    with casa.table(str(sets / "one" / "small.ms"), ack=False) as table:
        some = table.selectrows(np.arange(300, table.nrows()))  # few of the first time
        some.copy(str(tmp_path / "small.ms"), deep=True).close()
    if form == "one-zarr":
        convert(str(tmp_path / "small.ms"), str(tmp_path / "small.zarr"))
        shutil.rmtree(tmp_path / "small.ms")

    def failing(chunk):
        data = read(chunk)
        if chunk.time_start <= 2 < chunk.time_stop:
            raise DataError("spoilt", chunk.where, "copy it again")
        return data

    monkeypatch.setattr(chunk_tasks, "read", failing)
    spec = spec_of()
    [chunk] = DOMAIN.plan(spec, str(tmp_path)).partitions
    shared = (geometry_of(spec), None)
    said = narrowed(chunk_tasks.read_together, chunk, shared, client=None)
    assert "times 2:3" in said


def test_a_window_that_cannot_be_read_takes_no_other_with_it(sets, monkeypatch):
    def failing(chunk):
        if chunk.data_description == 2:
            raise DataError("spoilt", chunk.where, "copy it again")
        return read(chunk)

    monkeypatch.setattr(chunk_tasks, "read", failing)
    spec = spec_of(spectral_window="all")
    plan = DOMAIN.plan(spec, str(sets / "four"), on_error="keep")
    result, metrics = DOMAIN.run(spec, plan, on_error="keep")
    assert [failure.size for failure in metrics.failures] == [plan.size // 4]
    assert result.planes[0].visibilities == plan.size * 3 // 4


@pytest.mark.parametrize("limit", [20_000, 6_000])
def test_a_run_is_asked_for_by_what_the_set_holds_and_not_by_where(sets, tmp_path, limit):
    """Together or apart."""
    spec = spec_of(spectral_window="all", partition={"max_visibilities": limit})

    def question(root):
        return question_of(spec, DOMAIN.plan(spec, str(root)), DOMAIN)

    shutil.copytree(sets / "four", tmp_path / "four")
    here = question(sets / "four")
    assert question(tmp_path / "four") == here
    with casa.table(str(tmp_path / "four" / "small.ms"), readonly=False, ack=False) as table:
        table.putcell("DATA", 0, 2 * table.getcell("DATA", 0))
    assert question(tmp_path / "four") != here


def test_windows_of_chunks_of_any_size(sets):
    """Channels of each window are cut, too: into pieces that other windows' lie between."""
    one = imaged(sets / "one", 3)
    cut = imaged(sets / "interleaved", 3, partition={"max_visibilities": 351 * 3})
    assert len(cut[0].partitions) > 20
    same(cut, one)


def test_zarr_sets_hold_the_same_windows(sets):
    ms, zarr = (imaged(sets / f"interleaved{end}", 3) for end in ("", "-zarr"))
    for name, image in DOMAIN.arrays(ms[1]).items():
        np.testing.assert_array_equal(DOMAIN.arrays(zarr[1])[name], image, err_msg=name)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("packed", [True, False])
def test_overlapping_windows_add_up(sets, count, packed, monkeypatch):
    """Against a plain sum of all visibilities, in packed calls and without them."""
    if not packed:
        monkeypatch.setattr(gridding, "_packed_call", lambda _: None)
    elif count > 1:
        assert gridding._packed_call("vis2dirty_bda") is not None
    spec = spec_of(spectral_window="all", data_set="small")
    every = [read(chunk) for chunk in chunks(describe(spec, str(sets / "doubled/small.ms")), 10**9)]
    assert [len(data.frequency) for data in every] == [8, 8, 8]
    _, result, header = imaged(sets / "doubled", count)
    plane, middle = result.planes[0], NPIX // 2
    assert header["NVIS"] == sum(data.weight.size for data in every)
    assert header["CRVAL3"] == pytest.approx(1.0e9 + 5.5 * 5e7)
    for row, column in ((64, 64), (10, 100), (127, 0)):
        east, north = -(column - middle) * CELL * ARCSEC, (row - middle) * CELL * ARCSEC
        n = np.sqrt(1 - east**2 - north**2) - 1
        total = 0.0
        for data in every:
            turns = (data.uvw @ [east, north, n])[:, None] * data.frequency / SPEED_OF_LIGHT
            total += (data.weight * data.visibility * np.exp(-2j * np.pi * turns)).sum().real
        expected = total / plane.weight_sum
        assert plane.dirty[row, column] == pytest.approx(expected, abs=1e-6 * plane.dirty.max())


def test_packed_calls_equal_a_call_per_window(sets, monkeypatch):
    packed = imaged(sets / "doubled", 3, clean={"max_major": 2, "threshold": 0.05})
    monkeypatch.setattr(gridding, "_packed_call", lambda _: None)
    same(packed, imaged(sets / "doubled", 3, clean={"max_major": 2, "threshold": 0.05}))


def test_windows_by_number_name_and_list(sets):
    url = str(sets / "four" / "small.ms")

    def numbers(asked):
        return [w.number for w in describe(spec_of(spectral_window=asked), url).windows]

    assert numbers("all") == [0, 1, 2, 3]
    assert numbers(2) == [2]
    assert numbers("SPW3") == [3]
    assert numbers(["SPW3", 0]) == [0, 3]
    assert numbers("1") == [1]
    with pytest.raises(SpecError, match=r"several spectral windows: 0 \(SPW0\), 1 .*or \"all\""):
        describe(spec_of(), url)
    with pytest.raises(SpecError, match=r"spectral_window SPW9 is not in the set; it holds 0 \("):
        numbers("SPW9")
    with pytest.raises(SpecError, match="not both"):
        spec_of(spectral_window=0, data_description=0)
    assert describe(spec_of(data_description=1), url).windows[0].name == "SPW1"


def test_the_reference_frequency_is_the_middle_of_what_is_chosen(sets):
    _, _, header = imaged(sets / "four", spectral_window=[1, 2])
    assert header["CRVAL3"] == 1.0e9 + 7.5 * 5e7
    assert header["CDELT3"] == 8 * 5e7


def test_windows_of_which_nothing_is_left_are_named(sets):
    select = {"frequencies_hz": [[1.0e9, 1.25e9]]}
    spec = spec_of(spectral_window="all", select=select)
    found = describe(spec, str(sets / "four" / "small.ms"))
    assert [window.number for window in found.windows] == [0, 1]
    assert "nothing is chosen of data description 2, 3" in found.notes


def test_windows_in_several_frames_are_told(sets, tmp_path):
    shutil.copytree(sets / "interleaved" / "small.ms", tmp_path / "small.ms")
    name = f"{tmp_path / 'small.ms'}::SPECTRAL_WINDOW"
    with casa.table(name, readonly=False, ack=False) as table:
        table.putcell("MEAS_FREQ_REF", 1, 1)
    found = describe(spec_of(spectral_window="all"), str(tmp_path / "small.ms"))
    assert found.spectral_frame == ""
    assert "several frames (LSRK, TOPOCENT), taken as they are" in " ".join(found.notes)


@pytest.mark.parametrize("first", [2, 9])
def test_a_narrow_window_beside_a_wide_one(sets, tmp_path, first):
    """casacore spoils its memory where it reads cells of different shapes together."""
    source = columns_of(sets / "source" / "small.ms")
    cuts = [np.arange(first), np.arange(first, NCHAN)]
    parts = [
        replace(
            source.rows(slice(n, None, 3)),
            data=source.data[n::3, cut],
            flag=source.flag[n::3, cut],
            weight=source.weight[n::3, cut],
            frequency=source.frequency[cut],
        )
        for n, cut in enumerate(cuts)
    ]
    parted(sets / "source" / "small.ms", tmp_path / "small.ms", parts)
    whole = imaged(tmp_path)
    assert whole[1].planes[0].visibilities == sum(part.data[..., 0].size for part in parts)
    same(imaged(tmp_path, partition={"max_visibilities": 2_000}), whole)
