"""Forecast of a run before it is run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from threadpoolctl import threadpool_limits

from spectrum_workflows import budget as budgets
from spectrum_workflows import display, domain, engine, policy, storage
from spectrum_workflows.accounting.accounts import HOUR, Planned, planned
from spectrum_workflows.budget import Budget
from spectrum_workflows.code_identity import science_code
from spectrum_workflows.domain import Domain, OnError, Plan
from spectrum_workflows.errors import PolicyError, SpectrumError
from spectrum_workflows.federating import know_inputs, lines_of, planned_traffic
from spectrum_workflows.policy.forecasting import budget_of, workers_of
from spectrum_workflows.resuming import KNOWN, ledger_of
from spectrum_workflows.sites import Place
from spectrum_workflows.sites.calibration import costs_of, save_costs
from spectrum_workflows.sites.federated import outline
from spectrum_workflows.sites.spending import expected_terms
from spectrum_workflows.stages import Stage
from spectrum_workflows.traffic import Traffic


@dataclass(frozen=True, repr=False)
class Check:
    """Preview of a run; printing it shows the plan in words.

    Attributes
    ----------
    name : str
    plan : Plan
    stages : tuple of Stage
        What each stage will take, where the science can tell.
    workers : int
        Workers at hand, or that the site will ask for.
    calibrated : bool
        Whether the CPU seconds follow from costs measured on this machine.
    reused : tuple of str
        What earlier runs have left of it that would be read, and why more would not.
    planned : Planned or None
        CPU time, energy and carbon by a model; ``None`` where the CPU time is not known.
    traffic : Traffic or None
        What one pass over the data moves between sites, where several compute together.
    budget : tuple of Amount
        What the run will take, and what is allowed.
    rules : tuple of Rule
        What the site states.
    violations : tuple of Violation
        Rules that the run breaks: it would be refused.
    """

    name: str
    plan: Plan
    stages: tuple[Stage, ...] = ()
    workers: int = 1
    calibrated: bool = False
    reused: tuple[str, ...] = ()
    planned: Planned | None = None
    traffic: Traffic | None = None
    budget: Budget = ()
    rules: tuple[policy.Rule, ...] = ()
    violations: tuple[policy.Violation, ...] = ()

    @property
    def summary(self) -> dict[str, Any]:
        """The plan as JSON-ready numbers."""
        return {
            "name": self.name,
            "partitions": len(self.plan.partitions),
            "size": self.plan.size,
            "bytes_to_read": self.plan.bytes_to_read,
            "data_bytes": self.plan.data_bytes,
            "largest_memory": self.plan.largest_memory,
            "warnings": list(self.plan.warnings),
            "method": self.plan.method,
            "reused": list(self.reused),
            "workers": self.workers,
            "calibrated": self.calibrated,
            "planned": self.planned.table if self.planned else None,
            "stages": [
                {"name": stage.name, **stage.numbers, "wall_seconds": self.wall(stage)}
                for stage in self.stages
            ],
            **({"traffic": self.traffic.as_json} if self.traffic else {}),
            "budget": budgets.as_table(self.budget),
            "rules": [vars(rule) for rule in self.rules],
            "violations": [violation.table for violation in self.violations],
        }

    def wall(self, stage: Stage) -> float:
        """Seconds of a stage whose tasks are equal and whose workers have a core each."""
        return stage.cpu_seconds / max(1, min(self.workers, stage.tasks))

    def __str__(self) -> str:
        plan = self.plan
        partitions = display.counted(len(plan.partitions), "partition")
        lines = [f"{self.name}: {plan.size:,} entries in {partitions}"]
        if plan.bytes_to_read:  # else nobody looked
            lines += [
                f"  to read, per pass   {display.megabytes(plan.bytes_to_read)}{self._share}",
                f"  largest process     {display.megabytes(plan.largest_memory)} of memory",
            ]
        if plan.method:
            lines.append(f"  method              {plan.method}")
        lines += [f"  reused              {line}" for line in self.reused]
        if self.planned:
            lines.append(f"  energy              {self.planned.line}")
        lines += [f"  sites               {line}" for line in self._moved]
        warnings = [f"  warning: {w}" for w in plan.warnings]
        return "\n".join([*lines, *self._table(), *self._allowances(), *warnings])

    def __repr__(self) -> str:
        return f"<Check of {self.name}: {self.plan!r}>"

    def _repr_html_(self) -> str:
        plan = self.plan
        rows = [("partitions", f"{len(plan.partitions):,}"), ("entries", f"{plan.size:,}")]
        if plan.bytes_to_read:
            rows.append(
                ("to read, per pass", f"{display.megabytes(plan.bytes_to_read)}{self._share}")
            )
            rows.append(("largest process", f"{display.megabytes(plan.largest_memory)} of memory"))
        if plan.method:
            rows.append(("method", plan.method))
        rows += [("reused", line) for line in self.reused]
        if self.planned:
            rows.append(("energy", self.planned.line))
        rows += [("sites", line) for line in self._moved]
        head = ("stage", "tasks", "CPU s", f"wall s, {self.workers} workers", "MB moved", "MB task")
        stages = [
            (
                stage.name,
                f"{stage.tasks:,}",
                f"{stage.cpu_seconds:.2f}",
                f"{self.wall(stage):.2f}",
                f"{stage.bytes_moved / 1e6:.1f}",
                f"{stage.memory / 1e6:.0f}",
            )
            for stage in self.stages
        ]
        table = display.grid(head, stages) if stages else ""
        notes = (*(f"violation: {line}" for line in self.violations), *plan.warnings)
        return display.card(f"check of {self.name}", rows, notes=notes, table=table)

    @property
    def _moved(self) -> list[str]:
        """How the work is placed and what one pass moves, a line each."""
        return lines_of(self.traffic) if self.traffic else []

    @property
    def _share(self) -> str:
        plan = self.plan
        if not plan.data_bytes:
            return ""
        part = plan.bytes_to_read / plan.data_bytes
        return f" ({part:.0%} of the data set's {display.megabytes(plan.data_bytes)})"

    def _allowances(self) -> list[str]:
        """The budget, a line per amount, and the rules that are broken; none without rules."""
        if not self.rules and not self.violations:
            return []
        head = f"  {'budget':14}{'planned':>18}{'at most':>18}{'allowed':>18}   from"
        lines = [head] if self.budget else []
        for one in self.budget:
            numbers = (one.planned, one.at_most, one.allowed)
            texts = [budgets.words(n, one.unit) for n in numbers]
            texts[2] = texts[2] if one.allowed is not None else "no limit"
            cells = "".join(f"{text:>18}" for text in texts)
            lines.append(f"  {one.quantity:14}{cells}   {one.basis}")
        return lines + [f"  VIOLATION {violation}" for violation in self.violations]

    def _table(self) -> list[str]:
        """The stages, one per line."""
        if not self.stages:
            return []
        source = "this machine's costs" if self.calibrated else "default costs: spectrum calibrate"
        head = f"  {'stage':14}{'tasks':>6}{'CPU s':>9}{'wall s':>9}{'MB moved':>10}{'MB task':>9}"
        rows = [
            f"  {stage.name:14}{stage.tasks:6}{stage.cpu_seconds:9.2f}{self.wall(stage):9.2f}"
            f"{stage.bytes_moved / 1e6:10.1f}{stage.memory / 1e6:9.0f}"
            for stage in self.stages
        ]
        return [f"{head}   ({self.workers} workers; {source})", *rows]


def cpu_seconds_of(budget: Budget, stages: Sequence[Stage]) -> float:
    """CPU seconds as the budget has them, else of one pass through every stage; 0 if unknown."""
    hours = next((one.planned for one in budget if one.quantity == "core_hours"), None)
    return hours * HOUR if hours else sum(stage.cpu_seconds for stage in stages)


def check(spec: Any, place: Place) -> Check:
    """Plan a run without computing anything.

    Parameters
    ----------
    spec : model
        From `load_spec`.
    place : Place
        From `connect`.

    Returns
    -------
    Check
        What would be done and read, the memory of the largest task, and rules of the site and
        the data that it breaks; its text is a table.

    Raises
    ------
    PolicyError
        It cannot be planned, and breaks rules; or it names code that may not run here.
    SpectrumError
        The run could not work: missing files or columns, bad sizes, ...
    """
    science = domain.get(spec.workflow)
    broken = policy.before_planning(spec, place)
    with policy.planning(spec.name, broken), storage.using(place.stores):
        plan = completed(science.plan(spec, place.data), science, spec, place.data)
        reused = _reused(spec, plan, place)
        traffic = _traffic(plan, place)
    science.release()
    stages = expected(spec, plan)
    calibrated = bool(costs_of(spec.workflow))
    budget = budget_of(spec, plan, place, stages)
    energy = planned(cpu_seconds_of(budget, stages), expected_terms(place.site))
    return Check(
        name=spec.name,
        plan=plan,
        stages=stages,
        workers=workers_of(place),
        calibrated=calibrated,
        reused=reused,
        planned=energy,
        traffic=traffic,
        budget=budget,
        rules=policy.rules_of(place),
        violations=(*broken, *policy.of_plan(spec, plan, budget, place)),
    )


def refusal(name: str, place: Place, error: PolicyError) -> dict[str, Any]:
    """A run that is refused before it is planned, as `Check.summary` has one that is not."""
    return {
        "name": name,
        "plan": None,
        "rules": [vars(rule) for rule in policy.rules_of(place)],
        "violations": [violation.table for violation in error.violations],
    }


def hold_policy(spec: Any, place: Place, *, on_error: OnError = "raise", notify: str = "") -> None:
    """Refuse a run that breaks rules, before workers are asked for or a job is queued.

    It is planned here only where a rule wants that.

    Parameters
    ----------
    spec : model
        From `load_spec`.
    place : Place
        Not connected.
    on_error : {"raise", "keep"}
        As for `run`.
    notify : str
        Told of the end; empty for nobody.

    Raises
    ------
    PolicyError
        All rules that it breaks.
    SpectrumError
        As `check`.
    """
    broken = policy.before_planning(spec, place, notify=notify)
    if not broken and not policy.needs_plan(place):
        return
    science = domain.get(spec.workflow)
    known = storage.join(place.results, KNOWN) if place.results and not broken else ""
    with policy.planning(spec.name, broken), storage.using(place.stores):
        plan = science.plan(spec, place.data, known=known, on_error=on_error)
        plan = completed(plan, science, spec, place.data)
    science.release()
    held_to(spec, plan, place, broken)


def held_to(spec: Any, plan: Plan, place: Place, broken: Sequence[policy.Violation]) -> Budget:
    """The budget of a plan that breaks no rule.

    Raises
    ------
    PolicyError
        It breaks some, or others are broken already.
    """
    budget = budget_of(spec, plan, place, expected(spec, plan))
    policy.refuse(spec.name, (*broken, *policy.of_plan(spec, plan, budget, place)))
    return budget


def _traffic(plan: Plan, place: Place) -> Traffic | None:
    """What a pass would move between sites; nothing is read to compare copies."""
    if place.site.federation is None:
        return None
    sites = outline(place.site, place.data)
    known = storage.join(place.results, KNOWN) if place.results else ""
    know_inputs(sites, plan, (), known=known, compare=False)
    return planned_traffic(sites, plan)


def _reused(spec: Any, plan: Plan, place: Place) -> tuple[str, ...]:
    """What earlier runs have left; nothing where the results root cannot be read."""
    science = domain.get(spec.workflow)
    stamps = storage.stamps_of(url for url, _ in plan.inputs)
    ledger = ledger_of(spec, plan, place, science, stamps=stamps, resume=True, trust_weak=False)
    try:
        with engine.keeping(ledger):
            return science.reusable(spec, plan)
    except (SpectrumError, OSError):
        return ()


def completed(plan: Plan, science: Domain[Any, Any], spec: Any, data: str) -> Plan:
    """The plan with what a science need not say: identity of its own code and of its inputs."""
    code = plan.code or science_code(type(spec).__module__).digest
    inputs = plan.inputs or tuple(storage.stamps_of(science.inputs(spec, data)).items())
    return replace(plan, code=code, inputs=inputs)


def calibrate() -> dict[str, dict[str, float]]:
    """Measure what work costs on this machine; `check` and `run` predict with it.

    Returns
    -------
    dict
        Per science, CPU seconds per unit of each kind of work.

    Raises
    ------
    OutputError
        The user's cache folder cannot be written.
    """
    costs = {}
    for science in domain.installed():
        if science.calibrate is not None:
            with threadpool_limits(1):
                costs[science.name] = science.calibrate()
            save_costs(science.name, costs[science.name])
    return costs


def expected(spec: Any, plan: Plan) -> tuple[Stage, ...]:
    """The plan's stages with this machine's costs, or else the science's own."""
    costs = {**domain.get(spec.workflow).costs, **costs_of(spec.workflow)}
    return tuple(forecast.on(costs) for forecast in plan.stages)


SLOWEST = 10e6
"""Bytes per second at which a partition is expected to be read, at the least."""


def seconds_of_the_largest(plan: Plan, stages: Iterable[Stage]) -> dict[str, float]:
    """Seconds that the largest task of each stage is expected to take, computing and reading.

    What it computes and reads is taken to be as its share of the entries.
    """
    if not plan.partitions or not plan.size:
        return {}
    share = max(partition.size for partition in plan.partitions) / plan.size
    reading = share * plan.bytes_to_read / SLOWEST
    larger = share * len(plan.partitions)
    return {
        stage.name: reading + larger * stage.cpu_seconds / stage.tasks
        for stage in stages
        if stage.tasks
    }
