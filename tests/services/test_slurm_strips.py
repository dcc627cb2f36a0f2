"""Strips of an image that stay in SLURM jobs, and a job that goes away between major cycles."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from spectrum_workflows import connect, load_site, load_spec
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.record import digest

sys.path.insert(0, str(Path(__file__).parent))
import workload

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.usefixtures("slurm_up")]

TWO = {"workers.count": 2, "cluster.memory": "2 GB", "cluster.walltime": "00:10:00"}


def test_a_job_that_is_cancelled_between_cycles_changes_nothing(tmp_path: Path) -> None:
    """Strips of the lost job are cut again; the digest is that of a plain loop."""
    shipped = load_spec(Path(__file__).parents[2] / "workflows/radio/scaling.toml")
    spec = shipped.changed(
        image={"npix": 256, "cell_arcsec": 3.0},
        partition={"max_visibilities": 20_000},
        clean={"threshold": 1e-3, "max_major": 2},
        self_check=False,
    )
    DOMAIN.make(spec, str(tmp_path), size=60_000)
    plan = DOMAIN.plan(spec, str(tmp_path))
    assert len(plan.groups[0].layout.strips) == 6
    with threadpool_limits(1):  # as in front.run, and on workers
        serial, _ = DOMAIN.run(spec, plan)
    jobs: list[str] = []

    def cancel_one(stage: str, done: int, total: int) -> None:
        if stage == "minor cycle 1" and done == total and not jobs:
            jobs.extend(workload.queue("RUNNING"))
            subprocess.run(["scancel", jobs[0]], check=True)

    with connect(load_site("slurm", changes=TWO), data=str(tmp_path)) as place:
        end = time.monotonic() + 120
        while place.workers < 2:
            assert time.monotonic() < end, "two jobs never came"
            time.sleep(0.1)
        with threadpool_limits(1):
            result, metrics = DOMAIN.run(spec, plan, client=place.client, report=cancel_one)
    assert len(jobs) == 2
    assert result.groups[0].major == serial.groups[0].major == 2
    assert metrics.failures == ()
    assert digest(DOMAIN.arrays(result)) == digest(DOMAIN.arrays(serial))
    end = time.monotonic() + 60
    while workload.queue():
        assert time.monotonic() < end, "jobs are left in the queue"
        time.sleep(0.2)
