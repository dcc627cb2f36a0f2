"""A science of another package on a real SLURM: the contract, and the result of one process."""

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.usefixtures("slurm_up")]

PROGRAM = """
import sys
from gravitational_waves import DOMAIN
from spectrum_workflows import load_site, load_spec
from spectrum_workflows.testing import check_domain

small = {"cluster.memory": "1 GB", "cluster.walltime": "00:10:00", "workers.count": 2}
site = load_site("slurm", changes=small)
evidence = check_domain(load_spec(DOMAIN.demo), sys.argv[1], sites=[site])
print(evidence.outcome.fraction, evidence.partial.fraction)
"""


@pytest.mark.long  # what tests/test_third_science.py asks on this machine
def test_the_contract_holds_on_slurm(third_science: Path, tmp_path: Path) -> None:
    command = [third_science, "-c", PROGRAM, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1.0", "0.96875"]
