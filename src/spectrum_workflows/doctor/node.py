"""The part of an examination that runs where work would run: in a worker of the site."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field, replace
from typing import Any

from spectrum_workflows import arithmetic, record, storage
from spectrum_workflows.doctor import energy, folders, software, stores
from spectrum_workflows.findings import Finding
from spectrum_workflows.storage import Stores

WITHIN = 10.0
"""Seconds that an examination of a node may take."""


@dataclass(frozen=True)
class Questions:
    """What a node is asked; travels to it, so it holds no secret.

    Attributes
    ----------
    stores : Stores
        How stores are reached.
    data, results : str
        Root URLs.
    inputs : tuple of str
        URLs of a spec's input; the first is read from.
    """

    stores: Stores
    data: str
    results: str
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examination:
    """What was seen in a node.

    Attributes
    ----------
    name : str
        Of the machine.
    findings : tuple of Finding
    versions : dict
        Distribution to version.
    machine : dict
        As `record.machine` describes it, with ``arithmetic``.
    memory : int
        Limit of the worker, bytes; 0 where it has none.
    threads : int
    """

    name: str
    findings: tuple[Finding, ...]
    versions: dict[str, str] = field(repr=False)
    machine: dict[str, Any] = field(repr=False)
    memory: int = 0
    threads: int = 1


def name_of_node() -> str:
    """The machine's name; a worker that gives it has imported this module."""
    return platform.node()


def examine_node(questions: Questions, dask_worker: Any = None) -> Examination:
    """Look at this process, its folders and its stores.

    Parameters
    ----------
    questions : Questions
    dask_worker : distributed.Worker, optional
        The worker it runs in, as `distributed.Client.run` fills in.
    """
    findings = []
    asked = stores.impatient(questions.stores, questions.data, questions.results)
    with storage.using(asked):
        findings.append(stores.data(questions.data, questions.inputs))
        findings.append(_softened(stores.results(questions.results).finding))
    findings.append(energy.of_counters())
    memory, threads = 0, 1
    if dask_worker is not None:
        memory = int(dask_worker.memory_manager.memory_limit or 0)
        threads = dask_worker.state.nthreads
        key = "set local_directory below [cluster]"
        scratch = folders.looked_at(dask_worker.local_directory)
        findings.append(folders.judged(scratch, "scratch", key, room=memory // 2, local=True))
    machine = record.machine() | {"arithmetic": arithmetic.arithmetic()}
    versions = software.installed()
    return Examination(platform.node(), tuple(findings), versions, machine, memory, threads)


def _softened(finding: Finding) -> Finding:
    """Results are written by the session; workers only what is too large for it."""
    if finding.status != "fault":
        return finding
    remedy = f"workers write there what is too large for the session: {finding.remedy}"
    return replace(finding, status="doubt", remedy=remedy)
