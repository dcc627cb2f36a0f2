"""A projection in words: tables of rates and targets, and what they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spectrum_workflows.projection.estimate import Estimate
from spectrum_workflows.projection.quantity import Quantity, digits, readable
from spectrum_workflows.projection.rates import Rates
from spectrum_workflows.projection.targets import Assumptions

METHOD = (
    "Ranges are products of intervals: from the slowest run with the worst assumptions to the"
    " fastest with the best; the value is that of all runs together."
)


def rates_row(rates: Rates) -> dict[str, str]:
    """What was measured, a line of a table."""
    count = len(rates.runs)
    return {
        "measured": f"{rates.workflow}, {count} run{'s' if count > 1 else ''}",
        "kHz per core": _in(rates.items_per_core, "kHz/core"),
        "MB/s per core": _in(rates.read_per_core, "MB/s/core"),
        "read per item": readable(rates.read_per_item),
        "read fraction": _known(rates.read_fraction),
        "CPU time per TB": _known(rates.cpu_per_terabyte),
        "W per core": _power(rates),
    }


def target_row(estimate: Estimate) -> dict[str, str]:
    """What a target takes, a line of a table."""
    shown = {
        "cores": estimate.cores,
        "CPU time": estimate.cpu_time,
        "read from stores": estimate.read_rate,
        "disk": estimate.disk,
        "power": estimate.power,
        "energy": estimate.energy,
    }
    cells = {name: readable(part) if part else "" for name, part in shown.items()}
    return {"target": estimate.name, **cells}


def remarks(estimates: Iterable[Estimate], assumed: Assumptions) -> Iterator[str]:
    """Published figures, sources and notes of every target, then what was assumed."""
    for one in estimates:
        yield f"{one.name}: {one.target.title}"
        yield from (f"  {compared}" for compared in one.compared)
        yield from (f"  {s.document} ({s.year}, {s.url}): {s.says}" for s in one.target.sources)
        if one.target.note:
            yield f"  note: {one.target.note}"
    for name, one_assumed in assumed:
        low, high, why = one_assumed.low, one_assumed.high, one_assumed.why
        yield f"assumed: {name} {one_assumed.value} ({low} to {high}): {why}"


def _power(rates: Rates) -> str:
    if rates.power_per_core is None:
        return "assumed"
    return f"{_in(rates.power_per_core, 'W/core')}, {rates.power_method}"


def _known(quantity: Quantity | None) -> str:
    return readable(quantity) if quantity else "not known"


def _in(quantity: Quantity, symbol: str) -> str:
    low, value, high = map(digits, quantity.to(symbol))
    return value if low == high else f"{value} ({low} to {high})"
