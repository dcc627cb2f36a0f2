"""What HTCondor says of the job that a profile asks for, without submitting it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from spectrum_workflows import display
from spectrum_workflows.findings import Finding, fault, fine
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
    findings += of_slots(requested(script), parsed_slots(answered(listing).text))
    return [*findings, of_trial(answered(["condor_submit", "-dry-run", "/dev/null", "-"], script))]


def _silent(answer: Answer) -> Finding:
    remedy = "wait, or ask the centre; CONDOR_CONFIG and condor_config say which pool is asked"
    return fault("schedd", answer.text or "says nothing", "answers", remedy)


def parsed_slots(text: str) -> list[Slot]:
    """Slots of ``condor_status -json``; none where it prints something else."""
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
        return []


def of_slots(request: Request, slots: list[Slot]) -> list[Finding]:
    """Compare a request with the slots of the pool."""
    if not slots:
        remedy = "wait for them, or ask the centre which pool to use"
        return [fault("slots", "the pool shows none", "at least one", remedy)]
    count = sum(slot.state == "Unclaimed" for slot in slots)
    line = f"{display.counted(len(slots), 'slot')}, {count} with something free"
    asked = f"a job asks for {_shown(request.cores, request.memory)}"
    largest = _shown(max(s.cores for s in slots), max(s.memory for s in slots))
    expected = f"at most {largest} on a machine"
    if any(s.cores >= request.cores and s.memory >= request.memory for s in slots):
        return [fine("slots", line), fine("memory and cores", asked, expected)]
    remedy = "ask for less memory or fewer cores below [cluster]"
    return [fine("slots", line), fault("memory and cores", asked, expected, remedy)]


def _shown(cores: int, memory: int) -> str:
    return f"{display.counted(cores, 'core')} and {display.megabytes(memory)}"


def of_trial(answer: Answer) -> Finding:
    """What ``condor_submit -dry-run`` says of the job."""
    expected = "HTCondor would take it"
    if answer.succeeded:
        return fine("job", expected, expected)
    remedy = "correct [cluster] in the profile; spectrum sites show prints the job"
    return fault("job", answer.text or "refused", expected, remedy)
