"""Sources in an image: positions, fluxes and sizes of a sky that is known."""

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from spectrum_workflows.errors import DataError, MissingExtraError
from spectrum_workflows.radio import DOMAIN, products
from spectrum_workflows.radio.sources import comparing, finding
from spectrum_workflows.radio.sources.finding import SourceSearch
from spectrum_workflows.radio.spec import SourcesSpec
from spectrum_workflows.radio.synthetic import planted
from spectrum_workflows.radio.types import ARCSEC, Beam, Geometry, Planted
from spectrum_workflows.radio.write import bdsf, sources

from .conftest import SKY, spec_of
from .test_products import saved

BEAM = Beam(12.0, 9.0, 25.0)
CELL, RMS = 2.0, 1e-3


def gaussian(npix, east, north, major, minor, angle):
    """A Gaussian of height 1; lengths in arcsec."""
    offset = (np.arange(npix) - npix // 2) * CELL
    x, y = -offset[None, :] - east, offset[:, None] - north
    turn = np.radians(angle)
    along, across = x * np.sin(turn) + y * np.cos(turn), x * np.cos(turn) - y * np.sin(turn)
    return np.exp(-4 * np.log(2) * ((along / major) ** 2 + (across / minor) ** 2))


def search_of(image, sigma=5.0):
    geometry = Geometry(len(image), CELL * ARCSEC, 1e-4)
    return SourceSearch(image, RMS, sigma, BEAM, geometry, (np.pi, 0.7))


def noise(npix, seed=1):
    """Noise that the beam has smoothed, of the rms above."""
    from scipy.signal import fftconvolve

    white = np.random.default_rng(seed).standard_normal((npix, npix))
    kernel = gaussian(64, 0.0, 0.0, BEAM.bmaj, BEAM.bmin, BEAM.bpa)
    smooth = fftconvolve(white, kernel, mode="same")
    return smooth * RMS / smooth.std()


def test_a_gaussian_is_measured_exactly():
    image = 0.4 * gaussian(128, 31.0, -17.0, 30.0, 14.0, -40.0)
    [found] = finding.find(search_of(image))
    assert (found.east, found.north) == pytest.approx((31.0, -17.0), abs=1e-6)
    assert (found.major, found.minor) == pytest.approx((30.0, 14.0), rel=1e-6)
    assert found.angle == pytest.approx(-40.0, abs=1e-6)
    assert found.peak == pytest.approx(0.4, rel=1e-6)
    assert found.flux == pytest.approx(0.4 * 30 * 14 / (12 * 9), rel=1e-6)
    threshold = 5 * RMS / 0.4  # a Gaussian's flux above a contour is 1 minus the contour
    assert found.island == pytest.approx(found.flux * (1 - threshold), rel=1e-2)


def test_positions_on_the_sky_are_those_of_the_projection():
    from astropy.wcs import WCS

    image = gaussian(128, 80.0, 60.0, 12.0, 9.0, 25.0)
    [found] = finding.find(search_of(image))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crpix = ["RA---SIN", "DEC--SIN"], [65, 65]
    wcs.wcs.crval, wcs.wcs.cdelt = np.degrees([np.pi, 0.7]), [-CELL / 3600, CELL / 3600]
    ra, dec = wcs.wcs_pix2world(64 - 40, 64 + 30, 0)
    assert found.right_ascension == pytest.approx(float(ra), abs=1e-9)
    assert found.declination == pytest.approx(float(dec), abs=1e-9)


def test_fluxes_of_points_in_noise_are_right_on_average():
    """The mean of 60 points at 8 to 80 times the noise is within two per cent."""
    rng, image, planted_sky = np.random.default_rng(3), noise(512), []
    for n, (row, column) in enumerate(np.ndindex(8, 8)):
        east, north = (column - 3.5) * 110 + rng.uniform(-3, 3), (row - 3.5) * 110
        flux = RMS * float(np.exp(rng.uniform(np.log(8), np.log(80))))
        image = image + flux * gaussian(512, east, north, BEAM.bmaj, BEAM.bmin, BEAM.bpa)
        planted_sky.append(Planted(f"P{n}", flux, east, north))
    search = search_of(image)
    found = comparing.named(finding.find(search), planted_sky, search)
    agreement = comparing.agreement(found, planted_sky, search)
    assert agreement.found == agreement.expected == 64
    assert agreement.spurious <= 1
    assert agreement.offset < 1.0
    ratios = [one.flux / one.planted_flux for one in found if one.planted]
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)
    assert agreement.flux_ratio == pytest.approx(1, abs=0.03)


def test_noise_alone_has_no_sources():
    assert finding.find(search_of(noise(256, seed=4), sigma=5.5)) == ()
    assert finding.find(search_of(np.zeros((64, 64)))) == ()


def test_two_points_are_two_sources_and_bumps_on_one_are_not():
    two = 0.2 * gaussian(128, 10.0, 0.0, 12.0, 9.0, 25.0)
    two += 0.1 * gaussian(128, -10.0, 4.0, 12.0, 9.0, 25.0)
    found = finding.find(search_of(two))
    assert [round(source.peak, 2) for source in found] == [0.2, 0.1]
    assert [one.number for one in found] == [1, 2]
    extended = 0.05 * gaussian(128, 0.0, 0.0, 60.0, 40.0, 0.0) + noise(128, seed=9)
    assert len(finding.find(search_of(extended, sigma=8.0))) == 1


