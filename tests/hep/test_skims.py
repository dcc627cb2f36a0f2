"""Conditions of a skim: which events fulfil them, what follows from what, and how they are kept."""

from collections import Counter
from dataclasses import replace
from typing import Any

import awkward as ak
import numpy as np
import pytest

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import declarations
from spectrum_workflows.hep.columns import to_keep
from spectrum_workflows.hep.io.skim_file import SkimmedPartition, opened, packed, unpacked
from spectrum_workflows.hep.select.requirements import fulfilled, not_implied
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.skim import RequirementSpec
from spectrum_workflows.hep.types import Events, FileRead
from spectrum_workflows.hep.types.luminosity import Blocks
from spectrum_workflows.hep.types.skims import Skims, first_entry, range_key
from spectrum_workflows.hep.workflow.skim_check import (
    HALVINGS,
    SINGLE,
    _select_all,
    _Selected,
)
from spectrum_workflows.hep.workflow.skim_content import SkimContent
from spectrum_workflows.hep.workflow.skim_implication import refusals

SPEC: dict[str, Any] = {
    "workflow": "hep",
    "name": "one",
    "select": "spectrum_workflows.hep.analyses.dimuon:select",
    "columns": ["Muon_pt"],
    "normalisation": "none",
    "samples": {"mc": {"files": ["x.root"]}},
    "histograms": {"dimuon": {"bins": 2, "start": 0.0, "stop": 1.0}},
}
EVENTS = ak.Array(
    {
        "Muon_pt": ak.values_astype([[30.0, 20.0], [], [25.0], [10.0, 50.0, 26.0]], np.float32),
        "Muon_eta": [[-2.5, 1.0], [], [np.nan], [0.0, -1.0, 2.0]],
        "Muon_tightId": [[True, False], [], [True], [True, True, True]],
        "Electron_pt": [[], [40.0], [25.0], []],
        "MET_pt": [10.0, 30.0, np.nan, 50.0],
        "nVertex": np.array([1, 2, 3, 4], np.uint8),
    }
)


def required(**table: Any) -> RequirementSpec:
    return RequirementSpec.model_validate(table)


@pytest.mark.parametrize(
    ("table", "which"),
    [
        ({"minimum": {"MET_pt": 30.0}}, [1, 3]),
        ({"maximum": {"MET_pt": 30.0}}, [0, 1]),
        ({"minimum": {"nVertex": 2}, "maximum": {"nVertex": 3}}, [1, 2]),
        ({"items": {"Muon": {"minimum": {"pt": 25.0}}}}, [0, 2, 3]),
        ({"items": {"Muon": {"minimum": {"pt": 25.0}}}, "at_least": 2}, [3]),
        ({"items": {"Muon": {"maximum": {"|eta|": 2.4}}}}, [0, 3]),
        ({"items": {"Muon": {"minimum": {"pt": 25.0}, "maximum": {"|eta|": 2.0}}}}, [3]),
        ({"items": {"Muon": {"minimum": {"tightId": 1}}}, "at_least": 2}, [3]),
        (
            {
                "items": {"Muon": {"minimum": {"pt": 25.0}}, "Electron": {"minimum": {"pt": 25.0}}},
                "at_least": 2,
            },
            [2, 3],
        ),
    ],
)
def test_events_that_fulfil_a_condition(table: dict[str, Any], which: list[int]) -> None:
    one = {"one": required(**table)}
    assert np.flatnonzero(fulfilled(EVENTS, one)).tolist() == which
    again = fulfilled(EVENTS[which], one)  # of a skim all
    assert again.all()
    assert len(again) == len(which)
    assert np.flatnonzero(fulfilled(EVENTS[::-1], one)).tolist() == sorted(3 - k for k in which)


def test_numbers_are_compared_in_double_precision() -> None:
    events = ak.Array({"MET_pt": np.array([2.1, 2.2], np.float32)})
    assert float(np.float32(2.1)) < 2.1
    assert fulfilled(events, {"a": required(minimum={"MET_pt": 2.1})}).tolist() == [False, True]


def test_all_conditions_are_asked_for_and_none_is_none() -> None:
    two = {"a": required(minimum={"MET_pt": 20.0}), "b": required(maximum={"nVertex": 3})}
    assert np.flatnonzero(fulfilled(EVENTS, two)).tolist() == [1]
    assert fulfilled(EVENTS, {}).all()
    assert fulfilled(EVENTS[:0], two).tolist() == []


