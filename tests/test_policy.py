"""Policy: rules of a site and of its data are kept, or nothing is queued and every one is named."""

import json
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spectrum_workflows import catalogue, domain, front, load_site, load_spec, sites
from spectrum_workflows.budget import Amount, as_table, from_table, with_facts, words
from spectrum_workflows.checking import check, hold_policy
from spectrum_workflows.cli.commands import app
from spectrum_workflows.domain import Domain, Plan, Volume
from spectrum_workflows.errors import DataNotFoundError, PolicyError, SpecError
from spectrum_workflows.hep.synthetic import write_sample
from spectrum_workflows.pilot import pilot
from spectrum_workflows.policy import (
    before_planning,
    budget_of,
    data_rules,
    experience,
    forecasting,
    hold_copy,
)
from spectrum_workflows.policy.gate import of_budget
from spectrum_workflows.policy.hosts import Host
from spectrum_workflows.policy.place_rules import is_below, of_credentials
from spectrum_workflows.record import read_record
from spectrum_workflows.record.report import report
from spectrum_workflows.sites import Place, Site
from spectrum_workflows.specs import FrozenModel, parse
from spectrum_workflows.stages import Forecast
from spectrum_workflows.unattended import submit

pytestmark = pytest.mark.xdist_group("policy")  # what they share is made once

ENTRY = {
    "title": "a set",
    "files": [{"name": "set.root"}],
    "licence": "CC0-1.0",
    "citation": "nobody",
    "source": "https://example.org",
}
NEVER = "policy should have refused this run"


class Question(FrozenModel):
    workflow: str = "plain"
    name: str = "planted"
    code: str = ""
    data_set: str = "catalogue:set"
    missing: bool = False


@dataclass(frozen=True)
class Piece:
    where: str
    size: int


PLAN = Plan(
    (Piece("a 0-60", 60), Piece("a 60-100", 40)),
    bytes_to_read=3_000_000,
    largest_memory=500,
    code="c0de",
    stages=(Forecast("sum", 2, (("add", 7200.0),), 0, 100),),
    read=Volume(3_000_000, 4_000_000, "the files' own structure"),
    written=Volume(20_000, 30_000, "the images' sizes"),
    repeats=0,
)
"""Two CPU-hours by the costs of its science."""


def planned(spec: Question, _data: str, **_: Any) -> Plan:
    if spec.missing:
        raise DataNotFoundError("no such file", "set.root", "fetch it")
    return PLAN


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError(NEVER)


def inputs_of(_spec: Question, data: str) -> list[str]:
    return [f"{data}/set.root"]


def science(
    *, linear: bool = False, inputs: Callable[..., list[str]] = inputs_of
) -> Domain[Any, Any]:
    return Domain(
        "plain",
        Question,
        inputs,
        planned,
        never,
        user_code=lambda spec: spec.code,
        references=lambda spec: [spec.data_set],
        linear=linear,
        costs={"add": 1.0},
    )


SCIENCE = science()


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No run of another test is remembered, and no credential of this machine counts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in ("BEARER_TOKEN", "BEARER_TOKEN_FILE", "X509_USER_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def planted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[Question, Place]]:
    """``planted(spec, entry, **policy)``: a run of a science whose ``run`` must not be called."""

    def plant(
        spec: dict[str, Any] | None = None,
        entry: dict[str, Any] | None = None,
        results: str = "",
        **policy: Any,
    ) -> tuple[Question, Place]:
        monkeypatch.setattr(domain, "get", lambda name: SCIENCE)
        own = catalogue.CatalogueEntry.model_validate(ENTRY | (entry or {}))
        monkeypatch.setattr(catalogue, "every_entry", lambda data="": (("set", own),))
        monkeypatch.setattr(catalogue, "entry", lambda name, data="": own)
        power = {"watts_per_core": 10.0, "watts_source": "a meter"}
        table: dict[str, Any] = {"data": str(tmp_path), "energy": power}
        table["results"] = results or str(tmp_path / "results")
        if policy:
            table["policy"] = {"stated_by": "centre.toml", **policy}
        site = parse(Site, table, where="test")
        return Question(**(spec or {})), Place(site, site.data, site.results)

    return plant


VIOLATIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "core_hours": ({"core_hours": 1.5}, "2 core h planned, up to 8.01 core h", "1.5 core h"),
    "walltime": ({"walltime": "30 minutes"}, "2 h 1 min planned, up to 8 h 1 min", "30 min"),
    "bytes_read": ({"bytes_read": "2 MB"}, "3.00 MB planned, up to 4.00 MB", "2.00 MB"),
    "bytes_out": ({"bytes_out": "10 kB"}, "20.00 kB planned, up to 30.00 kB", "10.00 kB"),
    "energy_kwh": ({"energy_kwh": 0.01}, "0.02 kWh planned, up to 0.1", "0.01 kWh"),
    "places": ({"places": ["s3://centre/"]}, "results would go to /", "s3://centre/"),
    "user_code": (
        {"spec": {"code": "own.py"}, "user_code": False},
        "it names code that is not part of this package (own.py)",
        "code of the package only",
    ),
    "licences": ({"licences": ["CC-BY-4.0"]}, "the licence of set is: CC0-1.0", "CC-BY-4.0"),
    "access": (
        {"entry": {"access": "members"}, "access": ["friends"]},
        "set is for members, and this site states access friends",
        "members",
    ),
    "embargo": (
        {"entry": {"embargo": date(2999, 1, 2)}},
        "set is under embargo for",
        "from 2999-01-02 on",
    ),
    "residency": (
        {"entry": {"residency": ["de", "nl"]}, "known_as": ["centre", "FR"]},
        "set would be processed at this site, which is known as centre, fr",
        "de, nl",
    ),
}
"""By rule: the policy (and spec, and catalogue entry) that plants it, and what is said of it."""


