"""The gate: the plan of a run held against the rules of its site and of its data.

Nothing is queued, and no worker asked for, before a run has passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spectrum_workflows import budget as budgets
from spectrum_workflows import catalogue, storage
from spectrum_workflows.errors import PolicyError, SpectrumError
from spectrum_workflows.policy.data_rules import (
    entries_named,
    entries_of,
    entries_read,
    has_remote_root,
    of_entries,
)
from spectrum_workflows.policy.forecasting import LIMITS, POWERLESS, UNKNOWN
from spectrum_workflows.policy.hosts import hosts_of, policies_of
from spectrum_workflows.policy.place_rules import of_code, of_credentials, of_places
from spectrum_workflows.violations import Violation

if TYPE_CHECKING:
    from spectrum_workflows.budget import Amount, Budget
    from spectrum_workflows.domain import Plan
    from spectrum_workflows.sites import Place

MORE = {
    "core_hours": "run less: fewer files, a smaller image; or ask who states this for more",
    "walltime": "more workers (workers.count), or run less",
    "bytes_read": "fewer files or columns, or run where the data lie",
    "bytes_out": "ask for fewer products or columns, or ask who states this for more",
    "energy_kwh": "run less, or at a site with less watts per core",
}
UNFORETOLD = "spectrum calibrate SPEC measures it on a small part; or ask who states this rule"

STATE_WATTS = "state energy.watts_per_core, and watts_source, in the profile of the site"


@dataclass(frozen=True)
class Rule:
    """A rule that holds for a run.

    Attributes
    ----------
    rule, stated_by, allowed : str
        As of `Violation`.
    """

    rule: str
    stated_by: str
    allowed: str


def rules_of(place: Place) -> tuple[Rule, ...]:
    """All that the site states; what data state is in their catalogue."""
    units = dict(LIMITS.values()) | {"credentials_margin": "s"}
    return tuple(
        Rule(key, policy.stated_by, _as_words(value, units.get(key, "")))
        for policy in policies_of(place)
        for key, value in policy.model_dump(exclude_unset=True, exclude={"stated_by"}).items()
        if value is not None
    )


def _as_words(value: Any, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(value)
    return budgets.words(value, unit) if unit else f"{value:g}"


def before_planning(spec: Any, place: Place, *, notify: str = "") -> tuple[Violation, ...]:
    """Rules that a run breaks whatever its plan; no code that the spec names has run.

    Parameters
    ----------
    spec : model
    place : Place
        It need not be connected.
    notify : str
        Told of the end; empty for nobody.

    Raises
    ------
    SpectrumError
        A catalogue, or what the spec names in it, is not there or not valid.
    """
    with storage.using(place.stores):
        entries = entries_of(spec, place.data)
    return (
        *of_code(spec, policies_of(place)),
        *of_entries(entries, hosts_of(place)),
        *of_places(place, notify),
    )


def hold_copy(name: str, place: Place) -> None:
    """Refuse to copy an entry of the catalogue below a data root.

    Parameters
    ----------
    name : str
        Of the entry.
    place : Place
        Its data root gets the copy.

    Raises
    ------
    PolicyError
        That breaks rules of the entry or of the site; all are named.
    SpecError
        There is no such entry.
    """
    name = name.removeprefix(catalogue.PREFIX)
    with storage.using(place.stores):
        entries = entries_named(name, place.data)
    copied = of_places(place, data=place.data)
    refuse(name, (*of_entries(entries, hosts_of(place)), *copied))


def of_budget(budget: Budget, place: Place) -> Iterator[Violation]:
    """Limits that a budget does not keep, and those that nobody can hold it against."""
    amounts = {one.quantity: one for one in budget}
    for policy in policies_of(place):
        for quantity, (key, unit) in LIMITS.items():
            limit = getattr(policy, key)
            if limit is None:
                continue
            amount = amounts[quantity]
            allowed = budgets.words(limit, unit)
            if amount.at_most is None:
                reason = amount.basis or UNKNOWN
                figure = f"it cannot be foretold ({reason})"
                remedy = STATE_WATTS if reason == POWERLESS else UNFORETOLD
                yield Violation(key, policy.stated_by, figure, allowed, remedy)
            elif amount.at_most > limit:
                yield Violation(key, policy.stated_by, _figure(amount), allowed, MORE[key])


def _figure(amount: Amount) -> str:
    most = budgets.words(amount.at_most, amount.unit)
    if amount.planned is None:
        return f"up to {most} ({amount.basis})"
    return f"{budgets.words(amount.planned, amount.unit)} planned, up to {most} ({amount.basis})"


@contextmanager
def planning(name: str, violations: Sequence[Violation]) -> Iterator[None]:
    """A block in which a run is planned that may break rules already.

    Raises
    ------
    PolicyError
        Code that is not allowed would run in it; or it breaks rules, and cannot be planned.
    """
    if any(one.rule == "user_code" for one in violations):
        refuse(name, violations)
    try:
        yield
    except SpectrumError as error:
        try:
            refuse(name, violations)
        except PolicyError as refused:
            raise refused from error
        raise


def refuse(name: str, violations: Sequence[Violation]) -> None:
    """Refuse a run that breaks rules.

    Parameters
    ----------
    name : str
        Of the run.
    violations : sequence of Violation

    Raises
    ------
    PolicyError
        There are some; it names all.
    """
    if violations:
        first = violations[0]
        head = f"{first.rule}: {first.figure}; allowed: {first.allowed} ({first.stated_by})"
        raise PolicyError(head, name, first.remedy, violations)


def of_plan(spec: Any, plan: Plan, budget: Budget, place: Place) -> tuple[Violation, ...]:
    """Every rule that a run breaks by what it would take, or by files that its plan has found.

    Parameters
    ----------
    spec : model
    plan : Plan
    budget : tuple of Amount
        From `budget_of`.
    place : Place
    """
    [wall] = [one for one in budget if one.quantity == "walltime"]
    return (
        *of_files(spec, plan, place),
        *of_budget(budget, place),
        *of_credentials(place, wall, [url for url, _ in plan.inputs]),
    )


def of_files(spec: Any, plan: Plan, place: Place) -> tuple[Violation, ...]:
    """Rules of data that only the plan of a run has found; `before_planning` has the others."""
    with storage.using(place.stores):
        named = entries_of(spec, place.data)
        files = entries_read(plan, place.data)
    more = tuple(pair for pair in files if pair not in named)
    return of_entries(more, hosts_of(place))


def needs_plan(place: Place) -> bool:
    """Whether there are rules that only a plan can be held against.

    Limits of a site are, and what the catalogue of a remote data root says of its files.
    """
    with storage.using(place.stores):
        if has_remote_root(place.data):
            return True
    keys = [key for key, _ in LIMITS.values()] + ["credentials_margin"]
    return any(getattr(policy, key) is not None for policy in policies_of(place) for key in keys)
