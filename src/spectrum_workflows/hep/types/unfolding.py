"""What an unfolding is made of, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class UnfoldingModel:
    """A workspace with one free factor for every bin of the truth.

    Attributes
    ----------
    workspace : mapping
        In the JSON schema of pyhf.
    truth : mapping of str to float
        Name of each factor, and the simulated events of its bin, selected or not.
    edges : ndarray, shape (n_bins + 1,)
        Of the truth.
    generated : ndarray, shape (n_bins,), optional
        Events that pseudo-data was made of; nobody knows those of data.
    """

    workspace: Mapping[str, Any]
    truth: Mapping[str, float]
    edges: Floats
    generated: Floats | None = None


@dataclass(frozen=True)
class Unfolded:
    """A spectrum without the effects of the detector.

    Attributes
    ----------
    names : tuple of str
        Factors of the bins.
    edges : ndarray, shape (n_bins + 1,)
    truth : ndarray, shape (n_bins,)
        Simulated events.
    strengths : ndarray, shape (n_bins,)
        Best fit of the factors.
    values : ndarray, shape (n_bins,)
        Unfolded events: factors times simulated events.
    covariance : ndarray, shape (n_bins, n_bins)
        Of the values, all other parameters fitted; what regularises counts as knowledge.
    regularisation : float
    chi2 : float
        Twice the distance of the data from the best fit, without what regularises.
    ndf : int
        Bins of the data less those of the truth.
    """

    names: tuple[str, ...]
    edges: Floats
    truth: Floats
    strengths: Floats
    values: Floats
    covariance: Floats
    regularisation: float
    chi2: float
    ndf: int

    @property
    def errors(self) -> Floats:
        """Standard deviations of the values; shape (n_bins,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def correlation(self) -> Floats:
        """Correlations of the values; shape (n_bins, n_bins)."""
        return np.asarray(self.covariance / np.outer(self.errors, self.errors))

    def distance(self, truth: Floats) -> float:
        """The χ² of the values about some truth; of as many degrees of freedom as bins."""
        apart = self.values - truth
        return float(apart @ np.linalg.solve(self.covariance, apart))


@dataclass(frozen=True)
class UnfoldingImpacts:
    """Shifts of the factors of all bins of the truth as nuisance parameters are moved.

    Attributes
    ----------
    truth : tuple of str
        Factors of the bins.
    strengths, errors : ndarray, shape (n_bins,)
        Their best fit and standard deviations.
    names : tuple of str
        Nuisance parameters; first those with the largest shift of any bin in units of its error.
    up, down : ndarray, shape (n_parameters, n_bins)
        Shifts of the factors, fitted with the nuisance held one standard deviation above and
        below its best fit.
    """

    truth: tuple[str, ...]
    strengths: Floats
    errors: Floats
    names: tuple[str, ...]
    up: Floats
    down: Floats


@dataclass(frozen=True)
class UnfoldingToys:
    """Unfolded toys: how far from what they were generated from, in their own errors.

    Attributes
    ----------
    names : tuple of str
        Factors of the bins.
    pulls : ndarray, shape (n_toys, n_bins)
        NaN where a fit did not converge.
    seed : int
        Of the random numbers.
    cpu_seconds : float
        CPU time of one toy.
    """

    names: tuple[str, ...]
    pulls: Floats
    seed: int
    cpu_seconds: float

    @property
    def failed(self) -> int:
        """Toys whose fits did not converge; they are left out."""
        return int(np.isnan(self.pulls).any(axis=1).sum())

    @property
    def mean(self) -> Floats:
        """Mean pull of each bin; shape (n_bins,)."""
        return np.asarray(self._kept.mean(axis=0))

    @property
    def width(self) -> Floats:
        """Standard deviation of the pulls of each bin; shape (n_bins,)."""
        return np.asarray(self._kept.std(axis=0, ddof=1))

    @property
    def _kept(self) -> Floats:
        return self.pulls[~np.isnan(self.pulls).any(axis=1)]
