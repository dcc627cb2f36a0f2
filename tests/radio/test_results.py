import io
import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.types import MajorCycle, Responsible

from .conftest import SKY, spec_of


@pytest.fixture(scope="module")
def result(small):
    spec = spec_of(clean={"threshold": 0.02})
    return DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))[0]


@pytest.fixture(scope="module")
def saved(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    for name, data in DOMAIN.files(result):
        (folder / name).write_bytes(data)
    return folder


def test_what_is_written_is_read_back_exactly(result, saved):
    back = DOMAIN.read(str(saved))
    made = DOMAIN.arrays(result)
    assert set(back) == set(made) == {"dirty", "image", "model", "psf", "residual"}
    for name, image in made.items():
        assert back[name].tobytes() == image.tobytes()


def test_files_are_the_same_every_time(result):
    assert dict(DOMAIN.files(result)) == dict(DOMAIN.files(result))


def test_fits_headers_pass_verification(saved):
    for path in saved.glob("*.fits"):
        with fits.open(path) as hdus:
            hdus.verify("exception")
            header = hdus[0].header
            assert hdus[0].data.shape == (1, 1, 128, 128)
            assert header["BITPIX"] == -64
            assert header["BUNIT"] == ("Jy/pixel" if path.stem == "model" else "Jy/beam")
            assert ("BMAJ" in header) == (path.stem != "model")
            assert header["CRVAL3"] == pytest.approx(1.414e9)
            assert header["CDELT3"] == pytest.approx(8 * 4e6)
            assert [card for card in header if card.startswith("DATE")] == ["DATE-OBS"]


def test_the_beam_is_in_degrees(result, saved):
    header = fits.getheader(saved / "image.fits")
    assert header["BMAJ"] * 3600 == pytest.approx(result.planes[0].beam.bmaj)
    assert header["BMIN"] * 3600 == pytest.approx(result.planes[0].beam.bmin)
    assert header["BPA"] == pytest.approx(result.planes[0].beam.bpa)


def test_world_coordinates_point_at_the_sources(result, saved):
    wcs = WCS(fits.getheader(saved / "image.fits")).celestial
    image = DOMAIN.read(str(saved))["image"]
    for source in SKY:
        east, north = (np.radians(source[f"{axis}_arcsec"] / 3600) for axis in ("east", "north"))
        n, dec0 = np.sqrt(1 - east**2 - north**2), np.radians(45.0)
        dec = np.degrees(np.arcsin(north * np.cos(dec0) + n * np.sin(dec0)))
        ra = 180 + np.degrees(np.arctan2(east, n * np.cos(dec0) - north * np.sin(dec0)))
        x, y = wcs.all_world2pix(ra, dec, 0)
        row, column = round(float(y)), round(float(x))
        assert (y, x) == pytest.approx((row, column), abs=1e-3)
        assert image[row, column] == pytest.approx(source["flux_jy"], rel=0.02)


def test_pictures_can_be_drawn(result):
    pictures = dict(DOMAIN.pictures(result))
    assert list(pictures) == ["image.png", "panels.png"]
    for figure in pictures.values():
        figure.savefig(buffer := io.BytesIO(), format="png")
        assert buffer.tell() > 20_000


def test_a_dirty_image_can_be_drawn(small):
    spec = spec_of(image={"psf": False})
    dirty, _ = DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))
    assert {name for name, _ in DOMAIN.files(dirty)} == {"dirty.fits"}
    buffer = io.BytesIO()
    DOMAIN.plot(dirty).savefig(buffer)
    assert buffer.tell() > 10_000


def test_the_summary_is_json_with_units(result):
    image = json.loads(json.dumps(DOMAIN.summary(result)))["image"]
    assert image["unit"] == "Jy/beam"
    assert image["peak"] == pytest.approx(1.0, rel=0.01)
    assert image["peak_pixel"] == [64, 64]
    assert 0 < image["rms"] < 0.02
    assert image["stop"] == "threshold"
    assert image["self_check"]["error_peak"] <= 3 * image["self_check"]["epsilon"]
    assert image["beam"]["bmaj_arcsec"] >= image["beam"]["bmin_arcsec"] > 0


def test_deviation_is_relative_to_the_peak():
    a = np.zeros((4, 4))
    a[1, 1] = 2.0
    b = a.copy()
    b[3, 3] = 1e-6
    assert DOMAIN.deviation("image", a, a) == (0.0, 1e-6)
    assert DOMAIN.deviation("image", a, b)[0] == pytest.approx(5e-7)
    assert DOMAIN.deviation("image", a, a[:2])[0] == np.inf


def test_a_file_that_is_no_image(tmp_path):
    (tmp_path / "image.fits").write_bytes(b"SIMPLE  = nonsense")
    with pytest.raises(DataError, match="not an image of this package"):
        DOMAIN.read(str(tmp_path))


def test_headers_say_who_observed_when_and_that_it_was_generated(result, saved):
    header = fits.getheader(saved / "image.fits")
    assert header["OBSERVER"] == header["PROJECT"] == "simulated"
    assert header["GENERATD"] is True
    assert any("generated data" in line for line in header["HISTORY"])
    assert header["RESTFRQ"] == header["CRVAL3"]
    assert header["CDELT3"] == pytest.approx(result.observation.channel_width.sum())
    assert DOMAIN.summary(result)["origin"] == "generated data"


def test_headers_of_an_observation_do_not_speak_of_generated_data(result):
    who = Responsible("N. N.", "AB123")
    real = replace(result, observation=replace(result.observation, responsible=who))
    [content] = [data for name, data in DOMAIN.files(real) if name == "dirty.fits"]
    header = fits.getheader(io.BytesIO(content))
    assert (header["OBSERVER"], header["PROJECT"]) == ("N. N.", "AB123")
    assert "GENERATD" not in header
    assert "generated" not in str(header["HISTORY"])
    assert "origin" not in DOMAIN.summary(real)


def texts(figure):
    """All that is written in a figure."""
    from matplotlib.text import Text

    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_pictures_of_generated_data_say_so(result):
    from spectrum_workflows.domain import Panel

    cycle = MajorCycle("Stokes I", 1, 1.0, 0.1, 2.0, 1e3, np.ones((8, 8), "f4"), "generated data")
    shown = DOMAIN.show([Panel("dirty", result, "dirty")], region=None, common=True)
    figures = [*dict(DOMAIN.pictures(result)).values(), DOMAIN.plot_progress([cycle]), shown]
    for figure in figures:
        assert "generated data" in texts(figure)
    who = replace(result, observation=replace(result.observation, responsible=Responsible()))
    assert "generated" not in texts(DOMAIN.plot(who))


def test_a_residual_is_drawn_symmetrically_with_white_at_zero(result):
    figure = dict(DOMAIN.pictures(result))["panels.png"]
    [axes] = [a for a in figure.axes if a.get_title() == "residual"]
    [drawn] = axes.images
    assert drawn.cmap.name == "RdBu_r"
    assert drawn.norm.vmin == -drawn.norm.vmax
