"""A run that goes on: the residual image, and how CLEAN converges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spectrum_workflows.radio.plot.images import DIVERGING
from spectrum_workflows.radio.types.progress import jansky

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spectrum_workflows.radio.types import MajorCycle

SPREAD = 5.0
"""Times the rms to which the colours of a residual reach, on both sides of 0."""


def plot_progress(cycles: Sequence[MajorCycle]) -> Figure:
    """The last residual image there is, and peak, rms and flux by major cycle."""
    from matplotlib.figure import Figure

    own = [cycle for cycle in cycles if cycle.where == cycles[-1].where]
    figure = Figure(figsize=(7.6, 3.1))
    figure.subplots_adjust(left=0.1, right=0.91, top=0.9, bottom=0.16, wspace=0.62)
    pictured = [cycle for cycle in own if cycle.residual is not None]
    if pictured:
        _residual(figure.add_subplot(1, 2, 1), pictured[-1])
    _convergence(figure.add_subplot(1, 2, 2), own)
    return figure


def _residual(axes: Axes, cycle: MajorCycle) -> None:
    """Offsets are from the phase centre; east is left."""
    assert cycle.residual is not None
    half = cycle.field / 2
    reach = SPREAD * cycle.rms if cycle.rms > 0 else float(abs(cycle.residual).max()) or 1.0
    style: Any = {"cmap": DIVERGING, "vmin": -reach, "vmax": reach}
    extent = (half, -half, -half, half)
    drawn = axes.imshow(cycle.residual, origin="lower", extent=extent, **style)
    bar = axes.figure.colorbar(drawn, ax=axes, extend="both", ticks=[-reach, 0, reach])
    bar.ax.set_yticklabels([jansky(-reach), "0", jansky(reach)], fontsize=7)
    name = f"residual, cycle {cycle.cycle}" if cycle.cycle else "dirty image"
    axes.set_title(f"{name} ({cycle.origin})" if cycle.origin else name, fontsize=9)
    axes.set_xlabel("east [arcsec]", fontsize=8)
    axes.set_ylabel("north [arcsec]", fontsize=8)
    axes.tick_params(labelsize=7)


def _convergence(axes: Axes, cycles: Sequence[MajorCycle]) -> None:
    from matplotlib.ticker import MaxNLocator

    number = [cycle.cycle for cycle in cycles]
    axes.semilogy(number, [cycle.peak for cycle in cycles], "o-", ms=3, label="residual peak")
    axes.semilogy(number, [cycle.rms for cycle in cycles], "s-", ms=3, label="residual rms")
    axes.set_xlabel("major cycle", fontsize=8)
    axes.set_ylabel("Jy / beam", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    flux = axes.twinx()
    flux.plot(number, [cycle.flux for cycle in cycles], "^--", ms=3, color="#717581")
    flux.set_ylabel("Jy in the model", fontsize=8, color="#717581")
    for drawn in (axes, flux):
        drawn.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False, loc="best")
