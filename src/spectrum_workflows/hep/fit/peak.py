"""Fit the peak of a histogram: least squares over its bins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.special import voigt_profile

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.types import FitResult, HepResult
from spectrum_workflows.specs import closest

Floats = NDArray[np.float64]

Z_WIDTH = 2.4955
"""Natural width of the Z in GeV (PDG 2022)."""

FEWEST_ENTRIES = 60.0
"""Effective entries in the window below which no fit is tried."""

FEWEST_BINS = 8
"""Bins in the window below which no fit is tried; there are six parameters."""


@dataclass(frozen=True)
class Peak:
    """A peak over a smooth background, and where to look for it.

    Attributes
    ----------
    words : str
        The model in words.
    window : (float, float)
        Bins whose centres lie inside are fitted.
    centre, width : float
        Where the peak is expected.
    shape : callable
        ``shape(x, mass, sigma)``: the peak, normalised to one.
    """

    words: str
    window: tuple[float, float]
    centre: float
    width: float
    shape: Callable[[Floats, float, float], Floats]


def _gaussian(x: Floats, mass: float, sigma: float) -> Floats:
    norm = sigma * np.sqrt(2 * np.pi)
    return np.asarray(np.exp(-0.5 * ((x - mass) / sigma) ** 2) / norm)


def _voigt(x: Floats, mass: float, sigma: float) -> Floats:
    return np.asarray(voigt_profile(x - mass, sigma, Z_WIDTH / 2))


PEAKS = {
    "top": Peak(
        "Gaussian over the exponential of a parabola in log m",
        (110.0, 300.0),
        172.7,
        14.0,
        _gaussian,
    ),
    "z": Peak(
        "Breit-Wigner (PDG width) convolved with a Gaussian, over the exponential of a parabola"
        " in log m",
        (70.0, 112.0),
        91.2,
        1.5,
        _voigt,
    ),
}


def fit_peak(edges: Floats, values: Floats, variances: Floats, *, kind: str) -> FitResult:
    """Fit mass, resolution and size of a peak over a smooth background.

    Least squares against contents per bin; the variance of a bin is that of
    the fitted curve (Pearson), found in a second pass, so that low bins do
    not pull the fit down.

    Parameters
    ----------
    edges : ndarray, shape (n + 1,)
        Bin edges in GeV.
    values, variances : ndarray, shape (n,)
        Sums of weights and of squared weights.
    kind : {"top", "z"}
        Which of `PEAKS`.

    Returns
    -------
    FitResult
        With ``mass`` and ``sigma`` in GeV and ``events`` in the peak.

    Raises
    ------
    DataError
        Too few bins or events, or no peak is found.
    SpecError
        There is no such kind of peak.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrum_workflows import hep
    >>> rng = np.random.default_rng(1)
    >>> mass = np.append(rng.normal(91.2, 2.0, 20_000), rng.uniform(60.0, 120.0, 5_000))
    >>> values, edges = np.histogram(mass, bins=60, range=(60.0, 120.0))
    >>> peak = hep.fit_peak(edges, values, values, kind="z")
    >>> round(peak.values["mass"], 1), peak.errors["mass"] < 0.1
    (91.2, True)
    """
    if kind not in PEAKS:
        raise SpecError(f"there is no peak {kind!r}", "fit_peak", closest(kind, [*PEAKS]))
    peak = PEAKS[kind]
    centre = (edges[1:] + edges[:-1]) / 2
    used = (centre > peak.window[0]) & (centre < peak.window[1])
    values, variances = values[used], variances[used]
    if not (np.isfinite(values).all() and np.isfinite(variances).all()):
        raise DataError("contents that are not finite", f"{kind} peak")
    total, total2 = float(values.sum()), float(variances.sum())
    entries = total**2 / total2 if total2 > 0 else 0.0
    if len(values) < FEWEST_BINS or entries < FEWEST_ENTRIES:
        raise DataError(
            f"{entries:.0f} effective entries in {len(values)} bins between {peak.window[0]:g} and"
            f" {peak.window[1]:g} are too few to fit",
            f"{kind} peak",
            f"at least {FEWEST_ENTRIES:.0f} entries in {FEWEST_BINS} bins there, or no fit",
        )
    typical = np.full(len(values), total2 / total)  # weight of an event
    weight = np.divide(variances, values, out=typical, where=values > 0)
    low, high = edges[:-1][used], edges[1:][used]
    try:
        parameters, covariance, pulls = _least_squares(peak, low, high, values, weight)
    except RuntimeError as error:
        raise DataError(f"no peak found ({error})", f"{kind} peak") from None
    return _result(peak, parameters, covariance, pulls=pulls, edges=np.append(low, high[-1]))


def fit_peaks(result: HepResult) -> dict[str, FitResult | str]:
    """All fits that a spec asks for, by histogram; in place of a fit, why there is none.

    Data is fitted if there is any, else the sum of the simulated samples.
    """
    spec = result.spec
    chosen = [n for n, s in spec.samples.items() if s.data] or spec.nominal_samples
    out: dict[str, FitResult | str] = {}
    for name, axis in spec.histograms.items():
        if not axis.fit:
            continue
        try:
            histograms = [result.histograms[sample, name] for sample in chosen]
            values = np.sum([h.values() for h in histograms], axis=0)
            variances = np.sum([h.variances() for h in histograms], axis=0)
            edges = np.asarray(histograms[0].axes[0].edges)
            out[name] = fit_peak(edges, values, variances, kind=axis.fit)
        except DataError as error:
            out[name] = str(error)
        except Exception as error:  # whatever it is, the histograms are worth more
            out[name] = f"the fit failed ({type(error).__name__}: {error})".splitlines()[0]
    return out


def _model(x: Floats, peak: Peak, p: tuple[float, ...] | Floats) -> Floats:
    """Peak and background per GeV; p = mass, sigma, events, log height, slope, bend."""
    t = np.log(x / peak.centre)
    background = np.exp(np.clip(p[3] + p[4] * t + p[5] * t**2, -60, 60))
    return np.asarray(p[2] * peak.shape(x, p[0], p[1]) + background)


def _per_bin(density: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Integral over every bin by Simpson's rule on eight intervals."""
    nodes = np.linspace(0, 1, 9)
    weights = np.array([1, 4, 2, 4, 2, 4, 2, 4, 1]) / 24
    width = (high - low)[:, None]
    return np.asarray((density(low[:, None] + width * nodes) * weights * width).sum(axis=1))


