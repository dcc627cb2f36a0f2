"""A node's processors and memory as Linux describes them, and codecarbon's table of powers."""

from __future__ import annotations

import csv
import os
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from spectrum_workflows.accounting.power import Processor, named_cores, plain_name

PROC = Path("/proc")


def processor_here(proc: Path = PROC) -> Processor:
    """The processors of this node, as Linux describes them below ``/proc``."""
    blocks = _text(proc / "cpuinfo").strip().split("\n\n")
    tables = [dict(_pairs(block)) for block in blocks]
    first = tables[0]
    name = first.get("model name", "")
    virtual = "hypervisor" in first.get("flags", "").split()
    cores = int(first["cpu cores"]) if first.get("cpu cores", "").isdigit() and not virtual else 0
    distinct = {(t.get("physical id", ""), t["core id"]) for t in tables if "core id" in t}
    described = re.search(r"^MemTotal:\s+(\d+) kB", _text(proc / "meminfo"), re.MULTILINE)
    memory = int(described[1]) * 1024 if described else 0
    return Processor(name, cores or named_cores(name), len(distinct) or os.cpu_count() or 1, memory)


@lru_cache(maxsize=16)
def design_powers(*models: str) -> dict[str, float]:
    """Watts of processors by `plain_name`, from codecarbon's data; empty where it is not installed.

    Its table is read and none of its code is run, so nothing leaves this machine.

    Parameters
    ----------
    *models : str
        In their makers' words: what has the most telling word of none of them is left out.
    """
    words = [max(plain_name(model).split(), key=_telling, default="") for model in models]
    package = find_spec("codecarbon")
    for folder in (package.submodule_search_locations or ()) if package else ():
        try:
            text = (Path(folder) / "data" / "hardware" / "cpu_power.csv").read_text("utf-8")
        except (OSError, ValueError):
            continue
        head, *lines = text.splitlines() or [""]
        if words:
            lines = [line for line in lines if any(word in line.lower() for word in words)]
        rows = csv.DictReader([head, *lines])
        return {plain_name(row["Name"]): watts for row in rows if (watts := _watts(row["TDP"])) > 0}
    return {}


def _telling(word: str) -> tuple[bool, int]:
    """A number tells more of a model than a name does, and a long one more than a short one."""
    return any(map(str.isdigit, word)), len(word)


def _watts(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _pairs(block: str) -> list[tuple[str, str]]:
    lines = (line.partition(":") for line in block.splitlines())
    return [(key.strip(), value.strip()) for key, _, value in lines]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
