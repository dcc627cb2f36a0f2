"""The power that a model gives one core of a processor that computes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spectrum_workflows.accounting.energy import Power

GB = 1e9

DEFAULT = Power(
    7.0,
    4.0,
    12.0,
    "7 W per core by default (codecarbon 4, Green Algorithms 12)",
)
"""A core of a processor that no table has: the geometric mean of two defaults in use, that of
codecarbon 3 and that of Green Algorithms (Lannelongue et al. 2021)."""

LIGHT, TURBO = 0.5, 1.25
"""Shares of the thermal design power: codecarbon's for a load that is not known, and Intel's
usual limit for a while."""

MEMORY_WATTS_PER_GB = (0.3725, 5 / 64, 5 / 8)
"""Green Algorithms' figure (Karyakin and Salem 2017); codecarbon's 5 W for modules of 64 and of
8 GB."""
MEMORY = "memory 0.37 W/GB"

_DECORATION = re.compile(r"\((?:R|TM)\)|\bCPU\b|\bProcessor\b|\d+-Core\b|@.*$", re.IGNORECASE)


@dataclass(frozen=True)
class Processor:
    """The processors of a node.

    Attributes
    ----------
    name : str
        The model, in its maker's words.
    cores : int
        Of one of them; 0 where that is not known, as in a virtual machine that has some.
    node_cores : int
        Of the node, or of the virtual machine.
    memory : int
        Bytes of the node.
    """

    name: str
    cores: int
    node_cores: int
    memory: int


def power_of(processor: Processor, table: Mapping[str, float]) -> Power:
    """Power of one core that computes, with its share of the node's memory.

    Parameters
    ----------
    processor : Processor
    table : mapping of str to float
        Watts of whole processors, their thermal design power, by `plain_name`.
    """
    watts = table.get(plain_name(processor.name))
    core = DEFAULT
    if watts and processor.cores:
        each = watts / processor.cores
        source = f"{each:.3g} W per core of {processor.name} (codecarbon's table)"
        core = Power(each, each * LIGHT, each * TURBO, source)
    if not processor.memory:
        return core
    share = processor.memory / GB / processor.node_cores
    estimate, low, high = (share * watts_per_gb for watts_per_gb in MEMORY_WATTS_PER_GB)
    return core + Power(estimate, low, high, MEMORY)


def plain_name(name: str) -> str:
    """A model's name as a key: without trade marks, clock and number of cores.

    >>> plain_name("Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz")
    'intel xeon gold 6130'
    >>> plain_name("AMD EPYC 7763 64-Core Processor")
    'amd epyc 7763'
    """
    return " ".join(_DECORATION.sub(" ", name).lower().split())


def mean_power(kinds: Iterable[tuple[Processor, float]], table: Mapping[str, float]) -> Power:
    """Power of a core of several kinds of nodes, by the CPU seconds on each; else the default."""
    total, spent = Power(0.0, 0.0, 0.0, ""), 0.0
    for processor, seconds in kinds:
        power, weight = power_of(processor, table), max(seconds, 1e-9)
        spent += weight
        total += Power(power.watts * weight, power.low * weight, power.high * weight, power.source)
    if not spent:
        return DEFAULT
    watts, low, high = (value / spent for value in (total.watts, total.low, total.high))
    return Power(watts, low, high, total.source.removeprefix("; "))


def named_cores(name: str) -> int:
    """Cores that a model's name tells, as AMD's do."""
    match = re.search(r"\b(\d+)-Core\b", name)
    return int(match[1]) if match else 0
