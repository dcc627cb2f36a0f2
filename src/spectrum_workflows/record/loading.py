"""A saved run, brought back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spectrum_workflows import domain
from spectrum_workflows.accounting.accounts import read_accounts
from spectrum_workflows.budget import from_table
from spectrum_workflows.domain import Failure, Metrics, Plan
from spectrum_workflows.errors import DataError
from spectrum_workflows.record.digest import digest
from spectrum_workflows.record.outcome import Outcome
from spectrum_workflows.record.timeline import spans_of
from spectrum_workflows.record.writing import BEYOND_SUMMARY, damaged, read_record
from spectrum_workflows.specs import parse
from spectrum_workflows.stages import Stage, Stores
from spectrum_workflows.traffic import read_back

NOT_THE_RESULT = {
    "partitions_resumed",
    "passes_resumed",
    *(
        "schema",
        "workflow",
        "name",
        "digest",
        "partitions",
        "partial",
        "fraction",
        "failures",
    ),
    *(
        "warnings",
        "seconds",
        "cpu_seconds",
        "bytes_read",
        "share_of_data_read",
        "bytes_between_sites",
    ),
    *BEYOND_SUMMARY,
}
"""Keys of a record that every run has; the others are its science's."""


@dataclass(frozen=True)
class SavedPartition:
    """A partition as a record names it: its size is not known."""

    where: str
    size: int = 0


@dataclass(frozen=True, repr=False)
class SavedPlan(Plan):
    """The plan of a saved run, as far as its record tells.

    Attributes
    ----------
    entries : int
        In all partitions.
    """

    entries: int = 0

    @property
    def size(self) -> int:
        """Entries in all partitions."""
        return self.entries


def load(folder: str) -> Outcome:
    """Bring a saved run back.

    Parameters
    ----------
    folder : str
        URL of its own folder, as `save` gives it.

    Returns
    -------
    Outcome
        With the same result, to the bit, the same digest, warnings and failures.

    Raises
    ------
    DataNotFoundError
        There is no finished run in the folder.
    DataError
        What is there is damaged, or was written by another version.
    """
    record = read_record(folder)
    if bad := damaged(folder, record):
        raise DataError(f"{', '.join(bad)} is not what was recorded", folder, "run it again")
    if record.get("lost"):
        raise DataError(f"the run was not saved whole: {record['lost'][0]}", folder, "run it again")
    science = domain.get(record["workflow"])
    spec = parse(science.spec, record["spec"], where=folder)
    own = {name: value for name, value in record.items() if name not in NOT_THE_RESULT}
    result = science.load(folder, spec, own | {"warnings": record["warnings"]})
    if digest(science.arrays(result)) != record["digest"]:
        message = "what is there gives another digest than the one that was recorded"
        raise DataError(message, folder, "run it again, or load it with the version that wrote it")
    try:
        return _outcome(record, spec, result)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"not a run record that this version can read ({type(error).__name__}: {error})"
        raise DataError(message, folder, "run it again") from error


def _outcome(record: Mapping[str, Any], spec: Any, result: Any) -> Outcome:
    table = record.get("accounts")
    accounts = read_accounts(table) if table else None
    stores = {s.name: s.stores for s in accounts.stages} if accounts else {}
    plan, known = record["plan"], {*record["plan"]["partitions"]}
    failures = [Failure(**failure) for failure in record["failures"]]
    return Outcome(
        spec=spec,
        plan=SavedPlan(
            partitions=tuple(map(SavedPartition, plan["partitions"])),
            bytes_to_read=plan["bytes_to_read"],
            largest_memory=plan["largest_memory"],
            warnings=tuple(plan["warnings"]),
            inputs=tuple(record["inputs"].items()),
            code=record["code"],
            data_bytes=plan["data_bytes"],
            method=plan["method"],
            failures=tuple(f for f in failures if f.where not in known and f.size),
            entries=plan["size"],
            replicas=tuple((url, *more) for url, more in record.get("replicas", {}).items()),
        ),
        result=result,
        metrics=Metrics(
            cpu_seconds=record["cpu_seconds"],
            bytes_read=record["bytes_read"],
            failures=tuple(f for f in failures if f.where in known or not f.size),
            stages=tuple(_measured(s, stores) for s in record["stages"]),
            stores=accounts.stores if accounts else (),
            copies=tuple(record["copies_read"]),
            warnings=tuple(w for w in record["warnings"] if w not in plan["warnings"]),
            retries=record.get("retries", 0),
            timeline=spans_of(record, datetime.fromisoformat(record["started"]).timestamp()),
        ),
        digest=record["digest"],
        started=record["started"],
        seconds=record["seconds"],
        cpu_seconds=record["cpu_seconds"],
        workers=record["workers"],
        machine=record["machine"],
        worker_machines=tuple(record["worker_machines"]),
        expected=tuple(
            Stage(s["name"].rstrip(" 0123456789"), **s["expected"])
            for s in record["stages"]
            if s["expected"]
        ),
        accounts=accounts,
        traffic=read_back(record["traffic"]) if "traffic" in record else None,
        budget=from_table(record.get("budget", ())),
    )


def _measured(stage: Mapping[str, Any], stores: Mapping[str, Stores]) -> Stage:
    name = stage["name"]
    return Stage(name, **stage["measured"], stores=stores.get(name, ()))
