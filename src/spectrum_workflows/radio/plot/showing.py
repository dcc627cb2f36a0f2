"""Images on request: sky coordinates, a common scale, the beam and a bar that tells the scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.plot.drawing import draw_image, label_of
from spectrum_workflows.radio.plot.images import COLOURS, DIVERGING, celestial, ticks
from spectrum_workflows.radio.types import ARCSEC
from spectrum_workflows.radio.types.robust import robust_rms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spectrum_workflows.domain import Panel
    from spectrum_workflows.radio.types import Image, ImagingResult, PlaneImages

ORDER = ("image", "dirty", "residual", "model", "psf", "corrected", "primary_beam")
"""What is shown of a plane, in the order in which people look."""

ACROSS = 3
"""Panels in a row, at most."""

SPREAD = 5.0
"""Times the rms to which the colours of a residual reach, on both sides of 0."""

UNITS = {"model": "Jy / pixel", "psf": "of its peak", "primary_beam": "of its peak"}
SPARSE = ("model", "psf")
"""Of which the strongest pixels are shown where not all can be."""


@dataclass(frozen=True)
class Region:
    """Rows and columns of an image that are shown."""

    rows: slice
    columns: slice


def shown(result: ImagingResult) -> tuple[str, ...]:
    """The names of what can be shown: images that were made, of further planes with ``@number``."""
    return tuple(
        f"{name}@{number}" if number else name
        for number, plane in enumerate(result.planes)
        for name in ORDER
        if getattr(plane, name) is not None
    )


def show(
    panels: Sequence[Panel[ImagingResult]], *, region: tuple[float, ...] | None, common: bool
) -> Figure:
    """Images side by side; see `showing.show`."""
    from matplotlib.figure import Figure

    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    figure = Figure(figsize=(1.2 + 4.3 * across, 0.4 + 4.1 * down), layout="constrained")
    named = {p.result.whose for p in panels}
    figure.suptitle(", ".join(sorted(named)), fontsize="medium", parse_math=False)
    kinds = [_kind(panel.name) for panel in panels]
    axes: list[Any] = []
    drawn: list[Any] = []
    labels: list[str] = []
    for number, panel in enumerate(panels):
        alike = [p for p, kind in zip(panels, kinds, strict=True) if kind == kinds[number]]
        scaled = alike if common else [panel]
        place = (down, across, number + 1)
        window = window_of(panel.result, region)
        wcs = celestial(panel.result)[window.rows, window.columns]
        axes.append(figure.add_subplot(*place, projection=wcs))
        style = _colours(kinds[number], [_pixels(p) for p in scaled])
        pixels, sparse = _pixels(panel)[window.rows, window.columns], kinds[number] in SPARSE
        drawn.append(draw_image(axes[-1], pixels, sparse=sparse, **style))
        unit = UNITS.get(kinds[number], "Jy / beam")
        labels.append(label_of(unit, pixels, sparse=sparse))
        _decorate(axes[-1], panel, window, first=number % across == 0)
    together = common and len(set(kinds)) == 1
    for number, image in enumerate(drawn):
        if not together or number == len(drawn) - 1:
            whose: Any = axes if together else axes[number]
            style = {"label": labels[number], "pad": 0.02, "shrink": 0.85, "extend": "both"}
            bar = figure.colorbar(image, ax=whose, **style)
            if kinds[number] == "sky":
                bar.set_ticks(ticks(-image.norm.vmin / 3, image.norm.vmax))
    return figure


def window_of(result: ImagingResult, region: tuple[float, ...] | None) -> Region:
    """The pixels of a region, offsets of its middle to east and north and its side in arcsec.

    Raises
    ------
    ValueError
        It is not three numbers, or holds no pixel of the image.
    """
    npix, cell = result.geometry.npix, result.geometry.cell / ARCSEC
    if region is None:
        return Region(slice(0, npix), slice(0, npix))
    if len(region) != 3 or not region[2] > 0:
        raise ValueError("a region is (east, north, side) in arcsec")
    east, north, side = region
    half = side / 2 / cell
    ranges = []
    for middle in (npix // 2 + north / cell, npix // 2 - east / cell):
        low, high = max(0, math.floor(middle - half)), min(npix, math.ceil(middle + half) + 1)
        if high - low < 2:
            raise ValueError("the region lies outside the image")
        ranges.append(slice(low, high))
    return Region(*ranges)


def _plane(panel: Panel[ImagingResult]) -> PlaneImages:
    return panel.result.planes[int(panel.name.partition("@")[2] or 0)]


def _kind(name: str) -> str:
    kind = name.partition("@")[0]
    return "sky" if kind in ("image", "dirty", "corrected") else kind


def _pixels(panel: Panel[ImagingResult]) -> Image:
    pixels: Image = getattr(_plane(panel), panel.name.partition("@")[0])
    return pixels


def _colours(kind: str, images: Sequence[Image]) -> dict[str, Any]:
    """Map and scale: of residuals symmetric around 0, else arcsinh up to the peak."""
    from matplotlib.colors import AsinhNorm, Normalize

    style: dict[str, Any] = {"origin": "lower", "cmap": COLOURS}
    if kind == "psf":
        lowest = min(-0.05, *(float(image.min()) for image in images))
        return style | {"cmap": "viridis", "norm": AsinhNorm(0.02, vmin=lowest, vmax=1.0)}
    if kind == "primary_beam":
        return style | {"cmap": "viridis", "norm": Normalize(0.0, 1.0)}
    known = [image[np.isfinite(image)] for image in images]
    top = max(float(np.abs(image).max(initial=0.0)) for image in known) or 1.0
    rms = max((robust_rms(image) for image in known if image.size), default=0.0) or top / 100
    if kind == "residual":
        norm: Any = Normalize(-SPREAD * rms, SPREAD * rms)
        return style | {"cmap": DIVERGING, "norm": norm}
    highest = max(top, SPREAD * rms)
    return style | {"norm": AsinhNorm(3 * rms, vmin=-3 * rms, vmax=highest)}


def _decorate(axes: Axes, panel: Panel[ImagingResult], window: Region, *, first: bool) -> None:
    """Title, axes' names, beam and bar of scale."""
    kind, plane = _kind(panel.name), _plane(panel)
    ink = "black" if kind == "residual" else "white"
    axes.set_title(panel.title, fontsize="medium", pad=8)
    axes.set_xlabel("RA (J2000)")
    axes.set_ylabel("Dec (J2000)" if first else " ")
    axes.tick_params(labelsize="small")
    side = window.columns.stop - window.columns.start
    cell = panel.result.geometry.cell / ARCSEC
    _bar(axes, side, cell, ink)
    if kind in ("sky", "residual") and plane.beam is not None:
        from matplotlib.patches import Ellipse

        at = max(0.06 * side, 0.75 * plane.beam.bmaj / cell)
        size = (plane.beam.bmin / cell, plane.beam.bmaj / cell)
        axes.add_patch(Ellipse((at, at), *size, angle=plane.beam.bpa, fc=ink, ec="grey", lw=0.5))


def _bar(axes: Axes, side: int, cell: float, ink: str) -> None:
    """A bar of a round length, about a fifth of the picture, in its lower right corner."""
    length = round_length(0.2 * side * cell)
    right, low = 0.95 * side, 0.05 * side
    left = right - length / cell
    axes.plot([left, right], [low, low], color=ink, lw=2, solid_capstyle="butt")
    words = f"{length / 60:g}'" if length >= 60 else f'{length:g}"'
    axes.text(
        (left + right) / 2, low + 0.015 * side, words, color=ink, ha="center", fontsize="small"
    )


def round_length(arcsec: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten, or of whole minutes, that is not longer.

    >>> round_length(7.3), round_length(0.3), round_length(250)
    (5.0, 0.2, 240.0)
    """
    if arcsec >= 60:
        minutes = arcsec / 60
        power = 10.0 ** math.floor(math.log10(minutes))
        return 60 * power * max(m for m in (1, 2, 3, 4, 5) if m * power <= minutes)
    power = 10.0 ** math.floor(math.log10(arcsec))
    return round(power * max(m for m in (1, 2, 5) if m * power <= arcsec), 12)
