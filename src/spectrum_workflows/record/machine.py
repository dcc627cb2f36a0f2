"""The software and the processor a run used."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

ALWAYS = ("dask", "distributed", "fsspec", "numpy", "s3fs", "spectrum-workflows")
"""Distributions that matter whichever science it is."""


def processor() -> str:
    """The processor's model, in its maker's words."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _versions(libraries: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Those that are installed of the distributions that matter."""
    for name in sorted({*ALWAYS, *libraries}):
        with suppress(PackageNotFoundError):
            yield name, version(name)


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _kernel(pool: dict[str, Any]) -> str:
    """OpenBLAS' name for the processor it has chosen its code for; another library's own name."""
    return str(pool.get("architecture") or pool["internal_api"])


def machine(libraries: Iterable[str] = ()) -> dict[str, Any]:
    """Versions, CPU features, BLAS' kernels and native threads of this process.

    Two runs are expected to be *identical* when these agree, and *equivalent*
    when only the CPU features differ.

    Parameters
    ----------
    libraries : iterable of str
        Distributions that matter to a science, besides those that matter to all.
    """
    pools = threadpool_info()
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_features": sorted([*simd.get("baseline", []), *simd.get("found", [])]),
        "cores": cores(),
        "blas_kernels": sorted({_kernel(p) for p in pools if p["user_api"] == "blas"}),
        "native_threads": {str(p["prefix"]): int(p["num_threads"]) for p in pools},
        "versions": dict(_versions(libraries)),
    }
