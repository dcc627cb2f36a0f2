"""The likelihood fit: regions before and after it, pulls and correlations."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectrum_workflows.hep.fit.scan import scan
from spectrum_workflows.hep.plot import statistics
from spectrum_workflows.hep.plot.style import categories, colour, luminosity, per_bin, styled, title
from spectrum_workflows.hep.review import of_fit
from spectrum_workflows.hep.types import HepResult, LikelihoodFit, Templates

STAGES = {"prefit": "before the fit", "postfit": "after the fit"}

MOST_LINES = 6
"""Warnings that stand in a picture."""

LETTERS = 13
"""Of these that fit into an inch."""

HEIGHTS = (3.2, 1.0)
"""Of a region's main panel, and of the ratio below it."""


def before_and_after(result: HepResult) -> Figure:
    """Regions side by side, before the fit above and after it below."""
    fit = _fit(result)
    n = len(fit.data)
    with styled():
        fig = Figure(figsize=(7.2 * n, 13.0), layout="constrained")
        axes = fig.subplots(4, n, squeeze=False, height_ratios=HEIGHTS * 2)
        for row, stage in enumerate(STAGES):
            for column, region in enumerate(fit.data):
                _region(axes[2 * row : 2 * row + 2, column], result, stage, region)
        _write_notes(fig, of_fit(result))
    return fig


def drawings(result: HepResult) -> list[tuple[str, Callable[[], Figure]]]:
    """Every region before and after the fit, pulls and correlations: names and how to draw."""
    regions: list[tuple[str, Callable[[], Figure]]] = [
        (f"{region}_{stage}", partial(one_region, result, stage, region))
        for stage in STAGES
        for region in _fit(result).data
    ]
    return [
        *regions,
        ("pulls", partial(pulls, result)),
        ("ranking", partial(ranking, result)),
        ("correlations", partial(correlations, result)),
        *_evaluated(result),
    ]


def _evaluated(result: HepResult) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """The pictures of what the spec asks besides."""
    evaluation = result.evaluation
    about: Any = {"about": result.spec.name, "origin": result.origin}
    if evaluation.limit is not None:
        yield "limit", partial(statistics.bands, evaluation.limit, **about)
    if evaluation.impacts is not None:
        labels = (
            {n: s.label for n, s in result.spec.fit.systematics.items()} if result.spec.fit else {}
        )
        yield "impacts", partial(statistics.impacts, evaluation.impacts, labels=labels, **about)


def on_request(result: HepResult) -> list[tuple[str, Callable[[], Figure]]]:
    """The same, and the scan, which takes a fit per point."""
    return [*drawings(result), ("scan", partial(likelihood_scan, result))]


def one_region(result: HepResult, stage: str, region: str) -> Figure:
    """A region before or after the fit."""
    with styled():
        fig = Figure(figsize=(7.2, 6.5), layout="constrained")
        _region(fig.subplots(2, height_ratios=HEIGHTS), result, stage, region)
        _write_notes(fig, of_fit(result, region))
    return fig


def pulls(result: HepResult) -> Figure:
    """Nuisance parameters in units of what was known of them before the fit."""
    fit = _fit(result)
    chosen = [k for k, name in enumerate(fit.names) if name in fit.nuisances]
    y = np.arange(len(chosen))[::-1]
    with styled():
        fig = Figure(figsize=(7.2, 1.6 + 0.38 * len(chosen)), layout="constrained")
        axes = fig.subplots()
        axes.axvspan(-2, 2, color="#ffe9a8", zorder=0)
        axes.axvspan(-1, 1, color="#b7e4a8", zorder=0)
        axes.errorbar(fit.values[chosen], y, xerr=fit.errors[chosen], fmt="o", color="black")
        axes.set_yticks(y, [_label(result, fit.names[k]) for k in chosen], fontsize="small")
        axes.minorticks_off()
        axes.set_ylim(-0.7, len(chosen) - 0.3)
        axes.set_xlim(-3, 3)
        axes.set_xlabel(r"$(\hat\theta - \theta_0) / \Delta\theta$")
        poi = fit.names.index(fit.poi)
        header = f"{fit.poi} = {fit.values[poi]:.3f} ± {fit.errors[poi]:.3f}"
        axes.set_title(header, loc="left", fontsize="small")
        axes.set_title(result.origin, loc="right", fontsize="small")
        _write_notes(fig, of_fit(result))
    return fig