def test_a_source_at_the_edge_is_no_error():
    image = gaussian(64, 62.0, 62.0, 12.0, 9.0, 25.0)
    assert len(finding.find(search_of(image))) == 1


# Of a run


@pytest.fixture(scope="module")
def run(small):
    spec = spec_of(
        clean={"sigma": 3.0},
        products={"sources": {}, "primary_beam": {}, "plots": True},
    )
    return spec, DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))[0]


def test_the_sky_that_was_put_in_is_found(run):
    _, result = run
    [plane] = result.planes
    best = {one.planted: one for one in plane.sources if one.planted}
    for source in SKY:
        assert best[source["name"]].flux == pytest.approx(source["flux_jy"], rel=0.03)
        assert best[source["name"]].east == pytest.approx(source["east_arcsec"], abs=1.0)
    assert (plane.agreement.expected, plane.agreement.found) == (3, 3)
    assert plane.agreement.flux_ratio == pytest.approx(1, abs=0.02)
    numbers = DOMAIN.summary(result)["image"]
    assert numbers["sources"] == len(plane.sources)
    assert numbers["agreement"]["found"] == 3
    [row] = DOMAIN.table(result)
    assert row["agreement_found"] == 3


def test_sources_have_the_value_of_the_primary_beam(run):
    _, result = run
    [plane] = result.planes
    for source in plane.sources:
        row = round(64 + source.north / 8.0)
        column = round(64 - source.east / 8.0)
        assert source.primary_beam == plane.primary_beam[row, column]


def test_the_list_is_a_table_with_units_and_comes_back(run, tmp_path):
    spec, result = run
    again = DOMAIN.load(str(tmp_path), spec, saved(result, tmp_path))
    assert again.planes[0].sources == result.planes[0].sources
    assert again.planes[0].agreement == result.planes[0].agreement
    text = (tmp_path / "sources.ecsv").read_text()
    table = Table.read(text, format="ascii.ecsv")
    assert table["flux"].unit == "Jy"
    assert table["peak"].unit == "Jy / beam"
    assert table.meta["origin"] == "generated data"
    with pytest.raises(DataError, match="not a list of sources"):
        sources.decode(b"nothing", "x")


def test_a_list_without_a_source_comes_back_too(run):
    _, result = run
    plane = replace(result.planes[0], sources=())
    empty = replace(result, groups=(replace(result.groups[0], planes=(plane,)),))
    assert sources.decode(sources.encode(empty), "x") == {}


def test_plots_of_coverage_and_histogram(run):
    _, result = run
    pictures = dict(DOMAIN.pictures(result))
    assert list(pictures) == ["image.png", "panels.png", "histogram.png", "coverage.png"]
    for name in ("histogram.png", "coverage.png"):
        pictures[name].savefig(buffer := io.BytesIO(), format="png")
        assert buffer.tell() > 10_000
        assert "generated data" in pictures[name].axes[0].get_title()


def test_the_coverage_holds_the_visibilities_and_their_conjugates(run):
    from spectrum_workflows.radio.plot import plot_coverage

    u, v = np.array([3e3, np.nan]), np.array([1e3, 0.0])
    axes = plot_coverage(u, v).axes[0]
    assert axes.get_xlabel() == "u (kλ)"
    assert axes.get_xlim()[0] > axes.get_xlim()[1]  # east, as in the image, is left
    assert np.nansum(axes.images[0].get_array().filled(np.nan)) == 2


def test_truth_lies_beside_a_set_or_there_is_none(small, tmp_path):
    sky = planted(str(small / "small.ms"))
    assert [one.name for one in sky] == [one["name"] for one in SKY]
    assert planted(str(small / "small.zarr")) == sky
    assert planted(str(tmp_path / "other.ms")) is None
    (tmp_path / "bad.sources.json").write_text("{}")
    assert planted(str(tmp_path / "bad.ms")) is None


# What is missing


def test_a_missing_library_is_named_before_the_run(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "photutils", None)
    with pytest.raises(MissingExtraError, match=r"spectrum-workflows\[sources\]"):
        DOMAIN.plan(spec_of(products={"sources": {}}), str(small))
    monkeypatch.setitem(sys.modules, "bdsf", None)
    with pytest.raises(MissingExtraError, match="pip install bdsf"):
        DOMAIN.plan(spec_of(products={"sources": {"finder": "bdsf"}}), str(small))


def test_no_beam_is_no_list_and_the_images_are_there(run):
    spec, result = run
    plane = replace(result.planes[0], beam=None, sources=None, agreement=None)
    bare = replace(result, groups=(replace(result.groups[0], planes=(plane,)),), warnings=())
    found = products.with_products(spec, bare)
    assert found.planes[0].sources is None
    assert found.planes[0].image is plane.image
    assert any(line.startswith("no list of sources: ") for line in found.warnings)


def test_bdsf_finds_the_same_sources(run):
    pytest.importorskip("bdsf")
    _, result = run
    found = products.with_sources(SourcesSpec(finder="bdsf"), result, result.planes[0])
    best = {one.planted: one for one in found.sources if one.planted}
    for source in SKY:
        assert best[source["name"]].flux == pytest.approx(source["flux_jy"], rel=0.03)
        assert best[source["name"]].east == pytest.approx(source["east_arcsec"], abs=1.0)
    assert bdsf.check_installed() is None
