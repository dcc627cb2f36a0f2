"""Histograms stacked by process, with units and fitted peaks."""

from __future__ import annotations

import math
from typing import Any

import hist
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectrum_workflows.hep.fit.bands import band
from spectrum_workflows.hep.fit.peak import fit_peaks
from spectrum_workflows.hep.plot import maps, ratio
from spectrum_workflows.hep.plot.style import (
    categories,
    colour,
    luminosity,
    per_bin,
    styled,
    title,
)
from spectrum_workflows.hep.review import of_histogram
from spectrum_workflows.hep.spec.axes import Axis
from spectrum_workflows.hep.spec.fit_check import simulated
from spectrum_workflows.hep.types import FitResult, HepResult

MOST_POINTS = 200
"""Bins of data that are drawn as points; of more the outline."""


def figure(result: HepResult) -> Figure:
    """All histograms of a result side by side; two-dimensional ones as maps."""
    spec = result.spec
    drawn = [(name, whose) for name in spec.histograms for whose in panels(result, name)]
    with styled():
        fig = Figure(figsize=(7.2 * len(drawn), 5.6), layout="constrained")
        row = np.ravel(fig.subplots(1, len(drawn)))
        for axes, (name, whose) in zip(row, drawn, strict=True):
            draw(axes, result, name, whose)
    return fig


def panel(result: HepResult, name: str) -> Figure:
    """One histogram of a result; data and simulation with their ratio below."""
    whose = panels(result, name)
    if whose == [""] and ratio.possible(result):
        return _with_ratio(result, name)
    with styled():
        fig = Figure(figsize=(7.2 * len(whose), 5.6), layout="constrained")
        for axes, which in zip(np.ravel(fig.subplots(1, len(whose))), whose, strict=True):
            draw(axes, result, name, which)
    return fig


def _with_ratio(result: HepResult, name: str) -> Figure:
    axis = result.spec.histograms[name].axes(name)[0]
    with styled():
        fig = Figure(figsize=(7.2, 6.9), layout="constrained")
        main, below = fig.subplots(2, height_ratios=(3.2, 1.0), sharex=True)
        draw(main, result, name, "")
        main.set_xlabel("")
        ratio.draw(below, result, name)
        below.set_xlabel(axis.label or axis.observable)
        categories(below.xaxis, axis)
    return fig


def panels(result: HepResult, name: str) -> list[str]:
    """Panels of a histogram: one for all; of two dimensions one for simulation and one for data."""
    spec = result.spec
    if len(spec.histograms[name].axes(name)) == 1:
        return [""]
    measured = any(s.data for s in spec.samples.values())
    return ["simulation"] * bool(simulated(spec)) + ["data"] * measured


def draw(axes: Axes, result: HepResult, name: str, whose: str) -> None:
    """Draw one panel of a histogram, see `panels`, with what must be known of it."""
    if whose:
        maps.draw(axes, result, name, whose)
    else:
        _stack(axes, result, name)
    lines = of_histogram(result, name)
    if lines:
        style: Any = {"transform": axes.transAxes, "va": "bottom", "color": "red"}
        axes.text(0.02, 0.02, "\n".join(lines), fontsize="x-small", parse_math=False, **style)


def _stack(axes: Axes, result: HepResult, name: str) -> None:
    spec, axis = result.spec, result.spec.histograms[name].axes(name)[0]
    measured = [n for n, s in spec.samples.items() if s.data]
    shown = {n: _drawable(result.histograms[n, name], axis) for n in spec.nominal_samples}
    order = sorted(simulated(spec), key=lambda n: _content(result, n))
    if order:
        mplhep.histplot(
            [shown[n] for n in order],
            ax=axes,
            stack=True,
            histtype="fill",
            label=[title(spec, n) for n in order],
            color=[colour(spec, n) for n in order],
            flow="none",
        )
        _band(axes, result, name)
    if measured:
        total: Any = sum(shown[n] for n in measured)
        label = " + ".join(title(spec, n) for n in measured)
        if axis.bins > MOST_POINTS:
            axes.stairs(total.values(), total.axes[0].edges, color="black", label=label)
        else:
            mplhep.histplot(
                total, ax=axes, histtype="errorbar", color="black", label=label, flow="none"
            )
    _decorate(axes, result, axis)
    fitted = fit_peaks(result).get(name)
    if isinstance(fitted, FitResult):
        _draw_fit(axes, fitted)
    _marks(axes, result, name)
    axes.legend(loc="upper right", reverse=True, borderaxespad=1.0)


