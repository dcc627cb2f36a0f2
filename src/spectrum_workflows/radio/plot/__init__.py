"""Pictures: images on the sky, and a run that goes on."""

from spectrum_workflows.radio.plot.exploring import explore
from spectrum_workflows.radio.plot.images import celestial, plot, plot_panels
from spectrum_workflows.radio.plot.progress import plot_progress
from spectrum_workflows.radio.plot.showing import show, shown

__all__ = ["celestial", "explore", "plot", "plot_panels", "plot_progress", "show", "shown"]
