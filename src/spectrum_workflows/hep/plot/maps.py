"""Histograms and profiles of two dimensions: contents, or means, as colours."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from spectrum_workflows.hep.plot.style import categories, luminosity
from spectrum_workflows.hep.profiles import added, effective
from spectrum_workflows.hep.spec.fit_check import simulated
from spectrum_workflows.hep.types import HepResult


def draw(axes: Axes, result: HepResult, name: str, whose: str) -> None:
    """Draw the sum of all simulation, or of all data, with a bar of colours.

    Parameters
    ----------
    whose : {"simulation", "data"}
    """
    spec = result.spec
    samples = simulated(spec)
    if whose == "data":
        samples = [n for n, s in spec.samples.items() if s.data]
    described = spec.histograms[name]
    x, y = described.axes(name)
    histograms = [result.histograms[n, name] for n in samples]
    if described.profile:
        total = added(histograms)
        contents = np.where(effective(total) > 0, total.values(), np.nan)
        of_what = described.profile_label or f"mean of {described.profile}"
    else:
        contents = np.sum([h.values() for h in histograms], axis=0)
        contents = np.where(np.isfinite(contents), contents, 0.0)
        of_what = "Events / bin"
    edges = (np.asarray(axis.boundaries) for axis in (x, y))
    mesh = axes.pcolormesh(*edges, contents.T, cmap="viridis", rasterized=True)
    bar = axes.figure.colorbar(mesh, ax=axes)
    bar.set_label(of_what, fontsize="small")
    axes.set_xlabel(x.label or x.observable)
    axes.set_ylabel(y.label or y.observable)
    if x.log:
        axes.set_xscale("log")
    if y.log:
        axes.set_yscale("log")
    axes.set_xlim(x.start, x.stop)
    axes.set_ylim(y.start, y.stop)
    categories(axes.xaxis, x)
    categories(axes.yaxis, y)
    axes.set_title(f"{spec.name}: {result.origin or whose}", loc="left", fontsize="small")
    axes.set_title(luminosity(spec), loc="right", fontsize="small")
