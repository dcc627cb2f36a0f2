"""Fits of histograms: peaks, and the binned likelihood of a HistFactory model."""

from spectrum_workflows.hep.fit.likelihood import fit_workspace, likelihood
from spectrum_workflows.hep.fit.peak import PEAKS, Z_WIDTH, fit_peak, fit_peaks
from spectrum_workflows.hep.fit.workspace import workspace

__all__ = ["PEAKS", "Z_WIDTH", "fit_peak", "fit_peaks", "fit_workspace", "likelihood", "workspace"]
