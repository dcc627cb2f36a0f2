"""Numbers of results: deviations, records, folders of fields, scales and regions of pictures."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spectrum_workflows import storage
from spectrum_workflows.domain.panel import Panel
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import fields, results
from spectrum_workflows.radio.imaging import gate
from spectrum_workflows.radio.plot.images import ticks
from spectrum_workflows.radio.plot.showing import _colours, round_length, shown, window_of
from spectrum_workflows.radio.types import (
    ARCSEC,
    Beam,
    FieldResults,
    Geometry,
    GroupImages,
    SelfCheck,
    Stop,
    Use,
    folders,
)
from spectrum_workflows.radio.types.progress import MajorCycle, jansky
from spectrum_workflows.radio.types.robust import robust_rms

from .conftest import spec_of
from .test_write_fits_headers import FOUR, NPIX, SPEC, observation_of, plane_of, result_of, saved

IMAGES = arrays.arrays(
    np.float64, (3, 4), elements=st.floats(-1e6, 1e6, allow_subnormal=False) | st.just(np.nan)
)

# Deviations


@settings(max_examples=40)
@given(IMAGES, IMAGES, st.sampled_from([0.25, -2.0]))
def test_a_deviation_is_symmetric_and_free_of_units(a, b, factor):
    one = results.deviation("image", a, b).found
    assert results.deviation("image", b, a).found == one
    assert results.deviation("image", a, a).found == 0
    if (np.isnan(a) != np.isnan(b)).any():
        assert one == np.inf
    elif np.abs(np.nan_to_num([a, b])).max() > 1e-200:
        scaled = results.deviation("image", factor * a, factor * b).found
        assert scaled == pytest.approx(one, rel=1e-12)
        assert one <= 2


def test_images_that_are_nought_or_unknown_everywhere_do_not_differ():
    for same in (np.zeros((2, 2)), np.full((2, 2), np.nan)):
        assert results.deviation("image", same, same.copy()).found == 0


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (1, 2, 2), (4,), (0,)])
def test_images_of_other_shapes_differ_beyond_all_bounds(shape):
    assert results.deviation("image", np.zeros((2, 2)), np.zeros(shape)).found == np.inf


# Arrays and records


def test_planes_become_a_cube_in_the_order_of_its_axes():
    made = results.arrays(result_of(*FOUR))
    assert made["dirty"].shape == (2, 2, NPIX, NPIX)
    for number, plane in enumerate(FOUR):
        np.testing.assert_array_equal(made["dirty"][divmod(number, 2)], plane.dirty)


def test_an_image_that_one_plane_lacks_is_unknown_there():
    residual = np.ones((NPIX, NPIX))
    made = results.arrays(result_of(replace(FOUR[0], residual=residual), FOUR[1]))["residual"]
    assert (made[0, 0] == 1).all()
    assert np.isnan(made[0, 1]).all()


def test_a_summary_has_the_peak_of_the_image_and_the_noise_of_the_residual():
    image, residual = np.zeros((NPIX, NPIX)), np.random.default_rng(0).normal(size=(NPIX, NPIX))
    image[5, 7], image[1, 1] = 3.0, -9.0
    plane = plane_of(image=image, residual=residual, model=image, beam=Beam(3.0, 2.0, 10.0))
    numbers = results.summary(result_of(plane))["image"]
    assert (numbers["peak"], numbers["peak_pixel"]) == (3.0, [5, 7])
    assert numbers["rms"] == robust_rms(residual)
    assert numbers["model_flux_jy"] == -6.0
    dirty = results.summary(result_of(plane_of()))["image"]
    assert dirty["rms"] == robust_rms(plane_of().dirty)
    assert dirty["peak"] == plane_of().dirty.max()


def test_numbers_that_are_none_become_null():
    check = SelfCheck(1e-4, np.inf, np.nan, 1, 1, 0.0)
    group = GroupImages((plane_of(self_check=check),), threshold=np.inf)
    text = json.dumps(results.summary(result_of(groups=(group,))), allow_nan=False)
    image = json.loads(text)["image"]
    assert image["threshold"] is None
    assert image["self_check"]["error_peak"] is None


def test_a_table_has_a_flat_row_of_every_plane():
    group = GroupImages(FOUR, Use(9, 1, 2, 3, 1), Stop.SIGMA)
    rows = results.table(result_of(groups=(group,)))
    assert [row["plane"] for row in rows] == [plane.plane.where for plane in FOUR]
    assert rows[2]["bmaj_arcsec"] == 22.0
    assert rows[0]["use_unusable"] == 2
    assert not [value for row in rows for value in row.values() if isinstance(value, dict | list)]
    bare = results.table(result_of(plane_of()))
    assert "bmaj_arcsec" not in bare[0]


# Folders of fields


@settings(max_examples=60)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=5))
def test_every_field_has_a_folder_of_its_own(names):
    seen = [SimpleNamespace(field=3 * n, object_name=name) for n, name in enumerate(names)]
    own = folders(seen)
    assert len({name.lower() for name in own}) == len(names)
    for name in own:
        assert name.isascii()
        assert not {*name} & {*"/\\: "}
        assert fields._is_name(name)
        assert not name.startswith(".")


def two_fields(**changes):
    observed = (
        observation_of(width=[4e6] * 4, field=n, object_name=name)
        for n, name in ((0, "A B"), (4, "C"))
    )
    own = [result_of(plane_of(), observation=each, **changes) for each in observed]
    return FieldResults("small", tuple(own))


def test_names_of_several_fields_stand_below_their_folders():
    result = two_fields(warnings=("odd",))
    assert result.folders == ("A_B", "C")
    assert set(fields.arrays(result)) == {"A_B/dirty", "C/dirty"}
    assert fields.warnings(result) == ("A_B: odd", "C: odd")
    assert [row["field"] for row in fields.table(result)] == ["A_B", "C"]
    assert fields.shown(result) == ("A_B/dirty", "C/dirty")
    assert result["C"] is result.fields[1]
    assert set(fields.arrays(result["C"])) == {"dirty"}


def test_several_fields_come_back_with_their_own_warnings():
    result = two_fields(warnings=("odd: very",))
    for name, data in fields.files(result):
        storage.write_bytes(f"memory://fields/{name}", data)
    told = {**fields.summary(result), "warnings": [*fields.warnings(result)]}
    back = fields.load("memory://fields", spec_of(**SPEC), json.loads(json.dumps(told)))
    assert back.folders == result.folders
    assert [own.observation.field for own in back.fields] == [0, 4]
    assert fields.warnings(back) == fields.warnings(result)
    read = fields.read("memory://fields")
    for name, array in fields.arrays(result).items():
        np.testing.assert_array_equal(read[name], array)
    assert set(fields.axes("memory://fields")) > {"C/CRVAL1", "A_B/CDELT2"}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'"A"', b"[1]", b'["A/B"]', b'[".."]', b'[""]', b"\xff"]
)
def test_a_list_of_fields_that_is_none_is_refused(content):
    storage.write_bytes("memory://listed/fields.json", content)
    with pytest.raises(DataError, match="not a list of fields") as caught:
        fields.read("memory://listed")
    assert caught.value.where == "memory://listed/fields.json"
    assert caught.value.remedy == "run it again"


def test_a_run_of_one_field_has_no_list():
    saved(result_of(plane_of()), "memory://alone")
    assert set(fields.read("memory://alone")) == {"dirty"}


# Pictures


@settings(max_examples=50)
@given(st.floats(1e-6, 59.9) | st.floats(60, 1e6))
def test_a_bar_is_round_and_nearly_as_long_as_it_may_be(arcsec):
    length = round_length(arcsec)
    assert arcsec / 2.5 < length <= arcsec * (1 + 1e-9)
    unit = length / 60 if arcsec >= 60 else length
    assert float(f"{unit:.0e}") == pytest.approx(unit)


@settings(max_examples=50)
@given(st.floats(1e-9, 1e3), st.floats(5, 1e6))
def test_ticks_rise_within_the_scale_and_there_are_some(rms, ratio):
    found = ticks(rms, ratio * rms)
    assert 0 in found
    assert (np.diff(found) > 0).all()
    assert len(found) >= 3
    assert -3 * rms <= found[0]
    assert found[-1] <= ratio * rms


@settings(max_examples=40)
@given(
    east=st.floats(-140, 140),
    north=st.floats(-140, 140),
    side=st.floats(1, 500),
    npix=st.sampled_from([32, 33]),
)
def test_a_region_holds_its_middle_and_stays_in_the_image(east, north, side, npix):
    result = result_of(plane_of(), geometry=Geometry(npix, 8 * ARCSEC, 1e-4))
    row, column = npix // 2 + north / 8, npix // 2 - east / 8
    if not (0 <= row <= npix - 1 and 0 <= column <= npix - 1):
        return
    region = window_of(result, (east, north, side))
    for part, middle in ((region.rows, row), (region.columns, column)):
        assert 0 <= part.start <= middle <= part.stop <= npix
        assert part.stop - part.start <= side / 8 + 3


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ((0.0, 0.0), "a region is"),
        ((0.0, 0.0, 0.0), "a region is"),
        ((0.0, 0.0, float("nan")), "a region is"),
        ((5000.0, 0.0, 10.0), "outside the image"),
        ((0.0, -5000.0, 10.0), "outside the image"),
    ],
)
def test_regions_that_hold_nothing(region, words):
    with pytest.raises(ValueError, match=words):
        window_of(result_of(plane_of()), region)


def test_what_was_made_can_be_shown_plane_by_plane():
    ones = np.ones((NPIX, NPIX))
    result = result_of(replace(FOUR[0], psf=ones, image=ones), FOUR[1])
    assert shown(result) == ("image", "dirty", "psf", "dirty@1")


@pytest.mark.parametrize("kind", ["sky", "residual", "model", "psf", "primary_beam"])
@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_every_image_has_a_scale_even_a_flat_one(kind, value):
    norm = _colours(kind, [np.full((4, 4), value)])["norm"]
    assert np.isfinite([norm.vmin, norm.vmax]).all()
    assert norm.vmin < norm.vmax
    assert 0.0 <= float(norm(0.5 * (norm.vmin + norm.vmax))) <= 1.0


def test_common_scales_hold_all_images():
    rng = np.random.default_rng(0)
    faint, strong = rng.normal(size=(2, 30, 30)) * [[[1.0]], [[50.0]]]
    norm = _colours("residual", [faint, strong])["norm"]
    assert norm.vmax == -norm.vmin == 5 * robust_rms(strong)
    assert _colours("sky", [faint, strong])["norm"].vmax >= np.abs(strong).max()


@settings(max_examples=40)
@given(st.floats(1e-9, 1e6), st.sampled_from([1, -1]))
def test_fluxes_are_said_to_four_digits_with_a_prefix(value, sign):
    number, unit = jansky(sign * value).split()
    factor = {"Jy": 1.0, "mJy": 1e-3, "µJy": 1e-6, "nJy": 1e-9}[unit]
    assert float(number) * factor == pytest.approx(sign * value, rel=6e-4)
    assert value >= 1 or abs(float(number)) <= 1000


def test_a_cycle_is_said_in_a_line():
    cycle = MajorCycle("Stokes I", 2, 0.25, 1e-3, 1.5, 100.0)
    words = "Stokes I, major cycle 2: residual peak 250 mJy/beam, rms 1 mJy/beam, model 1.5 Jy"
    assert cycle.line == words
    assert ", rms" not in replace(cycle, rms=float("nan")).line


# Warnings of a result about itself


def warned(*planes, **of_group):
    return gate.warnings(result_of(groups=(GroupImages(tuple(planes), **of_group),)))


@pytest.mark.parametrize("name", ["dirty", "psf", "residual", "model", "image"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_that_is_not_finite_is_named(name, value):
    bad = np.ones((NPIX, NPIX))
    bad[3, 4] = value
    assert f"{name} holds values that are not finite" in warned(plane_of(**{name: bad}))


def test_warnings_of_several_planes_name_theirs():
    nothing = replace(FOUR[3], dirty=np.zeros((NPIX, NPIX)))
    [line] = [line for line in warned(*FOUR[:3], nothing) if "0 everywhere" in line]
    assert line == "Stokes V, 1100 to 1200 MHz: the image is 0 everywhere: is DATA filled in?"


def test_what_is_unused_is_told_once_for_a_group():
    lines = warned(*FOUR, use=Use(100, 51, 0, 0))
    assert lines == ("Stokes I, 1000 to 1100 MHz: 51.0% of the visibilities are flagged",)


@pytest.mark.parametrize(
    ("use", "count"),
    [
        (Use(0, 0, 0, 0), 0),
        (Use(100, 50, 0, 0), 0),
        (Use(10_000, 0, 10, 0), 0),
        (Use(10_000, 0, 11, 0), 1),
        (Use(100, 99, 1, 0), 2),
        (Use(10_000, 0, 0, 1), 1),
    ],
)
def test_shares_are_told_above_their_limits(use, count):
    assert len(warned(plane_of(), use=use)) == count


def test_numbers_that_are_finite_are_handed_on():
    values = np.ones(3)
    assert gate.finite(values, "the image", "here") is values
    with pytest.raises(DataError, match="here: the image holds values that are not finite; look"):
        gate.finite(np.array([1.0, np.nan]), "the image", "here")


def test_a_panel_belongs_to_the_field_of_its_folder():
    result = two_fields()
    own, plain = fields._of(Panel("t", result, "C/dirty").result, "C/dirty")
    assert (own, plain) == (result.fields[1], "dirty")
