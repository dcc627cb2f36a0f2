"""Normalisation by events or generator weights, and closure: is everything in the result?"""

import numpy as np
import pytest
import uproot

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import DOMAIN, completeness
from spectrum_workflows.hep.types import Events, FileRead, Filled

QUIET = {"report": lambda stage, done, total: None}


def run(spec, data, **options):
    plan = DOMAIN.plan(spec, str(data))
    return DOMAIN.run(spec, plan, client=None, **({"on_error": "raise"} | QUIET | options))[0]


@pytest.fixture(scope="module")
def genweight(ttbar_spec):
    return ttbar_spec.changed(normalisation="genweight", partition={"max_events": 1000})


def test_generator_weights_are_applied_and_divided_by_their_sum(genweight, ttbar_spec, generated):
    with uproot.open(generated / "ttbar.root") as file:
        weights = file["Events"]["genWeight"].array(library="np")
        total = file["Runs"]["genEventSumw"].array(library="np")
    assert total.tolist() == [weights.sum(dtype=float)]
    assert 0 < np.mean(weights < 0) < 0.1
    found, by_events = run(genweight, generated), run(ttbar_spec, generated)
    weight = 211.7 * 3378.0 / total[0]
    assert found.weights["ttbar"] == pytest.approx(weight, rel=1e-12)
    signed, counted = found.histograms["ttbar", "4j2b"], by_events.histograms["ttbar", "4j2b"]
    variance = signed.variances(flow=True).sum()
    assert variance == pytest.approx(weight**2 * found.counts["4j2b"], rel=1e-12)
    events = signed.sum(flow=True).value / weight
    negative = (found.counts["4j2b"] - events) / 2
    assert negative == pytest.approx(0.05 * found.counts["4j2b"], rel=0.3)
    assert found.counts == by_events.counts
    total_yield = counted.sum(flow=True).value
    assert signed.sum(flow=True).value == pytest.approx(total_yield, rel=0.05)


def test_the_sum_of_weights_does_not_depend_on_partitions(genweight, generated):
    one = run(genweight.changed(partition={"max_events": 100_000}), generated)
    assert one.weights == run(genweight, generated).weights


def test_genweight_is_refused_where_there_is_no_runs_tree(genweight, generated, tmp_path):
    with uproot.open(generated / "ttbar.root") as file:
        names = [*genweight.columns, "genWeight"]
        events = file["Events"].arrays(names, entry_stop=10, how=dict)
    with uproot.recreate(tmp_path / "ttbar.root") as file:
        file["Events"] = events
    with pytest.raises(DataError, match=r"ttbar.root: no Runs tree with genEventSumw.*\"events\""):
        DOMAIN.plan(genweight, str(tmp_path))


def test_a_selection_must_say_which_events_it_weights(genweight, generated, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def select(events, **cuts):\n    return dict.fromkeys(('4j1b', '4j2b'), events.MET_pt)\n"
    )
    changes = {
        "select": "mine.py:select",
        "folder": str(tmp_path),
        "columns": ("MET_pt",),
        "cuts": {},
    }
    with pytest.raises(SpecError, match=r"does not say which events it holds.*index="):
        run(genweight.model_copy(update=changes), str(generated))


def test_a_complete_result_says_so_and_a_lost_partition_is_listed(
    genweight, generated, tmp_path, ttbar_spec
):
    assert run(genweight, generated).missing == ()
    assert "incomplete" not in DOMAIN.summary(run(genweight, generated))
    (tmp_path / "mine.py").write_text(
        "from spectrum_workflows.hep.analyses import ttbar\n"
        "def select(events, **cuts):\n"
        "    if len(events) and events.event[0] == 2001:\n"
        "        raise ValueError('lost')\n"
        "    return ttbar.select(events, **cuts)\n"
    )
    changes = {"select": "mine.py:select", "folder": str(tmp_path)}
    columns = (*genweight.columns, "event")
    spec = genweight.model_copy(update=changes | {"columns": columns})
    found = run(spec, generated, on_error="keep")
    (said,) = found.missing
    assert said == f"ttbar: 7400 of 8400 events of {generated}/ttbar.root"
    whole = run(genweight, generated)
    share = 7400 / 8400
    assert found.weights["ttbar"] == pytest.approx(whole.weights["ttbar"] / share, rel=1e-12)


def part(start, stop):
    return Events("a", "a.root", "Events", start, stop, "uuid", 1)


def test_closure_compares_with_the_entries_of_the_files():
    key = ("a", "a.root")
    planned = [part(0, 50), part(50, 90)]
    assert completeness.missing({key: FileRead(90, 90)}, planned) == []
    [partly] = completeness.missing({key: FileRead(90, 100)}, planned)
    assert partly.words == "a: 90 of 100 events of a.root"  # the plan itself left ten out
    [wholly] = completeness.missing({}, planned)
    assert (wholly.sample, wholly.url) == key
    assert wholly.words == "a: 0 of 90 events of a.root"
    with pytest.raises(DataError, match="91 events were counted of 90"):
        completeness.missing({key: FileRead(91, 90)}, planned)


def test_what_is_left_of_a_sample_without_a_positive_sum_is_said():
    total = Filled({}, {}, {"a": 5}, {("a", "a.root"): FileRead(5, 5, -1.0)})
    [said] = completeness.not_normalised(total, ["a", "lost"])
    assert said.startswith("samples.a: the sum of generator weights of what was read is -1:")
