"""A job's request against the limits of partition, nodes and accounts, as SLURM prints them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from spectrum_workflows import display
from spectrum_workflows.findings import Finding, doubt, fault, fine
from spectrum_workflows.sites.batch.slurm.script import clock, duration
from spectrum_workflows.sites.batch.system import Request

OUT = re.compile(r"down|drain|fail|maint|unknown|power(ed|ing)_down|no_respond|planned_down|\*")
"""States of nodes, as sinfo calls them, in which no job starts; a star means no answer."""
_LESS = "ask for less memory or fewer cores below [cluster], or take another queue"
UNLIMITED = {"", "UNLIMITED", "NONE", "(null)", "N/A"}


@dataclass(frozen=True)
class Partition:
    """A partition as ``scontrol show partition`` describes it."""

    name: str
    state: str
    default: bool
    seconds: float
    accounts: frozenset[str]
    denied: frozenset[str]
    memory: float
    cores: float


@dataclass(frozen=True)
class Node:
    """A node as ``sinfo --Node`` lists it; memory in bytes."""

    name: str
    state: str
    cores: int
    memory: int


def parsed_partitions(text: str) -> list[Partition]:
    """Partitions of ``scontrol --oneliner show partition``."""
    tables = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in text.splitlines()]
    return [_partition(table) for table in tables if "PartitionName" in table]


def _partition(table: Mapping[str, str]) -> Partition:
    return Partition(
        table["PartitionName"],
        table.get("State", ""),
        table.get("Default", "NO") == "YES",
        duration(table.get("MaxTime", "UNLIMITED")),
        _names(table.get("AllowAccounts", "ALL")),
        _names(table.get("DenyAccounts", "")),
        _most(table.get("MaxMemPerNode", ""), 1 << 20),
        _most(table.get("MaxCPUsPerNode", ""), 1),
    )


def _names(text: str) -> frozenset[str]:
    return frozenset() if text in UNLIMITED | {"ALL"} else frozenset(text.split(","))


def _most(text: str, unit: int) -> float:
    return int(text) * unit if text.isdigit() else math.inf


def parsed_nodes(text: str) -> list[Node]:
    """Nodes of ``sinfo --Node --format=%N|%T|%c|%m``."""
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 3]
    return [
        Node(name, state.lower(), int(cores.rstrip("+")), int(memory.rstrip("+")) << 20)
        for name, state, cores, memory in rows
    ]


def chosen(request: Request, partitions: Iterable[Partition]) -> Partition:
    """The partition that a request goes to; `StopIteration` where there is none."""
    named = request.partition.split(",")
    return next(p for p in partitions if (p.name in named if request.partition else p.default))


def of_partition(request: Request, partitions: list[Partition]) -> Iterator[Finding]:
    """Compare a request with its partition's state and limits."""
    names = ", ".join(partition.name for partition in partitions) or "none is shown"
    expected = f"one of: {names}"
    remedy = "set queue below [cluster]"
    try:
        partition = chosen(request, partitions)
    except StopIteration:
        named = request.partition
        line = f"there is no {named!r}" if named else "none is named, and none is the default"
        yield fault("partition", line, expected, remedy)
        return
    if partition.state not in ("UP", ""):
        yield fault("partition", f"{partition.name} is {partition.state}", "UP", remedy)
        return
    yield fine("partition", f"{partition.name} is UP", expected)
    yield _of_walltime(request, partition)
    if request.memory > partition.memory or request.cores > partition.cores:
        line = f"a job asks for {_shown(request.cores, request.memory)}"
        most = (
            f"at most {partition.cores:g} cores and {display.megabytes(partition.memory)} on a "
            f"node in {partition.name}"
        )
        yield fault("memory and cores", line, most, _LESS)


def _of_walltime(request: Request, partition: Partition) -> Finding:
    limit = f"at most {clock(partition.seconds)} in {partition.name}"
    line = clock(request.seconds) if request.seconds else "the partition's own"
    if request.seconds > partition.seconds:
        return fault("walltime", line, limit, "a job over it waits for ever: set walltime")
    return fine("walltime", line, limit)


def of_nodes(request: Request, nodes: list[Node], partition: str) -> list[Finding]:
    """Compare a request with the nodes of its partition."""
    up = [node for node in nodes if not OUT.search(node.state)]
    if not up:
        states = ", ".join(sorted({node.state for node in nodes})) or "none"
        waiting = "wait for them, or take another queue"
        return [fault("nodes", f"{partition} has no node up ({states})", "at least one", waiting)]
    line = f"{len(up)} of {len(nodes)} nodes up, {sum(n.state == 'idle' for n in up)} idle"
    asked = f"a job asks for {_shown(request.cores, request.memory)}"
    largest = _shown(max(n.cores for n in up), max(n.memory for n in up))
    expected = f"at most {largest} on a node"
    fits = [n for n in up if n.cores >= request.cores and n.memory >= request.memory]
    if not fits:
        return [fine("nodes", line), fault("memory and cores", asked, expected, _LESS)]
    return [fine("nodes", line), fine("memory and cores", asked, expected)]


def of_account(request: Request, associations: frozenset[str] | None, at: Partition) -> Finding:
    """Compare a request with the accounts that one has.

    Parameters
    ----------
    request : Request
    associations : frozenset of str or None
        Accounts; ``None`` where SLURM keeps none, or does not tell.
    at : Partition
    """
    account = request.account
    remedy = "set account below [cluster]"
    if at.accounts and account not in at.accounts:
        expected = f"{at.name} takes: {', '.join(sorted(at.accounts))}"
        line = account or "no account is named"
        judge = fault if account else doubt  # without a name it is one's default account
        return judge("account", line, expected, remedy)
    if account in at.denied:
        return fault("account", f"{at.name} does not take {account}", "another", remedy)
    if associations is None:
        line = f"{account or 'none is named'}; SLURM keeps no accounts here, or does not tell"
        return fine("account", line)
    expected = f"one of yours: {', '.join(sorted(associations)) or 'you have none'}"
    if not associations or (account and account not in associations):
        return fault("account", account or "you have none", expected, remedy)
    return fine("account", account or "your default", expected)


def parsed_accounts(text: str) -> frozenset[str]:
    """Accounts that ``sacctmgr`` lists."""
    return frozenset(line.split("|")[0] for line in text.splitlines() if line.strip())


def _shown(cores: int, memory: int) -> str:
    counted = display.counted(cores, "core")
    return f"{counted} and {display.megabytes(memory)}" if memory else counted
