"""A Zarr set knows what was written: every changed bit and every exchanged object is found."""

import json
import os
import shutil
from pathlib import Path

import casacore.tables as casa
import numpy as np
import pytest

from spectrum_workflows.domain import get
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.read import describe, read
from spectrum_workflows.record.comparing import Comparison, with_axes

from .conftest import spec_of

pytestmark = pytest.mark.xdist_group("radio checksums")  # what they share is made once


@pytest.fixture(scope="module")
def made(small, tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    convert(str(small / "small.ms"), str(root / "small.zarr"))
    return root / "small.zarr"


@pytest.fixture
def copy(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "small.zarr"))


def everything(url):
    observation = describe(spec_of(), str(url))
    return observation, [read(chunk) for chunk in chunks(observation, 10**9)]


USED = ("frequency", "UVW", "VISIBILITY", "FLAG", "WEIGHT", "TIME_CENTROID", "polarization")
SKY = "field_and_source_base_xds/FIELD_PHASE_CENTER_DIRECTION"


@pytest.mark.parametrize("name", [*USED, SKY, "antenna_xds/antenna_name", "zarr.json"])
def test_one_bit_anywhere_is_found(copy, name):
    rng = np.random.default_rng(len(name))
    top = name == "zarr.json"
    files = [copy / name] if top else sorted((copy / "small_0" / name / "c").rglob("*"))
    file = next(f for f in files if f.is_file())
    data = bytearray(file.read_bytes())
    for _ in range(5):
        bit = int(rng.integers(8 * len(data)))
        data[bit // 8] ^= 1 << bit % 8
        file.write_bytes(bytes(data))
        with pytest.raises(DataError, match="not what was written"):
            everything(copy)
        data[bit // 8] ^= 1 << bit % 8


def test_exchanged_chunks_are_found(copy):
    one, two = (copy / "small_0" / "VISIBILITY" / "c" / "0" / "0" / n / "0" for n in "01")
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    with pytest.raises(DataError, match=r"VISIBILITY/c/0/0/[01]/0: not what was written"):
        everything(copy)


def test_a_damaged_list_and_a_lost_object(copy):
    listed = (copy / "checksums.json").read_text()
    (copy / "checksums.json").write_text(listed.replace("VISIBILITY/c/0", "VISIBILITY/c/9", 1))
    with pytest.raises(DataError, match="list of checksums is damaged"):
        everything(copy)
    (copy / "checksums.json").write_text(listed)
    shutil.rmtree(copy / "small_0" / "frequency" / "c")
    with pytest.raises(DataError, match="a chunk is missing"):
        everything(copy)


def test_a_set_without_checksums_is_read_and_said(made, copy):
    assert everything(made)[0].notes == ()
    (copy / "checksums.json").unlink()
    observation, found = everything(copy)
    assert ["carries no checksums" in note for note in observation.notes] == [True]
    np.testing.assert_array_equal(found[0].visibility, everything(made)[1][0].visibility)


def test_chunks_of_an_interrupted_conversion_are_listed_too(small, made, tmp_path):
    target = Path(shutil.copytree(made, tmp_path / "small.zarr"))
    job = json.loads((target / "zarr.json").read_text())["attributes"]["spectrum_workflows"]["job"]
    for name in ("zarr.json", "checksums.json", "small_0/FLAG/c/0/0/0/0"):
        (target / name).unlink()
    (target / "conversion.json").write_text(json.dumps(job, indent=1))
    convert(str(small / "small.ms"), str(target))
    ours, theirs = (json.loads((p / "checksums.json").read_text()) for p in (target, made))
    assert ours["objects"].keys() == theirs["objects"].keys()
    everything(target)


def test_a_stale_copy_is_said(small, made, tmp_path):
    shutil.copytree(made, tmp_path / "small.zarr")
    target = tmp_path / "small.ms"
    shutil.copytree(small / "small.ms", target)  # with its times
    assert DOMAIN.plan(spec_of(), str(tmp_path)).warnings == ()
    with casa.table(str(target), readonly=False, ack=False) as table:
        table.putcell("FLAG_ROW", 3, True)
    [said] = DOMAIN.plan(spec_of(), str(tmp_path)).warnings
    assert "small.ms was written after small.zarr was made from it" in said
    with casa.table(str(target), readonly=False, ack=False) as table:
        table.addrows(1)
        table.putcell("DATA_DESC_ID", table.nrows() - 1, 7)
    [said] = DOMAIN.plan(spec_of(), str(tmp_path)).warnings
    assert "is not the set that small.zarr was made from" in said


def test_a_source_elsewhere_that_changed_is_said(small, tmp_path):
    source, target = tmp_path / "here" / "small.ms", tmp_path / "there" / "other.zarr"
    shutil.copytree(small / "small.ms", source)
    convert(str(source), str(target))
    spec = spec_of(data_set="other")
    assert DOMAIN.plan(spec, str(target.parent)).warnings == ()
    with casa.table(str(source), readonly=False, ack=False) as table:
        table.putcell("FLAG_ROW", 3, True)
    [said] = DOMAIN.plan(spec, str(target.parent)).warnings
    assert "small.ms was written after other.zarr was made from it" in said
    shutil.rmtree(source)  # what is not reachable is not compared
    assert DOMAIN.plan(spec, str(target.parent)).warnings == ()


def test_a_file_that_changed_is_said(tmp_path):
    made = spec_of(data_set="rows", synthetic={"format": "uvh5", "visibilities": 3_000})
    [url] = DOMAIN.make(made, str(tmp_path))
    convert(url, str(tmp_path / "other.zarr"))
    spec = spec_of(data_set="other")
    assert DOMAIN.plan(spec, str(tmp_path)).warnings == ()
    os.utime(url, (1, 1))
    [said] = DOMAIN.plan(spec, str(tmp_path)).warnings
    assert "rows.uvh5 is not the file that other.zarr was made from" in said


def test_places_of_pixels_are_compared():
    same = Comparison("identical", {})
    sky = {"CRVAL1": 180.0, "RADESYS": "FK5"}
    assert with_axes(same, sky, dict(sky)) == same
    assert with_axes(same, sky, sky | {"CRVAL1": 180.0 + 1e-11}).verdict == "equivalent"
    other = with_axes(same, sky, sky | {"CRVAL1": 180.1})
    assert (other.verdict, other.notes) == ("different", ("CRVAL1: 180.0 against 180.1",))
    assert with_axes(same, sky, {"CRVAL1": 180.0}).verdict == "different"
    assert get("hep").axes("nowhere") == {}
