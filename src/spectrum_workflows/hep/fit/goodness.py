"""Goodness of fit, by the saturated model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import chi2

from spectrum_workflows.hep.fit.minimum import found, minimum
from spectrum_workflows.hep.fit.model import Model, compiled
from spectrum_workflows.hep.types import GoodnessOfFit


def goodness_of_fit(workspace: Mapping[str, Any]) -> GoodnessOfFit:
    """How far the best fit is from a model that meets every bin.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf.

    Returns
    -------
    GoodnessOfFit
        With a probability from the chi-square distribution, which needs some events in every
        bin; `throw_toys` does without.

    Raises
    ------
    DataError
        The workspace is not one, or the fit does not converge.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(3, 0, 3, name="x")
    >>> described = hep.workspace(
    ...     {
    ...         ("top", "4j"): hep.fill([0.5] * 100 + [1.5] * 300 + [2.5] * 50, axis),
    ...         ("data", "4j"): hep.fill([0.5] * 120 + [1.5] * 290 + [2.5] * 40, axis),
    ...     },
    ...     signal="top",
    ... )
    >>> found = hep.goodness_of_fit(described)
    >>> found.ndf, 0.1 < found.p_value < 0.5
    (2, True)
    """
    model = compiled(workspace)
    twice = 2 * found(minimum(model)).distance
    ndf = degrees_of_freedom(model)
    probability = float(chi2.sf(twice, ndf)) if ndf > 0 else float("nan")
    return GoodnessOfFit(twice, ndf, probability)


def degrees_of_freedom(model: Model) -> int:
    """Bins less parameters that are free: neither constrained nor fixed."""
    return len(model.data) - int(np.sum(~model.constrained & ~model.fixed))
