"""What SLURM says of the job that a profile asks for, without submitting it."""

from __future__ import annotations

import getpass
import re
import shutil

from spectrum_workflows.findings import Finding, fault, fine
from spectrum_workflows.sites.batch.commands import Answer, answered, installed
from spectrum_workflows.sites.batch.slurm.limits import (
    chosen,
    of_account,
    of_nodes,
    of_partition,
    parsed_accounts,
    parsed_nodes,
    parsed_partitions,
)
from spectrum_workflows.sites.batch.slurm.script import requested

NEEDED = ("sbatch", "squeue", "scancel")
INFORMING = ("scontrol", "sinfo")


def examine(script: str) -> list[Finding]:
    """Ask SLURM everything that it tells before a job is submitted.

    Parameters
    ----------
    script : str
        The job that would be submitted.
    """
    remedy = "run this on a login node of the cluster, or load its module (module load slurm)"
    findings = [installed(NEEDED, INFORMING, remedy)]
    if any(one.status == "fault" for one in findings):
        return findings
    controller = answered(["scontrol", "ping"])
    if " is UP" not in controller.text:
        return [*findings, _silent(controller)]
    request = requested(script)
    partitions = parsed_partitions(answered(["scontrol", "--oneliner", "show", "partition"]).text)
    findings += [_alive(), *of_partition(request, partitions)]
    if any(one.status == "fault" for one in findings):
        return findings
    name = chosen(request, partitions).name
    listing = ["sinfo", "--noheader", "--Node", f"--partition={name}", "--format=%N|%T|%c|%m"]
    findings += of_nodes(request, parsed_nodes(answered(listing).text), name)
    findings.append(of_account(request, _associations(), chosen(request, partitions)))
    return [*findings, of_trial(answered(["sbatch", "--test-only"], script))]


def _alive() -> Finding:
    version = answered(["scontrol", "--version"])
    return fine("controller", f"answers; {version.text}", "answers")


def _silent(answer: Answer) -> Finding:
    remedy = "wait, or ask the centre; SLURM_CONF says which cluster is asked"
    last = answer.text.rpartition("\n")[2] or "says nothing"
    return fault("controller", last, "answers", remedy)


def _associations() -> frozenset[str] | None:
    if shutil.which("sacctmgr") is None:
        return None
    query = ["show", "associations", f"user={getpass.getuser()}", "format=Account"]
    answer = answered(["sacctmgr", "--noheader", "--parsable2", *query])
    return parsed_accounts(answer.text) if answer.succeeded else None


def of_trial(answer: Answer) -> Finding:
    """What ``sbatch --test-only`` says of the job."""
    words = re.sub(r"sbatch: (error: )?", "", answer.text)
    if not answer.succeeded:
        remedy = "correct [cluster] in the profile; spectrum sites show prints the job"
        return fault("job", words or "refused", "SLURM would take it", remedy)
    match = re.search(r"to start at (\S+)", words)
    line = f"SLURM would start it at {match[1]}" if match else "SLURM would take it"
    return fine("job", line, "SLURM would take it")
