"""Imaging as a library: the same numbers as the workflow's, from arrays and datasets."""

import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from spectrum_workflows import radio
from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.types import ARCSEC

from .conftest import spec_of

pytestmark = pytest.mark.xdist_group("radio library")  # what they share is made once

NPIX, CELL = 128, 8.0
IMAGED = {"npix": NPIX, "cell": CELL}
BRIGGS = {"weighting": {"scheme": "briggs", "robust": 0.5}}


def by_the_workflow(data: Path, **changes):
    """The only plane of a run of the workflow, and its result."""
    spec = spec_of(**changes)
    plan = DOMAIN.plan(spec, str(data))
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    return result.planes[0], result


@pytest.fixture(scope="module")
def vis(small):
    return radio.open(small / "small.ms")


def rows(dataset):
    """The same visibilities as plain arrays of rows."""
    flat = dataset.stack(row=("time", "baseline_id")).transpose("row", ...)
    arrays = (flat.VISIBILITY[..., 0], flat.WEIGHT[..., 0], flat.FLAG[..., 0])
    return (flat.UVW.values, dataset.frequency.values, *(array.values for array in arrays))


# The same as the workflow


def test_an_image_is_that_of_the_workflow(small, vis):
    plane, _ = by_the_workflow(small, clean={"sigma": 3.0}, **BRIGGS)
    found = radio.image(vis, **IMAGED, weighting="briggs", robust=0.5, clean={"sigma": 3.0})
    peak = np.abs(plane.dirty).max()
    names = {"SKY": "image", "SKY_DIRTY": "dirty", "SKY_RESIDUAL": "residual"}
    names |= {"POINT_SPREAD_FUNCTION": "psf", "SKY_MODEL": "model"}
    for name, of_workflow in names.items():
        own = found[name].squeeze().transpose("m", "l").values
        np.testing.assert_allclose(own, getattr(plane, of_workflow), atol=1e-5 * peak, rtol=0)
    assert found.attrs["clean"][0]["stop"] == "sigma"
    assert found.attrs["warnings"] == []
    assert 0 < found.attrs["self_check_error_peak"][0] < 1e-4
    beam = found.BEAM_FIT_PARAMS_POINT_SPREAD_FUNCTION.squeeze()
    assert float(beam.sel(beam_params_label="major")) == pytest.approx(plane.beam.bmaj * ARCSEC)


def test_step_by_step_gives_the_same_image(vis):
    weights = radio.imaging_weights(vis, **IMAGED, weighting="briggs", robust=0.5)
    weighted = vis.assign(WEIGHT=weights)
    psf = radio.psf(weighted, **IMAGED)
    beam = radio.fit_beam(psf)
    cleaned = radio.clean(weighted, **IMAGED, threshold=0.02)
    restored = radio.restore(cleaned.SKY_MODEL, cleaned.SKY_RESIDUAL, beam)
    control = {"threshold": 0.02}
    whole = radio.image(vis, **IMAGED, weighting="briggs", robust=0.5, clean=control)
    np.testing.assert_array_equal(restored, whole.SKY.squeeze().transpose("m", "l"))
    np.testing.assert_array_equal(
        radio.dirty_image(weighted, **IMAGED), whole.SKY_DIRTY.squeeze().transpose("m", "l")
    )


def test_the_planted_fluxes_are_recovered(vis):
    found = radio.image(vis, **IMAGED, epsilon=1e-6, clean={"sigma": 3.0}).SKY.squeeze()
    for flux, east, north in ((1.0, 0.0, 0.0), (0.5, 200.0, 320.0), (0.3, -360.0, -80.0)):
        at = {"l": east * ARCSEC, "m": north * ARCSEC}
        assert float(found.sel(at, method="nearest")) == pytest.approx(flux, rel=0.02)


