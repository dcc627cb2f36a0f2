"""Real services, started once per session and stopped afterwards."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import dask
import pytest

from spectrum_workflows import connect, load_site
from spectrum_workflows.sites import Place

sys.path.insert(0, str(Path(__file__).parent))
import ceph
import condor
import datastore
import gateway
import https
import rclone
import slurm
import workload
import xrootd


def running(
    service: ModuleType, program: Callable[[str], str], folder: Path
) -> Iterator[dict[str, str]]:
    """Start a service, put what its clients need into the environment, stop it."""
    for name in service.PROGRAMS:
        program(name)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
            environment = service.up(folder / "service")
            for name, value in environment.items():
                patch.setenv(name, value)
            dask.config.refresh()  # it has read the environment when it was imported
            yield environment
    finally:
        service.down(folder / "service")
        dask.config.refresh()


@pytest.fixture(scope="session")
def slurm_up(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A SLURM of two nodes; afterwards its queue must be empty."""
    yield from running(slurm, program, tmp_path_factory.mktemp("slurm"))


@pytest.fixture(scope="session")
def htcondor_up(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """An HTCondor pool of one machine; afterwards its queue must be empty.

    Not everywhere is there a package of it: where there can be none, tests skip in CI, too.
    """
    if reason := condor.obstacle():
        pytest.skip(reason)
    yield from running(condor, program, tmp_path_factory.mktemp("htcondor"))


@pytest.fixture(scope="session")
def gateway_up(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A Dask Gateway whose clusters are local processes."""
    yield from running(gateway, program, tmp_path_factory.mktemp("gateway"))


@contextmanager
def serving(service: ModuleType, program: Callable[[str], str]) -> Iterator[datastore.Store]:
    """A store whose programs are installed."""
    for name in service.PROGRAMS:
        program(name)
    with datastore.running(service) as running:
        yield running


@pytest.fixture(scope="session")
def ceph_up(program: Callable[[str], str]) -> Iterator[datastore.Store]:
    """S3 as Ceph speaks it."""
    with serving(ceph, program) as running:
        yield running


@pytest.fixture(scope="session")
def rclone_up(program: Callable[[str], str]) -> Iterator[datastore.Store]:
    """S3 as rclone speaks it."""
    with serving(rclone, program) as running:
        yield running


@pytest.fixture(scope="session")
def xrootd_up(program: Callable[[str], str]) -> Iterator[datastore.Store]:
    """An XRootD server."""
    with serving(xrootd, program) as running:
        yield running


@pytest.fixture(scope="session")
def https_up(program: Callable[[str], str]) -> Iterator[datastore.Store]:
    """An nginx with a certificate of its own authority."""
    with serving(https, program) as running:
        yield running


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data of `workload.spec`."""
    folder = tmp_path_factory.mktemp("made")
    workload.make(folder)
    return folder


@pytest.fixture(scope="session")
def digest(made: Path) -> str:
    """What every run over it must give."""
    return workload.reference(made)


@pytest.fixture(scope="session")
def laptop() -> Iterator[Place]:
    """Two worker processes, for all tests of stores."""
    with connect(load_site("laptop", changes={"cluster.n_workers": 2})) as place:
        yield place


@pytest.fixture
def store(request: pytest.FixtureRequest, made: Path) -> datastore.Store:
    """The running store that a test is parametrised with, with the data in it."""
    running: datastore.Store = request.getfixturevalue(f"{request.param}_up")
    running.fill(made)
    return running
