"""Figures of runs for Prometheus, told in the process of the scheduler by its own ``/metrics``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from spectrum_workflows.stages import Stores

MOST = 16
"""Runs that are told of, the last ones of a scheduler."""


@dataclass(frozen=True)
class Progress:
    """A stage of a run: pieces of work that are done, of how many."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class RunFigures:
    """What is known of a run at one moment.

    Attributes
    ----------
    run, workflow : str
    state : str
        ``running``, ``done`` or ``stopped``.
    seconds : float
        Wall time.
    progress : tuple of Progress
        Stages that have begun.
    failures : int
        Partitions that failed.
    cpu_seconds : float
        Of what has been merged.
    stores : tuple of (str, int)
        Bytes that were read for it, by store.
    joules : float
        Energy of it.
    method : str
        ``measured``, ``modelled`` or ``partly measured``.
    """

    run: str
    workflow: str
    state: str
    seconds: float
    progress: tuple[Progress, ...] = ()
    failures: int = 0
    cpu_seconds: float = 0.0
    stores: Stores = ()
    joules: float = 0.0
    method: str = "modelled"


class RunCollector:
    """Tells Prometheus the figures of the last runs.

    Attributes
    ----------
    runs : OrderedDict of str to RunFigures
    """

    def __init__(self) -> None:
        self.runs: OrderedDict[str, RunFigures] = OrderedDict()

    def take(self, figures: RunFigures) -> None:
        """Take the newest figures of a run."""
        self.runs[figures.run] = figures
        self.runs.move_to_end(figures.run)
        while len(self.runs) > MOST:
            self.runs.popitem(last=False)

    def collect(self) -> Iterator[Any]:
        """Everything that is known, as families of metrics."""
        from prometheus_client.core import CounterMetricFamily as Counter
        from prometheus_client.core import GaugeMetricFamily as Gauge

        runs = [*self.runs.values()]
        info = Gauge("spectrum_run", "1 for each run.", labels=["run", "workflow", "state"])
        seconds = Gauge("spectrum_run_seconds", "Wall time.", labels=["run"])
        done = Gauge("spectrum_stage_done", "Pieces that are done.", labels=["run", "stage"])
        total = Gauge("spectrum_stage_total", "Pieces of a stage.", labels=["run", "stage"])
        failures = Gauge("spectrum_run_failures", "Partitions that failed.", labels=["run"])
        cpu = Counter("spectrum_run_cpu_seconds", "CPU time of what is merged.", labels=["run"])
        read = Counter("spectrum_run_read_bytes", "Bytes read, by store.", labels=["run", "store"])
        energy = Gauge("spectrum_run_energy_joules", "Energy.", labels=["run", "method"])
        for one in runs:
            info.add_metric([one.run, one.workflow, one.state], 1)
            seconds.add_metric([one.run], one.seconds)
            failures.add_metric([one.run], one.failures)
            cpu.add_metric([one.run], one.cpu_seconds)
            energy.add_metric([one.run, one.method], one.joules)
            for stage in one.progress:
                done.add_metric([one.run, stage.stage], stage.done)
                total.add_metric([one.run, stage.stage], stage.total)
            for store, nbytes in one.stores:
                read.add_metric([one.run, store], nbytes)
        yield from (info, seconds, done, total, failures, cpu, read, energy)


@lru_cache(maxsize=1)
def collector() -> RunCollector | None:
    """The collector of this process; ``None`` where prometheus-client is not installed."""
    try:
        import prometheus_client
    except ImportError:
        return None
    made = RunCollector()
    prometheus_client.REGISTRY.register(made)
    return made


def expose(figures: RunFigures) -> None:
    """Let the endpoint of this process tell some figures from now on."""
    if (here := collector()) is not None:
        here.take(figures)
