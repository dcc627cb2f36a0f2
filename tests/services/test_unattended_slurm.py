"""Whole runs in one batch job of a real SLURM, asked about from shells that come later."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import workload

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.usefixtures("slurm_up")]

COMMAND = str(Path(sys.executable).with_name("spectrum"))
SPEC = """
workflow = "hep"
name = "pairs"
select = "slow.py:select"
columns = ["Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge"]
luminosity = 10.0
[partition]
max_events = 100
[cuts]
seconds = {seconds}
[samples.zmumu]
files = ["zmumu.root"]
cross_section = 1976.0
[histograms.z]
observable = "dimuon"
bins = 60
start = 60.0
stop = 120.0
"""
SMALL = ("cluster.memory=1 GB", "cluster.walltime=00:10:00", "workers.count=2", "ledger.after=0")


@pytest.fixture(autouse=True)
def nothing_left(slurm_up: dict[str, str]) -> Iterator[None]:
    """Neither jobs nor folders with certificates stay."""
    yield
    subprocess.run(["scancel", "--user", str(os.getuid())], check=False)
    assert until(lambda: not workload.queue(), 30)
    folders = Path(os.environ["XDG_CACHE_HOME"], "spectrum-workflows/unattended")
    assert until(lambda: not [*folders.glob("run-*")], 10), "a job's folder is left"


def until(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def spectrum(*arguments: str, json_wanted: bool = True) -> Any:
    command = [COMMAND, *arguments, *(["--json"] if json_wanted else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout) if json_wanted else done.stdout


def submitted(folder: Path, made: Path, seconds: float) -> dict[str, Any]:
    """Submit, from a shell that ends at once."""
    (folder / "pairs.toml").write_text(SPEC.format(seconds=seconds))
    shutil.copy(Path(__file__).with_name("slow_dimuon.py"), folder / "slow.py")
    options = [word for change in SMALL for word in ("--set", change)]
    roots = ["--data", str(made), "--out", str(folder / "results")]
    return spectrum("submit", str(folder / "pairs.toml"), "--site", "slurm", *options, *roots)


def asked(folder: Path, run: str) -> dict[str, Any]:
    return spectrum("status", run, "--out", str(folder / "results"))["runs"][0]


def kill(folder: str) -> None:
    """Kill the process of a job, as a node without memory does: it has no time for a word."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().decode().split("\0")
            if "spectrum_workflows.unattended.working" in words and folder in words:
                os.kill(int(process.name), signal.SIGKILL)


def finished(folder: Path, run: str, within: float = 120) -> dict[str, Any]:
    out = ("--out", str(folder / "results"))
    assert until(lambda: asked(folder, run)["state"] not in ("queued", "running"), within)
    now = asked(folder, run)
    assert now["state"] == "finished", spectrum("logs", run, *out, json_wanted=False)
    return spectrum("result", run, *out)


def laptop(folder: Path, made: Path) -> str:
    """The digest of an interactive run in one process."""
    roots = ["--data", str(made), "--out", str(folder / "interactive"), "--site", "serial"]
    changed = ["--set", "cuts.seconds=0.0"]
    return spectrum("run", str(folder / "pairs.toml"), *roots, *changed)["digest"]


def test_submitted_here_and_fetched_there(tmp_path: Path, made: Path) -> None:
    first = submitted(tmp_path, made, 0.0)
    assert first["is_new"]
    assert len(workload.queue()) == 1, "one job, and no more"
    result = finished(tmp_path, first["run"])
    assert result["digest"] == laptop(tmp_path, made)
    assert not submitted(tmp_path, made, 0.0)["is_new"], "a finished run is left alone"


@pytest.mark.long
def test_killed_cancelled_and_on(tmp_path: Path, made: Path) -> None:
    first = submitted(tmp_path, made, 1.5)
    run, job = first["run"], first["submitted"]["job"]
    out = ("--out", str(tmp_path / "results"))

    def well_begun() -> bool:
        progress = asked(tmp_path, run)["progress"]
        return bool(progress) and progress["done"] >= 20

    assert until(well_begun, 120), spectrum("logs", run, *out, json_wanted=False)
    assert not submitted(tmp_path, made, 1.5)["is_new"], "it is under way"
    kill(job["folder"])
    assert until(lambda: asked(tmp_path, run)["state"] != "running", 60)
    assert asked(tmp_path, run)["state"] == "lost", asked(tmp_path, run)["end"]
    again = submitted(tmp_path, made, 1.5)
    assert again["is_new"]
    assert (again["run"], again["submitted"]["attempt"]) == (run, 2)
    assert until(lambda: asked(tmp_path, run)["state"] == "running", 60)
    assert "cancelled" in spectrum("cancel", run, *out, json_wanted=False)
    assert workload.queue() == []
    assert submitted(tmp_path, made, 1.5)["is_new"]
    result = finished(tmp_path, run)
    assert result["partitions_resumed"] >= 8
    assert result["digest"] == laptop(tmp_path, made)
