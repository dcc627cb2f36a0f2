"""The nouns of the HEP workflow: its partitions, observables, results and fits."""

from spectrum_workflows.hep.types.events import Events, FileRead, Filled, Observable
from spectrum_workflows.hep.types.fits import FitResult, LikelihoodFit, LikelihoodScan, Templates
from spectrum_workflows.hep.types.progress import PartialHistograms
from spectrum_workflows.hep.types.result import HepResult

__all__ = [
    "Events",
    "FileRead",
    "Filled",
    "FitResult",
    "HepResult",
    "LikelihoodFit",
    "LikelihoodScan",
    "Observable",
    "PartialHistograms",
    "Templates",
]
