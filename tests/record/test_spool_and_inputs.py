"""Results that are kept here, inputs that are looked at twice, records that are not believed."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError, OutputError, StoreError
from spectrum_workflows.record import check_unchanged, damaged, spool
from spectrum_workflows.record.believing import check_record, is_inside
from spectrum_workflows.record.digest import CHUNK, digest
from spectrum_workflows.record.machine import machine, processor
from spectrum_workflows.record.writing import read_record
from spectrum_workflows.storage import stamps, stamps_of

# Digests


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_the_digest_covers_every_number(size: int) -> None:
    a = np.arange(float(size))
    for place in {0, size // 2, size - 1} & {*range(size)}:
        b = a.copy()
        b[place] += 0.5
        assert digest({"a": a}) != digest({"a": b})
    assert digest({"a": a}) == digest({"a": np.arange(float(2 * size))[::2] / 2})


def test_the_digest_leaves_its_arrays_alone() -> None:
    a = np.array([-0.0, np.nan])
    before = a.tobytes()
    digest({"a": a})
    assert a.tobytes() == before


def test_one_number_and_a_list_of_one_are_two_things() -> None:
    assert len({digest({"a": np.float64(1)}), digest({"a": np.ones(1)}), digest({})}) == 3


def test_numbers_that_float64_holds_have_one_digest() -> None:
    values = [0, 1, 2**24]
    kinds = (np.int32, np.int64, np.float32, np.float64)
    assert len({digest({"a": np.array(values, kind)}) for kind in kinds}) == 1


# Records


@given(st.text("ab./\\~:\n", max_size=12))
@settings(max_examples=200)
def test_a_name_that_is_believed_stays_in_its_folder(name: str) -> None:
    if is_inside(name):
        path = os.path.normpath(f"/results/run/{name}")
        assert path == f"/results/run/{name}"
        assert storage.join("s3://b/run", name) == f"s3://b/run/{name}"


@pytest.mark.parametrize("name", ["a", "a/b.c", "...", "a..b", "a~", "ä b", "xx:y"])
def test_ordinary_names_are_believed(name: str) -> None:
    assert is_inside(name)


GOOD: dict[str, Any] = {
    "workflow": "w",
    "name": "n",
    "digest": "d",
    "spec_digest": "s",
    "code": "c",
    "partial": False,
    "fraction": 1,
    "inputs": {},
    "objects": [{"name": "a", "size": 0, "sha256": "0" * 64}],
}


@pytest.mark.parametrize("word", GOOD)
@pytest.mark.parametrize("value", [None, [1], {"a": 1}, b""])
def test_every_entry_of_a_record_is_of_its_kind(word: str, value: Any) -> None:
    check_record(GOOD, "here")
    with pytest.raises(DataError, match="not a run record") as caught:
        check_record(GOOD | {word: value}, "here")
    assert caught.value.where == "here"


def test_true_is_no_number_of_a_record() -> None:
    with pytest.raises(DataError, match="'fraction'"):
        check_record(GOOD | {"fraction": True}, "here")
    entry = GOOD["objects"][0]
    with pytest.raises(DataError, match="no name, size and hash"):
        check_record(GOOD | {"objects": [entry | {"size": True}]}, "here")


# The second look at the input


def test_inputs_are_stamped_once_and_those_that_cannot_be_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    storage.write_bytes("memory://inputs/b", b"1")
    urls = [str(tmp_path / "a"), "memory://inputs/b", str(tmp_path / "none"), "gopher://h/x"]
    versions = stamps_of(urls * 2)
    assert [*versions] == urls[:2]
    assert versions[urls[0]] == storage.stamp(urls[0])


def test_every_file_in_a_store_is_asked_for() -> None:
    urls = [f"memory://many/{n}" for n in range(300)]
    for url in urls:
        storage.write_bytes(url, b"1")
    assert [*stamps_of([*urls, "memory://many/none"])] == urls


def test_a_store_that_does_not_answer_is_not_asked_for_every_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def silent(url: str) -> str:
        asked.append(url)
        raise StoreError("no answer", url)

    monkeypatch.setattr(stamps, "stamp", silent)
    assert stamps_of(f"memory://gone/{n}" for n in range(1000)) == {}
    assert len(asked) < stamps.SILENT + stamps.AT_A_TIME


def test_a_silent_store_keeps_nobody_from_another(monkeypatch: Any) -> None:
    def stamp(url: str) -> str:
        if url.startswith("s3://dead/"):
            raise StoreError("no answer", url)
        return "a version"

    monkeypatch.setattr(stamps, "stamp", stamp)
    dead = [f"s3://dead/{k}" for k in range(3 * stamps.SILENT)]
    well = [f"s3://well/{k}" for k in range(3 * stamps.SILENT)]
    assert [*stamps_of([*dead, *well])] == well


def test_what_changed_is_named_with_how_many_more(tmp_path: Path) -> None:
    urls = [str(tmp_path / name) for name in "abc"]
    for url in urls:
        storage.write_bytes(url, b"1")
    before = stamps_of(urls)
    check_unchanged(before)
    Path(urls[1]).write_bytes(b"12")
    with pytest.raises(DataError, match="exchanged while the run read it: the result") as caught:
        check_unchanged(before)
    assert caught.value.where == urls[1]
    Path(urls[0]).unlink()
    with pytest.raises(DataError, match=r"read it \(and 1 more\): .*; run it again when the data"):
        check_unchanged(before)


def test_a_store_that_has_gone_since_does_not_lose_the_result() -> None:
    check_unchanged({"memory://inputs/gone": "1", "gopher://h/x": "1"})


# The spool


def writing(content: dict[str, bytes]) -> Callable[[str], None]:
    """A writer of a run's folder, record last."""

    def write(folder: str) -> None:
        objects = []
        for name, data in content.items():
            storage.write_bytes(storage.join(folder, name), data)
            sha256 = hashlib.sha256(data).hexdigest()
            objects.append({"name": name, "size": len(data), "sha256": sha256})
        record = GOOD | {"objects": objects, "schema": 1}
        storage.write_bytes(storage.join(folder, "record.json"), json.dumps(record).encode())

    return write


