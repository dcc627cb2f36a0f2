"""Words that corrections take, which are looked at before a run."""

import json

from spectrum_workflows.hep.corrections.accepted import accepted_words

from .declared_objects import binned, correction, formula


def category(given, default=None, **values):
    content = [{"key": key, "value": value} for key, value in values.items()]
    head = {"nodetype": "category", "input": given, "content": content}
    return head if default is None else head | {"default": default}


def file_of(*corrections, compound=()):
    content = {"schema_version": 2, "corrections": corrections}
    return json.dumps(content | {"compound_corrections": list(compound)})


WAY, YEAR = ({"name": name, "type": "string"} for name in ("way", "year"))
PT = {"name": "pt", "type": "real"}
INNER = category("way", nom=1.0, up=binned([0.0, 1.0], [2.0], of="pt"))
TREE = category("year", a=INNER, b=category("way", down=formula("x", "pt")))


def test_words_of_all_branches():
    text = file_of(correction("x", TREE, WAY, YEAR, PT), correction("y", 1.0, PT))
    assert accepted_words(text, "x") == {"way": {"nom", "up", "down"}, "year": {"a", "b"}}
    assert accepted_words(text, "y") == {}


def test_a_default_takes_every_word():
    tree = category("year", default=INNER, a=category("way", default=1.0, nom=2.0))
    assert accepted_words(file_of(correction("x", tree, WAY, YEAR)), "x") == {}


def test_words_below_bins_their_overflow_and_transforms():
    bins = binned([0.0, 1.0, 2.0], [1.0, category("way", nom=1.0)], of="pt")
    bins["flow"] = category("way", up=1.0)
    tree = {"nodetype": "transform", "input": "pt", "rule": formula("x", "pt"), "content": bins}
    text = file_of(correction("x", tree, WAY, PT))
    assert accepted_words(text, "x") == {"way": {"nom", "up"}}


def test_whole_numbers_are_words_of_their_own():
    content = [{"key": key, "value": 1.0} for key in (0, 5)]
    tree = {"nodetype": "category", "input": "flavour", "content": content}
    text = file_of(correction("x", tree, {"name": "flavour", "type": "int"}))
    assert accepted_words(text, "x") == {"flavour": {0, 5}}


def test_of_a_compound_correction_every_member_must_know_the_word():
    members = (
        correction("one", category("way", nom=1.0, up=1.0), WAY),
        correction("two", category("way", nom=1.0, down=1.0), WAY),
        correction("three", 1.0, PT),
    )
    both = {"name": "both", "inputs": [WAY, PT], "output": {"name": "w", "type": "real"}}
    both |= {"inputs_update": [], "input_op": "*", "output_op": "*"}
    text = file_of(*members, compound=[both | {"stack": ["one", "two", "three"]}])
    assert accepted_words(text, "both") == {"way": {"nom"}}


def test_a_number_that_is_rewritten_may_be_any():
    kept = [{"key": key, "value": 1.0} for key in (0, 1)]
    tree = {"nodetype": "category", "input": "flavour", "content": kept}
    rewritten = {"nodetype": "transform", "input": "flavour", "rule": formula("x-4", "flavour")}
    text = file_of(correction("x", rewritten | {"content": tree}))
    assert accepted_words(text, "x") == {}


def test_of_nodes_of_a_later_schema_nothing_is_said():
    later = {"nodetype": "switch", "input": "pt", "selections": [category("way", down=1.0)]}
    tree = category("way", nom=1.0, up=later)
    assert accepted_words(file_of(correction("x", tree, WAY, PT)), "x") == {}
