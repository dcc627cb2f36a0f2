"""Radio images against WSClean 3.1 and CASA, and against the simulated truth.

Where the numbers come from: ``../shared/reference/README.md``.
"""

import json
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.deconvolution import Components, components
from spectrum_workflows.radio.deconvolution.restoration import restored
from spectrum_workflows.radio.imaging.beam import draw_beam
from spectrum_workflows.radio.imaging.self_check import Sample, direct_sum
from spectrum_workflows.radio.read import read
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT, Beam, Geometry
from spectrum_workflows.specs import parse

pytestmark = pytest.mark.xdist_group("reference radio reference")  # what they share is made once

HERE = Path(__file__).parent
BOX = np.s_[5:61, 400:506]  # away from all sources

# name: column, row, flux in Jy; sources on pixel centres (sim_truth.json)
ON_GRID = {
    "P0_centre": (256, 256, 1.0),
    "P1_ongrid_inner": (300, 280, 0.5),
    "P2_ongrid_corner": (460, 440, 0.8),
    "P3_ongrid_edge": (40, 256, 0.4),
}

DIRTY = "simulated VLA-C field, dirty image"
CLEANED = "the same, CLEAN to 5 mJy, Briggs 0"
WORST = "largest of any pixel, of the peak"

# bmaj, bmin in arcsec (key_numbers.json)
BEAMS = {
    "natural": {"WSClean": (85.4876, 74.9528), "CASA": (75.4870, 70.2864)},
    "uniform": {"WSClean": (45.1560, 43.5794), "CASA": (48.6273, 43.9179)},
    "briggs": {"WSClean": (48.1819, 46.2389), "CASA": (51.7304, 47.0991)},
}


def spec_of(name, **changes):
    table = tomllib.loads((HERE / f"{name}.toml").read_text())
    return parse(DOMAIN.spec, table, where=name).changed(**changes)


@cache
def imaged(root, name, scheme, data_set=None):
    spec = spec_of(name, weighting={"scheme": scheme})
    spec = spec.changed(data_set=data_set or spec.data_set)
    return DOMAIN.run(spec, DOMAIN.plan(spec, str(root)))[0]


@pytest.fixture(scope="session")
def wsclean(shared_reference):
    """``wsclean(name)``: image and header of one of the reference FITS files."""

    def load(name):
        with fits.open(shared_reference / "radio" / f"wsclean_{name}.fits.gz") as hdus:
            return hdus[0].data[0, 0].astype(np.float64), dict(hdus[0].header)

    return load


@pytest.fixture(scope="session")
def cleaned(unpacked_radio):
    return imaged(unpacked_radio, "radio_clean_briggs", "briggs")


@pytest.fixture(scope="session")
def j1008(unpacked_radio):
    return imaged(unpacked_radio, "radio_j1008", "natural")


