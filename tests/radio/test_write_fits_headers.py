"""Headers and tables of images: axes of planes, bands, beams, dates, words; and their way back."""

import io
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.radio import results
from spectrum_workflows.radio.types import (
    ARCSEC,
    Agreement,
    Beam,
    Channels,
    Geometry,
    GroupImages,
    ImagingResult,
    Observation,
    Plane,
    PlaneImages,
    Responsible,
    Selection,
    SelfCheck,
    Stop,
    Use,
    Window,
)
from spectrum_workflows.radio.write import fits, reading_back
from spectrum_workflows.radio.write.axes import axes_of, band_of

from .conftest import spec_of

NPIX, CELL = 32, 8.0 * ARCSEC
LOW, HIGH = Channels(1.0e9, 1.1e9), Channels(1.1e9, 1.2e9)
HERTZ = np.array([1.02e9, 1.06e9, 1.12e9, 1.16e9])


def observation_of(frequency=HERTZ, width=None, **changes):
    width = None if width is None else np.asarray(width, float)
    window = Window(0, np.asarray(frequency, float), np.array([1]), width=width)
    window = replace(window, times=np.array([51_544.0 * 86_400 + 0.5]), spectral_frame="LSRK")
    observed = Observation(
        "x.ms", "DATA", "VLA", "3C 286", 0, (3.0, -0.5), "FK5", (window,), 1e3, ""
    )
    return replace(observed, **changes)


def plane_of(number=0, channels=LOW, stokes="I", beam=None, **images):
    dirty = np.random.default_rng(number).normal(size=(NPIX, NPIX))
    plane = PlaneImages(Plane(number, channels, stokes), dirty, 2.0 + number, 10 + number)
    return replace(plane, beam=beam, **images)


def result_of(*planes, **changes):
    groups = (GroupImages(tuple(planes)),)
    geometry = Geometry(NPIX, CELL, 1e-4)
    made = ImagingResult("small", observation_of(width=[4e6] * 4), geometry, "briggs 0", groups)
    return replace(made, **changes)


def header_of(result, name="dirty", **options):
    content = fits.encode(result, name, results.arrays(result)[name], **options)
    with astropy_fits.open(io.BytesIO(content)) as hdus:
        hdus.verify("exception")
        return hdus[0].header.copy(), [hdu.copy() for hdu in hdus[1:]]


FOUR = tuple(
    plane_of(n, channels, stokes, Beam(20.0 + n, 10.0, 5.0 * n))
    for n, (stokes, channels) in enumerate((s, c) for s in "IV" for c in (LOW, HIGH))
)
"""Two Stokes parameters in two bands."""


# Axes and bands


def test_planes_lie_on_axes_of_stokes_and_channels():
    axes = axes_of(tuple(plane.plane for plane in FOUR))
    assert axes.stokes == ("I", "V")
    assert axes.channels == (LOW, HIGH)
    assert axes_of((Plane(),)).channels == (Channels(),)


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (0, 1, 3), (0, 0)])
def test_planes_in_another_order_or_not_all_of_them_are_refused(order):
    with pytest.raises(DataError, match="in this order") as caught:
        axes_of(tuple(FOUR[n].plane for n in order))
    assert caught.value.remedy == "write them in several runs"


@pytest.mark.parametrize(
    ("width", "low", "high"),
    [
        (None, 1.02e9 - 0.07e9 / 3, 1.06e9 + 0.07e9 / 3),  # half of how far they lie apart
        ([2e6, 4e6, 6e6, 8e6], 1.019e9, 1.062e9),
        ([-2e6, -4e6, 6e6, 8e6], 1.019e9, 1.062e9),
        ([np.nan, 4e6, 6e6, 8e6], 1.02e9 - 0.07e9 / 3, 1.062e9),
    ],
)
def test_a_band_reaches_to_the_ends_of_its_channels(width, low, high):
    band = band_of(observation_of(width=width), LOW)
    assert (band.low, band.high) == pytest.approx((low, high), rel=1e-12)


def test_one_channel_of_unknown_width_is_a_band_without_width():
    band = band_of(observation_of([1.05e9]), LOW)
    assert (band.low, band.high, band.centre) == (1.05e9, 1.05e9, 1.05e9)
    header, _ = header_of(result_of(plane_of(), observation=observation_of([1.05e9])))
    assert (header["CRVAL3"], header["CDELT3"]) == (1.05e9, 1.0)


@settings(max_examples=25)
@given(st.permutations(range(4)), st.booleans())
def test_a_band_does_not_depend_on_the_order_of_channels(order, widths):
    width = np.array([1e6, 2e6, 3e6, 4e6])
    own = (HERTZ[list(order)], width[list(order)] if widths else None)
    assert band_of(observation_of(*own), LOW) == band_of(
        observation_of(HERTZ, width if widths else None), LOW
    )


# Headers


