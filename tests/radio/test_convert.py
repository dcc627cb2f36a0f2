"""Zarr sets against the Measurement Sets they come from: the same numbers, from any store."""

import importlib
import json
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import casacore.tables as casa
import numpy as np
import pytest
import zarr

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.convert.layout import (
    CHUNK_BYTES,
    OUTPUT_CHANNELS,
    blocks,
    layout,
)
from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.read import describe, find, read
from spectrum_workflows.radio.read.msv4 import checksums
from spectrum_workflows.record import digest

from .conftest import spec_of
from .written import columns_of, write_uvh5

NROW = 11 * 351
ARRAYS = ("uvw", "frequency", "visibility", "weight")


def visibilities_of(root, spec, limit):
    """The chunks of the set below a root, and what is read from them."""
    observation = describe(spec, find(spec, str(root)))
    return observation, [(chunk, read(chunk)) for chunk in chunks(observation, limit)]


def assert_same(ms_root, zarr_root, spec=None, limits=(10**9, 351 * 8 * 4, 351 * 3)):
    """Plan, description and every number are the same in both forms."""
    spec = spec or spec_of()
    for limit in limits:
        a, from_ms = visibilities_of(ms_root, spec, limit)
        b, from_zarr = visibilities_of(zarr_root, spec, limit)
        assert (a.url.endswith(".ms"), b.url.endswith(".zarr")) == (True, True)
        for name in ("telescope", "object_name", "phase_centre", "frame", "spectral_frame"):
            assert getattr(a, name) == getattr(b, name), name
        assert a.longest_baseline == b.longest_baseline
        assert len(from_ms) == len(from_zarr)
        for (chunk, one), (other, two) in zip(from_ms, from_zarr, strict=True):
            assert {**vars(chunk), "url": ""} == {**vars(other), "url": ""}
            assert one.unflagged == two.unflagged
            for name in ARRAYS:
                np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)


@pytest.fixture(scope="module")
def small_zarr(small, tmp_path_factory):
    root = tmp_path_factory.mktemp("zarr")
    said = convert(f"{small}/small.ms", f"{root}/small.zarr")
    assert said["visibilities"] == NROW * 8
    return root


def test_both_forms_give_the_same_numbers(small, small_zarr):
    assert_same(small, small_zarr)


