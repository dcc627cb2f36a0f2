"""A small simulated observation that radio tests share, and ways to change it."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from spectrum_workflows.radio import synthetic
from spectrum_workflows.radio.spec import RadioSpec

SKY = (
    {"name": "centre", "flux_jy": 1.0, "east_arcsec": 0.0, "north_arcsec": 0.0},
    {"name": "north east", "flux_jy": 0.5, "east_arcsec": 200.0, "north_arcsec": 320.0},
    {"name": "west", "flux_jy": 0.3, "east_arcsec": -360.0, "north_arcsec": -80.0},
)


def spec_of(**changes: Any) -> RadioSpec:
    """A 128 × 128 image of the small set, with some values replaced."""
    base = RadioSpec.model_validate(
        {
            "name": "small",
            "data_set": "small",
            "image": {"npix": 128, "cell_arcsec": 8.0},
            "synthetic": {
                "telescope": "vla-d",
                "visibilities": 30_000,
                "channels": 8,
                "sefd_jy": 20.0,
                "sources": SKY,
            },
        }
    )
    return base.changed(**changes)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in `front.run`: with more, BLAS adds up in another order than on workers."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with ``small.ms``: VLA-D, 11 times × 351 baselines × 8 channels."""
    root = tmp_path_factory.mktemp("small")
    synthetic.make(spec_of(), str(root))
    return root


@pytest.fixture
def altered(small: Path, tmp_path: Path) -> Callable[..., Path]:
    """``altered(change)``: a data root with a copy of the set after ``change(table)``."""

    def copy(change: Callable[[Any], None] = lambda table: None) -> Path:
        import casacore.tables as casa

        shutil.copytree(small / "small.ms", tmp_path / "small.ms")
        with casa.table(str(tmp_path / "small.ms"), readonly=False, ack=False) as table:
            change(table)
        return tmp_path

    return copy


def put(table: Any, column: str, values: np.ndarray) -> None:
    """Replace a column."""
    table.putcol(column, values)


@pytest.fixture(scope="session")
def pyuvdata(program: Callable[[str], str]) -> Callable[..., None]:
    """``pyuvdata(ms, name, *files)``: run `with_pyuvdata.py` in the environment that has it."""
    here = Path(__file__)
    python = program(str(here.parents[2] / ".venv-pyuvdata" / "bin" / "python"))

    def run(*arguments: Path) -> None:
        command = [python, here.with_name("with_pyuvdata.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run
