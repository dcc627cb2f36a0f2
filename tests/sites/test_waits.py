"""Nothing waits for ever: workers that hang, come back slowly or are interrupted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import dask
import pytest

from spectrum_workflows import connect, load_site
from spectrum_workflows.engine import map_reduce
from spectrum_workflows.sites.asking import asked

pytestmark = pytest.mark.timeout(400)


def two_workers(**changes: object):
    changes = {k.replace("__", "."): v for k, v in changes.items()}
    return load_site("laptop", changes={"workers.count": 2} | changes)


def until(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def pids(place) -> list[int]:
    """Of both workers, once there are two that answer: they may be new ones still to come."""
    answers: list[int] = []

    def both() -> bool:
        with suppress(OSError):  # one has gone since it was counted
            answers[:] = place.client.run(os.getpid).values() if place.workers == 2 else ()
        return len(answers) == 2

    assert until(both, 120)
    return answers


def test_workers_that_come_back_too_slowly_for_dask_are_replaced() -> None:
    """All of them, killed in the same moment; Dask gives each up before it can be back."""
    impatient = {"distributed.deploy.lost-worker-timeout": "100 ms"}
    with dask.config.set(impatient), connect(two_workers()) as place:
        before = pids(place)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        assert map_reduce(int, ["7"], max, client=place.client) == 7  # Dask alone may give it up
        assert until(lambda: not {*pids(place)} & {*before}, 120)
        assert place.error is None


def test_a_worker_that_hangs_is_replaced_and_holds_nobody_up() -> None:
    with connect(two_workers(workers__silence=6)) as place:
        hung, _ = pids(place)
        os.kill(hung, signal.SIGSTOP)
        began = time.monotonic()
        answers = asked(place.client, os.getpid, within=4)
        assert time.monotonic() - began < 30
        assert hung not in answers.values()
        assert place.client.gather(place.client.map(abs, range(40))) == [*range(40)]
        assert until(lambda: not Path(f"/proc/{hung}").exists(), 120)
        assert hung not in pids(place)
        assert place.error is None


def test_hung_workers_do_not_hold_up_the_end() -> None:
    with connect(two_workers()) as place:
        stopped = pids(place)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 100
    assert not any(Path(f"/proc/{pid}").exists() for pid in stopped)


def test_a_worker_that_joins_is_seen_beside_one_that_hangs() -> None:
    """The watch asks every worker by itself."""
    with connect(two_workers()) as place:
        hung, other = pids(place)
        assert until(lambda: len(place.watch.agreed) == 2, 60)
        known = place.watch.agreed
        os.kill(hung, signal.SIGSTOP)
        os.kill(other, signal.SIGKILL)
        assert until(lambda: len(place.watch.agreed) == 2 and place.watch.agreed != known, 110)


STOPPED = """
import os, signal, sys, threading, time
from spectrum_workflows import connect, load_site, run
sys.path.insert(0, sys.argv[1])
import workload

def stop():
    time.sleep(3)
    os.killpg(0, signal.SIGINT)  # as Jupyter's Stop and a terminal's Ctrl-C do

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs may ignore it
    site = load_site("laptop", changes={"workers.count": 2})
    with connect(site, data=sys.argv[2]) as place:
        run(workload.spec(0.0), place)  # libraries that are imported may swallow an interrupt
        before = place.client.run(os.getpid)
        threading.Thread(target=stop).start()
        try:
            run(workload.spec(1.0), place)
        except KeyboardInterrupt:
            print("stopped", flush=True)
        began = time.monotonic()
        digest = run(workload.spec(0.0), place).digest
        print(digest, time.monotonic() - began, flush=True)
        assert place.client.run(os.getpid) == before, "a worker was killed"
"""


def test_stop_leaves_the_place_usable(tmp_path: Path) -> None:
    sys.path.insert(0, str(services := Path(__file__).parents[1] / "services"))
    import workload

    workload.make(tmp_path)
    script = tmp_path / "stopped.py"
    script.write_text(STOPPED)
    command = [sys.executable, str(script), str(services), str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, start_new_session=True, timeout=300
    )
    said = done.stdout.splitlines()
    assert said[:1] == ["stopped"], done.stderr[-2000:]
    digest, seconds = said[1].split()
    assert digest == workload.reference(tmp_path)
    assert float(seconds) < 60
    assert done.returncode == 0, done.stderr[-2000:]
