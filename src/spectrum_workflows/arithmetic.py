"""Machine code of the numerical libraries: the same on every x86-64-v3 processor.

ducc0, OpenBLAS and NumPy hold their loops several times over and choose among them
by the processor they find; the last bits of what they compute follow from that choice.
All three read it from the environment while they are imported, so it is made when this
package is, before them.  A processor below x86-64-v3 keeps its own, and so does a process
that lowers ``DUCC0_MAX_PSABI_LEVEL`` by itself, as it would to stand for one.

The standard library alone is imported here, and nothing of it that takes time.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LEVEL = 3
"""x86-64-v3: AVX2 and FMA, in Intel's processors from 2013 and AMD's from 2015 on."""

KERNEL = "Haswell"
"""OpenBLAS' name for the same."""

WIDER = ("X86_V4", "AVX512_ICL", "AVX512_SPR")
"""What NumPy may not use beyond it."""

DUCC0, OPENBLAS = "DUCC0_MAX_PSABI_LEVEL", "OPENBLAS_CORETYPE"
WITHOUT, ONLY = "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES"
"""NumPy takes one of them, not both."""

NEEDED = {"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}
WIDE = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
"""What Linux calls the features of x86-64-v3, and those that v4 adds."""

PROCESSOR, ENOUGH = "/proc/cpuinfo", 1 << 14
"""Linux tells it there, and repeats itself for every core."""


@dataclass(frozen=True)
class Arithmetic:
    """Machine code that a process computes with.

    Attributes
    ----------
    level : int
        Of x86-64 that ducc0 uses; 0 on another architecture or where the system does
        not tell.
    pinned : bool
        Whether the environment asked for the same code as everywhere.
    """

    level: int
    pinned: bool


_chosen = Arithmetic(0, pinned=False)


def pin() -> None:
    """Choose the machine code of libraries not imported yet, here and in processes to come.

    Those that are imported already have chosen by themselves; `arithmetic` and
    `record.machine` tell what.
    """
    global _chosen  # noqa: PLW0603
    here, asked = _level_here(), _asked()
    if "ducc0" not in sys.modules:
        os.environ[DUCC0] = str(asked)
        _chosen = Arithmetic(min(here, asked), pinned=min(here, asked) == LEVEL)
    else:
        level = min(here, _allowed(os.environ.get(DUCC0)))
        _chosen = Arithmetic(level, pinned=level == LEVEL)
    if min(here, asked) == LEVEL:
        os.environ |= _settings(os.environ)


def arithmetic() -> dict[str, Any]:
    """The machine code that this process computes with, ready for a record."""
    return asdict(_chosen)


def shell() -> list[str]:
    """The same choice as lines of a job script: a node may have another processor."""
    exports = " ".join(f"{k}='{v}'" for k, v in {DUCC0: str(LEVEL), **_settings({})}.items())
    return [
        f"if grep -qw avx2 /proc/cpuinfo; then export {exports}",
        f"else unset {OPENBLAS}; fi",
    ]


def doubts(machines: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Reasons why results of some machines may differ from others' in the bits; a line each.

    Parameters
    ----------
    machines : iterable of mapping
        As `record.machine` describes them, with ``arithmetic`` besides.
    """
    reasons = sorted({reason for machine in machines for reason in _reasons(machine)})
    end = "results need not be those of other machines to the bit"
    return tuple(f"{reason}: {end}" for reason in reasons)


def _reasons(machine: Mapping[str, Any]) -> Iterable[str]:
    level = machine["arithmetic"]["level"]
    if level < LEVEL:
        yield "the processor is not known to be x86-64-v3, or is kept below it"
        return
    first = "import spectrum_workflows before it, or set {} where its process starts"
    if level > LEVEL:
        yield f"ducc0 uses x86-64-v{level} ({first.format(f'{DUCC0}={LEVEL}')})"
    if any(f.startswith("AVX512") or f == "X86_V4" for f in machine["cpu_features"]):
        yield f"NumPy uses AVX-512 ({first.format(WITHOUT)})"
    if other := sorted({*machine["blas_kernels"]} - {KERNEL}):
        yield f"BLAS uses its code for {other[0]} ({first.format(f'{OPENBLAS}={KERNEL}')})"


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    """For OpenBLAS and NumPy; what somebody else keeps from NumPy stays kept from it."""
    settings = {OPENBLAS: KERNEL}
    if not environment.get(ONLY):
        before = environment.get(WITHOUT, "").replace(",", " ").split()
        settings[WITHOUT] = " ".join(dict.fromkeys([*before, *WIDER]))
    return settings


def _asked() -> int:
    return min(LEVEL, _allowed(os.environ.get(DUCC0)))


def _allowed(value: str | None) -> int:
    """The highest level that a setting allows."""
    try:
        return int(value or LEVEL + 1)
    except ValueError:
        return LEVEL + 1


def _level_here() -> int:
    """The level of this processor, as far as it matters here: 0, 2, 3 or 4."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return 0
    try:
        with Path(PROCESSOR).open(encoding="ascii", errors="replace") as file:
            text = file.read(ENOUGH)
    except OSError:
        return 0
    flags = {f for line in text.splitlines() if line.startswith("flags") for f in line.split()}
    return 4 if flags >= NEEDED | WIDE else 3 if flags >= NEEDED else 2