def _content(result: HepResult, sample: str) -> float:
    """Sum of weights of a sample in all histograms: stacks have one order in all pictures."""
    return math.fsum(
        float(np.nansum(histogram.values(flow=True)))
        for (name, _), histogram in result.histograms.items()
        if name == sample
    )


def _band(axes: Axes, result: HepResult, name: str) -> None:
    """The uncertainty of a stack: of the simulation's statistics, and of what varies it."""
    found = band(result, name)
    edges = np.asarray(result.spec.histograms[name].axes(name)[0].boundaries)
    style: Any = {"fill": True, "facecolor": "none", "edgecolor": "#444444", "linewidth": 0}
    low, high = np.maximum(found.total - found.down, 0.0), found.total + found.up
    label = "statistical and systematic" if found.parameters else "statistical uncertainty"
    axes.stairs(high, edges, baseline=low, hatch="////", label=label, **style)


def _drawable(h: hist.Hist, axis: Axis) -> hist.Hist:
    """The histogram over an axis of numbers, with 0 for what is not finite."""
    if axis.categories:
        plain: hist.Hist = hist.Hist(
            hist.axis.Regular(axis.bins, axis.start, axis.stop), storage=hist.storage.Weight()
        )
        plain.view().value, plain.view().variance = h.values(), h.variances()
    else:
        plain = h.copy()
    view = plain.view(flow=True)
    for numbers in (view.value, view.variance):
        numbers[~np.isfinite(numbers)] = 0.0
    return plain


def _decorate(axes: Axes, result: HepResult, axis: Axis) -> None:
    regular = not (axis.log or axis.edges or axis.categories or axis.integer)
    width = (axis.stop - axis.start) / axis.bins
    axes.set_xlabel(axis.label or axis.observable)
    axes.set_ylabel(per_bin(axis.label, width) if regular else "Events / bin")
    axes.set_xlim(axis.start, axis.stop)
    categories(axes.xaxis, axis)
    low, high = axes.get_ylim()
    if axis.log:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(0.5, 50 * max(high, 1.0))
    else:
        axes.set_ylim(1.2 * min(low, 0.0), 1.45 * high if high > 0 else 1.0)
    spec = result.spec
    generated = "simulation" if not all(s.data for s in spec.samples.values()) else "data"
    axes.set_title(f"{spec.name}: {result.origin or generated}", loc="left", fontsize="small")
    axes.set_title(luminosity(spec), loc="right", fontsize="small")


def _draw_fit(axes: Axes, fitted: FitResult) -> None:
    mass, error = fitted.values["mass"], fitted.errors["mass"]
    sigma = fitted.values["sigma"]
    label = (
        f"fit: m = {mass:.2f} ± {error:.2f} GeV\n"
        f"σ = {sigma:.2f} GeV, χ²/ndf = {fitted.chi2:.1f}/{fitted.ndf}"
    )
    axes.plot(fitted.x, fitted.y, color="black", linewidth=1.6, label=label)


def _marks(axes: Axes, result: HepResult, name: str) -> None:
    """Write the names of marked positions above what is drawn there."""
    axis = result.spec.histograms[name]
    if not axis.marks:
        return
    total: Any = sum(result.histograms[sample, name] for sample in result.spec.nominal_samples)
    edges, values = total.axes[0].edges, total.values()
    for text, position in axis.marks.items():
        near = (edges[1:] > 0.97 * position) & (edges[:-1] < 1.03 * position)
        if near.any():
            top = float(values[near].max())
            style: dict[str, Any] = {
                "textcoords": "offset points",
                "ha": "center",
                "fontsize": "small",
            }
            axes.annotate(text, (position, max(top, 1.0)), xytext=(0, 8), **style)