def test_a_planted_jansky_without_noise_comes_back():
    uvw = np.random.default_rng(3).normal(0.0, 400.0, (4_000, 3))
    empty = radio.visibilities(uvw, [1.4e9, 1.5e9], np.zeros((4_000, 2)))
    sky = np.zeros((NPIX, NPIX))
    sky[80, 50] = 1.0
    seen = empty.assign(VISIBILITY=radio.predict(sky, empty, cell=CELL, epsilon=1e-7))
    found = radio.clean(seen, **IMAGED, epsilon=1e-7, threshold=1e-4, max_major=30)
    assert float(found.SKY_MODEL[80, 50]) == pytest.approx(1.0, abs=1e-3)
    assert float(found.SKY_MODEL.sum()) == pytest.approx(1.0, abs=1e-3)


def test_what_is_predicted_and_subtracted_leaves_the_residual(vis):
    model = radio.clean(vis, **IMAGED, sigma=3.0)
    left = vis.assign(VISIBILITY=vis.VISIBILITY - radio.predict(model.SKY_MODEL, vis))
    again = radio.dirty_image(left, **IMAGED)
    np.testing.assert_allclose(again, model.SKY_RESIDUAL, atol=1e-5)


# Whatever form the visibilities have


def test_plain_arrays_of_rows_give_the_same_image(vis):
    uvw, frequency, visibility, weight, flag = rows(vis)
    plain = radio.visibilities(uvw, frequency, visibility, weight, flag)
    np.testing.assert_allclose(
        radio.dirty_image(plain, **IMAGED), radio.dirty_image(vis, **IMAGED), atol=1e-6
    )
    assert "right_ascension" not in radio.dirty_image(plain, **IMAGED).coords


def test_correlations_are_combined_as_the_readers_do(vis):
    uvw, frequency, visibility, weight, flag = rows(vis)
    polarised = np.stack([visibility + 0.3, visibility - 0.3], axis=-1)
    hands = radio.visibilities(
        uvw, frequency, polarised, weight[..., None] / 2, flag, polarization=["XX", "YY"]
    )
    np.testing.assert_allclose(
        radio.dirty_image(hands, **IMAGED), radio.dirty_image(vis, **IMAGED), atol=1e-6
    )
    weights = radio.imaging_weights(hands, **IMAGED)
    assert list(weights.polarization.values) == ["I"]


def test_the_order_of_channels_and_dimensions_does_not_matter(vis):
    other = vis.isel(frequency=slice(None, None, -1)).transpose("polarization", "frequency", ...)
    np.testing.assert_array_equal(
        radio.dirty_image(other, **IMAGED), radio.dirty_image(vis, **IMAGED)
    )
    model = np.zeros((NPIX, NPIX))
    model[30, 30] = 1.0
    here, there = (radio.predict(model, v, cell=CELL) for v in (vis, other))
    xr.testing.assert_allclose(here.sortby("frequency"), there.sortby("frequency"))


def test_a_tree_of_xradio_is_taken(small, tmp_path, vis):
    from spectrum_workflows.radio.convert import convert

    convert(str(small / "small.ms"), str(tmp_path / "small.zarr"))
    tree = xr.open_datatree(str(tmp_path / "small.zarr"), engine="zarr")
    part = next(node for node in tree.subtree if "VISIBILITY" in node)
    theirs, ours = (radio.image(v, **IMAGED) for v in (part, vis))
    np.testing.assert_allclose(theirs.SKY_DIRTY, ours.SKY_DIRTY, atol=1e-6)
    for name in ("right_ascension", "declination", "frequency"):
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr = radio.open(tmp_path / "small.zarr")
    xr.testing.assert_allclose(zarr.VISIBILITY, vis.VISIBILITY)


def test_ranges_are_parts_of_the_whole(small, vis):
    part = radio.open(small / "small.ms", times=(2, 5), channels=(1, 4))
    whole = vis.isel(time=slice(2, 5), frequency=slice(1, 4))
    for name in ("VISIBILITY", "WEIGHT", "UVW", "time", "baseline_id", "frequency"):
        np.testing.assert_array_equal(part[name], whole[name])
    assert list(part.baseline_antenna1_name.values) == list(whole.baseline_antenna1_name.values)


