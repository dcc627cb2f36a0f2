"""Pictures: images with sky coordinates, the beam and a colour scale with units."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.plot.drawing import add_colour_bar, draw_image, label_of
from spectrum_workflows.radio.plot.sky_axes import edges_of, label_edges
from spectrum_workflows.radio.types import ARCSEC

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spectrum_workflows.radio.types import Beam, Image, ImagingResult, PlaneImages

COLOURS = "inferno"
DIVERGING = "RdBu_r"
"""For residuals: white at 0, red above, blue below."""

BEAM_INSET = 0.05  # of the image side, from its lower left corner
FEW_TICKS = 2  # say nothing of a scale
PSF_FIELD = 0.25  # of the image side, shown around the PSF's peak


def plot(result: ImagingResult, plane: int = 0) -> Figure:
    """The restored image (without CLEAN: the dirty image) of a plane, with beam and scale."""
    from matplotlib.figure import Figure

    shown = result.planes[plane]
    kind = "dirty image" if shown.image is None else "restored image"
    title = f"{result.whose}: {kind}, {result.weighting} weights"
    if len(result.planes) > 1:
        title = f"{title}\n{shown.plane.where}"
    figure = Figure(figsize=(7.4, 6.2), layout="constrained")
    _show_sky(figure, 111, result, shown, (title, shown.sky))
    if lines := result.warnings:
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        text = textwrap.fill(f"warning: {lines[0]}{more}", 90)
        figure.suptitle(text, fontsize="small", color="firebrick", parse_math=False)
    return figure


def plot_panels(result: ImagingResult, plane: int = 0) -> Figure:
    """A plane's dirty image and, where they were made, residual and PSF, side by side."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    shown = result.planes[plane]
    panels = [(f"{result.whose}: dirty image", shown.dirty)]
    if shown.residual is not None:
        panels.append(("residual", shown.residual))
    count = len(panels) + (shown.psf is not None)
    layout = ConstrainedLayoutEngine(rect=(0, 0, 1, 0.96))  # leaves room for the titles
    figure = Figure(figsize=(6.6 * count, 5.8), layout=layout)
    for number, panel in enumerate(panels, start=1):
        _show_sky(figure, (1, count, number), result, shown, panel)
    if shown.psf is not None:
        _show_psf(figure.add_subplot(1, count, count), result, shown.psf)
    layout.execute(figure)  # once more where it is drawn: so often square axes need it to fit
    return figure


def celestial(result: ImagingResult) -> Any:
    """The image's world coordinates, an ``astropy.wcs.WCS`` of RA and Dec."""
    from astropy.wcs import WCS

    npix, cell = result.geometry.npix, np.degrees(result.geometry.cell)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = np.degrees(result.observation.phase_centre)
    wcs.wcs.cdelt = [-cell, cell]
    wcs.wcs.crpix = [npix // 2 + 1, npix // 2 + 1]
    wcs.wcs.radesys, wcs.wcs.equinox = result.observation.frame, 2000.0
    return wcs


def _show_sky(
    figure: Figure, place: Any, result: ImagingResult, plane: PlaneImages, panel: tuple[str, Image]
) -> None:
    """One image: residuals linear within 5 rms, others arcsinh up to the peak."""
    from matplotlib.colors import AsinhNorm, Normalize

    title, image = panel
    where = place if isinstance(place, tuple) else (place,)
    edges = edges_of(result)
    axes = figure.add_subplot(*where, projection=None if edges else celestial(result))
    rms = plane.rms_of(image) or float(np.abs(image).max()) or 1.0
    top, label = max(float(image.max()), 5 * rms), label_of("Jy / beam", image)
    if title == "residual":
        drawn = draw_image(axes, image, norm=Normalize(-5 * rms, 5 * rms), cmap=DIVERGING)
        add_colour_bar(drawn, label=label, extend="both")
    else:
        scale = AsinhNorm(linear_width=3 * rms, vmin=-3 * rms, vmax=top)
        drawn = draw_image(axes, image, norm=scale, cmap=COLOURS)
        bar, values = add_colour_bar(drawn, label=label), ticks(rms, top)
        bar.set_ticks(values, labels=[f"{value:g}" for value in values])
        bar.minorticks_off()
    if edges:
        label_edges(axes, edges)
    axes.set(xlabel="RA (J2000)", ylabel="Dec (J2000)")
    axes.set_title(title, pad=10)
    _draw_beam(axes, result, plane.beam)


def ticks(rms: float, top: float) -> list[float]:
    """Zero, and 1 and 3 times powers of ten up to the peak; round steps where that is near."""
    start, stop = int(np.floor(np.log10(3 * rms))), int(np.ceil(np.log10(top)))
    steps = [m * 10.0**e for e in range(start, stop + 1) for m in (1, 3)]
    chosen = [0.0, *(value for value in steps if 2 * rms < value <= top)]
    if len(chosen) > FEW_TICKS:
        return chosen
    from matplotlib.ticker import MaxNLocator

    even = MaxNLocator(nbins=5).tick_values(-3 * rms, top)
    return [float(value) for value in even if -3 * rms <= value <= top]


def _draw_beam(axes: Axes, result: ImagingResult, beam: Beam | None) -> None:
    """The beam's half-power ellipse; angles grow from north towards east (left)."""
    from matplotlib.patches import Ellipse

    if beam is None:
        return
    npix, pixel = result.geometry.npix, result.geometry.cell / ARCSEC
    at = max(BEAM_INSET * npix, beam.bmaj / pixel)
    size = (beam.bmin / pixel, beam.bmaj / pixel)
    axes.add_patch(Ellipse((at, at), *size, angle=beam.bpa, fc="white", ec="black", lw=0.5))


def _show_psf(axes: Axes, result: ImagingResult, psf: Image) -> None:
    """The middle of the PSF, with offsets in arcsec; sidelobes stand out."""
    from matplotlib.colors import AsinhNorm

    npix, pixel = psf.shape[0], result.geometry.cell / ARCSEC
    half = max(16, int(PSF_FIELD * npix / 2))
    middle = slice(npix // 2 - half, npix // 2 + half)
    edge = (half + 0.5) * pixel
    drawn = draw_image(
        axes,
        psf[middle, middle],
        sparse=True,
        cmap="viridis",
        extent=(edge, -edge + pixel, -edge, edge - pixel),
        norm=AsinhNorm(linear_width=0.02, vmin=min(-0.05, float(psf.min())), vmax=1.0),
    )
    bar = add_colour_bar(drawn)
    bar.set_ticks([-0.03, 0, 0.03, 0.1, 0.3, 1], labels=["-0.03", "0", "0.03", "0.1", "0.3", "1"])
    axes.set(xlabel="east (arcsec)", ylabel="north (arcsec)")
    axes.set_title("PSF", pad=10)
