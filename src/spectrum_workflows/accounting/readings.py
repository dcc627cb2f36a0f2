"""Readings of the processes of a run, and what they say of its energy: each node counted once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from spectrum_workflows.accounting.energy import MEASURED, Energy
from spectrum_workflows.accounting.power import Processor

RAPL = "RAPL counters of processors and memory"


@dataclass(frozen=True)
class Reading:
    """What one process tells at one moment.

    Attributes
    ----------
    node : str
        What all processes of one booted machine have in common, containers included.
    process : str
        What no other process has.
    seconds : float
        The node's clock.
    cpu_seconds : float
        Of this process since it began.
    node_cpu_seconds : float
        Of everything that computed on the node since it was booted.
    cores : int
        Of the node that can compute at a time, hyperthreads included.
    joules : float or None
        Of the node, since this process or the batch system began to count; ``None`` where there
        is no counter, or none that it may read.
    source : str
        What counts.
    job : str
        Number of the batch job that the process is in; empty where there is none.
    processor : Processor or None
        Of the node.
    site : int or None
        Which of several sites that compute together it is from; ``None`` for the session.
    """

    node: str
    process: str
    seconds: float
    cpu_seconds: float
    node_cpu_seconds: float
    cores: int
    joules: float | None = None
    source: str = RAPL
    job: str = ""
    processor: Processor | None = None
    site: int | None = None


@dataclass(frozen=True)
class Use:
    """What was used between two moments.

    Attributes
    ----------
    nodes : int
        With a process of the run.
    jobs : tuple of str
        Batch jobs of the run.
    processors : tuple of (Processor, float)
        Kinds of nodes, with the CPU seconds of the run's processes there.
    cpu_seconds : float
        Of the run's processes on nodes whose energy was measured.
    energy : Energy or None
        Measured on these nodes; ``None`` where there are none.
    """

    nodes: int = 0
    jobs: tuple[str, ...] = ()
    processors: tuple[tuple[Processor, float], ...] = ()
    cpu_seconds: float = 0.0
    energy: Energy | None = None


def use_between(before: Iterable[Reading], after: Iterable[Reading]) -> Use:
    """What a run used, from readings of its processes at its beginning and at its end.

    The counters are the node's: of all processes on a node, one pair of readings is taken, and
    its energy is the run's by its share of the node's CPU time.  The range goes from the run's
    share of everything that the node could have computed to all that it took.
    """
    first = {one.process: one for one in before}
    last = {one.process: one for one in after}
    by_node = defaultdict[str, list[Reading]](list)
    for one in last.values():
        by_node[one.node].append(one)
    jobs = sorted({one.job for one in (*first.values(), *last.values()) if one.job})
    measured, cpu_seconds = list[Energy](), 0.0
    kinds = defaultdict[Processor, float](float)
    for readings in by_node.values():
        ours = sum(max(0.0, one.cpu_seconds - _cpu_before(first, one)) for one in readings)
        if readings[0].processor is not None:
            kinds[readings[0].processor] += ours
        energy = _of_node(first, readings, ours)
        if energy is not None:
            measured.append(energy)
            cpu_seconds += ours
    nodes = len({one.node for one in (*first.values(), *last.values())})
    total = sum(measured[1:], measured[0]) if measured else None
    return Use(nodes, tuple(jobs), tuple(kinds.items()), cpu_seconds, total)


def with_counters(
    readings: Sequence[Reading], joules: Mapping[str, float], source: str
) -> list[Reading]:
    """Readings with what a batch system has counted on nodes that show no counter.

    A batch system counts for a job what its whole node takes: of jobs that share a node, each
    has the same energy, and of a job with several nodes it is not said which took what.

    Parameters
    ----------
    readings : sequence of Reading
    joules : mapping of str to float
        By job, since it began.
    source : str
        What counts.
    """
    nodes = defaultdict[str, set[str]](set)
    for one in readings:
        nodes[one.job].add(one.node)
    return [
        replace(one, joules=joules[one.job], source=source)
        if one.joules is None and one.job in joules and len(nodes[one.job]) == 1
        else one
        for one in readings
    ]


def _cpu_before(first: Mapping[str, Reading], now: Reading) -> float:
    """CPU seconds before the run; 0 for a process that began in it."""
    return first[now.process].cpu_seconds if now.process in first else 0.0


def _of_node(first: Mapping[str, Reading], now: Sequence[Reading], ours: float) -> Energy | None:
    """Energy of the run on one node, by the pair of readings that are furthest apart."""
    pairs = [
        (first[one.process], one)
        for one in now
        if one.process in first
        and one.joules is not None
        and first[one.process].joules is not None
        and first[one.process].source == one.source
    ]
    if not pairs:
        return None
    begin, end = max(pairs, key=lambda pair: pair[1].seconds - pair[0].seconds)
    joules = (end.joules or 0.0) - (begin.joules or 0.0)
    if joules <= 0:
        return None  # too short for the counter, or it was reset
    busy = max(end.node_cpu_seconds - begin.node_cpu_seconds, ours)
    able = max(end.cores * (end.seconds - begin.seconds), busy)
    if busy <= 0:
        return Energy(0.0, 0.0, joules, MEASURED, end.source)
    return Energy(joules * ours / busy, joules * ours / able, joules, MEASURED, end.source)
