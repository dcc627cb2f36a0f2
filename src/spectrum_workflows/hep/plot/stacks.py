"""Histograms stacked by process, with units and fitted peaks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import hist
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectrum_workflows.hep.fit.bands import band
from spectrum_workflows.hep.fit.peak import fit_peaks
from spectrum_workflows.hep.plot import maps, means, ratio
from spectrum_workflows.hep.plot.projections import projected
from spectrum_workflows.hep.plot.style import (
    categories,
    colour,
    luminosity,
    per_bin,
    styled,
    title,
)
from spectrum_workflows.hep.profiles import events_of
from spectrum_workflows.hep.review import of_histogram
from spectrum_workflows.hep.spec.axes import Axis
from spectrum_workflows.hep.spec.fit_check import simulated
from spectrum_workflows.hep.types import FitResult, HepResult

MOST_POINTS = 200
"""Bins of data that are drawn as points; of more the outline."""


@dataclass(frozen=True)
class View:
    """One panel of a histogram.

    Attributes
    ----------
    result : HepResult
        In which the histogram may be a projection.
    name : str
        Of the histogram.
    whose : {"", "simulation", "data"}
        What a map is of; everything is in one stack.
    """

    result: HepResult
    name: str
    whose: str = ""


def figure(result: HepResult) -> Figure:
    """All histograms of a result side by side, see `views`."""
    return _side_by_side([view for name in result.spec.histograms for view in views(result, name)])


def panel(result: HepResult, name: str) -> Figure:
    """One histogram of a result; data and simulation with their ratio below."""
    drawn = views(result, name)
    if not drawn[0].whose and ratio.possible(result):
        return _with_ratio(drawn)
    return _side_by_side(drawn)


def _side_by_side(drawn: list[View]) -> Figure:
    with styled():
        fig = Figure(figsize=(7.2 * len(drawn), 5.6), layout="constrained")
        for axes, view in zip(np.ravel(fig.subplots(1, len(drawn))), drawn, strict=True):
            draw(axes, view)
    return fig


def _with_ratio(drawn: list[View]) -> Figure:
    n = len(drawn)
    with styled():
        fig = Figure(figsize=(7.2 * n, 6.9), layout="constrained")
        options: Any = {"height_ratios": (3.2, 1.0), "sharex": "col", "squeeze": False}
        for view, (main, below) in zip(drawn, fig.subplots(2, n, **options).T, strict=True):
            axis = view.result.spec.histograms[view.name].axes(view.name)[0]
            draw(main, view)
            main.set_xlabel("")
            ratio.draw(below, view.result, view.name)
            below.set_xlabel(axis.label or axis.observable)
            categories(below.xaxis, axis)
    return fig


def views(result: HepResult, name: str) -> list[View]:
    """Panels of a histogram: one; of two axes a map of simulation and one of data.

    Of more axes, one for each projection on an axis, over all of the others.
    """
    spec = result.spec
    n = len(spec.histograms[name].axes(name))
    if n == 1:
        return [View(result, name)]
    if n > 2:
        return [View(projected(result, name, k), name) for k in range(n)]
    measured = any(s.data for s in spec.samples.values())
    whose = ["simulation"] * bool(simulated(spec)) + ["data"] * measured
    return [View(result, name, which) for which in whose]


def draw(axes: Axes, view: View) -> None:
    """Draw one panel of a histogram with what must be known of it."""
    result, name = view.result, view.name
    if view.whose:
        maps.draw(axes, result, name, view.whose)
    elif result.spec.histograms[name].profile:
        means.draw(axes, result, name)
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
        float(np.nansum(events_of(histogram).values(flow=True)))
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
