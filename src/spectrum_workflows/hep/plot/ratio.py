"""The ratio of data to simulation, with the band of its uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from spectrum_workflows.hep.fit.bands import band
from spectrum_workflows.hep.profiles import added, effective, error_of_mean
from spectrum_workflows.hep.spec.fit_check import simulated
from spectrum_workflows.hep.types import HepResult

WIDEST = 1.0
"""Distance from 1 that is shown, at most."""


def possible(result: HepResult) -> bool:
    """Whether there is data, and simulation that was scaled to it."""
    spec = result.spec
    measured = any(sample.data for sample in spec.samples.values())
    return measured and bool(simulated(spec)) and spec.normalisation != "none"


def draw(axes: Axes, result: HepResult, name: str) -> None:
    """Draw data over simulation; bins without simulation have none."""
    spec, simulation = result.spec, band(result, name)
    edges = np.asarray(spec.histograms[name].axes(name)[0].boundaries)
    measured = [result.histograms[n, name] for n, sample in spec.samples.items() if sample.data]
    if spec.histograms[name].profile:
        total = added(measured)
        data, errors = total.values(), np.nan_to_num(error_of_mean(total))
        expected = np.isfinite(simulation.total) & (simulation.total != 0)
        shown = expected & (effective(total) > 0)
    else:
        data = np.sum([h.values() for h in measured], axis=0)
        errors = np.sqrt(np.sum([h.variances() for h in measured], axis=0))
        expected = simulation.total > 0
        shown = expected & (data > 0)
    scale = np.where(expected, simulation.total, 1.0)
    errors, size = errors / np.abs(scale), np.abs(scale)
    centres = ((edges[1:] + edges[:-1]) / 2)[shown]
    style: Any = {"fmt": "o", "color": "black", "markersize": 5}
    axes.errorbar(centres, (data / scale)[shown], yerr=errors[shown], **style)
    high = np.where(expected, 1 + simulation.up / size, np.nan)
    low = np.where(expected, 1 - simulation.down / size, np.nan)
    hatched: Any = {"fill": True, "facecolor": "none", "edgecolor": "#444444", "linewidth": 0}
    axes.stairs(high, edges, baseline=low, hatch="////", **hatched)
    axes.axhline(1.0, color="grey", linewidth=1)
    spread = (np.abs(data / scale - 1) + errors)[shown]
    reach = min(max(1.2 * float(np.max(spread, initial=0.05)), 0.1), WIDEST)
    axes.set_ylim(1 - reach, 1 + reach)
    axes.set_ylabel("data / sim.")
