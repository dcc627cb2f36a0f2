"""Places on this machine: options, patience, TLS, schedulers of others, agreement of versions."""

import dataclasses
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from distributed import LocalCluster, Security

from spectrum_workflows import connect, load_site
from spectrum_workflows.errors import SiteError, SpectrumError
from spectrum_workflows.sites import job_script
from spectrum_workflows.sites.agreement import compare_versions
from spectrum_workflows.sites.local_pool import LocalPool
from spectrum_workflows.sites.security import InsecureWarning, check_address, is_loopback
from spectrum_workflows.sites.watch import Watch


def local(**changes: object):
    changes = {k.replace("__", "."): v for k, v in changes.items()}
    return load_site("laptop", changes={"workers.count": 1} | changes)


def test_cluster_options_are_the_librarys_own() -> None:
    with connect(local(cluster__processes=False), data="elsewhere", results="b") as place:
        assert place.workers == 1
        assert (place.data, place.results) == ("elsewhere", "b")
        assert place.client.submit(int, "7").result() == 7
    with pytest.raises(SiteError, match="did you mean n_workers"):
        connect(local(cluster__n_wrokers=1))
    with pytest.raises(SiteError, match="security cannot be set"):
        connect(local(cluster__security=True))


def test_no_cluster() -> None:
    with connect(load_site("serial")) as place:
        assert place.client is None
        assert place.error is None
        assert place.workers == 0


def test_the_collector_calls_nothing_of_dasks_that_would_lose_a_stop() -> None:
    with connect(local()):
        assert [call for call in gc.callbacks if "distributed" in call.__module__] == []


def test_as_many_workers_as_there_is_work_for() -> None:
    site = load_site("laptop", changes={"workers.min": 1, "workers.max": 2})
    with connect(site) as place:
        slow = place.client.map(lambda _: time.sleep(0.5), range(40))
        end = time.monotonic() + 30
        while place.workers < 2 and time.monotonic() < end:
            time.sleep(0.1)
        assert place.workers == 2
        place.client.cancel(slow)


def test_a_place_without_workers_gives_up_after_its_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LocalPool, "reconcile", lambda _pool: None)  # it may be back in two seconds
    with connect(local(workers__patience=2)) as place:
        future = place.client.submit(time.sleep, 60)
        [worker] = place.client.nthreads()
        place.client.retire_workers([worker])
        end = time.monotonic() + 60
        while not future.cancelled() and time.monotonic() < end:
            time.sleep(0.1)
        assert "no worker for 2 s" in str(place.error)
        assert future.cancelled()


def test_a_look_that_fails_is_repeated_and_patience_decides() -> None:
    """Errors of a moment are put up with; a site that is never looked after is given up."""
    with connect(local(workers__patience=3)) as place:
        looks = iter([OSError("disk full"), KeyError("race"), None])

        def reconcile() -> None:
            if error := next(looks, None):
                raise error

        deployment = dataclasses.replace(place.watch.deployment, reconcile=reconcile)
        watch = dataclasses.replace(place.watch, deployment=deployment, thread=None)
        watch.start()
        end = time.monotonic() + 20
        while next(looks, "over") != "over" and time.monotonic() < end:
            time.sleep(0.1)
        assert watch.error is None
        assert watch.thread.is_alive()
        watch.stopped.set()
        gone = dataclasses.replace(deployment, reconcile=lambda: exec("raise OSError('disk full')"))
        place.client.retire_workers()
        watch = Watch(gone, patience=1)
        watch.start()
        with pytest.raises(SiteError, match="no worker for 1 s: OSError: disk full"):
            watch.await_first()


@pytest.mark.parametrize("options", [{}, {"cluster.host": "0.0.0.0"}])
def test_a_local_cluster_has_tls(options: dict[str, object]) -> None:
    with connect(local(**options)) as place:
        assert place.client.scheduler.address.startswith("tls://")
        assert all(address.startswith("tls://") for address in place.client.nthreads())
        assert place.client.submit(int, "7").result() == 7


