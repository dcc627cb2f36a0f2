"""The outcome of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spectrum_workflows import display, domain
from spectrum_workflows.accounting.accounts import Accounts
from spectrum_workflows.budget import Budget
from spectrum_workflows.crates.circumstances import UNKNOWN, Circumstances
from spectrum_workflows.domain import Failure, Metrics, Plan
from spectrum_workflows.stages import Stage
from spectrum_workflows.traffic import Traffic

SHOWN_APART = {"workflow", "name", "digest", "failures", "warnings", "partial", "fraction"}
"""Keys of a summary that stand in a title or below the numbers."""


@dataclass(frozen=True, repr=False)
class Outcome:
    """A finished run: the result, and how it came about.

    Attributes
    ----------
    spec : model
        What was asked.
    plan : Plan
        What was going to be done.
    result : object
        The domain's own result.
    metrics : Metrics
        What the partitions cost, and which of them failed.
    digest : str
        SHA-256 of the result's arrays; see `record.digest`.
    started : str
        UTC time, ISO 8601.
    seconds, cpu_seconds : float
        Wall time, and CPU time of all tasks and of the driver.
    workers : int
        Workers when the run began; 0 for no cluster.
    machine : dict
        See `record.machine`.
    worker_machines : tuple of dict
        The same of the workers; one entry where all are alike.
    expected : tuple of Stage
        What the planner said that the stages would take.
    accounts : Accounts or None
        CPU time, bytes by store, energy and carbon; ``None`` where they were not kept.
    traffic : Traffic or None
        What moved between the sites, where several computed together.
    budget : tuple of Amount
        What was foretold, what it took, and what is allowed.
    circumstances : Circumstances
        Where it took place, and what the catalogue says of its input.
    """

    spec: Any
    plan: Plan
    result: Any
    metrics: Metrics
    digest: str
    started: str
    seconds: float
    cpu_seconds: float
    workers: int
    machine: dict[str, Any]
    worker_machines: tuple[dict[str, Any], ...]
    expected: tuple[Stage, ...] = ()
    accounts: Accounts | None = None
    traffic: Traffic | None = None
    budget: Budget = ()
    circumstances: Circumstances = UNKNOWN

    @property
    def domain(self) -> domain.Domain[Any, Any]:
        """The science this run belongs to."""
        return domain.get(self.spec.workflow)

    @property
    def fraction(self) -> float:
        """Share of the planned entries in the result; 1 if complete."""
        return domain.fraction_done(self.plan, self.failures)

    @property
    def completeness(self) -> str:
        """Share of the input in words, where some of it is missing; else empty."""
        sizes = [failure.size for failure in self.failures]
        return domain.completeness(self.fraction, sizes) if sizes else ""

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Inputs that could not be planned, and partitions that failed."""
        return (*self.plan.failures, *self.metrics.failures)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the input, the run and the result, each said once."""
        try:
            shown = self.domain.warnings(self.result)
        except Exception as error:  # a finished run is not lost over a remark
            shown = (f"the result could not be looked at ({type(error).__name__}: {error})",)
        return tuple(dict.fromkeys((*self.plan.warnings, *self.metrics.warnings, *shown)))

    @property
    def share_read(self) -> float:
        """Bytes read over the size of the data set, above 1 for several passes; 0 if not known."""
        size = self.plan.data_bytes
        return round(self.metrics.bytes_read / size, 4) if size else 0.0

    @property
    def stages(self) -> list[dict[str, Any]]:
        """Cost of each stage, beside what had been expected of it.

        Stages that are repeated, such as major cycles, are expected to take the
        same each time.
        """
        expected = {stage.name: stage for stage in self.expected}
        return [
            {
                "name": stage.name,
                "measured": _numbers(stage),
                "expected": _numbers(expected.get(stage.name.rstrip(" 0123456789"))),
            }
            for stage in self.metrics.stages
        ]

    @property
    def summary(self) -> dict[str, Any]:
        """The numbers a person asks for first, ready for JSON."""
        return {
            "workflow": self.spec.workflow,
            "name": self.spec.name,
            "digest": self.digest,
            **self._of_the_result(),
            "partitions": len(self.plan.partitions),
            **self._resumed(),
            "partial": bool(self.failures),
            "fraction": self.fraction,
            "failures": [vars(f) for f in self.failures],
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "bytes_read": self.metrics.bytes_read,
            **({"share_of_data_read": self.share_read} if self.plan.data_bytes else {}),
            **self._between_sites(),
        }

    def to_xarray(self) -> Any:
        """The result for xarray, with the coordinates and units of its science.

        Returns
        -------
        xarray.Dataset or xarray.DataTree
            With units, and name and digest of the run in its attributes.

        Raises
        ------
        MissingExtraError
            xarray is not installed.
        """
        dataset = self.domain.dataset(self.result)
        dataset.attrs.update(workflow=self.spec.workflow, name=self.spec.name, digest=self.digest)
        return dataset

    def to_table(self) -> list[dict[str, Any]]:
        """The result's numbers as records, one for each thing that its science counts.

        Returns
        -------
        list of dict
            All with the same keys, as ``pandas.DataFrame`` takes them.
        """
        return self.domain.table(self.result)

    def __repr__(self) -> str:
        partial = f", {self.completeness}" if self.failures else ""
        spec = self.spec
        return f"<Outcome of {spec.name} ({spec.workflow}), digest {self.digest[:12]}{partial}>"

    def __str__(self) -> str:
        """What the screen shows of a run, a line each."""
        summary = {k: v for k, v in self.summary.items() if k not in SHOWN_APART}
        lines = display.lines(summary)
        lines += self._energy
        width = max((len(name) for name, _ in lines), default=0)
        return "\n".join([repr(self), *(f"  {name:<{width}}  {value}" for name, value in lines)])

    def _repr_html_(self) -> str:
        summary = {k: v for k, v in self.summary.items() if k not in SHOWN_APART}
        rows = [] if not self.failures else [("completeness", self.completeness)]
        rows += display.lines(summary)
        rows = [*rows[: display.MOST_ROWS], *self._energy, ("digest", self.digest[:16] + "…")]
        failures = [f"{failure.where}: {failure.error}" for failure in self.failures]
        title = f"{self.spec.name} ({self.spec.workflow})"
        notes = [*failures, *self.warnings]
        return display.card(title, rows, notes=notes, webp=self._thumbnail())

    @property
    def _energy(self) -> list[tuple[str, str]]:
        return [("energy", self.accounts.line)] if self.accounts else []

    def _thumbnail(self) -> bytes:
        """What people look at first, small; nothing where it cannot be drawn."""
        try:
            return display.thumbnail(self.domain.plot(self.result))
        except Exception:  # `plot` says why; the numbers beside it are there
            return b""

    def _resumed(self) -> dict[str, Any]:
        """What an earlier run had left to go on from."""
        metrics, resumed = self.metrics, dict[str, Any]()
        if metrics.resumed:
            resumed["partitions_resumed"] = metrics.resumed
        if metrics.passes_resumed:
            resumed["passes_resumed"] = list(metrics.passes_resumed)
        return resumed

    def _between_sites(self) -> dict[str, Any]:
        """What moved between the sites that computed together."""
        if self.traffic is None:
            return {}
        return {"bytes_between_sites": self.traffic.crossing("measured")}

    def _of_the_result(self) -> dict[str, Any]:
        try:
            return self.domain.summary(self.result)
        except Exception as error:  # the result's files hold all that it would say
            return {"no_summary": f"{type(error).__name__}: {error}"}


def _numbers(stage: Stage | None) -> dict[str, float] | None:
    """A stage without its name; ``None`` where nothing was expected."""
    return None if stage is None else stage.numbers
