"""The radio workflow: plan an image, and make it pass by pass over the data."""

from spectrum_workflows.radio.workflow.calibration import calibrate
from spectrum_workflows.radio.workflow.imaging import run
from spectrum_workflows.radio.workflow.planning import plan

__all__ = ["calibrate", "plan", "run"]
