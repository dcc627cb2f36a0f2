"""What a radio spec refuses, key by key, and what stands at the edge of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spectrum_workflows.radio.spec import (
    SELF_CHECK_NPIX,
    CleanSpec,
    ImageSpec,
    PrimaryBeamSpec,
    RadioSpec,
    RestoreSpec,
    SelectSpec,
    SimulationSpec,
    SourceSpec,
)
from spectrum_workflows.radio.types import ARCSEC

IMAGE = {"npix": 64, "cell_arcsec": 10.0}


def refused(model, words, **keys):
    with pytest.raises(ValidationError, match=words):
        model.model_validate(keys)


def spec(**keys):
    return RadioSpec.model_validate({"name": "x", "data_set": "x", "image": IMAGE} | keys)


# The image


@settings(max_examples=40)
@given(npix=st.integers(16, 33_000).map(lambda n: 2 * n), cell=st.floats(1e-6, 1e6))
def test_an_image_lies_above_the_horizon_up_to_its_corners(npix, cell):
    corner = npix / 2 * cell * ARCSEC * 2**0.5
    if npix > 65_536 or corner >= 1:
        refused(ImageSpec, "beyond the horizon|less than or equal", npix=npix, cell_arcsec=cell)
    else:
        assert ImageSpec(npix=npix, cell_arcsec=cell).epsilon == 1e-4


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"npix": 30}, "greater than or equal to 32"),
        ({"npix": 65_538}, "less than or equal to 65536"),
        ({"npix": 33}, "multiple of 2"),
        ({"cell_arcsec": 0.0}, "greater than 0"),
        ({"cell_arcsec": float("inf")}, "finite number"),
        ({"cell_arcsec": float("nan")}, "finite number|greater than 0"),
        ({"epsilon": 0.02}, "less than or equal to 0.01"),
        ({"epsilon": 0.0}, "greater than or equal to 0.000000000001"),
    ],
    ids=str,
)
def test_pixels_that_make_no_image(keys, words):
    refused(ImageSpec, words, **IMAGE | keys)


# The selection


@pytest.mark.parametrize("key", ["channels", "frequencies_hz"])
@pytest.mark.parametrize("ends", [(5, 5), (6, 5)])
def test_ranges_rise_and_hold_something(key, ends):
    refused(SelectSpec, "a range ends where it begins, or before: ", **{key: [(1, 2), ends]})
    assert getattr(SelectSpec.model_validate({key: [(5, 6)]}), key) == ((5, 6),)


@pytest.mark.parametrize("key", ["uv_m", "uv_wavelengths"])
def test_a_uv_range_begins_at_nought_and_rises(key):
    refused(SelectSpec, "the range ends where it begins, or before: 3.0 to 3.0", **{key: (3, 3)})
    refused(SelectSpec, "greater than or equal to 0", **{key: (-1, 3)})
    refused(SelectSpec, "finite number", **{key: (0, float("inf"))})
    assert getattr(SelectSpec.model_validate({key: (0, 3)}), key) == (0, 3)


def test_times_have_no_zone_and_rise():
    ends = "2024-05-01T10:00:00", "2024-05-01T10:30:00"
    assert len(SelectSpec(times=(ends,)).times) == 1
    refused(SelectSpec, "a range ends where it begins", times=[ends[::-1]])
    refused(SelectSpec, "should not have timezone info", times=[(f"{ends[0]}Z", f"{ends[1]}Z")])
    for numbers in ((3, 7), (4.9e9, ends[1]), ("3", "7")):
        refused(SelectSpec, "a time is a date in UTC, such as", times=[numbers])
    for other in (ends, 5, None, "5"):
        refused(SelectSpec, "valid tuple", times=other)


# CLEAN and restoring


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"scales": (30.0, 20.0)}, "scales must rise"),
        ({"scales": (30.0, 30.0)}, "scales must rise"),
        ({"auto_mask": 5.0}, "auto_mask needs the depth to go on to: sigma or threshold"),
        ({"auto_mask": 3.0, "sigma": 3.0}, "auto_mask must exceed sigma"),
        ({"local_rms": 10.0}, "local_rms needs sigma"),
        ({"local_rms": 10.0, "sigma": 3.0, "threshold": 0.1}, "no threshold"),
        ({"local_rms": 4.9, "sigma": 3.0}, "greater than or equal to 5"),
        ({"residual": "psf"}, 'residual = "psf" is gone.*remove the line'),
        ({"gain": 1.1}, "less than or equal to 1"),
        ({"mgain": 1.0}, "less than 1"),
        ({"scale_bias": 0.0}, "greater than 0"),
        ({"scale_bias": 0.6}, "scale_bias is between scales, and there are none"),
    ],
    ids=str,
)
def test_cleaning_that_makes_no_sense(keys, words):
    refused(CleanSpec, words, **keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"auto_mask": 5.0, "sigma": 3.0},
        {"auto_mask": 5.0, "threshold": 9.0},
        {"local_rms": 5.0, "sigma": 3.0},
        {"residual": "exact"},
        {"scales": "auto"},
        {"scales": "auto", "scale_bias": 0.6},
        {"gain": 1.0},
    ],
    ids=str,
)
def test_cleaning_that_does(keys):
    CleanSpec.model_validate(keys)


@pytest.mark.parametrize(
    ("scales", "fits"),
    [((30.0,), True), ((29.9,), False), ((30.0, 320.0), True), ((30.0, 321.0), False)],
)
def test_scales_are_three_pixels_at_least_and_half_the_image_at_most(scales, fits):
    keys = {"clean": {"scales": scales}}
    if fits:
        spec(**keys)
    else:
        refused(
            RadioSpec,
            "at least 3 pixels, at most half",
            name="x",
            data_set="x",
            image=IMAGE,
            **keys,
        )


def test_a_beam_is_not_wider_across():
    RestoreSpec(bmaj_arcsec=3.0, bmin_arcsec=3.0)
    refused(RestoreSpec, "must not exceed", bmaj_arcsec=3.0, bmin_arcsec=3.1)
    refused(PrimaryBeamSpec, "less than 1", cut=1.0)
    refused(PrimaryBeamSpec, "greater than or equal to 0.05", cut=0.04)


# The whole


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"clean": {}, "image": IMAGE | {"psf": False}}, "needs the PSF"),
        ({"restore": {"bmaj_arcsec": 3.0, "bmin_arcsec": 2.0}}, r"add a \[clean\] table"),
        ({"spectral_window": 0, "data_description": 0}, "not both"),
        ({"field": -1}, "greater than or equal to 0"),
        ({"column": ""}, "at least 1 character"),
        ({"hands": "RL"}, "'both'"),
        ({"strips": {"count": 257}}, "less than or equal to 256"),
        ({"strips": {"count": 0}}, "greater than or equal to 1"),
    ],
    ids=str,
)
def test_keys_that_do_not_go_together(keys, words):
    refused(RadioSpec, words, **{"name": "x", "data_set": "x", "image": IMAGE} | keys)


@pytest.mark.parametrize("ending", [".ms", ".zarr", ".uvfits", ".uvh5", ".ms/"])
def test_what_is_made_has_no_suffix_in_its_name_yet(ending):
    keys = {"name": "x", "data_set": f"x{ending}", "image": IMAGE}
    RadioSpec.model_validate(keys)
    refused(RadioSpec, "without its suffix: it is a .uvh5", **keys, synthetic={"format": "uvh5"})


@pytest.mark.parametrize(
    ("npix", "asked", "checks"),
    [
        (SELF_CHECK_NPIX, None, True),
        (SELF_CHECK_NPIX + 2, None, False),
        (SELF_CHECK_NPIX + 2, True, True),
        (32, False, False),
    ],
)
def test_small_images_check_themselves_unless_told_otherwise(npix, asked, checks):
    own = spec(image={"npix": npix, "cell_arcsec": 1.0}, self_check=asked)
    assert own.checks_itself == checks


# Simulations


def field(name="A", **keys):
    return {"name": name, "right_ascension_deg": 0.0, "declination_deg": 0.0} | keys


POINT = {"name": "P", "flux_jy": 1.0, "east_arcsec": 0.0, "north_arcsec": 0.0}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"hour_angles": (2.0, 2.0)}, "hour_angles must rise"),
        ({"hour_angles": (-12.1, 2.0)}, "lie between -12 and 12"),
        ({"hour_angles": (0.0, 12.1)}, "lie between -12 and 12"),
        ({"flux_jy": (0.2, 0.2)}, "flux_jy must rise"),
        ({"hands": "RR"}, "linear feeds have XX and YY"),
        ({"hands": "XX", "feeds": "circular"}, "circular feeds have RR and LL"),
        ({"fields": [field()], "point_sources": 1}, "none beside them"),
        ({"fields": [field()], "sources": [POINT]}, "none beside them"),
        ({"fields": [field(), field()]}, "different names"),
        ({"turns": 2}, "turns are taken by several fields"),
        ({"turns": 2, "fields": [field()]}, "turns are taken by several fields"),
        ({"right_ascension_deg": 360.0}, "less than 360"),
        ({"declination_deg": 90.1}, "less than or equal to 90"),
        (
            {"format": "uvfits", "windows": [{"frequency_hz": 1e9, "channels": n} for n in (4, 5)]},
            "windows of UVFITS have equal numbers of channels",
        ),
    ],
    ids=str,
)
def test_observations_that_cannot_be_simulated(keys, words):
    refused(SimulationSpec, words, **keys)


def test_windows_of_equal_numbers_of_channels_become_uvfits():
    windows = [{"frequency_hz": 1e9}, {"frequency_hz": 2e9, "channels": 16}]
    SimulationSpec.model_validate({"format": "uvfits", "windows": windows})
    other = [*windows, {"frequency_hz": 3e9, "channels": 8}]
    SimulationSpec.model_validate({"format": "uvh5", "windows": other})


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"fwhm_arcsec": 3.0, "ring_arcsec": (1.0, 2.0)}, "is a Gaussian .* or a ring"),
        ({"ring_arcsec": (3.0, 2.0)}, "the inner and then the outer diameter"),
        ({"ring_arcsec": (0.0, 0.0)}, "greater than 0"),
        ({"flux_jy": 0.0}, "greater than 0"),
        ({"east_arcsec": float("nan")}, "finite number"),
    ],
    ids=str,
)
def test_a_source_has_one_shape(keys, words):
    refused(SourceSpec, words, **POINT | keys)
    SourceSpec.model_validate(POINT | {"ring_arcsec": (2.0, 2.0)})
