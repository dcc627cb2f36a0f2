"""Templates of sets of weights, bin by bin: the envelope of scales, the spread of replicas."""

from __future__ import annotations

from collections.abc import Sequence

import hist
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep.spec.weights import GeneratorWeightSpec


def up_and_down(
    nominal: hist.Hist, members: Sequence[hist.Hist], described: GeneratorWeightSpec
) -> tuple[hist.Hist, hist.Hist]:
    """The two templates of a set of weights.

    Parameters
    ----------
    nominal : hist.Hist
        Its statistics are those of the templates.
    members : sequence of hist.Hist
        Of the same axes, in the order of the spec.
    described : GeneratorWeightSpec
        An envelope, replicas (standard deviation, J. Phys. G 43 (2016) 023001) or members of a
        Hessian set (root of the sum of squared differences to the nominal).
    """
    middle = np.asarray(nominal.view(flow=True).value, np.float64)
    each = np.stack([np.asarray(h.view(flow=True).value, np.float64) for h in members])
    if described.kind == "envelope":
        every = np.concatenate([middle[None], each])
        return _with(nominal, every.max(axis=0)), _with(nominal, every.min(axis=0))
    if described.kind == "replicas":
        spread = each.std(axis=0, ddof=1)
    else:
        spread = np.sqrt(np.sum((each - middle) ** 2, axis=0))
    return _with(nominal, middle + spread), _with(nominal, middle - spread)


def _with(nominal: hist.Hist, values: NDArray[np.float64]) -> hist.Hist:
    """The same histogram with other contents."""
    other = nominal.copy()
    other.view(flow=True)["value"] = values
    return other
