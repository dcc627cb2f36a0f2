"""What batch systems print, what is written for them, and what both are taken for."""

import json
import math
import os
import tomllib
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from spectrum_workflows import load_site
from spectrum_workflows.doctor.site import for_probe, terms
from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites import job_script
from spectrum_workflows.sites.batch.allocation import run_script
from spectrum_workflows.sites.batch.commands import Answer
from spectrum_workflows.sites.batch.htcondor import commands, examining, script
from spectrum_workflows.sites.batch.pool import Pool
from spectrum_workflows.sites.batch.slurm.commands import entry
from spectrum_workflows.sites.batch.system import QueuedJob, Request, WholeRun
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
    assert arguments.startswith(
        "arguments = \"-c 'exec >>/shared/run/log.txt 2>&1; a=$(DOLLAR)(b); "
    )
    assert arguments.endswith(" -m m /shared/run $(ClusterId).$(ProcId)'\"")
    assert "want_graceful_removal = True" in lines
    assert commands.GRACE > script.VACATE
    assert lines[-1] == "queue"


@pytest.mark.parametrize("kind", get_args(BatchKind))
@pytest.mark.parametrize("python", ["~/venv/bin/python", "$VENV/bin/python", "uv run python"])
def test_the_shell_of_a_whole_run_expands_its_interpreter(kind: BatchKind, python: str) -> None:
    site = load_site(kind, changes={"software.python": python})
    text = run_script(site, site.cluster, module="m", name="pairs", folder=Path("/a run"))
    assert f"exec {python} -m m " in text


def test_resources_of_a_whole_run() -> None:
    own = {"request_memory": "3GB", "request_disk": "0.5 GB", "request_gpus": 1}
    changes = {"workers.count": 3, "cluster.job_extra_directives": own}
    site = load_site("htcondor", changes=changes)
    text = run_script(site, site.cluster, module="m", name="pairs", folder=Path("/shared/run"))
    expected = ("request_memory = 12288", "request_disk = 2097152", "request_gpus = 3 * (1)")
    assert {*expected} <= {*text.splitlines()}


UNJOINABLE = (
    *("module load x  # note", "# note", "sleep 1 &", "true &&", "a;", "one\ntwo", "if true; then"),
    *("echo 'open", "f() {"),
)


@pytest.mark.parametrize("line", UNJOINABLE)
def test_lines_that_swallow_the_next_are_refused(line: str) -> None:
    site = load_site("htcondor", changes={"software.prologue": [line]})
    with pytest.raises(SiteError, match="cannot be followed"):
        job_script(site)
    run = WholeRun("pairs", 1, Path("log"), (line,), "python", ())
    with pytest.raises(SiteError, match="cannot be followed"):
        script.whole("", run)


@pytest.mark.parametrize("line", ["echo 'a # b'", "echo ${x#y} $# a#b", "", "a && b", "a \\&"])
def test_lines_that_can_be_joined(line: str) -> None:
    site = load_site("htcondor", changes={"software.prologue": [line, "second"]})
    assert "second; " in job_script(site)
    assert "; ;" not in job_script(site)


def test_the_schedd_that_took_a_job_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one counts its jobs with the same numbers."""
    asked: list[list[str]] = []
    waiting = [JOB | {"GlobalJobId": "submit1.example.org#7.0#1700000000"}]

    def ask(command: list[str], *, given: str | None = None) -> CompletedProcess[str]:
        asked.append(command)
        if command[0] == "condor_submit":
            return CompletedProcess(command, 0, "7.0 - 7.0\n", "")
        if command[0] == "condor_rm":
            waiting.clear()
        return CompletedProcess(command, 0, json.dumps(waiting), "")

    monkeypatch.setattr(commands, "ask", ask)
    job = commands.submit("")
    assert job == QueuedJob("7.0", "submit1.example.org")
    asked.clear()
    assert commands.is_live(job)
    commands.cancel(job)
    assert all(command[1:3] == ["-name", "submit1.example.org"] for command in asked)
    assert commands.is_live(job) is False
    asked.clear()
    unknown = QueuedJob("7.0")
    assert commands.is_live(unknown) is None
    with pytest.raises(SiteError, match="not known which schedd"):
        commands.cancel(unknown)
    assert not asked


def test_the_job_that_only_asks_ends_soon() -> None:
    site = load_site("htcondor")
    assert terms(site).walltime == math.inf
    assert terms(for_probe(site)).walltime == 300
    kept = {"cluster.job_extra_directives": {"accounting_group": "mine"}}
    assert "accounting_group = mine" in job_script(for_probe(load_site("htcondor", changes=kept)))


SLOTS = '[{"Name": "slot1@n", "State": "Unclaimed", "TotalSlotCpus": 8, "TotalSlotMemory": 4096}]'


def test_slots_against_a_request() -> None:
    slots = Answer(SLOTS, succeeded=True)
    fits = examining.of_slots(Request(cores=8, memory=4 << 30), slots)
    assert [one.status for one in fits] == ["fine", "fine"]
    [_, fault] = examining.of_slots(Request(cores=9, memory=1 << 30), slots)
    assert (fault.status, fault.subject) == ("fault", "memory and cores")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("[]", succeeded=True), "shows none"),
        (Answer("not JSON", succeeded=True), "condor_status says: not JSON"),
        (Answer("no collector", succeeded=False), "condor_status says: no collector"),
    ],
)
def test_a_pool_that_shows_no_slots_is_no_fault(answer: Answer, words: str) -> None:
    """A glide-in pool starts machines when jobs wait."""
    [finding] = examining.of_slots(Request(), answer)
    assert (finding.subject, finding.status) == ("slots", "doubt")
    assert words in finding.found


def test_cores_and_memory_are_those_of_one_machine() -> None:
    table = [
        {"Name": name, "TotalSlotCpus": cores, "TotalSlotMemory": memory}
        for name, cores, memory in (("a", 64, 4096), ("b", 8, 65536))
    ]
    answer = Answer(json.dumps(table), succeeded=True)
    [_, fault] = examining.of_slots(Request(cores=16, memory=32 << 30), answer)
    assert fault.expected == "at most what one machine has, such as 8 cores and 68,719 MB"


def test_what_condor_submit_says_of_a_job() -> None:
    assert examining.of_trial(Answer("", succeeded=True)).status == "fine"
    assert examining.of_trial(Answer("ERROR: no", succeeded=False)).found == "ERROR: no"


def test_last_words_are_those_of_the_newest_job_that_has_some(tmp_path: Path) -> None:
    for k, text in enumerate(("old\n", "no such python\n", "")):
        log = tmp_path / f"{k}.err"
        log.write_text(text)
        os.utime(log, (k, k))
    own: Any = SimpleNamespace(
        logs=tmp_path, job_name="x", system=SimpleNamespace(errors=lambda _: "*.err")
    )
    assert Pool._last_words(own) == " (its last words: no such python)"
