"""A matplotlib figure as the bytes of a picture."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

DPI = 120

COMPRESSION = 2
"""Of zlib's nine levels: the higher ones take longer than the drawing, for a tenth of the bytes."""


def png(figure: Any, stamp: str = "") -> bytes:
    """A figure as it is saved, with a stamp across it where the result is partial."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.image import imsave

    if stamp:
        text = stamp.replace("; ", "\n")
        figure.text(0.5, 0.5, text, color="red", size=18, ha="center", alpha=0.7)
    before, dpi = figure.canvas, figure.dpi
    try:
        canvas: Any = FigureCanvasAgg(figure)
        figure.set_dpi(DPI)
        canvas.draw()  # once: savefig would draw everything once more, for the layout alone
        drawn = np.asarray(canvas.buffer_rgba())
    finally:
        figure.set_dpi(dpi)
        figure.set_canvas(before)
    buffer = io.BytesIO()
    options: dict[str, Any] = {"compress_level": COMPRESSION}
    how: dict[str, Any] = {"origin": "upper", "metadata": {"Software": None}}  # whatever users set
    imsave(buffer, drawn, format="png", dpi=DPI, pil_kwargs=options, **how)
    return buffer.getvalue()
