"""What a target takes, by the rates of runs and the assumptions of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spectrum_workflows.errors import DataError
from spectrum_workflows.projection import quantity
from spectrum_workflows.projection.quantity import Quantity, parsed, readable
from spectrum_workflows.projection.rates import Rates
from spectrum_workflows.projection.targets import ASSUMED, Assumptions, Published, Target

UNITS = {
    "cores": "cores",
    "cpu_time": "CPU-h",
    "items": "items",
    "item_rate": "Hz",
    "read": "B",
    "read_rate": "b/s",
    "disk": "B",
    "energy": "Wh",
    "power": "W",
    "read_fraction": "",
}
"""In which unit JSON has each part of an estimate."""


@dataclass(frozen=True)
class Compared:
    """A published figure beside ours.

    Attributes
    ----------
    published : Published
    part : Quantity
        Our estimate, for the software that was used there.
    ratio : float
        That over the published figure.
    in_range : bool
        Whether the published figure lies within its range.
    """

    published: Published
    part: Quantity
    ratio: float
    in_range: bool

    @property
    def reproduced(self) -> bool | None:
        """Whether the ratio lies within the factor that is claimed; ``None`` without a claim."""
        factor = self.published.factor
        return None if factor is None else 1 / factor <= self.ratio <= factor

    def __str__(self) -> str:
        """One line for people."""
        claims = {True: "within", False: "NOT within"}
        claim = ""
        if self.reproduced is not None:
            claim = f"; {claims[self.reproduced]} the factor {self.published.factor:g} claimed"
        there = self.published.software
        software = f" with software that takes {there.value} times the CPU time" if there else ""
        inside = "in" if self.in_range else "not in"
        note = f" ({self.published.note})" if self.published.note else ""
        name = self.published.quantity.replace("_", " ")
        return (
            f"{name}: published {self.published.value}, estimated {readable(self.part)}{software},"
            f" {quantity.digits(self.ratio)} times that, which is {inside} the range{claim}{note}"
        )


@dataclass(frozen=True)
class Estimate:
    """What one target takes; every part has a range, and is ``None`` where it does not apply.

    Attributes
    ----------
    name : str
        Of the target.
    target : Target
    cores : Quantity
        That work on it at the same time.
    cpu_time : Quantity or None
        In all, for a target that ends.
    items : Quantity or None
        Events or visibilities in all.
    item_rate : Quantity
        Events or visibilities per second.
    read : Quantity or None
        Bytes out of stores in all.
    read_rate : Quantity
        Bytes out of stores per second.
    disk : Quantity or None
        That the stored data take.
    energy : Quantity or None
        Electric energy in all, for a target that ends.
    power : Quantity
        Electric power while it is computed.
    read_fraction : Quantity or None
        Bytes read over bytes stored.
    compared : tuple of Compared
        Published figures beside these.
    """

    name: str
    target: Target
    cores: Quantity
    cpu_time: Quantity | None
    items: Quantity | None
    item_rate: Quantity
    read: Quantity | None
    read_rate: Quantity
    disk: Quantity | None
    energy: Quantity | None
    power: Quantity
    read_fraction: Quantity | None
    compared: tuple[Compared, ...] = ()

    @property
    def summary(self) -> dict[str, Any]:
        """For JSON, each part with its range and unit."""
        parts = {name: getattr(self, name) for name in UNITS}
        return {
            "title": self.target.title,
            **{name: part and part.summary(UNITS[name]) for name, part in parts.items()},
            "published": [
                {
                    "quantity": one.published.quantity,
                    "value": one.published.value,
                    "estimate": one.part.summary(UNITS[one.published.quantity]),
                    "estimate_over_published": one.ratio,
                    "factor": one.published.factor,
                    "reproduced": one.reproduced,
                    "within_range": one.in_range,
                }
                for one in self.compared
            ],
            "sources": [source.model_dump() for source in self.target.sources],
            "note": self.target.note,
        }


def estimate(name: str, target: Target, rates: Rates, assumed: Assumptions) -> Estimate:
    """What a target takes.

    Parameters
    ----------
    name : str
        Of the target.
    target : Target
    rates : Rates
        Of runs of the target's science.
    assumed : Assumptions

    Raises
    ------
    DataError
        The target is said in stored data, and the size of the runs' data is not known.
    """
    factors = {key: getattr(assumed, key).ranged(kind) for key, kind in ASSUMED.items()}
    work = _volume(name, target, rates) if target.within else _flow(name, target, rates)
    computing = work.cores / factors["processor"]
    cores = (computing / factors["busy"]).within(quantity.CORES)
    power_per_core = rates.power_per_core or factors["power"]
    power = (computing * power_per_core).within(quantity.POWER)
    cpu_time = energy = None
    if target.within:
        span = parsed(target.within, quantity.TIME)
        cpu_time = (work.cores * span / factors["processor"]).within(quantity.CPU_TIME)
        energy = (power * span).within(quantity.ENERGY)
    disk = work.stored and (work.stored * factors["copies"]).within(quantity.DATA)
    made = Estimate(
        name=name,
        target=target,
        cores=cores,
        cpu_time=cpu_time,
        items=work.items,
        item_rate=work.item_rate.within(quantity.ITEM_RATE),
        read=work.read and work.read.within(quantity.DATA),
        read_rate=work.read_rate.within(quantity.DATA_RATE),
        disk=disk,
        energy=energy,
        power=power,
        read_fraction=work.read / work.stored if work.read and work.stored else None,
    )
    compared = tuple(_compared(made, one, name) for one in target.published)
    return Estimate(**{**vars(made), "compared": compared})


@dataclass(frozen=True)
class _Work:
    """A target in events or visibilities and bytes; cores as fast and as busy as the measured."""

    cores: Quantity
    items: Quantity | None
    item_rate: Quantity
    read: Quantity | None
    read_rate: Quantity
    stored: Quantity | None


def _volume(name: str, target: Target, rates: Rates) -> _Work:
    """Something that ends: so many events, or so many bytes, in a given time."""
    span = parsed(target.within or "", quantity.TIME)
    items = _items(target)
    if items is not None:
        cpu_time = items / rates.items_per_core
        read = items * rates.read_per_item
        stored = _stored(target, items, rates)
    else:
        stored = parsed(target.data or "", quantity.DATA)
        cpu_time = stored / _known(rates.stored_per_core, name)
        read = stored * _known(rates.read_fraction, name)
        items = stored / _known(rates.stored_per_item, name)
    return _Work(cpu_time / span, items, items / span, read, read / span, stored)


def _items(target: Target) -> Quantity | None:
    if target.item_rate and target.live:
        return parsed(target.item_rate, quantity.ITEM_RATE) * parsed(target.live, quantity.TIME)
    return parsed(target.items, quantity.ITEMS) if target.items else None


def _stored(target: Target, items: Quantity, rates: Rates) -> Quantity | None:
    """Size of what lies on disk: as said, or by the size of one, there or in the runs."""
    if target.data:
        return parsed(target.data, quantity.DATA)
    if target.bytes_per_item:
        return items * parsed(target.bytes_per_item, quantity.DATA_PER_ITEM)
    return rates.stored_per_item and items * rates.stored_per_item


def _flow(name: str, target: Target, rates: Rates) -> _Work:
    """Something that goes on: so many bytes read, or stored anew, in any second."""
    if target.read_rate:
        read_rate = parsed(target.read_rate, quantity.DATA_RATE)
        stored = parsed(target.data, quantity.DATA) if target.data else None
        cores = read_rate / rates.read_per_core
        return _Work(cores, None, read_rate / rates.read_per_item, None, read_rate, stored)
    data_rate = parsed(target.data_rate or "", quantity.DATA_RATE)
    cores = data_rate / _known(rates.stored_per_core, name)
    item_rate = data_rate / _known(rates.stored_per_item, name)
    read_rate = data_rate * _known(rates.read_fraction, name)
    return _Work(cores, None, item_rate, None, read_rate, None)


def _known(rate: Quantity | None, target: str) -> Quantity:
    if rate is None:
        problem = "it is said in stored data, whose size some run does not know"
        raise DataError(problem, target, "give runs whose plan says it, or say it in items")
    return rate


def _compared(made: Estimate, published: Published, name: str) -> Compared:
    part: Quantity | None = getattr(made, published.quantity)
    if part is None:
        raise DataError(f"no {published.quantity} follows for this target", name, "leave it out")
    if published.software:
        part = part * published.software.ranged(quantity.NUMBER)
    amount = published.amount().within(part.dimension)
    in_range = part.low <= amount.value <= part.high
    return Compared(published, part, part.value / amount.value, in_range)