def test_a_cube_has_its_axes_and_a_keyword_of_each_plane():
    header, [table] = header_of(result_of(*FOUR))
    assert [header[f"NAXIS{n}"] for n in (1, 2, 3, 4)] == [NPIX, NPIX, 2, 2]
    assert [header[f"CTYPE{n}"] for n in (3, 4)] == ["FREQ", "STOKES"]
    assert [header[f"CRVAL{n}"] for n in (3, 4)] == pytest.approx([1.04e9, 1.0])
    assert [header[f"CDELT{n}"] for n in (3, 4)] == pytest.approx([0.1e9, 3.0])  # I is 1, V is 4
    assert [header[f"NVIS{n}"] for n in (1, 2, 3, 4)] == [10, 11, 12, 13]
    assert header["FREQ2"] == header["FREQ4"] == pytest.approx(1.14e9)
    assert header.comments["FREQ4"] == "Stokes V, 1100 to 1200 MHz"
    assert "NVIS" not in header
    assert header["CASAMBM"] is True
    assert header["BMAJ3"] == pytest.approx(22.0 / 3600)
    assert table.data["BMAJ"].tolist() == [20, 21, 22, 23]
    assert table.data["CHAN"].tolist() == [0, 1, 0, 1]
    assert table.data["POL"].tolist() == [0, 0, 1, 1]
    assert (table.header["NCHAN"], table.header["NPOL"]) == (2, 2)


def test_a_table_of_beams_needs_a_beam_of_each_plane():
    planes = (FOUR[0], replace(FOUR[1], beam=None))
    header, tables = header_of(result_of(*planes))
    assert tables == []
    assert "CASAMBM" not in header
    assert "BMAJ1" in header
    assert "BMAJ2" not in header


@pytest.mark.parametrize("name", ["model", "primary_beam"])
def test_what_is_not_in_a_beam_has_none(name):
    images = {name: np.ones((NPIX, NPIX))}
    beam = Beam(9.0, 9.0, 0.0)
    header, _ = header_of(result_of(plane_of(beam=beam, **images)), name)
    assert "BMAJ" not in header
    assert header["BUNIT"] == {"model": "Jy/pixel", "primary_beam": ""}[name]


@pytest.mark.parametrize("npix", [32, 34])
def test_the_phase_centre_is_the_pixel_after_the_middle(npix):
    plane = replace(plane_of(), dirty=np.zeros((npix, npix)))
    header, _ = header_of(result_of(plane, geometry=Geometry(npix, CELL, 1e-4)))
    assert header["CRPIX1"] == header["CRPIX2"] == npix // 2 + 1
    assert (header["CDELT1"], header["CDELT2"]) == pytest.approx((-8 / 3600, 8 / 3600))
    assert (header["CRVAL1"], header["CRVAL2"]) == pytest.approx(np.degrees((3.0, -0.5)))


@pytest.mark.parametrize(("frame", "equinox"), [("FK5", 2000.0), ("ICRS", None)])
def test_an_equinox_belongs_to_fk5(frame, equinox):
    header, _ = header_of(result_of(plane_of(), observation=observation_of(frame=frame)))
    assert header["RADESYS"] == frame
    assert header.get("EQUINOX") == equinox
    assert header["SPECSYS"] == "LSRK"


def with_times(*seconds):
    observation = observation_of()
    window = replace(observation.windows[0], times=np.array(seconds, float))
    return replace(observation, windows=(window,))


def test_the_date_is_that_of_the_first_time():
    header, _ = header_of(result_of(plane_of()))
    assert header["DATE-OBS"] == "2000-01-01T00:00:00.500"
    assert header["MJD-OBS"] == pytest.approx(51_544 + 0.5 / 86_400)
    whole = result_of(plane_of(), observation=with_times(86_400.0 * 51_544))
    assert header_of(whole)[0]["DATE-OBS"] == "2000-01-01T00:00:00"


@pytest.mark.parametrize("seconds", [(), (0.0,), (-5.0,), (1e300,), (np.nan,)])
def test_what_is_no_time_is_no_date(seconds):
    header, _ = header_of(result_of(plane_of(), observation=with_times(*seconds)))
    assert not {"DATE-OBS", "MJD-OBS", "TIMESYS"} & {*header}


@settings(max_examples=15)
@given(name=st.text(max_size=90), observer=st.text(max_size=20))
def test_any_words_make_a_header(name, observer):
    responsible = Responsible(observer, "")
    observed = observation_of(object_name=name, responsible=responsible)
    header, _ = header_of(result_of(plane_of(), observation=observed))
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in name)
    assert header["OBJECT"] == plain.rstrip(" ")  # blanks at an end mean nothing in FITS
    assert ("OBSERVER" in header) == bool(observer)


def test_the_history_tells_of_hands_of_clean_and_of_warnings():
    observed = observation_of(selection=Selection(hands="XX"))
    group = GroupImages((plane_of(model=np.zeros((NPIX, NPIX))),), stop=Stop.SIGMA, major=3)
    result = result_of(
        observation=observed, groups=(group,), warnings=("beam of 3λ",), weighting="uniform"
    )
    header, _ = header_of(result, warnings=["not\nall"])
    assert [*header["HISTORY"]] == [
        "gridding accuracy 0.0001, weights uniform",
        "pseudo-I, of hands: XX; Stokes I where nothing is polarised",
        "CLEAN: 0 iterations, 3 major cycles",
        f"CLEAN stopped: {Stop.SIGMA.value}",
        "warning: beam of 3?",
        "warning: not?all",
    ]


