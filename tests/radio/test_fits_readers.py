"""Images as the field's readers take them: spectral-cube, and casacore, which CARTA reads with."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy import units

from spectrum_workflows.radio.types import (
    ARCSEC,
    Beam,
    Channels,
    Geometry,
    GroupImages,
    ImagingResult,
    Observation,
    Plane,
    PlaneImages,
    Responsible,
    Window,
)
from spectrum_workflows.radio.write import fits

NAMES = ("image", "psf", "model", "primary_beam", "corrected")


def result():
    """Images of one plane: two channels of 4 MHz."""
    rng = np.random.default_rng(1)
    window = Window(
        number=0,
        frequency=np.array([1.400e9, 1.404e9]),
        rows_per_time=np.ones(1, np.int64),
        times=np.array([5e9]),
        width=np.full(2, 4e6),
        spectral_frame="TOPOCENT",
    )
    observation = Observation(
        url="",
        column="DATA",
        telescope="VLA",
        object_name="3C 84",
        field=0,
        phase_centre=(3.0, 0.7),
        frame="FK5",
        windows=(window,),
        longest_baseline=1e3,
        identity="",
        responsible=Responsible("N. N.", "AB123"),
    )
    images = {name: rng.normal(size=(64, 64)) for name in ("dirty", *NAMES)}
    plane = PlaneImages(Plane(), weight_sum=1.0, visibilities=9, beam=Beam(12, 9, 25), **images)
    groups = (GroupImages((plane,)),)
    return ImagingResult("run", observation, Geometry(64, 2 * ARCSEC, 1e-4), "natural", groups)


@pytest.fixture(params=["float64", "float32"])
def made(request):
    return replace(result(), single=request.param == "float32")


def written(made, name, folder, pixels=None):
    path = folder / f"{name}.fits"
    own = getattr(made.planes[0], name) if pixels is None else pixels
    path.write_bytes(fits.encode(made, name, own))
    return str(path)


def two_planes(made):
    """The same with a plane for each channel, each with a beam of its own."""
    [one] = made.planes
    lower = replace(one, plane=Plane(0, Channels(0.0, 1.402e9)))
    upper = replace(one, plane=Plane(1, Channels(1.402e9)), beam=Beam(11, 8, 20))
    return replace(made, groups=(GroupImages((lower,)), GroupImages((upper,))))


def cube_of(path):
    spectral_cube = pytest.importorskip("spectral_cube")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Cube is a Stokes cube")
        return spectral_cube.SpectralCube.read(path, format="fits")


def test_spectral_cube_reads_unit_beam_and_frequency(made, tmp_path):
    for name in ("image", "psf", "corrected"):
        cube = cube_of(written(made, name, tmp_path))
        assert cube.unit == units.Jy / units.beam
        assert cube.beam.major.to_value("arcsec") == pytest.approx(12)
        assert cube.beam.minor.to_value("arcsec") == pytest.approx(9)
        assert cube.beam.pa.to_value("deg") == pytest.approx(25)
        assert cube.spectral_axis.to_value("Hz") == pytest.approx([1.402e9])
        pixels = np.asarray(cube.unmasked_data[0].value)
        np.testing.assert_allclose(pixels, getattr(made.planes[0], name), rtol=1e-6)


def test_spectral_cube_reads_a_beam_for_each_plane(made, tmp_path):
    cube = cube_of(written(two_planes(made), "image", tmp_path, np.zeros((1, 2, 64, 64))))
    assert cube.beams.major.to_value("arcsec") == pytest.approx([12, 11])
    assert cube.spectral_axis.to_value("Hz") == pytest.approx([1.400e9, 1.404e9])


def test_casacore_reads_unit_beam_frequency_and_observer(made, tmp_path):
    from casacore.images import image

    read = image(written(made, "image", tmp_path))
    assert read.shape() == [1, 1, 64, 64]
    assert read.unit() == "Jy/beam"
    beam = read.imageinfo()["restoringbeam"]
    assert beam["major"] == {"value": pytest.approx(12), "unit": "arcsec"}
    coordinates = read.coordinates()
    spectral = coordinates.get_coordinate("spectral")
    assert spectral.get_restfrequency() == pytest.approx(1.402e9)
    assert spectral.get_referencevalue() == pytest.approx(1.402e9)
    assert spectral.get_increment() == pytest.approx(8e6)
    assert (coordinates.get_observer(), coordinates.get_telescope()) == ("N. N.", "VLA")
    assert coordinates.get_obsdate()["m0"]["value"] == pytest.approx(5e9 / 86_400)
    np.testing.assert_allclose(read.getdata()[0, 0], made.planes[0].image, rtol=1e-6)
    assert image(written(made, "primary_beam", tmp_path)).unit() == ""
    assert image(written(made, "model", tmp_path)).unit() == "Jy/pixel"


def test_casacore_reads_a_beam_for_each_plane(made, tmp_path):
    from casacore.images import image

    path = written(two_planes(made), "image", tmp_path, np.zeros((1, 2, 64, 64)))
    beams = image(path).imageinfo()["perplanebeams"]
    assert (beams["nChannels"], beams["nStokes"]) == (2, 1)
    assert [beams[f"*{n}"]["major"]["value"] for n in (0, 1)] == pytest.approx([12, 11])
