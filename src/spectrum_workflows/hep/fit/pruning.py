"""Pruning: effects of systematic uncertainties that are too small to be fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep.spec.pruning import PruningSpec

Floats = NDArray[np.float64]

KINDS = {"normsys": "yields", "histosys": "shapes"}
"""Key of the spec that prunes a kind of modifier."""


def is_small(modifier: dict[str, Any], nominal: Floats, pruning: PruningSpec) -> bool:
    """Whether an effect is left out.

    Parameters
    ----------
    modifier : dict
        Of the workspace: a change of the yield, or of the shape at constant yield.
    nominal : ndarray, shape (n_bins,)
        The sample's contents.
    pruning : PruningSpec
    """
    values = modifier["data"]
    if modifier["type"] == "normsys":
        return bool(max(abs(values["hi"] - 1), abs(values["lo"] - 1)) < pruning.yields)
    filled = nominal > 0
    sides = np.array([values["hi_data"], values["lo_data"]])[:, filled]
    return bool(np.max(np.abs(sides / nominal[filled] - 1), initial=0.0) < pruning.shapes)
