"""A run as a usage record, in the forms that allocation managers and accounting services read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

from spectrum_workflows.accounting.accounts import SEVERAL, read_accounts
from spectrum_workflows.accounting.energy import Carbon, Energy
from spectrum_workflows.errors import DataError
from spectrum_workflows.stages import Stores

CAR = "http://eu-emi.eu/namespaces/2012/11/computerecord"
"""Namespace of the compute accounting record (CAR 1.2), the OGF usage record that APEL reads."""

WITHHELD = "withheld"
"""In the place of a user, as APEL itself writes it."""

_NOT_FOR_AUDITOR = re.compile(r'[/()"<>\\{}]')


@dataclass(frozen=True)
class UsageRecord:
    """What one run used.

    Attributes
    ----------
    run : str
        Name of the run's folder, which no other run has.
    name, workflow : str
        Of its spec.
    site, project : str
        As accounting knows them; empty where the profile does not say.
    jobs : tuple of str
        Batch jobs of its workers.
    start, end : datetime
        In UTC.
    cpu_seconds, wall_seconds : float
    processors, nodes : int
        Tasks that could be computed at a time, and nodes.
    memory : int
        Bytes of the largest process; 0 where it is not known.
    complete : bool
        Whether all of the input is in the result.
    stores : tuple of (str, int)
        Bytes that were read, by store.
    energy : Energy or None
    carbon : Carbon or None
    """

    run: str
    name: str
    workflow: str
    site: str
    project: str
    jobs: tuple[str, ...]
    start: datetime
    end: datetime
    cpu_seconds: float
    wall_seconds: float
    processors: int
    nodes: int
    memory: int
    complete: bool
    stores: Stores
    energy: Energy | None
    carbon: Carbon | None

    @property
    def job(self) -> str:
        """The batch job that it is, if it is one; else the run itself."""
        return self.jobs[0] if len(self.jobs) == 1 else self.run


def usage_of(record: Mapping[str, Any], run: str, *, site: str = "") -> UsageRecord:
    """The usage record of a saved run.

    Parameters
    ----------
    record : mapping
        Of a saved run; one of an earlier version has no energy.
    run : str
        Name of its folder.
    site : str
        As accounting knows the place, where the record does not say, or names several.

    Raises
    ------
    DataError
        Its times or accounts are not what every run writes.
    """
    try:
        accounts = read_accounts(table) if (table := record.get("accounts")) else None
        start, wall = datetime.fromisoformat(record["started"]), float(record["seconds"])
        if start.tzinfo is None or not (math.isfinite(wall) and wall >= 0):
            raise ValueError("times that cannot be")
        return UsageRecord(
            run=run,
            name=str(record["name"]),
            workflow=str(record["workflow"]),
            site=_named(accounts.site if accounts else "", site),
            project=accounts.project if accounts else "",
            jobs=accounts.jobs if accounts else (),
            start=start.astimezone(UTC),
            end=start.astimezone(UTC) + timedelta(seconds=wall),
            cpu_seconds=float(record["cpu_seconds"]),
            wall_seconds=wall,
            processors=accounts.processors if accounts else max(1, int(record["workers"])),
            nodes=accounts.nodes if accounts else 1,
            memory=accounts.memory if accounts else 0,
            complete=not record["partial"],
            stores=accounts.stores if accounts else (),
            energy=accounts.energy if accounts else None,
            carbon=accounts.carbon if accounts else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        message = f"its record has no usage that can be read ({type(error).__name__}: {error})"
        raise DataError(message, run, "run it again") from error


def as_car(records: Sequence[UsageRecord]) -> str:
    """Compute accounting records in XML, as APEL reads them.

    Raises
    ------
    DataError
        A run does not say which site it was at, or was at several.
    """
    ElementTree.register_namespace("urf", CAR)
    root = ElementTree.Element(f"{{{CAR}}}UsageRecords")
    for one in records:
        root.append(_car(one))
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode")


def as_auditor(records: Sequence[UsageRecord]) -> str:
    """A list of records in JSON, as AUDITOR takes them at ``/records``.

    Amounts are whole numbers: seconds of CPU time, MB, joules.

    Raises
    ------
    DataError
        A run does not say which site it was at, or was at several.
    """
    return json.dumps([_auditor(one) for one in records], indent=1)


def as_json_lines(records: Sequence[UsageRecord]) -> str:
    """A line of JSON for each run, with units in the names."""
    return "\n".join(json.dumps(_plain(one)) for one in records)


FORMATS: Mapping[str, Callable[[Sequence[UsageRecord]], str]] = {
    "car": as_car,
    "auditor": as_auditor,
    "jsonl": as_json_lines,
}


def _car(one: UsageRecord) -> ElementTree.Element:
    record, site = ElementTree.Element(f"{{{CAR}}}UsageRecord"), _site(one)

    def add(name: str, text: Any = None, *, to: Any = record, **attributes: str) -> Any:
        named = {f"{{{CAR}}}{key}": value for key, value in attributes.items()}
        element = ElementTree.SubElement(to, f"{{{CAR}}}{name}", named)
        element.text = None if text is None else _for_xml(str(text))
        return element

    add("RecordIdentity", createTime=_time(one.end), recordId=one.run)
    identity = add("JobIdentity")
    add("GlobalJobId", one.run, to=identity)
    add("LocalJobId", one.job, to=identity)
    user = add("UserIdentity")
    if group := _group(one):
        add("Group", group, to=user)
    add("LocalUserId", WITHHELD, to=user)
    add("JobName", one.name)
    add("Status", "completed")
    add("Infrastructure", type="local", description=f"spectrum-workflows {one.workflow}")
    add("WallDuration", f"PT{round(one.wall_seconds)}S")
    add("CpuDuration", f"PT{round(one.cpu_seconds)}S", usageType="all")
    if one.memory:
        add("Memory", one.memory // 1024, type="Physical", metric="max", storageUnit="KB")
    if one.energy is not None:
        add("ConsumableResource", f"{one.energy.joules:.6g}", description="energy", units="J")
    add("NodeCount", one.nodes)
    add("Processors", one.processors)
    add("EndTime", _time(one.end))
    add("StartTime", _time(one.start))
    add("MachineName", site)
    add("Queue", "spectrum-workflows")
    add("Site", site)
    return record


def _auditor(one: UsageRecord) -> dict[str, Any]:
    amounts = {
        "Cores": one.processors,
        "TotalCPU": round(one.cpu_seconds),
        "Memory": round(one.memory / 1e6),
        "Energy": round(one.energy.joules) if one.energy else None,
    }
    meta = {
        "site_id": [_site(one)],
        "job_id": list(one.jobs or (one.run,)),
        "workflow": [one.workflow],
    }
    if group := _group(one):
        meta["group_id"] = [group]
    if one.energy is not None:
        meta["energy_method"] = [one.energy.method]
    return {
        "record_id": _for_auditor(one.run),
        "meta": {key: [_for_auditor(v) for v in values] for key, values in meta.items()},
        "components": [
            {"name": name, "amount": amount, "scores": []}
            for name, amount in amounts.items()
            if amount is not None
        ],
        "start_time": _time(one.start),
        "stop_time": _time(one.end),
    }


def _plain(one: UsageRecord) -> dict[str, Any]:
    energy, carbon = one.energy, one.carbon
    return {
        "run": one.run,
        "name": one.name,
        "workflow": one.workflow,
        "site": one.site,
        "project": one.project,
        "jobs": list(one.jobs),
        "start": _time(one.start),
        "end": _time(one.end),
        "cpu_seconds": round(one.cpu_seconds, 3),
        "wall_seconds": round(one.wall_seconds, 3),
        "processors": one.processors,
        "nodes": one.nodes,
        "memory_bytes": one.memory,
        "complete": one.complete,
        "bytes_read_by_store": dict(one.stores),
        "energy_joules": None if energy is None else energy.joules,
        "energy_joules_low": None if energy is None else energy.low,
        "energy_joules_high": None if energy is None else energy.high,
        "energy_method": None if energy is None else energy.method,
        "energy_source": None if energy is None else energy.source,
        "carbon_grams_co2e": None if carbon is None else carbon.grams,
    }


def _site(one: UsageRecord) -> str:
    """The site's name, without which a service would account for the run at no place."""
    if not one.site:
        remedy = "give --as SITE, and for later runs [accounting] site in the profile"
        raise DataError("it does not say which site it was at", one.run, remedy)
    if SEVERAL in one.site:
        remedy = "give --as SITE: the name under which such runs are accounted for"
        raise DataError(
            f"it was at several sites, {one.site}: one record, one site", one.run, remedy
        )
    return one.site


def _named(recorded: str, given: str) -> str:
    """The site of a record; what is given, if it names none or several."""
    return recorded if recorded and SEVERAL not in recorded else given or recorded


def _group(one: UsageRecord) -> str:
    """The project, if it is one."""
    return "" if SEVERAL in one.project else one.project


def _time(moment: datetime) -> str:
    """A moment to the second, in UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def _for_auditor(text: str) -> str:
    """A text without the characters that AUDITOR refuses."""
    return _NOT_FOR_AUDITOR.sub("-", text)


def _for_xml(text: str) -> str:
    """A text without the control characters that XML has no way to write."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
