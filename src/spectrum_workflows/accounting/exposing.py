"""Figures of runs for Prometheus, told in the process of the scheduler by its own ``/metrics``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from spectrum_workflows.stages import Stores

MOST = 16
"""Runs that are told of, the last ones of a scheduler; of parts, as many of each site."""


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


@dataclass(frozen=True)
class SiteFigures:
    """The part that one of several sites has in a run, at one moment.

    Attributes
    ----------
    run, site : str
    cpu_seconds : float
        Of subtrees that it has finished.
    flows : tuple of (str, str, int)
        From where to where how many bytes went: what it read, what it was sent, what it gave.
    """

    run: str
    site: str
    cpu_seconds: float = 0.0
    flows: tuple[tuple[str, str, int], ...] = ()


class RunCollector:
    """Tells Prometheus the figures of the last runs.

    Attributes
    ----------
    runs : OrderedDict of str to RunFigures
    parts : OrderedDict of str to dict of str to SiteFigures
        By run and site.
    """

    def __init__(self) -> None:
        self.runs: OrderedDict[str, RunFigures] = OrderedDict()
        self.parts: OrderedDict[str, dict[str, SiteFigures]] = OrderedDict()

    def take(self, figures: RunFigures) -> None:
        """Take the newest figures of a run."""
        self.runs[figures.run] = figures
        _keep_last(self.runs, figures.run)

    def take_part(self, figures: SiteFigures) -> None:
        """Take the newest figures of a site's part of a run."""
        self.parts.setdefault(figures.run, {})[figures.site] = figures
        _keep_last(self.parts, figures.run)

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
        cpu = Counter("spectrum_site_cpu_seconds", "CPU time at a site.", labels=["run", "site"])
        ways = ["run", "site", "source", "target"]
        moved = Counter("spectrum_site_bytes", "Bytes that a site reads or gives.", labels=ways)
        for part in (part for sites in self.parts.values() for part in sites.values()):
            cpu.add_metric([part.run, part.site], part.cpu_seconds)
            for source, target, nbytes in part.flows:
                moved.add_metric([part.run, part.site, source, target], nbytes)
        if self.parts:
            yield from (cpu, moved)


def _keep_last(kept: OrderedDict[str, Any], run: str) -> None:
    """Note that a run is the newest, and forget the oldest."""
    kept.move_to_end(run)
    while len(kept) > MOST:
        kept.popitem(last=False)


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


def expose(figures: RunFigures | None, part: SiteFigures | None = None) -> None:
    """Let the endpoint of this process tell some figures from now on.

    Parameters
    ----------
    figures : RunFigures or None
        Of a whole run; ``None`` where another scheduler tells them.
    part : SiteFigures or None
        Of this scheduler's site, if it is one of several.
    """
    if (here := collector()) is None:
        return
    if figures is not None:
        here.take(figures)
    if part is not None:
        here.take_part(part)
