"""High-energy physics: selections of collision events, as histograms.

For a pipeline of one's own there are functions of events and histograms in memory, which
need no spec or site: `read`, `read_corrections`, the selections in `hep.analyses`, `fill`,
`fit_peak`, `workspace` and `fit_workspace`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectrum_workflows.hep.domain import DOMAIN
    from spectrum_workflows.hep.fit import fit_peak, fit_workspace
    from spectrum_workflows.hep.library import (
        compile_corrections,
        fill,
        read,
        read_corrections,
        workspace,
    )
    from spectrum_workflows.hep.types import FitResult, LikelihoodFit, Observable

_HOME = {
    "DOMAIN": "domain",
    "FitResult": "types",
    "LikelihoodFit": "types",
    "Observable": "types",
    "compile_corrections": "library",
    "fill": "library",
    "fit_peak": "fit",
    "fit_workspace": "fit",
    "read": "library",
    "read_corrections": "library",
    "workspace": "library",
}

__all__ = [
    "DOMAIN",
    "FitResult",
    "LikelihoodFit",
    "Observable",
    "compile_corrections",
    "fill",
    "fit_peak",
    "fit_workspace",
    "read",
    "read_corrections",
    "workspace",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that this import stays light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
