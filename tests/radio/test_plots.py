"""Pictures of images: what their colour bars say."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.plot import plot_panels
from spectrum_workflows.radio.plot.images import ticks
from spectrum_workflows.rendering import DPI

from .conftest import spec_of


@pytest.mark.parametrize("rms", [1.0, 1.6, 2.9, 3.3e-6, 0.07])
@pytest.mark.parametrize("dynamic_range", [5.0, 8.3, 30.0, 1e3, 1e6])
def test_a_colour_bar_has_labels_whatever_the_dynamic_range(
    rms: float, dynamic_range: float
) -> None:
    """An image of noise alone, too: its peak is five times the noise at least."""
    marks = ticks(rms, dynamic_range * rms)
    assert len(marks) >= 3
    assert 0.0 in marks
    assert np.all(np.diff(marks) > 0)
    assert -3 * rms <= marks[0]
    assert marks[-1] <= dynamic_range * rms


def test_every_label_of_the_panels_is_in_the_picture(small):
    """They are drawn once, and square axes are laid out by what is around them."""
    spec = spec_of(clean={"max_major": 1, "threshold": 0.1})
    result, _ = DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))
    figure = plot_panels(result)
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    labels = [text for axes in figure.axes for text in (axes.xaxis.label, axes.yaxis.label)]
    labels += [axes.title for axes in figure.axes]
    extents = [text.get_window_extent() for text in labels if text.get_text()]
    assert len(extents) > 8
    for extent in extents:
        assert figure.bbox.x0 <= extent.x0 < extent.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= extent.y0 < extent.y1 <= figure.bbox.y1
