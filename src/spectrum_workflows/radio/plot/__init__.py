"""Pictures: images on the sky, and a run that goes on."""

from spectrum_workflows.radio.plot.images import celestial, plot, plot_panels
from spectrum_workflows.radio.plot.progress import plot_progress

__all__ = ["celestial", "plot", "plot_panels", "plot_progress"]