@pytest.mark.parametrize(
    "table",
    [
        {"minimum": {"Muon_pt": 1.0}},
        {"items": {"MET": {"minimum": {"pt": 1.0}}}},
        {"items": {"Name": {"minimum": {"text": 1.0}}}},
    ],
)
def test_other_columns_are_refused(table: dict[str, Any]) -> None:
    events = ak.with_field(EVENTS, [["a"], [], [], []], "Name_text")
    with pytest.raises(DataError, match=r"not (one number|a list of numbers) per event"):
        fulfilled(events, {"one": required(**table)})


def test_columns_of_one_collection_have_as_many_items() -> None:
    events = ak.Array({"A_x": [[1.0], []], "A_y": [[], [1.0]]})
    with pytest.raises(DataError, match="A_y has other numbers of items"):
        fulfilled(events, {"one": required(items={"A": {"minimum": {"x": 0.0, "y": 0.0}}})})


LOOSE = {"items": {"Muon": {"minimum": {"pt": 20.0}}, "Electron": {"minimum": {"pt": 25.0}}}}


@pytest.mark.parametrize(
    ("tight", "follows"),
    [
        (LOOSE, True),
        ({**LOOSE, "at_least": 2}, True),
        ({"items": {"Muon": {"minimum": {"pt": 20.0}}}}, True),
        ({"items": {"Muon": {"minimum": {"pt": 21.0, "eta": 0.0}}}}, True),
        ({"items": {"Muon": {"minimum": {"pt": 19.0}}}}, False),
        ({"items": {"Muon": {"maximum": {"pt": 30.0}}}}, False),
        ({"items": {"Tau": {"minimum": {"pt": 30.0}}}}, False),
        ({"minimum": {"MET_pt": 100.0}}, False),
    ],
)
def test_what_follows_from_what(tight: dict[str, Any], follows: bool) -> None:
    asked, kept = {"x": required(**tight)}, {"lepton": required(**LOOSE)}
    assert not_implied(asked, kept) == ("" if follows else "lepton")
    assert not_implied({**asked, "y": required(minimum={"a": 1.0})}, kept) == (
        "" if follows else "lepton"
    )
    assert not_implied(asked, {}) == ""
    assert not_implied({}, kept) == "lepton"


def test_what_is_said_to_follow_does() -> None:
    """Random conditions on random events: whatever fulfils the tighter one fulfils the looser."""
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 4, (2, 300))
    events = ak.Array(
        {
            **{
                f"{name}_{c}": ak.unflatten(rng.integers(0, 5, n.sum()), n)
                for name, n in zip("AB", counts, strict=True)
                for c in "xy"
            },
            "z": rng.integers(0, 5, 300),
        }
    )

    def limits(columns: str) -> dict[str, Any]:
        chosen = rng.choice([*columns], rng.integers(1, len(columns) + 1), replace=False)
        side = "minimum" if rng.random() < 0.7 else "maximum"
        return {side: {str(c): float(rng.integers(0, 5)) for c in chosen}}

    def condition() -> RequirementSpec:
        if rng.random() < 0.2:
            return required(**limits("z"))
        names = rng.choice(["A", "B"], rng.integers(1, 3), replace=False)
        items = {str(name): limits("xy") for name in names}
        return required(items=items, at_least=int(rng.integers(1, 4)))

    followed = 0
    for _ in range(1500):
        asked = {f"a{k}": condition() for k in range(rng.integers(1, 3))}
        kept = {"k": condition()}
        if not not_implied(asked, kept):
            followed += 1
            assert fulfilled(events, kept)[fulfilled(events, asked)].all()
    assert followed > 20


CONTENT = SkimContent("Events", ("a", "b"), {}, {"one": required(**LOOSE)}, made_by=("code",))


