"""Products: primary beams, corrected images, float32, Zarr."""

import io
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

from spectrum_workflows.errors import DataError, MissingExtraError
from spectrum_workflows.radio import DOMAIN, products
from spectrum_workflows.radio.beams.dish import ARCMIN, Airy, CosineTaper, Polynomial, image_of
from spectrum_workflows.radio.beams.tables import ALMA, GMRT, MEERKAT, VLA, beam_of
from spectrum_workflows.radio.read import describe
from spectrum_workflows.radio.spec import PrimaryBeamSpec
from spectrum_workflows.radio.types import (
    ARCSEC,
    SPEED_OF_LIGHT,
    Antennas,
    Geometry,
    Plane,
    PlaneImages,
)
from spectrum_workflows.record.digest import digest

from .conftest import spec_of

ANGLES = np.linspace(0, 3e-2, 30_001)


def half_power(beam, hertz, angles=ANGLES):
    """Full width at half maximum, rad."""
    return 2 * float(angles[int(np.argmax(beam.power(angles, hertz) < 0.5))])


@pytest.fixture(scope="module")
def observation(small):
    return describe(spec_of(), str(small / "small.ms"))


def of(observation, telescope, *diameters, hertz=1.4e9):
    """The observation with another telescope."""
    names = tuple(f"A{n}" for n in range(len(diameters)))
    antennas = Antennas(names, np.zeros((len(names), 3)), np.array(diameters, float))
    [window] = observation.windows
    one = replace(window, frequency=np.array([hertz]), width=None, chosen=None)
    return replace(observation, telescope=telescope, antennas=antennas, windows=(one,))


# Power patterns


def test_an_airy_pattern_has_the_widths_of_the_textbook():
    beam = Airy(25.0)
    wavelength = SPEED_OF_LIGHT / 1.4e9
    assert half_power(beam, 1.4e9) == pytest.approx(1.029 * wavelength / 25.0, rel=2e-3)
    ends = float(ANGLES[int(np.argmax(beam.power(ANGLES, 1.4e9) == 0))])
    assert ends == pytest.approx(1.2197 * wavelength / 25.0, rel=2e-3)
    assert half_power(beam, 2.8e9) == pytest.approx(half_power(beam, 1.4e9) / 2, rel=1e-3)


def test_an_airy_pattern_is_the_transform_of_its_aperture():
    """Also with a blockage: against a direct sum over the aperture."""
    beam, hertz = Airy(12.0, 3.0), 1e11
    y, x = np.mgrid[-6:6:601j, -6:6:601j]
    radius = np.hypot(x, y)
    aperture = ((radius <= 6.0) & (radius > 1.5)).astype(float)
    angle = np.linspace(0, 2e-4, 9)
    phase = 2 * np.pi * hertz / SPEED_OF_LIGHT * x[..., None] * np.sin(angle)
    field = (aperture[..., None] * np.cos(phase)).sum(axis=(0, 1)) / aperture.sum()
    assert beam.power(angle, hertz) == pytest.approx(field**2, abs=5e-3)


def test_the_telescopes_have_the_widths_that_they_publish():
    assert half_power(Polynomial(*VLA[1][2:]), 1.4e9) / ARCMIN == pytest.approx(45 / 1.4, rel=0.07)
    assert half_power(MEERKAT, 1.5e9) / ARCMIN == pytest.approx(57.5, rel=1e-3)
    widths = [75.0, 38.0, 23.0]  # of the observatory's page, at 400, 650 and 1250 MHz
    for entry, hertz, width in zip(GMRT, (400e6, 650e6, 1250e6), widths, strict=True):
        assert half_power(Polynomial(*entry[2:]), hertz) / ARCMIN == pytest.approx(width, rel=0.15)
    fine = np.linspace(0, 1e-3, 100_001)
    wavelength = SPEED_OF_LIGHT / 100e9
    full = half_power(ALMA[12.0], 100e9, fine)
    assert full == pytest.approx(1.13 * wavelength / 12.0, rel=0.03)  # ALMA's handbook


@pytest.mark.parametrize("entry", [*VLA, *GMRT], ids=lambda entry: entry[2])
def test_a_polynomial_falls_to_a_tenth_and_never_rises(entry):
    low, high, *about = entry
    power = Polynomial(*about).power(np.linspace(0, 0.3, 200_001), (low + high) / 2)
    assert power[0] == 1
    assert (np.diff(power) <= 0).all()
    assert power[power > 0].min() < 0.1


def test_a_cosine_taper_is_smooth_where_its_formula_is_nought_over_nought():
    beam = CosineTaper("", 1e-2)
    angle = 0.5 / 1.18896478 * 1e-2 + np.array([-1e-9, 0.0, 1e-9])
    assert beam.power(angle, 1.0) == pytest.approx((np.pi / 4) ** 2, rel=1e-4)


