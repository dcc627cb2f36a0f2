"""Picture of an unfolding: the spectrum beside what was simulated, and the correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from spectrum_workflows.hep.plot.style import styled
from spectrum_workflows.hep.types import Unfolded

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIMULATED, GENERATED = "#3f90da", "#bd1f01"

MOST_NUMBERS = 10
"""Bins up to which correlations are written, too."""


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
