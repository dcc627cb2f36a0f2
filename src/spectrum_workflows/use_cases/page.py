"""A use case as a page: its sections, each with the figures that a run has filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from spectrum_workflows.projection import quantity
from spectrum_workflows.projection.quantity import digits, exactly, readable
from spectrum_workflows.projection.rates import Measured, rates
from spectrum_workflows.use_cases.sheet import HEADINGS, Section, UseCase

NOT_MEASURED = "not measured: give a run"


def figures(run: Measured, item: str) -> dict[str, tuple[str, str]]:
    """Name and value of every figure of a run, for people.

    Parameters
    ----------
    run : Measured
    item : str
        What is counted.
    """
    of_all = rates([run])
    terabyte = of_all.cpu_per_terabyte
    fraction = run.read_fraction
    plural = _plural(item)
    data = [exactly(size, quantity.DATA) if size else None for size in _sizes(run)]
    read, stored, memory, moved = (readable(size) if size else "not known" for size in data)
    return {
        "items": (f"{plural} processed", f"{run.items:,.0f}"),
        "partitions": ("partitions", f"{run.partitions:,}"),
        "bytes_read": ("read from stores", read),
        "data_bytes": ("size of the data as stored", stored),
        "read_per_item": (f"read per {item}", f"{digits(run.bytes_read / run.items)} B"),
        "stored_per_item": (
            f"stored per {item}",
            f"{digits(run.data_bytes / run.items)} B" if run.data_bytes else "not known",
        ),
        "read_fraction": (
            "read over stored (above 1: several passes)",
            readable(fraction) if fraction else "not known",
        ),
        "items_per_core": (
            f"{plural} per second and core",
            f"{digits(run.items / run.cpu_seconds)}",
        ),
        "read_per_core": (
            "read per second and core",
            f"{digits(run.bytes_read / run.cpu_seconds / 1e6)} MB/s",
        ),
        "cpu_time": ("CPU time", f"{digits(run.cpu_seconds / 3600)} CPU-h"),
        "cpu_per_terabyte": (
            "CPU time per TB stored",
            readable(terabyte) if terabyte else "not known",
        ),
        "peak_memory": ("largest process", memory),
        "bytes_moved": ("moved between tasks", moved),
        "workers": ("workers", f"{run.workers or 'none (one process)'}"),
        "energy": (
            "energy",
            f"{readable(run.energy)}, {run.energy_method}" if run.energy else "not known",
        ),
    }


def _sizes(run: Measured) -> tuple[float, float, float, float]:
    return run.bytes_read, run.data_bytes, run.peak_memory, run.bytes_moved


def _plural(item: str) -> str:
    return f"{item[:-1]}ies" if item.endswith("y") else f"{item}s"


def page(case: UseCase, run: Measured | None = None) -> str:
    """The use case as Markdown.

    Parameters
    ----------
    case : UseCase
    run : Measured, optional
        A run of its science, that fills in the figures.
    """
    lines = [
        f"# {case.title}",
        "",
        f"Try it: {', '.join(f'`spectrum run {s}`' for s in case.specs)}.",
    ]
    if run is not None:
        lines += ["", f"Figures are of the run *{run.name}*, digest `{run.digest[:12]}`."]
    for key, heading in HEADINGS.items():
        section: Section = getattr(case, key)
        lines += ["", f"## {heading}", "", section.text.strip()]
        lines += _table(section, _shown(case, run))
    return "\n".join(lines) + "\n"


def _shown(case: UseCase, run: Measured | None) -> Callable[[str], tuple[str, str]]:
    if run is not None:
        return figures(run, case.item).__getitem__
    return lambda name: (name.replace("_", " ").replace("item", case.item), NOT_MEASURED)


def _table(section: Section, shown: Callable[[str], tuple[str, str]]) -> list[str]:
    if not section.figures:
        return []
    rows = [f"| {name} | {value} |" for name, value in map(shown, section.figures)]
    return ["", "| measured | |", "|---|---|", *rows]


def summary(case: UseCase, run: Measured | None = None) -> Mapping[str, Any]:
    """The sheet for JSON, with the figures of a run as numbers in bytes, seconds and items."""
    return {**case.model_dump(mode="json"), "measured": numbers(run) if run else None}


def numbers(run: Measured) -> dict[str, Any]:
    """Every figure as a number; the unit stands in its name."""
    terabyte = rates([run]).cpu_per_terabyte
    return {
        "run": run.name,
        "digest": run.digest,
        "items": run.items,
        "partitions": run.partitions,
        "bytes_read": run.bytes_read,
        "data_bytes": run.data_bytes or None,
        "bytes_read_per_item": run.bytes_read / run.items,
        "bytes_stored_per_item": run.data_bytes / run.items if run.data_bytes else None,
        "read_fraction": run.bytes_read / run.data_bytes if run.data_bytes else None,
        "items_per_cpu_second": run.items / run.cpu_seconds,
        "bytes_read_per_cpu_second": run.bytes_read / run.cpu_seconds,
        "cpu_hours": run.cpu_seconds / 3600,
        "cpu_hours_per_terabyte": terabyte.to("CPU-h")[1] if terabyte else None,
        "peak_memory_bytes": run.peak_memory or None,
        "bytes_moved": run.bytes_moved,
        "workers": run.workers,
        "seconds": run.seconds,
        "energy_kwh": run.energy.summary("kWh") if run.energy else None,
    }