def test_the_beam_of_an_image_is_round_and_averages_channels():
    geometry, beam = Geometry(64, 60 * ARCSEC, 1e-4), Airy(25.0)
    band = np.linspace(1.2e9, 1.6e9, 5)
    found = image_of(beam, geometry, band)
    assert found[32, 32] == found.max() == 1
    np.testing.assert_allclose(found[32, 22], found[42, 32], rtol=1e-12)
    angle = np.array([0.0, np.arcsin(10 * geometry.cell)])
    expected = np.mean([beam.power(angle, hertz)[1] for hertz in band])
    assert found[42, 32] == pytest.approx(expected, rel=1e-5)


# Which telescope has which


def test_the_beam_follows_telescope_frequency_and_dishes(observation):
    assert "L band" in beam_of(observation).words  # the simulated VLA
    assert "X band" in beam_of(of(observation, "EVLA", 25, 25, hertz=8e9)).words
    assert beam_of(of(observation, "MeerKAT", 13.5)) is MEERKAT
    assert beam_of(of(observation, "ALMA", 12, 12, hertz=1e11)) == Airy(10.7, 0.75)
    assert beam_of(of(observation, "ALMA", 7, 7, hertz=1e11)) == Airy(6.25, 0.75)
    assert beam_of(of(observation, "ATCA", 22, 22)) == Airy(22.0)
    assert beam_of(of(observation, "GMRT", 45, hertz=200e6)) == Airy(45.0)  # no table there
    assert beam_of(observation, "airy") == Airy(25.0)
    assert beam_of(of(observation, "VLBA"), diameter=24.0) == Airy(24.0)


def test_what_has_no_one_beam_is_refused(observation):
    with pytest.raises(DataError, match=r"has no dishes.*leave out \[products.primary_beam\]"):
        beam_of(of(observation, "LOFAR", 30.0))
    with pytest.raises(DataError, match=r"7 to 12 m wide.*diameter_m"):
        beam_of(of(observation, "ALMA", 7.0, 12.0))
    with pytest.raises(DataError, match="does not say how large its dishes are"):
        beam_of(of(observation, "EVN", np.nan))
    with pytest.raises(DataError, match="LOFAR"):
        beam_of(of(observation, "LOFAR", 30.0), diameter=30.0)


def test_katbeam_is_asked_for_by_name(observation, monkeypatch):
    monkeypatch.setitem(sys.modules, "katbeam", None)
    with pytest.raises(MissingExtraError, match=r"spectrum-workflows\[beams\]"):
        beam_of(of(observation, "MeerKAT", 13.5), "katbeam")
    assert beam_of(of(observation, "MeerKAT", 13.5)) is MEERKAT


def test_katbeam_agrees_with_the_table_near_the_axis(observation):
    pytest.importorskip("katbeam")
    theirs = beam_of(of(observation, "MeerKAT", 13.5, hertz=1.284e9), "katbeam")
    angle = np.linspace(0, 40 * ARCMIN, 400)
    assert np.abs(theirs.power(angle, 1.284e9) - MEERKAT.power(angle, 1.284e9)).max() < 0.02
    with pytest.raises(DataError, match="no model for VLA"):
        beam_of(observation, "katbeam")


# Of a run


def run_with(small, **asked):
    spec = spec_of(clean={"threshold": 0.02}, products=asked)
    return spec, DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))[0]


@pytest.fixture(scope="module")
def plain(small):
    return run_with(small)[1]


@pytest.fixture(scope="module")
def rich(small):
    return run_with(small, primary_beam={"cut": 0.7}, zarr=True)


def test_nothing_is_made_that_was_not_asked_for(plain):
    assert set(DOMAIN.arrays(plain)) == {"dirty", "image", "model", "psf", "residual"}
    files = {name.partition("/")[0] for name, _ in DOMAIN.files(plain)}
    assert files == {f"{name}.fits" for name in DOMAIN.arrays(plain)}


def test_the_images_are_those_of_a_run_without_products(rich, plain):
    for name, image in DOMAIN.arrays(plain).items():
        assert DOMAIN.arrays(rich[1])[name].tobytes() == image.tobytes()


def test_the_corrected_image_is_the_image_over_the_beam(rich):
    _, result = rich
    [plane] = result.planes
    seen = plane.primary_beam >= 0.7
    assert 0 < seen.mean() < 1
    assert np.isnan(plane.corrected[~seen]).all()
    assert plane.corrected[seen] == pytest.approx((plane.image / plane.primary_beam)[seen])
    assert plane.corrected[64, 64] == plane.image[64, 64]
    assert any("hold no primary beam" in line for line in result.warnings)


def test_a_planted_sky_behind_a_dish_comes_back(observation, plain):
    """What a dish has weakened has its own brightness in the corrected image."""
    power = image_of(Airy(25.0), Geometry(128, 8 * ARCSEC, 1e-4), np.array([1.4e9]))
    sky = np.random.default_rng(5).uniform(0.5, 2.0, (128, 128))
    result = replace(plain, observation=of(observation, "ATCA", 25.0))
    plane = PlaneImages(Plane(), sky * power, 1.0, 1)
    found = products.with_primary_beam(PrimaryBeamSpec(), result, plane)
    known = np.isfinite(found.corrected)
    assert (known == (power >= 0.2)).all()
    assert found.corrected[known] == pytest.approx(sky[known], rel=1e-9)


