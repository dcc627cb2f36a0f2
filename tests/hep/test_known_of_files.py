"""What plans keep of files, inputs of corrections as flat arrays, files that appear whole."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, OutputError
from spectrum_workflows.hep.columns import RequestedColumns
from spectrum_workflows.hep.corrections.arrays import on_elements
from spectrum_workflows.hep.corrections.reading import read_content
from spectrum_workflows.hep.io.atomic_write import atomic_write
from spectrum_workflows.hep.objects.declared import Call, Chain, Declared, Met, Source, Weight
from spectrum_workflows.hep.objects.inputs import flat, gathered, offsets_of, packed, with_columns
from spectrum_workflows.hep.plan import cache
from spectrum_workflows.hep.plan.cache import Question
from spectrum_workflows.hep.plan.files import InputFile
from spectrum_workflows.hep.plan.inspection import FileInfo
from spectrum_workflows.hep.spec.fallback import FallbackSpec

# What an earlier plan knew

REQUESTED = RequestedColumns(
    ("x", "y"), ("T",), ("T",), {"y": FallbackSpec(constant=0.0)}, normalisation="events"
)
QUESTION = Question("q", {"s": REQUESTED}, 60)
FILE = InputFile("s", "memory://known/a.root", "Events")
IDENTITY = {FILE: "1000 ETag 5"}
FORM = ak.Array({"x": [1.0], "y": [1.0], "T": [True]}).layout.form.to_json()
INFO = FileInfo(FILE.url, "uuid", 1000, 100, ((0, 60), (60, 100)), 500, 900, (), FORM)


def kept(folder: Path, info: FileInfo = INFO, **asked: Any) -> dict[InputFile, FileInfo]:
    """What comes back of something that was kept, with a hash that is right."""
    cache.save(str(folder), QUESTION, IDENTITY, {FILE: info})
    return cache.load(str(folder), asked.get("question", QUESTION), asked.get("as_now", IDENTITY))


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    assert kept(tmp_path) == {FILE: INFO}
    assert kept(tmp_path, replace(INFO, entries=0, cut=())) == {
        FILE: replace(INFO, entries=0, cut=())
    }


@pytest.mark.parametrize(
    "change",
    [
        {"url": "memory://known/b.root"},
        {"uuid": ""},
        {"nbytes": 999},
        {"memory": -1},
        {"cut": ((0, 60), (61, 100))},
        {"cut": ((0, 60), (60, 99))},
        {"cut": ((0, 61), (61, 100))},
        {"cut": ((0, 60), (60, 60), (60, 100))},
        {"cut": ((1, 60), (60, 100))},
        {"cut": ()},
        {"fallbacks_used": ("x",)},
        {"fallbacks_used": ("T", "y")},
        {"form": "{}"},
        {"form": ak.Array({"x": [1.0]}).layout.form.to_json()},
    ],
)
def test_what_cannot_be_true_of_the_file_is_not_believed(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    assert kept(tmp_path, replace(INFO, **change)) == {}


def test_columns_that_it_may_lack_are_believed(tmp_path: Path) -> None:
    lacking = replace(INFO, fallbacks_used=("y", "T"), form="")
    assert kept(tmp_path, lacking) == {FILE: lacking}


@pytest.mark.parametrize("now", ["1000 ETag 6", "999 ETag 5", "1000 mtime 5"])
def test_another_content_is_another_file(tmp_path: Path, now: str) -> None:
    assert kept(tmp_path, as_now={FILE: now}) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "another"},
        {"max_events": 61},
        {"requested": {"s": replace(REQUESTED, columns=("x",))}},
        {"requested": {"s": replace(REQUESTED, normalisation="")}},
    ],
)
def test_another_question_has_its_own_answers(tmp_path: Path, change: dict[str, Any]) -> None:
    assert kept(tmp_path, question=replace(QUESTION, **change)) == {}
    assert cache.load(str(tmp_path), QUESTION, IDENTITY) == {FILE: INFO}


def test_types_that_are_asked_for_now_are_read_where_nobody_kept_them(tmp_path: Path) -> None:
    cache.save(str(tmp_path), QUESTION, IDENTITY, {FILE: replace(INFO, form="")})
    typed = replace(FILE, typed=True)
    assert cache.load(str(tmp_path), QUESTION, {typed: IDENTITY[FILE]}) == {}
    assert cache.load(str(tmp_path), QUESTION, {FILE: IDENTITY[FILE]}) != {}


def test_one_flipped_letter_is_seen(tmp_path: Path) -> None:
    kept(tmp_path)
    [path] = (tmp_path / cache.FOLDER).iterdir()
    text = path.read_text()
    path.write_text(text.replace('\\"entries\\":100', '\\"entries\\":101'))
    assert path.read_text() != text
    assert cache.load(str(tmp_path), QUESTION, IDENTITY) == {}


@pytest.mark.parametrize("text", ["", "[]", '{"files": 5}', '{"files": {"a": []}}', "{"])
def test_what_is_no_cache_is_none_and_is_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / cache.FOLDER / f"{QUESTION.key}.json"
    path.parent.mkdir()
    path.write_text(text)
    assert cache.load(str(tmp_path), QUESTION, IDENTITY) == {}
    assert kept(tmp_path) == {FILE: INFO}


def test_what_was_known_of_other_files_stays_and_of_this_one_is_replaced(tmp_path: Path) -> None:
    other = replace(FILE, url="memory://known/b.root")
    both = IDENTITY | {other: "1000 ETag 7"}
    cache.save(str(tmp_path), QUESTION, both, {other: replace(INFO, url=other.url)})
    kept(tmp_path)
    new = {FILE: "1000 ETag 6"}
    cache.save(str(tmp_path), QUESTION, new, {FILE: INFO})
    assert cache.load(str(tmp_path), QUESTION, both).keys() == {other}
    assert cache.load(str(tmp_path), QUESTION, new).keys() == {FILE}
    [path] = (tmp_path / cache.FOLDER).iterdir()
    assert len(json.loads(path.read_text())["files"]) == 2


@pytest.mark.parametrize(
    ("state", "identity"),
    [
        ({"size": 5, "ETag": '"x"', "mtime": 3}, '5 ETag "x"'),
        ({"size": 5, "mtime": 3.5, "ino": 7}, "5 mtime 3.5 7"),
        ({"size": None, "etag": "x"}, "None etag x"),
        ({"size": 5}, ""),
        ({"size": 5, "ETag": "x", "type": "directory"}, ""),
    ],
)
def test_a_file_is_known_by_what_its_store_says(state: dict[str, Any], identity: str) -> None:
    assert cache._identity(state) == identity


@pytest.mark.parametrize("number", [2, cache.LISTED + 1])
def test_identities_are_those_of_the_store_however_many_are_asked_for(
    tmp_path: Path, number: int
) -> None:
    files = [InputFile("s", str(tmp_path / f"{n}.root"), "Events") for n in range(number)]
    for file in files[1:]:
        storage.write_bytes(file.url, b"1")
    known = cache.identities(files)
    assert [*known] == files[1:]
    assert len({*known.values()}) == number - 1


# Objects as flat arrays


def events() -> ak.Array:
    """Three events: two jets, none, one."""
    jagged = [[1.0, -2.0], [], [3.0]]
    return packed(
        ak.Array({"Jet_pt": jagged, "Jet_eta": jagged, "Mu_pt": [[], [5.0], []], "met": [7, 8, 9]})
    )


def test_packing_keeps_events_whatever_was_cut_out_of_them() -> None:
    whole = ak.Array({"Jet_pt": [[1.0], [2.0, 3.0], [], [4.0]], "n": [1, 2, 3, 4]})
    part = packed(whole[[3, 1]])
    assert part.to_list() == whole[[3, 1]].to_list()
    assert flat(part, "Jet_pt").tolist() == [4.0, 2.0, 3.0]
    assert offsets_of(part, "Jet_pt").tolist() == [0, 1, 3]


def test_columns_of_one_collection_share_their_offsets() -> None:
    record = ak.to_layout(events())
    pt, eta, mu = (record.content(name).offsets for name in ("Jet_pt", "Jet_eta", "Mu_pt"))
    assert pt is eta
    assert mu is not pt


def test_columns_are_replaced_where_they_stand() -> None:
    changed = with_columns(events(), {"Jet_pt": np.array([9.0, 8.0, 7.0]), "met": np.arange(3)})
    assert changed.fields == events().fields
    assert changed.Jet_pt.to_list() == [[9.0, 8.0], [], [7.0]]
    assert changed.met.to_list() == [0, 1, 2]
    assert changed.Jet_eta.to_list() == events().Jet_eta.to_list()


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (ak.Array([[[1.0]], [], []]), "x is not one number per event or object"),
        (ak.Array(["a", "b", "c"]), "x is not one number per event or object"),
    ],
)
def test_a_column_that_is_not_flat_below_its_events(column: ak.Array, says: str) -> None:
    with pytest.raises(DataError, match=says):
        flat(packed(ak.zip({"x": column}, depth_limit=1)), "x")


def test_a_column_of_numbers_has_no_items() -> None:
    with pytest.raises(DataError, match="met is not one list per event; name another column"):
        offsets_of(events(), "met")


def test_inputs_are_of_one_length() -> None:
    found = events()
    sources = (
        Source("Jet_pt", absolute=True),
        Source("met"),
        Source(value=0.5),
        Source(value="up"),
    )
    pt, met, number, word = gathered(sources, found, offsets_of(found, "Jet_eta"))
    assert pt.tolist() == [1.0, 2.0, 3.0]
    assert met.tolist() == [7, 7, 9]
    assert number.tolist() == [0.5] * 3
    assert word == "up"
    assert gathered(sources[1:3], found, None)[0].tolist() == [7, 8, 9]


@pytest.mark.parametrize(("items", "says"), [("Jet_pt", "of this collection"), ("", "of events")])
def test_inputs_of_another_collection_are_refused(items: str, says: str) -> None:
    found = events()
    offsets = offsets_of(found, items) if items else None
    with pytest.raises(DataError, match=f"Mu_pt has other lists than the inputs {says}"):
        gathered([Source("Mu_pt")], found, offsets)


def test_every_column_that_is_declared_is_named_once() -> None:
    call = Call("f", "c", (Source("Jet_eta"), Source("rho"), Source(value=1.0)))
    chain = Chain(("Jet_pt", "Jet_mass"), "Jet_rawFactor", (call,))
    weight = Weight("w", call, (("w_up", call),), collection="Muon")
    declared = Declared(
        {"jets": chain}, Met("MET_pt", "MET_phi", ("jets",), 15.0), weights=(weight,)
    )
    assert len(declared.columns) == len({*declared.columns})
    assert {*declared.columns} >= {
        *("Jet_pt", "Jet_rawFactor", "Jet_eta", "rho", "MET_pt", "MET_phi", "Jet_phi"),
        "Muon_pt",
    }
    assert declared.calls == [call] * 3


def test_items_are_counted_by_a_column_that_is_read_anyway() -> None:
    call = Call("f", "c", (Source("rho"), Source("Muon_eta")))
    assert Weight("w", call, collection="Muon").counted == "Muon_eta"


# Functions of flat arrays


def test_a_function_of_flat_arrays_gives_the_form_of_its_inputs() -> None:
    def power(word: str, a: Any, b: Any) -> Any:
        assert word == "up"
        return a**b

    jagged = ak.Array([[1.0, 2.0], [], [3.0]])
    assert on_elements(power, ("up", jagged, ak.Array([1, 2, 3]))).to_list() == [
        [1.0, 2.0],
        [],
        [27.0],
    ]
    assert on_elements(power, ("up", np.array([[2.0], [3.0]]), np.array([1, 2]))).tolist() == [
        [2.0, 4.0],
        [3.0, 9.0],
    ]
    alone = on_elements(power, ("up", 2.0, 3.0))
    assert (alone.shape, float(alone)) == ((), 8.0)


def test_an_error_of_ours_comes_out_of_arrays_as_it_is() -> None:
    def refuse(values: Any) -> Any:
        raise DataError("no value", "here", "look")

    with pytest.raises(DataError) as caught:
        on_elements(refuse, (ak.Array([[1.0]]),))
    assert str(caught.value) == "here: no value; look"


# Numbers of corrections

plain = st.floats(-1e9, 1e9).map(lambda x: float(f"{x:.12g}"))


@given(st.lists(plain, min_size=1, max_size=8))
@settings(max_examples=30)
def test_numbers_are_read_within_a_last_digit(values: list[float]) -> None:
    content = read_content(json.dumps({"a": values, "n": 3}))
    assert content.tree["n"] == "3"
    for text, value in zip(content.tree["a"], values, strict=True):
        assert abs(content.number(text) - value) <= math.ulp(value)


def test_words_for_numbers_are_numbers() -> None:
    content = read_content('{"edges": [0, "inf", "-inf", 1e3]}')
    assert [content.number(text) for text in content.tree["edges"]] == [0, math.inf, -math.inf, 1e3]
    assert read_content("{}").numbers == {}


# Files that appear whole


@pytest.mark.parametrize("root", ["here", "memory://atomic"])
def test_a_file_appears_when_it_is_whole(root: str, tmp_path: Path) -> None:
    url = str(tmp_path / "deep" / "x.root") if root == "here" else f"{root}/x.root"
    with atomic_write(url) as path:
        Path(path).write_bytes(b"1")
        assert not storage.exists(url)
    assert storage.read_bytes(url) == b"1"
    assert not Path(path).exists()
    with pytest.raises(KeyboardInterrupt), atomic_write(url) as path:  # noqa: PT012
        Path(path).write_bytes(b"22")
        raise KeyboardInterrupt
    assert storage.read_bytes(url) == b"1"
    assert not Path(path).exists()


def test_a_file_that_nobody_can_write_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    url = str(tmp_path / "file" / "x.root")
    with (
        pytest.raises(OutputError, match="cannot write .*; choose another place"),
        atomic_write(url),
    ):
        raise AssertionError("it has begun")
