"""What HTCondor says of the job that a profile asks for, without submitting it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from spectrum_workflows import display
from spectrum_workflows.findings import Finding, doubt, fault, fine
from spectrum_workflows.sites.batch.commands import LOGIN, Answer, answered, installed
from spectrum_workflows.sites.batch.htcondor.script import requested
from spectrum_workflows.sites.batch.system import Request

NEEDED = ("condor_submit", "condor_q", "condor_rm")
INFORMING = ("condor_status",)
WHOLE = 'SlotType =!= "Dynamic"'
"""Slots that are not parts of others."""


@dataclass(frozen=True)
class Slot:
    """A slot as ``condor_status`` lists it, with what it may be divided into; memory in bytes."""

    name: str
    state: str
    cores: int
    memory: int


def examine(script: str) -> list[Finding]:
    """Ask HTCondor everything that it tells before a job is submitted.

    Parameters
    ----------
    script : str
        The job that would be submitted.
    """
    findings = [installed(NEEDED, INFORMING, LOGIN)]
    if findings[0].status == "fault":
        return findings
    queue = answered(["condor_q", "-totals"])
    if not queue.succeeded:
        return [*findings, _silent(queue)]
    findings.append(fine("schedd", "answers", "answers"))
    attributes = "Name,State,TotalSlotCpus,TotalSlotMemory"
    listing = ["condor_status", "-json", "-constraint", WHOLE, "-attributes", attributes]
    findings += of_slots(requested(script), answered(listing))
    return [*findings, of_trial(answered(["condor_submit", "-dry-run", "/dev/null", "-"], script))]


def _silent(answer: Answer) -> Finding:
    remedy = "wait, or ask the centre; CONDOR_CONFIG and condor_config say which pool is asked"
    return fault("schedd", answer.text or "says nothing", "answers", remedy)


def parsed_slots(text: str) -> list[Slot] | None:
    """Slots of ``condor_status -json``; ``None`` where it prints something else."""
    try:
        table = json.loads(text or "[]")
        return [
            Slot(
                slot["Name"],
                slot.get("State", ""),
                int(slot.get("TotalSlotCpus", 0)),
                int(slot.get("TotalSlotMemory", 0)) << 20,
            )
            for slot in table
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def of_slots(request: Request, answer: Answer) -> list[Finding]:
    """Compare a request with the slots of the pool.

    Parameters
    ----------
    request : Request
    answer : Answer
        Of ``condor_status -json``.
    """
    slots = parsed_slots(answer.text) if answer.succeeded else None
    if slots is None:
        last = answer.text.rpartition("\n")[2] or "nothing"
        remedy = "whether a machine is large enough is not known: ask the centre"
        return [doubt("slots", f"condor_status says: {last}", "a list in JSON", remedy)]
    if not slots:
        remedy = "a pool that starts machines when jobs wait shows none before; else ask the centre"
        return [doubt("slots", "condor_status shows none", "at least one", remedy)]
    count = sum(slot.state == "Unclaimed" for slot in slots)
    line = f"{display.counted(len(slots), 'slot')}, {count} with something free"
    asked = f"a job asks for {_shown(request.cores, request.memory)}"
    nearest = max(slots, key=lambda slot: _share(request, slot))
    expected = f"at most what one machine has, such as {_shown(nearest.cores, nearest.memory)}"
    if any(s.cores >= request.cores and s.memory >= request.memory for s in slots):
        return [fine("slots", line), fine("memory and cores", asked, expected)]
    remedy = "ask for less memory or fewer cores below [cluster]"
    return [fine("slots", line), fault("memory and cores", asked, expected, remedy)]


def _share(request: Request, slot: Slot) -> tuple[float, int, int]:
    """How much of a request a slot can hold, and of two alike the larger one."""
    share = min(slot.cores / max(1, request.cores), slot.memory / max(1, request.memory), 1.0)
    return share, slot.cores, slot.memory


def _shown(cores: int, memory: int) -> str:
    return f"{display.counted(cores, 'core')} and {display.megabytes(memory)}"


def of_trial(answer: Answer) -> Finding:
    """What ``condor_submit -dry-run`` says of the job."""
    expected = "HTCondor would take it"
    if answer.succeeded:
        return fine("job", expected, expected)
    remedy = "correct [cluster] in the profile; spectrum sites show prints the job"
    return fault("job", answer.text or "refused", expected, remedy)
