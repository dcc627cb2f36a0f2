"""Where visibilities lie in the uv plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

CELLS = 300
"""Along each side of the picture: what lies in one cell is counted."""


def plot_coverage(u: NDArray[np.float64], v: NDArray[np.float64], title: str = "") -> Figure:
    """A figure of the uv coverage; see `draw_coverage`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 5.4), layout="constrained")
    axes = figure.add_subplot()
    draw_coverage(axes, u, v)
    axes.set_title(title, fontsize="medium", parse_math=False)
    return figure


def draw_coverage(axes: Axes, u: NDArray[np.float64], v: NDArray[np.float64]) -> None:
    """Draw how many visibilities lie in each cell of the uv plane, with their conjugates.

    Parameters
    ----------
    axes : Axes
    u, v : ndarray of float64, shape (n,)
        Wavelengths; what is not finite is left out.
    """
    from matplotlib.colors import LogNorm

    known = np.isfinite(u) & np.isfinite(v)
    u, v = u[known], v[known]
    reach = max(float(np.abs([u, v]).max(initial=0.0)), 1e-9)
    factor, unit = _unit(reach)
    edges = np.linspace(-1.04 * reach, 1.04 * reach, CELLS + 1)
    counts, _, _ = np.histogram2d(np.append(v, -v), np.append(u, -u), bins=[edges, edges])
    shown = np.where(counts > 0, counts, np.nan)
    half = edges[-1] / factor
    drawn = axes.imshow(
        shown[:, ::-1],
        origin="lower",
        extent=(half, -half, -half, half),
        norm=LogNorm(1.0, max(float(counts.max()), 2.0)),
        cmap="viridis_r",
        interpolation="nearest",
    )
    axes.figure.colorbar(drawn, ax=axes, pad=0.02, label="visibilities per cell")
    axes.set(xlabel=f"u ({unit})", ylabel=f"v ({unit})")
    axes.set_aspect("equal")


def _unit(reach: float) -> tuple[float, str]:
    """Wavelengths, thousands or millions of them."""
    if reach >= 1e6:
        return 1e6, "Mλ"
    return (1e3, "kλ") if reach >= 1e3 else (1.0, "λ")
