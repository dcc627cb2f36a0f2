"""How the pixels of a residual image are distributed: noise, or something left in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.types.progress import jansky

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectrum_workflows.radio.types import ImagingResult

REACH = 10.0
"""Times the rms to which the histogram goes; what lies beyond is in the last bin."""

BINS = 121


def plot_histogram(result: ImagingResult, plane: int = 0) -> Figure:
    """Pixels of the residual (without CLEAN: of the dirty image) beside Gaussian noise."""
    from matplotlib.figure import Figure

    shown = result.planes[plane]
    image = shown.noise
    kind = "dirty image" if shown.residual is None else "residual"
    rms = shown.rms or 1.0
    edges = np.linspace(-REACH, REACH, BINS + 1)
    values = np.clip((image - np.median(image)).ravel() / rms, -REACH, REACH)
    counts, _ = np.histogram(values, edges)
    middle = (edges[1:] + edges[:-1]) / 2
    gaussian = values.size * (edges[1] - edges[0]) * np.exp(-(middle**2) / 2) / np.sqrt(2 * np.pi)
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.stairs(counts, edges, fill=True, color="#9db7d5", label="pixels")
    axes.plot(middle, gaussian, color="firebrick", lw=1.2, label=f"noise of {jansky(rms)}/beam")
    axes.set_yscale("log")
    axes.set_ylim(0.5, 2.0 * max(float(counts.max()), 1.0))
    axes.set_xlim(-REACH, REACH)
    axes.set_xlabel(f"{kind} / robust rms")
    axes.set_ylabel("pixels")
    beyond = float((np.abs(values) > 5).mean())
    share = f"{beyond:.2g} of the pixels" if beyond else "no pixel"
    title = f"{result.whose}: {kind}, {share} beyond 5 rms"
    if len(result.planes) > 1:
        title = f"{title}\n{shown.plane.where}"
    axes.set_title(title, fontsize="medium", parse_math=False)
    axes.legend(frameon=False, fontsize="small", loc="upper left")
    return figure
