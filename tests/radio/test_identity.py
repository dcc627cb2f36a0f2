"""What tells one content of a set from another: edits in place count, copies and readers do not."""

import os
import shutil
from pathlib import Path

import casacore.tables as casa
import numpy as np
import pytest

from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.read.msv2 import identity as module
from spectrum_workflows.radio.read.msv4 import checksums

from .conftest import put, spec_of


def identity_of(root: Path, data_set: str = "small") -> str:
    [(_, identity)] = DOMAIN.plan(spec_of(data_set=data_set), str(root)).inputs
    return identity


@pytest.fixture(params=["small", "large"])
def size(request, monkeypatch) -> str:
    """Sets whose content is read, and those of which only times are looked at."""
    if request.param == "large":
        monkeypatch.setattr(module, "SMALL_BYTES", 0)
    return request.param


def one_more_flag(table) -> None:
    flags = table.getcell("FLAG", 7)
    flags[3, 0] = ~flags[3, 0]
    table.putcell("FLAG", 7, flags)


EDITS = {
    "flag": one_more_flag,
    "data": lambda table: table.putcell("DATA", 7, 2 * table.getcell("DATA", 7)),
    "weight": lambda table: table.putcell("WEIGHT", 7, 2 * table.getcell("WEIGHT", 7)),
    "uvw": lambda table: table.putcell("UVW", 7, 2 * table.getcell("UVW", 7)),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_in_place_is_another_set(edit, size, altered):
    root = altered()
    before = identity_of(root)
    sizes = {path: path.stat().st_size for path in (root / "small.ms").rglob("*")}
    with casa.table(str(root / "small.ms"), readonly=False, ack=False) as table:
        EDITS[edit](table)
    assert sizes == {path: path.stat().st_size for path in (root / "small.ms").rglob("*")}
    assert identity_of(root) != before


def test_frequencies_count_too(size, altered):
    root = altered()
    before = identity_of(root)
    name = f"{root}/small.ms::SPECTRAL_WINDOW"
    with casa.table(name, readonly=False, ack=False) as table:
        put(table, "CHAN_FREQ", 1.001 * table.getcol("CHAN_FREQ"))
    assert identity_of(root) != before


def test_reading_and_locks_change_nothing(size, altered):
    root = altered()
    before = identity_of(root)
    with casa.table(str(root / "small.ms"), ack=False, lockoptions="auto") as table:
        table.getcol("DATA")
    (root / "small.ms/table.lock").write_bytes(b"another")
    DOMAIN.run(spec_of(), DOMAIN.plan(spec_of(), str(root)))
    assert identity_of(root) == before


def test_a_copy_is_the_same_set(size, small, tmp_path):
    shutil.copytree(small / "small.ms", tmp_path / "small.ms")  # times come along
    assert identity_of(tmp_path) == identity_of(small)
    for path in (tmp_path / "small.ms").rglob("*"):
        os.utime(path)
    assert (identity_of(tmp_path) == identity_of(small)) == (size == "small")


def test_what_a_set_selects_from_counts(size, altered):
    root = altered()
    with casa.table(str(root / "small.ms"), ack=False) as table:
        table.query("ANTENNA1 < 20", name=str(root / "part.ms")).close()
    before = identity_of(root, "part")
    with casa.table(str(root / "small.ms"), readonly=False, ack=False) as table:
        one_more_flag(table)
    assert identity_of(root, "part") != before


def test_an_edit_right_after_another_is_seen(altered):
    """No answer is kept of files that were just written: their times may not tell."""
    root = altered()
    seen = set()
    for _ in range(3):
        with casa.table(str(root / "small.ms"), readonly=False, ack=False) as table:
            put(table, "WEIGHT", np.float32(1.5) * table.getcol("WEIGHT"))
        times = dict.fromkeys((root / "small.ms").rglob("*"), 10**18)
        for path, time in times.items():
            os.utime(path, ns=(time, time))
        seen.add(identity_of(root))
    assert len(seen) == 3


def test_a_zarr_set_is_one_wherever_it_lies_and_without_checksums_is_looked_at(small, tmp_path):
    made = tmp_path / "a" / "small.zarr"
    convert(str(small / "small.ms"), str(made))
    shutil.copytree(made, tmp_path / "b" / "small.zarr", copy_function=shutil.copyfile)
    first, second = (identity_of(tmp_path / name) for name in "ab")
    assert first == second
    (made / "checksums.json").unlink()
    checksums.known.cache_clear()  # as in another process
    before = identity_of(tmp_path / "a")
    assert before == identity_of(tmp_path / "a") != first
    [flags, *_] = [p for p in made.rglob("*") if p.is_file() and "FLAG" in p.parts]
    flags.write_bytes(flags.read_bytes())
    os.utime(flags, ns=(1, 1))
    assert identity_of(tmp_path / "a") != before
