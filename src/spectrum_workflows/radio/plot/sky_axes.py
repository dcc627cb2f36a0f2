"""Right ascension and declination along the edges of an image.

Plain axes with ticks of their own: astropy's ``WCSAxes``, which draws a curved grid as well,
takes a CPU second to import and to draw.  It is what `plain` sends larger fields to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import ImagingResult

SAMPLES = 129  # positions along an edge that are computed; ticks lie between them
MOST_TICKS = 5
TURN = {"hours": 86_400.0, "degrees": 1_296_000.0}  # seconds of time, of arc
WIDEST = 0.25  # of a turn, along an edge
SLANT = 0.02  # of the image's side: how far a line of equal coordinate may be from upright

STEPS = (
    *(m * 10.0**e for e in range(-7, 0) for m in (1, 2, 5)),
    *(1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0),
    *(60.0 * m for m in (1, 2, 5, 10, 15, 20, 30)),
    *(3600.0 * m for m in (1, 2, 5, 10, 15, 20, 30, 45)),
)
"""Seconds, of time or of arc, from one tick to the next."""

Unit = Literal["hours", "degrees"]


@dataclass(frozen=True)
class Edge:
    """A coordinate along an edge of the image.

    Attributes
    ----------
    pixel : ndarray
        Positions, rising.
    value : ndarray
        The coordinate there, seconds of time or of arc; rising or falling.
    unit : str
        ``hours`` or ``degrees``.
    """

    pixel: NDArray[np.float64]
    value: NDArray[np.float64]
    unit: Unit


def edges_of(result: ImagingResult) -> tuple[Edge, Edge] | None:
    """Right ascension along the lower edge and declination along the left one.

    ``None`` where plain ticks would mislead: a pole in the image, a field that is larger than the
    sky it projects, or one so wide, or so close to a pole, that what they say of their edge is
    wrong elsewhere by more than `SLANT`.
    """
    npix, cell = result.geometry.npix, result.geometry.cell
    pixel = np.linspace(-0.5, npix - 0.5, SAMPLES)
    offset, corner = (pixel - npix // 2) * cell, np.full(SAMPLES, (-0.5 - npix // 2) * cell)
    right, _ = _sky(-offset, corner, result)
    above, _ = _sky(-offset, offset[-1] * np.ones(SAMPLES), result)
    _, up = _sky(-corner, offset, result)
    _, middle = _sky(np.zeros(SAMPLES), offset, result)
    if not np.isfinite([right, above, up, middle]).all():
        return None
    ra = np.unwrap(right) * TURN["hours"] / (2 * np.pi)
    dec = up * TURN["degrees"] / (2 * np.pi)
    bent = np.angle(np.exp(1j * (above - right))), middle - up
    if any(
        np.max(np.abs(b)) > SLANT * np.ptp(np.unwrap(e))
        for b, e in zip(bent, (right, up), strict=True)
    ):
        return None
    if np.any(np.diff(ra) >= 0) or np.any(np.diff(dec) <= 0):
        return None
    if np.ptp(ra) > WIDEST * TURN["hours"]:
        return None
    return Edge(pixel, ra, "hours"), Edge(pixel, dec, "degrees")


def _sky(
    east: NDArray[np.float64], north: NDArray[np.float64], result: ImagingResult
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right ascension and declination of direction cosines; NaN beyond the sphere."""
    centre_ra, centre_dec = result.observation.phase_centre
    with np.errstate(invalid="ignore"):
        depth = np.sqrt(1 - east**2 - north**2)
    sine, cosine = np.sin(centre_dec), np.cos(centre_dec)
    ra = centre_ra + np.arctan2(east, depth * cosine - north * sine)
    return ra, np.arcsin(np.clip(north * cosine + depth * sine, -1, 1))


def label_edges(axes: Axes, edges: tuple[Edge, Edge]) -> None:
    """Put the ticks of both coordinates on the axes of an image."""
    for edge, axis in zip(edges, (axes.xaxis, axes.yaxis), strict=True):
        at, labels = ticks_of(edge)
        axis.set_ticks(at, labels=labels)
    axes.tick_params(direction="in", color="0.7", labelsize="small")


def ticks_of(edge: Edge) -> tuple[list[float], list[str]]:
    """Round values along an edge: where they are, pixel, and what they are called."""
    low, high = sorted((float(edge.value[0]), float(edge.value[-1])))
    step = next((s for s in STEPS if (high - low) / s <= MOST_TICKS), STEPS[-1])
    numbers = np.arange(np.ceil(low / step), np.floor(high / step) + 1)
    rising = slice(None) if edge.value[0] < edge.value[-1] else slice(None, None, -1)
    at = np.interp(numbers * step, edge.value[rising], edge.pixel[rising])
    return at.tolist(), [sexagesimal(int(n), step, edge.unit) for n in numbers]


def sexagesimal(number: int, step: float, unit: Unit) -> str:
    """A multiple of a step of seconds in words: ``2ʰ05ᵐ07.5ˢ``, ``-0°30′``.

    Parameters
    ----------
    number : int
    step : float
        One of `STEPS`, s of time or of arc.
    unit : {"hours", "degrees"}
        Hours are those of one turn; degrees have a sign.
    """
    decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    scale = 10**decimals
    total = number * round(step * scale)  # in the last decimal of a second
    sign = "-" if total < 0 and unit == "degrees" else ""
    total = abs(total) if unit == "degrees" else total % (round(TURN["hours"]) * scale)
    minutes, rest = divmod(total, 60 * scale)
    marks = ("ʰ", "ᵐ", "ˢ") if unit == "hours" else ("°", "′", "″")
    words = f"{sign}{minutes // 60}{marks[0]}{minutes % 60:02d}{marks[1]}"
    if step >= 60:
        return words
    fraction = f".{rest % scale:0{decimals}d}" if decimals else ""
    return f"{words}{rest // scale:02d}{fraction}{marks[2]}"
