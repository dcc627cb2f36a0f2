"""A figure as bytes: what a user's matplotlibrc says changes neither its top nor its content."""

import io

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from spectrum_workflows.rendering import png


def test_a_picture_stands_upright_whatever_images_do() -> None:
    figure = Figure(figsize=(1, 1))
    figure.text(0.5, 0.9, "top", ha="center")
    with mpl.rc_context({"image.origin": "lower"}):
        picture = Image.open(io.BytesIO(png(figure)))
    dark = np.asarray(picture.convert("L")) < 128
    middle = len(dark) // 2
    assert dark[:middle].any()
    assert not dark[middle:].any()
    assert "Software" not in picture.info