def worst(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize(
    ("scheme", "file", "allowed"),
    [("natural", "natural", 1e-5), ("briggs", "briggs0", 2e-4), ("uniform", "uniform", 2e-3)],
)
def test_dirty_images(unpacked_radio, wsclean, agrees, scheme, file, allowed):
    ours = imaged(unpacked_radio, "radio_dirty", scheme).planes[0].dirty
    theirs, _ = wsclean(f"nn_dirty_{file}-dirty")
    agrees(f"{DIRTY}, {scheme}", "WSClean 3.1 w-gridder", WORST, worst(ours, theirs), allowed)


@pytest.mark.parametrize(("scheme", "file"), [("natural", "natural"), ("briggs", "briggs0")])
def test_psfs(unpacked_radio, wsclean, agrees, scheme, file):
    ours = imaged(unpacked_radio, "radio_dirty", scheme, "sim_vlac_330").planes[0].psf
    theirs, _ = wsclean(f"dirty_{file}-psf")
    agrees(f"its PSF, {scheme}", "WSClean 3.1", WORST, worst(ours, theirs), 1e-3)


def test_dirty_image_with_noise(unpacked_radio, wsclean):
    ours = imaged(unpacked_radio, "radio_dirty", "briggs", "sim_vlac_330").planes[0].dirty
    theirs, _ = wsclean("dirty_briggs0-dirty")
    assert worst(ours, theirs) < 2e-4


@pytest.mark.parametrize("program", ["WSClean", "CASA"])
@pytest.mark.parametrize("scheme", ["natural", "uniform", "briggs"])
def test_beams_lie_between_the_programs(unpacked_radio, agrees, scheme, program):
    beam = imaged(unpacked_radio, "radio_dirty", scheme).planes[0].beam
    bmaj, bmin = BEAMS[scheme][program]
    apart = max(abs(beam.bmaj / bmaj - 1), abs(beam.bmin / bmin - 1))
    agrees("its fitted beam, three weightings", program, "BMAJ and BMIN, relative", apart, 0.15)


@pytest.mark.parametrize("name", ON_GRID)
def test_cleaned_sources(cleaned, wsclean, agrees, name):
    column, row, flux = ON_GRID[name]
    theirs, _ = wsclean("clean_cs_briggs0-image")
    ours = cleaned.planes[0].image[row, column]
    apart = abs(ours / theirs[row, column] - 1)
    agrees(f"{CLEANED}, four sources", "WSClean 3.1", "peak of a source, relative", apart, 0.005)
    truth = abs(ours / flux - 1)
    agrees(f"{CLEANED}, four sources", "the simulation", "flux of a source, relative", truth, 0.01)


def test_residual_noise(cleaned, wsclean, agrees):
    theirs, _ = wsclean("clean_cs_briggs0-residual")
    apart = abs(cleaned.planes[0].residual[BOX].std() / theirs[BOX].std() - 1)
    agrees(CLEANED, "WSClean 3.1", "rms of the residual, relative", apart, 0.1)


def test_image_restored_with_their_beam(cleaned, wsclean, agrees):
    theirs, header = wsclean("clean_cs_briggs0-image")
    beam = Beam(header["BMAJ"] * 3600, header["BMIN"] * 3600, header["BPA"])
    model = components.of(cleaned.planes[0].model)
    ours = restored(model, cleaned.planes[0].residual, beam, cleaned.geometry.cell)
    apart = (ours - theirs).std()
    agrees(
        f"{CLEANED}, with its beam", "WSClean 3.1", "rms of the difference, Jy/beam", apart, 1e-4
    )


def test_clean_reached_its_threshold(cleaned):
    image = DOMAIN.summary(cleaned)["image"]
    assert image["stop"] == "threshold"
    assert np.abs(cleaned.planes[0].residual).max() <= 0.005
    assert image["rms"] == pytest.approx(1.35e-3, rel=0.1)


SCALES = {
    "scales": "auto",
    "auto_mask": 4.0,
    "sigma": 1.0,
    "threshold": None,
    "mgain": 0.9,
    "accuracy": "as needed",
}


AT_SCALES = "simulated VLA-C field, scales, mask of itself, Briggs 0"


@pytest.fixture(scope="session")
def at_scales(unpacked_radio):
    spec = spec_of("radio_clean_briggs", clean=SCALES)
    return DOMAIN.run(spec, DOMAIN.plan(spec, str(unpacked_radio)))[0]


def test_points_are_off_by_the_noise_where_they_stand(unpacked_radio, at_scales, agrees):
    """The image of the noise is known: that of the noisy set less that of the same without."""
    noisy, quiet = (
        imaged(unpacked_radio, "radio_dirty", "briggs", f"sim_vlac_330{end}").planes[0]
        for end in ("", "_nonoise")
    )
    assert noisy.weight_sum == quiet.weight_sum
    noise = noisy.dirty - quiet.dirty
    assert noise[BOX].std() == pytest.approx(1.4e-3, rel=0.1)
    for column, row, flux in ON_GRID.values():
        apart = abs((at_scales.planes[0].image[row, column] - noise[row, column]) / flux - 1)
        truth = "the simulation, noise included"
        agrees(AT_SCALES, truth, "flux of a source, relative", apart, 0.005)


def test_points_without_noise_have_their_flux(unpacked_radio, agrees):
    """Cleaned as deep as the noise would allow."""
    changes = {"clean": SCALES | {"threshold": 1.4e-3}, "data_set": "sim_vlac_330_nonoise"}
    spec = spec_of("radio_clean_briggs", **changes)
    [plane] = DOMAIN.run(spec, DOMAIN.plan(spec, str(unpacked_radio)))[0].planes
    for column, row, flux in ON_GRID.values():
        apart = abs(plane.image[row, column] / flux - 1)
        what = f"{AT_SCALES}, without noise"
        agrees(what, "the simulation", "flux of a source, relative", apart, 0.005)


def test_an_extended_source_cleaned_at_several_scales(at_scales, wsclean, agrees):
    """The Gaussian of 2 Jy, 140 arcsec wide; WSClean has ``-multiscale`` down to 5 mJy.

    Peaks of points are within 1 % of the truth: the noise is 0.35 % of the faintest one.
    """
    what = AT_SCALES
    [plane], cell = at_scales.planes, at_scales.geometry.cell
    rows, columns = np.mgrid[:512, :512]
    away = np.hypot(rows - 170, columns - 340)
    outside = plane.residual[away > 40].std()
    ratio = plane.residual[away < 10].std() / outside
    agrees(what, "the noise", "rms of the residual within the source, over outside", ratio, 1.1)
    flux = plane.image[away < 25].sum() / draw_beam(plane.beam, 512, cell).sum()
    apart = abs(flux / 2 - 1)
    agrees(what, "the simulation", "flux of the Gaussian, relative", apart, 0.01)
    theirs, header = wsclean("clean_ms_briggs0-image")
    for column, row, flux in ON_GRID.values():
        apart = abs(plane.image[row, column] / theirs[row, column] - 1)
        agrees(what, "WSClean 3.1", "peak of a source, relative", apart, 0.005)
        apart = abs(plane.image[row, column] / flux - 1)
        agrees(what, "the simulation", "flux of a source, relative", apart, 0.01)
    beam = Beam(header["BMAJ"] * 3600, header["BMIN"] * 3600, header["BPA"])
    own, pixel = plane.components, cell / ARCSEC
    model = Components(own.row, own.column, own.flux[:, None], own.diameter / pixel)
    apart = (restored(model, plane.residual, beam, cell) - theirs).std()
    agrees(what, "WSClean 3.1", "rms of the difference, Jy/beam", apart, 2e-4)


def test_truth_table_is_the_simulation(shared_reference):
    truth = json.loads((shared_reference / "radio" / "sim_truth.json").read_text())
    listed = {s["name"]: (s["px"], s["py"], s["flux"]) for s in truth["sources"]}
    for name, values in ON_GRID.items():
        assert listed[name] == values


def test_a_real_calibrator_has_one_jansky_at_the_centre(j1008, agrees):
    row, column = np.unravel_index(j1008.planes[0].dirty.argmax(), j1008.planes[0].dirty.shape)
    assert (row, column) == (256, 256)
    apart = abs(j1008.planes[0].dirty.max() - 1.0)
    agrees("J1008+0730 at 36 GHz (EVLA), dirty", "WSClean 3.1", "peak less 1.00 Jy", apart, 0.01)


def test_a_real_calibrator_cleaned(j1008, agrees):
    corner = j1008.planes[0].image[20:201, 20:201]
    apart = abs(corner.std() - 5.0e-3)
    agrees("the same, CLEAN", "WSClean 3.1", "rms less 5.0 mJy, Jy/beam", apart, 0.5e-3)
    assert j1008.groups[0].stop.name == "SIGMA"


def test_every_self_check_holds(unpacked_radio, cleaned, j1008):
    for result in (cleaned, j1008, imaged(unpacked_radio, "radio_dirty", "uniform")):
        check = result.planes[0].self_check
        assert check.error_peak <= 3 * check.epsilon
        assert check.visibilities > 50_000


@pytest.mark.parametrize("epsilon", [1e-3, 1e-4, 1e-6])
def test_all_data_summed_directly(unpacked_radio, agrees, epsilon):
    spec = spec_of("radio_dirty", image={"epsilon": epsilon, "psf": False}, self_check=False)
    plan = DOMAIN.plan(spec, str(unpacked_radio))
    dirty = DOMAIN.run(spec, plan)[0].planes[0].dirty
    data = read(plan.partitions[0])
    wavelengths = data.uvw[:, None, :] * (data.frequency[None, :, None] / SPEED_OF_LIGHT)
    every = Sample(wavelengths.reshape(-1, 3), data.visibility.ravel(), data.weight.ravel())
    rows = np.array([0, 0, 511, 511, 256, 280, 440, 256, 37, 300])
    columns = np.array([0, 511, 0, 511, 256, 300, 460, 40, 101, 255])
    geometry = Geometry(512, 14 * ARCSEC, epsilon)
    direct = direct_sum(every, geometry, rows, columns) / data.weight.sum(dtype=np.float64)
    apart = np.abs(dirty[rows, columns] - direct).max() / dirty.max()
    agrees(f"every visibility, epsilon {epsilon:g}", "direct sum", WORST, apart, 3 * epsilon)


@pytest.mark.parametrize("name", ["radio_clean_briggs", "radio_j1008"])
def test_serial_and_workers_give_the_same_bits(unpacked_radio, dask_client, name):
    spec = spec_of(name, clean={"max_major": 2})
    whole = DOMAIN.plan(spec, str(unpacked_radio))
    spec = spec.changed(partition={"max_visibilities": whole.size // 6})
    plan = DOMAIN.plan(spec, str(unpacked_radio))
    assert len(plan.partitions) >= 6
    serial = DOMAIN.arrays(DOMAIN.run(spec, plan)[0])
    parallel = DOMAIN.arrays(DOMAIN.run(spec, plan, client=dask_client)[0])
    for key, image in serial.items():
        assert image.tobytes() == parallel[key].tobytes(), key
