"""``spectrum doctor`` on a real SLURM: faults that it names, and a job that looks from inside."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from spectrum_workflows import diagnose, load_site
from spectrum_workflows.doctor.diagnosis import Diagnosis

sys.path.insert(0, str(Path(__file__).parent))
import workload

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.usefixtures("slurm_up")]

COMMAND = str(Path(sys.executable).with_name("spectrum"))


def examined(folder: Path, *, probe: bool = False, **changes: object) -> Diagnosis:
    (folder / "data").mkdir(exist_ok=True)
    table = {"data": str(folder / "data"), "results": str(folder), "cluster.memory": "1 GB"}
    table |= {key.replace("__", "."): value for key, value in changes.items()}
    return diagnose(load_site("slurm", changes=table), probe=probe)


def test_one_job_looks_from_inside(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    roots = ("--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"))
    command = [COMMAND, "doctor", "--site", "slurm", "--json", *roots]
    command += ["--set", "cluster.memory=1 GB"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    diagnosis = json.loads(done.stdout)
    assert diagnosis["starts"] is True
    inside = {one["subject"] for one in diagnosis["findings"] if one["where"] != "session"}
    assert inside >= {"network", "task", "clock", "data", "results", "scratch", "libraries"}
    session = {one["subject"] for one in diagnosis["findings"] if one["where"] == "session"}
    assert session >= {"partition", "walltime", "memory and cores", "account", "job"}
    assert workload.queue() == []


@pytest.mark.parametrize(
    ("changes", "subjects"),
    [
        ({"cluster__queue": "nope"}, {"partition"}),
        ({"cluster__queue": "closed"}, {"partition"}),
        ({"cluster__walltime": "10:00:00"}, {"walltime"}),
        ({"cluster__memory": "100 GB"}, {"memory and cores", "job"}),
    ],
)
def test_faults_are_named_before_anything_is_queued(
    tmp_path: Path, changes: dict[str, str], subjects: set[str]
) -> None:
    diagnosis = examined(tmp_path, probe=True, **changes)
    assert {one.subject for one in diagnosis.faults} == subjects
    assert all(one.remedy for one in diagnosis.faults)
    assert workload.queue() == []


@pytest.mark.long
def test_a_session_that_nodes_do_not_reach(tmp_path: Path) -> None:
    """The scheduler tells its workers an address at which nobody listens."""
    nobody = {"contact_address": "tls://127.0.0.1:9"}
    waits = {"cluster__scheduler_options": nobody, "cluster__death_timeout": 3}
    [fault] = examined(tmp_path, probe=True, **waits).faults
    assert fault.subject == "worker"
    assert "set interface" in fault.remedy
    assert workload.queue() == []


@pytest.mark.long
def test_an_interpreter_that_the_node_does_not_have(tmp_path: Path) -> None:
    diagnosis = examined(tmp_path, probe=True, software__python="no-such-python")
    [fault] = diagnosis.faults
    assert fault.subject == "worker"
    assert "no-such-python" in fault.found
    assert "[software]" in fault.remedy
    assert workload.queue() == []
