"""Unattended runs: their state from what is kept of them, and a whole one by a process here."""

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from spectrum_workflows import load_site, load_spec, storage
from spectrum_workflows.errors import DataNotFoundError, OutputError, SiteError, SpecError
from spectrum_workflows.hep.synthetic import write_sample
from spectrum_workflows.sites import Place
from spectrum_workflows.sites.batch import allocation
from spectrum_workflows.sites.batch.systems import SYSTEMS
from spectrum_workflows.unattended import (
    End,
    JobHandle,
    Progress,
    Submitted,
    cancel,
    find,
    log,
    state_files,
    submit,
)
from spectrum_workflows.unattended.jobs import is_alive
from spectrum_workflows.unattended.notifying import check_notify
from spectrum_workflows.unattended.queries import statuses
from spectrum_workflows.unattended.request import run_name
from spectrum_workflows.unattended.states import SILENT, status_of

JOB = JobHandle("slurm", "7", "login1", "/nowhere")
ASKED = Submitted("pairs-0123456789", "pairs", "hep", "a centre", 1_000.0, 1, JOB)
NOW = 2_000.0
RUNNING = Progress("7", NOW - 3, "select", 30, 40)
FINISHED = End("7", NOW - 1, "finished", "results/pairs-1", "0f")


@pytest.mark.parametrize(
    ("progress", "end", "alive", "state"),
    [
        (None, None, True, "queued"),
        (RUNNING, None, True, "running"),
        (RUNNING, FINISHED, False, "finished"),
        (RUNNING, replace(FINISHED, state="failed"), True, "failed"),
        (RUNNING, replace(FINISHED, state="cancelled"), False, "cancelled"),
        (RUNNING, None, False, "lost"),
        (None, None, False, "lost"),
        (RUNNING, None, None, "running"),
        (None, None, None, "queued"),
        (replace(RUNNING, at=NOW - SILENT - 1), None, None, "lost"),
        (replace(RUNNING, job="6"), None, True, "queued"),
        (RUNNING, replace(FINISHED, job="6"), True, "running"),
    ],
)
def test_state(progress: Progress | None, end: End | None, alive: bool | None, state: str) -> None:
    assert status_of(ASKED, progress, end, alive=alive, now=NOW).state == state


def test_a_running_run_says_stage_and_fraction() -> None:
    line = str(status_of(ASKED, RUNNING, None, alive=True, now=NOW))
    assert line == "pairs-0123456789  running: select, 30 of 40 (75%)"


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    for part in (ASKED, RUNNING, FINISHED):
        state_files.write(str(tmp_path), ASKED.run, part)
    assert state_files.submitted(str(tmp_path), ASKED.run) == ASKED
    assert state_files.progress(str(tmp_path), ASKED.run) == RUNNING
    assert state_files.end(str(tmp_path), ASKED.run) == FINISHED
    assert state_files.runs(str(tmp_path)) == [ASKED.run]
    assert state_files.submitted(str(tmp_path), "another") is None
    elsewhere = replace(ASKED, job=replace(JOB, queue="submit1.example.org"))
    state_files.write(str(tmp_path), ASKED.run, elsewhere)
    assert state_files.submitted(str(tmp_path), ASKED.run) == elsewhere


@pytest.mark.parametrize(
    "told", ["https://user:hunter2secret@example.org/x", "ftp://example.org/x"]
)
def test_bad_addresses_to_tell_are_refused(told: str) -> None:
    with pytest.raises(SpecError):
        check_notify(told)


def test_one_job_asks_for_all_workers_and_the_session() -> None:
    pytest.importorskip("dask_jobqueue")
    changes = {"workers.count": 3, "cluster.cores": 2, "cluster.account": "mine"}
    site = load_site("slurm", changes=changes)
    script = allocation.run_script(
        site,
        site.cluster,
        module="spectrum_workflows.unattended.working",
        name="pairs",
        folder=Path("/shared/run"),
    )
    lines = script.splitlines()
    wanted = ("--ntasks=4", "--cpus-per-task=2", "--mem-per-cpu=1024M", "-A mine", "-t 01:00:00")
    assert {f"#SBATCH {one}" for one in (*wanted, "-J pairs", "--signal=B:TERM@60")} <= {*lines}
    assert "#SBATCH -n 1" not in lines
    assert lines[-1].endswith("-m spectrum_workflows.unattended.working /shared/run $SLURM_JOB_ID")


