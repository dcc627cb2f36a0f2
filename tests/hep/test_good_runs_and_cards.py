"""Certified blocks and cards of Combine, line by line."""

import json
import re
from itertools import pairwise
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.analyses import jagged
from spectrum_workflows.hep.fit.card import allowed, card_of
from spectrum_workflows.hep.select.event_filters import any_fired, good_runs, in_good_runs

# Good runs

ranges = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6)), min_size=1, max_size=5)


@given(st.dictionaries(st.sampled_from(["1", "2", "400000"]), ranges, min_size=1))
@settings(max_examples=60)
def test_a_block_is_certified_if_any_range_holds_it(listed: dict[str, list[Any]]) -> None:
    """Whatever order they are in, and wherever they overlap."""
    blocks = {run: [(first, first + more) for first, more in own] for run, own in listed.items()}
    good = good_runs(json.dumps(blocks).encode(), where="g")
    run, block = (a.ravel() for a in np.meshgrid([1, 2, 3, 400_000], np.arange(30)))
    expected = [
        any(first <= b <= last for first, last in blocks.get(str(r), ()))
        for r, b in zip(run, block, strict=True)
    ]
    assert in_good_runs(run.astype(np.uint32), block.astype(np.uint32), good).tolist() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"a": [[1, 2]]}',
        '{"1": 5}',
        '{"1": [5]}',
        '{"1": [[1, 2, 3]]}',
        '{"1": [[1, null]]}',
        '{"1": ["17"]}',
        '{"1": [["1", "7"]]}',
        '{"1": [[1.5, 7]]}',
        '{"1": [[true, 7]]}',
        '{"1": [[-5, 7]]}',
        '{"-1": [[1, 7]]}',
        '{"1": [[1, 4294967296]]}',
        '{"1_0": [[1, 7]]}',
    ],
)
def test_what_is_no_list_of_good_runs_certifies_nothing(text: str) -> None:
    with pytest.raises(
        DataError, match=r'not a list of good runs \(.*\); it should look like \{"19'
    ):
        good_runs(text.encode(), where="good.json")


@pytest.mark.parametrize(
    ("text", "says"),
    [("{}", "is empty"), ('{"1": []}', "is empty"), ('{"1": [[7, 1]]}', "ends before it begins")],
)
def test_a_list_that_certifies_nothing_is_refused(text: str, says: str) -> None:
    with pytest.raises(DataError, match=f"{says}; download it again") as caught:
        good_runs(text.encode(), where="good.json")
    assert caught.value.where == "good.json"


def test_one_of_several_bits_is_enough_and_none_is_none() -> None:
    events = ak.Array({"a": [True, False, False], "b": np.array([0, 1, 0], np.uint8)})
    assert any_fired(events, ["a", "b"]).tolist() == [True, True, False]
    assert any_fired(events, []).tolist() == [False] * 3


# Lists for event loops


def test_lists_are_flat_with_their_offsets_whatever_was_cut_out_of_them() -> None:
    pt = ak.Array([[1.0, 2.0], [], [3.0], [4.0, 5.0]])
    events = ak.Array({"pt": pt, "q": ak.values_astype(pt, np.int8)})
    for part in (events, events[1:], events[[3, 0]]):
        offsets, flat, q = jagged.flat(part, {"pt": np.float32, "q": np.int64})
        assert (flat.dtype, q.dtype) == (np.float32, np.int64)
        assert [flat[a:b].tolist() for a, b in pairwise(offsets)] == part.pt.to_list()
        assert flat.tolist() == q.tolist()


def test_lists_of_two_collections_are_not_taken_together() -> None:
    events = ak.zip({"a": ak.Array([[1.0], []]), "b": ak.Array([[], [1.0]])}, depth_limit=1)
    with pytest.raises(DataError, match="lists of a and b differ in length; copy the file again"):
        jagged.flat(events, {"a": np.float64, "b": np.float64})


# Cards

names = st.lists(st.text("aA1_~ é-/", min_size=1, max_size=5), max_size=6, unique=True)


@given(names)
@settings(max_examples=100)
def test_names_are_those_that_combine_takes_and_all_different(names: list[str]) -> None:
    made = allowed(names, "ch_")
    assert len({*made}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) for name in made)


def sample(name: str, data: list[float], *modifiers: tuple[str, str, Any]) -> dict[str, Any]:
    described = [{"name": n, "type": kind, "data": values} for n, kind, values in modifiers]
    return {"name": name, "data": data, "modifiers": described}


SIGNAL = ("mu", "normfactor", None)
NOTHING = {"hi_data": [1.0, 2.0], "lo_data": [1.0, -1.0]}


def workspace(*channels: tuple[str, list[Any]], parameters: list[Any] | None = None) -> Any:
    return {
        "channels": [{"name": name, "samples": samples} for name, samples in channels],
        "observations": [{"name": name, "data": [9.0, 4.0]} for name, _ in channels],
        "measurements": [{"config": {"poi": "mu", "parameters": parameters or []}}],
    }


