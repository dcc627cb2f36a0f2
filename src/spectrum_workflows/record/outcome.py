"""What comes back from a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spectrum_workflows import domain
from spectrum_workflows.domain import Plan, Tally


@dataclass(frozen=True)
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
    tally : Tally
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
    """

    spec: Any
    plan: Plan
    result: Any
    tally: Tally
    digest: str
    started: str
    seconds: float
    cpu_seconds: float
    workers: int
    machine: dict[str, Any]
    worker_machines: tuple[dict[str, Any], ...]

    @property
    def domain(self) -> domain.Domain:
        """The science this run belongs to."""
        return domain.get(self.spec.workflow)

    @property
    def fraction(self) -> float:
        """Share of the planned events or visibilities in the result; 1 if complete."""
        return domain.fraction_done(self.plan, self.tally.failures)

    @property
    def summary(self) -> dict[str, Any]:
        """The numbers a person asks for first, ready for JSON."""
        return {
            "workflow": self.spec.workflow,
            "name": self.spec.name,
            "digest": self.digest,
            **self.domain.summary(self.result),
            "partitions": len(self.plan.partitions),
            "partial": bool(self.tally.failures),
            "fraction": self.fraction,
            "failures": [vars(f) for f in self.tally.failures],
            "warnings": list(self.plan.warnings),
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "bytes_read": self.tally.bytes_read,
        }
