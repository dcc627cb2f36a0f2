"""Jobs that are cancelled, run out of time, never start or are refused, on a real SLURM."""

import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import pytest
from distributed import Client, Security

from spectrum_workflows import connect, load_site, run, save
from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.batch.slurm.energy import consumed
from spectrum_workflows.sites.security import InsecureWarning

sys.path.insert(0, str(Path(__file__).parent))
import workload

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.usefixtures("slurm_up")]

SMALL = {"cluster.memory": "1 GB", "cluster.walltime": "00:10:00"}
COMMAND = str(Path(sys.executable).with_name("spectrum"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    workload.make(folder)
    return folder


@pytest.fixture(scope="module")
def digest(data: Path) -> str:
    return workload.reference(data)


@pytest.fixture(autouse=True)
def empty_queue(slurm_up: dict[str, str]) -> Iterator[None]:
    """Every test must leave no job, no certificate and no process of its own."""
    yield
    assert until(lambda: not workload.queue(), 60), "jobs are left in the queue"
    runs = Path(os.environ["XDG_CACHE_HOME"], "spectrum-workflows")
    assert until(lambda: not [*runs.glob("*/*.pem")], 30), "certificates are left"
    assert until(lambda: not processes("caretaker", str(runs)), 30), "a caretaker is left"
    assert until(lambda: not processes("distributed.cli.dask_worker", str(runs)), 30)


def processes(*words: str) -> list[str]:
    """Command lines of running processes that hold all the words."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if all(w in line for w in words)]


def until(holds: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def site(**changes: object):
    return load_site("slurm", changes=SMALL | {k.replace("__", "."): v for k, v in changes.items()})


def spectrum(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def sabotaged(act: Callable[[list[str]], None]) -> tuple[threading.Thread, dict[str, float]]:
    """A thread that waits for four running jobs, does its worst, and times the recovery."""
    times: dict[str, float] = {}

    def work() -> None:
        if not until(lambda: len(workload.queue("RUNNING")) == 4, 60):
            return
        time.sleep(3)  # let the workers get to work
        before = workload.queue("RUNNING")
        times["acted"] = time.monotonic()
        act(before)

        def recovered() -> bool:
            now = workload.queue("RUNNING")
            return len(now) == 4 and {*now} != {*before}

        if until(recovered, 60):
            times["recovered"] = time.monotonic()

    thread = threading.Thread(target=work)
    thread.start()
    return thread, times


def cancel(numbers: list[str]) -> None:
    subprocess.run(["scancel", *numbers], check=True)


@pytest.mark.parametrize("victims", [1, pytest.param(4, marks=pytest.mark.long)])
def test_cancelled_jobs_are_replaced(data: Path, digest: str, victims: int) -> None:
    with connect(site(), data=str(data)) as place:
        thread, times = sabotaged(lambda jobs: cancel(jobs[:victims]))
        outcome = run(workload.spec(2.0 if victims == 1 else 1.5), place)
        finished = time.monotonic()
        thread.join()
    assert outcome.digest == digest
    assert outcome.metrics.failures == ()
    assert times["acted"] < finished, "the run was over before the jobs were cancelled"
    assert times["recovered"] - times["acted"] < 30


@pytest.mark.long
def test_a_job_that_hangs_and_shows_as_running_is_replaced(data: Path, digest: str) -> None:
    """Its worker stands still, and so does the process that would start another one."""
    with connect(site(workers__silence=6, workers__count=2), data=str(data)) as place:
        place.client.wait_for_workers(2, timeout=60)
        worker = psutil.Process(min(place.client.run(os.getpid).values()))
        job = worker.environ()["SLURM_JOB_ID"]
        hung = (worker.parent(), worker)
        shown: list[str] = []

        def stop(state: Any) -> None:
            if state.stage == "select" and state.done and not shown:
                for process in hung:
                    process.suspend()
                shown.extend(workload.queue("RUNNING"))

        outcome = run(workload.spec(1.5), place, watch=stop)
        assert job in shown
        assert until(lambda: job not in workload.queue(), 60), "it was not cancelled"
        assert until(lambda: {*workload.queue("RUNNING")} - {*shown}, 60), "none took its place"
        assert until(lambda: not any(process.is_running() for process in hung), 60)
    assert outcome.digest == digest
    assert outcome.metrics.failures == ()


def test_a_run_outlasts_its_jobs(data: Path, digest: str) -> None:
    """A limit of two minutes leaves a slow machine 27 s to start a new worker in."""
    short = site(cluster__walltime="00:02:00", workers__count=2, workers__renew_before=40)
    seen: set[str] = set()
    with connect(short, data=str(data)) as place:
        started, done = time.monotonic(), threading.Event()

        def look() -> None:
            while not done.wait(1):
                seen.update(workload.queue("RUNNING"))

        thread = threading.Thread(target=look)
        thread.start()
        outcome = run(workload.spec(7.0), place)
        done.set()
        thread.join()
    assert time.monotonic() - started > 130
    assert len(seen) >= 4, "no job was renewed"
    assert outcome.digest == digest
    timed_out = workload.queue("TIMEOUT")
    assert timed_out == [], "a job ran into its limit: its worker was not renewed in time"


def test_a_refused_job_is_an_error_at_once(data: Path, tmp_path: Path) -> None:
    arguments = ("run", "workflows/hep/dimuon.toml", "--site", "slurm", "--data", str(data))
    options = ("--out", str(tmp_path / "out"), "--set", "cluster.queue=nope")
    ended = spectrum(*arguments, *options, cwd=workload.ROOT)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "invalid partition specified: nope" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert workload.queue() == []


def test_no_worker_within_patience_quotes_the_queue(data: Path, tmp_path: Path) -> None:
    arguments = ("run", "workflows/hep/dimuon.toml", "--site", "slurm", "--data", str(data))
    options = ("--out", str(tmp_path), "--set", "cluster.queue=closed", "--set")
    ended = spectrum(*arguments, *options, "workers.patience=6", cwd=workload.ROOT)
    assert ended.returncode == 2
    assert "no worker for 6 s: job" in ended.stderr
    assert "is PENDING (PartitionDown)" in ended.stderr
    assert workload.queue() == []


def test_jobs_that_cannot_start_end_the_run_with_their_last_words(data: Path) -> None:
    """After the third, or a few later where several end between two looks."""
    with pytest.raises(SiteError, match=r"[3-6] jobs in a row.*no-such-python"):
        connect(site(software__python="no-such-python", workers__count=3), data=str(data))


def test_all_workers_lost_for_good_ends_a_run(data: Path) -> None:
    """The partition closes in the middle of a run, and every job is cancelled."""

    def close(jobs: list[str]) -> None:
        subprocess.run(["scontrol", "update", "PartitionName=debug", "State=DOWN"], check=True)
        cancel(jobs)

    try:
        with connect(site(workers__patience=45), data=str(data)) as place:
            thread, _ = sabotaged(close)
            with pytest.raises(SiteError, match=r"no worker for 45 s: job \d+ is PENDING"):
                run(workload.spec(3.0), place)
            subprocess.run(["scontrol", "update", "PartitionName=debug", "State=UP"], check=True)
            thread.join()
    finally:
        subprocess.run(["scontrol", "update", "PartitionName=debug", "State=UP"], check=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_queue_is_empty_after_the_process_ends(
    data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    script = tmp_path / "long.py"
    script.write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in background jobs
        "from spectrum_workflows import connect, load_site\n"
        "if __name__ == '__main__':\n"
        "    changes = {'cluster.memory': '1 GB', 'cluster.cores': 2, 'workers.count': 6}\n"
        "    with connect(load_site('slurm', changes=changes)) as place:\n"  # two of them wait
        "        print('up', flush=True)\n"
        "        time.sleep(300)\n"
    )
    command = [sys.executable, script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert len(workload.queue()) == 6
        process.send_signal(number)
        process.wait(timeout=60)
    assert until(lambda: not workload.queue(), 60)


@pytest.mark.parametrize("moment", ["submitting", "waiting"])
def test_ctrl_c_while_connecting(tmp_path: Path, moment: str) -> None:
    """While sbatch runs, which takes long here, or while the first job waits."""
    script = tmp_path / "connects.py"
    script.write_text(
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from spectrum_workflows import connect, load_site\n"
        "changes = {'cluster.memory': '1 GB', 'workers.count': 2, 'cluster.queue': 'closed'}\n"
        "if __name__ == '__main__':\n"
        "    connect(load_site('slurm', changes=changes))\n"
    )
    environment = dict(os.environ)
    if moment == "submitting":
        slow = tmp_path / "bin" / "sbatch"
        slow.parent.mkdir()
        real = shutil.which("sbatch")
        slow.write_text(f'#!/bin/sh\ntouch {tmp_path}/begun\nsleep 3\nexec {real} "$@"\n')
        slow.chmod(0o755)
        environment["PATH"] = f"{slow.parent}:{environment['PATH']}"
    command = [sys.executable, script]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        begun = (tmp_path / "begun").exists if moment == "submitting" else workload.queue
        assert until(lambda: bool(begun()), 30)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert said.splitlines()[-1] == "KeyboardInterrupt", said
    assert until(lambda: not workload.queue(), 30)


def test_jobs_beyond_a_limit_are_done_without(data: Path, digest: str, tmp_path: Path) -> None:
    """SLURM takes two jobs of four; the run goes on with these, and asks again only slowly."""
    counting = tmp_path / "sbatch"
    counted = tmp_path / "submissions"
    counting.write_text(
        f"#!/bin/sh\necho x >> {counted}\n"
        f"if ! mkdir {tmp_path}/first 2>/dev/null && ! mkdir {tmp_path}/second 2>/dev/null; then\n"
        "  echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2; exit 1\nfi\n"
        f'exec {shutil.which("sbatch")} "$@"\n'
    )
    counting.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with connect(site(), data=str(data)) as place:
            outcome = run(workload.spec(0.5), place)
            assert until(lambda: place.workers == 2, 60)
            assert len(workload.queue()) == 2
    assert outcome.digest == digest
    assert len(counted.read_text().splitlines()) < 20


# Security


def test_a_stranger_is_refused_by_scheduler_and_worker(data: Path) -> None:
    with connect(site(workers__count=1), data=str(data)) as place:
        workers = list(place.client.nthreads())
        addresses = [place.client.scheduler.address, *workers]
        nannies = place.client.run(lambda dask_worker: dask_worker.nanny)
        assert all(a.startswith("tls://") for a in [*addresses, *nannies.values()])
        other = Security.temporary()  # a certificate, but of another authority
        for address in addresses:
            with pytest.raises(OSError, match=r"(?i)timed out|refused|certificate|ssl|tls"):
                Client(address, security=other, timeout=3)
            with pytest.raises(OSError, match=r"(?i)timed out|refused|closed|reset"):
                Client(address.replace("tls://", "tcp://"), timeout=3)


def test_only_the_user_reads_certificates_and_only_this_machine_the_dashboard(data: Path) -> None:
    runs = Path(os.environ["XDG_CACHE_HOME"], "spectrum-workflows")
    with connect(site(workers__count=1), data=str(data)) as place:
        files = [*runs.glob("*/*.pem")]
        assert len(files) == 3
        assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
        assert {stat.S_IMODE(f.parent.stat().st_mode) for f in files} == {0o700}
        port = place.client.scheduler_info()["services"]["dashboard"]
        shown = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=True).stdout
        listening = {line.split()[3] for line in shown.splitlines()}
        assert {a for a in listening if a.endswith(f":{port}")} == {f"127.0.0.1:{port}"}


def test_plain_tcp_needs_leave_and_warns(data: Path) -> None:
    with (
        pytest.warns(InsecureWarning, match="can run code as you"),
        connect(site(cluster__insecure=True, workers__count=1), data=str(data)) as place,
    ):
        assert place.client.scheduler.address.startswith("tcp://")


def test_a_secret_of_the_environment_is_written_nowhere(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers inherit the environment; nothing that we write or send may hold it."""
    secret = secrets.token_hex(16)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    runs = Path(os.environ["XDG_CACHE_HOME"], "spectrum-workflows")
    sent: list[bytes] = []
    with connect(site(workers__count=2), data=str(data), results=str(tmp_path)) as place:
        assert place.client.submit(os.environ.get, "AWS_SECRET_ACCESS_KEY").result() == secret
        map_tasks = place.client.map

        def recorded(function, *columns, **options):
            sent.append(cloudpickle.dumps((function, columns[0], options)))
            return map_tasks(function, *columns, **options)

        monkeypatch.setattr(place.client, "map", recorded)
        saved = Path(save(run(workload.spec(0.01), place), place))
        scripts = [
            subprocess.run(
                ["scontrol", "write", "batch_script", number, "-"],
                capture_output=True,
                check=True,
            ).stdout
            for number in workload.queue()
        ]
        logs = [p.read_bytes() for p in runs.rglob("*") if p.is_file()]
        states = [str(place.client.scheduler_info()).encode()]
    assert len(scripts) == 2
    assert b"distributed.cli.dask_worker" in scripts[0]
    assert len(sent) > 2
    assert len(logs) >= 5
    written = [p.read_bytes() for p in saved.rglob("*") if p.is_file()]
    for text in (*scripts, *sent, *logs, *states, *written):
        assert secret.encode() not in text


def test_accounts_name_the_jobs_and_count_their_machine_once(data: Path) -> None:
    """Two jobs and the session share this host; SLURM has no energy plug-in here."""
    with connect(site(workers__count=2), data=str(data)) as place:
        assert until(lambda: place.workers == 2, 60)
        outcome = run(workload.spec(0.01), place)
        numbers = workload.queue("RUNNING")
        assert consumed(numbers) == {}
    assert outcome.accounts is not None
    assert sorted(outcome.accounts.jobs) == sorted(numbers)
    assert outcome.accounts.nodes == 1
    assert outcome.accounts.energy.joules > 0
