"""Uncertainty of the simulation in a histogram: of its statistics, and of what varies it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import hist
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep import profiles
from spectrum_workflows.hep.spec import HepSpec, fit_check
from spectrum_workflows.hep.spec.fit import SystematicSpec
from spectrum_workflows.hep.types import HepResult

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Band:
    """The sum of all simulated samples, or of a profile their mean, with its uncertainty.

    Attributes
    ----------
    total : ndarray, shape (n_bins,)
    up, down : ndarray, shape (n_bins,)
        Uncertainty above and below, not negative.
    parameters : int
        Systematic uncertainties that are in it.
    """

    total: Floats
    up: Floats
    down: Floats
    parameters: int


def band(result: HepResult, name: str) -> Band:
    """The band of a histogram or profile of one axis.

    A systematic uncertainty moves all samples together; different ones, the luminosity and the
    statistics of the simulation add up in squares, above and below apart.  They are those of the
    spec's fit; without one, its variations, those that end in ``_up`` and ``_down`` as pairs.

    Parameters
    ----------
    result : HepResult
    name : str
        Of the histogram.
    """
    spec = result.spec
    samples, of_means = fit_check.simulated(spec), bool(spec.histograms[name].profile)
    histograms = [result.histograms[sample, name] for sample in samples]
    total = _total(histograms)
    if of_means:
        variance = _finite(profiles.error_of_mean(profiles.added(histograms)) ** 2)
    else:
        variance = np.sum([_finite(h.variances()) for h in histograms], axis=0)
    up, down = np.array(variance), np.array(variance)
    shifts = [_shifts(result, name, systematic) for systematic in _systematics(spec).values()]
    if spec.fit and spec.fit.luminosity_error and not of_means:
        size = spec.fit.luminosity_error * total
        shifts.append((size, -size))
    for both in shifts:
        sides = np.array(both)
        up += np.maximum(sides.max(axis=0), 0.0) ** 2
        down += np.minimum(sides.min(axis=0), 0.0) ** 2
    return Band(total, np.sqrt(up), np.sqrt(down), len(shifts))


def _systematics(spec: HepSpec) -> dict[str, SystematicSpec]:
    if spec.fit is not None:
        return dict(spec.fit.systematics)
    return dict(_pairs(spec))


def _pairs(spec: HepSpec) -> Iterator[tuple[str, SystematicSpec]]:
    """Variations of the selection, ``NAME_up`` with ``NAME_down``; one alone is mirrored."""
    every = dict.fromkeys(v for s in fit_check.simulated(spec) for v in spec.variations_of(s))
    for variation in every:
        stem = variation.removesuffix("_up")
        if variation.endswith("_down") and f"{variation.removesuffix('_down')}_up" in every:
            continue
        partner = f"{stem}_down"
        found = partner if stem != variation and partner in every else ""
        yield stem, SystematicSpec(up=variation, down=found)


def _shifts(result: HepResult, name: str, systematic: SystematicSpec) -> tuple[Floats, Floats]:
    """Shifts of the sum with a parameter one standard deviation up and down."""
    spec = result.spec
    nominal = {s: result.histograms[s, name] for s in fit_check.simulated(spec)}
    sums = []
    for source in filter(None, (systematic.up, systematic.down)):
        varied = {}
        for sample in fit_check.concerned(spec, systematic):
            key = (source, name) if source in spec.samples else (sample, spec.titles[name, source])
            if key in result.histograms:
                varied[sample] = result.histograms[key]
        if spec.histograms[name].profile:
            sums.append(_total([*(nominal | varied).values()]) - _total([*nominal.values()]))
            continue
        shift = np.zeros(next(iter(nominal.values())).axes[0].size)
        for sample, h in varied.items():
            shift += _finite(h.values()) - _finite(nominal[sample].values())
        sums.append(shift)
    return sums[0], sums[1] if len(sums) > 1 else -sums[0]


def _total(histograms: list[hist.Hist]) -> Floats:
    """The sum of histograms, or the mean of all that is in profiles; NaN where nothing is."""
    if not profiles.is_profile(histograms[0]):
        return np.asarray(np.sum([_finite(h.values()) for h in histograms], axis=0))
    total = profiles.added(histograms)
    return np.where(profiles.effective(total) > 0, total.values(), np.nan)


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, 0.0)
