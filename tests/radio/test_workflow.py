"""Whole runs: plans, passes, failures, and the same bits everywhere."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from spectrum_workflows.errors import DataError, PartitionError, SpecError, SpectrumError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.types import Beam, Stop
from spectrum_workflows.specs import parse

from .conftest import spec_of

CUT = {"max_visibilities": 351 * 8 * 2}  # six chunks
CLEAN = {"threshold": 0.02, "max_major": 5}


def run(spec, root, **options):
    return DOMAIN.run(spec, DOMAIN.plan(spec, str(root)), **options)


def same_bits(a, b):
    first, second = DOMAIN.arrays(a), DOMAIN.arrays(b)
    assert first.keys() == second.keys()
    for name, image in first.items():
        assert image.tobytes() == second[name].tobytes(), name


def test_a_plan_knows_what_it_will_read(small):
    plan = DOMAIN.plan(spec_of(partition=CUT), str(small))
    assert len(plan.partitions) == 6
    assert plan.size == 11 * 351 * 8
    assert plan.bytes_to_read == plan.size * 18
    assert plan.largest_memory > 0
    assert not plan.warnings
    assert "times 0:2" in plan.partitions[0].where
    [(url, identity)] = plan.inputs
    assert [url] == DOMAIN.inputs(spec_of(), str(small))
    assert DOMAIN.plan(spec_of(), str(small)).inputs[0][1] == identity


def test_another_set_has_another_identity(small, altered):
    root = altered(lambda table: table.addrows(1))
    identities = {DOMAIN.plan(spec_of(), str(place)).inputs[0][1] for place in (small, root)}
    assert len(identities) == 2


def test_clean_finds_the_sky(small):
    spec = spec_of(weighting={"scheme": "briggs"}, clean=CLEAN)
    result, metrics = run(spec, small)
    for (row, column), flux in {(64, 64): 1.0, (104, 39): 0.5, (54, 109): 0.3}.items():
        assert result.planes[0].image[row, column] == pytest.approx(flux, rel=0.02)
    assert result.groups[0].stop is Stop.THRESHOLD
    assert not metrics.failures
    passes = 1 + 1 + result.groups[0].major
    assert metrics.bytes_read == passes * 11 * 351 * 8 * 18


def test_a_run_without_psf_makes_the_dirty_image_only(small):
    result, metrics = run(spec_of(image={"psf": False}, self_check=False), small)
    assert set(DOMAIN.arrays(result)) == {"dirty"}
    assert result.planes[0].beam is None
    assert result.planes[0].self_check is None
    assert metrics.bytes_read == 11 * 351 * 8 * 18


@pytest.mark.parametrize("scheme", ["natural", "uniform", "briggs"])
def test_serial_and_workers_give_the_same_bits(small, dask_client, scheme):
    spec = spec_of(partition=CUT, weighting={"scheme": scheme}, clean=CLEAN)
    serial, serial_metrics = run(spec, small)
    parallel, parallel_tally = run(spec, small, client=dask_client)
    same_bits(serial, parallel)
    assert serial.planes[0].self_check.error_peak == parallel.planes[0].self_check.error_peak
    assert serial_metrics.bytes_read == parallel_tally.bytes_read


def test_cutting_changes_nothing_but_rounding(small):
    whole, _ = run(spec_of(image={"epsilon": 1e-9}), small)
    cut, _ = run(spec_of(image={"epsilon": 1e-9}, partition={"max_visibilities": 900}), small)
    for name, image in DOMAIN.arrays(whole).items():
        found, _ = DOMAIN.deviation(name, image, DOMAIN.arrays(cut)[name])
        assert found < 1e-9


def test_the_self_check_holds_its_bar(small):
    result, _ = run(spec_of(partition=CUT), small)
    check = result.planes[0].self_check
    assert 0 < check.error_peak <= 3 * check.epsilon
    assert check.pixels == 32
    assert 0.9 * plan_size(small) < check.visibilities <= 65_536
    assert check.cpu_seconds > 0


def plan_size(root):
    return DOMAIN.plan(spec_of(), str(root)).size


def test_self_check_is_on_up_to_1024_pixels():
    assert spec_of(image={"npix": 1024}).checks_itself
    assert not spec_of(image={"npix": 1026}).checks_itself
    assert spec_of(image={"npix": 1026}, self_check=True).checks_itself


def test_a_given_beam_is_used(small):
    beam = {"bmaj_arcsec": 90.0, "bmin_arcsec": 60.0, "bpa_deg": 10.0}
    result, _ = run(spec_of(clean=CLEAN, restore=beam), small)
    assert result.planes[0].beam == Beam(90.0, 60.0, 10.0)
    assert not result.planes[0].beam_fitted


def test_progress_is_reported_per_pass(small):
    seen = []
    run(
        spec_of(partition=CUT, weighting={"scheme": "uniform"}, clean={"max_major": 1}),
        small,
        report=lambda *told: seen.append(told),
    )
    assert [s for s in seen if s[1] == s[2]] == [
        ("weights", 6, 6),
        ("image", 6, 6),
        ("major cycle 1", 6, 6),
    ]


@pytest.fixture
def broken_chunk(altered):
    """A root whose last two times fail to read, and a plan made before that."""
    root = altered()
    spec = spec_of(partition=CUT, weighting={"scheme": "briggs"})
    plan = DOMAIN.plan(spec, str(root))
    last = plan.partitions[-1]
    lost = type(last)(**{**vars(last), "url": str(root / "gone.ms")})
    return spec, replace(plan, partitions=(*plan.partitions[:-1], lost))


def test_a_chunk_that_fails_stops_the_run(broken_chunk):
    spec, plan = broken_chunk
    with pytest.raises(SpectrumError, match=r"gone\.ms"):
        DOMAIN.run(spec, plan)


def test_kept_failures_leave_the_chunk_out_of_every_pass(broken_chunk):
    spec, plan = broken_chunk
    result, metrics = DOMAIN.run(spec.changed(clean={"max_major": 1}), plan, on_error="keep")
    assert [failure.where for failure in metrics.failures] == [plan.partitions[-1].where]
    rest = replace(plan, partitions=plan.partitions[:-1])
    expected, _ = DOMAIN.run(spec.changed(clean={"max_major": 1}), rest)
    np.testing.assert_array_equal(result.planes[0].image, expected.planes[0].image)


def test_nothing_but_failures(broken_chunk):
    spec, plan = broken_chunk
    with pytest.raises(DataError, match="no partition could be computed"):
        DOMAIN.run(spec, replace(plan, partitions=plan.partitions[-1:]), on_error="keep")


@pytest.mark.parametrize("scheme", ["natural", "briggs"])
def test_everything_flagged(altered, scheme):
    root = altered(lambda table: table.putcol("FLAG", np.ones_like(table.getcol("FLAG"))))
    with pytest.raises(DataError, match=r"small\.ms: every visibility is flagged"):
        run(spec_of(weighting={"scheme": scheme}), root)


@pytest.mark.parametrize("scheme", ["natural", "uniform"])
def test_no_weight(altered, scheme):
    root = altered(lambda table: table.putcol("WEIGHT", 0 * table.getcol("WEIGHT")))
    with pytest.raises(DataError, match="no unflagged visibility has a positive weight"):
        run(spec_of(weighting={"scheme": scheme}), root)


def test_a_cell_that_undersamples_is_a_warning(small):
    plan = DOMAIN.plan(spec_of(image={"cell_arcsec": 40.0}), str(small))
    assert len(plan.warnings) == 1
    assert "undersamples the longest baseline: use 2" in plan.warnings[0]


@pytest.mark.parametrize(("scheme", "said"), [("natural", 1), ("uniform", 1), ("briggs", 0)])
def test_robust_without_briggs_is_a_warning(small, scheme, said):
    spec = spec_of(weighting={"scheme": scheme, "robust": 0.5})
    warnings = DOMAIN.plan(spec, str(small)).warnings
    assert len(warnings) == said
    assert all(f"robust = 0.5 changes nothing: weights are {scheme}" in line for line in warnings)


def test_a_cell_beyond_all_baselines(small):
    spec = spec_of(image={"cell_arcsec": 3000.0, "npix": 32}, weighting={"scheme": "uniform"})
    with pytest.raises(DataError, match="all visibilities lie beyond the uv grid"):
        run(spec, small)


def test_an_image_larger_than_memory(small):
    with pytest.raises(SpecError, match=r"image\.npix: .* needs .* GB of memory"):
        DOMAIN.plan(spec_of(image={"npix": 65536, "cell_arcsec": 1.0}), str(small))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": {"cell_arcsec": -1.0}}, "image.cell_arcsec: .*greater than 0"),
        ({"image": {"npix": 101}}, "image.npix: .*multiple of 2"),
        ({"image": {"pixels": 3}}, "unknown key 'image.pixels'; did you mean npix"),
        ({"image": {"npix": 65536, "cell_arcsec": 10.0}}, "beyond the horizon"),
        ({"clean": {"gain": 0.0}}, "clean.gain: .*greater than 0"),
        ({"clean": {"threshold": -0.1}}, "clean.threshold: .*greater than 0"),
        ({"clean": {}, "image": {"psf": False}}, "needs the PSF"),
        ({"restore": {"bmaj_arcsec": 3.0, "bmin_arcsec": 3.0}}, "needs a model"),
        ({"restore": {"bmaj_arcsec": 1.0, "bmin_arcsec": 3.0}, "clean": {}}, "must not exceed"),
        ({"data_set": "small.ms"}, "without its suffix"),
        ({"weighting": {"scheme": "robust"}}, "weighting.scheme: .*'briggs'"),
        ({"partition": {"max_visibilities": 0}}, "greater than 0"),
    ],
)
def test_specs_that_make_no_sense(change, said):
    with pytest.raises(SpecError, match=said) as caught:
        spec_of(**change)
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named():
    with pytest.raises(SpecError, match="missing key 'image'"):
        parse(DOMAIN.spec, {"name": "x", "data_set": "y"}, where="spec.toml")


def test_a_set_deleted_after_planning(small, tmp_path):
    shutil.copytree(small / "small.ms", tmp_path / "small.ms")
    spec = spec_of()
    plan = DOMAIN.plan(spec, str(tmp_path))
    shutil.rmtree(tmp_path / "small.ms")
    with pytest.raises((DataError, PartitionError, FileNotFoundError)):
        DOMAIN.run(spec, plan)


def test_workers_load_no_pictures_and_no_fits():
    code = (
        "import sys, spectrum_workflows.radio.imaging.chunk_tasks;"
        "print(*{'matplotlib', 'astropy', 'distributed'} & sys.modules.keys())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert found.stdout.split() == []


def test_a_run_without_the_front_door_computes_in_one_thread_too(small):
    """A matrix product in two threads has other bits."""
    seen: list[int] = []

    def report(*_: object) -> None:
        seen.extend(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")

    spec = spec_of()
    with threadpool_limits(2):
        DOMAIN.run(spec, DOMAIN.plan(spec, str(small)), report=report)
    assert seen
    assert {*seen} == {1}
