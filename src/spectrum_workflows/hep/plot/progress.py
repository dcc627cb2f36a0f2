"""A run that goes on: its histograms so far, drawn plainly and in little time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from spectrum_workflows.hep.plot.style import colour, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spectrum_workflows.hep.types import PartialHistograms


def figure(partial: PartialHistograms) -> Figure:
    """The first histograms side by side: simulation stacked, data as points."""
    names, count = partial.names, max(1, len(partial.names))
    fig = Figure(figsize=(3.6 * count, 2.7))
    fig.subplots_adjust(left=0.2 / count, right=0.99, top=0.87, bottom=0.19, wspace=0.3)
    for place, name in enumerate(names, start=1):
        _stack(fig.add_subplot(1, count, place), partial, name)
    events = sum(partial.events.values())
    fig.suptitle(f"{events:,} events so far", x=0.99, ha="right", fontsize=9)
    return fig


def _stack(axes: Axes, partial: PartialHistograms, name: str) -> None:
    spec, axis = partial.spec, partial.spec.histograms[name].axes(name)[0]
    shown = {sample: h for (sample, key), h in partial.histograms.items() if key == name}
    values = {sample: np.nan_to_num(h.values()) for sample, h in shown.items()}
    edges, below, options = np.asarray(axis.boundaries), np.zeros(axis.bins), _bottom(axis.log)
    simulated = [sample for sample in shown if not spec.samples[sample].data]
    for sample in sorted(simulated, key=lambda s: float(values[s].sum())):
        above = below + values[sample]
        style: Any = {"fill": True, "color": colour(spec, sample), "label": title(spec, sample)}
        axes.stairs(above, edges, baseline=np.maximum(below, options), **style)
        below = above
    measured = [values[sample] for sample in shown if spec.samples[sample].data]
    if measured:
        data = np.sum(measured, axis=0)
        axes.stairs(data, edges, color="black", label="data")
    if axis.log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_title(name, loc="left", fontsize=9, parse_math=False)
    axes.set_xlabel(axis.label or axis.observable, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=6, frameon=False, reverse=True)


def _bottom(log: bool) -> float:
    """Where stacks begin: there is no zero on an axis of logarithms."""
    return 0.5 if log else 0.0
