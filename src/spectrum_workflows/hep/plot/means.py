"""Profiles of one axis: means of simulation and of data with their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from spectrum_workflows.hep.fit.bands import band
from spectrum_workflows.hep.plot.style import categories, colour, luminosity, title
from spectrum_workflows.hep.profiles import added, effective, error_of_mean
from spectrum_workflows.hep.spec.fit_check import simulated
from spectrum_workflows.hep.types import HepResult

MOST_SAMPLES = 6
"""Samples whose own means are drawn, too."""


def draw(axes: Axes, result: HepResult, name: str) -> None:
    """Draw the mean of all simulation with its band, of its samples, and of data as points."""
    spec = result.spec
    described, samples = spec.histograms[name], simulated(spec)
    axis = described.axes(name)[0]
    edges, ends = np.asarray(axis.boundaries), []
    if samples:
        found = band(result, name)
        label = "simulation" if len(samples) > 1 else title(spec, samples[0])
        axes.stairs(found.total, edges, baseline=None, color="#444444", linewidth=2, label=label)
        kind = "statistical and systematic" if found.parameters else "statistical uncertainty"
        style: Any = {"fill": True, "facecolor": "none", "edgecolor": "#444444", "linewidth": 0}
        low, high = found.total - found.down, found.total + found.up
        axes.stairs(high, edges, baseline=low, hatch="////", label=kind, **style)
        ends += [low, high]
    for sample in samples if 1 < len(samples) <= MOST_SAMPLES else ():
        own = shown(result.histograms[sample, name])
        options: Any = {"color": colour(spec, sample), "label": title(spec, sample)}
        axes.stairs(own, edges, baseline=None, linewidth=1.5, **options)
        ends.append(own)
    measured = [n for n, sample in spec.samples.items() if sample.data]
    if measured:
        total = added([result.histograms[n, name] for n in measured])
        centres, widths = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
        points: Any = {"fmt": "o", "color": "black", "markersize": 5, "xerr": widths}
        names = " + ".join(title(spec, n) for n in measured)
        axes.errorbar(
            centres, shown(total), yerr=np.nan_to_num(error_of_mean(total)), label=names, **points
        )
    axes.set_xlabel(axis.label or axis.observable)
    axes.set_ylabel(described.profile_label or f"mean of {described.profile}")
    if axis.log:
        axes.set_xscale("log")
    axes.set_xlim(axis.start, axis.stop)
    categories(axes.xaxis, axis)
    _limit(axes, np.concatenate(ends))
    generated = "simulation" if samples else "data"
    axes.set_title(f"{spec.name}: {result.origin or generated}", loc="left", fontsize="small")
    axes.set_title(luminosity(spec), loc="right", fontsize="small")
    axes.legend(loc="upper right", borderaxespad=1.0)


def _limit(axes: Axes, ends: Any) -> None:
    """Make room for all that is drawn, and for the legend above it."""
    finite = ends[np.isfinite(ends)]
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    height = (high - low) or abs(high) or 1.0
    axes.set_ylim(low - 0.05 * height, high + 0.45 * height)


def shown(h: Any) -> Any:
    """Means of bins that have entries; NaN of others."""
    return np.where(effective(h) > 0, h.values(), np.nan)