def ranking(result: HepResult) -> Figure:
    """Nuisance parameters by their impact on the parameter of interest, and their pulls."""
    fit = _fit(result)
    impacts = fit.impacts
    names = sorted(impacts, key=lambda name: -abs(impacts[name]))
    y = np.arange(len(names))[::-1]
    at = [fit.names.index(name) for name in names]
    shifts = np.array([impacts[name] for name in names])
    with styled():
        fig = Figure(figsize=(7.6, 2.4 + 0.38 * len(names)), layout="constrained")
        axes = fig.subplots()
        axes.barh(y, shifts, height=0.7, color="#3f90da", label="θ one standard deviation up")
        axes.barh(y, -shifts, height=0.7, fc="none", ec="#3f90da", hatch="///", label="down")
        axes.set_yticks(y, [_label(result, name) for name in names], fontsize="small")
        axes.minorticks_off()
        reach = 1.15 * float(np.abs(shifts).max(initial=1e-6))
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-0.7, len(names) - 0.3)
        axes.set_xlabel(f"shift of {fit.poi}, from the Hesse matrix")
        pulled = axes.twiny()
        pulled.errorbar(fit.values[at], y, xerr=fit.errors[at], fmt="o", color="black", ms=5)
        pulled.axvline(0.0, color="grey", linewidth=1)
        pulled.set_xlim(-3, 3)
        pulled.set_xlabel(r"$(\hat\theta - \theta_0) / \Delta\theta$ (points)")
        pulled.minorticks_off()
        fig.legend(loc="outside lower right", ncols=2, fontsize="x-small")
        _write_notes(fig, of_fit(result))
    return fig


def likelihood_scan(result: HepResult) -> Figure:
    """The profile likelihood of the parameter of interest, and the Hesse matrix's parabola."""
    scanned = scan(_fit(result))
    parabola = ((scanned.values - scanned.best) / scanned.error) ** 2
    with styled():
        fig = Figure(figsize=(7.2, 5.6), layout="constrained")
        axes = fig.subplots()
        style: Any = {"color": "#3f90da", "label": "profile likelihood"}
        axes.plot(scanned.values, scanned.twice_delta_nll, "o-", **style)
        axes.plot(scanned.values, parabola, "--", color="#717581", label="Hesse matrix")
        for level, name in ((1.0, "68 %"), (4.0, "95 %")):
            axes.axhline(level, color="grey", linewidth=1)
            axes.text(scanned.values[0], level, f" {name}", va="bottom", fontsize="x-small")
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel(scanned.poi)
        axes.set_ylabel(r"$-2\,\Delta\ln L$")
        axes.set_title(
            f"{scanned.poi} = {scanned.best:.3f} ± {scanned.error:.3f}",
            loc="left",
            fontsize="small",
        )
        axes.legend(loc="upper center", fontsize="small")
        _write_notes(fig, of_fit(result))
    return fig


def correlations(result: HepResult) -> Figure:
    """Correlation coefficients of all parameters but those of single bins."""
    fit = _fit(result)
    chosen = [k for k, n in enumerate(fit.names) if n in fit.nuisances or n == fit.poi]
    names = [_label(result, fit.names[k]) for k in chosen]
    matrix = fit.correlations[np.ix_(chosen, chosen)]
    with styled():
        side = 3.4 + 0.55 * len(chosen)
        fig = Figure(figsize=(side + 1.0, side), layout="constrained")
        axes = fig.subplots()
        image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
        ticks = np.arange(len(chosen))
        axes.set_xticks(ticks, names, rotation=60, ha="right", fontsize="small")
        axes.set_yticks(ticks, names, fontsize="small")
        axes.minorticks_off()
        axes.tick_params(length=0)
        for (row, column), value in np.ndenumerate(matrix):
            style: Any = {"ha": "center", "va": "center", "fontsize": "xx-small"}
            ink = "white" if abs(value) > 0.6 else "black"
            axes.text(column, row, f"{value:.2f}", color=ink, **style)
        bar = fig.colorbar(image, ax=axes, shrink=0.8)
        bar.set_label("correlation", fontsize="small")
        axes.set_title(result.origin, loc="left", fontsize="small")
        _write_notes(fig, of_fit(result))
    return fig