@pytest.mark.parametrize("rule", VIOLATIONS)
def test_a_planted_violation_is_named_with_figure_limit_and_remedy(
    rule: str, planted: Callable[..., tuple[Question, Place]]
) -> None:
    policy, figure, allowed = VIOLATIONS[rule]
    spec, place = planted(**policy)
    with pytest.raises(PolicyError) as refused:
        hold_policy(spec, place)
    [line] = refused.value.lines
    [violation] = refused.value.violations
    assert violation.rule == rule
    assert figure in violation.figure
    assert violation.allowed == allowed
    assert violation.remedy
    of_data = rule in {"access", "embargo", "residency"}
    assert violation.stated_by == ("catalogue entry set" if of_data else "centre.toml")
    assert line == f"planted: {violation}"
    assert "\n" not in line


@pytest.mark.parametrize("rule", VIOLATIONS)
def test_nothing_is_computed_queued_or_written(
    rule: str,
    planted: Callable[..., tuple[Question, Place]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The library's `run`, and `submit`; the science's own ``run`` fails if it is called."""
    spec, place = planted(**VIOLATIONS[rule][0])
    for name in ("new_folder", "submit_job", "write_request"):
        monkeypatch.setattr(f"spectrum_workflows.unattended.submitting.{name}", never)
    monkeypatch.setattr("spectrum_workflows.unattended.submitting.run_name", lambda *_: "planted")
    for act in (lambda: front.run(spec, place, watch=False), lambda: submit(spec, place)):
        with pytest.raises(PolicyError, match=rule):
            act()
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("rule", VIOLATIONS)
def test_what_is_allowed_passes(
    rule: str, planted: Callable[..., tuple[Question, Place]], tmp_path: Path
) -> None:
    """The same rules, kept."""
    kept: dict[str, dict[str, Any]] = {
        "core_hours": {"core_hours": 8.1},
        "walltime": {"walltime": 8.1 * 3600},
        "bytes_read": {"bytes_read": 4_000_000},
        "bytes_out": {"bytes_out": "30 kB"},
        "energy_kwh": {"energy_kwh": 0.11},
        "places": {"places": [str(tmp_path)]},
        "user_code": {"user_code": False},
        "licences": {"licences": ["cc0-1.0"]},
        "access": {"entry": {"access": "members"}, "access": ["Members"]},
        "embargo": {"entry": {"embargo": datetime.now(UTC).date()}},
        "residency": {"entry": {"residency": ["de", "nl"]}, "known_as": ["DE"]},
    }
    spec, place = planted(**kept[rule])
    hold_policy(spec, place)
    assert check(spec, place).violations == ()


def test_all_are_listed_at_once(planted: Callable[..., tuple[Question, Place]]) -> None:
    policies: dict[str, Any] = {}
    for policy, _, _ in VIOLATIONS.values():
        policies |= {k: v for k, v in policy.items() if k not in ("spec", "entry", "user_code")}
    entry = {"access": "members", "embargo": date(2999, 1, 2), "residency": ["de"]}
    spec, place = planted(entry=entry, **policies)
    violations = check(spec, place).violations
    assert {one.rule for one in violations} == {*VIOLATIONS} - {"user_code"}
    with pytest.raises(PolicyError) as refused:
        hold_policy(spec, place)
    assert len(str(refused.value).splitlines()) == len(violations)


def test_code_that_may_not_run_is_not_loaded_for_a_plan(
    planted: Callable[..., tuple[Question, Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, place = planted({"code": "own.py"}, {"access": "members"}, user_code=False, core_hours=1)
    monkeypatch.setattr(f"{__name__}.PLAN", None)
    with pytest.raises(PolicyError) as refused:
        check(spec.changed(missing=True), place)
    assert [one.rule for one in refused.value.violations] == ["user_code", "access"]


def test_a_rule_is_said_before_a_missing_file(
    planted: Callable[..., tuple[Question, Place]],
) -> None:
    spec, place = planted({"missing": True}, {"embargo": date(2999, 1, 1)})
    for act in (check, hold_policy):
        with pytest.raises(PolicyError, match="embargo") as refused:
            act(spec, place)
        assert isinstance(refused.value.__cause__, DataNotFoundError)
    with pytest.raises(DataNotFoundError):
        check(*planted({"missing": True}))


def test_without_rules_nothing_is_planned_twice(
    planted: Callable[..., tuple[Question, Place]],
) -> None:
    spec, place = planted({"missing": True})
    hold_policy(spec, place)  # would raise if it planned


@pytest.mark.parametrize("quantity", ["core_hours", "walltime", "bytes_read", "bytes_out"])
def test_what_cannot_be_foretold_is_refused_with_the_reason(
    quantity: str, planted: Callable[..., tuple[Question, Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = replace(PLAN, stages=(), read=None, written=None, repeats=None)
    monkeypatch.setattr(f"{__name__}.PLAN", unknown)
    spec, place = planted(**{quantity: 10**12})
    [violation] = check(spec, place).violations
    assert violation.rule == quantity
    assert "cannot be foretold (no run of this question has been seen" in violation.figure
    assert "spectrum calibrate" in violation.remedy


def test_a_bound_is_held_against_a_limit_where_nothing_better_is_known(
    planted: Callable[..., tuple[Question, Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cycle = Forecast("major cycle", 2, (("add", 360.0),), 0, 100)
    repeated = replace(PLAN, stages=(*PLAN.stages, cycle), repeats=10)
    monkeypatch.setattr(f"{__name__}.PLAN", repeated)
    spec, place = planted(core_hours=5)
    [violation] = check(spec, place).violations
    assert violation.figure == "up to 12 core h (costs of kinds of work, 10 cycles at most)"


# Experience


SEEN = experience.Experience(100, 2, 3600.0, 36.0, 4000.0, 0, 2_000_000, 15_000)


def test_an_earlier_run_is_what_is_foretold_from(
    planted: Callable[..., tuple[Question, Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = replace(PLAN, stages=(), read=None, written=None, repeats=None)
    monkeypatch.setattr(f"{__name__}.PLAN", unknown)
    spec, place = planted()
    experience.remember(experience.key(spec, PLAN, SCIENCE), "serial", SEEN)
    budget = {one.quantity: one for one in budget_of(spec, PLAN, place, ())}
    assert budget["core_hours"].planned == pytest.approx(1.01)
    assert budget["core_hours"].at_most == pytest.approx(1.25 * 1.01)
    assert budget["walltime"].planned == pytest.approx(4000)
    plain = {one.quantity: one for one in budget_of(spec, unknown, place, ())}
    assert (plain["bytes_read"].planned, plain["bytes_out"].planned) == (2_000_000, 15_000)
    assert "a run of 100 entries on 20" in budget["core_hours"].basis
    other = {one.quantity: one for one in budget_of(spec.changed(code="x"), PLAN, place, ())}
    assert other["core_hours"].planned is None  # another question


def test_costs_that_were_measured_here_are_trusted_more(
    planted: Callable[..., tuple[Question, Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, place = planted()
    stages = (PLAN.stages[0].on({"add": 1.0}),)
    bounds = []
    for costs in ({}, {"add": 1.0}):
        monkeypatch.setattr(forecasting, "costs_of", lambda name, costs=costs: costs)
        bounds.append(budget_of(spec, PLAN, place, stages)[0].at_most)
    assert bounds == pytest.approx([8 + 20 / 3600, 4 + 20 / 3600])


def test_a_part_stands_for_the_whole_where_cost_follows_entries(
    planted: Callable[..., tuple[Question, Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, place = planted()
    whole = replace(PLAN, partitions=tuple(Piece(f"{k}", 50) for k in range(8)), stages=())
    experience.remember(experience.key(spec, whole, SCIENCE), "slurm", SEEN)
    assert budget_of(spec, whole, place, ())[0].planned is None
    monkeypatch.setattr(domain, "get", lambda name: science(linear=True))
    [core, wall, *_] = budget_of(spec, whole, place, ())
    assert core.planned == pytest.approx(4 + 0.01)
    assert wall.planned == pytest.approx(400 + 4 * 3600)


def test_what_tasks_waited_for_grows_with_the_entries(
    planted: Callable[..., tuple[Question, Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, place = planted()
    whole = replace(PLAN, partitions=tuple(Piece(f"{k}", 50) for k in range(8)), stages=())
    waited = replace(SEEN, seconds=7600.0, task_wall_seconds=7200.0)
    monkeypatch.setattr(domain, "get", lambda name: science(linear=True))
    for seen, planned in ((waited, 400 + 4 * 7200), (replace(SEEN, task_wall_seconds=9.0), 14_800)):
        experience.remember(experience.key(spec, whole, SCIENCE), "serial", seen)
        [core, wall, *_] = budget_of(spec, whole, place, ())
        assert core.planned == pytest.approx(4 + 0.01)  # nobody computes while it waits
        assert wall.planned == pytest.approx(planned)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1, "of": {"a": 3}}', '{"format": 9}', ""])
def test_a_damaged_memory_is_as_good_as_none(text: str) -> None:
    experience.experience_file().parent.mkdir(parents=True)
    experience.experience_file().write_text(text)
    assert experience.recall("a", "serial") is None
    experience.remember("a", "serial", SEEN)
    kept = experience.recall("a", "serial")
    assert kept is not None
    assert replace(kept, at=0.0) == SEEN


def test_what_is_remembered_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "MOST", 3)
    for n in range(5):
        experience.remember(str(n), "serial", SEEN)
    assert [n for n in range(5) if experience.recall(str(n), "serial")] == [2, 3, 4]


def test_a_memory_that_cannot_be_written_ends_no_run(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    experience.remember("a", "serial", SEEN)
    assert experience.recall("a", "serial") is None


# Places, credentials, dates


@pytest.mark.parametrize(
    ("url", "prefix", "below"),
    [
        ("s3://centre/results", "s3://centre", True),
        ("s3://centre/results", "s3://centre/", True),
        ("S3://Centre/results", "s3://centre/", True),
        ("s3://centre2/results", "s3://centre", False),
        ("s3://centre/own/../other", "s3://centre/own", False),
        ("https://a.example.org/x", "https://a.example.org:8443/x", False),
        ("https://h/a/%2e%2e/b", "https://h/a", False),
        ("https://h/a%2F..%2Fb", "https://h/a", False),
        ("https://h/%61/b", "https://h/a", True),
        ("/data/own", "/data", True),
        ("/data2", "/data", False),
        ("/data/own/../../etc", "/data", False),
        ("file:///data/own", "/data", True),
        ("root://host//data/own", "root://host//data", True),
    ],
)
def test_below_a_prefix(url: str, prefix: str, *, below: bool) -> None:
    assert is_below(url, prefix) is below


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "link").symlink_to(tmp_path)
    assert not is_below(str(tmp_path / "allowed" / "link" / "x"), str(tmp_path / "allowed"))


def test_messages_go_to_allowed_places_only(
    planted: Callable[..., tuple[Question, Place]], tmp_path: Path
) -> None:
    spec, place = planted(places=[str(tmp_path), "https://hook.example.org"])
    assert before_planning(spec, place, notify="https://hook.example.org/x") == ()
    assert before_planning(spec, place, notify="mail me") == ()
    [violation] = before_planning(spec, place, notify="https://other.example.org/x")
    assert "the message at the end would go to https://other.example.org/x" in violation.figure


def test_a_site_is_named_by_what_it_is_known_as(
    planted: Callable[..., tuple[Question, Place]],
) -> None:
    assert before_planning(*planted(places=["centre"], known_as=["Centre", "de"])) == ()
    [violation] = before_planning(*planted(places=["centre"]))
    assert "at a site, which is known as nothing" in violation.figure


def token(tmp_path: Path, left: timedelta | None) -> Path:
    import base64

    claims = {} if left is None else {"exp": (datetime.now(UTC) + left).timestamp()}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    file = tmp_path / "token"
    file.write_text(f"eyJhbGciOiJub25lIn0.{body}.x")
    return file


@pytest.mark.parametrize(
    ("left", "figure"),
    [
        (timedelta(hours=3), "ends in 3 h, and the run may take 8 h 1 min"),
        (timedelta(hours=8.2), "and the run may take 8 h 1 min"),
        (timedelta(hours=-1), "has expired"),
        (timedelta(hours=10), ""),
        (None, ""),
    ],
)
def test_credentials_must_outlive_the_run(
    left: timedelta | None,
    figure: str,
    planted: Callable[..., tuple[Question, Place]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("BEARER_TOKEN_FILE", str(token(tmp_path, left)))
    spec, place = planted(results="root://host//results", credentials_margin="30 minutes")
    violations = check(spec, place).violations
    assert [figure in one.figure for one in violations] == ([True] if figure else [])
    assert all(one.rule == "credentials_margin" for one in violations)
    assert "eyJ" not in "".join(map(str, violations))


def test_credentials_of_a_run_of_unknown_length(
    planted: Callable[..., tuple[Question, Place]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The limit counts; without one nobody can say that they last."""
    monkeypatch.setenv("BEARER_TOKEN_FILE", str(token(tmp_path, timedelta(hours=3))))
    _, place = planted(results="root://host//results", credentials_margin=0)
    [violation] = of_credentials(place, Amount("walltime", "s"))
    assert "nobody knows when the run does" in violation.figure
    assert list(of_credentials(place, Amount("walltime", "s", allowed=3600.0))) == []
    monkeypatch.setenv("BEARER_TOKEN_FILE", str(tmp_path / "none"))
    [violation] = of_credentials(place, Amount("walltime", "s", at_most=1.0))
    assert "No such file" in violation.figure


def test_an_embargo_ends_on_its_day() -> None:
    entry = catalogue.CatalogueEntry.model_validate(ENTRY | {"embargo": date(2027, 3, 1)})
    for day, left in ((date(2027, 2, 27), "2 more days"), (date(2027, 2, 28), "1 more day")):
        [violation] = data_rules.of_entries((("set", entry),), [Host("", ())], today=day)
        assert violation.figure.endswith(left)
    assert data_rules.of_entries((("set", entry),), [Host("", ())], today=date(2027, 3, 1)) == ()


def test_a_file_of_an_entry_is_bound_by_it_under_its_own_name(
    planted: Callable[..., tuple[Question, Place]],
) -> None:
    """A spec that names the file, not the entry, does not get around its rules."""
    spec, place = planted({"data_set": "set.root"}, {"access": "members"})
    assert [one.rule for one in before_planning(spec, place)] == ["access"]
    assert before_planning(*planted({"data_set": "set.root"})) == ()


def test_a_file_that_only_the_plan_finds_is_bound_too(
    planted: Callable[..., tuple[Question, Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a pattern, or below a data root whose catalogue was not asked before."""
    spec, place = planted({"data_set": "*.root"}, {"embargo": date(2999, 1, 1)})
    monkeypatch.setattr(domain, "get", lambda name: science(inputs=lambda *_: ["s3://b/*.root"]))
    assert before_planning(spec, place) == ()
    found = replace(PLAN, inputs=(("s3://b/set.root", "its identity"),))
    monkeypatch.setattr(f"{__name__}.PLAN", found)
    assert [one.rule for one in check(spec, place).violations] == ["embargo"]


def test_a_licence_binds_a_file_under_its_own_name(
    planted: Callable[..., tuple[Question, Place]],
) -> None:
    """As it binds the entry: no other rule need be stated there."""
    for name in ("catalogue:set", "set.root"):
        spec, place = planted({"data_set": name}, licences=["CC-BY-4.0"])
        assert [one.rule for one in before_planning(spec, place)] == ["licences"]


def write_catalogue(folder: Path, entries: dict[str, dict[str, Any]]) -> None:
    """A data root with a ``catalogue.toml``; of each entry its files and one rule."""
    folder.mkdir(exist_ok=True)
    lines = []
    for name, table in entries.items():
        lines += [f"[entries.{name}]"]
        lines += [
            f"{key} = {json.dumps(value)}"
            for key, value in (ENTRY | table).items()
            if key != "files"
        ]
        lines += ["files = [" + ", ".join(f'{{name = "{file}"}}' for file in table["files"]) + "]"]
    (folder / "catalogue.toml").write_text("\n".join(lines) + "\n")


def test_every_entry_that_has_a_file_of_a_name_binds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain, "get", lambda name: SCIENCE)
    rules = {"one": {"access": "members"}, "two": {"access": "friends"}, "three": {}}
    files = {"one": ["set.ms"], "two": ["set.zarr"], "three": ["other.root"]}
    write_catalogue(tmp_path, {name: own | {"files": files[name]} for name, own in rules.items()})
    bound = data_rules.entries_of(Question(data_set="set.root"), str(tmp_path))
    assert [name for name, _ in bound] == ["one", "two"]


def federated(tmp_path: Path, members: dict[str, str], text: str = "") -> Site:
    """A federation of sites of this machine, each with a data root of its own."""
    for name, own in members.items():
        roots = f'data = "{tmp_path / name}"\nresults = "{tmp_path}/r"\n'
        (tmp_path / f"{name}.toml").write_text(roots + own)
    sites = "".join(f'{name} = "{name}.toml"\n' for name in members)
    file = tmp_path / "together.toml"
    file.write_text(f'results = "{tmp_path}/r"\n{text}[federation.sites]\n{sites}')
    return load_site(file)


def test_the_catalogues_of_all_sites_bind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an entry's name and by its files' names; the stricter of two entries of a name holds."""
    monkeypatch.setattr(domain, "get", lambda name: SCIENCE)
    site = federated(tmp_path, {"north": "", "south": ""})
    write_catalogue(tmp_path / "north", {"set": {"files": ["set.root"]}})
    south = {"set": {"files": ["set.root"], "access": "members"}}
    write_catalogue(tmp_path / "south", south)
    place = Place(site, site.data, site.results)
    for name in ("catalogue:set", "set.root"):
        violations = before_planning(Question(data_set=name), place)
        assert [one.rule for one in violations] == ["access", "access"]  # at either site
    alone = replace(place, data=str(tmp_path / "north"), site=load_site(tmp_path / "north.toml"))
    assert before_planning(Question(), alone) == ()


def test_the_catalogue_of_a_remote_root_is_read_before_anything_is_queued(
    planted: Callable[..., tuple[Question, Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no limit asks for a plan, and where a pilot would compute."""
    spec, place = planted({"data_set": "set.root"}, {"access": "members"})
    own = catalogue.every_entry()
    monkeypatch.setattr(catalogue, "every_entry", lambda data="": own if data else ())
    remote = replace(place, data="s3://bucket")
    found = replace(PLAN, inputs=(("s3://bucket/set.root", "its identity"),))
    monkeypatch.setattr(f"{__name__}.PLAN", found)
    assert before_planning(spec, remote) == ()
    for act in (hold_policy, pilot):
        with pytest.raises(PolicyError, match="access"):
            act(spec, remote)


class Connected(Place):
    """The first worker of several has come."""

    workers = 1


def test_a_run_is_held_to_what_it_passed_before_its_workers_came(
    planted: Callable[..., tuple[Question, Place]], tmp_path: Path
) -> None:
    """The bound of its time is not higher while one worker is there of those asked for."""
    spec, _ = planted()
    site = load_site(profile(tmp_path, "", cluster="slurm"), changes={"workers.count": 2})
    stages = (PLAN.stages[0].on({"add": 1.0}),)
    places = [kind(site, site.data, site.results) for kind in (Place, Connected)]
    walls = [budget_of(spec, PLAN, place, stages)[1].at_most for place in places]
    assert walls[0] == walls[1] == pytest.approx(4 * 3600 + 20)
    text = '[cluster]\nkind = "local"\noptions = {threads_per_worker = 4}\n[workers]\ncount = 3\n'
    both = federated(tmp_path, {"north": text, "south": text})
    together = [kind(both, both.data, both.results) for kind in (Place, Connected)]
    assert [*map(forecasting.workers_of, together)] == [6, 6]


def test_energy_of_a_federation_is_bound_by_the_site_that_takes_most(
    planted: Callable[..., tuple[Question, Place]], tmp_path: Path
) -> None:
    spec, _ = planted()
    power = '[energy]\nwatts_per_core = {}\nwatts_source = "a meter"\npue = {}\n'
    members = {
        "north": "workers.count = 3\n" + power.format(10, 1.0),
        "south": "workers.count = 1\n" + power.format(90, 1.5),
    }
    site = federated(tmp_path, members)
    energy = budget_of(spec, PLAN, Place(site, site.data, site.results), STAGES)[-1]
    core = budget_of(spec, PLAN, Place(site, site.data, site.results), STAGES)[0]
    assert (energy.planned, energy.at_most) == pytest.approx(
        (core.planned * (3 * 10 + 90 * 1.5) / 4 / 1000, core.at_most * 90 * 1.25 * 1.5 / 1000)
    )
    stated = federated(tmp_path, members, power.format(20, 1.0))  # of all of them
    energy = budget_of(spec, PLAN, Place(stated, stated.data, stated.results), STAGES)[-1]
    assert energy.at_most == pytest.approx(core.at_most * 20 * 1.25 / 1000)


STAGES = (PLAN.stages[0].on({"add": 1.0}),)


def test_energy_of_processors_that_nobody_knows_is_refused(
    planted: Callable[..., tuple[Question, Place]], tmp_path: Path
) -> None:
    """A default has no memory of a node in it: what it takes may be more."""
    spec, place = planted()
    site = load_site(profile(tmp_path, "[policy]\nenergy_kwh = 100\n", cluster="slurm"))
    [violation] = check(spec, replace(place, site=site)).violations
    assert violation.rule == "energy_kwh"
    assert "cannot be foretold (the processors that compute are not known" in violation.figure
    assert "watts_per_core" in violation.remedy
    both = federated(tmp_path, {"centre": "", "north": ""}, "[policy]\nenergy_kwh = 100\n")
    assert check(spec, replace(place, site=both)).violations == ()  # this machine


def test_credentials_of_inputs_and_of_every_site_count(
    planted: Callable[..., tuple[Question, Place]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    file = token(tmp_path, timedelta(hours=3))
    wall = Amount("walltime", "s", at_most=4 * 3600.0)
    _, place = planted(credentials_margin=0)
    monkeypatch.setenv("BEARER_TOKEN_FILE", str(file))
    assert list(of_credentials(place, wall, ["/data/a.root"])) == []
    for url in ("root://host//a.root", "davs://host/a.root"):
        [violation] = of_credentials(place, wall, [url])
        assert "ends in 3 h" in violation.figure
    monkeypatch.delenv("BEARER_TOKEN_FILE")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    assert len([*of_credentials(place, wall, ["s3://a/x.root"])]) == 1
    anonymous = place.site.model_copy(update={"storage": {"s3://a": {"anon": True}}})
    public = replace(place, site=anonymous)
    assert list(of_credentials(public, wall, ["s3://a/x.root"])) == []
    assert len([*of_credentials(public, wall, ["s3://a/x.root", "s3://b/x.root"])]) == 1
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    own = f'[storage."https://store"]\ntoken_file = "{file}"\n'
    site = federated(tmp_path, {"north": "", "south": own}, "[policy]\ncredentials_margin = 0\n")
    [violation] = of_credentials(Place(site, site.data, site.results), wall)
    assert str(file) in violation.figure


def test_a_copy_is_bound_as_a_run_is(
    planted: Callable[..., tuple[Question, Place]], tmp_path: Path
) -> None:
    hold_copy("catalogue:set", planted(places=[str(tmp_path)])[1])
    _, place = planted(entry={"access": "members"}, places=["s3://centre"])
    with pytest.raises(PolicyError) as refused:
        hold_copy("set", place)
    assert [one.rule for one in refused.value.violations] == ["access", "places"]
    assert "data would go to /" in refused.value.lines[1]


# What a profile says


GOOD: dict[str, tuple[Any, Any]] = {
    "walltime": ("1-02:00:00", 26 * 3600.0),
    "credentials_margin": (0, 0.0),
    "bytes_out": ("1.5 GB", 1_500_000_000),
    "core_hours": (7, 7.0),
}


@pytest.mark.parametrize("key", GOOD)
def test_units(key: str, planted: Callable[..., tuple[Question, Place]]) -> None:
    given, value = GOOD[key]
    _, place = planted(**{key: given})
    assert getattr(place.site.policy[0], key) == value


ABSURD: list[tuple[str, Any]] = [
    *(("core_hours", value) for value in (-1, 0, "many", True, float("nan"), float("inf"), [1])),
    *(("walltime", value) for value in (0, -5, "soon", True, "inf s", "25:61:00", [], "nan")),
    *(("bytes_out", value) for value in (0, -1, "GB", "-3 GB", True, "1e999 GB", "3 gallons")),
    *(("bytes_read", value) for value in (float("nan"), "", {})),
    *(("energy_kwh", value) for value in (0, "much", float("nan"))),
    *(("user_code", value) for value in ("no", 0, 1, "false")),
    *(("places", value) for value in ("s3://a", [3], [""], [" "], {"a": 1})),
    *(("licences", value) for value in ("CC0", [None])),
    *(("known_as", value) for value in ("de", [1])),
    *(("credentials_margin", value) for value in (-1, "a while", True)),
    ("core_hour", 3),
]


@pytest.mark.parametrize(("key", "value"), ABSURD, ids=str)
def test_absurd_values_are_refused_in_a_line(
    key: str, value: Any, planted: Callable[..., tuple[Question, Place]]
) -> None:
    with pytest.raises(SpecError) as refused:
        planted(**{key: value})
    text = str(refused.value)
    assert key in text
    assert "\n" not in text
    assert "did you mean core_hours?" in text if key == "core_hour" else True


ABSURD_ENTRIES: list[dict[str, Any]] = [
    {"embargo": "tomorrow"},
    {"embargo": 20270101.5},
    {"residency": []},
    {"residency": "de"},
    {"access": ["members"]},
    {"access": ""},
    {"embargo": datetime(2027, 1, 1, 12, tzinfo=UTC)},
]


@pytest.mark.parametrize("table", ABSURD_ENTRIES, ids=str)
def test_absurd_values_of_an_entry_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=next(iter(table))):
        parse(catalogue.Catalogue, {"entries": {"set": ENTRY | table}}, where="catalogue.toml")


def test_who_extends_a_profile_cannot_loosen_its_rules(tmp_path: Path) -> None:
    centre, mine = tmp_path / "centre.toml", tmp_path / "mine.toml"
    centre.write_text(
        'data = "/d"\nresults = "/r"\n[policy]\ncore_hours = 100\nuser_code = false\n'
    )
    mine.write_text('extends = "centre.toml"\n[policy]\ncore_hours = 900\nuser_code = true\n')
    site = load_site(mine, changes={"policy.core_hours": 9000})
    assert [one.core_hours for one in site.policy] == [100, 900, 9000]
    assert [one.stated_by for one in site.policy] == ["centre.toml", "mine.toml", "--set"]
    assert not all(one.user_code for one in site.policy)
    with pytest.raises(SpecError, match=r"core_hours.*not a number"):
        load_site(mine, changes={"policy.core_hours": True})
    with pytest.raises(SpecError, match="policy"):
        load_site(mine, changes={"policy": 3})


def test_the_strictest_of_several_holds_and_each_is_named(
    planted: Callable[..., tuple[Question, Place]],
) -> None:
    spec, place = planted()
    stated = [
        {"stated_by": name, "core_hours": hours}
        for name, hours in (("federation", 3.0), ("centre", 1.0), ("generous", 50.0))
    ]
    site = parse(Site, {"data": "d", "results": "r", "policy": stated}, where="test")
    result = check(spec, replace(place, site=site))
    assert [one.stated_by for one in result.violations] == ["federation", "centre"]
    [core] = [one for one in result.budget if one.quantity == "core_hours"]
    assert (core.allowed, core.stated_by) == (1.0, "centre")


def test_every_site_of_a_federation_is_asked(
    planted: Callable[..., tuple[Question, Place]], tmp_path: Path
) -> None:
    """Each with its own rules, and each must be one where the data may be processed."""
    for name, text in {
        "north": "core_hours = 1\nknown_as = ['nl']",
        "south": "core_hours = 500\nknown_as = ['fr']\nuser_code = false",
    }.items():
        roots = f'data = "{tmp_path}"\nresults = "{tmp_path}/r"\n'
        (tmp_path / f"{name}.toml").write_text(f"{roots}[policy]\n{text}\n")
    spec, place = planted(entry={"residency": ["nl"]}, core_hours=3)
    together = place.site.model_dump(exclude_unset=True) | {
        "federation": {"sites": {n: str(tmp_path / f"{n}.toml") for n in ("north", "south")}}
    }
    federation = replace(place, site=parse(Site, together, where="federation"))
    plan = PLAN
    budget = budget_of(spec, plan, federation, (plan.stages[0].on({"add": 1.0}),))
    assert (budget[0].allowed, budget[0].stated_by) == (1.0, "north: north.toml")
    broken = (*before_planning(spec, federation), *of_budget(budget, federation))
    assert [(one.rule, one.stated_by) for one in broken] == [
        ("residency", "catalogue entry set"),
        ("core_hours", "centre.toml"),
        ("core_hours", "north: north.toml"),
    ]
    assert "at south, which is known as fr" in broken[0].figure
    [code] = before_planning(spec.changed(code="own.py", data_set="none.root"), federation)[:1]
    assert (code.rule, code.stated_by) == ("user_code", "south: south.toml")


def test_rules_travel_with_a_submitted_run(planted: Callable[..., tuple[Question, Place]]) -> None:
    _, place = planted(core_hours=3.0, places=["/a"], credentials_margin="1 minute")
    table = json.loads(json.dumps(place.site.model_dump(mode="json", exclude_unset=True)))
    assert parse(Site, table, where="job").policy == place.site.policy


def test_the_error_travels() -> None:
    from spectrum_workflows.violations import Violation

    one = Violation("places", "centre", "results would go to s3://key:secret12@x/y", "/a", "no")
    error = PolicyError("places", "run", "no", [one])
    again = pickle.loads(pickle.dumps(error))
    assert (again.lines, again.violations) == (error.lines, (one,))
    assert again.at("there").lines[0].startswith("there: places")
    assert "secret12" not in str(again)
    assert isinstance(error, PermissionError)
    assert str(PolicyError("no", "here")) == "here: no"


# Words


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "B", "0 B"),
        (999, "B", "999 B"),
        (999.7, "B", "1.00 kB"),
        (1.78e12, "B", "1.78 TB"),
        (59.9, "s", "59.9 s"),
        (120, "s", "2 min"),
        (3600, "s", "1 h"),
        (5401, "s", "1 h 31 min"),
        (1e6, "s", "277 h"),
        (0.0001234, "core h", "0.000123 core h"),
    ],
)
def test_numbers_in_words(value: float, unit: str, text: str) -> None:
    assert words(value, unit) == text


def test_a_budget_is_read_back() -> None:
    budget = (Amount("walltime", "s", 10.0, 12.0, "x", None, 20.0, "centre"), Amount("a", "B"))
    done = with_facts(budget, {"walltime": 8.0})
    assert from_table(as_table(done)) == done
    assert done[0].ratio == pytest.approx(1.25)
    assert done[1].ratio is None


def test_the_report_has_plan_fact_and_limit() -> None:
    amounts = (
        Amount("core_hours", "core h", 2.0, 2.5, "a run", 1.9, 3.0, "centre.toml"),
        Amount("bytes_out", "B", fact=1500.0),
    )
    record = {
        "workflow": "hep", "name": "x", "failures": [], "objects": [], "spec": {}, "stages": [],
        "started": "", "workers": 0, "plan": {"partitions": []}, "machine": {}, "warnings": [],
        "budget": as_table(amounts),
    }  # fmt: skip
    page = report(record, {})
    for text in ("2 core h, at most 2.5 core h", "1.9 core h", "3 core h (centre.toml)"):
        assert text in page, text
    assert re.search(r"bytes_out</td><td>not known</td><td>1.50 kB</td><td>no limit", page)
    without = {key: value for key, value in record.items() if key != "budget"}
    assert "Plan and fact" not in report(without, {})


# A science, from the command line


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a few events."""
    folder = tmp_path_factory.mktemp("events")
    for seed, name in enumerate(("dimuon", "zmumu")):
        write_sample(str(folder / f"{name}.root"), name, events=2000, seed=seed)
    return folder


def spectrum(*arguments: object) -> Any:
    return CliRunner().invoke(app, [*map(str, arguments)])


def profile(folder: Path, text: str, *, cluster: str = "local") -> Path:
    file = folder / "centre.toml"
    kind = f'[cluster]\nkind = "{cluster}"\n' if cluster else ""
    file.write_text(
        f'data = "{folder}"\nresults = "{folder}/results"\n{kind}[workers]\ncount = 1\n{text}'
    )
    return file


def test_the_command_asks_for_no_worker(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sites, "connect", never)
    site = profile(tmp_path, "[policy]\ncore_hours = 1\nplaces = ['s3://centre']\n")
    done = spectrum("run", "hep/dimuon", "--data", events, "--site", site)
    assert isinstance(done.exception, PolicyError)
    assert [one.rule for one in done.exception.violations] == ["places", "core_hours"]
    assert not (tmp_path / "results").exists()
    with pytest.raises(AssertionError, match=NEVER):  # the same run, if nothing forbids it
        spectrum_raising("run", "hep/dimuon", "--data", events, "--site", profile(tmp_path, ""))


def test_nothing_is_tried_where_results_may_not_go(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, too: the root is not even written to."""
    monkeypatch.setattr("spectrum_workflows.storage.check_writable", never)
    site = profile(tmp_path, "[policy]\nplaces = ['s3://centre']\n", cluster="")
    done = spectrum("run", "hep/dimuon", "--data", events, "--site", site)
    assert isinstance(done.exception, PolicyError)
    place = Place(load_site(site), str(events), str(tmp_path / "results"))
    with pytest.raises(PolicyError, match="places"):
        front.run(load_spec("hep/dimuon"), place, watch=False)


def spectrum_raising(*arguments: object) -> None:
    CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


def test_every_violation_is_a_line_of_its_own(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    from spectrum_workflows.cli import commands

    site = profile(tmp_path, "[policy]\ncore_hours = 1\nplaces = ['s3://centre']\n")
    arguments = ["spectrum", "run", "hep/dimuon", "--data", str(events), "--site", str(site)]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[2] for line in lines] == ["places", "core_hours"]


def test_check_for_staff(events: Path, tmp_path: Path) -> None:
    site = profile(tmp_path, "[policy]\ncore_hours = 1\nbytes_read = '1 kB'\nlicences = ['X']\n")
    done = spectrum("check", "hep/dimuon", "--data", events, "--site", site, "--json")
    assert done.exit_code == 2
    table = json.loads(done.stdout)
    assert {one["rule"] for one in table["violations"]} == {"core_hours", "bytes_read"}
    assert {one["rule"]: one["allowed"] for one in table["rules"]} == {
        "core_hours": "1 core h",
        "bytes_read": "1.00 kB",
        "licences": "X",
    }
    [read] = [one for one in table["budget"] if one["quantity"] == "bytes_read"]
    assert read["planned"] > 1000 == read["allowed"]
    shown = spectrum("check", "hep/dimuon", "--data", events, "--site", site)
    assert shown.exit_code == 2
    assert "VIOLATION bytes_read" in shown.stdout
    free = spectrum("check", "hep/dimuon", "--data", events, "--site", profile(tmp_path, ""))
    assert free.exit_code == 0
    assert "VIOLATION" not in free.stdout


def test_check_of_code_that_may_not_run(events: Path, tmp_path: Path) -> None:
    code = tmp_path / "own.py"
    code.write_text("raise SystemExit('it was loaded')\n")
    site = profile(tmp_path, "[policy]\nuser_code = false\n")
    change = f"select={code}:select"
    command = ("check", "hep/dimuon", "--data", events, "--site", site, "--set", change)
    done = spectrum(*command, "--json")
    assert done.exit_code == 2, done.output
    table = json.loads(done.stdout)
    assert table["plan"] is None
    assert [one["rule"] for one in table["violations"]] == ["user_code"]
    assert isinstance(spectrum(*command).exception, PolicyError)


def test_bytes_are_foretold_and_what_check_opened_is_read_by_the_run(
    events: Path, tmp_path: Path
) -> None:
    site = load_site(profile(tmp_path, "", cluster=""))
    spec, place = load_spec("hep/dimuon"), Place(site, str(events), str(tmp_path / "results"))
    [planned] = [one.planned for one in check(spec, place).budget if one.quantity == "bytes_read"]
    outcome = front.run(spec, place, watch=False, resume=False)
    [read] = [one for one in outcome.budget if one.quantity == "bytes_read"]
    assert planned is not None
    assert read.fact == outcome.metrics.bytes_read == pytest.approx(planned, rel=0.1)
    assert read.planned == planned
    assert read.at_most is not None
    assert read.at_most >= read.fact


def test_a_pilot_foretells_the_whole(events: Path, tmp_path: Path) -> None:
    """A dozen partitions, of which it computes six; nothing is saved."""
    arguments = ("hep/dimuon", "--data", events, "--set", "partition.max_events=350")
    site = ("--site", profile(tmp_path, "[policy]\ncore_hours = 1\nbytes_out = '1 GB'\n"))
    assert spectrum("check", *arguments, *site).exit_code == 2
    done = spectrum("calibrate", *arguments, *site, "--json")
    assert done.exit_code == 0, done.output
    took = json.loads(done.stdout)
    assert (took["partitions"], took["of"]) == (6, 12)
    assert (took["size"], took["of_size"]) == (pytest.approx(2000, abs=100), 4000)
    assert not (tmp_path / "results").exists()
    again = spectrum("check", *arguments, *site, "--json")
    assert again.exit_code == 0, again.output
    core = json.loads(again.stdout)["budget"][0]
    assert core["planned"] > took["task_seconds"] / 3600
    text = spectrum("calibrate", *arguments, *site).stdout
    assert "6 of 12 partitions" in text


def test_a_pilot_keeps_the_rules_of_data_and_code(
    planted: Callable[..., tuple[Question, Place]],
) -> None:
    with pytest.raises(PolicyError, match="access"):
        pilot(*planted(entry={"access": "members"}))
    with pytest.raises(AssertionError, match=NEVER):  # it computes
        pilot(*planted(core_hours=1e-9))


def test_plan_and_fact_are_in_the_record(events: Path, tmp_path: Path) -> None:
    """The second run of a question is foretold from the first."""
    site = load_site(profile(tmp_path, "[policy]\nbytes_read = '1 GB'\n", cluster=""))
    spec, place = load_spec("hep/dimuon"), Place(site, str(events), str(tmp_path / "results"))
    folders = []
    for _ in range(2):
        outcome = front.run(spec, place, watch=False, resume=False)
        folders.append(front.save(outcome, place))
    first, second = (
        {one["quantity"]: one for one in read_record(folder)["budget"]} for folder in folders
    )
    assert first["core_hours"]["planned"] is None
    for quantity in ("core_hours", "walltime", "bytes_read", "bytes_out"):
        assert first[quantity]["fact"] > 0
        assert second[quantity]["planned"] > 0
    assert second["bytes_out"]["planned"] == pytest.approx(second["bytes_out"]["fact"], rel=0.2)
    assert first["bytes_read"]["allowed"] == 1e9
    loaded = front.load(folders[1])
    assert {one.quantity for one in loaded.budget} >= {*second}
    assert "Plan and fact" in report(read_record(folders[1]), {})