def _least_squares(
    peak: Peak, low: Floats, high: Floats, values: Floats, weight: Floats
) -> tuple[Floats, Floats, Floats]:
    """Parameters, their covariance, and pulls of the bins."""

    def curve(_: Floats, *p: float) -> Floats:
        return _per_bin(lambda x: _model(x, peak, p), low, high)

    total, span, inf = float(values.sum()), float(high[-1] - low[0]), np.inf
    height = np.log(max(0.5 * total / span, 1e-12))
    parameters = np.array([peak.centre, peak.width, 0.5 * total, height, 0.0, 0.0])
    near = 3 * peak.width
    lower = [peak.centre - near, 0.15 * peak.width, 0.0, -inf, -inf, -inf]
    upper = [peak.centre + near, 3 * peak.width, inf, inf, inf, inf]
    variance = np.maximum(values * weight, weight**2)
    for _ in range(3):
        parameters, covariance = curve_fit(
            curve,
            low,
            values,
            parameters,
            np.sqrt(variance),
            absolute_sigma=True,
            bounds=(lower, upper),
            max_nfev=4000,
        )
        fitted = curve(low, *parameters)
        pulls = (values - fitted) / np.sqrt(variance)
        variance = np.maximum(fitted, total * 1e-9) * weight
    return parameters, covariance, pulls


def _result(
    peak: Peak, parameters: Floats, covariance: Floats, *, pulls: Floats, edges: Floats
) -> FitResult:
    names = ("mass", "sigma", "events")
    errors = np.sqrt(np.diag(covariance))
    if not np.all(np.isfinite(errors)) or parameters[2] < 3 * errors[2]:
        raise DataError("no peak stands out of the background", peak.words)
    x = np.linspace(edges[0], edges[-1], 400)
    return FitResult(
        peak.words,
        {name: float(v) for name, v in zip(names, parameters, strict=False)},
        {name: float(e) for name, e in zip(names, errors, strict=False)},
        float(np.sum(pulls**2)),
        len(pulls) - len(parameters),
        x,
        float(np.mean(np.diff(edges))) * _model(x, peak, parameters),
    )
