"""The picture of a projection: cores of every target with their range, on a logarithmic axis."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.figure import Figure

from spectrum_workflows.projection.estimate import Estimate
from spectrum_workflows.projection.quantity import readable

OURS, THEIRS = "#1f77b4", "#d62728"


def figure(estimates: Sequence[Estimate]) -> Figure:
    """Cores of each target, and beside them the published figure where there is one.

    Parameters
    ----------
    estimates : sequence of Estimate
    """
    drawn = Figure(figsize=(9, 1.0 + 0.72 * len(estimates)), layout="constrained")
    axes = drawn.subplots()
    for place, one in enumerate(reversed(estimates)):
        low, value, high = one.cores.to("cores")
        axes.plot([low, high], [place, place], color=OURS, lw=6, alpha=0.35, solid_capstyle="butt")
        axes.plot(value, place, "o", color=OURS)
        words = f"{one.target.title}: {readable(one.cores)}"
        inside = axes.get_yaxis_transform()
        axes.text(0.01, place + 0.22, words, transform=inside, fontsize=9, va="bottom")
        for compared in one.compared:
            if compared.published.quantity == "cores":
                amount = compared.published.amount().to("cores")[1]
                axes.plot(amount, place, "D", color=THEIRS, mfc="none", ms=9)
                if compared.published.software:
                    axes.plot(compared.part.to("cores")[1], place, "o", color=OURS, mfc="none")
    axes.set_xscale("log")
    axes.set_yticks([])
    axes.set_ylim(-0.5, len(estimates) - 0.3)
    axes.set_xlabel(
        "cores (bar: range; diamond: published; circle: ours with the software used there)"
    )
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return drawn


def png(estimates: Sequence[Estimate]) -> bytes:
    """`figure` as a PNG file."""
    file = io.BytesIO()
    figure(estimates).savefig(file, format="png", dpi=130)
    return file.getvalue()
