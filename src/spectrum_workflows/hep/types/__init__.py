"""The nouns of the HEP workflow: its partitions, observables, results and fits."""

from spectrum_workflows.hep.types.columns_out import ColumnFile, ColumnsWritten
from spectrum_workflows.hep.types.cuts import CutFlow, EventCuts, FilterFlow
from spectrum_workflows.hep.types.events import Events, FileRead, Filled, Observable
from spectrum_workflows.hep.types.fits import FitResult, LikelihoodFit, LikelihoodScan, Templates
from spectrum_workflows.hep.types.luminosity import Blocks, ProcessedLuminosity
from spectrum_workflows.hep.types.progress import PartialHistograms
from spectrum_workflows.hep.types.result import HepResult
from spectrum_workflows.hep.types.statistics import (
    Evaluation,
    GoodnessOfFit,
    Impacts,
    Limit,
    Significance,
    Toys,
)
from spectrum_workflows.hep.types.unfolding import (
    Unfolded,
    UnfoldingImpacts,
    UnfoldingModel,
    UnfoldingToys,
)

__all__ = [
    "Blocks",
    "ColumnFile",
    "ColumnsWritten",
    "CutFlow",
    "Evaluation",
    "EventCuts",
    "Events",
    "FileRead",
    "Filled",
    "FilterFlow",
    "FitResult",
    "GoodnessOfFit",
    "HepResult",
    "Impacts",
    "LikelihoodFit",
    "LikelihoodScan",
    "Limit",
    "Observable",
    "PartialHistograms",
    "ProcessedLuminosity",
    "Significance",
    "Templates",
    "Toys",
    "Unfolded",
    "UnfoldingImpacts",
    "UnfoldingModel",
    "UnfoldingToys",
]