def test_a_whole_run_does_not_start_inside_an_image() -> None:
    pytest.importorskip("dask_jobqueue")
    site = load_site("slurm", changes={"software.image": "a.sif"})
    with pytest.raises(SiteError, match="inside an image"):
        allocation.run_script(
            site,
            site.cluster,
            module="spectrum_workflows.unattended.working",
            name="pairs",
            folder=Path("/shared/run"),
        )


class FakeStep:
    """An srun that has ended, or not: the decision of the pool is the subject."""

    def __init__(self, *, over: bool = False) -> None:
        self.over = over

    def poll(self) -> int | None:
        return 1 if self.over else None


def test_steps_that_end_are_begun_again_until_it_is_hopeless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = SimpleNamespace(scheduler=SimpleNamespace(workers={}))
    pool = allocation.StepPool(SYSTEMS["slurm"], cluster, None, tmp_path, count=2, silence=60.0)
    begun: list[FakeStep] = []

    def begin(now: float) -> None:
        begun.append(FakeStep())
        pool.steps[f"worker-{len(begun)}"] = allocation.Step(begun[-1], now)

    monkeypatch.setattr(pool, "_begin", begin)
    pool.reconcile()
    assert len(begun) == 2
    cluster.scheduler.workers = {1: SimpleNamespace(name="worker-1")}
    pool.reconcile()
    begun[0].over = True  # it had connected: replaced at once
    pool.reconcile()
    assert [*pool.steps] == ["worker-2", "worker-3"]
    (tmp_path / "worker-9.log").write_text("no such interpreter\n")

    def fail_again() -> None:
        for _ in range(20):
            for step in begun:
                step.over = True
            pool.not_before = 0.0
            pool.reconcile()

    with pytest.raises(SiteError, match="no such interpreter"):
        fail_again()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("unattended")
    (folder / "data").mkdir()
    write_sample(str(folder / "data/dimuon.root"), "dimuon", events=400, seed=3)
    write_sample(str(folder / "data/zmumu.root"), "zmumu", events=400, seed=4)
    return Place(load_site("serial"), str(folder / "data"), str(folder / "results"))


def ended(run: str, place: Place):
    for _ in range(600):
        if (state := find(run, place)).is_over:
            return state
        time.sleep(0.1)
    raise AssertionError(f"{state}\n{log(run, place)}")


def test_a_run_by_itself(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    spec, told = load_spec("hep/dimuon"), tmp_path / "told.json"
    first = submit(spec, place, notify=f"cat > '{told}' #")
    assert first.is_new
    assert not submit(spec, place).is_new, "it is under way"
    state = ended(first.status.submitted.run, place)
    assert state.state == "finished", log(state.submitted.run, place)
    assert storage.exists(storage.join(state.end.folder, "record.json"))
    again = submit(spec, place)
    assert not again.is_new
    assert "nothing to do: this run is finished" in str(again)
    assert [one.submitted.run for one in statuses(place)] == [state.submitted.run]
    for _ in range(100):
        if told.exists() and told.read_text():
            break
        time.sleep(0.1)
    assert json.loads(told.read_text())["state"] == "finished"
    write_sample(f"{place.data}/zmumu.root", "zmumu", events=400, seed=5)  # other input
    other = submit(spec, place)
    assert other.is_new
    assert other.status.submitted.attempt == 2
    assert cancel(other.status.submitted.run, place).state in ("cancelled", "finished")


def test_a_job_of_which_nobody_would_know_is_ended(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state cannot be written once it was taken."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    jobs = []

    def full(_results: str, _run: str, part: Submitted) -> None:
        jobs.append(part.job)
        raise OutputError("the disk is full", place.results)

    monkeypatch.setattr(state_files, "write", full)
    with pytest.raises(OutputError, match="the disk is full"):
        submit(load_spec("hep/dimuon"), place)
    [job] = jobs
    assert not is_alive(job)
    assert not Path(job.folder).exists()


def test_names_of_runs(place: Place) -> None:
    spec = load_spec("hep/dimuon")
    name = run_name(spec, "data", "raise")
    assert name == run_name(load_spec("hep/dimuon"), "data", "raise")
    assert name.startswith("dimuon-")
    others = [
        run_name(spec.changed(luminosity=11.0), "data", "raise"),
        run_name(spec, "elsewhere", "raise"),
        run_name(spec, "data", "keep"),
    ]
    assert len({name, *others}) == 4


def test_an_unknown_run(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="no such run"):
        find("nothing", Place(load_site("serial"), "", str(tmp_path)))
