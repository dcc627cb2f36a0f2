"""Pictures of an unfolding: spectrum, correlations, and impacts on every bin of the truth."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from spectrum_workflows.hep.plot.style import styled
from spectrum_workflows.hep.types import Unfolded, UnfoldingImpacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SIMULATED, GENERATED = "#3f90da", "#bd1f01"

MOST_NUMBERS = 10
"""Bins up to which correlations are written, too."""


MOST_IMPACTS = 25
"""Of the nuisance parameters, that are drawn."""


def unfolded(
    found: Unfolded,
    *,
    generated: NDArray[np.float64] | None = None,
    label: str = "",
    origin: str = "",
    about: str = "",
) -> Figure:
    """Unfolded events by width of their bin, their ratio to the simulated ones, correlations."""
    edges, width = found.edges, np.diff(found.edges)
    centres = (edges[1:] + edges[:-1]) / 2
    with styled():
        fig = Figure(figsize=(13.0, 6.2), layout="constrained")
        grid = fig.add_gridspec(2, 2, height_ratios=(3, 1), width_ratios=(1.15, 1))
        above = fig.add_subplot(grid[0, 0])
        below = fig.add_subplot(grid[1, 0], sharex=above)
        right = fig.add_subplot(grid[:, 1])
        above.stairs(found.truth / width, edges, color=SIMULATED, linewidth=2, label="simulated")
        known = np.where(found.truth > 0, found.truth, np.nan)
        below.stairs(found.truth / known, edges, color=SIMULATED, linewidth=2)
        if generated is not None:
            style: Any = {"color": GENERATED, "linestyle": "--", "linewidth": 2}
            above.stairs(generated / width, edges, label="generated", **style)
            below.stairs(generated / known, edges, **style)
        points: Any = {"xerr": width / 2, "fmt": "o", "color": "black", "markersize": 5}
        values, errors = found.values, found.errors
        above.errorbar(centres, values / width, errors / width, label="unfolded", **points)
        below.errorbar(centres, values / known, errors / known, **points)
        above.set_ylim(bottom=min(0.0, float(np.min((values - errors) / width))))
        above.set_ylim(top=1.35 * above.get_ylim()[1])
        above.set_ylabel("Events / unit of the axis")
        above.tick_params(labelbottom=False)
        above.set_xlim(edges[0], edges[-1])
        _centred(below, (values - errors) / known, (values + errors) / known)
        below.set_ylabel("/ simulated")
        below.set_xlabel(label or "truth")
        above.set_title(about, loc="left", fontsize="small", parse_math=False)
        above.legend(loc="upper right", fontsize="small")
        _correlations(fig, right, found)
        right.set_title(origin, loc="right", fontsize="small")
    return fig


def _centred(axes: Any, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """Show what is about 1, and no more than three times as far as that."""
    reach = np.nanmax(np.abs(np.concatenate([low, high]) - 1), initial=0.1)
    reach = min(1.2 * float(reach), 3.0)
    axes.set_ylim(1 - reach, 1 + reach)


def _correlations(fig: Figure, axes: Any, found: Unfolded) -> None:
    n = len(found.names)
    image = axes.imshow(found.correlation, vmin=-1, vmax=1, cmap="RdBu_r", origin="lower")
    if n <= MOST_NUMBERS:
        for row in range(n):
            for column in range(n):
                value = found.correlation[row, column]
                colour = "white" if abs(value) > 0.7 else "black"
                style: Any = {"ha": "center", "va": "center", "fontsize": "x-small"}
                axes.text(column, row, f"{value:.2f}", color=colour, **style)
        for along in (axes.xaxis, axes.yaxis):
            along.set_ticks(range(n))
    axes.minorticks_off()
    axes.set_xlabel("bin of the truth")
    axes.set_ylabel("bin of the truth")
    fig.colorbar(image, ax=axes, label="correlation", shrink=0.85)


def impacts(
    found: UnfoldingImpacts,
    *,
    edges: NDArray[np.float64],
    labels: Mapping[str, str] | None = None,
    label: str = "",
    origin: str = "",
    about: str = "",
) -> Figure:
    """Shifts of every bin by every nuisance parameter, in units of the error of the bin.

    Colours are of +1 standard deviation; both are written where there is room.
    """
    n, bins = min(len(found.names), MOST_IMPACTS), len(found.truth)
    given = labels or {}
    up, down = (shifts[:n] / found.errors for shifts in (found.up, found.down))
    reach = max(float(np.max(np.abs([up, down]), initial=0.0)), 1e-3)
    with styled():
        size = (5.4 + 0.85 * min(bins, 2 * MOST_NUMBERS), 2.8 + 0.36 * n)
        fig = Figure(figsize=size, layout="constrained")
        axes = fig.subplots()
        colours: dict[str, Any] = {"vmin": -reach, "vmax": reach, "cmap": "RdBu_r"}
        image = axes.imshow(up, aspect="auto", **colours)
        if bins <= MOST_NUMBERS:
            for (row, column), value in np.ndenumerate(up):
                words = f"{value:+.2f}\n{down[row, column]:+.2f}"
                colour = "white" if abs(value) > 0.7 * reach else "black"
                style: Any = {"ha": "center", "va": "center", "fontsize": "xx-small"}
                axes.text(column, row, words, color=colour, **style)
        texts = [given.get(name) or name.replace("_", " ") for name in found.names[:n]]
        axes.set_yticks(range(n), texts, fontsize="small", parse_math=False)
        every = -(-bins // MOST_NUMBERS)
        ranges = [f"{a:g} – {b:g}" for a, b in pairwise(edges)]
        style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(0, bins, every), ranges[::every], fontsize="small", **style)
        axes.minorticks_off()
        axes.tick_params(length=0)
        axes.set_xlabel(label or "truth")
        if n < len(found.names):
            axes.set_ylabel(f"the first {n} of {len(found.names)}", fontsize="small")
        shown = r"shift of a bin / its error, $+1\sigma$ above, $-1\sigma$ below"
        if bins > MOST_NUMBERS:
            shown = r"shift of a bin / its error, $+1\sigma$"
        fig.colorbar(image, ax=axes).set_label(shown, fontsize="x-small")
        axes.set_title(about, loc="left", fontsize="small", parse_math=False)
        axes.set_title(origin, loc="right", fontsize="small")
    return fig
