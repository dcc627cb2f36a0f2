"""The accounts of a run: CPU time, bytes by store, energy and carbon, of it all and by stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from operator import mul
from typing import Any

from spectrum_workflows.accounting.energy import (
    JOULES_PER_KWH,
    JOULES_PER_WH,
    Carbon,
    Energy,
    Intensity,
    Power,
    carbon_of,
    checked_number,
    energy_of,
)
from spectrum_workflows.accounting.readings import Use
from spectrum_workflows.errors import DataError
from spectrum_workflows.stages import Stage, Stores

HOUR = 3600.0

SEVERAL = "; "
"""Between the names of the sites, or projects, of a run that was at several."""


@dataclass(frozen=True)
class Terms:
    """What a site says of its energy, and a model of its cores.

    Attributes
    ----------
    power : Power
        Of a core that computes.
    pue : float or None
        Energy of the building over that of its computers; ``None`` where nobody states it.
    intensity : Intensity or None
        What a kWh emits; ``None`` where nobody states it.
    site, project : str
        As accounting knows the place and who is charged.
    """

    power: Power
    pue: float | None = None
    intensity: Intensity | None = None
    site: str = ""
    project: str = ""


def mean_terms(parts: Sequence[tuple[Terms, float]]) -> Terms:
    """What several sites say together of a run that computed at each of them.

    A PUE or an intensity is told where each of them states one: as much energy follows from the
    mean as from the parts.

    Parameters
    ----------
    parts : sequence of (Terms, float)
        Of each site, with the CPU seconds there; some of them more than 0.
    """
    seconds = sum(spent for _, spent in parts)
    joules = [spent * terms.power.watts for terms, spent in parts]
    pues = [terms.pue for terms, _ in parts if terms.pue is not None]
    stated = [terms.intensity for terms, _ in parts if terms.intensity is not None]
    pue = fsum(map(mul, joules, pues)) / fsum(joules) if len(pues) == len(parts) else None
    intensity = None
    if len(stated) == len(parts):
        taken = list(map(mul, joules, pues)) if pue is not None else joules
        intensity = Intensity(
            fsum(map(mul, taken, (one.grams_per_kwh for one in stated))) / fsum(taken),
            _each_once(one.source for one in stated),
            _each_once(one.date for one in stated),
        )
    powers = [terms.power for terms, _ in parts]
    watts, low, high = (
        fsum(getattr(power, name) * spent for power, (_, spent) in zip(powers, parts, strict=True))
        / seconds
        for name in ("watts", "low", "high")
    )
    return Terms(
        Power(watts, low, high, _each_once(power.source for power in powers)),
        pue,
        intensity,
        _each_once(terms.site for terms, _ in parts),
        _each_once(terms.project for terms, _ in parts),
    )


@dataclass(frozen=True)
class StageAccount:
    """A stage's share of the accounts.

    Attributes
    ----------
    name : str
    cpu_seconds : float
    stores : tuple of (str, int)
        Bytes that were read, by store.
    energy : Energy
        Of the run's, by its share of the CPU time.
    """

    name: str
    cpu_seconds: float
    stores: Stores
    energy: Energy


@dataclass(frozen=True)
class Accounts:
    """What a run has used.

    Attributes
    ----------
    cpu_seconds, seconds : float
        CPU time of all tasks and of the driver, and wall time.
    processors : int
        Tasks that could be computed at a time, when the run began.
    nodes : int
        With a process of the run.
    jobs : tuple of str
        Batch jobs of its workers.
    memory : int
        Bytes of the largest process.
    stores : tuple of (str, int)
        Bytes that were read, by store.
    energy : Energy
    carbon : Carbon or None
        ``None`` where the site states no intensity.
    pue : float or None
        That is in the energy; ``None`` where the site states none.
    model_over_measured : float or None
        Ratio of the two for what was measured; ``None`` where nothing was.
    stages : tuple of StageAccount
    site, project : str
        As accounting knows the place and who is charged; empty where the profile does not say.
    """

    cpu_seconds: float
    seconds: float
    processors: int
    nodes: int
    jobs: tuple[str, ...]
    memory: int
    stores: Stores
    energy: Energy
    carbon: Carbon | None
    pue: float | None
    model_over_measured: float | None
    stages: tuple[StageAccount, ...]
    site: str = ""
    project: str = ""

    @property
    def line(self) -> str:
        """Energy and what it emits, in one line."""
        text = _told(self.energy, self.carbon)
        if self.model_over_measured is not None:
            text += f"; model ÷ measured {self.model_over_measured:.2f}"
        return text

    @property
    def table(self) -> dict[str, Any]:
        """The accounts for JSON: CPU hours, bytes, kWh, grams."""
        return {
            "site": self.site,
            "project": self.project,
            "cpu_hours": self.cpu_seconds / HOUR,
            "wall_hours": self.seconds / HOUR,
            "processors": self.processors,
            "nodes": self.nodes,
            "jobs": list(self.jobs),
            "memory_bytes": self.memory,
            "bytes_read_by_store": dict(self.stores),
            "energy": _energy_table(self.energy) | {"pue": self.pue},
            "model_over_measured": self.model_over_measured,
            "carbon": _carbon_table(self.carbon),
            "stages": [
                {
                    "name": stage.name,
                    "cpu_hours": stage.cpu_seconds / HOUR,
                    "bytes_read_by_store": dict(stage.stores),
                    "energy": _energy_table(stage.energy),
                }
                for stage in self.stages
            ],
        }


@dataclass(frozen=True)
class Planned:
    """What a run is going to use.

    Attributes
    ----------
    cpu_seconds : float
        As an earlier run of the same took them, else of one pass through every stage.
    energy : Energy
    carbon : Carbon or None
        ``None`` where the site states no intensity.
    """

    cpu_seconds: float
    energy: Energy
    carbon: Carbon | None

    @property
    def line(self) -> str:
        """CPU time, energy and what it emits, in one line."""
        return f"{self.cpu_seconds / HOUR:.3g} CPU hours, {_told(self.energy, self.carbon)}"

    @property
    def table(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "cpu_hours": self.cpu_seconds / HOUR,
            "energy": _energy_table(self.energy),
            "carbon": _carbon_table(self.carbon),
        }


def accounts_of(
    use: Use,
    terms: Terms,
    *,
    cpu_seconds: float,
    seconds: float,
    processors: int = 1,
    memory: int = 0,
    stores: Stores = (),
    stages: Sequence[Stage] = (),
) -> Accounts:
    """The accounts of a run, from what its processes and its stages have used.

    The energy is what was measured on nodes with a counter, and a model of the CPU time that is
    left: both together count every node and every CPU second once.
    """
    left = max(0.0, cpu_seconds - use.cpu_seconds)
    energy = energy_of(cpu_seconds=left, watts_per_core=terms.power)
    ratio = None
    if use.energy is not None:
        modelled = energy_of(cpu_seconds=use.cpu_seconds, watts_per_core=terms.power)
        ratio = modelled.joules / use.energy.joules if use.energy.joules else None
        energy = use.energy + energy if left else use.energy
    energy = energy.times(terms.pue or 1.0)
    return Accounts(
        cpu_seconds=cpu_seconds,
        seconds=seconds,
        processors=processors,
        nodes=use.nodes,
        jobs=use.jobs,
        memory=memory,
        stores=stores,
        energy=energy,
        carbon=None if terms.intensity is None else carbon_of(energy, terms.intensity),
        pue=terms.pue,
        model_over_measured=ratio,
        stages=tuple(
            StageAccount(
                stage.name,
                stage.cpu_seconds,
                stage.stores,
                energy.times(min(1.0, stage.cpu_seconds / cpu_seconds) if cpu_seconds else 0.0),
            )
            for stage in stages
        ),
        site=terms.site,
        project=terms.project,
    )


def planned(cpu_seconds: float, terms: Terms) -> Planned | None:
    """What a plan is going to use by the model; ``None`` where its CPU time is not known."""
    if not cpu_seconds:
        return None
    energy = energy_of(cpu_seconds=cpu_seconds, watts_per_core=terms.power, pue=terms.pue or 1.0)
    carbon = None if terms.intensity is None else carbon_of(energy, terms.intensity)
    return Planned(cpu_seconds, energy, carbon)


def read_accounts(table: Mapping[str, Any]) -> Accounts:
    """The accounts from a record, as `Accounts.table` wrote them.

    Raises
    ------
    DataError
        It is no such table.
    """
    try:
        return _read(table)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"accounts of a run that cannot be read ({type(error).__name__}: {error})"
        raise DataError(message, remedy="run it again") from error


def _read(table: Mapping[str, Any]) -> Accounts:
    carbon, energy = table["carbon"], table["energy"]
    return Accounts(
        cpu_seconds=_hours(table["cpu_hours"]),
        seconds=_hours(table["wall_hours"]),
        processors=int(table["processors"]),
        nodes=int(table["nodes"]),
        jobs=tuple(map(str, table["jobs"])),
        memory=int(table["memory_bytes"]),
        stores=_read_stores(table["bytes_read_by_store"]),
        energy=_read_energy(energy),
        carbon=None if carbon is None else _read_carbon(carbon),
        pue=energy["pue"],
        model_over_measured=table["model_over_measured"],
        stages=tuple(
            StageAccount(
                stage["name"],
                _hours(stage["cpu_hours"]),
                _read_stores(stage["bytes_read_by_store"]),
                _read_energy(stage["energy"]),
            )
            for stage in table["stages"]
        ),
        site=str(table["site"]),
        project=str(table["project"]),
    )


def in_words(energy: Energy) -> str:
    """An energy with its range, and how it is known.

    >>> in_words(Energy(7200.0, 3600.0, 10800.0, "modelled", "a table"))
    '2 Wh (1 to 3), modelled: a table'
    """
    large = energy.joules >= JOULES_PER_KWH
    unit, size = ("kWh", JOULES_PER_KWH) if large else ("Wh", JOULES_PER_WH)
    best, low, high = (f"{j / size:.3g}" for j in (energy.joules, energy.low, energy.high))
    return f"{best} {unit} ({low} to {high}), {energy.method}: {energy.source}"


def _told(energy: Energy, carbon: Carbon | None) -> str:
    text = in_words(energy)
    return text if carbon is None else f"{text}; {_grams(carbon.grams)} CO2e"


def _each_once(texts: Iterable[str]) -> str:
    return SEVERAL.join(dict.fromkeys(filter(None, texts)))


def _grams(grams: float) -> str:
    return f"{grams / 1000:.3g} kg" if grams >= 1000 else f"{grams:.3g} g"


def _energy_table(energy: Energy) -> dict[str, Any]:
    return {
        "kwh": energy.joules / JOULES_PER_KWH,
        "low": energy.low / JOULES_PER_KWH,
        "high": energy.high / JOULES_PER_KWH,
        "method": energy.method,
        "source": energy.source,
    }


def _carbon_table(carbon: Carbon | None) -> dict[str, Any] | None:
    if carbon is None:
        return None
    return {
        "grams_co2e": carbon.grams,
        "low": carbon.low,
        "high": carbon.high,
        "grams_per_kwh": carbon.intensity.grams_per_kwh,
        "source": carbon.intensity.source,
        "date": carbon.intensity.date,
    }


def _hours(value: Any) -> float:
    return checked_number("hours", float(value)) * HOUR


def _read_energy(table: Mapping[str, Any]) -> Energy:
    numbers = (checked_number(f"an energy's {n}", float(table[n])) for n in ("kwh", "low", "high"))
    best, low, high = (kwh * JOULES_PER_KWH for kwh in numbers)
    return Energy(best, low, high, str(table["method"]), str(table["source"]))


def _read_carbon(table: Mapping[str, Any]) -> Carbon:
    grams, low, high = (float(table[name]) for name in ("grams_co2e", "low", "high"))
    stated = Intensity(float(table["grams_per_kwh"]), str(table["source"]), str(table["date"]))
    return Carbon(grams, low, high, stated)


def _read_stores(table: Mapping[str, Any]) -> Stores:
    return tuple(sorted((str(store), int(nbytes)) for store, nbytes in table.items()))
