"""What every test may ask for: shared data, programs, workers."""

import gc
import multiprocessing
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

QUIET = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "500ms",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "2s",
    "DASK_DISTRIBUTED__WORKER__MEMORY__MONITOR_INTERVAL": "500ms",
}
"""Idle Dask processes take a tenth of what they take otherwise, here and in all that are begun."""

os.environ |= QUIET | os.environ  # Dask reads it when it is imported

import spectrum_workflows  # noqa: F401, I001  before NumPy, see `arithmetic`
import distributed.nanny
import distributed.utils
import dask
from distributed import Client, LocalCluster
from hypothesis import HealthCheck, settings

from spectrum_workflows.cli import main
from spectrum_workflows.domain import Metrics

PRELOADED = ("spectrum_workflows", "distributed.nanny", "spectrum_workflows.engine", "awkward")
PRELOADED += ("uproot", "numba", "hist", "ducc0", "spectrum_workflows.hep.domain")
PRELOADED += ("spectrum_workflows.radio.domain",)


def _fork_workers() -> None:
    """Let the workers of clusters in this process be forked from one that has imported already.

    Each would import for a second or two otherwise.  They have the environment of this
    moment, as others have.  What tests start as a process of its own starts its workers as
    anybody's; so do tests that use the fixture `spawned`.
    """
    dask.config.defaults.insert(0, {"distributed": {"worker": {METHOD: "forkserver"}}})
    dask.config.refresh()
    multiprocessing.get_context("forkserver").set_forkserver_preload([*PRELOADED])
    assert hasattr(distributed.utils, "_forkserver_preload_set"), "Dask has another name for it"
    distributed.utils._forkserver_preload_set = True  # or Dask would choose what is imported
    configured = distributed.nanny._get_env_variables

    def variables(key: str) -> dict[str, str]:
        early = configured("distributed.nanny.pre-spawn-environ")
        own = os.environ | early if key == "distributed.nanny.environ" else {}
        return own | configured(key)

    distributed.nanny._get_env_variables = variables


METHOD = "multiprocessing-method"
_fork_workers()

LOADED = [HealthCheck.too_slow]
"""Drawing is slow where other tests take the cores; nothing is said of what is drawn."""
settings.register_profile("house", deadline=None, derandomize=True, suppress_health_check=LOADED)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile("house")


HEP_RUNS = "spectrum_workflows.hep.workflow.histogramming"
CASES = Path(__file__).parent / "cases"
SERVICES = Path(__file__).parent / "services"
BEGUN_EARLY = {"test_notebooks.py", "test_domains.py", "test_same_result.py"}
"""Files with tests of a minute each that share nothing."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real services are begun first, then other groups, then tests that take a minute each.

    A group's tests share what takes long to make, so one process runs them all; a long test
    that is begun last leaves the other processes idle.  The shared cases carry a marker:
    `make cases` runs them, `make test` does not.
    """
    for item in items:
        if CASES in item.path.parents:
            item.add_marker("cases")
    items.sort(
        key=lambda item: (
            item.get_closest_marker("xdist_group") is None,
            SERVICES not in item.path.parents,
            item.path.name not in BEGUN_EARLY,
        )
    )


def pytest_collection_finish() -> None:
    """What is imported and collected stays to the end: the garbage collector need not look."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Results that tests cannot save are not kept among the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


SHARED = Path(__file__).parents[2] / "shared"


def _shared(folder: str) -> Path:
    path = SHARED / folder
    if not path.is_dir() and os.environ.get("CI") == "true":
        pytest.fail(f"CI needs the shared material ({folder}) beside the checkout")
    if not path.is_dir():
        pytest.skip(f"the shared material ({folder}) is not beside this checkout")
    return path


@pytest.fixture(scope="session")
def shared_hep() -> Path:
    """Real and simulated NanoAOD files."""
    return _shared("data/hep")


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Results of the fields' own programs."""
    return _shared("reference")


@pytest.fixture(scope="session")
def shared_radio() -> Path:
    """Real sets of visibilities."""
    return _shared("data/radio")


@pytest.fixture(scope="session")
def unpacked_radio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every shared Measurement Set, unpacked."""
    archives = sorted(_shared("data/radio").glob("*.tar.gz"))
    folder = tmp_path_factory.mktemp("radio")
    for archive in archives:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """``program("wsclean")``: its path; without it the test skips, or fails in CI."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None and os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed; `make services` should have done it")
        if path is None:
            pytest.skip(f"{name} is not installed; `make services` does it")
        return path

    return find


@pytest.fixture(scope="session")
def environment() -> Callable[..., Path]:
    """``environment(folder, without=())``: the Python of one like this, without some libraries."""

    def make(folder: Path, *, without: tuple[str, ...] = ()) -> Path:
        venv.create(folder, symlinks=True)
        [libraries] = folder.glob("lib/python*/site-packages")
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if not entry.name.startswith(without or " "):
                (libraries / entry.name).symlink_to(entry)
        return folder / "bin" / "python"

    return make


@pytest.fixture(scope="session")
def third_science(
    environment: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The Python of an environment in which the example's package is installed."""
    python = environment(tmp_path_factory.mktemp("third_science"))
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    package = Path(__file__).parents[1] / "examples" / "gravitational_waves"
    command = [python, "-m", "pip", "install", "--quiet", *offline, package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return python


@pytest.fixture
def spawned() -> Iterator[None]:
    """Workers start as those of users do: the start is what the test is about."""
    with dask.config.set({f"distributed.worker.{METHOD}": "spawn"}):
        yield


@pytest.fixture(scope="session")
def dask_client() -> Iterator[Client]:
    """Two worker processes of one thread each."""
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(autouse=True)
def selected_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Selections of tests are not tried in a second process, whose start takes seconds.

    Those of tests marked as ``repeats`` or ``cases`` are, as anybody's.
    """
    asked = any(map(request.node.get_closest_marker, ("repeats", "cases")))
    if not asked and HEP_RUNS in sys.modules:
        unwatched = nullcontext(Metrics)
        monkeypatch.setattr(sys.modules[HEP_RUNS], "watched", lambda *_, **__: unwatched)


@pytest.fixture
def spectrum(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Call the command in this process; gives exit code, stdout and stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spectrum", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out, printed.err

    return call
