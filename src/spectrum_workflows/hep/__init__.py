"""High-energy physics: selections of collision events, as histograms.

For a pipeline of one's own there are functions of events and histograms in memory, which
need no spec or site: `read`, the selections in `hep.analyses`, `fill`, `fit_peak`,
`workspace` and `fit_workspace`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spectrum_workflows import shipped
from spectrum_workflows.domain import Converter, Domain
from spectrum_workflows.hep import declarations, results, synthetic, workflow
from spectrum_workflows.hep.columns import to_keep
from spectrum_workflows.hep.io.convert import convert
from spectrum_workflows.hep.plan.files import inputs
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import FitResult, LikelihoodFit, Observable

if TYPE_CHECKING:
    from spectrum_workflows.hep.fit import fit_peak, fit_workspace
    from spectrum_workflows.hep.library import fill, read, workspace

_HOME = {
    "fill": "library",
    "fit_peak": "fit",
    "fit_workspace": "fit",
    "read": "library",
    "workspace": "library",
}

__all__ = [
    "DOMAIN",
    "FitResult",
    "LikelihoodFit",
    "Observable",
    "fill",
    "fit_peak",
    "fit_workspace",
    "read",
    "workspace",
]

DOMAIN = Domain(
    name="hep",
    spec=HepSpec,
    inputs=inputs,
    plan=workflow.plan,
    run=workflow.run,
    arrays=results.arrays,
    summary=results.summary,
    files=results.files,
    pictures=results.pictures,
    read=results.read,
    deviation=results.deviation,
    plot=results.plot,
    plot_progress=results.plot_progress,
    shown=results.shown,
    show=results.show,
    explore=results.explore,
    make=synthetic.make,
    warnings=results.warnings,
    dataset=results.dataset,
    table=results.table,
    load=results.load,
    recipe=declarations.recipe,
    is_synthetic=synthetic.is_synthetic,
    references=declarations.references,
    user_code=declarations.user_code,
    libraries=declarations.LIBRARIES,
    converter=Converter(".root", convert, to_keep, target=".root", entries="events"),
    demo=shipped.folder("workflows") / "hep/quickstart.toml",
)


def __getattr__(name: str) -> Any:
    """Import a public function when it is first used: a worker needs none of them."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
