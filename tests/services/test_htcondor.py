"""Workers in jobs of a real HTCondor, and whole runs in one of them."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spectrum_workflows import connect, diagnose, load_site, run
from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.spending import readings

sys.path.insert(0, str(Path(__file__).parent))
import workload

pytestmark = [pytest.mark.xdist_group("htcondor"), pytest.mark.usefixtures("htcondor_up")]

COMMAND = str(Path(sys.executable).with_name("spectrum"))
SMALL = {"cluster.memory": "1 GB", "cluster.disk": "10 MB", "workers.count": 2}
LIMITED = {"cluster.job_extra_directives": {"allowed_execute_duration": 45}}


def site(**changes: object):
    changed = {k.replace("__", "."): v for k, v in changes.items()}
    return load_site("htcondor", changes=SMALL | changed)


def queue(*options: str) -> list[dict[str, Any]]:
    command = ["condor_q", "-json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout or "[]")


def until(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.3)
    return True


@pytest.fixture(autouse=True)
def nothing_left(htcondor_up: dict[str, str]) -> Iterator[None]:
    """Neither jobs nor certificates stay."""
    yield
    assert until(lambda: not queue(), 60), "jobs are left in the queue"
    runs = Path(os.environ["XDG_CACHE_HOME"], "spectrum-workflows")
    assert until(lambda: not [*runs.glob("**/*.pem")], 30), "certificates are left"


def test_the_same_digest_and_no_secret_in_the_queue(
    made: Path, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody can read the environment of a job in HTCondor's queue."""
    secret = secrets.token_hex(16)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    with connect(site(), data=str(made)) as place:
        outcome = run(workload.spec(), place)
        assert place.client is not None
        assert place.client.scheduler.address.startswith("tls://")
        assert secret not in json.dumps(queue())
        assert place.client.submit(os.environ.get, "HOME").result() == os.environ["HOME"]
        assert until(lambda: place.workers == 2, 60)
        numbers = {f"{job['ClusterId']}.{job['ProcId']}" for job in queue()}
        assert {reading.job for reading in readings(place)} == {"", *numbers}
    assert outcome.digest == digest


@pytest.mark.long
def test_a_removed_job_is_replaced(made: Path, digest: str) -> None:
    with connect(site(), data=str(made)) as place:
        assert until(lambda: place.workers == 2, 60)
        first = {job["ClusterId"] for job in queue()}
        remove = ["condor_rm", str(min(first))]
        timer = threading.Timer(2.0, lambda: subprocess.run(remove, check=True))
        timer.start()
        outcome = run(workload.spec(0.4), place)
        timer.join()
        assert until(lambda: place.workers == 2, 60)
        assert {job["ClusterId"] for job in queue()} != first
    assert outcome.digest == digest


@pytest.mark.long
def test_jobs_that_cannot_start_end_the_run_with_their_last_words(made: Path) -> None:
    with pytest.raises(SiteError, match=r"jobs in a row.*no-such-python"):
        connect(site(software__python="no-such-python"), data=str(made))


@pytest.mark.long
def test_a_run_outlasts_its_jobs(made: Path, digest: str) -> None:
    """Jobs end after 45 s; new ones are there before."""
    seen: set[int] = set()
    short = site(**LIMITED, workers__renew_before=30)
    with connect(short, data=str(made)) as place:
        done = threading.Event()

        def look() -> None:
            while not done.wait(1):
                seen.update(job["ClusterId"] for job in queue())

        thread = threading.Thread(target=look)
        thread.start()
        outcome = run(workload.spec(3.0), place)
        done.set()
        thread.join()
    assert len(seen) >= 4, "no job was renewed"
    assert outcome.digest == digest
    assert outcome.metrics.failures == ()


@pytest.mark.long
def test_the_queue_is_empty_after_the_process_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "long.py"
    script.write_text(
        "import time\n"
        "from spectrum_workflows import connect, load_site\n"
        "if __name__ == '__main__':\n"
        "    changes = {'cluster.memory': '1 GB', 'cluster.disk': '10 MB'}\n"
        "    with connect(load_site('htcondor', changes=changes)) as place:\n"
        "        print('up', flush=True)\n"
        "        time.sleep(300)\n"
    )
    command = [sys.executable, script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert len(queue()) == 4
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)