CONTENT = {"a.bin": b"123", "deep/b.bin": b"45"}


@pytest.fixture
def kept(tmp_path: Path) -> str:
    """The folder of a result in a spool."""
    spools = [str(tmp_path / "spool")]
    return spool.keep(writing(CONTENT), "run-1", "https://me:word@h/results", spools)


def test_a_kept_result_says_what_it_is(kept: str) -> None:
    spool.note_reason(kept, "it was full")
    [one] = spool.spooled([str(Path(kept).parent)])
    assert one == spool.Spooled("run-1", kept, "https://h/results", "it was full", 5)


@pytest.mark.parametrize("note", [b"", b"[1]", b"\xff", None])
def test_a_note_that_is_lost_loses_nothing_else(kept: str, note: bytes | None) -> None:
    path = Path(kept, spool.NOTE)
    path.unlink() if note is None else path.write_bytes(note)
    [one] = spool.spooled([str(Path(kept).parent)])
    assert (one.results, one.reason, one.nbytes) == ("", "", 5)
    spool.note_reason(kept, "again")
    assert spool.spooled([str(Path(kept).parent)])[0].reason == "again"


def test_what_else_lies_in_a_spool_is_not_shown(kept: str) -> None:
    folder = Path(kept).parent
    (folder / "other").mkdir()
    (folder / "other" / "record.json").write_text("{}")
    (folder / "file").touch()
    shutil.copytree(kept, folder / f".run-2{spool.PARTIAL}")
    assert [one.name for one in spool.spooled([str(folder), str(folder / "none")])] == ["run-1"]


