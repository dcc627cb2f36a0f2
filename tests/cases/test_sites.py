"""Cases of sites: who gets in, where workers spill, and what waits; see the cases' README."""

import os
import signal
import sys
import time
from pathlib import Path

import dask
import pytest

from spectrum_workflows import connect, load_site

sys.path.insert(0, str(Path(__file__).parents[1] / "sites"))
import others

pytestmark = pytest.mark.timeout(300)


def test_loopback() -> None:
    others.needs_another_user()
    with connect(load_site("laptop", changes={"workers.count": 1})) as place:
        assert place.client.submit(int, "7").result() == 7
        assert others.open_doors(others.family(), []) == []


def test_scratch() -> None:
    with connect(load_site("laptop", changes={"workers.count": 1})) as place:
        [where] = place.client.run(lambda dask_worker: dask_worker.local_directory).values()
        run = Path(where).parents[1]
        assert run.stat().st_mode & 0o777 == 0o700
        assert run.stat().st_uid == os.getuid()
    assert not run.exists()


def test_workers_not_back_in_15_s_all_workers_at_once() -> None:
    impatient = {"distributed.deploy.lost-worker-timeout": "100 ms"}
    site = load_site("laptop", changes={"workers.count": 2})
    with dask.config.set(impatient), connect(site) as place:
        end = time.monotonic() + 100
        while place.workers < 2 and time.monotonic() < end:
            time.sleep(0.1)
        for pid in place.client.run(os.getpid).values():
            os.kill(pid, signal.SIGKILL)
        assert place.client.submit(int, "7").result(timeout=150) == 7
