"""Whole runs in strips: the same image, the same bits everywhere, failures and lost workers."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster

from spectrum_workflows.engine import Run
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.deconvolution import residual_image
from spectrum_workflows.radio.imaging import strip_tasks
from spectrum_workflows.radio.imaging.strips import shuffle_into_strips
from spectrum_workflows.radio.plan import planning
from spectrum_workflows.radio.read import coordinates, read
from spectrum_workflows.radio.strips import planner
from spectrum_workflows.radio.types import Plane
from spectrum_workflows.record.digest import digest

from .conftest import put, spec_of

pytestmark = pytest.mark.xdist_group("radio strip workflow")  # what they share is made once

CUT = {"max_visibilities": 351 * 8 * 2}  # six chunks
THREE = {
    "partition": CUT,
    "strips": {"count": 3},
    "weighting": {"scheme": "briggs"},
    "clean": {"threshold": 0.02, "max_major": 2},
}
LOCAL = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}


def run(spec, root, **options):
    return DOMAIN.run(spec, DOMAIN.plan(spec, str(root)), **options)


@pytest.fixture(scope="module")
def serial(small: Path):
    return run(spec_of(**THREE), small)


def digest_of(result) -> str:
    return digest(DOMAIN.arrays(result))


def test_small_images_are_made_as_before(small: Path):
    assert DOMAIN.plan(spec_of(partition=CUT), str(small)).groups[0].layout is None
    assert DOMAIN.plan(spec_of(strips={"count": 1}), str(small)).groups[0].layout is None


def test_the_plan_holds_the_strips(small: Path):
    plan = DOMAIN.plan(spec_of(**THREE), str(small))
    assert len(plan.groups[0].layout.strips) == 3
    assert sum(strip.size for strip in plan.groups[0].layout.strips) == plan.size
    assert "strip 1 of 3 (|u| 0 to " in plan.groups[0].layout.strips[0].where
    assert DOMAIN.plan(spec_of(**THREE), str(small)).groups[0].layout == plan.groups[0].layout


def test_workers_look_at_the_data(small: Path, dask_client: Client):
    seen = []
    spec = spec_of(**THREE)
    found = DOMAIN.plan(spec, str(small), client=dask_client, report=lambda *a: seen.append(a))
    assert found == DOMAIN.plan(spec, str(small))
    assert seen[-1] == ("look", 6, 6)


def test_a_preflight_looks_at_few_coordinates(small: Path, monkeypatch: pytest.MonkeyPatch):
    looked = []
    monkeypatch.setattr(planning, "coordinates", lambda s: looked.append(s) or coordinates(s))
    DOMAIN.plan(spec_of(**THREE), str(small), preflight=True)
    assert len(looked) == 3


def test_strips_and_chunks_make_the_same_image(small: Path, serial):
    whole, _ = run(spec_of(**{**THREE, "strips": {"count": 1}}), small)
    result, _ = serial
    for name, image in DOMAIN.arrays(whole).items():
        if name != "residual":
            found, _ = DOMAIN.deviation(name, image, DOMAIN.arrays(result)[name])
            assert found < 1e-4, name
    [plane], [expected] = result.planes, whole.planes
    assert np.abs(plane.residual - expected.residual).max() < 1e-4 * expected.dirty.max()
    assert (plane.visibilities, result.groups[0].major) == (
        expected.visibilities,
        whole.groups[0].major,
    )
    assert plane.weight_sum == pytest.approx(expected.weight_sum, rel=1e-6)


def test_the_self_check_is_of_the_strips(serial):
    check = serial[0].planes[0].self_check
    assert 0 < check.error_peak <= 3 * check.epsilon
    assert check.visibilities > 25_000


def test_two_workers_give_the_same_bits(small: Path, dask_client: Client, serial):
    result, metrics = run(spec_of(**THREE), small, client=dask_client)
    assert digest_of(result) == digest_of(serial[0])
    assert result.planes[0].self_check.error_peak == serial[0].planes[0].self_check.error_peak
    assert metrics.bytes_read == serial[1].bytes_read
    alike = [(s.name, s.tasks) for s in serial[1].stages]
    assert [(s.name, s.tasks) for s in metrics.stages] == alike


@pytest.mark.parametrize(
    "more", [{}, {"scales": [60.0, 480.0], "local_rms": 8.0, "threshold": None}]
)
def test_blocks_of_columns_make_the_same_image(
    small: Path, dask_client: Client, monkeypatch, more: dict
):
    """Peaks, sidelobes and major cycles by blocks: as in one block, and the same on workers."""
    changes = {**THREE, "clean": {**THREE["clean"], "sigma": 3.0, **more}}
    one, _ = run(spec_of(**changes), small)
    monkeypatch.setattr(planner, "BLOCK", 30)
    result, _ = run(spec_of(**changes), small)
    assert len(DOMAIN.plan(spec_of(**changes), str(small)).groups[0].layout.blocks) > 3
    for name, image in DOMAIN.arrays(one).items():
        found = np.abs(image - DOMAIN.arrays(result)[name]).max()
        assert found < 1e-5 * one.planes[0].dirty.max(), name
    spread, _ = run(spec_of(**changes), small, client=dask_client)
    assert digest_of(spread) == digest_of(result)


def set_spare(count: int) -> None:
    residual_image.SPARE = count


def test_sidelobes_are_subtracted_on_workers_too(small: Path, monkeypatch):
    """Where too many pixels lie near the level: the same bits as without workers."""
    monkeypatch.setattr(planner, "BLOCK", 30)
    monkeypatch.setattr(residual_image, "SPARE", 20)
    expected, metrics = run(spec_of(**THREE), small)
    stages = [stage.name for stage in metrics.stages]
    assert stages.count("psf transform") == stages.count("minor cycle 1") == 1
    with LocalCluster(n_workers=2, **LOCAL) as cluster, Client(cluster) as client:
        client.run(set_spare, 20)
        result, told = run(spec_of(**THREE), small, client=client)
    assert digest_of(result) == digest_of(expected)
    assert [(s.name, s.tasks) for s in told.stages] == [(s.name, s.tasks) for s in metrics.stages]


@pytest.mark.parametrize("workers", [1, 3])
def test_so_do_one_and_three(small: Path, serial, workers: int):
    with LocalCluster(n_workers=workers, processes=False, **LOCAL) as c, Client(c) as client:
        result, _ = run(spec_of(**THREE), small, client=client)
    assert digest_of(result) == digest_of(serial[0])


@pytest.mark.parametrize(
    ("block", "when"),
    [pytest.param(1024, "minor cycle 1", marks=pytest.mark.long), (30, "minor cycle 2")],
)
def test_a_worker_that_is_lost_changes_nothing(small: Path, monkeypatch, block: int, when: str):
    """Its strips are cut again; in a minor cycle, its blocks and bands are made again too."""
    monkeypatch.setattr(planner, "BLOCK", block)
    spec = spec_of(**THREE)
    expected, _ = run(spec, small)
    with LocalCluster(n_workers=2, **LOCAL) as cluster, Client(cluster) as client:
        pids = [*client.run(os.getpid).values()]

        def kill_once(stage: str, done: int, total: int) -> None:
            if stage == when and done == total and pids:
                os.kill(pids.pop(), signal.SIGKILL)
                pids.clear()

        result, _ = run(spec, small, client=client, report=kill_once)
    assert not pids
    assert digest_of(result) == digest_of(expected)


def test_a_strip_that_is_cut_again_from_other_data_is_refused(small: Path):
    """As where a chunk that could be read at first cannot be any more."""
    plan = DOMAIN.plan(spec_of(**THREE), str(small))
    state = Run(plan.partitions[:-1], None, "raise", lambda *_: None, "radio", 4)
    strip = plan.groups[0].layout.strips[1]
    data = list(shuffle_into_strips(state, plan.groups[0].layout, None))[strip.number]
    with pytest.raises(DataError, match=r"strip 2 of 3 .* cut again, the strip has other data"):
        strip_tasks.dirty_pieces(
            strip, data, {strip.number: 1.0}, (Plane(),), plan.groups[0].layout
        )


def test_data_are_read_once_besides_the_weights(serial, small: Path):
    """However many major cycles there are."""
    result, metrics = serial
    assert result.groups[0].major == 2
    assert metrics.bytes_read == 2 * DOMAIN.plan(spec_of(**THREE), str(small)).bytes_to_read


def test_flagged_data_and_kept_failures(altered):
    """A chunk that cannot be read is left out of the strips, and said to be."""
    root = altered(lambda table: put(table, "FLAG", flagged(table.getcol("FLAG"))))
    spec = spec_of(**THREE)
    plan = DOMAIN.plan(spec, str(root))
    lost = type(plan.partitions[0])(**{**vars(plan.partitions[-1]), "url": str(root / "gone.ms")})
    broken = replace(plan, partitions=(*plan.partitions[:-1], lost))
    result, metrics = DOMAIN.run(spec, broken, on_error="keep")
    rest = replace(plan, partitions=plan.partitions[:-1])
    expected, _ = DOMAIN.run(spec, rest)
    assert [failure.where for failure in metrics.failures] == [lost.where]
    assert digest_of(result) == digest_of(expected)
    assert result.planes[0].visibilities < 0.8 * plan.size


def flagged(flags: np.ndarray) -> np.ndarray:
    flags[::7] = True
    return flags


def test_everything_flagged(altered):
    root = altered(lambda table: put(table, "FLAG", np.ones_like(table.getcol("FLAG"))))
    with pytest.raises(DataError, match=r"small\.ms: every visibility is flagged"):
        run(spec_of(strips={"count": 3}), root)


def test_a_set_that_changed_after_planning(altered, small: Path):
    root = altered(lambda table: put(table, "UVW", 1.1 * table.getcol("UVW")))
    plan = DOMAIN.plan(spec_of(**THREE), str(small))
    moved = [type(p)(**{**vars(p), "url": str(root / "small.ms")}) for p in plan.partitions]
    with pytest.raises(DataError, match="has changed since the run was planned"):
        DOMAIN.run(spec_of(**THREE), replace(plan, partitions=tuple(moved)))


def test_progress_names_every_stage(small: Path):
    seen = []
    spec = spec_of(**{**THREE, "clean": {"max_major": 1}})
    run(spec, small, report=lambda *told: seen.append(told))
    assert [told for told in seen if told[1] == told[2]] == [
        ("weights", 6, 6),
        ("strips", 6, 6),
        ("counts", 3, 3),
        ("image", 3, 3),
        ("psf", 3, 3),
        *[("minor cycle 1", 1, 1)] * 2,  # its peak, its pixels
        ("major cycle 1", 3, 3),
        ("minor cycle 2", 1, 1),
    ]


def test_strips_beyond_the_horizon(small: Path):
    spec = spec_of(image={"cell_arcsec": 2200.0}, strips={"count": 3})
    for preflight in (True, False):
        with pytest.raises(SpecError, match=r"strips\.count: .*horizon.*use 1"):
            DOMAIN.plan(spec, str(small), preflight=preflight)


@pytest.mark.parametrize("count", [0, 257, "many"])
def test_counts_that_make_no_sense(count):
    with pytest.raises(SpecError, match=r"strips\.count"):
        spec_of(strips={"count": count})


def test_coordinates_are_those_of_the_visibilities(altered):
    root = altered(lambda table: put(table, "UVW", damaged(table.getcol("UVW"))))
    shutil.copytree(root / "small.ms", root / "small.other")
    for chunk in DOMAIN.plan(spec_of(partition=CUT), str(root)).partitions[:2]:
        uvw, frequency = coordinates(chunk)
        data = read(chunk)
        assert frequency.tolist() == data.frequency.tolist()
        assert sorted(map(tuple, uvw)) == sorted(map(tuple, data.uvw))
        other = type(chunk)(**{**vars(chunk), "url": str(root / "small.other")})
        assert sorted(map(tuple, coordinates(other)[0])) == sorted(map(tuple, uvw))


def damaged(uvw: np.ndarray) -> np.ndarray:
    uvw[5] = np.nan
    return uvw
