"""A HistFactory workspace as a card of CMS's Combine: its text, and the histograms it names.

Form: the documentation of Combine (arXiv:2404.06614).  The parameter of interest is its ``r``;
yields that vary without shape are ``lnN``, everything else ``shape`` with templates up and down;
the statistics of the simulation are ``autoMCStats``, which takes the errors of the histograms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.fit.model import FACTOR
from spectrum_workflows.naming import file_names

Floats = NDArray[np.float64]

SHAPES = "shapes.root"
"""Name of the file of histograms."""

DATA = "data_obs"

RESERVED = re.compile(rf"r|MH|{DATA}|CMS_th1x|CMS_channel|prop_bin.*", re.IGNORECASE)
"""Names that Combine uses itself: its parameters, variables and data."""

CANNOT = {
    "shapesys": "an uncertainty of single bins of a sample alone",
    "shapefactor": "a free factor for every bin",
}
"""Modifiers that a card has no line for."""


@dataclass(frozen=True)
class Contents:
    """A histogram: contents, and errors where they mean something."""

    values: Floats
    errors: Floats


@dataclass(frozen=True)
class Card:
    """A card.

    Attributes
    ----------
    text : str
    histograms : mapping of str to Contents
        By their names in the file, ``CHANNEL/PROCESS`` and ``CHANNEL/PROCESS_SYSTEMATICUp``.
    channels : mapping of str to str
        Name of the region of every channel.
    """

    text: str
    histograms: Mapping[str, Contents]
    channels: Mapping[str, str]


@dataclass
class _Process:
    """A sample in a channel, with what varies it."""

    channel: str
    name: str
    signal: bool
    nominal: Floats
    errors: Floats
    yields: dict[str, tuple[float, float]] = field(default_factory=dict)
    shapes: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)
    factors: list[str] = field(default_factory=list)
    by_bin: bool = False

    def varied(self, name: str) -> tuple[Floats, Floats]:
        """Templates up and down, yields and shapes together."""
        hi, lo = self.yields.get(name, (1.0, 1.0))
        up, down = self.shapes.get(name, (self.nominal, self.nominal))
        return hi * up, lo * down


def card_of(workspace: Mapping[str, Any]) -> Card:
    """A workspace as a card.

    Raises
    ------
    DataError
        The workspace is not one, or says what no card can.
    """
    try:
        return _card(workspace)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        message = f"not a workspace ({type(error).__name__}: {error})"
        raise DataError(message, "workspace") from error


def _card(workspace: Mapping[str, Any]) -> Card:
    config = workspace["measurements"][0]["config"]
    said = {p["name"]: p for p in config.get("parameters", ())}
    regions = [channel["name"] for channel in workspace["channels"]]
    channels = dict(zip(regions, allowed(regions, "ch_"), strict=True))
    samples = dict.fromkeys(s["name"] for c in workspace["channels"] for s in c["samples"])
    processes_of = _written([*samples], "p_")
    every = [
        _process(channels[c["name"]], processes_of[s["name"]], s, config["poi"], said)
        for c in workspace["channels"]
        for s in c["samples"]
    ]
    empty = [p for p in every if not p.nominal.sum() > 0]
    processes = [p for p in every if p.nominal.sum() > 0]
    _check(processes, config["poi"])
    observed = {channels[o["name"]]: o["data"] for o in workspace["observations"]}
    names = dict.fromkeys(n for p in processes for n in (*p.yields, *p.shapes))
    factors = dict.fromkeys(n for p in processes for n in p.factors)
    written = _written([*names, *(n for n in factors if n not in names)], "theta")
    systematics = {name: written[name] for name in names}
    shaped = {name for p in processes for name in p.shapes}
    histograms = {
        f"{channel}/{DATA}": Contents(np.asarray(data, np.float64), np.sqrt(np.asarray(data)))
        for channel, data in observed.items()
    }
    for p in processes:
        _add(histograms, f"{p.channel}/{p.name}", Contents(p.nominal, p.errors))
        for name in [n for n in systematics if n in shaped and (n in p.yields or n in p.shapes)]:
            for side, values in zip(("Up", "Down"), p.varied(name), strict=True):
                key = f"{p.channel}/{p.name}_{systematics[name]}{side}"
                _add(histograms, key, Contents(values, np.zeros(len(values))))
    lines = _lines(processes, [*observed], systematics, shaped, config["poi"], said, written)
    left_out = (f"# {p.name} has no events in {p.channel} and is not there" for p in empty)
    return Card("\n".join([*lines, *left_out, ""]), histograms, {v: k for k, v in channels.items()})


def _add(histograms: dict[str, Contents], key: str, contents: Contents) -> None:
    """Combine finds templates by their names alone: no two have one."""
    if key in histograms:
        message = f"two histograms would be called {key}"
        raise DataError(message, "card", "rename a sample or a systematic")
    histograms[key] = contents


def _written(names: list[str], before: str) -> dict[str, str]:
    """What names are called in a card, where some have a meaning already."""
    free = [f"{before.rstrip('_')}_{name}" if RESERVED.fullmatch(name) else name for name in names]
    return dict(zip(names, allowed(free, before), strict=True))


def allowed(names: list[str], before_digits: str) -> list[str]:
    """Names as Combine and ROOT take them: letters, digits, underscores, and no digit first."""
    plain = [re.sub(r"\W", "_", name, flags=re.ASCII) for name in names]
    lettered = [f"{before_digits}{name}" if name[:1].isdigit() else name for name in plain]
    return [name.replace("~", "_") for name in file_names(lettered)]


def _process(
    channel: str, name: str, sample: Mapping[str, Any], poi: str, said: Mapping[str, Any]
) -> _Process:
    nominal = np.asarray(sample["data"], np.float64)
    process = _Process(channel, name, False, nominal, np.zeros(len(nominal)))
    for modifier in sample["modifiers"]:
        kind, parameter, values = modifier["type"], modifier["name"], modifier["data"]
        if kind == "normfactor" and parameter == poi:
            process.signal = True
        elif kind == "normfactor":
            process.factors.append(parameter)
        elif kind == "normsys":
            process.yields[parameter] = (float(values["hi"]), float(values["lo"]))
        elif kind == "lumi":
            error = float(said[parameter]["sigmas"][0])
            process.yields[parameter] = (1 + error, 1 - error)
        elif kind == "histosys":
            up, down = (np.asarray(values[side], np.float64) for side in ("hi_data", "lo_data"))
            process.shapes[parameter] = (up, down)
        elif kind == "staterror":
            process.errors, process.by_bin = np.asarray(values, np.float64), True
        else:
            what = CANNOT.get(kind, f"a modifier of type {kind}")
            where = f"card, sample {sample['name']}, channel {channel}"
            raise DataError(f"a card has no line for {what}", where, "export HistFactory's XML")
    return process


def _check(processes: list[_Process], poi: str) -> None:
    """Refuse what Combine would."""
    signals = {p.name for p in processes if p.signal}
    if not signals:
        message = f"no sample with events has the parameter of interest, {poi!r}"
        raise DataError(message, "card", "fit regions that hold some of the signal")
    for p in processes:
        if p.name in signals and not p.signal:
            message = f"{p.name} is a signal in other channels, and not in {p.channel}"
            raise DataError(message, "card", "give it another name there")
        for name in dict.fromkeys([*p.yields, *p.shapes]):
            totals = [float(values.sum()) for values in p.varied(name)]
            if not min(totals) > 0:
                side = "up" if not totals[0] > 0 else "down"
                message = f"{name} {side} leaves nothing of {p.name} in {p.channel}"
                remedy = "limit the systematic's samples, prune it, or merge regions"
                raise DataError(
                    f"{message}, and a card has no factor of 0 or below", "card", remedy
                )


def _lines(
    processes: list[_Process],
    channels: list[str],
    systematics: Mapping[str, str],
    shaped: set[str],
    poi: str,
    said: Mapping[str, Any],
    names: Mapping[str, str],
) -> Iterator[str]:
    signals = [*dict.fromkeys(p.name for p in processes if p.signal)]
    others = [*dict.fromkeys(p.name for p in processes if not p.signal)]
    numbers = {name: -k for k, name in enumerate(signals)}
    numbers |= {name: k for k, name in enumerate(others, start=1)}
    low, high = _range(said, poi)
    yield "# A card of CMS Combine, written by spectrum-workflows"
    yield f"# r is {poi}, fitted from {low:g} to {high:g}: --rMin {low:g} --rMax {high:g}"
    yield f"imax {len(channels)}  number of channels"
    yield f"jmax {len(numbers) - 1}  number of processes less one"
    yield "kmax *  number of nuisance parameters"
    yield "-" * 40
    yield f"shapes * * {SHAPES} $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC"
    yield "-" * 40
    yield from _aligned([["bin", *channels], ["observation", *["-1"] * len(channels)]])
    yield "-" * 40
    rows = [
        ["bin", "", *(p.channel for p in processes)],
        ["process", "", *(p.name for p in processes)],
        ["process", "", *(str(numbers[p.name]) for p in processes)],
        ["rate", "", *["-1"] * len(processes)],
    ]
    for name, written in systematics.items():
        if name in shaped:
            touched = ["1" if name in p.yields or name in p.shapes else "-" for p in processes]
            rows.append([written, "shape", *touched])
        else:
            rows.append([written, "lnN", *(_kappa(p.yields.get(name)) for p in processes)])
    aligned = _aligned(rows)
    yield from aligned[:4]
    yield "-" * 40
    yield from aligned[4:]
    for p in processes:
        for factor in p.factors:
            low, high = _range(said, factor)
            start = said.get(factor, {}).get("inits", [1.0])[0]
            yield f"{names[factor]} rateParam {p.channel} {p.name} {start:g} [{low:g},{high:g}]"
    for channel in channels:
        if any(p.by_bin for p in processes if p.channel == channel):
            yield f"{channel} autoMCStats 0 1"
    for name, written in systematics.items():
        if said.get(name, {}).get("fixed"):
            yield f"nuisance edit freeze {written}"


def _range(said: Mapping[str, Any], name: str) -> tuple[float, float]:
    low, high = said.get(name, {}).get("bounds", [FACTOR])[0]
    return float(low), float(high)


def _kappa(effect: tuple[float, float] | None) -> str:
    """Factors of a yield, down before up; one where they are each other's inverse."""
    if effect is None:
        return "-"
    hi, lo = effect
    return f"{hi:.10g}" if np.isclose(hi * lo, 1, rtol=1e-12) else f"{lo:.10g}/{hi:.10g}"


def _aligned(rows: list[list[str]]) -> list[str]:
    """Rows with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