@pytest.mark.long
def test_one_job_looks_from_inside(made: Path, tmp_path: Path) -> None:
    diagnosis = diagnose(site(data=str(made), results=str(tmp_path)))
    assert diagnosis.starts, str(diagnosis)
    session = {one.subject for one in diagnosis.findings if one.where == "session"}
    assert session >= {"commands", "schedd", "slots", "memory and cores", "job", "run folder"}
    inside = {one.subject for one in diagnosis.findings if one.where != "session"}
    assert inside >= {"network", "task", "clock", "data", "results", "scratch", "libraries"}


def test_faults_are_named_before_anything_is_queued(made: Path, tmp_path: Path) -> None:
    roots = {"data": str(made), "results": str(tmp_path)}
    [fault] = diagnose(site(**roots, cluster__memory="100 GB")).faults
    assert (fault.subject, fault.expected) == (
        "memory and cores",
        "at most what one machine has, such as 8 cores and 12,583 MB",
    )
    refused = site(**roots, cluster__job_extra_directives={"universe": "nowhere"})
    [fault] = diagnose(refused).faults
    assert fault.subject == "job"
    assert "nowhere" in fault.found


# Whole runs


def spectrum(*arguments: str) -> Any:
    command = [COMMAND, *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def submitted(folder: Path, made: Path, seconds: float) -> dict[str, Any]:
    """Submit, from a shell that ends at once."""
    shutil.copy(Path(__file__).with_name("slow_dimuon.py"), folder / "slow_dimuon.py")
    text = (workload.ROOT / "workflows/hep/dimuon.toml").read_text()
    select = 'select = "spectrum_workflows.hep.analyses.dimuon:select"'
    assert select in text
    text = text.replace(select, 'select = "slow_dimuon.py:select"')
    (folder / "pairs.toml").write_text(text)
    options = [f"cuts.seconds={seconds}", "partition.max_events=200", "ledger.after=0"]
    options += [f"{key}={value}" for key, value in SMALL.items()]
    words = [word for option in options for word in ("--set", option)]
    roots = ["--data", str(made), "--out", str(folder / "results")]
    return spectrum("submit", str(folder / "pairs.toml"), "--site", "htcondor", *words, *roots)


def state(folder: Path, number: str) -> str:
    return spectrum("status", number, "--out", str(folder / "results"))["runs"][0]["state"]


@pytest.mark.long
def test_submitted_here_and_fetched_there(tmp_path: Path, made: Path, digest: str) -> None:
    first = submitted(tmp_path, made, 0.0)
    assert first["submitted"]["job"]["kind"] == "htcondor"
    assert len(queue()) == 1, "one job, and no more"
    out = ("--out", str(tmp_path / "results"))
    assert until(lambda: state(tmp_path, first["run"]) not in ("queued", "running"), 120)
    assert spectrum("result", first["run"], *out)["digest"] == digest
    assert not submitted(tmp_path, made, 0.0)["is_new"], "a finished run is left alone"


@pytest.mark.long
def test_cancelled_and_on(tmp_path: Path, made: Path, digest: str) -> None:
    first = submitted(tmp_path, made, 1.0)
    out = ("--out", str(tmp_path / "results"))

    def well_begun() -> bool:
        progress = spectrum("status", first["run"], *out)["runs"][0]["progress"]
        return bool(progress) and progress["done"] >= 16

    assert until(well_begun, 120)
    subprocess.run([COMMAND, "cancel", first["run"], *out], check=True)
    assert state(tmp_path, first["run"]) == "cancelled"
    assert until(lambda: not queue(), 30)
    again = submitted(tmp_path, made, 1.0)
    assert again["is_new"]
    assert until(lambda: state(tmp_path, first["run"]) not in ("queued", "running"), 120)
    result = spectrum("result", first["run"], *out)
    assert result["digest"] == digest
    assert result["partitions_resumed"] >= 8
