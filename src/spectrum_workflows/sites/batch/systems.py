"""The batch systems that there are: another one is another line in each of the two below.

What such a value holds is described by `BatchSystem`; those of SLURM and HTCondor, in the folders
``slurm`` and ``htcondor``, are the examples.  A profile ``environments/KIND.toml`` completes it.
"""

from __future__ import annotations

from typing import Literal

from spectrum_workflows.sites.batch.htcondor.system import HTCONDOR
from spectrum_workflows.sites.batch.slurm.system import SLURM
from spectrum_workflows.sites.batch.system import BatchSystem

BatchKind = Literal["slurm", "htcondor"]
"""What profiles call them, as ``kind`` below ``[cluster]``."""

SYSTEMS: dict[BatchKind, BatchSystem] = {"slurm": SLURM, "htcondor": HTCONDOR}
