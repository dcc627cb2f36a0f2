"""Workers in SLURM jobs, as many as wanted as long as a run goes on."""

from spectrum_workflows.sites.slurm.jobs import job_script, start_slurm

__all__ = ["job_script", "start_slurm"]
