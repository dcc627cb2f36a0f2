"""Corrections as they are shipped: gzipped or not, one or several."""

import gzip
import hashlib
import json
import pickle

import numpy as np
import pytest

from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError
from spectrum_workflows.hep.select import corrections as module
from spectrum_workflows.hep.select.corrections import corrections


def content(*names: str, value: float = 2.0, **more) -> bytes:
    listed = [
        {
            "name": name,
            "version": 1,
            "inputs": [{"name": "x", "type": "real"}],
            "output": {"name": "w", "type": "real"},
            "data": value,
        }
        for name in names
    ]
    return json.dumps({"schema_version": 2, "corrections": listed, **more}).encode()


def value(found) -> float:
    return float(found.evaluate(np.array([1.0]))[0])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.json").write_bytes(content("a", "b"))
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(content("c", value=3.0)))
    (tmp_path / "d.json").write_bytes(content("a", value=4.0))
    (tmp_path / "members.json.gz").write_bytes(
        gzip.compress(content("m")[:50]) + gzip.compress(content("m")[50:])
    )
    (tmp_path / "gzipped.json").write_bytes(gzip.compress(content("z")))
    return tmp_path


@pytest.mark.parametrize(
    ("named", "names"),
    [
        ("a.json", {"a", "b"}),
        ("c.json.gz", {"c"}),
        ("members.json.gz", {"m"}),
        ("gzipped.json", {"z"}),
        (("a.json", "c.json.gz"), {"a", "b", "c"}),
        (("d.json",), {"a"}),
    ],
)
def test_files_are_read_whatever_their_form(folder, named, names):
    found = corrections(named, str(folder))
    assert set(found.loaded()) == names
    assert set(pickle.loads(pickle.dumps(found)).loaded()) == names
    files = [named] if isinstance(named, str) else named
    expected = [
        (f, f"sha256 {hashlib.sha256((folder / f).read_bytes()).hexdigest()}") for f in files
    ]
    assert list(found.inputs) == expected


def test_an_absolute_name_and_a_url_are_taken_as_they_are(folder):
    for named in (str(folder / "a.json"), f"file://{folder}/a.json"):
        assert set(corrections(named, "/nowhere").loaded()) == {"a", "b"}


def test_a_table_keeps_sets_apart(folder):
    found = corrections({"one": "a.json", "two": "d.json"}, str(folder)).loaded()
    assert (value(found["one"]["a"]), value(found["two"]["a"])) == (2.0, 4.0)
    only = corrections({"one": "a.json"}, str(folder))
    assert set(only.loaded()) == {"one"}


def test_what_is_merged_evaluates_as_before(folder):
    found = corrections(("a.json", "c.json.gz"), str(folder)).loaded()
    assert [value(found[name]) for name in "abc"] == [2.0, 2.0, 3.0]


def test_compound_corrections_survive_a_merge(folder):
    compound = {
        "name": "both",
        "inputs": [{"name": "x", "type": "real"}],
        "output": {"name": "w", "type": "real"},
        "inputs_update": [],
        "input_op": "*",
        "output_op": "*",
        "stack": ["e", "f"],
    }
    (folder / "e.json").write_bytes(content("e", "f", compound_corrections=[compound]))
    found = corrections(("a.json", "e.json"), str(folder)).loaded()
    assert value(found.compound["both"]) == 4.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not a correctionlib file"),
        (b"{}", "not a correctionlib file"),
        (b"[1]", "not a correctionlib file"),
        (b"\xff\xfe", "not a correctionlib file"),
        (b'{"schema_version": 1, "corrections": []}', "another schema version than 2.*convert it"),
        (content("x", "x"), "Duplicate Correction name: x"),
        (gzip.compress(content("x"), mtime=0)[:-20], "the gzip file is (not complete|damaged)"),
        (b"\x1f\x8b" + bytes(30), "the gzip file is damaged"),
        (gzip.compress(b"{", mtime=0), "not a correctionlib file"),
    ],
)
def test_what_is_none_is_called_so_in_one_line(tmp_path, text, said):
    (tmp_path / "x.json.gz").write_bytes(text)
    with pytest.raises(DataError, match=said) as error:
        corrections("x.json.gz", str(tmp_path))
    assert "\n" not in str(error.value)
    assert "x.json.gz" in str(error.value)


def test_names_that_clash_are_refused(folder):
    with pytest.raises(
        SpecError, match=r"a\.json and d\.json both hold 'a'.*give each file a name"
    ):
        corrections(("a.json", "d.json"), str(folder))
    with pytest.raises(SpecError, match="both hold 'a'"):
        corrections(("a.json", "a.json"), str(folder))


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(DataNotFoundError, match=r"none\.json"):
        corrections(("a.json", "none.json"), str(folder))


def test_what_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 1000)
    (tmp_path / "x.json.gz").write_bytes(gzip.compress(bytes(5000)))
    with pytest.raises(DataError, match="more than 1000 bytes"):
        corrections("x.json.gz", str(tmp_path))
