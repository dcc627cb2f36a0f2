"""Quantities with their unit and their range: a sum of unlike things is an error."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Self

Dimension = tuple[tuple[str, int], ...]
"""Base units with their powers, by name; those that cancel are left out."""

PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}


@dataclass(frozen=True)
class Unit:
    """A unit: its size in base units (byte, item, core, second, joule), and their powers."""

    size: float
    dimension: Dimension


def _dimension(**powers: int) -> Dimension:
    return tuple(sorted((name, power) for name, power in powers.items() if power))


NUMBER = _dimension()
DATA = _dimension(byte=1)
ITEMS = _dimension(item=1)
TIME = _dimension(second=1)
CORES = _dimension(core=1)
CPU_TIME = _dimension(core=1, second=1)
DATA_RATE = _dimension(byte=1, second=-1)
ITEM_RATE = _dimension(item=1, second=-1)
DATA_PER_ITEM = _dimension(byte=1, item=-1)
ENERGY = _dimension(joule=1)
POWER = _dimension(joule=1, second=-1)
POWER_PER_CORE = _dimension(joule=1, second=-1, core=-1)

EXAMPLES: dict[Dimension, tuple[str, str]] = {
    NUMBER: ("a number", "1.5"),
    DATA: ("an amount of data", "1.78 TB"),
    ITEMS: ("a number of events or visibilities", "940160174 events"),
    TIME: ("a time", "20 min"),
    CORES: ("a number of cores", "2000 cores"),
    CPU_TIME: ("CPU time", "1e9 CPU-h"),
    DATA_RATE: ("a data rate", "200 Gb/s"),
    ITEM_RATE: ("a rate of events or visibilities", "7.5 kHz"),
    DATA_PER_ITEM: ("the size of an event or visibility", "2 kB/event"),
    ENERGY: ("energy", "3 kWh"),
    POWER: ("power", "5 MW"),
    POWER_PER_CORE: ("power per core", "10 W/core"),
}
"""What each kind of quantity is called, and how one is written."""


def _units() -> dict[str, Unit]:
    """Every unit by the symbol that is written."""
    scaled = {
        "B": (1.0, DATA),
        "b": (0.125, DATA),
        "Hz": (1.0, ITEM_RATE),
        "J": (1.0, ENERGY),
        "Wh": (3600.0, ENERGY),
        "W": (1.0, POWER),
    }
    units = {
        f"{prefix}{symbol}": Unit(factor * size, dimension)
        for symbol, (size, dimension) in scaled.items()
        for prefix, factor in PREFIXES.items()
    }
    units |= {f"{prefix}B": Unit(size, DATA) for prefix, size in BINARY.items()}
    for symbol, size in {"s": 1, "min": 60, "h": 3600, "d": 86400, "year": 31557600}.items():
        units[symbol] = Unit(float(size), TIME)
    for noun in ("item", "event", "visibility", "sample"):
        plural = "visibilities" if noun == "visibility" else f"{noun}s"
        units |= dict.fromkeys((noun, plural), Unit(1.0, ITEMS))
    units |= dict.fromkeys(("core", "cores"), Unit(1.0, CORES))
    units |= {"CPU-s": Unit(1.0, CPU_TIME), "CPU-h": Unit(3600.0, CPU_TIME)}
    return units


UNITS = _units()
"""Case counts: ``Gb`` is a gigabit and ``GB`` eight of them."""


def unit(text: str) -> Unit:
    """A unit as it is written: ``TB``, ``Gb/s``, ``MB/s/core``; nothing is a plain number.

    Raises
    ------
    ValueError
        There is no such unit.

    >>> unit("Gb/s").size
    125000000.0
    """
    top, *below = text.split("/") if text else [""]
    size, dimension = 1.0, NUMBER
    for power, symbol in [(1, top), *((-1, symbol) for symbol in below)]:
        if symbol == "" and text == "":
            continue
        if symbol not in UNITS:
            raise ValueError(f"no unit is called {symbol!r}{_nearest(symbol)}")
        size *= UNITS[symbol].size ** power
        dimension = _product(dimension, UNITS[symbol].dimension, power)
    return Unit(size, dimension)


def _nearest(symbol: str) -> str:
    """Symbols that differ in capital letters only."""
    alike = [known for known in UNITS if known.lower() == symbol.lower()]
    return f" (did you mean {' or '.join(alike)}?)" if alike else ""


def _product(a: Dimension, b: Dimension, power: int = 1) -> Dimension:
    powers = dict(a)
    for name, more in b:
        powers[name] = powers.get(name, 0) + power * more
    return _dimension(**powers)


@dataclass(frozen=True)
class Quantity:
    """A positive value in base units with the range it may lie in.

    Products and quotients are those of intervals: the range holds every combination of what the
    factors may be.

    Attributes
    ----------
    low, value, high : float
        In bytes, items, cores, seconds and joules.
    dimension : Dimension
        Which of them, with their powers.
    """

    low: float
    value: float
    high: float
    dimension: Dimension

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.value <= self.high < math.inf:
            raise ValueError(f"not a range: {self.low} to {self.high} around {self.value}")

    def __mul__(self, other: Quantity | float) -> Quantity:
        other = _quantity(other)
        dimension = _product(self.dimension, other.dimension)
        return Quantity(
            self.low * other.low, self.value * other.value, self.high * other.high, dimension
        )

    def __truediv__(self, other: Quantity | float) -> Quantity:
        other = _quantity(other)
        dimension = _product(self.dimension, other.dimension, -1)
        return Quantity(
            self.low / other.high, self.value / other.value, self.high / other.low, dimension
        )

    def __add__(self, other: Quantity) -> Quantity:
        if self.dimension != other.dimension:
            raise TypeError(f"{name_of(self.dimension)} and {name_of(other.dimension)}: no sum")
        return Quantity(
            self.low + other.low,
            self.value + other.value,
            self.high + other.high,
            self.dimension,
        )

    def within(self, dimension: Dimension) -> Self:
        """The same quantity, if it is of this kind.

        Raises
        ------
        TypeError
            It is another.
        """
        if self.dimension != dimension:
            raise TypeError(f"this is {name_of(self.dimension)}, not {name_of(dimension)}")
        return self

    def to(self, symbol: str) -> tuple[float, float, float]:
        """Low, value and high in a unit.

        Raises
        ------
        TypeError
            The unit is one of other things.
        """
        written_as = unit(symbol)
        self.within(written_as.dimension)
        size = written_as.size
        return self.low / size, self.value / size, self.high / size

    def summary(self, symbol: str) -> dict[str, float | str]:
        """For JSON: value and range, with the unit beside them."""
        low, value, high = self.to(symbol)
        return {"value": value, "low": low, "high": high, "unit": symbol}


def _quantity(value: Quantity | float) -> Quantity:
    return value if isinstance(value, Quantity) else exactly(value, NUMBER)


def exactly(value: float, dimension: Dimension) -> Quantity:
    """A value in base units that is known."""
    return Quantity(value, value, value, dimension)


def between(values: list[float], middle: float, dimension: Dimension) -> Quantity:
    """A value in base units with the range of several measurements of it."""
    return Quantity(min(*values, middle), middle, max(*values, middle), dimension)


_WRITTEN = re.compile(r"\s*(\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(\S*)\s*")


def parsed(text: str, dimension: Dimension) -> Quantity:
    """A quantity as it is written in a file: ``200 Gb/s``.

    Raises
    ------
    ValueError
        It is no number with a unit, or is of another kind.

    >>> parsed("200 Gb/s", DATA_RATE).to("GB/s")
    (25.0, 25.0, 25.0)
    """
    name, example = EXAMPLES[dimension]
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(f"write {name} such as {example!r}, without separators of thousands")
    number, symbol = float(written[1].replace("_", "")), written[2]
    written_in = unit(symbol)
    kind = name_of(written_in.dimension)
    if written_in.dimension != dimension:
        raise ValueError(f"this is {kind}; write {name} such as {example!r}")
    if not 0 < number * written_in.size < math.inf:
        raise ValueError("it must be more than 0 and finite")
    return exactly(number * written_in.size, dimension)


def name_of(dimension: Dimension) -> str:
    """What a kind of quantity is called."""
    if dimension in EXAMPLES:
        return EXAMPLES[dimension][0]
    return "·".join(f"{name}{'' if power == 1 else f'^{power}'}" for name, power in dimension)


READ_AS = {
    DATA: "B",
    DATA_RATE: "b/s",
    ITEM_RATE: "Hz",
    ENERGY: "Wh",
    POWER: "W",
    CPU_TIME: "CPU-h",
    CORES: "cores",
    TIME: "h",
    DATA_PER_ITEM: "B/item",
}
"""In which unit people read a quantity; the first four and the last get a prefix."""


def readable(quantity: Quantity) -> str:
    """A quantity for people, with its range if it has one: ``25 GB/s (12 to 50)``.

    >>> readable(parsed("25 GB/s", DATA_RATE))
    '200 Gb/s'
    """
    if quantity.dimension == NUMBER:
        return _ranged(quantity.low, quantity.value, quantity.high, "")
    symbol = READ_AS[quantity.dimension]
    prefixed = quantity.dimension in (DATA, DATA_RATE, ITEM_RATE, ENERGY, POWER, DATA_PER_ITEM)
    prefix = _prefix(quantity.to(symbol)[1]) if prefixed else ""
    return _ranged(*quantity.to(prefix + symbol), prefix + symbol)


def _prefix(value: float) -> str:
    """The one that leaves 1 to 999 before the point."""
    fitting = [prefix for prefix, factor in PREFIXES.items() if value >= factor]
    return fitting[-1] if fitting else ""


def _ranged(low: float, value: float, high: float, symbol: str) -> str:
    text = f"{digits(value)} {symbol}".strip()
    return text if low == high else f"{text} ({digits(low)} to {digits(high)})"


def digits(value: float) -> str:
    """A number to two digits, more where they stand before the point: ``1,900``, ``0.031``.

    >>> digits(1923.4), digits(0.0312), digits(7.53)
    ('1,900', '0.031', '7.5')
    """
    if value == 0:
        return "0"
    places = 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    return f"{rounded:,.0f}" if abs(rounded) >= 10 else f"{rounded:.{max(places, 0)}f}"
