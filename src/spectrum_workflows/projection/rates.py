"""Rates of saved runs: what one core does in a second, and what one event or visibility weighs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spectrum_workflows.errors import DataError
from spectrum_workflows.projection import quantity
from spectrum_workflows.projection.quantity import Quantity, between, exactly

SHORT = 30.0
"""CPU seconds below which starting and compiling are a large part of a run."""


@dataclass(frozen=True)
class Measured:
    """What one saved run took.

    Attributes
    ----------
    workflow, name, digest : str
        Of the run.
    items : float
        Events or visibilities that were processed.
    cpu_seconds, seconds : float
        CPU time of all tasks and of the session, and wall time.
    bytes_read : int
        Moved out of stores, as stored; what is read twice counts twice.
    data_bytes : float
        Size of the processed part of the data as stored; 0 where that is not known.
    partitions, workers : int
    peak_memory : int
        Bytes that the largest process had; 0 where that is not known.
    bytes_moved : int
        From task to task.
    energy : Quantity or None
        Electric energy of the run's accounts; ``None`` where the record has none.
    energy_method : str
        ``measured``, ``modelled`` or ``partly measured``.
    """

    workflow: str
    name: str
    digest: str
    items: float
    cpu_seconds: float
    seconds: float
    bytes_read: int
    data_bytes: float
    partitions: int
    workers: int
    peak_memory: int
    bytes_moved: int
    energy: Quantity | None = None
    energy_method: str = ""

    @property
    def items_per_core(self) -> Quantity:
        """Events or visibilities per CPU second."""
        return exactly(self.items, quantity.ITEMS) / self.cpu_time

    @property
    def read_per_core(self) -> Quantity:
        """Bytes read per CPU second."""
        return exactly(self.bytes_read, quantity.DATA) / self.cpu_time

    @property
    def read_per_item(self) -> Quantity:
        """Bytes read per event or visibility."""
        return exactly(self.bytes_read / self.items, quantity.DATA_PER_ITEM)

    @property
    def cpu_time(self) -> Quantity:
        """CPU time of tasks and session."""
        return exactly(self.cpu_seconds, quantity.CPU_TIME)

    @property
    def read_fraction(self) -> Quantity | None:
        """Bytes read over the size of the data; above 1 for several passes."""
        if not self.data_bytes:
            return None
        return exactly(self.bytes_read / self.data_bytes, quantity.NUMBER)

    @property
    def stored_per_item(self) -> Quantity | None:
        """Size of an event or visibility as stored."""
        if not self.data_bytes:
            return None
        return exactly(self.data_bytes / self.items, quantity.DATA_PER_ITEM)


def measured(record: Mapping[str, Any], where: str) -> Measured:
    """What a run's record says that it took.

    Parameters
    ----------
    record : mapping
        ``record.json``.
    where : str
        Name in errors.

    Raises
    ------
    DataError
        Something is missing or is no amount; the run went on from an earlier one, whose CPU time
        it lacks; or nothing was computed.
    """
    if record.get("partitions_resumed") or record.get("passes_resumed"):
        remedy = "run it once more with --fresh"
        raise DataError("its CPU time lacks what an earlier run had finished", where, remedy)
    plan = record.get("plan")
    if not isinstance(plan, Mapping):
        raise DataError("not a run record: 'plan' is missing", where)
    fraction = _amount(record, "fraction", where)
    stages = _stages(record, where)
    run = Measured(
        workflow=str(record["workflow"]),
        name=str(record["name"]),
        digest=str(record["digest"]),
        items=_amount(plan, "size", where) * fraction,
        cpu_seconds=_amount(record, "cpu_seconds", where),
        seconds=_amount(record, "seconds", where),
        bytes_read=int(_amount(record, "bytes_read", where)),
        data_bytes=_amount(plan, "data_bytes", where, absent=0.0) * fraction,
        partitions=int(_amount(record, "partitions", where)),
        workers=int(_amount(record, "workers", where, absent=0.0)),
        peak_memory=int(max((_amount(s, "memory", where, absent=0.0) for s in stages), default=0)),
        bytes_moved=int(sum(_amount(s, "bytes_moved", where, absent=0.0) for s in stages)),
        **_energy(record, where),
    )
    for name in ("items", "cpu_seconds", "bytes_read"):
        if not getattr(run, name):
            raise DataError(f"no rate follows from a run with {name} 0", where)
    return run


def _energy(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Energy of the accounts and how it is known; nothing where there are none, or no energy."""
    accounts = record.get("accounts") or {}
    table = accounts.get("energy") if isinstance(accounts, Mapping) else None
    if table is None:
        return {}
    if not isinstance(table, Mapping):
        raise DataError("not a run record: 'energy' is not what it should be", where)
    low, value, high = (_amount(table, name, where) * 3.6e6 for name in ("low", "kwh", "high"))
    if not value:
        return {}
    try:
        energy = Quantity(low, value, high, quantity.ENERGY)
    except ValueError as error:
        raise DataError(f"not a run record: 'energy' is {error}", where) from None
    return {"energy": energy, "energy_method": str(table.get("method", ""))}


