"""The correlations of bins that replicas show."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from spectrum_workflows.hep.bootstrap.covariance import ReplicatedBins, replicated_bins
from spectrum_workflows.hep.plot.style import luminosity, styled
from spectrum_workflows.hep.spec.fit_check import simulated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spectrum_workflows.hep.types import HepResult

NAME = "bootstrap"
"""Of the picture."""

MOST_BINS = 400
"""That are drawn: of the first histograms that have no more together."""


def drawings(result: HepResult) -> list[tuple[str, Callable[[], Figure]]]:
    """The picture, if there are replicas and it can be drawn."""
    return [(NAME, partial(correlations, result))] if _drawn(result) else []


def correlations(result: HepResult) -> Figure:
    """Correlations between all bins, of simulation and of data side by side."""
    names = _drawn(result)
    spec = result.spec
    data = [name for name, sample in spec.samples.items() if sample.data]
    kinds = {"simulation": list(simulated(spec)), "data": data}
    whose = {kind: samples for kind, samples in kinds.items() if samples}
    with styled():
        fig = Figure(figsize=(1.2 + 7.2 * len(whose), 7.4), layout="constrained")
        every = fig.subplots(1, len(whose), squeeze=False)[0]
        for axes, (kind, samples) in zip(every, whose.items(), strict=True):
            bins = replicated_bins(result, samples, names, flow=False)
            image = _draw(axes, bins)
            if bins.without_mean:
                grey = f"grey: {bins.without_mean} bins of profiles are empty in some replica"
                axes.set_xlabel(grey, fontsize="x-small")
            axes.set_title(result.origin or kind, loc="left", fontsize="small")
            if result.origin:
                axes.set_title(f"{kind}: {result.origin}", loc="left", fontsize="small")
            axes.set_title(luminosity(spec), loc="right", fontsize="small")
        number = next(iter(result.replicas.values())).shape[-1]
        fig.colorbar(image, ax=list(every), label=f"correlation, {number} replicas", shrink=0.8)
        left_out = len({name for _, name in result.replicas}) - len(names)
        if left_out:
            fig.supxlabel(f"{left_out} histograms with more bins are left out", fontsize="x-small")
    return fig


def _drawn(result: HepResult) -> list[str]:
    """Histograms whose bins can be seen in one picture."""
    names, total = [], 0
    for name in dict.fromkeys(name for _, name in result.replicas):
        bins = int(np.prod([axis.bins for axis in result.spec.histograms[name].axes(name)]))
        if total + bins <= MOST_BINS:
            names.append(name)
            total += bins
    return names


def _draw(axes: Axes, bins: ReplicatedBins) -> Any:
    """The matrix, with lines between the histograms and their names beside it."""
    shown = bins.correlation
    style: Any = {"vmin": -1, "vmax": 1, "cmap": "RdBu_r", "interpolation": "nearest"}
    axes.set_facecolor("lightgrey")  # of bins without a correlation
    image = axes.imshow(shown, origin="lower", **style)
    sizes = [(name, len(list(of))) for name, of in groupby(bins.histograms)]
    ends = np.cumsum([n for _, n in sizes])
    for end in ends[:-1]:
        axes.axhline(end - 0.5, color="black", linewidth=0.8)
        axes.axvline(end - 0.5, color="black", linewidth=0.8)
    middle = ends - np.array([n for _, n in sizes]) / 2 - 0.5
    titles = [name for name, _ in sizes]
    axes.set_yticks(middle, titles, fontsize="small", parse_math=False)
    turned: Any = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(middle, titles, fontsize="small", parse_math=False, **turned)
    axes.minorticks_off()
    axes.tick_params(length=0)
    return image
