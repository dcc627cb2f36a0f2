"""Real services, started once per session and stopped afterwards."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import dask
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import gateway
import slurm


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
def gateway_up(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A Dask Gateway whose clusters are local processes."""
    yield from running(gateway, program, tmp_path_factory.mktemp("gateway"))
