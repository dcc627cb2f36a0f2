"""High-energy physics: selections of collision events, as histograms.

For a pipeline of one's own there are functions of events and histograms in memory, which
need no spec or site: `read`, `read_corrections`, `read_model`, the selections in `hep.analyses`,
`fill`, `fit_peak`, `workspace` and `fit_workspace`; and of any workspace in pyhf's schema `limit`,
`significance`, `scan_likelihood`, `impacts`, `goodness_of_fit`, `throw_toys`, `unfold`,
`unfold_toys` and `unfolding_impacts`; `bootstrap_weights` of any events, and `covariance` of the
bins of a result; and as files of other programs `combine_card` and
`histfactory`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectrum_workflows.hep.bootstrap.weights import bootstrap_weights
    from spectrum_workflows.hep.domain import DOMAIN
    from spectrum_workflows.hep.fit import fit_peak, fit_workspace
    from spectrum_workflows.hep.fit.goodness import goodness_of_fit
    from spectrum_workflows.hep.fit.impacts import impacts, unfolding_impacts
    from spectrum_workflows.hep.fit.limits import limit, significance
    from spectrum_workflows.hep.fit.scan import scan_likelihood
    from spectrum_workflows.hep.fit.unfolding import unfold
    from spectrum_workflows.hep.io.covariance import covariance
    from spectrum_workflows.hep.io.exporting import combine_card, histfactory
    from spectrum_workflows.hep.library import (
        compile_corrections,
        fill,
        read,
        read_corrections,
        read_model,
        workspace,
    )
    from spectrum_workflows.hep.profiles import error_of_mean, spread
    from spectrum_workflows.hep.types import (
        EventCuts,
        FitResult,
        GoodnessOfFit,
        Impacts,
        LikelihoodFit,
        LikelihoodScan,
        Limit,
        Observable,
        Significance,
        Toys,
        Unfolded,
        UnfoldingImpacts,
        UnfoldingToys,
    )
    from spectrum_workflows.hep.workflow.toys import throw_toys
    from spectrum_workflows.hep.workflow.unfolding import unfold_toys

_HOME = {
    "DOMAIN": "domain",
    "EventCuts": "types",
    "FitResult": "types",
    "GoodnessOfFit": "types",
    "Impacts": "types",
    "LikelihoodFit": "types",
    "LikelihoodScan": "types",
    "Limit": "types",
    "Observable": "types",
    "Significance": "types",
    "Toys": "types",
    "Unfolded": "types",
    "UnfoldingImpacts": "types",
    "UnfoldingToys": "types",
    "bootstrap_weights": "bootstrap.weights",
    "combine_card": "io.exporting",
    "compile_corrections": "library",
    "covariance": "io.covariance",
    "error_of_mean": "profiles",
    "fill": "library",
    "fit_peak": "fit",
    "fit_workspace": "fit",
    "goodness_of_fit": "fit.goodness",
    "histfactory": "io.exporting",
    "impacts": "fit.impacts",
    "limit": "fit.limits",
    "read": "library",
    "read_corrections": "library",
    "read_model": "library",
    "scan_likelihood": "fit.scan",
    "significance": "fit.limits",
    "spread": "profiles",
    "throw_toys": "workflow.toys",
    "unfold": "fit.unfolding",
    "unfold_toys": "workflow.unfolding",
    "unfolding_impacts": "fit.impacts",
    "workspace": "library",
}

__all__ = [
    "DOMAIN",
    "EventCuts",
    "FitResult",
    "GoodnessOfFit",
    "Impacts",
    "LikelihoodFit",
    "LikelihoodScan",
    "Limit",
    "Observable",
    "Significance",
    "Toys",
    "Unfolded",
    "UnfoldingImpacts",
    "UnfoldingToys",
    "bootstrap_weights",
    "combine_card",
    "compile_corrections",
    "covariance",
    "error_of_mean",
    "fill",
    "fit_peak",
    "fit_workspace",
    "goodness_of_fit",
    "histfactory",
    "impacts",
    "limit",
    "read",
    "read_corrections",
    "read_model",
    "scan_likelihood",
    "significance",
    "spread",
    "throw_toys",
    "unfold",
    "unfold_toys",
    "unfolding_impacts",
    "workspace",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that this import stays light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
