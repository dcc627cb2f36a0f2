"""The ``[fit]`` table of a HEP spec: which templates, which systematic uncertainties."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel

LUMINOSITY, STATISTICS = "luminosity", "staterror"
"""Names of parameters that are the fit's own."""


class SystematicSpec(FrozenModel):
    """One systematic uncertainty: a nuisance parameter.

    Attributes
    ----------
    up, down : str
        Where the templates at one standard deviation come from: a variation
        of the selection, or a sample that ``varies`` another.  Without
        ``down`` the effect of ``up`` is mirrored about the nominal.
    samples : tuple of str
        Whose templates change; all that have the variation if left out.
    label : str
        Name in tables and figures.
    """

    up: str
    down: str = ""
    samples: tuple[str, ...] = ()
    label: str = ""


class FitSpec(FrozenModel):
    """A binned likelihood fit of the normalisation of one sample.

    Attributes
    ----------
    signal : str
        Sample whose normalisation is the parameter of interest.
    regions : tuple of str
        Histograms that are fitted together.
    start, stop : float
        Edges of the bins where the fit begins and ends; all of the axis if left
        out.  What lies outside the axis is never fitted.
    rebin : int
        Neighbouring bins that are merged; it must divide their number.
    luminosity_error : float
        Relative uncertainty of the luminosity, common to all samples.
    pseudodata : mapping of sample to float
        Fractions of simulated samples that stand for data; samples that are
        data are used if left out.
    systematics : mapping of name to SystematicSpec
        The other nuisance parameters; those of MC statistics come by themselves.
    """

    signal: str
    regions: Annotated[tuple[str, ...], Field(min_length=1)]
    start: float | None = None
    stop: float | None = None
    rebin: PositiveInt = 1
    luminosity_error: NonNegativeFloat = 0.0
    pseudodata: dict[str, PositiveFloat] = Field(default_factory=dict)
    systematics: dict[Name, SystematicSpec] = Field(default_factory=dict)

    @property
    def poi(self) -> str:
        """Name of the parameter of interest."""
        return f"{self.signal}_norm"

    def statistics(self, region: str) -> str:
        """Name of the parameters of the simulation's statistics in a region."""
        return f"{STATISTICS}_{region}"