def _write_notes(fig: Figure, notes: Sequence[str]) -> None:
    """Write above a picture what its reader must know of the fit; the record has all of it."""
    lines = [*notes[:MOST_LINES]]
    if len(notes) > MOST_LINES:
        lines.append(f"and {len(notes) - MOST_LINES} more: see the record's warnings")
    if lines:
        wide = int(LETTERS * fig.get_figwidth())
        text = "\n".join(textwrap.fill(line, wide, subsequent_indent="  ") for line in lines)
        fig.suptitle(text, x=0.01, ha="left", fontsize="xx-small", color="red", parse_math=False)


def _fit(result: HepResult) -> LikelihoodFit:
    assert not isinstance(result.likelihood, str)
    return result.likelihood


def _label(result: HepResult, name: str) -> str:
    systematics = result.spec.fit.systematics if result.spec.fit else {}
    given = systematics[name].label if name in systematics else ""
    return given or name.replace("_", " ")


def _region(axes: Any, result: HepResult, stage: str, region: str) -> None:
    fit, spec = _fit(result), result.spec
    main, ratio = axes
    templates: Templates = getattr(fit, stage)
    edges, data = templates.edges[region], fit.data[region]
    before = fit.prefit.yields[region]
    order = sorted(before, key=lambda name: before[name].sum())
    below = np.zeros(len(data))
    for name in order:
        above = below + templates.yields[region][name]
        style: Any = {"fill": True, "color": colour(spec, name), "label": title(spec, name)}
        main.stairs(above, edges, baseline=below, **style)
        below = above
    measured = not (spec.fit and spec.fit.pseudodata)
    _points(main, edges, data, np.sqrt(data), "data" if measured else "pseudo-data")
    _band(main, edges, below, templates.errors[region])
    main.set_ylim(0, 1.55 * max(data.max(), below.max(), 1e-3))
    widths, axis = np.diff(edges), spec.histograms[region].axes(region)[0]
    even = bool(np.allclose(widths, widths[0]))
    main.set_ylabel(per_bin(axis.label, float(widths.mean())) if even else "Events / bin")
    where = ", ".join(filter(None, (region, STAGES[stage], result.origin)))
    main.set_title(where, loc="left", fontsize="small")
    main.set_title(luminosity(spec), loc="right", fontsize="small")
    main.tick_params(labelbottom=False)
    main.legend(loc="upper right", reverse=True, ncols=2, fontsize="x-small")

    expected = np.maximum(below, 1e-12)
    _points(ratio, edges, data / expected, np.sqrt(data) / expected, "")
    _band(ratio, edges, np.ones(len(data)), templates.errors[region] / expected)
    ratio.axhline(1.0, color="grey", linewidth=1)
    spread = np.abs(data / expected - 1) + templates.errors[region] / expected
    reach = min(max(1.2 * spread.max(), 0.05), 1.0)
    ratio.set_ylim(1 - reach, 1 + reach)
    ratio.set_ylabel("data / model" if measured else "ratio")
    ratio.set_xlabel(axis.label)
    if axis.log:
        main.set_xscale("log")
        ratio.set_xscale("log")
    if axis.categories:
        categories(ratio.xaxis, axis)
    for panel in (main, ratio):
        panel.set_xlim(edges[0], edges[-1])


def _points(axes: Axes, edges: Any, values: Any, errors: Any, label: str) -> None:
    centres = (edges[1:] + edges[:-1]) / 2
    style: Any = {"fmt": "o", "color": "black", "markersize": 5, "label": label or None}
    axes.errorbar(centres, values, yerr=errors, **style)


def _band(axes: Axes, edges: Any, values: Any, errors: Any) -> None:
    style: Any = {"fill": True, "facecolor": "none", "edgecolor": "#444444", "linewidth": 0}
    axes.stairs(values + errors, edges, baseline=values - errors, hatch="////", **style)
