"""What batch systems print, what is written for them, and what both are taken for."""

import math
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from spectrum_workflows import load_site
from spectrum_workflows.doctor.site import for_probe, terms
from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites import job_script
from spectrum_workflows.sites.batch.allocation import run_script
from spectrum_workflows.sites.batch.commands import Answer
from spectrum_workflows.sites.batch.htcondor import commands, examining, script
from spectrum_workflows.sites.batch.slurm.commands import entry
from spectrum_workflows.sites.batch.system import Request
from spectrum_workflows.sites.batch.systems import SYSTEMS, BatchKind

ROOT = Path(__file__).parents[2]


def test_every_batch_system_has_a_profile_and_an_extra() -> None:
    assert SYSTEMS.keys() == {*get_args(BatchKind)}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for kind, system in SYSTEMS.items():
        site = load_site(kind)
        assert site.cluster is not None
        assert site.cluster.kind == kind
        assert system.section in extras["optional-dependencies"]
        assert system.requested(job_script(site)).cores == 1


@pytest.mark.parametrize("line", ["", "7", "7|RUNNING|1:00", "slurm_load_jobs error: no"])
def test_a_line_of_squeue_that_is_none_is_an_error(line: str) -> None:
    with pytest.raises(SiteError, match="squeue printed"):
        entry(line)


JOB = {"ClusterId": 7, "ProcId": 0, "JobStatus": 2, "ServerTime": 1000, "JobCurrentStartDate": 900}


@pytest.mark.parametrize(
    ("attributes", "state"),
    [
        ({}, "RUNNING"),
        ({"JobStatus": 1}, "PENDING"),
        ({"JobStatus": 3}, "COMPLETING"),
        ({"JobStatus": 4, "ExitCode": 0}, "COMPLETED"),
        ({"JobStatus": 4, "ExitCode": 1}, "FAILED"),
        ({"JobStatus": 4}, "FAILED"),  # ended by a signal
        ({"JobStatus": 5, "HoldReasonCode": 1}, "CANCELLED"),
        ({"JobStatus": 5, "HoldReasonCode": 47}, "TIMEOUT"),
        ({"JobStatus": 5, "HoldReasonCode": 6}, "FAILED"),
        ({"JobStatus": 6}, "RUNNING"),
        ({"JobStatus": 7}, "SUSPENDED"),
    ],
)
def test_states_of_htcondor_in_slurms_words(attributes: dict[str, int], state: str) -> None:
    assert commands.entry(JOB | attributes)[1].state == state


def test_time_left_and_reasons_of_htcondor() -> None:
    number, job = commands.entry(JOB | {"AllowedExecuteDuration": 600, "MaxRuntime": 3600})
    assert (number, job.left, job.limit, job.reason) == ("7.0", 500.0, 600.0, "")
    assert commands.entry(JOB)[1].left == math.inf
    held = JOB | {"JobStatus": 5, "HoldReason": "no such file"}
    assert commands.entry(held)[1].reason == "held: no such file"
    with pytest.raises(SiteError, match="condor_q printed"):
        commands.entry({"ClusterId": 7})


def described(**changes: object) -> str:
    table = {key.replace("__", "."): value for key, value in changes.items()}
    return job_script(load_site("htcondor", changes=table))


def test_what_a_submit_description_asks_for() -> None:
    asked = {"+MaxRuntime": 7200, "accounting_group": "mine", "Batch_Name": "other"}
    text = described(cluster__cores=4, cluster__job_extra_directives=asked)
    assert script.requested(text) == Request("", "mine", 7200.0, 2_000_000_000, 4)
    assert "batch_name = spectrum" in text
    assert "other" not in text
    own = {"request_cpus": 8, "request_memory": "3GB"}
    asked_for = script.requested(described(cluster__job_extra_directives=own))
    assert (asked_for.cores, asked_for.memory) == (8, 3 << 30)


def test_shell_and_macros_of_a_submit_description_are_kept_apart() -> None:
    text = described(software__prologue=["X=$(hostname)", 'echo "it\'s"'])
    assert 'X=$(DOLLAR)(hostname); echo ""it\'\'s""; if grep' in text
    with pytest.raises(SiteError, match="job_extra_directives"):
        described(cluster__job_extra={"a": "b"})


def test_a_whole_run_in_one_job_of_htcondor() -> None:
    site = load_site("htcondor", changes={"workers.count": 3, "software.prologue": ["a=$(b)"]})
    text = run_script(site, site.cluster, module="m", name="pairs", folder=Path("/shared/run"))
    lines = text.splitlines()
    assert "batch_name = pairs" in lines
    assert "RequestCpus = 4 * (MY.DaskWorkerCores)" in lines
    assert not [line for line in lines if line.startswith("leave_in_queue")]
    [arguments] = [line for line in lines if line.startswith("arguments")]
    assert arguments.startswith("arguments = \"-c 'a=$(DOLLAR)(b); ")
    assert arguments.endswith(" -m m /shared/run $(ClusterId).$(ProcId)'\"")
    assert lines[-1] == "queue"


def test_the_job_that_only_asks_ends_soon() -> None:
    site = load_site("htcondor")
    assert terms(site).walltime == math.inf
    assert terms(for_probe(site)).walltime == 300
    kept = {"cluster.job_extra_directives": {"accounting_group": "mine"}}
    assert "accounting_group = mine" in job_script(for_probe(load_site("htcondor", changes=kept)))


SLOTS = '[{"Name": "slot1@n", "State": "Unclaimed", "TotalSlotCpus": 8, "TotalSlotMemory": 4096}]'


def test_slots_against_a_request() -> None:
    slots = examining.parsed_slots(SLOTS)
    fits = examining.of_slots(Request(cores=8, memory=4 << 30), slots)
    assert [one.status for one in fits] == ["fine", "fine"]
    [_, fault] = examining.of_slots(Request(cores=9, memory=1 << 30), slots)
    assert (fault.status, fault.subject) == ("fault", "memory and cores")
    [fault] = examining.of_slots(Request(), examining.parsed_slots("not JSON"))
    assert fault.subject == "slots"


def test_what_condor_submit_says_of_a_job() -> None:
    assert examining.of_trial(Answer("", succeeded=True)).status == "fine"
    assert examining.of_trial(Answer("ERROR: no", succeeded=False)).found == "ERROR: no"
