"""Pictures of an array and of the baselines that it sweeps out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.plot.coverage import draw_coverage

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Antennas

NAMED = 40
"""Up to so many antennas have their names written beside them."""


def plot_array(
    antennas: Antennas, uv: NDArray[np.float32], wavelength: float, title: str
) -> Figure:
    """The antennas on the ground, and baselines with their opposites in the uv plane.

    Parameters
    ----------
    antennas : Antennas
    uv : ndarray, shape (n, 2)
        m.
    wavelength : float
        m, of the middle frequency.
    title : str
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.4), layout="constrained")
    figure.suptitle(title, parse_math=False)
    ground, plane = figure.subplots(1, 2)
    _show_antennas(ground, antennas)
    u, v = (uv / wavelength).astype(np.float64).T
    draw_coverage(plane, u, v)
    plane.set_title("uv coverage at the middle frequency")
    return figure


def _show_antennas(axes: Any, antennas: Antennas) -> None:
    """East and north of the array's middle; who stands in the Earth's is not placed."""
    axes.set(xlabel="east (km)", ylabel="north (km)", title="antennas")
    known = np.isfinite(antennas.position).all(axis=1) & antennas.position.any(axis=1)
    if not known.any():
        axes.text(0.5, 0.5, "no positions", ha="center", transform=axes.transAxes)
        return
    east, north = _on_the_ground(antennas.position[known]) / 1e3
    axes.plot(east, north, "o", ms=4)
    axes.set_aspect("equal", adjustable="datalim")
    if known.sum() <= NAMED:
        names = np.array(antennas.name)[known]
        for name, x, y in zip(names.tolist(), east, north, strict=True):
            axes.annotate(name, (x, y), (3, 3), textcoords="offset points", fontsize="x-small")


def _on_the_ground(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """East and north, m, of places on the Earth from the middle one."""
    middle = np.median(position, axis=0)
    longitude = np.arctan2(middle[1], middle[0])
    latitude = np.arctan2(middle[2], np.hypot(middle[0], middle[1]))
    x, y, z = (position - middle).T
    outward = np.cos(longitude) * x + np.sin(longitude) * y
    east = -np.sin(longitude) * x + np.cos(longitude) * y
    return np.stack([east, np.cos(latitude) * z - np.sin(latitude) * outward])
