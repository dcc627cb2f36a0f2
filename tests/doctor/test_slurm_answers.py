"""What a real SLURM 22.05 printed, and what is made of it."""

import math

import pytest

from spectrum_workflows import load_site
from spectrum_workflows.doctor.site import for_probe, terms
from spectrum_workflows.findings import Finding
from spectrum_workflows.sites import job_script
from spectrum_workflows.sites.batch.commands import Answer
from spectrum_workflows.sites.batch.slurm.examining import of_trial
from spectrum_workflows.sites.batch.slurm.limits import (
    chosen,
    of_account,
    of_nodes,
    of_partition,
    parsed_accounts,
    parsed_nodes,
    parsed_partitions,
)
from spectrum_workflows.sites.batch.slurm.script import duration, requested
from spectrum_workflows.sites.batch.system import Request

COMMON = (
    "AllocNodes=ALL Default={default} QoS=N/A DefaultTime=00:30:00 DisableRootJobs=NO "
    "ExclusiveUser=NO GraceTime=0 Hidden=NO MaxNodes=UNLIMITED MaxTime=04:00:00 MinNodes=0 LLN=NO "
    "MaxCPUsPerNode=UNLIMITED Nodes=n[1-2] PriorityJobFactor=1 PriorityTier=1 RootOnly=NO "
    "ReqResv=NO OverSubscribe=NO OverTimeLimit=NONE PreemptMode=OFF State={state} TotalCPUs=8 "
    "TotalNodes=2 SelectTypeParameters=NONE JobDefaults=(null) DefMemPerNode=UNLIMITED "
    "MaxMemPerNode=UNLIMITED TRES=cpu=8,mem=12000M,node=2,billing=8"
)
ALLOWED = "AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL"
PARTITIONS = "\n".join(
    f"PartitionName={name} {ALLOWED} {COMMON.format(default=default, state=state)}"
    for name, default, state in (("debug", "YES", "UP"), ("closed", "NO", "DOWN"))
)
"""``scontrol --oneliner show partition``."""
NODES = "n1|idle|4|6000\nn2|idle|4|6000"
"""``sinfo --noheader --Node --partition=debug --format=%N|%T|%c|%m``."""
NO_ACCOUNTS = Answer(
    "You are not running a supported accounting_storage plugin\n"
    "Only 'accounting_storage/slurmdbd' is supported.",
    succeeded=False,
)
TAKEN = Answer(
    "sbatch: Job 1 to start at 2026-11-27T16:14:11 using 1 processors on nodes n1 in partition "
    "debug",
    succeeded=True,
)
REFUSED = Answer(
    "sbatch: error: invalid partition specified: nope\n"
    "allocation failure: Invalid partition name specified",
    succeeded=False,
)


def script(**changes: object) -> str:
    table = {key.replace("__", "."): value for key, value in changes.items()}
    return job_script(load_site("slurm", changes=table))


def only(findings: list[Finding]) -> Finding:
    [fault] = [one for one in findings if one.status == "fault"]
    assert fault.remedy
    return fault


def test_a_script_says_what_is_asked_for() -> None:
    asked = requested(script(cluster__queue="batch", cluster__account="mine", cluster__cores=8))
    assert asked == Request("batch", "mine", 3600.0, 2 << 30, 8)
    assert requested("#SBATCH --time=2-00 \n#SBATCH --mem=512\n") == Request(
        "", "", 172800.0, 1 << 29
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 5400), ("1:30", 90), ("4:00:00", 14400), ("1-12", 129600), ("1-0:30", 88200)],
)
def test_every_form_of_a_time_limit(text: str, seconds: float) -> None:
    assert duration(text) == seconds


def test_partitions_are_read() -> None:
    debug, closed = parsed_partitions(PARTITIONS)
    assert (debug.name, debug.state, debug.default, debug.seconds) == ("debug", "UP", True, 14400)
    assert (closed.name, closed.state, closed.default) == ("closed", "DOWN", False)
    assert debug.accounts == debug.denied == frozenset()
    assert debug.memory == debug.cores == math.inf
    assert chosen(Request(), [debug, closed]) is debug


