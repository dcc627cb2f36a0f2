"""Pictures of statistical tests: the limit with its bands, impacts, scans, toys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import chi2

from spectrum_workflows.hep.plot.style import styled
from spectrum_workflows.hep.types import Impacts, LikelihoodScan, Limit, Toys

GREEN, YELLOW = "#607641", "#F5BB54"
"""Bands of one and two standard deviations, in the colours that CMS took in 2024."""

UP, DOWN = "#3f90da", "#bd1f01"

MOST_IMPACTS = 30
"""Of the nuisance parameters, that are drawn."""


def bands(found: Limit, *, origin: str = "", about: str = "") -> Figure:
    """CLs over the parameter of interest, with the expected bands and the limits."""
    with styled():
        fig = Figure(figsize=(7.6, 6.2), layout="constrained")
        axes = fig.subplots()
        values, cls = found.values, found.cls_expected
        axes.fill_between(values, cls[:, 0], cls[:, 4], color=YELLOW, lw=0, label="95 % expected")
        axes.fill_between(values, cls[:, 1], cls[:, 3], color=GREEN, lw=0, label="68 % expected")
        axes.plot(values, cls[:, 2], "--", color="black", label="median expected")
        axes.plot(values, found.cls_observed, "-", color="black", label="observed")
        axes.axhline(1 - found.level, color="#bd1f01", linewidth=1.5)
        words = f"{found.level:.0%} CL".replace("%", " %")
        style: Any = {"color": "#bd1f01", "fontsize": "small", "va": "bottom", "ha": "right"}
        axes.text(0.98 * values[-1], 1.05 * (1 - found.level), words, **style)
        for value, line in ((found.observed, "-"), (found.expected[2], "--")):
            axes.plot([value, value], [1e-4, 1 - found.level], line, color="#717581", linewidth=1)
        axes.set_yscale("log")
        axes.set_ylim(2e-3, 30)
        axes.set_xlim(0, values[-1])
        axes.set_xlabel(_words(found.poi))
        axes.set_ylabel(r"CL$_s$")
        _titles(axes, about, origin)
        header = (
            f"{_words(found.poi)} < {found.observed:.3g}"
            f" (expected {found.expected[2]:.3g}"
            f" $^{{+{found.expected[3] - found.expected[2]:.2g}}}"
            f"_{{-{found.expected[2] - found.expected[1]:.2g}}}$)"
        )
        axes.legend(loc="upper right", ncols=2, fontsize="small", title=header)
    return fig


def impacts(
    found: Impacts, *, labels: Mapping[str, str] | None = None, origin: str = "", about: str = ""
) -> Figure:
    """Pulls of the nuisance parameters and their impacts, side by side, the largest above."""
    n = min(len(found.names), MOST_IMPACTS)
    y = np.arange(n)[::-1]
    given = labels or {}
    with styled():
        fig = Figure(figsize=(11.0, 2.9 + 0.36 * n), layout="constrained")
        pulled, shifted = fig.subplots(1, 2, sharey=True, width_ratios=(1, 1.25))
        pulled.axvspan(-1, 1, color="#e4e4e4", zorder=0)
        pulled.axvline(0, color="grey", linewidth=1)
        style: Any = {"fmt": "o", "color": "black", "markersize": 5}
        pulled.errorbar(found.pulls[:n], y, xerr=found.pull_errors[:n], **style)
        pulled.set_xlim(-2.6, 2.6)
        pulled.set_xlabel(r"$(\hat\theta - \theta_0) / \Delta\theta$")
        texts = [given.get(name) or _words(name) for name in found.names[:n]]
        pulled.set_yticks(y, texts, fontsize="small", parse_math=False)
        bars: Any = {"height": 0.72}
        shifted.barh(y, found.up[:n], color=UP, label=r"$+1\sigma$", **bars)
        down: Any = {"fill": False, "edgecolor": DOWN, "hatch": "////", "linewidth": 1.2}
        shifted.barh(y, found.down[:n], label=r"$-1\sigma$", **down, **bars)
        shifted.axvline(0, color="grey", linewidth=1)
        reach = 1.2 * float(np.max(np.abs([found.up[:n], found.down[:n]]), initial=1e-6))
        shifted.set_xlim(-reach, reach)
        shifted.locator_params(axis="x", nbins=5)
        shifted.set_xlabel(f"shift of {_words(found.poi)}")
        for axes in (pulled, shifted):
            axes.set_ylim(-0.7, n - 0.3)
            axes.minorticks_off()
            axes.tick_params(axis="y", length=0)
        header = f"{_words(found.poi)} = {found.best:.3f} ± {found.error:.3f}"
        pulled.set_title(f"{about}: {header}" if about else header, loc="left", fontsize="small")
        shifted.set_title(origin, loc="right", fontsize="small")
        if n < len(found.names):
            pulled.set_xlabel(f"{pulled.get_xlabel()}   ({n} of {len(found.names)})", loc="right")
        fig.legend(*shifted.get_legend_handles_labels(), loc="outside lower right", ncols=2)
    return fig


def scan(found: LikelihoodScan, *, origin: str = "", about: str = "") -> Figure:
    """The profile likelihood of the parameter of interest, with its interval."""
    low, high = found.interval
    with styled():
        fig = Figure(figsize=(7.2, 5.6), layout="constrained")
        axes = fig.subplots()
        style: Any = {"color": UP, "label": "profile likelihood"}
        axes.plot(found.values, found.twice_delta_nll, "o-", **style)
        fine = np.linspace(found.values[0], found.values[-1], 101)
        parabola = ((fine - found.best) / found.error) ** 2
        axes.plot(fine, parabola, "--", color="#717581", label="Hesse matrix")
        for level, name in ((1.0, "68 %"), (4.0, "95 %")):
            axes.axhline(level, color="grey", linewidth=1)
            axes.text(found.values[0], level, f" {name}", va="bottom", fontsize="x-small")
        for end in found.interval:
            if np.isfinite(end):
                axes.plot([end, end], [0, 1], ":", color="black", linewidth=1.5)
        axes.set_ylim(0, 1.25 * float(np.max(found.twice_delta_nll)))
        axes.set_xlabel(_words(found.poi))
        axes.set_ylabel(r"$-2\,\Delta\ln L$")
        _titles(axes, about, origin)
        up, down = high - found.best, found.best - low
        header = f"{_words(found.poi)} = ${found.best:.3f}^{{+{up:.3f}}}_{{-{down:.3f}}}$"
        axes.legend(loc="upper center", fontsize="small", title=header)
    return fig


TITLES = {
    "goodness": "twice the distance to the saturated model",
    "limit": r"$\tilde q_\mu$",
    "discovery": r"$q_0$",
}


def toys(found: Toys, *, ndf: int = 0, origin: str = "", about: str = "") -> Figure:
    """The distribution of a test statistic over toys, with the data."""
    values = found.values[~np.isnan(found.values)]
    beside = found.background[~np.isnan(found.background)]
    every = np.concatenate([values, beside, [found.observed]])
    edges = np.linspace(0, 1.05 * max(float(np.max(every)), 1e-3), 51)
    with styled():
        fig = Figure(figsize=(7.6, 5.8), layout="constrained")
        axes = fig.subplots()
        label = {"limit": f"toys with μ = {found.tested:g}", "discovery": "toys without signal"}
        inside = np.histogram(values, edges)[0]
        named = label.get(found.statistic, "toys")
        axes.stairs(inside, edges, fill=True, color=UP, alpha=0.6, label=named)
        if len(beside):
            without = np.histogram(beside, edges)[0]
            axes.stairs(without, edges, color="#ffa90e", linewidth=2, label="toys without signal")
        if found.statistic == "goodness" and ndf > 0:
            fine = np.linspace(edges[0], edges[-1], 301)
            curve = len(values) * (edges[1] - edges[0]) * chi2.pdf(fine, ndf)
            axes.plot(fine, curve, "--", color="#717581", label=rf"$\chi^2$, {ndf} degrees")
        axes.axvline(found.observed, color="black", linewidth=2, label="data")
        if found.statistic != "goodness":
            axes.set_yscale("log")
            axes.set_ylim(0.5, 60 * float(np.max(inside)))
        else:
            axes.set_ylim(0, 1.6 * float(np.max(inside)))
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xlabel(TITLES[found.statistic])
        axes.set_ylabel("toys")
        _titles(axes, about, origin)
        header = f"p = {found.p_value:.3g} ± {found.p_error:.1g}"
        if found.p_value in (0.0, 1.0):  # all toys lie on one side, of which they say only so much
            limit = 1 / len(values)
            header = f"p > {1 - limit:.4g}" if found.p_value > 0.5 else f"p < {limit:.2g}"
        if found.statistic == "limit":
            header += rf", CL$_s$ = {found.cls:.3g} ± {found.cls_error:.1g}"
        axes.legend(loc="upper right", fontsize="small", title=header)
    return fig


def _titles(axes: Axes, about: str, origin: str) -> None:
    axes.set_title(about, loc="left", fontsize="small", parse_math=False)
    axes.set_title(origin, loc="right", fontsize="small")


def _words(name: str) -> str:
    """A parameter's name as words."""
    return name.replace("_", " ")