# Back


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("planes", [FOUR[:1], FOUR], ids=["one", "four"])
def test_pixels_come_back_as_an_image_or_a_cube(planes, single):
    images = tuple(replace(p, dirty=p.dirty.astype(np.float32).astype(float)) for p in planes)
    result = result_of(*images, single=single)
    [array] = results.arrays(result).values()
    back = fits.decode(fits.encode(result, "dirty", array), "dirty.fits")
    assert back.shape == ((NPIX, NPIX) if len(planes) == 1 else (2, 2, NPIX, NPIX))
    assert back.tobytes() == array.tobytes()
    assert back.dtype == np.float64


def fits_of(data):
    astropy_fits.PrimaryHDU(data).writeto(buffer := io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no FITS at all",
        fits_of(None),
        fits_of(np.zeros((4, 4))),
        fits_of(np.zeros((2, 4, 4))),
        fits_of(np.zeros((1, 1, 1, 4, 4))[..., 0, :, :, :].reshape(1, 1, 1, 2, 8)),
    ],
    ids=["empty", "text", "no pixels", "two axes", "three axes", "five axes"],
)
def test_other_files_are_no_images_of_ours(content):
    with pytest.raises(DataError, match="not an image of this package") as caught:
        fits.decode(content, "x.fits")
    assert caught.value.where == "x.fits"
    assert caught.value.remedy == "run the workflow again"


@pytest.mark.filterwarnings("ignore:File may have been truncated")
def test_a_file_that_was_cut_off_is_no_image():
    content = fits.encode(result := result_of(plane_of()), "dirty", result.planes[0].dirty)
    with pytest.raises(DataError, match="not an image of this package"):
        fits.decode(content[: len(content) // 2], "x.fits")


def test_two_runs_of_other_pixels_are_told_apart_by_their_headers():
    one = fits.encode(result := result_of(plane_of()), "dirty", result.planes[0].dirty)
    moved = replace(result, observation=observation_of(phase_centre=(3.1, -0.5)))
    two = fits.encode(moved, "dirty", result.planes[0].dirty)
    differing = {key for key, value in fits.sky(one).items() if fits.sky(two)[key] != value}
    assert differing == {"CRVAL1"}


def saved(result, folder):
    """The files of a result in a folder, and what a record holds of it."""
    for name, data in results.files(result):
        storage.write_bytes(f"{folder}/{name}", data)
    return results.summary(result) | {"warnings": list(result.warnings)}


SPEC = {"image": {"npix": NPIX, "cell_arcsec": 8.0}, "name": "small"}


def test_a_result_of_several_planes_comes_back_with_its_groups():
    check = SelfCheck(1e-4, float("nan"), 2e-4, 5, 32, 0.1)
    agreement = Agreement(3, 0, 1, float("nan"), float("nan"))
    first = replace(FOUR[0], self_check=check, agreement=agreement, sources=())
    groups = (
        GroupImages((first, FOUR[1]), Use(9, 1, 2, 3, 1), Stop.SIGMA, 2, 7, 0.5),
        GroupImages((FOUR[2], FOUR[3])),
    )
    result = result_of(groups=groups, warnings=("something",))
    back = reading_back.load(
        "memory://back", spec_of(**SPEC), summary := saved(result, "memory://back")
    )
    assert results.summary(back) | {"warnings": ["something"]} == summary
    assert [len(group.planes) for group in back.groups] == [2, 2]
    assert back.groups[0].use == Use(9, 1, 2, 3, 1)
    assert [plane.plane for plane in back.planes] == [plane.plane for plane in FOUR]
    for old, new in zip(result.planes, back.planes, strict=True):
        assert new.dirty.tobytes() == old.dirty.tobytes()
        assert new.beam == old.beam
    assert back.observation.frequency.tolist() == pytest.approx([1.04e9, 1.14e9])
    assert back.observation.phase_centre == pytest.approx((3.0, -0.5))


@pytest.mark.parametrize(
    "summary",
    [
        {},
        {"image": {}},
        {"image": None},
        {"planes": [{"weighting": "natural"}]},
        {"image": {"weighting": "natural", "stop": "tired"}},
    ],
    ids=str,
)
def test_a_record_of_something_else_is_refused(summary):
    saved(result_of(plane_of()), "memory://wrong")
    with pytest.raises(DataError, match="not a saved result of this spec") as caught:
        reading_back.load("memory://wrong", spec_of(**SPEC), summary)
    assert caught.value.remedy == "run it again"


def test_a_folder_without_image_is_not_found():
    with pytest.raises(DataNotFoundError):
        reading_back.load("memory://nothing-here", spec_of(**SPEC), {})