@pytest.mark.parametrize(
    ("asked", "kept", "reason"),
    [
        ({}, {}, ""),
        ({"branches": ("a",)}, {}, ""),
        ({"branches": ("c",)}, {}, "c is not kept"),
        ({"made_by": ("other",)}, {}, "other code"),
        ({"tree": "Runs"}, {}, "of the tree Events"),
        ({"fallbacks": {"a": ("b",)}}, {}, "the fallback of a was another"),
        ({"fallbacks": {"a": ()}}, {}, ""),
        ({"fallbacks": {"a": ("b",)}}, {"fallbacks": {"a": ("b",)}}, ""),
        ({}, {"triggers": ("T", "U")}, "with T or U only"),
        ({"triggers": ("T",)}, {"triggers": ("T", "U")}, ""),
        ({"triggers": ("T", "V")}, {"triggers": ("T", "U")}, "without the trigger V"),
        ({"triggers": ("T",)}, {}, "without the trigger T"),
        ({"triggers": ("T",), "vetoing": ("V",)}, {"triggers": ("T",)}, "without V"),
        ({}, {"vetoing": ("V",)}, "earlier primary data sets"),
        ({"vetoing": ("V",)}, {"vetoing": ("V",)}, ""),
        ({"event_filters": ("F",)}, {}, "without F"),
        ({}, {"event_filters": ("F",)}, "all of its flags"),
        ({"event_filters": ("F",)}, {"event_filters": ("F",)}, ""),
        ({"rows": ("read",)}, {}, "counted otherwise"),
        ({}, {"rows": ("read",)}, ""),
        ({"rows": ("read",)}, {"rows": ("read",)}, ""),
        ({"rows": ("read",)}, {"rows": ("read",), "weighted": True}, "counted otherwise"),
        ({"format": "x"}, {}, "another format"),
        ({"weighted": True}, {}, "without sums"),
        ({}, {"weighted": True}, ""),
        ({"certified": True}, {}, "without a list of good runs"),
        ({"blocks": True}, {}, "without a table"),
        ({"good_runs": ((1, 9),)}, {"good_runs": ((1, 9),)}, ""),
        ({"good_runs": ((2, 3), (12, 12))}, {"good_runs": ((1, 9), (12, 20))}, ""),
        ({"good_runs": ((2, 10),)}, {"good_runs": ((1, 9),)}, "good runs holds others"),
        ({"good_runs": ((0, 1),)}, {"good_runs": ((1, 9),)}, "good runs holds others"),
        ({}, {"good_runs": ((1, 9),)}, "good runs holds others"),
        ({"require": {}}, {}, "skim.require.one"),
        ({"require": {"x": required(**LOOSE, at_least=3)}}, {}, ""),
    ],
)
def test_why_a_skim_does_not_serve(asked: Any, kept: Any, reason: str) -> None:
    lines = refusals(replace(CONTENT, **asked), replace(CONTENT, **kept))
    assert bool(lines) == bool(reason)
    assert reason in "".join(lines)


def partition(**changes: Any) -> Events:
    return replace(Events("mc", "/d/x.root", "Events", 0, 4, "u", 9, entries=8), **changes)


def test_the_name_of_a_skim_is_of_file_and_entries() -> None:
    skims = Skims(folder="/k", versions={"/d/x.root": "v"})
    one = skims.url(partition())
    others = [{"start": 1}, {"stop": 5}, {"uuid": "w"}, {"nbytes": 8}, {"tree": "T"}]
    assert len({one, *(skims.url(partition(**other)) for other in others)}) == 6
    assert skims.url(partition(url="/e/x.root")) == ""
    assert replace(skims, versions={"/d/x.root": "w"}).url(partition()) != one
    assert range_key(partition(url="/e/x.root", sample="b")) == range_key(partition())
    assert Skims({first_entry(partition()): "there"}).find(partition(stop=2)) == "there"


def skimmed(branches: ak.Array = EVENTS) -> SkimmedPartition:
    blocks = Blocks(np.array([5, 7]), np.array([2, 6]), np.array([1, 3]), listed=False)
    file = FileRead(4, 8, 0.1 + 0.2, "u 9", ("Tau_pt",), synthetic=True, blocks=blocks)
    return SkimmedPartition(ak.to_packed(branches), ak.to_packed(branches[:1]), ("T",), 0, 4, file)


def test_a_skim_comes_back_to_the_bit() -> None:
    text = ak.with_field(EVENTS, [["a", "bc"], [], [""], ["d"]], "Name_text")
    text = ak.with_field(text, [[[1], [2, 3]], [], [[]], [[4]]], "Name_lists")
    skim = skimmed(text)
    back = unpacked(packed(skim, {"name": "mc"}), [*text.fields, "T"])
    assert skim.first is not None
    assert back.first is not None
    for old, new in ((skim.branches, back.branches), (skim.first, back.first)):
        assert old.layout.form == new.layout.form
        for a, b in zip(
            ak.to_buffers(old)[2].values(), ak.to_buffers(new)[2].values(), strict=True
        ):
            assert (a.dtype, a.tobytes()) == (b.dtype, b.tobytes())
    assert (back.absent, back.start, back.stop) == (("T",), 0, 4)
    assert replace(back.file, blocks=None) == replace(skim.file, blocks=None)
    assert back.file.blocks is not None
    assert back.file.blocks.place.tolist() == [5, 7]
    assert (back.file.blocks.read.tolist(), back.file.blocks.listed) == ([1, 3], False)