def rows(text: str) -> dict[str, list[str]]:
    """Lines of a card by their first word; of several the last."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def test_a_card_says_what_the_workspace_does() -> None:
    shape = {"hi_data": [4.0, 1.0], "lo_data": [2.0, 3.0]}
    top = sample(
        *("top", [3.0, 2.0]),
        ("lumi", "lumi", None),
        ("jes", "histosys", shape),
        ("jes", "normsys", {"hi": 1.1, "lo": 0.9}),
        ("k", "normfactor", None),
        ("s", "staterror", [0.5, 0.6]),
    )
    new = sample("1new", [1.0, 2.0], SIGNAL, ("lumi", "lumi", None))
    parameters = [
        {"name": "lumi", "sigmas": [0.02], "fixed": True},
        {"name": "mu", "bounds": [[-5.0, 5.0]]},
        {"name": "k", "bounds": [[0.0, 3.0]], "inits": [1.5]},
    ]
    card = card_of(workspace(("4j 2b", [new, top]), parameters=parameters))
    lines = rows(card.text)
    assert "# r is mu, fitted from -5 to 5: --rMin -5 --rMax 5" in card.text
    assert (lines["imax"][0], lines["jmax"][0]) == ("1", "1")
    assert lines["process"] == ["0", "1"]
    assert lines["bin"] == ["4j_2b".replace("4", "ch_4", 1)] * 2
    assert lines["lumi"] == ["lnN", "0.98/1.02", "0.98/1.02"]
    assert lines["jes"] == ["shape", "-", "1"]
    assert lines["k"] == ["rateParam", "ch_4j_2b", "top", "1.5", "[0,3]"]
    assert lines["ch_4j_2b"] == ["autoMCStats", "0", "1"]
    assert lines["nuisance"] == ["edit", "freeze", "lumi"]
    assert card.channels == {"ch_4j_2b": "4j 2b"}
    up, down = (card.histograms[f"ch_4j_2b/top_jes{side}"].values for side in ("Up", "Down"))
    np.testing.assert_allclose(up, 1.1 * np.array(shape["hi_data"]))
    np.testing.assert_allclose(down, 0.9 * np.array(shape["lo_data"]))
    np.testing.assert_allclose(card.histograms["ch_4j_2b/top"].errors, [0.5, 0.6])
    np.testing.assert_allclose(card.histograms["ch_4j_2b/data_obs"].errors, [3.0, 2.0])


def test_a_yield_whose_two_sides_are_inverse_is_one_number() -> None:
    inverse = ("xs", "normsys", {"hi": 1.25, "lo": 0.8})
    card = card_of(workspace(("r", [sample("s", [1.0, 1.0], SIGNAL, inverse)])))
    assert rows(card.text)["xs"] == ["lnN", "1.25"]


def test_a_sample_without_events_is_left_out_and_said() -> None:
    empty = sample("none", [0.0, 0.0])
    card = card_of(workspace(("r", [sample("s", [1.0, 1.0], SIGNAL), empty])))
    assert "# none has no events in r and is not there" in card.text
    assert "r/none" not in card.histograms


def test_names_that_combine_has_a_meaning_for_are_written_otherwise() -> None:
    effects = [(n, "normsys", {"hi": 1.1, "lo": 0.9}) for n in ("r", "MH", "prop_binr_bin0")]
    signal = sample("data_obs", [1.0, 1.0], SIGNAL, *effects, ("r 2", "normfactor", None))
    card = card_of(workspace(("a", [signal, sample("R", [1.0, 1.0])])))
    lines = rows(card.text)
    assert {"theta_r", "theta_MH", "theta_prop_binr_bin0"} <= {*lines}
    assert not {"r", "MH", "prop_binr_bin0"} & {*lines}
    assert lines["r_2"][:3] == ["rateParam", "a", "p_data_obs"]
    assert card.histograms["a/data_obs"].values.tolist() == [9.0, 4.0]
    assert card.histograms["a/p_data_obs"].values.tolist() == [1.0, 1.0]


def test_two_templates_of_one_name_are_refused() -> None:
    shape = {"hi_data": [4.0, 1.0], "lo_data": [2.0, 3.0]}
    samples = [
        sample("tt", [1.0, 1.0], SIGNAL, ("had_scale", "histosys", shape)),
        sample("tt_had", [1.0, 1.0], ("scale", "histosys", shape)),
    ]
    with pytest.raises(DataError, match="two histograms would be called a/tt_had_scaleUp; rename"):
        card_of(workspace(("a", samples)))
    with pytest.raises(DataError, match="two histograms would be called a/tt_had_scaleUp"):
        card_of(workspace(("a", [samples[0], sample("tt_had_scaleUp", [1.0, 1.0])])))


@pytest.mark.parametrize(
    ("channels", "says"),
    [
        ([("r", [sample("s", [1.0, 1.0])])], "no sample with events has the parameter of interest"),
        ([("r", [sample("s", [0.0, 0.0], SIGNAL)])], "no sample with events"),
        (
            [("r", [sample("s", [1.0, 1.0], SIGNAL)]), ("q", [sample("s", [1.0, 1.0])])],
            "s is a signal in other channels, and not in q; give it another name there",
        ),
        (
            [("r", [sample("s", [1.0, 1.0], SIGNAL, ("u", "shapesys", [1.0, 1.0]))])],
            "no line for an uncertainty of single bins of a sample alone; export HistFactory's XML",
        ),
        (
            [("r", [sample("s", [1.0, 1.0], SIGNAL, ("u", "odd", None))])],
            "no line for a modifier of type odd",
        ),
        (
            [("r", [sample("s", [1.0, 1.0], SIGNAL, ("u", "normsys", {"hi": 1.5, "lo": 0.0}))])],
            "u down leaves nothing of s in r, and a card has no factor of 0 or below; limit",
        ),
        (
            [("r", [sample("s", [1.0, 1.0], SIGNAL, ("u", "normsys", {"hi": -1.0, "lo": 2.0}))])],
            "u up leaves nothing",
        ),
        (
            [("r", [sample("s", [1.0, 1.0], SIGNAL, ("u", "histosys", NOTHING))])],
            "u down leaves nothing",
        ),
        ([("r", [{"name": "s"}])], "not a workspace"),
        ([("r", [sample("s", [1.0, 1.0], ("l", "lumi", None))])], "not a workspace"),
    ],
)
def test_what_no_card_can_say_is_refused_with_its_place(channels: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        card_of(workspace(*channels))