def test_stokes_q_is_not_corrected(rich):
    _, result = rich
    plane = replace(result.planes[0], plane=Plane(0, stokes="Q"), corrected=None)
    assert products.with_primary_beam(PrimaryBeamSpec(), result, plane) is plane


def test_files_of_the_primary_beam_say_which_it_is(rich):
    _, result = rich
    files = dict(DOMAIN.files(result))
    header = fits.getheader(io.BytesIO(files["primary_beam.fits"]))
    assert header["PBEAM"] == "polynomial, VLA L band (AIPS PBCOR)"
    assert (header["BTYPE"], header["BUNIT"]) == ("Beam", "")
    assert "BMAJ" not in header
    corrected = fits.getheader(io.BytesIO(files["corrected.fits"]))
    assert corrected["BUNIT"] == "Jy/beam"
    assert corrected["BMAJ"] > 0
    assert any("not for Stokes Q, U, V" in line for line in corrected["HISTORY"])


def saved(result, folder):
    """The files of a result in a folder, and what a record holds of it."""
    for name, data in DOMAIN.files(result):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return json.loads(json.dumps(DOMAIN.summary(result))) | {"warnings": list(result.warnings)}


def test_a_result_with_products_comes_back(rich, tmp_path):
    spec, result = rich
    again = DOMAIN.load(str(tmp_path), spec, saved(result, tmp_path))
    assert digest(DOMAIN.arrays(again)) == digest(DOMAIN.arrays(result))
    assert DOMAIN.summary(again) == DOMAIN.summary(result)
    assert digest(DOMAIN.read(str(tmp_path))) == digest(DOMAIN.arrays(result))
    same = DOMAIN.arrays(result)["corrected"]
    assert DOMAIN.deviation("corrected", same, same).found == 0
    other = np.where(np.isnan(same), 0.0, same)
    assert DOMAIN.deviation("corrected", same, other).found == np.inf


def test_the_zarr_dataset_keeps_the_schema_of_xradio(rich, tmp_path):
    from xradio.image.schema import check_image

    _, result = rich
    saved(result, tmp_path)
    with xr.open_dataset(tmp_path / "images.zarr", engine="zarr", consolidated=False) as found:
        assert [str(issue) for issue in check_image(found)] == []
        expected = DOMAIN.dataset(result)
        for name in ("SKY", "SKY_CORRECTED", "PRIMARY_BEAM", "SKY_MODEL", "declination"):
            np.testing.assert_array_equal(found[name], expected[name])
        assert found.attrs["origin"] == "generated data"
        assert found.attrs["data_groups"]["corrected"]["primary_beam"] == "PRIMARY_BEAM"
    assert dict(DOMAIN.files(result)) == dict(DOMAIN.files(result))


def test_single_precision_is_the_result_and_half_the_file(small, plain, tmp_path):
    spec, result = run_with(small, pixels="float32", zarr=True)
    for name, image in DOMAIN.arrays(plain).items():
        rounded = image.astype(np.float32).astype(np.float64)
        assert DOMAIN.arrays(result)[name].tobytes() == rounded.tobytes()
    numbers = saved(result, tmp_path)
    assert fits.getheader(tmp_path / "image.fits")["BITPIX"] == -32
    assert digest(DOMAIN.read(str(tmp_path))) == digest(DOMAIN.arrays(result))
    again = DOMAIN.load(str(tmp_path), spec, numbers)
    assert digest(DOMAIN.arrays(again)) == digest(DOMAIN.arrays(result))
    with xr.open_dataset(tmp_path / "images.zarr", engine="zarr", consolidated=False) as found:
        assert found.SKY.dtype == np.float32


def test_pictures_of_the_primary_beam_can_be_drawn(rich):
    from spectrum_workflows.domain import Panel

    _, result = rich
    names = DOMAIN.shown(result)
    assert {"corrected", "primary_beam"} <= set(names)
    panels = [Panel(name, result, name) for name in ("image", "corrected", "primary_beam")]
    DOMAIN.show(panels, region=None, common=False).savefig(io.BytesIO(), format="png")
    DOMAIN.explore(result, "corrected")


def test_a_product_that_cannot_be_made_is_refused_before_the_run(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "katbeam", None)
    with pytest.raises(MissingExtraError, match="katbeam"):
        DOMAIN.plan(spec_of(products={"primary_beam": {"model": "katbeam"}}), str(small))


def test_a_product_that_fails_costs_nothing_but_itself(plain):
    spec = spec_of(products={"primary_beam": {"model": "katbeam"}})
    result = products.with_products(spec, plain)
    assert any(line.startswith("no primary beam: ") for line in result.warnings)
    assert result.planes[0].image is plain.planes[0].image
