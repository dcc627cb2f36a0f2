"""The ``[fit.pruning]`` table: which effects are too small to be fitted."""

from __future__ import annotations

from pydantic import NonNegativeFloat

from spectrum_workflows.specs import FrozenModel


class PruningSpec(FrozenModel):
    """Effects of systematic uncertainties that a fit leaves out: per sample and region."""

    yields: NonNegativeFloat = 0.0
    """Relative change of a yield, up and down, below which it is left out; 0 keeps all."""
    shapes: NonNegativeFloat = 0.0
    """Largest relative change of a bin at constant yield, up and down, below which the effect on
    the shape is left out; 0 keeps all."""
