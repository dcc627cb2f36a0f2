"""What an image is the sum of, and how many visibilities it holds: from plain numbers."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from spectrum_workflows.domain import Failure, Metrics
from spectrum_workflows.engine import Run
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import workflow
from spectrum_workflows.radio.imaging.chunk_tasks import Density, add_density, add_images, add_sums
from spectrum_workflows.radio.imaging.imager import (
    LOOSEST,
    PlaneSums,
    Sums,
    loosened,
    normalised,
    visibilities_of,
)
from spectrum_workflows.radio.imaging.preview import preview
from spectrum_workflows.radio.types import (
    ARCSEC,
    Channels,
    Geometry,
    GroupImages,
    Observation,
    Plane,
    PlaneImages,
    Selection,
    Use,
    Visibilities,
)
from spectrum_workflows.radio.weights import UvDensity, Weighting

from .conftest import spec_of

OBSERVATION = Observation("set.ms", "DATA", "VLA", "x", 0, (0.0, 0.0), "ICRS", (), 1000.0, "id")


@dataclass(frozen=True)
class Planned:
    size: int
    where: str = "somewhere"


def run_of(*sizes: int, failed: int = 0) -> Run[Any]:
    """A run that still has chunks of these sizes."""
    failures = (Failure("elsewhere", failed, "lost", 1),) if failed else ()
    metrics = Metrics(failures=failures)
    chunks = tuple(map(Planned, sizes))
    return Run(chunks, None, "keep", lambda *_: None, "radio", metrics=metrics)


def counted(usable: int) -> Weighting:
    """Weights for which the usable visibilities were counted."""
    return Weighting(UvDensity(np.ones((1, 2)), (0.0, 1.0), usable))


SUMS = Sums({}, used=70, unflagged=90, outside=6)


@pytest.mark.parametrize(
    ("weighting", "failed", "expected"),
    [
        (None, 0, Use(planned=100, flagged=10, unusable=14, beyond=0, outside=6)),
        (counted(75), 0, Use(planned=100, flagged=10, unusable=9, beyond=5, outside=6)),
        (counted(75), 1, Use(planned=100, flagged=10, unusable=14, beyond=0, outside=6)),
        (Weighting(taper=1.0), 0, Use(planned=100, flagged=10, unusable=14, beyond=0, outside=6)),
    ],
    ids=["natural", "counted", "counted of lost chunks, too", "taper"],
)
def test_every_visibility_is_used_or_its_absence_explained(weighting, failed, expected) -> None:
    use = workflow.count_use(run_of(60, 40, failed=failed), SUMS, weighting)
    assert use == expected
    assert use.planned - use.flagged - use.unusable - use.beyond - use.outside == SUMS.used


def test_an_image_of_nothing_is_refused_with_its_cause() -> None:
    either = replace(OBSERVATION, selection=Selection(hands="either"))
    workflow.check_weight(1e-30, 1, OBSERVATION)
    with pytest.raises(DataError, match="is flagged, in one of its parallel hands at least"):
        workflow.check_weight(1.0, 0, OBSERVATION)
    with pytest.raises(DataError, match="every visibility is flagged; unflag"):
        workflow.check_weight(1.0, 0, either)
    with pytest.raises(DataError, match="lies outside the chosen uv range"):
        workflow.check_weight(0.0, 5, OBSERVATION, outside=1)
    for nothing in (0.0, float("nan"), -1.0):
        with pytest.raises(DataError, match=r"set\.ms: no unflagged visibility has a positive"):
            workflow.check_weight(nothing, 5, OBSERVATION)


@pytest.mark.parametrize(("weight_sum", "refused"), [(70 * 2.0**-126, True), (1e-30, False)])
def test_a_taper_that_leaves_the_least_weights_alone_is_refused(weight_sum, refused) -> None:
    image = np.zeros((2, 2))
    planes = {
        0: PlaneSums(image, image, 1.0, 70, None),
        1: PlaneSums(image, image, weight_sum, 70, None),
    }
    sums = replace(SUMS, planes=planes)
    workflow.check_taper(spec_of(), sums, OBSERVATION)
    wide = spec_of(weighting={"taper_arcsec": 3000.0})
    if not refused:
        workflow.check_taper(wide, sums, OBSERVATION)
        return
    with pytest.raises(DataError, match=r"a taper of 3000 arcsec leaves .*lower weighting\.taper"):
        workflow.check_taper(wide, sums, OBSERVATION)


def test_a_density_of_no_visibility_on_the_grid_is_refused() -> None:
    spec = spec_of(weighting={"scheme": "uniform", "taper_arcsec": 2.0})
    grid = np.zeros((2, 4))
    empty = Density(grid, 3.0, unflagged=5, usable=4, outside=0)
    with pytest.raises(DataError, match="all visibilities lie beyond the uv grid"):
        workflow.weighting_of(spec, empty, OBSERVATION)
    grid[1, 2] = 3.0
    made = workflow.weighting_of(spec, replace(empty, grid=grid), OBSERVATION)
    assert made.usable == 4
    assert made.taper == 2.0 * ARCSEC
    assert made.density is not None
    assert made.density.coefficients == (0.0, 1.0)


@pytest.mark.parametrize(
    ("weighting", "name", "taper"),
    [
        ({"scheme": "natural"}, "natural", 0.0),
        ({"scheme": "briggs", "robust": -0.5}, "briggs -0.5", 0.0),
        ({"scheme": "uniform", "taper_arcsec": 12.5}, "uniform, taper 12.5 arcsec", 12.5),
    ],
)
def test_weights_are_named_and_natural_ones_are_the_data_s_own(weighting, name, taper) -> None:
    spec = spec_of(weighting=weighting)
    assert workflow.name_of_weights(spec) == name
    assert workflow.taper_of(spec) == taper * ARCSEC
    untouched = workflow.untouched(spec)
    assert (untouched.taper if untouched else 0.0) == taper * ARCSEC


def test_a_given_beam_is_taken_and_one_that_does_not_fit_is_told() -> None:
    flat = PlaneImages(Plane(), np.zeros((128, 128)), 1.0, 1, psf=np.zeros((128, 128)))
    images = GroupImages((flat,))
    given = {"bmaj_arcsec": 30.0, "bmin_arcsec": 20.0, "bpa_deg": 10.0}
    [plane] = workflow.with_beams(spec_of(restore=given, clean={}), images).planes
    assert plane.beam is not None
    assert (plane.beam.bmaj, plane.beam.bmin, plane.beam.bpa) == (30.0, 20.0, 10.0)
    assert not plane.beam_fitted
    without = workflow.with_beams(spec_of(), images)
    assert without.planes[0].beam is None
    assert [line.partition(":")[0] for line in without.errors] == ["no beam"]
    [line] = workflow.with_beams(spec_of(clean={}), images).errors
    assert line.startswith("no beam, and no restored image: ")
    unmade = replace(images, planes=(replace(flat, psf=None),))
    assert workflow.with_beams(spec_of(), unmade).errors == ()


def sums_of(dirty: float, weight: float, psf: float | None = 1.0, used: int = 3) -> PlaneSums:
    image = None if psf is None else np.full((2, 2), psf)
    return PlaneSums(np.full((2, 2), dirty), image, weight, used, None)


def test_planes_are_added_each_to_its_own() -> None:
    a = Sums({0: sums_of(1.0, 2.0), 1: sums_of(5.0, 1.0)}, used=6, unflagged=8, outside=1)
    b = Sums({0: sums_of(2.0, 3.0, None, 4), 2: sums_of(7.0, 0.0)}, used=7, unflagged=9, outside=2)
    both = add_sums(a, b)
    assert (both.used, both.unflagged, both.outside, both.weight_sum) == (13, 17, 3, 6.0)
    assert {n: plane.dirty[0, 0] for n, plane in both.planes.items()} == {0: 3.0, 1: 5.0, 2: 7.0}
    assert {n: plane.used for n, plane in both.planes.items()} == {0: 7, 1: 3, 2: 3}
    assert both.planes[0].psf is None
    images = add_images({0: np.ones(1)}, {0: np.ones(1), 3: np.zeros(1)})
    assert {n: image.tolist() for n, image in images.items()} == {0: [2.0], 3: [0.0]}


def test_images_are_divided_by_their_own_weight_and_left_alone_without() -> None:
    sums = Sums({0: sums_of(8.0, 4.0, 2.0), 1: sums_of(8.0, 0.0, None)}, used=1, unflagged=1)
    made = normalised(sums)
    assert (made.planes[0].dirty[0, 0], made.planes[1].dirty[0, 0]) == (2.0, 8.0)
    assert made.planes[0].psf is not None
    assert made.planes[0].psf[0, 0] == 0.5
    assert made.planes[1].psf is None


def test_densities_are_added_in_all_that_they_count() -> None:
    a, b = (Density(np.full((1, 2), n), n, 10 * n, 100 * n, 1000 * n) for n in (1, 2))
    both = add_density(a, b)
    assert both.grid.tolist() == [[3, 3]]
    assert (both.weight_sum, both.unflagged, both.usable, both.outside) == (3, 30, 300, 3000)


def test_gridding_is_loosened_up_to_a_limit_and_never_tightened() -> None:
    geometry = Geometry(npix=64, cell=ARCSEC, epsilon=1e-5)
    assert loosened(geometry, 10.0).epsilon == pytest.approx(1e-4)
    assert loosened(geometry, 1e6).epsilon == LOOSEST
    assert loosened(geometry, 0.1).epsilon == 1e-5
    coarse = replace(geometry, epsilon=2 * LOOSEST)
    assert loosened(coarse, 10.0).epsilon == 2 * LOOSEST
    assert loosened(geometry, 1.0) == geometry


def test_a_plane_takes_the_channels_whose_centres_it_holds() -> None:
    frequency = np.array([1.0, 2.0, 3.0, 4.0]) * 1e6
    values = np.arange(8, dtype=np.complex64).reshape(2, 4)
    weight = np.arange(8, dtype=np.float32).reshape(2, 4)
    data = Visibilities(np.zeros((2, 3)), frequency, values, weight, unflagged=8)
    own = visibilities_of(Plane(channels=Channels(2e6, 4e6)), data)
    assert own.frequency.tolist() == [2e6, 3e6]
    assert own.visibility.tolist() == [[1, 2], [5, 6]]
    assert own.weight.tolist() == [[1, 2], [5, 6]]
    assert visibilities_of(Plane(), data) is data
    none = visibilities_of(Plane(channels=Channels(9e6, 9.5e6)), data)
    assert none.weight.shape == none.visibility.shape == (2, 0)
    assert Plane(channels=Channels(2e6, 4.5e6)).where == "Stokes I, 2 to 4.5 MHz"
    assert Plane(stokes="Q").where == "Stokes Q"


@pytest.mark.parametrize("cuts", [(30,), (7, 8, 41), (64,)])
@pytest.mark.parametrize("side", [9, 64, 70])
def test_a_preview_of_blocks_is_that_of_the_image(cuts, side) -> None:
    image = np.random.default_rng(1).normal(0, 1, (64, 64))
    edges = [0, *[cut for cut in cuts if cut < 64], 64]
    parts = [preview(image[:, a:b], a, side=side) for a, b in pairwise(edges)]
    together = parts[0]
    for part in parts[1:]:
        together = together + part
    whole = preview(image, side=side)
    np.testing.assert_array_equal(together.strongest, whole.strongest)
    np.testing.assert_array_equal(together.sample, whole.sample)
    step = -(-64 // side)
    squares = image[:step, :step]
    strongest = squares.flat[np.argmax(np.abs(squares))]
    assert whole.strongest[0, 0] == np.float32(strongest)
