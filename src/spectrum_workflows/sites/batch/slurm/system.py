"""SLURM, as a `BatchSystem`."""

from __future__ import annotations

from spectrum_workflows.sites.batch.slurm import commands, energy, examining, script
from spectrum_workflows.sites.batch.system import BatchSystem

SLURM = BatchSystem(
    name="SLURM",
    section="slurm",
    cluster="SLURMCluster",
    job="SLURMJob",
    commands=("sbatch", "scancel"),
    cancel_all='scancel --quiet --user="$1" --name="$2"',
    remaining='squeue --noheader --user="$1" --name="$2"',
    adapted=script.adapted,
    shortened=script.shortened,
    requested=script.requested,
    worker_shell=script.worker_shell,
    errors=script.errors,
    listed=commands.listed,
    submit=commands.submit,
    is_live=commands.is_live,
    cancel=commands.cancel,
    whole=script.whole,
    step=script.step,
    examine=examining.examine,
    consumed=energy.consumed,
)
