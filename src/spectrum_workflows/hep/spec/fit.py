"""The ``[fit]`` table of a HEP spec: which templates, which systematic uncertainties."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from spectrum_workflows.hep.spec.pruning import PruningSpec
from spectrum_workflows.hep.spec.unfolding import UnfoldingSpec
from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel

LUMINOSITY, STATISTICS = "luminosity", "staterror"
"""Names of parameters that are the fit's own."""


class SystematicSpec(FrozenModel):
    """One systematic uncertainty: a nuisance parameter."""

    up: str
    """Where the templates at +1 standard deviation come from: a variation of the selection, or a
    sample that ``varies`` another."""
    down: str = ""
    """The same at -1; if left out, the effect of ``up`` is mirrored about the nominal."""
    samples: tuple[str, ...] = ()
    """Whose templates change; all that have the variation if left out."""
    label: str = ""
    """Name in tables and figures."""
    smooth: NonNegativeInt = 0
    """How many times the running medians 353QH smooth the ratio of the varied to the nominal
    template, at constant yield; 0 leaves it as it is."""


class FitSpec(FrozenModel):
    """A binned likelihood fit of the normalisation of one sample."""

    signal: str
    """Sample whose normalisation is the parameter of interest."""
    regions: Annotated[tuple[str, ...], Field(min_length=1)]
    """Histograms that are fitted together."""
    start: float | None = None
    """Edge of a bin where the fit begins; the axis's first if left out. What lies outside the axis
    is never fitted."""
    stop: float | None = None
    """Edge of a bin where the fit ends; the axis's last if left out."""
    rebin: PositiveInt = 1
    """Neighbouring bins that are merged; it must divide their number."""
    luminosity_error: NonNegativeFloat = 0.0
    """Relative uncertainty of the luminosity, common to all samples."""
    pseudodata: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Fractions of simulated samples that stand for data; samples that are data are used if left
    out."""
    systematics: dict[Name, SystematicSpec] = Field(default_factory=dict)
    """The other nuisance parameters; those of MC statistics come by themselves."""
    pruning: PruningSpec = PruningSpec()
    """Effects that are too small to be fitted."""
    evaluate: tuple[Literal["limit", "impacts"], ...] = ()
    """What a run evaluates besides the fit: the ``"limit"`` by CLs with the significance, the
    ``"impacts"`` of all nuisance parameters.  Of a saved run the commands ``spectrum hep limit``
    and ``spectrum hep impacts`` do the same."""
    seed: NonNegativeInt = 1
    """Of the random numbers of toys."""
    unfolding: UnfoldingSpec | None = None
    """The signal by the truth of the simulation, for `spectrum hep unfold`."""

    @property
    def poi(self) -> str:
        """Name of the parameter of interest."""
        return f"{self.signal}_norm"

    def statistics(self, region: str) -> str:
        """Name of the parameters of the simulation's statistics in a region."""
        return f"{STATISTICS}_{region}"