def _stages(record: Mapping[str, Any], where: str) -> list[Mapping[str, Any]]:
    stages = record.get("stages", [])
    try:
        return [dict(stage["measured"]) for stage in stages]
    except (TypeError, KeyError, ValueError):
        raise DataError("not a run record: 'stages' is not what it should be", where) from None


def _amount(
    table: Mapping[str, Any], name: str, where: str, *, absent: float | None = None
) -> float:
    value = table.get(name, absent)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"not a run record: {name!r} is missing or is no number", where)
    if not 0 <= value < math.inf:
        raise DataError(f"not a run record: {name!r} is {value}", where)
    return float(value)


@dataclass(frozen=True)
class Rates:
    """What several runs of one science took: all of them together, and from the least to the most.

    Attributes
    ----------
    workflow : str
    runs : tuple of Measured
    items_per_core, read_per_core : Quantity
        Events or visibilities, and bytes read, per CPU second.
    read_per_item : Quantity
    stored_per_item, read_fraction, stored_per_core : Quantity or None
        ``None`` where the size of some data set is not known.
    power_per_core : Quantity or None
        Of the runs' accounts; ``None`` where some run has none.
    """

    workflow: str
    runs: tuple[Measured, ...]
    items_per_core: Quantity
    read_per_core: Quantity
    read_per_item: Quantity
    stored_per_item: Quantity | None
    read_fraction: Quantity | None
    stored_per_core: Quantity | None
    power_per_core: Quantity | None = None

    @property
    def power_method(self) -> str:
        """How the power is known: ``measured``, ``modelled``, or both."""
        return " and ".join(dict.fromkeys(run.energy_method for run in self.runs))

    @property
    def cpu_per_terabyte(self) -> Quantity | None:
        """CPU time that a terabyte of stored data takes."""
        if self.stored_per_core is None:
            return None
        return exactly(1e12, quantity.DATA) / self.stored_per_core

    @property
    def summary(self) -> dict[str, Any]:
        """The numbers for JSON, each with its range and unit."""
        terabyte = self.cpu_per_terabyte
        return {
            "workflow": self.workflow,
            "runs": [{"name": run.name, "digest": run.digest} for run in self.runs],
            "items_per_core": self.items_per_core.summary("kHz/core"),
            "read_per_core": self.read_per_core.summary("MB/s/core"),
            "read_per_item": self.read_per_item.summary("B/item"),
            "stored_per_item": self.stored_per_item and self.stored_per_item.summary("B/item"),
            "read_fraction": self.read_fraction and self.read_fraction.summary(""),
            "cpu_per_terabyte": terabyte and terabyte.summary("CPU-h"),
            "power_per_core": self.power_per_core and self.power_per_core.summary("W/core"),
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What one should know of the runs."""
        notes = [
            f"{run.name}: {run.cpu_seconds:.0f} CPU seconds, of which starting and compiling are"
            " a large part; a longer run gives higher rates"
            for run in self.runs
            if run.cpu_seconds < SHORT
        ]
        if len(self.runs) == 1:
            notes.append(f"{self.workflow}: one run, so their spread is not known")
        return tuple(notes)


def rates(runs: Sequence[Measured]) -> Rates:
    """Rates of runs of one science.

    Parameters
    ----------
    runs : sequence of Measured
        At least one, all of one science.

    Raises
    ------
    ValueError
        They are of several sciences.
    """
    [workflow] = {run.workflow for run in runs}
    cpu = [run.cpu_seconds for run in runs]
    items = [run.items for run in runs]
    read = [float(run.bytes_read) for run in runs]
    stored = [run.data_bytes for run in runs] if all(run.data_bytes for run in runs) else []
    per_core = quantity.exactly(1.0, quantity.CPU_TIME)
    return Rates(
        workflow=workflow,
        runs=tuple(runs),
        items_per_core=_ratio(items, cpu, quantity.ITEMS) / per_core,
        read_per_core=_ratio(read, cpu, quantity.DATA) / per_core,
        read_per_item=_ratio(read, items, quantity.DATA_PER_ITEM),
        stored_per_item=_ratio(stored, items, quantity.DATA_PER_ITEM) if stored else None,
        read_fraction=_ratio(read, stored, quantity.NUMBER) if stored else None,
        stored_per_core=_ratio(stored, cpu, quantity.DATA) / per_core if stored else None,
        power_per_core=_power(runs),
    )


def _power(runs: Sequence[Measured]) -> Quantity | None:
    """Energy of all runs per CPU second of all, from the least to the most that it may be."""
    energies = [run.energy for run in runs]
    if not all(energies):
        return None
    cpu = [run.cpu_seconds for run in runs]
    pairs = [(one, seconds) for one, seconds in zip(energies, cpu, strict=True) if one]
    return Quantity(
        min(energy.low / seconds for energy, seconds in pairs),
        sum(energy.value for energy, _ in pairs) / sum(cpu),
        max(energy.high / seconds for energy, seconds in pairs),
        quantity.POWER_PER_CORE,
    )


def _ratio(tops: list[float], bottoms: list[float], dimension: quantity.Dimension) -> Quantity:
    """The ratio of the sums, and the range of the ratios."""
    each = [top / bottom for top, bottom in zip(tops, bottoms, strict=True)]
    return between(each, sum(tops) / sum(bottoms), dimension)
