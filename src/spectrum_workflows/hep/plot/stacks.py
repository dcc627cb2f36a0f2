"""Histograms stacked by process, with units and fitted peaks."""

from __future__ import annotations

from typing import Any

import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectrum_workflows.hep.fit.peak import fits
from spectrum_workflows.hep.fitted import FitResult
from spectrum_workflows.hep.plot.style import colour, luminosity, per_bin, styled, title
from spectrum_workflows.hep.spec import HistogramSpec
from spectrum_workflows.hep.types import HepResult


def figure(result: HepResult) -> Figure:
    """All histograms of a result side by side."""
    names = list(result.spec.histograms)
    with styled():
        fig = Figure(figsize=(7.2 * len(names), 5.6), layout="constrained")
        for axes, name in zip(np.ravel(fig.subplots(1, len(names))), names, strict=True):
            _draw(axes, result, name)
    return fig


def panel(result: HepResult, name: str) -> Figure:
    """One histogram of a result."""
    with styled():
        fig = Figure(figsize=(7.2, 5.6), layout="constrained")
        _draw(fig.subplots(), result, name)
    return fig


def _draw(axes: Axes, result: HepResult, name: str) -> None:
    spec, axis = result.spec, result.spec.histograms[name]
    simulated = [n for n in spec.nominal_samples if not spec.samples[n].data]
    measured = [n for n, s in spec.samples.items() if s.data]
    order = sorted(simulated, key=lambda n: result.histograms[n, name].sum().value)
    if order:
        mplhep.histplot(
            [result.histograms[n, name] for n in order],
            ax=axes,
            stack=True,
            histtype="fill",
            label=[title(spec, n) for n in order],
            color=[colour(spec, n) for n in order],
            flow="none",
        )
    if measured:
        total: Any = sum(result.histograms[n, name] for n in measured)
        label = " + ".join(title(spec, n) for n in measured)
        if axis.bins > 200:
            axes.stairs(total.values(), total.axes[0].edges, color="black", label=label)
        else:
            mplhep.histplot(
                total, ax=axes, histtype="errorbar", color="black", label=label, flow="none"
            )
    _decorate(axes, result, axis)
    fitted = fits(result).get(name)
    if isinstance(fitted, FitResult):
        _draw_fit(axes, fitted)
    _marks(axes, result, name)
    axes.legend(loc="upper right", reverse=True)


def _decorate(axes: Axes, result: HepResult, axis: HistogramSpec) -> None:
    width = (axis.stop - axis.start) / axis.bins
    axes.set_xlabel(axis.label or "observable")
    axes.set_ylabel("Events / bin" if axis.log else per_bin(axis.label, width))
    axes.set_xlim(axis.start, axis.stop)
    if axis.log:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(0.5, 50 * axes.get_ylim()[1])
    else:
        axes.set_ylim(0, 1.45 * axes.get_ylim()[1])
    spec = result.spec
    generated = "simulation" if not all(s.data for s in spec.samples.values()) else "data"
    axes.set_title(f"{spec.name}: {generated}", loc="left", fontsize="small")
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
