"""The outcome of a run: what it says of itself, whatever its science makes of it."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from spectrum_workflows import domain, storage
from spectrum_workflows.domain import Domain, Failure, Metrics, Plan
from spectrum_workflows.errors import DataError, OutputError
from spectrum_workflows.record import Outcome, compare, load, read_record, save
from spectrum_workflows.record.digest import digest
from spectrum_workflows.record.pictures import pictures
from spectrum_workflows.record.writing import folder_name, write
from spectrum_workflows.specs import FrozenModel
from spectrum_workflows.stages import Stage

pytestmark = pytest.mark.xdist_group("record outcome")  # what they share is made once


class Question(FrozenModel):
    workflow: str = "plain"
    name: str = "little"
    depth: int = 1


@dataclass(frozen=True)
class Answer:
    x: np.ndarray
    peak: float = 2.5
    unit: str = "Jy"


@dataclass(frozen=True)
class Part:
    where: str
    size: int


def science(**functions: Any) -> Domain:
    """A science without pictures that leaves everything to the defaults, but what is given."""
    functions = {"pictures": lambda result: iter(())} | functions
    return Domain("plain", Question, lambda *_: [], lambda *_: Plan((), 0, 0), None, **functions)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Domain]:
    """``known(**functions)``: let that science be the one that is registered."""

    def register(**functions: Any) -> Domain:
        own = science(**functions)
        monkeypatch.setattr(domain, "get", lambda name: own)
        return own

    register()
    return register


PLAN = Plan(
    (Part("a 0-60", 60), Part("a 60-100", 40)),
    1000,
    500,
    warnings=("of the plan",),
    inputs=(("s3://b/a", "version 1"),),
    code="c0de",
    data_bytes=4000,
    method="by hand",
)
X = np.array([0.0, 0.5, 1.0])


def made(x: np.ndarray = X, *, plan: Plan = PLAN, name: str = "little", **metrics: Any) -> Outcome:
    spec = Question(name=name)
    return Outcome(
        spec=spec,
        plan=plan,
        result=Answer(x),
        metrics=Metrics(cpu_seconds=2.0, bytes_read=1000, **metrics),
        digest=digest({"x": x}),
        started="2026-01-02T03:04:05+00:00",
        seconds=1.23456,
        cpu_seconds=2.0,
        workers=3,
        machine={"python": "3.12"},
        worker_machines=({"python": "3.12"},),
        expected=(Stage("read", 2, 1.0, 10, 20), Stage("cycle", 4, 2.0, 0, 30)),
    )


@pytest.fixture
def outcome(known: Callable[..., Domain]) -> Outcome:
    return made()


LOST = Failure("a 60-100", 40, "it is damaged", 3)


def test_a_whole_result_does_not_speak_of_completeness(outcome: Outcome) -> None:
    assert (outcome.fraction, outcome.completeness, outcome.summary["partial"]) == (1.0, "", False)
    assert repr(outcome) == f"<Outcome of little (plain), digest {outcome.digest[:12]}>"


def test_what_failed_is_said_everywhere(known: Callable[..., Domain]) -> None:
    outcome = made(failures=(LOST,))
    assert outcome.fraction == pytest.approx(0.6)
    assert outcome.completeness == "PARTIAL: 60.0000% of the input"
    assert outcome.completeness in repr(outcome)
    page = outcome._repr_html_()
    assert outcome.completeness in page
    assert "a 60-100: it is damaged" in page
    assert outcome.summary["failures"][0]["attempts"] == 3


def test_inputs_that_could_not_be_planned_are_a_part_of_the_whole(
    known: Callable[..., Domain],
) -> None:
    unplanned = Failure("b", 100, "not there", 1)
    outcome = made(plan=replace(PLAN, failures=(unplanned,)), failures=(LOST,))
    assert outcome.fraction == pytest.approx(60 / 200)
    assert outcome.failures == (unplanned, LOST)
    uncounted = made(plan=replace(PLAN, failures=(replace(unplanned, size=0),)))
    assert uncounted.completeness.endswith("nothing of 1 input of unknown size")


@pytest.mark.parametrize(("read", "share"), [(1000, 0.25), (6000, 1.5), (0, 0.0)])
def test_the_share_read_counts_every_pass(outcome: Outcome, read: int, share: float) -> None:
    metrics = replace(outcome.metrics, bytes_read=read)
    assert replace(outcome, metrics=metrics).share_read == share
    unknown = replace(outcome, plan=replace(PLAN, data_bytes=0), metrics=metrics)
    assert unknown.share_read == 0.0
    assert "share_of_data_read" not in unknown.summary


def test_repeated_stages_are_expected_to_take_the_same_each_time(outcome: Outcome) -> None:
    stages = tuple(Stage(name, 4, 1.5, 0, 10) for name in ("read", "cycle 1", "cycle 12", "write"))
    measured = replace(outcome, metrics=replace(outcome.metrics, stages=stages)).stages
    assert [stage["name"] for stage in measured] == ["read", "cycle 1", "cycle 12", "write"]
    expected = [stage["expected"] and stage["expected"]["memory"] for stage in measured]
    assert expected == [20, 30, 30, None]
    assert measured[0]["measured"] == {
        "tasks": 4,
        "cpu_seconds": 1.5,
        "bytes_moved": 0,
        "memory": 10,
    }


def test_warnings_are_said_once_in_the_order_they_came(known: Callable[..., Domain]) -> None:
    known(warnings=lambda result: ("of the result", "of the plan"))
    outcome = made(warnings=("of the engine", "of the plan"))
    assert outcome.warnings == ("of the plan", "of the engine", "of the result")


def broken(*_: Any) -> Any:
    raise ZeroDivisionError("a mistake\nof two lines")


def test_a_science_that_cannot_speak_of_its_result_does_not_lose_it(
    known: Callable[..., Domain],
) -> None:
    known(warnings=broken, summary=broken, plot=broken)
    outcome = made()
    assert outcome.summary["no_summary"].startswith("ZeroDivisionError: a mistake")
    assert "could not be looked at (ZeroDivisionError" in outcome.warnings[-1]
    assert outcome.digest[:16] in outcome._repr_html_()


def test_partitions_of_an_earlier_run_are_counted_where_there_are_any(outcome: Outcome) -> None:
    assert "partitions_resumed" not in outcome.summary
    resumed = replace(outcome, metrics=replace(outcome.metrics, resumed=2))
    assert resumed.summary["partitions_resumed"] == 2


def test_the_summary_is_json(outcome: Outcome) -> None:
    summary = outcome.summary
    assert json.loads(json.dumps(summary)) == summary
    assert (summary["seconds"], summary["peak"], summary["unit"]) == (1.235, 2.5, "Jy")


def test_what_a_notebook_hands_on_knows_which_run_it_is_of(outcome: Outcome) -> None:
    assert outcome.to_xarray().attrs == {
        "workflow": "plain",
        "name": "little",
        "digest": outcome.digest,
    }
    assert outcome.to_table() == [{"peak": 2.5, "unit": "Jy"}]


# Pictures


def drawing(*names: str) -> Callable[[Any], Iterator[tuple[str, Any]]]:
    def draw(_result: Any) -> Iterator[tuple[str, Any]]:
        for name in names:
            if name == "stop":
                raise ValueError("no more\nof them")
            yield name, None if name.startswith("bad") else Figure(figsize=(2, 2))

    return draw


def test_one_picture_that_fails_does_not_keep_the_others(known: Callable[..., Domain]) -> None:
    known(pictures=drawing("a.png", "bad.png", "c.png", "stop", "never.png"))
    drawn, problems = pictures(made())
    assert [*drawn] == ["a.png", "c.png"]
    assert problems[0].startswith("bad.png could not be drawn: AttributeError: ")
    assert problems[1] == "not all pictures could be drawn: ValueError: no more of them"


def test_the_picture_of_a_partial_result_says_so(known: Callable[..., Domain]) -> None:
    known(pictures=drawing("a.png"))
    plain, stamped = (
        imread(io.BytesIO(pictures(made(failures=failures))[0]["a.png"]))
        for failures in ((), (LOST,))
    )
    red = (stamped[..., 0] > 0.7) & (stamped[..., 1] < 0.6)
    assert np.all(plain == 1.0)
    assert np.count_nonzero(red) > 100


# What is written


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "run")


def test_no_two_runs_have_one_folder_and_its_name_is_safe(known: Callable[..., Domain]) -> None:
    names = {folder_name(made(name="a:b*c")) for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("a_b_c-20260102T030405-") for name in names)


def result_objects(record: Any) -> list[Any]:
    """What a run has written, without what its crate says of it."""
    return [one for one in record["objects"] if not one["name"].startswith("workflow/")]


def test_numbers_that_cannot_be_made_are_named_and_the_others_kept(
    known: Callable[..., Domain], folder: str
) -> None:
    def files(_result: Any) -> Iterator[tuple[str, bytes]]:
        yield "first.bin", b"1"
        raise DataError("no more", "x", "try again")

    known(files=files, read=lambda folder: {"x": X})
    write(made(), folder)
    record = read_record(folder)
    assert record["lost"] == ["x: no more; try again"]
    assert [entry["name"] for entry in result_objects(record)] == ["first.bin"]


def test_a_name_that_the_folder_does_not_take_is_noted(
    known: Callable[..., Domain], folder: str
) -> None:
    long = "p" * 300
    known(pictures=drawing(f"{long}.png"))
    write(made(), folder)
    note, *_ = read_record(folder)["notes"]
    assert note.startswith(f"{long}.png could not be written: ")


def test_a_place_that_is_full_is_no_matter_of_names(
    known: Callable[..., Domain], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(url: str, data: bytes) -> None:
        raise OutputError("cannot write (No space left on device)", url)

    monkeypatch.setattr(storage, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        write(made(), folder)


def test_secrets_that_errors_quote_are_not_in_the_record(
    known: Callable[..., Domain], folder: str
) -> None:
    signed = "https://h/x?X-Amz-Signature=0123456789abcdef"
    known(warnings=lambda result: (f"{signed} was slow",))
    write(made(failures=(replace(LOST, error=f"{signed} is gone"),)), folder)
    text = Path(folder, "record.json").read_text()
    assert "was slow" in text
    assert "0123456789abcdef" not in text


def test_what_comes_back_is_what_was_saved(known: Callable[..., Domain], tmp_path: Path) -> None:
    stages = (Stage("read", 2, 1.0, 10, 20), Stage("cycle 1", 4, 2.0, 0, 30))
    unplanned = Failure("b", 100, "not there", 1)
    outcome = made(
        plan=replace(PLAN, failures=(unplanned,)),
        failures=(LOST,),
        stages=stages,
        warnings=("of the engine",),
        copies=("s3://copy",),
    )
    again = load(save(outcome, str(tmp_path)))
    for name in ("digest", "started", "workers", "machine", "worker_machines", "expected"):
        assert getattr(again, name) == getattr(outcome, name), name
    assert again.plan.failures == (unplanned,)
    assert again.metrics.failures == (LOST,)
    assert again.metrics.copies == ("s3://copy",)
    assert again.metrics.warnings == ("of the engine",)
    assert again.stages == outcome.stages
    assert (again.plan.size, again.fraction) == (100, outcome.fraction)
    np.testing.assert_array_equal(again.result.x, X)
    assert again.result.unit == "Jy"


# Comparison of two that were saved


def other(**changes: Any) -> Outcome:
    return replace(made(), **changes)


@pytest.mark.parametrize(
    ("change", "verdict", "note"),
    [
        ({}, "identical", ()),
        ({"spec": Question(depth=2)}, "identical", ("the two specs differ",)),
        ({"plan": replace(PLAN, code="other")}, "identical", ("the code differs",)),
        (
            {"plan": replace(PLAN, inputs=(("s3://b/a", "version 2"),))},
            *("identical", ("the two runs read different input",)),
        ),
        ({"plan": replace(PLAN, inputs=(("https://h/a", "version 1"),))}, "identical", ()),
        ({"result": Answer(X + 1e-10)}, "equivalent", ()),
        ({"result": Answer(X + 1e-3)}, "different", ()),
        (
            {"result": Answer(X[:2])},
            *("different", ("x: shape (3,) against (2,)",)),
        ),
        ({"result": Answer(X.astype(complex))}, "different", ("only in the first: x",)),
    ],
)
def test_two_runs_are_compared(
    known: Callable[..., Domain], tmp_path: Path, change: Any, verdict: str, note: tuple[str, ...]
) -> None:
    a, b = (save(outcome, str(tmp_path)) for outcome in (made(), other(**change)))
    comparison = compare(a, b)
    assert (comparison.verdict, comparison.notes) == (verdict, note)
    assert ("x" in comparison.deviations) == (verdict in ("equivalent", "different") and not note)


def test_a_partial_run_is_named_in_a_comparison(
    known: Callable[..., Domain], tmp_path: Path
) -> None:
    a, b = save(made(), str(tmp_path)), save(made(failures=(LOST,)), str(tmp_path))
    assert compare(a, b).notes == (f"{b} is partial: it holds 60.0000% of its input",)
    assert compare(b, a).verdict == "identical"


@pytest.mark.parametrize(
    ("axes", "verdict"),
    [
        (({"unit": "Jy", "step": 1.0}, {"unit": "Jy", "step": 1.0 + 1e-14}), "equivalent"),
        (({"unit": "Jy", "step": 1.0}, {"unit": "Jy", "step": 1.0 + 1e-9}), "different"),
        (({"unit": "Jy"}, {"unit": "K"}), "different"),
        (({"unit": "Jy"}, {}), "different"),
    ],
)
def test_numbers_that_lie_elsewhere_are_other_numbers(
    known: Callable[..., Domain], tmp_path: Path, axes: tuple[dict, dict], verdict: str
) -> None:
    a, b = save(made(), str(tmp_path)), save(made(), str(tmp_path))
    by_folder = dict(zip((a, b), axes, strict=True))
    known(axes=lambda folder: by_folder[folder])
    comparison = compare(a, b)
    assert comparison.verdict == verdict
    assert " against " in comparison.notes[0]


def test_axes_that_agree_do_not_excuse_numbers_that_differ(
    known: Callable[..., Domain], tmp_path: Path
) -> None:
    a, b = save(made(), str(tmp_path)), save(made(X + 1), str(tmp_path))
    known(axes=lambda folder: {"step": 1.0 if folder == a else 1.0 + 1e-14})
    assert compare(a, b).verdict == "different"


def test_runs_of_two_sciences_are_not_compared(
    known: Callable[..., Domain], tmp_path: Path
) -> None:
    a = save(made(), str(tmp_path))
    b = save(other(spec=Question(workflow="another")), str(tmp_path))
    with pytest.raises(DataError, match="a plain run and a another run cannot be compared"):
        compare(a, b)