def test_an_existing_scheduler_that_is_open_needs_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalCluster(n_workers=1, dashboard_address="127.0.0.1:0") as cluster:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        with pytest.raises(SiteError, match="open to every user of this machine"):
            connect(load_site("existing"))
        site = load_site("existing", changes={"cluster.insecure": True})
        with pytest.warns(InsecureWarning), connect(site) as place:
            assert place.workers == 1
        assert len(cluster.scheduler.workers) == 1, "it is not ours to close"


def test_an_existing_scheduler_with_certificates(tmp_path: Path) -> None:
    security = Security.temporary()
    files = {}
    for kind, name in (("ca_file", "ca_file"), ("cert", "client_cert"), ("key", "client_key")):
        path = tmp_path / f"{kind}.pem"
        path.write_text(security.get_tls_config_for_role("client")[kind])
        files[f"cluster.tls_{name}"] = str(path)
    options = {"security": security, "protocol": "tls", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=1, **options) as cluster:
        address = {"cluster.address": cluster.scheduler_address}
        with connect(load_site("existing", changes=address | files)) as place:
            assert place.client.submit(int, "7").result() == 7


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("tcp://192.0.2.1:8786", "open to everybody"),
        ("scheduler.example.org:8786", "not an address"),
        ("tcp://127.0.0.1:9", "open to every user"),
        ("tls://127.0.0.1:9", "does not answer"),
    ],
)
def test_bad_addresses(address: str, says: str) -> None:
    changes = {"cluster.address": address, "workers.patience": 2}
    with pytest.raises(SiteError, match=says):
        connect(load_site("existing", changes=changes))


def test_a_plain_address_needs_leave() -> None:
    with pytest.warns(InsecureWarning):
        check_address("tcp://192.0.2.1:8786", safe=("tls",), insecure=True)
    with pytest.raises(SiteError, match="every user of this machine"):
        check_address("tcp://[::1]:8786", safe=("tls",), insecure=False)
    check_address("tls://192.0.2.1:8786", safe=("tls",), insecure=False)


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("example.org", False),
    ],
)
def test_loopback(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


# Versions

HERE = {"python": "3.11.7.final.0", "dask": "1", "distributed": "1", "spectrum_workflows": "1"}


def side(**changes: str | None):
    return {"packages": HERE | changes}


def test_equal_versions_agree() -> None:
    patch = side(python="3.11.9.final.0")
    compare_versions({"client": side(), "scheduler": side(), "workers": {"tcp://w": patch}})


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ({"python": "3.12.0.final.0"}, "python 3.12 there and 3.11 here"),
        ({"dask": "2"}, "dask 2 there and 1 here"),
        ({"spectrum_workflows": None}, "spectrum_workflows is missing there"),
    ],
)
def test_other_versions_are_refused(there: dict[str, str | None], says: str) -> None:
    found = {"client": side(), "scheduler": side(), "workers": {"tcp://w": side(**there)}}
    with pytest.raises(SiteError, match=f"the worker at tcp://w: {says}"):
        compare_versions(found)
    found = {"client": side(), "scheduler": side(**there), "workers": {}}
    with pytest.raises(SiteError, match=f"the scheduler: {says}"):
        compare_versions(found)


# Job scripts


def test_the_job_script_holds_what_the_profile_says() -> None:
    changes = {
        "cluster.account": "ours",
        "cluster.queue": "batch",
        "cluster.walltime": "02:00:00",
        "software.modules": ["GCC/13", "Python/3.11"],
        "software.prologue": ["ulimit -n 4096"],
        "software.image": "/images/spectrum.sif",
        "software.image_options": ["--bind", "/data"],
    }
    script = job_script(load_site("slurm", changes=changes))
    lines = script.splitlines()
    assert {"#SBATCH -A ours", "#SBATCH -p batch", "#SBATCH -t 02:00:00"} <= {*lines}
    prologue = lines.index("module load GCC/13")
    assert lines[prologue : prologue + 3] == [
        "module load GCC/13",
        "module load Python/3.11",
        "ulimit -n 4096",
    ]
    pinned = lines[prologue + 3 : prologue + 5]
    assert "DUCC0_MAX_PSABI_LEVEL='3' OPENBLAS_CORETYPE='Haswell'" in pinned[0]
    assert pinned[1] == "else unset OPENBLAS_CORETYPE; fi"
    inside = "apptainer exec --bind /data /images/spectrum.sif python -m"
    made = f"SPECTRUM_SCRATCH=$({inside} spectrum_workflows.sites.private) || exit 1"
    assert lines[prologue + 5] == made
    assert lines[prologue + 7] == 'export TMPDIR="$SPECTRUM_SCRATCH"'
    assert lines[prologue + 8].startswith(f"{inside} distributed.cli")
    assert "--tls-key RUN/key.pem" in script
    assert "--worker-class spectrum_workflows.sites.closed.worker" in script
    assert '--local-directory "$SPECTRUM_SCRATCH"' in script
    plain = job_script(load_site("slurm", changes={"cluster.insecure": True}))
    assert "tls" not in plain


