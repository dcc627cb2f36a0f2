"""Energy of computing and what it emits: joules, kWh and grams of CO2 equivalent, as ranges."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from spectrum_workflows.errors import SpecError

JOULES_PER_KWH = 3.6e6
JOULES_PER_WH = 3.6e3

MEASURED, MODELLED = "measured", "modelled"
PARTLY_MEASURED = "partly measured"
"""What is said of an energy that counters and a model have given together."""

STATED = 0.25
"""Share by which a power that somebody states may be off, as nobody says how it was found."""


@dataclass(frozen=True)
class Power:
    """Power of one core while it computes.

    Attributes
    ----------
    watts, low, high : float
        Best estimate, and the range in which it is expected.
    source : str
        Where the figure is from.
    """

    watts: float
    low: float
    high: float
    source: str

    def __add__(self, other: Power) -> Power:
        """The power of both, such as of a core and of its share of the memory."""
        return Power(
            self.watts + other.watts,
            self.low + other.low,
            self.high + other.high,
            _both(self.source, other.source),
        )


@dataclass(frozen=True)
class Energy:
    """An energy, and how it is known.

    Attributes
    ----------
    joules, low, high : float
        Best estimate, and the range in which it is expected.
    method : str
        ``measured``, ``modelled`` or ``partly measured``.
    source : str
        Counters or tables that it is from.
    """

    joules: float
    low: float
    high: float
    method: str
    source: str

    @property
    def kwh(self) -> float:
        """The best estimate in kWh."""
        return self.joules / JOULES_PER_KWH

    def __add__(self, other: Energy) -> Energy:
        """The energy of both: nothing of the one may be in the other."""
        same = self.method == other.method
        return Energy(
            self.joules + other.joules,
            self.low + other.low,
            self.high + other.high,
            self.method if same else PARTLY_MEASURED,
            _both(self.source, other.source),
        )

    def times(self, factor: float) -> Energy:
        """A share of it, or with what a building takes besides.

        Raises
        ------
        SpecError
            A factor that is negative or not finite.
        """
        factor = checked_number("a factor of an energy", factor)
        return replace(
            self, joules=self.joules * factor, low=self.low * factor, high=self.high * factor
        )


@dataclass(frozen=True)
class Intensity:
    """What a kWh emits at a site, as somebody states it.

    Attributes
    ----------
    grams_per_kwh : float
        Of CO2 equivalent.
    source, date : str
        Who says so, and of when it is.
    """

    grams_per_kwh: float
    source: str
    date: str


@dataclass(frozen=True)
class Carbon:
    """An emission.

    Attributes
    ----------
    grams, low, high : float
        Of CO2 equivalent; the range is that of the energy alone.
    intensity : Intensity
        What a kWh emits.
    """

    grams: float
    low: float
    high: float
    intensity: Intensity


def per_core(watts: float, source: str = "stated") -> Power:
    """The power of a core that somebody states, with the range of what is stated.

    Parameters
    ----------
    watts : float
        Of a core that computes, its share of the memory included.
    source : str
        Who says so.

    Raises
    ------
    SpecError
        It is negative or not finite.

    Examples
    --------
    >>> per_core(8.0).high
    10.0
    """
    watts = checked_number("watts of a core", watts)
    return Power(watts, watts * (1 - STATED), watts * (1 + STATED), source)


def energy_of(*, cpu_seconds: float, watts_per_core: float | Power, pue: float = 1.0) -> Energy:
    """Energy of computing by a model: every CPU second takes what a core takes.

    It is additive: the parts of a run, whatever they share a node with, sum up to the run.

    Parameters
    ----------
    cpu_seconds : float
        Of all tasks together.
    watts_per_core : float or Power
        Of a core that computes, its share of the memory included.
    pue : float
        Energy of the building over that of its computers, at least 1.

    Raises
    ------
    SpecError
        A number that is negative or not finite, or a PUE below 1.

    Examples
    --------
    >>> energy_of(cpu_seconds=3600.0, watts_per_core=10.0).kwh
    0.01
    """
    seconds = checked_number("CPU seconds", cpu_seconds)
    power = watts_per_core if isinstance(watts_per_core, Power) else per_core(watts_per_core)
    core = Energy(
        seconds * power.watts, seconds * power.low, seconds * power.high, MODELLED, power.source
    )
    return core.times(checked_pue(pue))


def carbon_of(energy: Energy, intensity: Intensity) -> Carbon:
    """What an energy emits.

    Parameters
    ----------
    energy : Energy
    intensity : Intensity
        What a kWh of it emits.

    Raises
    ------
    SpecError
        An intensity that is negative or not finite.

    Examples
    --------
    >>> energy = energy_of(cpu_seconds=3600.0, watts_per_core=1000.0)
    >>> carbon_of(energy, Intensity(250.0, "grid operator", "2026")).grams
    250.0
    """
    per_kwh = checked_number("grams of CO2 equivalent per kWh", intensity.grams_per_kwh)
    grams, low, high = (
        joules / JOULES_PER_KWH * per_kwh for joules in (energy.joules, energy.low, energy.high)
    )
    return Carbon(grams, low, high, intensity)


def checked_pue(pue: float) -> float:
    """A power usage effectiveness that there can be.

    Raises
    ------
    SpecError
        It is below 1 or not finite.
    """
    if not (math.isfinite(pue) and pue >= 1):
        raise SpecError(
            f"a PUE of {pue:g} cannot be", "energy", "it is total over computers' energy: 1 or more"
        )
    return float(pue)


def checked_number(quantity: str, value: float) -> float:
    """A number that is finite and not negative.

    Raises
    ------
    SpecError
        It is another one.
    """
    if not (math.isfinite(value) and value >= 0):
        raise SpecError(f"{quantity} cannot be {value:g}", "energy", "give a number of 0 or more")
    return float(value)


def _both(one: str, other: str) -> str:
    """Two sources, each once, in their order."""
    return "; ".join(dict.fromkeys((*one.split("; "), *other.split("; "))))
