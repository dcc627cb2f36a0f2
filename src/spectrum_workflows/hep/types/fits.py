"""Results of fits: peaks, expected events, and parameters of a likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FitResult:
    """A fitted peak.

    Attributes
    ----------
    model : str
        What was fitted, in words.
    values, errors : mapping of str to float
        Parameters and their standard deviations, in the unit of the axis.
    chi2 : float
        Weighted sum of squared residuals over the bins used.
    ndf : int
        Bins used minus free parameters.
    x, y : ndarray
        The fitted curve: axis values and content per bin, for drawing.
    """

    model: str
    values: Mapping[str, float]
    errors: Mapping[str, float]
    chi2: float
    ndf: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class Templates:
    """Expected events of a fit: per region, sample and bin, before or after it.

    Attributes
    ----------
    edges : mapping of region to ndarray, shape (n_bins + 1,)
        Bin edges.
    yields : mapping of region to mapping of sample to ndarray, shape (n_bins,)
        Expected events.
    errors : mapping of region to ndarray, shape (n_bins,)
        Standard deviation of their sum: all nuisance parameters.
    """

    edges: Mapping[str, NDArray[np.float64]]
    yields: Mapping[str, Mapping[str, NDArray[np.float64]]]
    errors: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class LikelihoodFit:
    """A fitted HistFactory model.

    Attributes
    ----------
    workspace : mapping
        What was fitted, in the JSON schema of pyhf.
    poi : str
        The parameter of interest.
    names : tuple of str
        Parameters, in the order of the arrays.
    values, errors : ndarray, shape (n_parameters,)
        Best fit, and standard deviations from the Hesse matrix.
    correlations : ndarray, shape (n_parameters, n_parameters)
        Correlation coefficients.
    twice_nll : float
        Twice the negative logarithm of the likelihood at the best fit.
    chi2, ndf : float, int
        Twice the distance to the saturated model, and its degrees of freedom.
    prefit, postfit : Templates
        Expected events before and after.
    data : mapping of region to ndarray, shape (n_bins,)
        What was fitted.
    """

    workspace: Mapping[str, Any]
    poi: str
    names: tuple[str, ...]
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    correlations: NDArray[np.float64]
    twice_nll: float
    chi2: float
    ndf: int
    prefit: Templates
    postfit: Templates
    data: Mapping[str, NDArray[np.float64]]

    @property
    def impacts(self) -> Mapping[str, float]:
        """Shift of the parameter of interest with each nuisance one standard deviation up.

        From the Hesse matrix: its error times the correlation coefficient, what a fit with the
        nuisance held there gives where the likelihood is a parabola.
        """
        poi = self.names.index(self.poi)
        shifts = self.errors[poi] * self.correlations[poi]
        return {name: float(shifts[self.names.index(name)]) for name in self.nuisances}

    @property
    def nuisances(self) -> tuple[str, ...]:
        """Parameters that are neither of interest nor of the statistics of single bins."""
        bins = {
            modifier["name"]
            for channel in self.workspace["channels"]
            for sample in channel["samples"]
            for modifier in sample["modifiers"]
            if modifier["type"] == "staterror"
        }
        single = {n for n in self.names if n in bins or n.rpartition("[")[0] in bins}
        return tuple(n for n in self.names if n != self.poi and n not in single)


@dataclass(frozen=True)
class LikelihoodScan:
    """The profile likelihood along the parameter of interest.

    Attributes
    ----------
    poi : str
    best, error : float
        Best fit, and its standard deviation from the Hesse matrix.
    values : ndarray, shape (n_points,)
        Of the parameter of interest.
    twice_delta_nll : ndarray, shape (n_points,)
        Twice the negative logarithm of the likelihood there, all other parameters fitted, less
        that at the best fit.
    interval : (float, float)
        Where it has risen by 1, below and above the best fit: 68 % of confidence.  NaN where that
        is beyond the parameter's range.
    """

    poi: str
    best: float
    error: float
    values: NDArray[np.float64]
    twice_delta_nll: NDArray[np.float64]
    interval: tuple[float, float] = (float("nan"), float("nan"))
