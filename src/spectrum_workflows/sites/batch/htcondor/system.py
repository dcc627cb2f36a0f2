"""HTCondor, as a `BatchSystem`."""

from __future__ import annotations

from spectrum_workflows.sites.batch.htcondor import commands, examining, script
from spectrum_workflows.sites.batch.system import BatchSystem

HTCONDOR = BatchSystem(
    name="HTCondor",
    section="htcondor",
    cluster="HTCondorCluster",
    job="HTCondorJob",
    commands=("condor_submit", "condor_rm"),
    cancel_all=(
        'condor_rm -constraint "JobBatchName == \\"$2\\"" || '
        '[ -z "$(condor_q -constraint "JobBatchName == \\"$2\\"" -af ClusterId)" ]'
    ),
    remaining='condor_q -constraint "JobBatchName == \\"$2\\"" -af ClusterId',
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
    consumed=commands.consumed,
)
