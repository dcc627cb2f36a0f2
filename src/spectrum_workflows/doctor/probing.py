"""One worker of a site, asked from the session, and the way to it in both directions."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from spectrum_workflows.doctor import clocks, memory, processors, software
from spectrum_workflows.doctor.node import (
    WITHIN,
    Examination,
    Questions,
    examine_node,
    name_of_node,
)
from spectrum_workflows.findings import Finding, fault, fine
from spectrum_workflows.sites.asking import asked_one
from spectrum_workflows.sites.watch import connected

if TYPE_CHECKING:
    from distributed import Client

WAKES_WITHIN = 60.0
"""Seconds that a worker may take to import what it is asked with, from a slow file system."""
_OPEN = "open the network between session and nodes in both directions, or set interface"


def examine_worker(client: Client, questions: Questions, largest: int) -> list[Finding]:
    """Ask one worker everything.

    Parameters
    ----------
    client : distributed.Client
        With a worker.
    questions : Questions
    largest : int
        Bytes of the largest task; 0 where there is no spec.
    """
    address = min(connected(client), default="")
    if not address:
        return [fault("network", "no worker is connected", "one", _OPEN)]
    expected = "the session reaches nodes, and nodes the session"
    if not isinstance(asked_one(client, name_of_node, address, within=WAKES_WITHIN), str):
        line = f"the worker at {address} was heard, and does not answer within {WAKES_WITHIN:g} s"
        return [fault("network", line, expected, _OPEN)]
    begun = time.time()
    moment = asked_one(client, time.time, address, within=WITHIN)
    ended = time.time()
    examination = asked_one(client, partial(examine_node, questions), address, within=WITHIN)
    if not isinstance(examination, Examination) or not isinstance(moment, float):
        reason = f"no answer within {WITHIN:g} s" if examination is None else str(examination)
        return [fault("node", reason, "it answers", "see the worker's log, or ask again")]
    reading = clocks.Reading(examination.name, moment - (begun + ended) / 2, (ended - begun) / 2)
    findings = [
        fine("network", f"{address} reaches the session, and is reached", expected),
        _of_task(client, address),
        *clocks.compared([reading]),
        *of_examination(examination, largest),
    ]
    return [one.at(f"node {examination.name}") for one in findings]


def of_examination(examination: Examination, largest: int) -> list[Finding]:
    """Judge what was seen in a node."""
    findings = [
        *examination.findings,
        software.against_session(examination.versions, software.working_set()),
        processors.processor(examination.machine),
    ]
    if largest:
        findings.append(memory.enough(examination.memory, largest, examination.threads))
    return findings


def _of_task(client: Client, address: str) -> Finding:
    """Whether a task's result comes back as those of a run do."""
    expected = f"a result within {WITHIN:g} s"
    future = client.submit(abs, -1, workers=[address], pure=False)
    try:
        begun = time.monotonic()
        future.result(timeout=WITHIN)
    except Exception as error:  # whatever keeps it from coming
        reason = f"{type(error).__name__}: {error}"
        return fault("task", f"its result did not come ({reason})", expected, _OPEN)
    finally:
        future.release()
    return fine("task", f"its result came in {time.monotonic() - begun:.2g} s", expected)
