"""The ``[fit]`` table of a HEP spec: which templates, which systematic uncertainties."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from spectrum_workflows.specs import FrozenModel


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
    start : float
        Bins below this edge are left out.
    rebin : int
        Neighbouring bins that are merged.
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
    start: float = 0.0
    rebin: PositiveInt = 1
    luminosity_error: NonNegativeFloat = 0.0
    pseudodata: dict[str, PositiveFloat] = Field(default_factory=dict)
    systematics: dict[Annotated[str, Field(pattern=r"^[^/\s]+$")], SystematicSpec] = Field(
        default_factory=dict
    )
