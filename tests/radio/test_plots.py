"""Pictures of images: what their colour bars say."""

import numpy as np
import pytest

from spectrum_workflows.radio.plot.images import ticks


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
