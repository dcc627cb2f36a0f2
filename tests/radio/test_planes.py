"""Several planes: each is, bit for bit, what it would be in a run of its own."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from distributed import Client

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine import Run
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio import DOMAIN, workflow
from spectrum_workflows.radio.deconvolution import Components, minor_cycle, residual_image
from spectrum_workflows.radio.deconvolution.components import none
from spectrum_workflows.radio.deconvolution.minor_cycle import Sources
from spectrum_workflows.radio.deconvolution.search import POINTS
from spectrum_workflows.radio.imaging.imager import visibilities_of
from spectrum_workflows.radio.imaging.residual import local_residual
from spectrum_workflows.radio.plan.planning import plan_planes
from spectrum_workflows.radio.read import describe, read
from spectrum_workflows.radio.strips import planner
from spectrum_workflows.radio.types import Channels, Plane
from spectrum_workflows.record.digest import digest

from .conftest import spec_of

pytestmark = pytest.mark.xdist_group("radio planes")  # what they share is made once

LOWER = Plane(0, Channels(0.0, 1.4139e9))  # four of the eight channels
UPPER = Plane(1, Channels(1.4139e9, 1.5e9))
BASE = {
    "partition": {"max_visibilities": 351 * 8 * 2},
    "weighting": {"scheme": "briggs"},
    "clean": {"threshold": 0.02, "max_major": 2},
}
IMAGES = ("dirty", "psf", "residual", "model", "image")


def plan_of(small, spec, *groups):
    return plan_planes(spec, describe(spec, str(small / "small.ms")), groups)


def same_bits(a, b):
    for name in IMAGES:
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name
    assert replace(a.self_check, cpu_seconds=0) == replace(b.self_check, cpu_seconds=0)
    assert (a.beam, a.weight_sum, a.visibilities) == (b.beam, b.weight_sum, b.visibilities)


@pytest.fixture(scope="module", params=[1, 3], ids=["local", "strips"])
def strips(request):
    return request.param


@pytest.fixture(scope="module")
def two(small, strips):
    """Two channel ranges, independent of each other; with the spec they were made with."""
    spec = spec_of(**BASE, strips={"count": strips})
    plan = plan_of(small, spec, (LOWER,), (UPPER,))
    assert [group.layout is None for group in plan.groups] == [strips == 1] * 2
    return spec, plan, DOMAIN.run(spec, plan)


def test_independent_planes_are_runs_of_their_own(small, two):
    spec, plan, (result, metrics) = two
    assert {chunk.planes for chunk in plan.partitions} == {(0,), (1,)}
    assert sum(chunk.size for chunk in plan.partitions) == 11 * 351 * 8
    assert not metrics.failures
    for number, plane in enumerate((LOWER, UPPER)):
        alone = plan_of(small, spec, (replace(plane, number=0),))
        expected, _ = DOMAIN.run(spec, alone)
        same_bits(result.planes[number], expected.planes[0])
        [group] = expected.groups
        own = result.groups[number]
        for name in ("use", "stop", "major", "iterations", "threshold"):
            assert getattr(own, name) == getattr(group, name), name


def test_workers_make_the_same_planes(two, dask_client: Client):
    spec, plan, (result, metrics) = two
    spread, told = DOMAIN.run(spec, plan, client=dask_client)
    assert digest(DOMAIN.arrays(spread)) == digest(DOMAIN.arrays(result))
    assert [(s.name, s.tasks) for s in told.stages] == [(s.name, s.tasks) for s in metrics.stages]


def test_the_whole_band_is_one_plane(small, strips):
    spec = spec_of(**BASE, strips={"count": strips})
    plan = DOMAIN.plan(spec, str(small))
    assert [group.planes for group in plan.groups] == [(Plane(),)]
    assert plan == plan_of(small, spec, (Plane(),))
    assert {chunk.planes for chunk in plan.partitions} == {(0,)}


def imager_of(spec, plan, planes, check_of=11 * 351 * 8):
    """An imager for some planes of a group, with weights of all its data."""
    [group] = plan.groups
    passes = Run(plan.partitions, None, "raise", lambda *_: None, "radio", 4, Metrics())
    weighting = workflow.weigh(spec, plan.observation, passes)
    return workflow.make_imager(spec, replace(group, planes=planes), passes, weighting, check_of)


@pytest.mark.parametrize("limit", [351 * 8 * 2, 351 * 3])  # or channels cut, too
def test_planes_of_a_group_share_their_visibilities(small, strips, monkeypatch, limit):
    """Sums and residuals of both planes in one pass are those of each in a pass of its own."""
    monkeypatch.setattr(planner, "BLOCK", 50)
    spec = spec_of(**BASE | {"partition": {"max_visibilities": limit}}, strips={"count": strips})
    plan = plan_of(small, spec, (LOWER, UPPER))
    fed = {chunk.planes for chunk in plan.partitions}
    assert fed == ({(0, 1)} if limit > 351 * 4 else {(0,), (0, 1), (1,)})
    model = Components(np.array([40, 64]), np.array([70, 64]), np.array([[0.5, 0.2], [0.9, 0.0]]))
    both = imager_of(spec, plan, (LOWER, UPPER))
    sums = both.sums()
    start, left = both.residual(none(2), 0), both.residual(model, 1)
    active = start.above(0.1, POINTS)
    near = start.around(model, 3.0, POINTS)
    assert sorted(map(tuple, near.position)) == sorted(
        (row + y, column + x)
        for row, column in zip(model.row, model.column, strict=True)
        for y in range(-3, 4)
        for x in range(-3, 4)
        if y * y + x * x <= 9
    )
    whole = np.stack(start.gathered(), axis=-1)
    np.testing.assert_array_equal(near.value, whole[tuple(near.position.T)])
    for number, plane in enumerate((LOWER, UPPER)):
        alone = imager_of(spec, plan, (plane,))
        [own] = alone.sums().planes.values()
        for name in ("dirty", "psf"):
            found = getattr(sums.planes[number], name)
            assert found.tobytes() == getattr(own, name).tobytes(), name
        assert (own.weight_sum, own.used) == (
            sums.planes[number].weight_sum,
            sums.planes[number].used,
        )
        subset = sums.planes[number].sample
        assert subset.visibility.tobytes() == own.sample.visibility.tobytes()
        [expected] = alone.residual(model.plane(number), 1).gathered()
        assert left.gathered()[number].tobytes() == expected.tobytes()
        [expected] = alone.residual(none(1), 0).without(model.plane(number)).gathered()
        assert start.without(model).gathered()[number].tobytes() == expected.tobytes()
        where = tuple(active.position.T)
        values = own.dirty[where].astype(active.value.dtype)
        np.testing.assert_allclose(active.value[:, number], values, atol=1e-6)
        alone.close()
    strongest = np.hypot(*(sums.planes[n].dirty for n in (0, 1)))
    assert start.peak(POINTS) == pytest.approx(strongest.max(), rel=1e-6)
    assert np.count_nonzero(active.strength > 0.1) == np.count_nonzero(strongest > 0.1)
    both.close()


def test_a_plane_of_some_channels_has_those_channels(small):
    [chunk] = plan_of(small, spec_of(), (Plane(),)).partitions
    data = read(chunk)
    assert visibilities_of(Plane(), data) is data
    own = visibilities_of(UPPER, data)
    assert own.frequency.tolist() == data.frequency[4:].tolist()
    np.testing.assert_array_equal(own.visibility, data.visibility[:, 4:])
    nothing = visibilities_of(Plane(0, Channels(1.0, 2.0)), data)
    assert nothing.weight.shape == (len(data.uvw), 0)


def test_a_plane_without_channels_is_refused(small):
    with pytest.raises(SpecError, match="no channel lies in Stokes I, 1 to 2 MHz"):
        plan_of(small, spec_of(), (Plane(0, Channels(1e6, 2e6)),))


def test_components_are_searched_in_both_planes(small):
    """Of two planes that are alike, the components are those of one."""
    dirty = workflow_result(small).planes[0]
    options = {"gain": 0.1, "iterations": 40}
    one, used = minor_cycle.minor_cycle(
        local_residual((dirty.dirty,), (dirty.psf,)), Sources((dirty.psf,)), level=0.0, **options
    )
    psfs = (dirty.psf, dirty.psf)
    same, again = minor_cycle.minor_cycle(
        local_residual((dirty.dirty, dirty.dirty), psfs), Sources(psfs), level=0.0, **options
    )
    assert used == again == 40
    assert (same.row.tolist(), same.column.tolist()) == (one.row.tolist(), one.column.tolist())
    np.testing.assert_array_equal(same.flux, np.hstack([one.flux, one.flux]))


def workflow_result(small):
    spec = spec_of()
    return DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))[0]


def test_strength_of_one_plane_is_its_absolute_value():
    image = np.array([[3.0, -4.0], [0.0, np.nan]])
    np.testing.assert_array_equal(residual_image.strength([image]), np.abs(image))
    both = residual_image.strength([image, np.array([[4.0, 3.0], [1.0, 0.0]])])
    np.testing.assert_array_equal(both, [[5.0, 5.0], [1.0, np.nan]])


def test_planes_are_written_on_their_axes_and_read_back(two, tmp_path):
    _, _, (result, _) = two
    for name, data in DOMAIN.files(result):
        (tmp_path / name).write_bytes(data)
    back, made = DOMAIN.read(str(tmp_path)), DOMAIN.arrays(result)
    for name in IMAGES:
        assert made[name].shape == (1, 2, 128, 128)
        assert back[name].tobytes() == made[name].tobytes()
        for number in (0, 1):
            own = getattr(result.planes[number], name)
            assert made[name][0, number].tobytes() == own.tobytes()
    header = fits.getheader(tmp_path / "image.fits")
    assert header["CRVAL3"] == header["FREQ1"] == pytest.approx(1.406e9)
    assert header["CRVAL3"] + header["CDELT3"] == header["FREQ2"] == pytest.approx(1.422e9)
    assert (header["CTYPE3"], header["CTYPE4"], header["CRVAL4"]) == ("FREQ", "STOKES", 1.0)
    assert header["BMAJ2"] * 3600 == pytest.approx(result.planes[1].beam.bmaj)
    assert header["NVIS1"] + header["NVIS2"] == 11 * 351 * 8
    summary = json.loads(json.dumps(DOMAIN.summary(result)))
    assert [plane["plane"] for plane in summary["planes"]] == [LOWER.where, UPPER.where]
    for _, figure in DOMAIN.pictures(result):
        figure.savefig(io.BytesIO(), format="png")


def test_an_image_that_one_plane_lacks_is_not_a_number_there(two):
    _, _, (result, _) = two
    first, second = result.groups
    lacking = replace(second.planes[0], image=None)
    result = replace(result, groups=(first, replace(second, planes=(lacking,))))
    cube = DOMAIN.arrays(result)["image"]
    assert np.isfinite(cube[0, 0]).all()
    assert np.isnan(cube[0, 1]).all()


def test_planes_that_are_no_grid_are_refused(two):
    _, _, (result, _) = two
    first, second = result.groups
    odd = replace(second.planes[0], plane=replace(UPPER, stokes="Q"))
    result = replace(result, groups=(first, replace(second, planes=(odd,))))
    with pytest.raises(DataError, match="not every Stokes parameter in every range"):
        DOMAIN.arrays(result)


def test_warnings_say_of_which_plane_they_are(two):
    _, _, (result, _) = two
    first, second = result.groups
    zero = replace(second.planes[0], dirty=np.zeros((128, 128)))
    changed = replace(result, groups=(first, replace(second, planes=(zero,))))
    [line] = [line for line in workflow.gate.warnings(changed) if "0 everywhere" in line]
    assert line.startswith(f"{UPPER.where}: ")


def test_a_failure_in_one_group_is_counted_once(two):
    spec, plan, (result, _) = two
    last = plan.partitions[-1]
    lost = replace(last, url=last.url.replace("small.ms", "gone.ms"))
    broken = replace(plan, partitions=(*plan.partitions[:-1], lost))
    found, metrics = DOMAIN.run(spec, broken, on_error="keep")
    assert [failure.where for failure in metrics.failures] == [lost.where]
    same_bits(found.planes[0], result.planes[0])
    assert found.planes[1].visibilities == result.planes[1].visibilities - last.size


def test_outputs_without_clean_need_no_psf(small):
    spec = spec_of(image={"psf": False}, self_check=False)
    plan = plan_of(small, spec, (LOWER,), (UPPER,))
    result, _ = DOMAIN.run(spec, plan)
    assert set(DOMAIN.arrays(result)) == {"dirty"}


def saved_numbers(result):
    """What a record holds of a result."""
    return json.loads(json.dumps(DOMAIN.summary(result))) | {"warnings": list(result.warnings)}


def test_several_planes_come_back_from_their_files(two, tmp_path):
    spec, _, (made, _) = two
    lacking = replace(made.groups[1].planes[0], image=None, beam=None)
    result = replace(made, groups=(made.groups[0], replace(made.groups[1], planes=(lacking,))))
    for name, data in DOMAIN.files(result):
        (tmp_path / name).write_bytes(data)
    again = DOMAIN.load(str(tmp_path), spec, saved_numbers(result))
    assert digest(DOMAIN.arrays(again)) == digest(DOMAIN.arrays(result))
    assert DOMAIN.summary(again) == DOMAIN.summary(result)
    assert [plane.plane for plane in again.planes] == [LOWER, UPPER]
    assert again.planes[1].image is None
    assert again.observation.origin == result.observation.origin == "generated data"
    np.testing.assert_array_equal(DOMAIN.dataset(again).frequency, DOMAIN.dataset(result).frequency)
    for name, data in DOMAIN.files(again):
        assert (tmp_path / name).read_bytes() == data, name


def test_beams_of_several_planes_are_in_a_table(two):
    _, _, (result, _) = two
    files = dict(DOMAIN.files(result))
    with fits.open(io.BytesIO(files["image.fits"])) as hdus:
        hdus.verify("exception")
        assert hdus[0].header["CASAMBM"] is True
        beams = hdus["BEAMS"]
        assert (beams.header["NCHAN"], beams.header["NPOL"]) == (2, 1)
        assert beams.columns["BMAJ"].unit == "arcsec"
        assert [*beams.data["CHAN"]] == [0, 1]
        expected = [plane.beam.bmin for plane in result.planes]
        assert beams.data["BMIN"] == pytest.approx(expected)
    with fits.open(io.BytesIO(files["model.fits"])) as hdus:
        assert len(hdus) == 1
