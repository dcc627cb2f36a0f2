from dataclasses import replace

import numpy as np
import pytest

from spectrum_workflows import radio
from spectrum_workflows.radio import DOMAIN, weights
from spectrum_workflows.radio.plan.planning import geometry_of
from spectrum_workflows.radio.read import read
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT, Geometry, Visibilities

from .conftest import spec_of

GEOMETRY = Geometry(npix=64, cell=30 * ARCSEC, epsilon=1e-4)


def visibilities(uvw, weight=None):
    uvw = np.atleast_2d(np.asarray(uvw, float))
    shape = (len(uvw), 1)
    return Visibilities(
        uvw=uvw,
        frequency=np.array([SPEED_OF_LIGHT]),  # metres are wavelengths
        visibility=np.ones(shape, np.complex64),
        weight=np.ones(shape, np.float32) if weight is None else np.float32(weight)[:, None],
        unflagged=len(uvw),
    )


@pytest.fixture
def scattered():
    rng = np.random.default_rng(4)
    uvw = rng.normal(0, 600, (3000, 3))
    return visibilities(uvw, rng.uniform(0.5, 2, 3000))


@pytest.mark.parametrize(("npix", "side"), [(512, 616), (1024, 1232), (500, 600), (4096, 4916)])
def test_density_grid_is_the_padded_image(npix, side):
    assert weights.density_side(npix) == side


def test_opposite_baselines_share_a_cell(scattered):
    mirrored = replace(scattered, uvw=-scattered.uvw)
    np.testing.assert_array_equal(
        weights.density(scattered, GEOMETRY), weights.density(mirrored, GEOMETRY)
    )


def test_cells_are_rounded_down():
    side = weights.density_side(GEOMETRY.npix)
    width = 1 / (side * GEOMETRY.cell)
    grid = weights.density(visibilities([[-0.5 * width, 1.9 * width, 0]]), GEOMETRY)
    assert grid[1, side // 2 - 1] == 1
    assert grid.sum() == 1


def test_density_adds_up_over_any_cut(scattered):
    halves = [
        replace(scattered, uvw=scattered.uvw[s], weight=scattered.weight[s])
        for s in (slice(0, 1000), slice(1000, None))
    ]
    whole = weights.density(scattered, GEOMETRY)
    np.testing.assert_allclose(sum(weights.density(h, GEOMETRY) for h in halves), whole)


def test_uniform_weights_fill_every_cell_alike(scattered):
    grid = weights.density(scattered, GEOMETRY)
    made = weights.weighted(scattered, GEOMETRY, grid, weights.robustness("uniform", 0.0, grid))
    filled = weights.density(made, GEOMETRY)
    np.testing.assert_allclose(filled[grid > 0], 1.0, rtol=1e-5)


@pytest.mark.parametrize(("robust", "like"), [(5.0, "natural"), (-5.0, "uniform")])
def test_briggs_goes_from_uniform_to_natural(scattered, robust, like):
    grid = weights.density(scattered, GEOMETRY)
    made = weights.weighted(
        scattered, GEOMETRY, grid, weights.robustness("briggs", robust, grid)
    ).weight
    if like == "natural":
        expected = scattered.weight
    else:
        expected = weights.weighted(scattered, GEOMETRY, grid, (0.0, 1.0)).weight
    usable = expected > 0
    ratio = made[usable] / expected[usable]
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, rtol=1e-3)


def test_briggs_formula_in_one_cell():
    data = visibilities([[10.0, 10.0, 0], [10.5, 10.5, 0], [500.0, 20.0, 0]], [2.0, 1.0, 4.0])
    grid = weights.density(data, GEOMETRY)
    a, b = weights.robustness("briggs", 0.5, grid)
    scale = (5 * 10**-0.5) ** 2 / ((3.0**2 + 4.0**2) / 7.0)
    made = weights.weighted(data, GEOMETRY, grid, (a, b)).weight[:, 0]
    expected = [2 / (1 + 3 * scale), 1 / (1 + 3 * scale), 4 / (1 + 4 * scale)]
    np.testing.assert_allclose(made, expected, rtol=1e-6)


def test_beyond_the_grid_there_is_no_weight():
    beyond = 1 / (2 * GEOMETRY.cell) + 100
    data = visibilities([[beyond, 0.0, 0], [0.0, beyond, 0], [5.0, 5.0, 0]])
    grid = weights.density(data, GEOMETRY)
    made = weights.weighted(data, GEOMETRY, grid, (0.0, 1.0)).weight[:, 0]
    assert made.tolist() == [0, 0, 1]


def at_cells(*cells):
    """One visibility in the middle of each cell, counted from u = v = 0."""
    width = 1 / (weights.density_side(GEOMETRY.npix) * GEOMETRY.cell)
    return [[(x + 0.5) * width, (y + 0.5) * width, 0.0] for x, y in cells]


