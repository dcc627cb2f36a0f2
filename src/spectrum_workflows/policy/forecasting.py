"""The budget of a run before it is run: CPU-hours, wall time, bytes read and written, energy.

What no forecast reaches is said to be not known, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from spectrum_workflows import domain, record
from spectrum_workflows.accounting.power import DEFAULT as DEFAULT_POWER
from spectrum_workflows.budget import Amount, Budget
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.policy import experience
from spectrum_workflows.policy.hosts import policies_of
from spectrum_workflows.sites.calibration import costs_of
from spectrum_workflows.sites.local import sized
from spectrum_workflows.sites.profile import Local
from spectrum_workflows.sites.profile_files import members_of
from spectrum_workflows.sites.spending import expected_terms, terms_of_sites

if TYPE_CHECKING:
    from spectrum_workflows.accounting.accounts import Accounts
    from spectrum_workflows.domain import Plan, Volume
    from spectrum_workflows.policy.experience import Experience
    from spectrum_workflows.record import Outcome
    from spectrum_workflows.sites import Place, Site
    from spectrum_workflows.sites.policy import Policy
    from spectrum_workflows.stages import Stage

HOUR = 3600.0
AGAIN = 1.25
"""Share of what an earlier run took that a later one of the same question may take."""
MODELLED, DEFAULT = 2.0, 4.0
"""The same of what follows from costs of kinds of work: measured here, and somewhere."""
START, LONG_START = 5.0, 20.0
"""CPU seconds in which a process imports and compiles, expected and at most, where they were not
measured."""

UNKNOWN = "no run of this question has been seen on this processor"

POWERLESS = "the processors that compute are not known, and watts_per_core is not stated"

LIMITS = {
    "core_hours": ("core_hours", "core h"),
    "walltime": ("walltime", "s"),
    "bytes_read": ("bytes_read", "B"),
    "bytes_out": ("bytes_out", "B"),
    "energy": ("energy_kwh", "kWh"),
}
"""Key of a policy, and the unit, of every quantity."""


def workers_of(place: Place) -> int:
    """Workers that the site asks for, or that are connected if they are more.

    A run begins with the first of them: how many it has then says nothing of its length.
    """
    sites = members_of(place.site).values() or (place.site,)
    return max(place.workers, sum(map(_asked_workers, sites)))


def _asked_workers(site: Site) -> int:
    """Workers that a site will ask for; 1 where a cluster exists and its profile does not say."""
    if site.cluster is None:
        return 1
    if isinstance(site.cluster, Local):
        return sized(site).most
    return site.workers.count or site.workers.max or 1


def kind_of(place: Place) -> str:
    """The kind of a place, in whose terms experience is kept."""
    if place.site.federation is not None:
        return "federation"
    return place.site.cluster.kind if place.site.cluster else "serial"


def budget_of(spec: Any, plan: Plan, place: Place, stages: tuple[Stage, ...]) -> Budget:
    """What is expected of a run, and the strictest limits.

    Parameters
    ----------
    spec, plan, place
        Of the run.
    stages : tuple of Stage
        With this machine's costs.
    """
    science = domain.get(spec.workflow)
    before = experience.recall(experience.key(spec, plan, science), kind_of(place))
    same = before is not None and before.size == plan.size
    if before is not None and not (same or science.linear):
        before = None  # it was of other data, and says nothing of these
    workers = workers_of(place)
    cpu = _cpu(plan, stages, before, workers, spec.workflow)
    amounts = (
        cpu,
        _wall(plan, stages, before, workers, cpu),
        _bytes_read(plan, before),
        _bytes_out(plan, before),
        _energy(cpu, place),
    )
    policies = policies_of(place)
    return tuple(_limited(one, policies) for one in amounts)


def _cpu(
    plan: Plan, stages: Sequence[Stage], before: Experience | None, workers: int, workflow: str
) -> Amount:
    amount = Amount("core_hours", "core h", basis=UNKNOWN)
    if before is not None:
        processes = max(1, min(workers, len(plan.partitions)))
        seconds = before.task_seconds * plan.size / before.size + before.session_seconds
        planned = (seconds + processes * before.start_seconds) / HOUR
        return replace(amount, planned=planned, at_most=AGAIN * planned, basis=_as_of(before))
    if stages and plan.repeats is not None:
        once, cycle = _once_and_cycle(stages)
        processes = max(1, min(workers, len(plan.partitions)))
        factor = MODELLED if costs_of(workflow) else DEFAULT
        bound = (factor * (once + plan.repeats * cycle) + processes * LONG_START) / HOUR
        mean = (once + processes * START) / HOUR if not cycle else None
        words = "costs of kinds of work" + (f", {plan.repeats} cycles at most" if cycle else "")
        return replace(amount, planned=mean, at_most=bound, basis=words)
    return amount


def _once_and_cycle(stages: Sequence[Stage]) -> tuple[float, float]:
    """CPU seconds of the stages that are run once, and of one turn of the others."""
    cycle = sum(stage.cpu_seconds for stage in stages if stage.name.endswith(" cycle"))
    return sum(stage.cpu_seconds for stage in stages) - cycle, cycle


def _wall(
    plan: Plan, stages: Sequence[Stage], before: Experience | None, workers: int, cpu: Amount
) -> Amount:
    amount, partitions = Amount("walltime", "s", basis=cpu.basis), len(plan.partitions)
    busy = max(1, min(workers, partitions))
    if before is not None:
        waited = before.task_seconds_waited  # more bytes are waited for longer
        was = waited / max(1, min(before.workers, before.partitions))
        tasks = waited * plan.size / before.size / busy
        planned = max(0.0, before.seconds - was) + tasks
        return replace(amount, planned=planned, at_most=AGAIN * planned)
    if cpu.at_most is None:
        return amount
    mean = None if cpu.planned is None else cpu.planned * HOUR / busy  # reading is not waited for
    least = min((stage.tasks for stage in stages), default=1)
    bound = cpu.at_most * HOUR / max(1, min(workers, least))
    return replace(amount, planned=mean, at_most=bound)


def _bytes_read(plan: Plan, before: Experience | None) -> Amount:
    """From the plan where that knows; else in proportion to what an earlier run took."""
    amount = Amount("bytes_read", "B", basis=UNKNOWN)
    if plan.read is not None and plan.read.expected is not None:
        return _of_traffic(amount, plan.read)
    if before is not None:
        planned = round(before.bytes_read * plan.size / before.size)
        bound = round(AGAIN * planned)
        if plan.read is not None and plan.read.at_most is not None:
            bound = max(planned, min(bound, plan.read.at_most))
        return replace(amount, planned=planned, at_most=bound, basis=_as_of(before))
    return amount if plan.read is None else _of_traffic(amount, plan.read)


def _bytes_out(plan: Plan, before: Experience | None) -> Amount:
    """From the plan where that knows; else what an earlier result had, which is as large."""
    amount = Amount("bytes_out", "B", basis=UNKNOWN)
    if plan.written is not None:
        return _of_traffic(amount, plan.written)
    if before is None or before.bytes_out is None:
        return amount
    planned = before.bytes_out
    return replace(amount, planned=planned, at_most=round(AGAIN * planned), basis=_as_of(before))


def _of_traffic(amount: Amount, traffic: Volume) -> Amount:
    return replace(amount, planned=traffic.expected, at_most=traffic.at_most, basis=traffic.basis)


def facts(
    seconds: float, cpu_seconds: float, bytes_read: int, accounts: Accounts
) -> dict[str, float]:
    """What a run took of the quantities of its budget, as far as that is known before it is saved.

    Parameters
    ----------
    seconds, cpu_seconds : float
        Wall time, and CPU time of all tasks and of the session.
    bytes_read : int
    accounts : Accounts
        With its energy, measured or modelled.
    """
    return {
        "core_hours": cpu_seconds / HOUR,
        "walltime": seconds,
        "bytes_read": float(bytes_read),
        "energy": accounts.energy.kwh,
    }


def remember_run(outcome: Outcome, place: Place, folder: str) -> None:
    """Remember what a run took, for forecasts; not of one that did less than it was planned to.

    Parameters
    ----------
    outcome : Outcome
        Saved.
    place : Place
        Where it ran.
    folder : str
        URL of what was saved.
    """
    plan, metrics = outcome.plan, outcome.metrics
    resumed = metrics.resumed or metrics.passes_resumed
    foretold = (plan.read.expected if plan.read else None) or 0
    elsewhere = 2 * metrics.bytes_read < foretold  # from a skim, or of files that were open
    if outcome.failures or resumed or elsewhere or not plan.size or not plan.code:
        return
    with suppress(SpectrumError, OSError):
        saved = record.read_record(folder)
        took = experience.Experience(
            size=plan.size,
            partitions=len(plan.partitions),
            task_seconds=metrics.cpu_seconds,
            session_seconds=max(0.0, outcome.cpu_seconds - metrics.cpu_seconds),
            seconds=outcome.seconds,
            workers=outcome.workers,
            bytes_read=metrics.bytes_read,
            bytes_out=sum(entry["size"] for entry in saved["objects"]),
            task_wall_seconds=metrics.task_wall_seconds,
        )
        question = experience.key(outcome.spec, plan, outcome.domain)
        experience.remember(question, kind_of(place), took)


def _energy(cpu: Amount, place: Place) -> Amount:
    """CPU-hours times the power of a core, with what the building takes where that is stated.

    Of several sites, planned with their mean and bounded by the one that takes most.
    """
    terms, sites = expected_terms(place.site), terms_of_sites(place.site)
    factor, power = (terms.pue or 1.0) / 1000, terms.power
    basis = f"modelled: {power.low:.3g} to {power.high:.3g} W per core, {power.source}; {cpu.basis}"
    amount = Amount("energy", "kWh", basis=basis)
    if cpu.at_most is None:
        return replace(amount, basis=cpu.basis)
    planned = None if cpu.planned is None else cpu.planned * power.watts * factor
    if any(own.power == DEFAULT_POWER for own, _ in sites):
        return replace(amount, planned=planned, basis=POWERLESS)
    most = max(own.power.high * (own.pue or 1.0) for own, _ in sites) / 1000
    return replace(amount, planned=planned, at_most=cpu.at_most * most)


def _limited(amount: Amount, policies: Sequence[Policy]) -> Amount:
    """The amount with the strictest limit of it."""
    name = LIMITS[amount.quantity][0]
    stated = [one for one in policies if getattr(one, name) is not None]
    if not stated:
        return amount
    strictest = min(stated, key=lambda one: getattr(one, name))
    return replace(amount, allowed=getattr(strictest, name), stated_by=strictest.stated_by)


def _as_of(before: Experience) -> str:
    day = datetime.fromtimestamp(before.at, UTC).date() if math.isfinite(before.at) else "?"
    return f"a run of {before.size:,} entries on {day}"
