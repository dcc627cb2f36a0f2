"""Targets: how much there is to compute elsewhere, said by whom, and what is assumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from spectrum_workflows.naming import Name
from spectrum_workflows.projection import quantity
from spectrum_workflows.projection.quantity import Dimension, Quantity, parsed
from spectrum_workflows.specs import FrozenModel


def _of(dimension: Dimension) -> Callable[[str], str]:
    """Refuse text that is not a quantity of this kind."""

    def checked(text: str) -> str:
        parsed(text, dimension)
        return text

    return checked


Data = Annotated[str, AfterValidator(_of(quantity.DATA))]
Items = Annotated[str, AfterValidator(_of(quantity.ITEMS))]
Time = Annotated[str, AfterValidator(_of(quantity.TIME))]
DataRate = Annotated[str, AfterValidator(_of(quantity.DATA_RATE))]
ItemRate = Annotated[str, AfterValidator(_of(quantity.ITEM_RATE))]
DataPerItem = Annotated[str, AfterValidator(_of(quantity.DATA_PER_ITEM))]

DIMENSIONS = {
    "cores": quantity.CORES,
    "cpu_time": quantity.CPU_TIME,
    "item_rate": quantity.ITEM_RATE,
    "read_rate": quantity.DATA_RATE,
    "disk": quantity.DATA,
}
"""What of an estimate may have been published, and of which kind it is."""


class Source(FrozenModel):
    """Where a number is from."""

    document: Annotated[str, Field(min_length=8)]
    """Authors and title, or the page's owner and name."""
    year: Annotated[int, Field(ge=1990, le=2100)]
    """In which it was published, or read where a page has no date."""
    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    """Where it is to be read."""
    says: Annotated[str, Field(min_length=3)]
    """The numbers that are taken from it."""


class Assumption(FrozenModel):
    """A number that nobody has measured here, with the range it may lie in."""

    value: str
    """What is reckoned with: a number, with its unit if it has one."""
    low: str
    """The least it may be."""
    high: str
    """The most it may be."""
    why: Annotated[str, Field(min_length=8)]
    """What it stands for, and why so much."""

    def ranged(self, dimension: Dimension) -> Quantity:
        """Value and range as one quantity.

        Raises
        ------
        ValueError
            One has another unit, or they are in another order.
        """
        low, value, high = (
            parsed(text, dimension).value for text in (self.low, self.value, self.high)
        )
        if not low <= value <= high:
            raise ValueError(f"low {self.low}, value {self.value} and high {self.high}: no range")
        return Quantity(low, value, high, dimension)


class Assumptions(FrozenModel):
    """What every estimate assumes besides the measured rates."""

    processor: Assumption
    """Speed of the cores there over that of the cores on which the runs were measured."""
    busy: Assumption
    """Share of its time that a core computes, and does not wait for data or for work."""
    power: Assumption
    """Electric power per busy core; taken where the runs' records have no accounts of energy."""
    copies: Assumption
    """How often the data are kept on disk."""

    @model_validator(mode="after")
    def _are_ranges(self) -> Self:
        for name, dimension in ASSUMED.items():
            try:
                getattr(self, name).ranged(dimension)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        if self.busy.ranged(quantity.NUMBER).high > 1:
            raise ValueError("busy: a core computes at most all the time, which is 1")
        return self


ASSUMED = {
    "processor": quantity.NUMBER,
    "busy": quantity.NUMBER,
    "power": quantity.POWER_PER_CORE,
    "copies": quantity.NUMBER,
}
"""Of which kind each assumption is."""


class Published(FrozenModel):
    """A figure that others have measured or planned, to hold the estimate against."""

    quantity: Literal["cores", "cpu_time", "item_rate", "read_rate", "disk"]
    """Which one of the estimate it is."""
    value: str
    """The figure with its unit."""
    factor: Annotated[float, Field(gt=1, le=1000)] | None = None
    """Within which the estimate is claimed to reproduce it; without, no claim is made."""
    software: Assumption | None = None
    """CPU time of the software that it was measured with, over that of ours for the same; for
    ``cores`` and ``cpu_time``."""
    note: str = ""
    """What is different there."""

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> Self:
        try:
            self.amount()
        except ValueError as error:
            raise ValueError(f"value: {error}") from None
        try:
            times = self.software and self.software.ranged(quantity.NUMBER)
        except ValueError as error:
            raise ValueError(f"software: {error}") from None
        if times and self.quantity not in ("cores", "cpu_time"):
            raise ValueError(f"software: {self.quantity} does not depend on it; leave it out")
        return self

    def amount(self) -> Quantity:
        """The figure as a quantity."""
        return parsed(self.value, DIMENSIONS[self.quantity])


class Target(FrozenModel):
    """One data set, challenge or instrument.

    How much there is is said in one way: ``items`` or ``data`` or both, ``item_rate`` with
    ``live``, ``read_rate``, or ``data_rate``.
    """

    title: Annotated[str, Field(min_length=3)]
    """What it is, in a few words."""
    workflow: str
    """Of which science the runs are whose rates apply."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """Where its numbers are from."""
    items: Items | None = None
    """Events or visibilities in all: ``940160174 events``."""
    data: Data | None = None
    """Their size as stored: ``1.78 TB``."""
    item_rate: ItemRate | None = None
    """Events per second of data taking: ``7.5 kHz``."""
    live: Time | None = None
    """For how long data are taken, with ``item_rate``: ``6e6 s``."""
    bytes_per_item: DataPerItem | None = None
    """Size of one as stored there: ``2 kB/event``; else as in the measured runs."""
    read_rate: DataRate | None = None
    """What has to be read from stores at any time: ``200 Gb/s``."""
    data_rate: DataRate | None = None
    """Stored data that come anew at any time, and are all processed: ``5 Tb/s``."""
    within: Time | None = None
    """In which everything is to be processed: ``20 min``."""
    published: tuple[Published, ...] = ()
    """Figures of others for the same."""
    note: str = ""
    """What the estimate leaves out."""

    @model_validator(mode="after")
    def _says_how_much_once(self) -> Self:
        ways = {
            "items or data": self.items is not None or self.data is not None,
            "item_rate": self.item_rate is not None,
            "read_rate": self.read_rate is not None,
            "data_rate": self.data_rate is not None,
        }
        if self.read_rate is not None and self.items is None:
            ways["items or data"] = False  # data beside it is what lies on disk
        given = [way for way, is_given in ways.items() if is_given]
        if len(given) != 1:
            several = " and ".join(given) or "none"
            raise ValueError(f"say how much in one way of {', '.join(ways)}; this has {several}")
        if (self.item_rate is None) != (self.live is None):
            raise ValueError("item_rate and live go together")
        volume = given[0] in ("items or data", "item_rate")
        if volume and self.within is None:
            raise ValueError("within is missing: the time in which it is to be processed")
        if not volume and self.within is not None:
            raise ValueError("within goes with items or data: a rate goes on for ever")
        return self


class Targets(FrozenModel):
    """A file of targets for ``spectrum project``."""

    assumptions: Assumptions
    """What is reckoned with besides what was measured."""
    targets: Annotated[dict[Name, Target], Field(min_length=1)]
    """What to project to, by name."""
