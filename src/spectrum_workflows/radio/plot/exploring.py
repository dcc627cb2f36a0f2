"""An image to explore: zoomed in a browser, with value and position under the pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.imaging.preview import preview
from spectrum_workflows.radio.types import ARCSEC
from spectrum_workflows.radio.types.robust import robust_rms

if TYPE_CHECKING:
    from spectrum_workflows.radio.types import ImagingResult

SIDE = 1024
"""Pixels along a side that are sent; of larger images the strongest of every square."""

POSITION = """
if (format != "sky") return value.toFixed(1)
const l = (special_vars.x / 3600) * Math.PI / 180
const m = (special_vars.y / 3600) * Math.PI / 180
const n = Math.sqrt(Math.max(0, 1 - l * l - m * m))
const dec = Math.asin(m * Math.cos(dec0) + n * Math.sin(dec0))
const ra = ra0 + Math.atan2(l, n * Math.cos(dec0) - m * Math.sin(dec0))
const hours = ((ra * 12 / Math.PI) % 24 + 24) % 24, degrees = Math.abs(dec) * 180 / Math.PI
const parts = (x, digits) => {
  const seconds = Math.round(x * 3600 * 10 ** digits) / 10 ** digits
  const pad = (v) => String(v).padStart(2, "0")
  return [pad(Math.floor(seconds / 3600)), pad(Math.floor(seconds / 60) % 60),
          (seconds % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0")]
}
const [h, hm, hs] = parts(hours, 2), [d, dm, ds] = parts(degrees, 1)
return h + "h" + hm + "m" + hs + "s " + (dec < 0 ? "-" : "+") + d + "° " + dm + "' " + ds + '"'
"""
"""Right ascension and declination of an offset in arcsec, of the SIN projection."""


def explore(result: ImagingResult, name: str) -> Any:
    """A Bokeh figure of an image; offsets from the phase centre in arcsec, east is left."""
    import bokeh.models
    import bokeh.plotting

    models: Any = bokeh.models
    plotting: Any = bokeh.plotting

    kind, _, number = name.partition("@")
    plane = result.planes[int(number or 0)]
    pixels = getattr(plane, kind)
    npix, cell = result.geometry.npix, result.geometry.cell / ARCSEC
    step = -(-npix // SIDE)
    small = pixels.astype(np.float32) if step == 1 else preview(pixels, side=SIDE).strongest
    known = pixels[np.isfinite(pixels)]
    rms = robust_rms(known) or float(np.abs(known).max(initial=0.0)) or 1.0
    palette: Any = "Inferno256"
    low, high = -3 * rms, 30 * rms
    if kind == "residual":
        low, high, palette = -5 * rms, 5 * rms, DIVERGING
    elif kind == "psf":
        low, high, palette = -0.1, 0.5, "Viridis256"
    elif kind == "primary_beam":
        low, high, palette = 0.0, 1.0, "Viridis256"
    edge = (npix // 2 + 0.5) * cell
    width = small.shape[1] * step * cell
    drawn = plotting.figure(
        title=f"{result.whose}: {name}",
        x_range=(edge, edge - width),
        y_range=(-edge, width - edge),
        frame_width=560,
        frame_height=560,
        tools="pan,wheel_zoom,box_zoom,reset,save",
        active_scroll="wheel_zoom",
        x_axis_label="east of the phase centre [arcsec]",
        y_axis_label="north of the phase centre [arcsec]",
    )
    mapper = models.LinearColorMapper(palette=palette, low=low, high=high)
    image = drawn.image(
        image=[np.ascontiguousarray(small[:, ::-1])],
        x=edge - width,
        y=-edge,
        dw=width,
        dh=width,
        color_mapper=mapper,
    )
    ra, dec = result.observation.phase_centre
    where = models.CustomJSHover(args={"ra0": ra, "dec0": dec}, code=POSITION)
    unit = {"model": "Jy/pixel", "psf": "", "primary_beam": ""}.get(kind, "Jy/beam")
    tooltips = [("value", f"@image{{0.000e+0}} {unit}"), ("position", "$x{sky}")]
    offsets = [("offset", '$x{0.0}" east, $y{0.0}" north')]
    drawn.add_tools(
        models.HoverTool(renderers=[image], tooltips=tooltips + offsets, formatters={"$x": where})
    )
    drawn.add_layout(models.ColorBar(color_mapper=mapper, title=unit), "right")
    return drawn


def _diverging() -> tuple[str, ...]:
    """Blue below 0, white at it, red above."""
    half = np.linspace(0, 1, 128)[:, None]
    blue, white, red = np.array([[33, 102, 172], [255, 255, 255], [178, 24, 43]])
    lower, upper = blue + half * (white - blue), white + half * (red - white)
    return tuple(
        f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.rint(np.vstack([lower, upper])).astype(int)
    )


DIVERGING = _diverging()
