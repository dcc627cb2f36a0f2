"""Results of statistical tests: limits, significance, impacts, goodness of fit, toys."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BANDS = (-2, -1, 0, 1, 2)
"""Standard deviations of the expected bands, in the order of the arrays."""


@dataclass(frozen=True)
class Limit:
    """An upper limit on the parameter of interest, by CLs.

    Attributes
    ----------
    poi : str
        The parameter of interest.
    level : float
        Confidence level: values with CLs below one less this are excluded.
    observed : float
        The upper limit.
    expected : ndarray, shape (5,)
        Upper limits without a signal: at -2, -1, 0, 1 and 2 standard deviations.
    values : ndarray, shape (n_values,)
        Of the parameter of interest, that were tested.
    cls_observed : ndarray, shape (n_values,)
        CLs of the data.
    cls_expected : ndarray, shape (n_values, 5)
        CLs without a signal.
    """

    poi: str
    level: float
    observed: float
    expected: Floats
    values: Floats
    cls_observed: Floats
    cls_expected: Floats


@dataclass(frozen=True)
class Significance:
    """A test of the hypothesis that there is no signal.

    Attributes
    ----------
    poi : str
        The parameter of interest.
    p_value, z : float
        Probability of data at least as far from it, and the same in standard deviations.
    expected_p_value, expected_z : float
        The same for the signal that the model expects.
    """

    poi: str
    p_value: float
    z: float
    expected_p_value: float
    expected_z: float


@dataclass(frozen=True)
class Impacts:
    """Shifts of the parameter of interest as nuisance parameters are moved, largest first.

    Attributes
    ----------
    poi : str
        The parameter of interest.
    best, error : float
        Its best fit and standard deviation.
    names : tuple of str
        Nuisance parameters.
    values, errors : ndarray, shape (n_parameters,)
        Their best fit and standard deviations.
    pulls, pull_errors : ndarray, shape (n_parameters,)
        The same from the centre of the constraint in units of its width; NaN of what has none.
    up, down : ndarray, shape (n_parameters,)
        Shift of the parameter of interest, fitted with the nuisance held one standard deviation
        above and below its best fit.
    """

    poi: str
    best: float
    error: float
    names: tuple[str, ...]
    values: Floats
    errors: Floats
    pulls: Floats
    pull_errors: Floats
    up: Floats
    down: Floats


@dataclass(frozen=True)
class Evaluation:
    """What a run tells of its likelihood besides the fit, as far as its spec asks for it.

    Attributes
    ----------
    limit : Limit or None
    significance : Significance or None
    impacts : Impacts or None
    reasons : tuple of str
        Why something that is asked for is not there.
    """

    limit: Limit | None = None
    significance: Significance | None = None
    impacts: Impacts | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class GoodnessOfFit:
    """The distance of the best fit from a model that meets every bin (the saturated model).

    Attributes
    ----------
    chi2 : float
        Twice the difference of the logarithms of the likelihoods.
    ndf : int
        Bins less free parameters.
    p_value : float
        Probability of one as large or larger, by the chi-square distribution.
    """

    chi2: float
    ndf: int
    p_value: float


@dataclass(frozen=True)
class Toys:
    """The distribution of a test statistic over generated data.

    Attributes
    ----------
    statistic : str
        ``goodness``, ``limit`` or ``discovery``.
    tested : float
        Value of the parameter of interest that is tested; NaN of ``goodness``.
    observed : float
        The statistic of the data.
    values : ndarray, shape (n_toys,)
        The statistic of toys of the tested hypothesis; NaN where a fit did not converge.
    background : ndarray, shape (n_toys,)
        Of ``limit``: the same without a signal; else empty.
    seed : int
        Of the random numbers.
    cpu_seconds : float
        CPU time of one toy.
    """

    statistic: str
    tested: float
    observed: float
    values: Floats
    background: Floats = field(default_factory=lambda: np.zeros(0))
    seed: int = 1
    cpu_seconds: float = 0.0

    @property
    def failed(self) -> int:
        """Toys whose fits did not converge; they are left out."""
        return int(np.isnan(self.values).sum() + np.isnan(self.background).sum())

    @property
    def p_value(self) -> float:
        """Share of toys of the tested hypothesis at least as far out as the data."""
        return _share(self.values, self.observed)

    @property
    def p_error(self) -> float:
        """Standard deviation of the p-value that so many toys leave: never 0."""
        return _error(self.values, self.p_value)

    @property
    def cls(self) -> float:
        """CLs of ``limit``; NaN of other statistics, or where no toy without signal is so far."""
        beside = _share(self.background, self.observed)
        return self.p_value / beside if beside > 0 else float("nan")

    @property
    def cls_error(self) -> float:
        """Standard deviation of CLs, of the number of toys."""
        beside = _share(self.background, self.observed)
        if not beside > 0:
            return float("nan")
        own, other = self.p_error, self.cls * _error(self.background, beside)
        return sqrt(own**2 + other**2) / beside


ROUNDING = 1e-8
"""By which a statistic may fall short and count as equal."""


def _share(values: Floats, observed: float) -> float:
    kept = values[~np.isnan(values)]
    return float(np.mean(kept >= observed - ROUNDING)) if len(kept) else float("nan")


def _error(values: Floats, share: float) -> float:
    """Width of the beta distribution of a probability, of which nothing was known before."""
    n = int((~np.isnan(values)).sum())
    out = share * n
    return sqrt((out + 1) * (n - out + 1) / (n + 3)) / (n + 2) if n else float("nan")