def test_some_columns_of_a_skim() -> None:
    data = packed(skimmed(), {})
    assert unpacked(data, ["MET_pt"]).branches.fields == ["MET_pt"]
    assert len(unpacked(data, []).branches) == 4
    assert opened(data).header["events"] == 4


def test_a_skim_without_events() -> None:
    back = unpacked(packed(skimmed(EVENTS[:0]), {}), EVENTS.fields)
    assert back.first is not None
    assert len(back.branches) == len(back.first) == 0
    assert back.branches.layout.form == ak.to_packed(EVENTS).layout.form


def test_first_events_that_were_not_asked_for_are_not_none_that_passed() -> None:
    without = unpacked(packed(replace(skimmed(), first=None), {}), EVENTS.fields)
    assert without.first is None
    assert unpacked(packed(skimmed(), {}), EVENTS.fields, with_first=False).first is None


def selected_of(bad: set[int], calls: list[int]) -> Any:
    """A selection that raises an error of some numbers, and takes those from 900 on."""

    def select(some: ak.Array) -> _Selected:
        numbers = {*np.asarray(some.x).tolist()}
        calls.append(len(numbers))
        if numbers & bad:
            return _Selected(error="bad")
        taken = sum(n >= 900 for n in numbers)
        return _Selected(len(numbers), Counter(h=taken) if taken else Counter())

    return select


@pytest.mark.parametrize(
    ("bad", "checked", "taken"),
    [
        (set(), 1000, 100),
        ({500}, 999, 100),
        ({0, 999}, 998, 99),
        ({*range(0, 1000, 2)}, 0, 0),
        ({*range(1000)}, 0, 0),
    ],
)
def test_events_with_errors_do_not_hide_the_others(bad: set[int], checked: int, taken: int) -> None:
    calls: list[int] = []
    events = ak.Array({"x": np.arange(1000)})
    selected = _select_all(events, selected_of(bad, calls))
    assert len(calls) <= HALVINGS + SINGLE
    assert bool(selected.error) == bool(bad)
    assert selected.checked >= (checked if len(bad) < 500 else (1000 - len(bad)) // 50)
    assert selected.filled["h"] >= taken
    assert selected.checked <= 1000 - len(bad)


def test_lists_of_the_same_lengths_are_stored_once() -> None:
    many = ak.Array({f"A_{k}": [[float(k)], [1.0, 2.0]] * 3000 for k in range(2)})
    one = len(packed(skimmed(many[["A_0"]]), {}))
    assert len(packed(skimmed(many), {})) < 1.6 * one


def test_every_byte_of_a_skim_counts() -> None:
    data = packed(skimmed(), {})
    for at in range(0, len(data), 97):
        with pytest.raises(DataError):
            unpacked(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], EVENTS.fields)
    with pytest.raises(DataError):
        unpacked(data[:-1], EVENTS.fields)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "either limits of numbers per event, or items"),
        ({"minimum": {"a": 1.0}, "items": LOOSE["items"]}, "either limits"),
        ({"minimum": {"a": 1.0}, "at_least": 2}, "at_least counts items"),
        ({"items": {"Muon": {}}}, "items.Muon has no limits"),
        ({"items": {"Muon": {"least": {"pt": 1.0}}}}, "least"),
        ({"minimum": {"a": float("nan")}}, "finite"),
        ({"minimum": {"a": "1"}}, "minimum"),
    ],
)
def test_conditions_that_make_no_sense(table: dict[str, Any], message: str) -> None:
    from spectrum_workflows.specs import parse

    with pytest.raises(SpecError, match=message):
        parse(HepSpec, SPEC | {"skim": {"require": {"one": table}}}, where="x", exact=True)


def test_a_condition_is_on_the_files_own_column() -> None:
    fallback = {"Muon_pt": {"column": "Muon_corrected_pt"}}
    skim = {"require": {"one": {"items": {"Muon": {"minimum": {"pt": 1.0}}}}}}
    with pytest.raises(ValueError, match=r"skim\.require\.one: Muon_pt has a fallback"):
        HepSpec.model_validate(SPEC | {"fallbacks": fallback, "skim": skim})


def test_what_is_kept_besides_decides_nothing() -> None:
    condition = {"one": {"minimum": {"MET_pt": 1.0}}}
    one = HepSpec.model_validate(SPEC | {"skim": {"require": condition}})
    more = one.changed(skim={"columns": ["Muon_mass"]})
    assert declarations.numbers(one) == declarations.numbers(more)
    other = one.changed(skim={"require": {"one": {"minimum": {"MET_pt": 2.0}}}})
    assert declarations.numbers(one) != declarations.numbers(other)
    assert {"MET_pt?", "Muon_mass?"} <= {*to_keep(more)}