def test_a_result_is_found_by_its_name_or_folder(kept: str, tmp_path: Path) -> None:
    spools = [str(tmp_path / "spool")]
    by_name = spool.find("run-1", spools)
    assert by_name == spool.find(kept, []) == spool.find(f"{kept}/", spools)
    with pytest.raises(DataNotFoundError, match="no such result in the spool; there is: run-1"):
        spool.find("run-2", spools)
    with pytest.raises(DataNotFoundError, match="nothing is spooled here"):
        spool.find("run-1", [])


@pytest.mark.parametrize("root", ["memory://sent/results", "local"])
def test_what_is_sent_arrives_whole_and_stays_here(kept: str, root: str, tmp_path: Path) -> None:
    results = str(tmp_path / "results") if root == "local" else root
    folder = spool.send(kept, results)
    assert folder == f"{results}/run-1"
    assert damaged(folder, read_record(folder)) == []
    assert Path(kept).is_dir()
    names = [url.rpartition("/run-1/")[2] for url in storage.files_below(folder)]
    assert sorted(names) == ["a.bin", "deep/b.bin", "record.json"]
    storage.remove(folder)


@pytest.mark.parametrize("root", ["memory://sent/bad", "local"])
def test_what_does_not_arrive_as_it_was_leaves_nothing(
    kept: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = str(tmp_path / "results") if root == "local" else root
    put = storage.put_file

    def spoilt(source: Path, url: str) -> None:
        put(source, url)
        if url.endswith("b.bin"):
            storage.write_bytes(url, b"46")

    monkeypatch.setattr(storage, "put_file", spoilt)
    with pytest.raises(OutputError, match=r"deep/b\.bin did not arrive as it was sent"):
        spool.send(kept, results)
    assert storage.files_below(results) == []


def test_a_folder_of_that_name_is_not_replaced(kept: str, tmp_path: Path) -> None:
    theirs = tmp_path / "results" / "run-1" / "x"
    storage.write_bytes(str(theirs), b"theirs")
    with pytest.raises(OutputError, match="cannot write"):
        spool.send(kept, str(tmp_path / "results"))
    assert [p.name for p in (tmp_path / "results").rglob("*")] == ["run-1", "x"]


def test_the_next_spool_takes_what_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spools = [str(tmp_path / "file"), str(tmp_path / "other")]
    assert spool.keep(writing(CONTENT), "run", "", spools) == str(tmp_path / "other" / "run")
    with pytest.raises(OutputError, match=r"no spool takes the result \(.*File exists.*/file"):
        spool.keep(writing(CONTENT), "run", "", spools[:1])
    with pytest.raises(OutputError, match="there is none"):
        spool.keep(writing(CONTENT), "run", "", [])


def test_a_spool_without_room_is_said_before_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    spools = [str(tmp_path / "a"), str(tmp_path / "b")]
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=spool.ROOM - 1))
        with pytest.raises(OutputError, match=r"a: less than 16 MB free; .*b: less") as caught:
            spool.check_spool(spools)
    assert "with spool in the site profile" in caught.value.remedy
    spool.check_spool(spools)
    assert [*(tmp_path / "a").iterdir()] == []


def test_a_spool_that_others_can_enter_is_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    spool.check_spool([str(folder)])
    assert folder.stat().st_mode & 0o777 == 0o700


def test_leftovers_that_cannot_be_removed_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(folder: str) -> None:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(storage, "remove", away)
    spool.sweep("s3://b/run")


# The machine


def test_the_versions_of_a_science_are_those_that_are_installed() -> None:
    versions = machine(["pytest", "no-such-library"])["versions"]
    assert versions["pytest"] == pytest.__version__
    assert "no-such-library" not in versions


def test_a_processor_without_a_name_is_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(path: Path, *_: Any, **__: Any) -> str:
        raise FileNotFoundError

    assert processor()
    monkeypatch.setattr(Path, "read_text", lambda path: "vendor_id : x\nmodel name\t: A : b\n")
    assert processor() == "A : b"
    monkeypatch.setattr(Path, "read_text", absent)
    monkeypatch.setattr("platform.processor", str)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert processor() == "x86_64"
