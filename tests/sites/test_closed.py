"""Nobody else of this machine gets in: neither by a port, nor by HTTP, nor by a folder."""

import inspect
import logging
import os
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from distributed import LocalCluster
from distributed import worker as dask_worker
from distributed.comm import CommClosedError

from spectrum_workflows import connect, load_site
from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites import closed, private
from spectrum_workflows.sites.closed import link_below
from spectrum_workflows.sites.security import InsecureWarning

sys.path.insert(0, str(Path(__file__).parent))
import others

pytestmark = pytest.mark.timeout(600)


def laptop(**changes: object):
    changes = {k.replace("__", "."): v for k, v in changes.items()}
    return load_site("laptop", changes={"workers.count": 2} | changes)


def test_the_test_finds_open_doors() -> None:
    """What Dask does of itself; else the tests below could not fail."""
    others.needs_another_user()
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"):
        found = others.open_doors(others.family(), [])
    assert any(line.startswith("tcp ") for line in found)
    assert any("/sitemap.json" in line for line in found)


@pytest.mark.parametrize("processes", [True, False])
def test_another_user_finds_no_open_door(tmp_path: Path, processes: bool) -> None:
    others.needs_another_user()
    before = others.family()
    ports, elders = frozenset(others.listening(before)), before - {os.getpid()}
    with connect(laptop(cluster__processes=processes)) as place:
        assert place.client.submit(int, "7").result() == 7
        folder = Path(place.client.cluster.scheduler.local_directory)
        files = [folder, *folder.parents[1].rglob("*")]
        assert others.open_doors(others.family() - elders, files, besides=ports) == []


def test_the_owner_sees_the_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(laptop(workers__count=1)) as place:
        link = place.client.dashboard_link
        with urllib.request.urlopen(link, timeout=30) as answer:
            assert b"Bokeh" in answer.read()
        secret = link.removesuffix("/status")
        with urllib.request.urlopen(f"{secret}/json/counts.json", timeout=30) as answer:
            assert answer.status == 200
        root = secret.rpartition("/")[0]
        for path in ("/", "/status", "/sitemap.json", "/metrics", secret[len(root) : -1] + "/x"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(root + path, timeout=30)


def test_links_through_a_proxy() -> None:
    assert link_below("http://127.0.0.1:8787/status", "/x") == "http://127.0.0.1:8787/x/status"
    assert link_below("/user/me/proxy/8787/status", "/x") == "/user/me/proxy/8787/x/status"
    assert link_below("", "/x") == ""


@pytest.mark.parametrize(
    ("error", "told"), [(CommClosedError("gone"), False), (OSError("disk full"), True)]
)
def test_who_asked_a_worker_and_went_is_no_error_of_it(error: Exception, *, told: bool) -> None:
    """After Stop a worker wrote a traceback into the notebook, in red."""
    [message] = re.findall(r'"(failed during get data [^"]*)"', inspect.getsource(dask_worker))
    record = logging.LogRecord(
        "distributed.worker", logging.ERROR, "worker.py", 1, message, (), (type(error), error, None)
    )
    assert closed._is_of_this_side(record) is told


@pytest.mark.parametrize("address", [":8787", "0.0.0.0:0", "192.0.2.1:8787"])
def test_a_dashboard_for_other_machines_needs_leave(address: str) -> None:
    with pytest.raises(SiteError, match="is not encrypted"):
        connect(laptop(cluster__dashboard_address=address))


def test_insecure_is_the_only_leave_and_warns() -> None:
    with (
        pytest.warns(InsecureWarning, match="can run code as you"),
        connect(laptop(cluster__insecure=True, workers__count=1)) as place,
    ):
        assert place.client.scheduler.address.startswith("tcp://")


# Folders


def test_workers_spill_below_a_folder_of_the_run(tmp_path: Path) -> None:
    site = laptop(cluster__local_directory=str(tmp_path / "scratch"))
    with connect(site) as place:
        where = [*place.client.run(lambda dask_worker: dask_worker.local_directory).values()]
        where.append(place.client.cluster.scheduler.local_directory)
        [run] = (tmp_path / "scratch").iterdir()
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        assert all(Path(one).is_relative_to(run) for one in where)
    assert [*(tmp_path / "scratch").iterdir()] == []


def test_a_folder_that_somebody_made_beforehand_is_not_used(monkeypatch, tmp_path: Path) -> None:
    trap = tmp_path / "dask-scratch-space"
    trap.mkdir(mode=0o777)
    trap.chmod(0o777)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with connect(laptop(workers__count=1)) as place:
        [where] = place.client.run(lambda dask_worker: dask_worker.local_directory).values()
        assert trap not in Path(where).parents
    assert [*trap.iterdir()] == []
    assert [*tmp_path.iterdir()] == [trap]


@pytest.mark.parametrize("mode", [0o777, 0o770 | stat.S_ISGID, 0o703])
def test_a_parent_that_others_can_change_is_refused(tmp_path: Path, mode: int) -> None:
    parent = tmp_path / "open" / "mine"
    parent.mkdir(parents=True)
    parent.parent.chmod(mode)
    if os.getuid() == 0:
        os.chown(parent.parent, 0, 65534)
    elif mode & stat.S_ISGID:
        pytest.skip("only root can give a folder to another group")
    with pytest.raises(SiteError, match="can change it"):
        private.new_folder(parent)
    parent.parent.chmod(0o1777)
    assert stat.S_IMODE(private.new_folder(parent).stat().st_mode) == 0o700


def test_a_folder_of_another_user_is_refused_also_behind_a_link(tmp_path: Path) -> None:
    others.needs_another_user()
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, others.NOBODY, others.NOBODY)
    link = tmp_path / "link"
    link.symlink_to(theirs)
    for parent in (theirs, link, theirs / "below"):
        with pytest.raises(SiteError, match="belongs to another user"):
            private.new_folder(parent)


def test_a_batch_job_makes_its_folder_with_the_same_care(tmp_path: Path) -> None:
    command = [sys.executable, "-m", private.__name__]
    made = subprocess.run([*command, tmp_path], capture_output=True, text=True, check=True)
    folder = Path(made.stdout.strip())
    assert folder.parent == tmp_path.resolve()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    tmp_path.chmod(0o777)
    refused = subprocess.run([*command, tmp_path], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "can change it" in refused.stderr
    assert refused.stdout == ""


SCRIPT = """
import sys, time
from spectrum_workflows import connect, load_site
if __name__ == "__main__":
    changes = {"workers.count": 1, "cluster.local_directory": sys.argv[1]}
    place = connect(load_site("laptop", changes=changes))
    print("up", flush=True)
    time.sleep(300)
"""


def test_the_folder_is_removed_when_the_run_is_killed(tmp_path: Path) -> None:
    script, scratch = tmp_path / "long.py", tmp_path / "scratch"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(scratch)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert len([*scratch.iterdir()]) == 1
        process.send_signal(signal.SIGKILL)
    end = time.monotonic() + 60
    while [*scratch.iterdir()] and time.monotonic() < end:
        time.sleep(0.2)
    assert [*scratch.iterdir()] == []
