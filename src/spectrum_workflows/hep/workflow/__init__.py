"""The HEP workflow: plan a run; select and fill every partition, normalise and fit the sums."""

from spectrum_workflows.hep.plan.planning import plan
from spectrum_workflows.hep.workflow.histogramming import run

__all__ = ["plan", "run"]