@pytest.mark.parametrize(
    ("request_", "subject", "words"),
    [
        (Request(partition="nope"), "partition", "there is no 'nope'"),
        (Request(partition="closed"), "partition", "closed is DOWN"),
        (Request(seconds=36000.0), "walltime", "10:00:00"),
    ],
)
def test_a_partition_that_is_not_there_or_too_short(
    request_: Request, subject: str, words: str
) -> None:
    fault = only([*of_partition(request_, parsed_partitions(PARTITIONS))])
    assert (fault.subject, fault.found) == (subject, words)


def test_a_partition_that_gives_less_of_a_node() -> None:
    text = PARTITIONS.replace("MaxMemPerNode=UNLIMITED", "MaxMemPerNode=1000")
    fault = only([*of_partition(Request(memory=2 << 30), parsed_partitions(text))])
    assert fault.subject == "memory and cores"
    assert "1,049 MB on a node in debug" in fault.expected


def test_the_partitions_that_there_are_are_named() -> None:
    fault = only([*of_partition(Request("nope"), parsed_partitions(PARTITIONS))])
    assert fault.expected == "one of: debug, closed"
    assert fault.remedy == "set queue below [cluster]"


def test_no_default_partition() -> None:
    closed = parsed_partitions(PARTITIONS)[1:]
    assert "none is the default" in only([*of_partition(Request(), closed)]).found


def test_jobs_that_fit_on_no_node() -> None:
    nodes = parsed_nodes(NODES)
    assert [one.status for one in of_nodes(Request(memory=2 << 30), nodes, "debug")] == ["fine"] * 2
    fault = only(of_nodes(Request(memory=100 << 30), nodes, "debug"))
    assert "107,374 MB" in fault.found
    assert fault.expected == "at most 4 cores and 6,291 MB on a node"
    assert "1,000 cores" in only(of_nodes(Request(cores=1000), nodes, "debug")).found


@pytest.mark.parametrize("state", ["down", "drained", "idle*", "down*", "maint"])
def test_nodes_that_are_not_up(state: str) -> None:
    fault = only(of_nodes(Request(), parsed_nodes(NODES.replace("idle", state)), "debug"))
    assert "no node up" in fault.found


def test_accounts() -> None:
    debug = parsed_partitions(PARTITIONS)[0]
    picky = parsed_partitions(PARTITIONS.replace("AllowAccounts=ALL", "AllowAccounts=lofar,cms"))[0]
    assert NO_ACCOUNTS.succeeded is False
    assert of_account(Request(account="mine"), None, debug).status == "fine"
    own = parsed_accounts("mine\nours\n")
    assert of_account(Request(account="mine"), own, debug).status == "fine"
    theirs = only([of_account(Request(account="theirs"), own, debug)])
    assert theirs.expected == "one of yours: mine, ours"
    assert (
        only([of_account(Request(account="mine"), own, picky)]).expected
        == "debug takes: cms, lofar"
    )
    assert of_account(Request(), own, picky).status == "doubt"


def test_what_sbatch_says_of_a_job() -> None:
    assert of_trial(TAKEN).found == "SLURM would start it at 2026-11-27T16:14:11"
    refused = only([of_trial(REFUSED)])
    assert refused.found.startswith("invalid partition specified: nope")


def test_what_a_worker_gets_and_the_job_that_only_asks() -> None:
    site = load_site("slurm", changes={"cluster.memory": "4 GB", "cluster.walltime": "02:00:00"})
    assert terms(site).memory == 4_000_000_000
    assert terms(site).walltime == 7200
    probe = for_probe(site)
    assert probe.workers.count == 1
    assert terms(probe).walltime == 300
    assert "-t 00:05:00" in job_script(probe)
    short = load_site("slurm", changes={"cluster.walltime": "00:02:00"})
    assert terms(for_probe(short)).walltime == 120
