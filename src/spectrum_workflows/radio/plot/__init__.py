"""Pictures: images on the sky, the uv plane, and a run that goes on."""

from spectrum_workflows.radio.plot.coverage import draw_coverage, plot_coverage
from spectrum_workflows.radio.plot.exploring import explore
from spectrum_workflows.radio.plot.histogram import plot_histogram
from spectrum_workflows.radio.plot.images import celestial, plot, plot_panels
from spectrum_workflows.radio.plot.progress import plot_progress
from spectrum_workflows.radio.plot.showing import show, shown

__all__ = [
    "celestial",
    "draw_coverage",
    "explore",
    "plot",
    "plot_coverage",
    "plot_histogram",
    "plot_panels",
    "plot_progress",
    "show",
    "shown",
]