def test_a_number_of_cores_that_is_none_is_refused() -> None:
    with pytest.raises(SiteError, match="dask-jobqueue does not take this profile"):
        job_script(load_site("slurm", changes={"cluster.cores": float("inf")}))


def test_ctrl_c_is_left_as_it_was() -> None:
    """The import of dask_jobqueue makes it end Python, in a notebook the kernel."""
    code = (
        "import signal\n"
        "before = signal.getsignal(signal.SIGINT)\n"
        "from spectrum_workflows.sites import job_script, load_site\n"
        "assert '#SBATCH' in job_script(load_site('slurm'))\n"
        "assert signal.getsignal(signal.SIGINT) is before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_batch_sites_have_a_job_script() -> None:
    assert job_script(load_site("laptop")) == ""


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("processes", 2, "processes must be 1"),
        ("security", True, "certificates are made for every run"),
        ("n_workers", 3, "write count below"),
        ("acount", "x", "did you mean account"),
        ("cores", None, "cores"),
    ],
)
def test_options_that_a_job_cannot_have(key: str, value: object, says: str) -> None:
    with pytest.raises(SpectrumError, match=says):
        job_script(load_site("slurm", changes={f"cluster.{key}": value}))


def test_without_slurms_commands_nothing_is_begun(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(SiteError, match="not installed here"):
        connect(load_site("slurm"))
    assert [*(tmp_path / "cache" / "spectrum-workflows").iterdir()] == []


def test_a_killed_worker_process_comes_back() -> None:
    with connect(local(workers__patience=30)) as place:
        [pid] = place.client.run(os.getpid).values()
        [left] = place.client.run(tempfile.mkdtemp).values()
        os.kill(pid, signal.SIGKILL)
        assert place.client.submit(int, "7").result(timeout=30) == 7
        assert place.error is None
        assert Path(left).is_dir()
    assert not Path(left).exists(), "it goes with the workers' scratch"


@pytest.mark.parametrize("given", [{"TMPDIR": "/"}, {"OTHER": "1"}])
def test_workers_may_have_other_environment_variables(given: dict[str, str]) -> None:
    with connect(local(cluster__env=given)) as place:
        [seen] = place.client.run(lambda: {**os.environ}).values()
        assert {**seen, **given} == seen
        assert ("spectrum-" in seen["TMPDIR"]) == ("TMPDIR" not in given)


@pytest.mark.parametrize(("gigabytes", "cores", "expected"), [(2, 64, 2), (0.5, 8, 1), (64, 4, 4)])
@pytest.mark.parametrize("profile", ["laptop", "plain"])
def test_memory_bounds_the_number_of_workers(
    gigabytes: float, cores: int, expected: int, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub's container sees all cores, and has the memory of a few workers."""
    import dask.system
    import distributed.system
    from distributed.deploy import utils

    from spectrum_workflows.sites.local import sized

    monkeypatch.setattr(dask.system, "CPU_COUNT", cores)
    monkeypatch.setattr(utils, "CPU_COUNT", cores)
    monkeypatch.setattr(distributed.system, "MEMORY_LIMIT", int(gigabytes * 2**30))
    site = load_site("laptop")
    if profile == "plain":
        site = site.model_copy(update={"cluster": site.cluster.model_copy(update={"options": {}})})
        size = sized(site)
        assert size.most <= expected
        assert size.most * size.threads <= max(cores, expected)
        assert size.threads == 1 or size.most * 10**9 <= gigabytes * 2**30
    else:
        assert sized(site).most == expected
        asked = load_site("laptop", changes={"workers.count": 3})
        assert sized(asked).most == 3