def test_the_outermost_cells_belong_to_the_grid_and_the_next_do_not():
    side = weights.density_side(GEOMETRY.npix)
    half = weights.density(visibilities([[1.0, 1.0, 0]]), GEOMETRY).shape[0]
    first, last = -(side // 2), side - 1 - side // 2
    inside = [(first, 1), (last, 1), (3, half - 1)]
    outside = [(first - 1, 2), (last + 1, 2), (5, half)]
    data = visibilities(at_cells(*inside, *outside))
    grid = weights.density(data, GEOMETRY)
    assert [grid[y, x + side // 2] for x, y in inside] == [1, 1, 1]
    assert grid.sum() == 3
    made = weights.weighted(data, GEOMETRY, grid, (0.0, 1.0)).weight[:, 0]
    assert made.tolist() == [1, 1, 1, 0, 0, 0]


def test_a_baseline_along_u_stays_on_its_side():
    side = weights.density_side(GEOMETRY.npix)
    width = 1 / (side * GEOMETRY.cell)
    data = visibilities([[10.3 * width, 0.0, 0], [-7.3 * width, 0.0, 0]], [2.0, 3.0])
    grid = weights.density(data, GEOMETRY)
    assert grid[0, side // 2 + 10] == 2
    assert grid[0, side // 2 - 8] == 3
    made = weights.weighted(data, GEOMETRY, grid, (0.0, 1.0)).weight[:, 0]
    assert made.tolist() == [1, 1]


def test_what_has_no_weight_gets_none_where_nothing_else_lies():
    data = visibilities(at_cells((3, 3), (9, 9), (12, 12)), [0.0, -1.0, 2.0])
    grid = weights.density(data, GEOMETRY)
    assert grid.sum() == 2
    made = weights.weighted(data, GEOMETRY, grid, (0.0, 1.0)).weight[:, 0]
    assert made.tolist() == [0, 0, 1]


def test_briggs_of_nothing_divides_by_nothing():
    assert weights.robustness("briggs", 0.0, np.zeros((2, 4))) == (1.0, 0.0)


def test_natural_weights_have_no_density():
    with pytest.raises(ValueError, match="'natural' does not weight by the density"):
        weights.robustness("natural", 0.0, np.ones((2, 4)))


# Tapers


def test_a_taper_gives_no_weight_to_what_has_none():
    """And takes none away: however long the baseline, it counts."""
    data = visibilities([[0, 0, 0], [0, 0, 9e4], [30, -40, 0], [9e5, 0, 0]], [0.0, 0.5, 3.0, 1.0])
    width = 0.01
    made = weights.tapered(data, width).weight[:, 0]
    at_50 = np.exp(-np.square(np.pi * width * 50) / (4 * np.log(2)))
    assert made[:3] == pytest.approx([0.0, 0.5, 3.0 * at_50], rel=1e-6)
    assert made[0] == 0
    assert made[3] > 0
    assert made.dtype == np.float32


def direct(data, weight, offsets):
    """The dirty image at some directions (l, m), by the definition, over the sum of weights."""
    scale = data.frequency / SPEED_OF_LIGHT
    u, v, w = (np.outer(data.uvw[:, k], scale) for k in range(3))
    values = []
    for east, north in offsets:
        depth = np.sqrt(1 - east**2 - north**2) - 1
        turn = np.exp(-2j * np.pi * (u * east + v * north + w * depth))
        values.append((weight * (data.visibility * turn).real).sum() / weight.sum())
    return np.array(values)


@pytest.mark.parametrize("scheme", ["natural", "briggs"])
@pytest.mark.parametrize("strips", [1, 3])
def test_a_tapered_image_is_a_direct_sum_with_tapered_weights(small, scheme, strips):
    """The taper multiplies the weights after Briggs', whose density is of the data's own."""
    asked = {"scheme": scheme, "robust": 0.3, "taper_arcsec": 60.0}
    spec = spec_of(weighting=asked, strips={"count": strips}, image={"epsilon": 1e-7})
    plan = DOMAIN.plan(spec, str(small))
    [plane] = DOMAIN.run(spec, plan)[0].planes
    [chunk] = plan.partitions
    data, geometry = read(chunk), geometry_of(spec)
    weight = data.weight.astype(np.float64)
    if scheme == "briggs":
        grid = weights.density(data, geometry)
        factors = weights.robustness("briggs", 0.3, grid)
        weight = weights.weighted(data, geometry, grid, factors).weight.astype(np.float64)
    q = np.hypot(data.uvw[:, 0], data.uvw[:, 1])[:, None] * data.frequency / SPEED_OF_LIGHT
    sigma = 60.0 * ARCSEC / np.sqrt(8 * np.log(2))  # of the Gaussian in the image
    weight *= np.exp(-2 * (np.pi * sigma * q) ** 2)
    pixels = [(64, 64), (70, 31), (104, 39), (10, 120)]
    offsets = [((64 - x) * geometry.cell, (y - 64) * geometry.cell) for y, x in pixels]
    found = np.array([plane.dirty[at] for at in pixels])
    assert found == pytest.approx(direct(data, weight, offsets), abs=2e-6)
    assert plane.weight_sum == pytest.approx(weight.sum(), rel=1e-5)


def test_a_taper_widens_the_beam_and_loses_no_visibility(small):
    beams, used = [], []
    for taper in (None, 60.0, 2_000.0):
        spec = spec_of(weighting={"taper_arcsec": taper})
        result, _ = DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))
        [plane] = result.planes
        beams.append(plane.beam.bmaj if plane.beam else np.inf)
        used.append(plane.visibilities)
        assert result.groups[0].use.beyond == 0
    assert beams[1] > 1.1 * beams[0]
    assert len(set(used)) == 1
    assert result.weighting == "natural, taper 2000 arcsec"


def test_the_library_tapers_as_the_workflow_does(small):
    vis = radio.open(small / "small.ms")
    image = {"npix": 128, "cell": 8.0, "weighting": "briggs", "robust": 0.3}
    spec = spec_of(weighting={"scheme": "briggs", "robust": 0.3, "taper_arcsec": 60.0})
    [plane] = DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))[0].planes
    found = radio.image(vis, **image, taper=60.0).SKY_DIRTY.squeeze().transpose("m", "l")
    np.testing.assert_allclose(found, plane.dirty, atol=1e-6)
    ratio = radio.imaging_weights(vis, **image, taper=60.0) / radio.imaging_weights(vis, **image)
    assert 0 < float(ratio.min()) < 0.9
    assert float(ratio.max()) <= 1
