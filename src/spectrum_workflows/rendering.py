"""A matplotlib figure as the bytes of a picture."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np

DPI = 120

COMPRESSION = {"compress_level": 2, "compress_type": zlib.Z_RLE}
"""Looks for runs of a byte alone: of a picture of noise that is smaller, and takes less time, than
what zlib does at such a level; the higher ones take longer than the drawing."""


def png(figure: Any, stamp: str = "") -> bytes:
    """A figure as it is saved, with a stamp across it where the result is partial."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    if stamp:
        text = stamp.replace("; ", "\n")
        figure.text(0.5, 0.5, text, color="red", size=18, ha="center", alpha=0.7)
    before, dpi = figure.canvas, figure.dpi
    try:
        canvas: Any = FigureCanvasAgg(figure)
        figure.set_dpi(DPI)
        canvas.draw()  # once: savefig would draw everything once more, for the layout alone
        drawn = np.asarray(canvas.buffer_rgba())
        if (drawn[..., 3] == 255).all():  # opaque
            drawn = drawn[..., :3]
    finally:
        figure.set_dpi(dpi)
        figure.set_canvas(before)
    buffer = io.BytesIO()
    Image.fromarray(drawn).save(buffer, "png", dpi=(DPI, DPI), **COMPRESSION)
    return buffer.getvalue()