def test_what_is_flagged_or_of_one_antenna_does_not_count(vis):
    broken = vis.copy(deep=True)
    broken.VISIBILITY[3] = 1e6
    broken.VISIBILITY[4] = np.nan
    broken.FLAG[3] = True
    kept = vis.isel(time=[n for n in range(vis.sizes["time"]) if n not in (3, 4)])
    np.testing.assert_allclose(
        radio.dirty_image(broken, **IMAGED), radio.dirty_image(kept, **IMAGED), atol=1e-6
    )
    same = vis.baseline_antenna1_name.copy()
    named = vis.assign_coords(baseline_antenna2_name=same)
    with pytest.raises(DataError, match="positive weight"):
        radio.dirty_image(named, **IMAGED)


# The image's coordinates


def test_coordinates_are_those_of_the_fits_file(small, vis):
    from astropy.io import fits
    from astropy.wcs import WCS

    _, result = by_the_workflow(small)
    [content] = [data for name, data in DOMAIN.files(result) if name == "dirty.fits"]
    wcs = WCS(fits.Header.fromstring(content[: len(content) - len(content) % 80])).celestial
    found = radio.image(vis, **IMAGED)
    column, row = np.array([0, 5, 64, 127]), np.array([3, 100, 64, 127])
    ra, dec = wcs.wcs_pix2world(column, row, 0)
    there = found.isel(l=xr.DataArray(column), m=xr.DataArray(row))
    np.testing.assert_allclose(np.degrees(there.right_ascension), ra, atol=1e-10)
    np.testing.assert_allclose(np.degrees(there.declination), dec, atol=1e-10)


def test_an_image_keeps_the_schema_of_xradio(vis):
    from xradio.image.schema import check_image

    found = radio.image(vis, **IMAGED, clean={"sigma": 5.0})
    assert [str(issue) for issue in check_image(found)] == []


# What is refused


def test_mistakes_are_named(vis, small):
    with pytest.raises(DataNotFoundError, match="no such data set"):
        radio.open("/nowhere/at/all.ms")
    with pytest.raises(SpecError, match="there are 11 times, no 3 to 12"):
        radio.open(small / "small.ms", times=(3, 12))
    with pytest.raises(DataError, match="it has no WEIGHT, UVW"):
        radio.dirty_image(vis.drop_vars(["WEIGHT", "UVW"]), **IMAGED)
    with pytest.raises(SpecError, match="npix"):
        radio.dirty_image(vis, npix=101, cell=CELL)
    with pytest.raises(SpecError, match=r"unknown key 'clean.sigmas'.*did you mean sigma"):
        radio.image(vis, **IMAGED, clean={"sigmas": 3.0})
    with pytest.raises(SpecError, match="give the pixel size"):
        radio.predict(np.zeros((64, 64)), vis)
    with pytest.raises(SpecError, match="has its own coordinates"):
        radio.fit_beam(radio.psf(vis, **IMAGED), cell=1.0)
    with pytest.raises(DataError, match="not finite"):
        radio.predict(np.full((64, 64), np.nan), vis, cell=CELL)
    with pytest.raises(DataError, match="shapes do not fit together"):
        radio.visibilities(np.zeros((3, 2)), [1e9], np.zeros((3, 1)))
    with pytest.raises(DataError, match="UVW is in furlong, not in m"):
        radio.psf(vis.assign(UVW=vis.UVW.assign_attrs(units="furlong")), **IMAGED)
    flagged = vis.assign(FLAG=xr.ones_like(vis.FLAG))
    with pytest.raises(DataError, match="every visibility is flagged"):
        radio.image(flagged, **IMAGED)


# Functions that have the names of rooms


def test_rooms_whose_names_are_functions_are_imported_as_ever():
    script = (
        "import pickle; from spectrum_workflows import radio;"
        "from spectrum_workflows.radio.imaging.local import LocalImager;"
        "import spectrum_workflows.radio.deconvolution.components;"
        "from spectrum_workflows.radio.deconvolution.cotton_schwab import cotton_schwab;"
        "assert callable(radio.image) and callable(radio.clean);"
        "assert pickle.loads(pickle.dumps(cotton_schwab)) is cotton_schwab;"
        "assert pickle.loads(pickle.dumps(radio.image)) is radio.image"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert pickle.loads(pickle.dumps(radio.clean)) is radio.clean