def gathered(sets, target):
    """The datasets of several Zarr sets as one set, which is then without checksums."""
    root = zarr.open_group(str(target), mode="w", attributes={"type": "processing_set"})
    assert root.store is not None
    for number, name in enumerate(sets):
        shutil.copytree(name / "small_0", target / f"part_{number}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(target))


def test_a_field_in_several_datasets_is_one_image(small, tmp_path):
    """As xradio writes it: some times here, others there; both together are the whole."""
    for name, rows in (("early", range(5 * 351)), ("late", range(5 * 351, NROW))):
        with casa.table(str(small / "small.ms"), ack=False) as table:
            (tmp_path / name).mkdir()
            table.selectrows(list(rows)).copy(str(tmp_path / name / "small.ms"), deep=True).close()
        convert(f"{tmp_path}/{name}/small.ms", f"{tmp_path}/{name}/small.zarr")
    (tmp_path / "both").mkdir()
    gathered(
        [tmp_path / f"{name}/small.zarr" for name in ("late", "early")],
        tmp_path / "both/small.zarr",
    )
    observation, pieces = visibilities_of(tmp_path / "both", spec_of(), 10**9)
    assert [window.number for window in observation.windows] == [0, 1]
    assert [int(window.rows_per_time.sum()) for window in observation.windows] == [6 * 351, 5 * 351]
    [(_, late), (_, early)] = pieces
    _, [(_, whole)] = visibilities_of(small, spec_of(), 10**9)
    for name in ("uvw", "visibility", "weight"):
        both = np.concatenate([getattr(early, name), getattr(late, name)])
        np.testing.assert_array_equal(both, getattr(whole, name), err_msg=name)
    fine = spec_of(image={"epsilon": 1e-9})
    one, two = (
        DOMAIN.run(fine, DOMAIN.plan(fine, str(root)))[0] for root in (small, tmp_path / "both")
    )
    for name, image in DOMAIN.arrays(one).items():
        found = DOMAIN.arrays(two)[name]
        np.testing.assert_allclose(found, image, atol=1e-6 * np.abs(image).max(), err_msg=name)


def flagged_rows(table):
    table.putcell("FLAG_ROW", 3, True)
    table.putcell("UVW", 7, np.array([np.nan, 1.0, 2.0]))
    table.putcell("UVW", 8, np.full(3, np.nan))
    table.putcell("TIME_CENTROID", 8, np.nan)
    table.putcell("EXPOSURE", 8, np.nan)
    flag = np.random.default_rng(1).random((NROW, 8, 2)) < 0.2
    table.putcol("FLAG", flag)
    data = table.getcol("DATA")
    data[11, 5, 0] = np.nan
    data[12, 5, 1] = np.inf
    table.putcol("DATA", data)
    weight = table.getcol("WEIGHT")
    weight[::7] = 0
    weight[5] = -1
    weight[6, 1] = np.inf
    table.putcol("WEIGHT", weight)


def missing_baselines(table):
    return np.sort(np.random.default_rng(2).choice(NROW, NROW // 2, replace=False))


def a_time_of_autocorrelations(table):
    second = table.getcol("ANTENNA2")
    first = table.getcol("ANTENNA1")
    at = slice(351 * 3, 351 * 4)
    second[at] = first[at]
    table.putcol("ANTENNA2", second)
    one_each = np.unique(first[at], return_index=True)[1] + 351 * 3
    return np.sort([*range(351 * 3), *one_each, *range(351 * 4, NROW)])


def swapped_antennas(table):
    first, second = table.getcol("ANTENNA1"), table.getcol("ANTENNA2")
    swap = first % 3 == 0
    table.putcol("ANTENNA1", np.where(swap, second, first))
    table.putcol("ANTENNA2", np.where(swap, first, second))


def nameless_antennas(table):
    with casa.table(f"{table.name()}::ANTENNA", readonly=False, ack=False) as antennas:
        for name in ("NAME", "STATION"):
            antennas.putcol(name, ["same"] * antennas.nrows())


def weight_spectrum(table):
    column = casa.makearrcoldesc("WEIGHT_SPECTRUM", 0.0, ndim=2, valuetype="float")
    table.addcols(casa.maketabdesc(column))
    values = np.random.default_rng(3).random((NROW, 8, 2)).astype(np.float32)
    table.putcol("WEIGHT_SPECTRUM", values)


def falling_channels(table):
    with casa.table(f"{table.name()}::SPECTRAL_WINDOW", readonly=False, ack=False) as window:
        window.putcol("CHAN_FREQ", window.getcol("CHAN_FREQ")[:, ::-1])


def changed(altered, change):
    """A data root with the changed set, and only the rows that the change gives."""
    rows = []
    root = altered(lambda table: rows.append(change(table)))
    if rows[0] is None:
        return root
    with casa.table(str(root / "small.ms"), ack=False) as table:
        (root / "kept").mkdir()
        table.selectrows(rows[0]).copy(str(root / "kept" / "small.ms"), deep=True).close()
    return root / "kept"


@pytest.mark.parametrize(
    "change",
    [
        flagged_rows,
        missing_baselines,
        a_time_of_autocorrelations,
        swapped_antennas,
        nameless_antennas,
        weight_spectrum,
        falling_channels,
    ],
    ids=lambda change: change.__name__,
)
def test_any_set_gives_the_same_in_both_forms(altered, tmp_path, change):
    root = changed(altered, change)
    convert(f"{root}/small.ms", f"{tmp_path}/z/small.zarr", output_channels=3)
    assert_same(root, tmp_path / "z")


def test_rows_in_any_order_give_the_same_set(small, small_zarr, tmp_path):
    order = np.random.default_rng(3).permutation(NROW)
    with casa.table(str(small / "small.ms"), ack=False) as table:
        table.selectrows(order).copy(str(tmp_path / "small.ms"), deep=True).close()
    convert(f"{tmp_path}/small.ms", f"{tmp_path}/z/small.zarr")
    assert_same(tmp_path, tmp_path / "z")
    assert chunks_of(tmp_path / "z") == chunks_of(small_zarr)


def chunks_of(root):
    """Bytes of every chunk of the large arrays."""
    found = (root / "small.zarr").rglob("*")
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in found
        if "c" in path.parts and path.is_file() and "_xds" not in str(path)
    }


def test_every_field_is_a_part_of_its_own(altered, tmp_path):
    def second_field(table):
        field = table.getcol("FIELD_ID")
        field[1::2] = 1
        table.putcol("FIELD_ID", field)
        with casa.table(f"{table.name()}::FIELD", readonly=False, ack=False) as fields:
            fields.addrows(1)
            for name in ("NAME", "PHASE_DIR"):
                fields.putcell(name, 1, fields.getcell(name, 0))
            fields.putcell("NAME", 1, "OTHER")

    root = altered(second_field)
    assert convert(f"{root}/small.ms", f"{tmp_path}/z/small.zarr")["parts"] == 2
    for number in (0, 1):
        assert_same(root, tmp_path / "z", spec_of(field=number), limits=(351 * 8 * 4,))
    with pytest.raises(SpecError, match=r"several fields: 0 \(SIMULATED\), 1 \(.*field = N"):
        visibilities_of(tmp_path / "z", spec_of(), 10**9)


def test_data_columns_are_chosen(altered, tmp_path):
    def corrected(table):
        described = table.getcoldesc("DATA") | {"name": "CORRECTED_DATA"}
        described["dataManagerType"] = described["dataManagerGroup"] = ""
        table.addcols(casa.maketabdesc({"name": "CORRECTED_DATA", "desc": described}))
        table.putcol("CORRECTED_DATA", 2 * table.getcol("DATA"))

    root = altered(corrected)
    convert(f"{root}/small.ms", f"{tmp_path}/z/small.zarr")
    for column in ("DATA", "CORRECTED_DATA"):
        assert_same(root, tmp_path / "z", spec_of(column=column), limits=(10**9,))
    convert(f"{root}/small.ms", f"{tmp_path}/y/small.zarr", columns=["CORRECTED_DATA"])
    with pytest.raises(DataError, match="no column DATA; it has CORRECTED_DATA"):
        visibilities_of(tmp_path / "y", spec_of(), 10**9)
    with pytest.raises(SpecError, match="FLAG is no data column; known: DATA"):
        convert(f"{root}/small.ms", f"{tmp_path}/x/small.zarr", columns=["FLAG"])
    with pytest.raises(DataError, match="no column MODEL_DATA"):
        convert(f"{root}/small.ms", f"{tmp_path}/x/small.zarr", columns=["MODEL_DATA"])


def test_two_rows_in_one_cell_are_refused(altered, tmp_path):
    def double(table):
        table.putcell("ANTENNA2", 1, table.getcell("ANTENNA2", 0))

    with pytest.raises(DataError, match=r"several rows of the same time and baseline.*set itself"):
        convert(f"{altered(double)}/small.ms", f"{tmp_path}/z/small.zarr")


def test_times_that_differ_from_row_to_row_are_refused_and_imaged(altered, tmp_path):
    def jitter(table):
        table.putcol("TIME", table.getcol("TIME") + 1e-3 * np.arange(table.nrows()))

    root = altered(jitter)
    with pytest.raises(DataError, match=r"times × 351 baselines for 3,861 rows.*set itself"):
        convert(f"{root}/small.ms", f"{tmp_path}/z/small.zarr")
    assert (
        sum(
            len(read(chunk).uvw) for chunk in chunks(describe(spec_of(), f"{root}/small.ms"), 10**9)
        )
        == NROW
    )


IMAGES = [
    (weighting, clean)
    for weighting in ({"scheme": "natural"}, {"scheme": "briggs"})
    for clean in (None, {"max_major": 2})
]


@pytest.mark.parametrize(("weighting", "clean"), IMAGES)
def test_the_digest_is_that_of_the_measurement_set(small, small_zarr, weighting, clean):
    spec = spec_of(weighting=weighting, clean=clean, partition={"max_visibilities": 351 * 8 * 3})
    assert digest_of(spec, small) == digest_of(spec, small_zarr)


def digest_of(spec, root):
    return digest(DOMAIN.arrays(DOMAIN.run(spec, DOMAIN.plan(spec, str(root)))[0]))


def test_the_digest_of_the_reference_set(unpacked_radio, tmp_path):
    convert(f"{unpacked_radio}/sim_vlac_330.ms", "memory://zarr/sim_vlac_330.zarr")
    for weighting, clean in (IMAGES[0], IMAGES[3]):
        spec = spec_of(
            data_set="sim_vlac_330",
            image={"npix": 256, "cell_arcsec": 14.0},
            weighting=weighting,
            clean=clean,
            partition={"max_visibilities": 30_000},
        )
        assert digest_of(spec, unpacked_radio) == digest_of(spec, "memory://zarr")


def test_a_partition_of_channels_moves_its_stored_chunks_only(small, small_zarr):
    folder = small_zarr / "small.zarr" / "small_0"
    observation = describe(spec_of(), find(spec_of(), str(small_zarr)))
    [*channels] = chunks(observation, 351)
    one = next(chunk for chunk in channels if chunk.chan_start == 5)
    with storage.metering() as counter:
        read(one)
    chunk = sum(
        (folder / name / "c/0/0/5/0").stat().st_size for name in ("VISIBILITY", "FLAG", "WEIGHT")
    )
    cells = sum((folder / name).stat().st_size for name in ("UVW/c/0/0/0", "TIME_CENTROID/c/0/0"))
    words = (small_zarr / "small.zarr" / "zarr.json").stat().st_size
    assert chunk + cells < counter.bytes_read <= chunk + cells + words + 20_000
    everything = sum(p.stat().st_size for p in (folder / "VISIBILITY").rglob("*") if p.is_file())
    assert chunk < everything / 4


def test_xradio_opens_the_set_and_finds_what_is_in_the_measurement_set(small, small_zarr):
    xradio = pytest.importorskip("xradio.measurement_set", reason="xradio is not installed")
    from xradio.schema.check import check_datatree

    opened = xradio.open_processing_set(f"{small_zarr}/small.zarr", array_backend="xarray")
    assert not list(check_datatree(opened))
    assert opened.attrs["type"] == "processing_set"
    found = opened["small_0"]
    with casa.table(str(small / "small.ms"), ack=False) as table:
        shape = (11, 351)
        for name, column in (("VISIBILITY", "DATA"), ("UVW", "UVW"), ("FLAG", "FLAG")):
            values = table.getcol(column)
            np.testing.assert_array_equal(found[name], values.reshape(*shape, *values.shape[1:]))
        weight = table.getcol("WEIGHT").reshape(*shape, 1, 2)
        np.testing.assert_array_equal(found["WEIGHT"], np.broadcast_to(weight, (*shape, 8, 2)))
    assert found["VISIBILITY"].dims == ("time", "baseline_id", "frequency", "polarization")
    assert found["polarization"].values.tolist() == ["XX", "YY"]


# Interruptions and damage


SMALL_BLOCKS = (
    "import importlib;"
    "layout = importlib.import_module('spectrum_workflows.radio.convert.layout');"
    "layout.CHUNK_BYTES, layout.BLOCK_BYTES = 1 << 20, 1 << 21;"
)
CONVERT = SMALL_BLOCKS + (
    "import sys; from spectrum_workflows.radio.convert import convert;"
    "print('begun', flush=True);"
    "print(convert(sys.argv[1], sys.argv[2], output_channels=8)['kept'], flush=True)"
)


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    """About 40 MB of visibilities."""
    from spectrum_workflows.radio import synthetic

    root = tmp_path_factory.mktemp("larger")
    spec = spec_of(
        data_set="larger",
        synthetic={"visibilities": 2_500_000, "channels": 64, "telescope": "vla-d"},
    )
    synthetic.make(spec, str(root))
    return root / "larger.ms"


def test_a_killed_conversion_goes_on_where_it_was(larger, tmp_path, monkeypatch):
    target = tmp_path / "larger.zarr"
    process = subprocess.Popen([sys.executable, "-c", CONVERT, larger, target])
    try:
        wait_for(lambda: len(list(target.rglob("WEIGHT/c/*/*/*/*"))) >= 6, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not list(target.rglob("zarr.json"))
    spec = spec_of(data_set="larger")
    with pytest.raises(DataError, match="conversion was not finished"):
        find(spec, str(tmp_path))
    before = {p: p.stat().st_mtime_ns for p in target.rglob("*") if p.is_file()}
    stray = target / "larger_0" / "x.part"
    stray.write_text("left by the one that was killed")
    in_this = importlib.import_module("spectrum_workflows.radio.convert.layout")
    monkeypatch.setattr(in_this, "CHUNK_BYTES", 1 << 20)
    monkeypatch.setattr(in_this, "BLOCK_BYTES", 1 << 21)
    said = convert(str(larger), str(target))
    assert said["kept"] > 0
    assert not stray.exists()
    assert not (target / "conversion.json").exists()
    whole = [p for p in before if p.suffix == "" and "c" in p.parts]
    again = [p for p in whole if p.stat().st_mtime_ns != before[p]]
    assert len(again) <= 4, "more than the arrays of the block in whose middle it was killed"
    assert said["url"] == str(target)
    a, b = (describe(spec, str(url)) for url in (larger, target))
    one, two = (chunks(o, 10**6)[-1] for o in (a, b))
    np.testing.assert_array_equal(read(one).visibility, read(two).visibility)


def wait_for(condition, process, seconds=120):
    """Until something is so, or the process ended."""
    end = time.monotonic() + seconds
    while not condition() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.005)


PEAK = ";from spectrum_workflows.engine.memory import peak_memory; print(peak_memory())"


def test_memory_does_not_grow_with_the_set(larger, small, tmp_path):
    """With blocks of 2 MB, a set of 40 MB takes little more than one of 1 MB."""

    def peak(source):
        target = tmp_path / f"{source.stem}.zarr"
        command = [sys.executable, "-c", CONVERT + PEAK, source, target]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(ran.stdout.split()[-1])

    stored = sum(p.stat().st_size for p in larger.rglob("*") if p.is_file())
    grown = peak(larger) - peak(small / "small.ms")
    assert grown < 28e6 < 0.7 * stored


def test_the_same_conversion_again_is_nothing_to_do(small, small_zarr):
    said = convert(f"{small}/small.ms", f"{small_zarr}/small.zarr")
    assert said["bytes"] == 0
    assert said["kept"] == 1


def test_another_conversion_is_not_overwritten(small, altered, tmp_path):
    target = f"{tmp_path}/z/small.zarr"
    convert(f"{small}/small.ms", target)
    other = altered(lambda table: table.putcol("FLAG", ~table.getcol("FLAG")))
    with pytest.raises(DataError, match="another set is here; --overwrite"):
        convert(f"{other}/small.ms", target)
    convert(f"{other}/small.ms", target, overwrite=True)
    assert_same(other, tmp_path / "z", limits=(10**9,))
    (tmp_path / "z" / "small.zarr" / "zarr.json").unlink()
    (tmp_path / "z" / "small.zarr" / "conversion.json").write_text('{"removing": true}')
    with pytest.raises(DataError, match="another conversion was begun here; --overwrite"):
        convert(f"{small}/small.ms", target)
    convert(f"{small}/small.ms", target, overwrite=True)
    assert_same(small, tmp_path / "z", limits=(10**9,))
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(DataError, match="something else is here"):
            convert(f"{small}/small.ms", f"{tmp_path}/mine.zarr", overwrite=overwrite)
    assert (tmp_path / "mine.zarr" / "thesis.txt").read_text() == "years of work"
    with pytest.raises(SpecError, match=r"must end in \.zarr"):
        convert(f"{small}/small.ms", f"{tmp_path}/small.out")


@pytest.mark.parametrize("name", ["VISIBILITY/c/0/0/3/0", "FLAG/c/0/0/0/0", "UVW/c/0/0/0"])
@pytest.mark.parametrize("how", ["lost", "cut short", "changed"])
def test_a_damaged_chunk_is_an_error(small_zarr, tmp_path, name, how):
    root = tmp_path / "copy"
    shutil.copytree(small_zarr, root)
    observation = describe(spec_of(), find(spec_of(), str(root)))
    path = root / "small.zarr" / "small_0" / name
    data = bytearray(path.read_bytes())
    if how == "lost":
        path.unlink()
    elif how == "cut short":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    for listed in (True, False):  # each chunk has a checksum of its own too
        if not listed:
            (root / "small.zarr" / "checksums.json").unlink()
            checksums.known.cache_clear()
        said = "not what was written" if listed else "damaged or incomplete Zarr set"
        with pytest.raises(DataError, match="missing" if how == "lost" else said) as caught:
            read(chunks(observation, 10**9)[0])
        assert "\n" not in str(caught.value)
        assert "small.zarr" in str(caught.value)


def test_times_whose_chunk_is_lost_are_not_left_out_of_the_plan(small_zarr, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(small_zarr, root)
    stored = root / "small.zarr" / "small_0" / "TIME_CENTROID" / "c"
    max((p for p in stored.rglob("*") if p.is_file()), key=lambda p: int(p.parent.name)).unlink()
    with pytest.raises(DataError, match="a chunk is missing"):
        describe(spec_of(), find(spec_of(), str(root)))


def test_a_set_replaced_after_planning(small, altered, tmp_path):
    root = tmp_path / "z"
    convert(f"{small}/small.ms", f"{root}/small.zarr")
    plan = DOMAIN.plan(spec_of(), str(root))
    other = changed(altered, missing_baselines)
    convert(f"{other}/small.ms", f"{root}/small.zarr", overwrite=True)
    with pytest.raises(DataError, match="has changed since the run was planned"):
        read(plan.partitions[0])
    assert DOMAIN.plan(spec_of(), str(root)).inputs[0][1] != plan.inputs[0][1]


def test_something_that_is_no_msv4_set(tmp_path):
    (tmp_path / "small.zarr").mkdir()
    root = {"zarr_format": 3, "node_type": "group", "attributes": {}}
    root["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": {}}
    Path(tmp_path, "small.zarr", "zarr.json").write_text(json.dumps(root))
    with pytest.raises(DataError, match="no visibility dataset"):
        describe(spec_of(), f"{tmp_path}/small.zarr")
    Path(tmp_path, "small.zarr", "zarr.json").write_text("{}")
    with pytest.raises(DataError, match="damaged or incomplete Zarr set"):
        describe(spec_of(), f"{tmp_path}/small.zarr")


@pytest.mark.parametrize(
    "shape",
    [(40, 351, 8, 2), (20_000, 351, 16, 2), (3000, 2016, 1024, 4), (10, 130_816, 65536, 4)],
)
def test_chunks_have_8_to_16_megabytes(shape):
    found = layout(shape, OUTPUT_CHANNELS)
    size = 8 * np.prod(found.chunks)
    assert size <= CHUNK_BYTES
    whole = 8 * np.prod(shape)
    assert size >= min(CHUNK_BYTES / 2, whole / OUTPUT_CHANNELS) or found.chunks[2] == 1
    cut = list(blocks(found)) if found.time_chunk * found.chan_chunk > 8 else []
    cells = sum(b.shape[0] * b.shape[1] for b in cut)
    assert not cut or cells == shape[0] * shape[2]


LONG = 4
"""Integrations that are one for half of the baselines."""


@pytest.fixture
def averaged(small, tmp_path):
    """A root with every fourth time of half of the baselines, as the middle of four of them."""
    root = tmp_path / "averaged"
    root.mkdir()
    with casa.table(str(small / "small.ms"), ack=False) as table:
        first, second = table.getcol("ANTENNA1"), table.getcol("ANTENNA2")
        step = np.unique(table.getcol("TIME"), return_inverse=True)[1]
        slow = (first + second) % 2 == 0
        rows = np.flatnonzero(~slow | ((step % LONG == 0) & (step < 2 * LONG)))
        table.selectrows(rows).copy(str(root / "small.ms"), deep=True).close()
    slow = slow[rows]
    with casa.table(str(root / "small.ms"), readonly=False, ack=False) as table:
        interval = table.getcol("INTERVAL")
        for name in ("TIME", "TIME_CENTROID"):
            table.putcol(name, table.getcol(name) + np.where(slow, 1.5 * interval, 0.0))
        for name in ("INTERVAL", "EXPOSURE"):
            table.putcol(name, interval * np.where(slow, LONG, 1))
    return root


def test_rows_averaged_by_baseline_leave_no_cell_empty(averaged, tmp_path):
    with casa.table(str(averaged / "small.ms"), ack=False) as table:
        nrow, slow = table.nrows(), int((table.getcol("INTERVAL") > 2000).sum())
    told = convert(str(averaged / "small.ms"), str(tmp_path / "zarr/small.zarr"))
    assert told["parts"] == 2
    assert told["visibilities"] == nrow * 8
    shapes = [
        zarr.open_group(tmp_path / f"zarr/small.zarr/small_{n}", mode="r")["VISIBILITY"].shape[:2]
        for n in (0, 1)
    ]
    assert shapes == [(11, (nrow - slow) // 11), (2, slow // 2)]
    fine = spec_of(image={"epsilon": 1e-9})
    of_rows, of_cells = (
        DOMAIN.run(fine, DOMAIN.plan(fine, str(folder)))[0]
        for folder in (averaged, tmp_path / "zarr")
    )
    assert of_cells.observation.rows == of_rows.observation.rows == nrow
    for name, image in DOMAIN.arrays(of_rows).items():
        found = DOMAIN.arrays(of_cells)[name]
        np.testing.assert_allclose(found, image, atol=1e-6 * np.abs(image).max(), err_msg=name)


def test_rows_of_a_file_averaged_by_baseline(averaged, tmp_path):
    written = write_uvh5(tmp_path / "rows.uvh5", columns_of(averaged / "small.ms"))
    told = convert(str(written), str(tmp_path / "rows.zarr"))
    assert told["parts"] == 2
    with casa.table(str(averaged / "small.ms"), ack=False) as table:
        assert told["visibilities"] == table.nrows() * 8


def test_rows_that_share_no_time_are_refused(altered, tmp_path):
    def apart(table):
        table.putcol("TIME", table.getcol("TIME")[0] + np.arange(table.nrows()) * 1.0)

    with pytest.raises(DataError, match=r"most would be empty; image the set itself"):
        convert(str(altered(apart) / "small.ms"), str(tmp_path / "small.zarr"))
