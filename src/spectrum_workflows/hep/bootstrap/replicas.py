"""Replicas of a result: normalised, and as its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.hep.binning import axes_of
from spectrum_workflows.hep.exact.sums import rounded
from spectrum_workflows.hep.spec.bootstrap import asked_histograms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.types.sums import Sums

    Replicas = Mapping[tuple[str, str], NDArray[np.float64]]
    """By sample and histogram; see `HepResult`."""

ENDING = "/replicas"
"""Of the names of the arrays."""


def normalised(
    filled: Mapping[tuple[str, str], Sums], spec: HepSpec, weights: Mapping[str, float]
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Replicas of every sample, normalised as its histograms are; of no events zeros."""
    out = {}
    for name, sample in product(asked_histograms(spec), spec.samples):
        own = filled.get((sample, name))
        sums = np.zeros(shape(name, spec)) if own is None else rounded(own)
        out[sample, name] = sums * weights[sample]
    return out


def shape(name: str, spec: HepSpec) -> tuple[int, ...]:
    """Shape of the replicas of a histogram: bins with flow bins, sums of a profile, replicas."""
    assert spec.bootstrap is not None
    described = spec.histograms[name]
    extents = [axis.extent for axis in axes_of(name, described)]
    return (*extents, *((2,) if described.profile else ()), spec.bootstrap.replicas)


def arrays(replicas: Replicas) -> dict[str, NDArray[np.float64]]:
    """The named arrays of a result: ``sample/histogram/replicas``."""
    return {
        f"{sample}/{name}{ENDING}": np.array(array, np.float64)
        for (sample, name), array in replicas.items()
    }


def from_arrays(
    saved: Mapping[str, NDArray[np.float64]], spec: HepSpec
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Replicas from such arrays.

    Raises
    ------
    KeyError, ValueError
        They are of another spec.
    """
    return {
        (sample, name): saved[f"{sample}/{name}{ENDING}"].reshape(shape(name, spec))
        for name, sample in product(asked_histograms(spec), spec.samples)
    }
