"""The profile likelihood along the parameter of interest; pyhf is imported only here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.hep.fit.likelihood import conditional
from spectrum_workflows.hep.types import LikelihoodScan

if TYPE_CHECKING:
    from spectrum_workflows.hep.types import LikelihoodFit

POINTS = 13
"""Of the scan."""

REACH = 2.5
"""Standard deviations of the Hesse matrix to which it goes, on both sides of the best fit."""


def scan(fit: LikelihoodFit, *, points: int = POINTS) -> LikelihoodScan:
    """Fit all other parameters with the one of interest held, at points around the best fit.

    Parameters
    ----------
    fit : LikelihoodFit
    points : int
        At least 3.

    Raises
    ------
    DataError
        A fit does not converge.
    """
    at = fit.names.index(fit.poi)
    best, error = float(fit.values[at]), float(fit.errors[at])
    values = np.linspace(best - REACH * error, best + REACH * error, points)
    twice_nll = conditional(fit.workspace, values)
    return LikelihoodScan(fit.poi, best, error, values, twice_nll - fit.twice_nll)
