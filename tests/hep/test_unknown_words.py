"""Words that corrections do not know, which are looked for before a run."""

import json

import pytest

from spectrum_workflows.hep.corrections.unknown_words import UnknownWord, parsed, unknown_word

from .declared_objects import binned, correction, formula


def category(given, default=None, values=(), **words):
    items = {**dict(values), **words}.items()
    head = {"nodetype": "category", "input": given}
    head["content"] = [{"key": key, "value": value} for key, value in items]
    return head if default is None else head | {"default": default}


def file_of(*corrections, compound=()):
    content = {"schema_version": 2, "corrections": corrections}
    return parsed(json.dumps(content | {"compound_corrections": list(compound)}))


def unknown(tree, **fixed):
    return unknown_word(file_of(correction("x", tree)), "x", fixed)


INNER = category("way", nom=1.0, up=binned([0.0, 1.0], [2.0], of="pt"))
TREE = category("year", a=INNER, b=category("way", down=formula("x", "pt")), c=1.0)


@pytest.mark.parametrize(
    ("fixed", "expected"),
    [
        ({"year": "a", "way": "up"}, None),
        ({"year": "b", "way": "down"}, None),
        ({"year": "c", "way": "whatever"}, None),  # nobody asks for it there
        ({"way": "whatever"}, None),
        ({}, None),
        ({"year": "a", "way": "down"}, ("way", ["nom", "up"])),
        ({"year": "b", "way": "up"}, ("way", ["down"])),
        ({"year": "d", "way": "up"}, ("year", ["a", "b", "c"])),
    ],
    ids=str,
)
def test_words_are_looked_for_where_the_others_lead(fixed, expected):
    assert unknown(TREE, **fixed) == (expected and UnknownWord(expected[0], frozenset(expected[1])))


def test_a_default_takes_every_word():
    assert unknown(category("year", default=1.0, a=2.0), year="b") is None
    assert unknown(category("year", default=INNER, a=2.0), year="b", way="x").input == "way"


def test_one_bin_with_a_value_is_enough():
    some = binned([0.0, 1.0, 2.0], [1.0, category("way", up=1.0)], of="pt")
    none = binned([0.0, 1.0, 2.0], [INNER, category("way", down=1.0)], of="pt")
    assert unknown(some, way="x") is None
    assert unknown(none, way="x").keys == {"nom", "up", "down"}
    assert unknown(none | {"flow": formula("x", "pt")}, way="x") is None


def test_whole_numbers_are_words_unless_they_are_rewritten():
    tree = category("flavour", values={0: 1.0, 5: 1.0})
    assert unknown(tree, flavour=5) is None
    assert unknown(tree, flavour=4).keys == {0, 5}
    rule = {"nodetype": "transform", "input": "flavour", "rule": formula("x-4", "flavour")}
    assert unknown(rule | {"content": tree}, flavour=4) is None


def test_of_nodes_of_a_later_schema_nothing_is_said():
    later = {"nodetype": "switch", "inputs": ["pt"], "selections": []}
    assert unknown(category("way", nom=1.0, up=later), way="up") is None


def test_every_member_of_a_compound_correction_must_know_the_word():
    members = (
        correction("one", category("way", nom=1.0, up=1.0)),
        correction("two", category("way", nom=1.0, down=1.0)),
        correction("three", 1.0),
    )
    content = file_of(*members, compound=[{"name": "both", "stack": ["one", "two", "three"]}])
    assert unknown_word(content, "both", {"way": "nom"}) is None
    for way, known in (("up", {"nom", "down"}), ("down", {"nom", "up"})):
        assert unknown_word(content, "both", {"way": way}).keys == known
    assert unknown_word(content, "another", {"way": "up"}) is None


@pytest.mark.parametrize("text", ["[1]", '{"a": Inf}', '{"a": '])
def test_of_what_python_does_not_read_nothing_is_said(text):
    assert unknown_word(parsed(text), "x", {"way": "up"}) is None
