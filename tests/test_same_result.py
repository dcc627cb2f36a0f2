"""One digest for serial and for three, two and one workers, in both sciences."""

import time
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from spectrum_workflows import load_site, load_spec, make_data, run, shipped
from spectrum_workflows.record import Outcome
from spectrum_workflows.sites import Place

WORKFLOWS = shipped.folder("workflows")
REFERENCE = Path(__file__).parent / "reference"


def at(data: Path, client: Client | None = None) -> Place:
    return Place(load_site("serial"), str(data), str(data), client=client)


@pytest.fixture
def generated(tmp_path: Path) -> tuple[Any, Path]:
    """Two samples of forty clusters each."""
    spec = load_spec(WORKFLOWS / "hep/dimuon.toml").changed(
        synthetic={"events": 40_000, "cluster_events": 1_000}, partition={"max_events": 2_000}
    )
    make_data(spec, at(tmp_path))
    return spec, tmp_path


@pytest.fixture
def real(shared_hep: Path) -> tuple[Any, Path]:
    return load_spec(REFERENCE / "hep_ttbar.toml").changed(partition={"max_events": 59}), shared_hep


@pytest.fixture
def radio(tmp_path: Path) -> tuple[Any, Path]:
    spec = load_spec(WORKFLOWS / "radio/vla_sim.toml").changed(
        image={"npix": 256},
        partition={"max_visibilities": 8_000},
        clean={"max_major": 1},
        synthetic={"visibilities": 60_000},
    )
    make_data(spec, at(tmp_path))
    return spec, tmp_path


def test_generated_data(generated, radio) -> None:
    hep, image = same_digest([generated, radio])
    assert len(hep.plan.partitions) >= 20
    assert len(image.plan.partitions) >= 6


def test_real_data(real) -> None:
    [outcome] = same_digest([real], numbers=(3, 1))
    assert len(outcome.plan.partitions) == 17
    assert outcome.summary["counts"] == {"4j1b": 35, "4j2b": 73}


def same_digest(
    cases: list[tuple[Any, Path]], numbers: tuple[int, ...] = (3, 2, 1)
) -> list[Outcome]:
    """Run every case without a cluster, and on these numbers of workers."""
    serial = [run(spec, at(data)) for spec, data in cases]
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=3, **options) as cluster, Client(cluster) as client:
        for workers in numbers:
            cluster.scale(workers)
            deadline = time.monotonic() + 60
            while len(client.nthreads()) != workers:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            found = [run(spec, at(data, client)) for spec, data in cases]
            assert [o.workers for o in found] == [workers] * len(cases)
            assert [o.digest for o in found] == [o.digest for o in serial]
    return serial
