"""The byte ledger of a saved run, also of one that was saved before its words were these."""

import json

import pytest

from spectrum_workflows.record.report import _traffic
from spectrum_workflows.traffic import Flow, Traffic, read_back

KEPT = Traffic(
    (Flow("a", "b", 1_000_000, 1_100_000, 5_000_000), Flow("a", "a", 7)),
    2_000_000,
    "by subtree",
    {"a": 1},
)


def as_record(**crossing: int) -> dict:
    table = json.loads(json.dumps(KEPT.as_json))
    del table["crossing"]["unavoidable"]
    table["crossing"].update(crossing)
    return table


def test_it_comes_back_as_it_was():
    assert read_back(as_record(unavoidable=2_000_000)) == KEPT


def test_one_of_the_first_records_is_read_and_shown():
    old = as_record(minimum=2_000_000)
    assert read_back(old) == KEPT
    assert "2.0 MB unavoidable" in _traffic(old)


def test_one_without_either_is_not_made_up():
    with pytest.raises(KeyError, match="minimum"):
        read_back(as_record())
