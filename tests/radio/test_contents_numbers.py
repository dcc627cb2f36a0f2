"""What is told of a set, from inventories in memory: counts, dates, and an image to begin with."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import contents as told
from spectrum_workflows.radio.contents import contents, suggested
from spectrum_workflows.radio.plot.array import _on_the_ground
from spectrum_workflows.radio.read import formats
from spectrum_workflows.radio.read.inventory import (
    Inventory,
    ListedField,
    ListedWindow,
    RowBlock,
)
from spectrum_workflows.radio.read.reader import Reader
from spectrum_workflows.radio.spec import ImageSpec
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT, Antennas

DAY = 86_400.0 * 51_544  # 2000-01-01


def inventory(*blocks, mhz=(1400.0, 1401.0), diameter=(25.0, 25.0, np.nan), fields=None, **more):
    position = np.array([[1.6e6, -5e6, 3.5e6], [np.nan] * 3, [0.0] * 3])
    hertz = 1e6 * np.array(mhz)
    window = ListedWindow(0, "low", hertz, np.full(len(hertz), 1e6), "TOPOCENT", ("XX", "YY"))
    fields = fields or (ListedField(0, "A", (-0.1, 0.5), "FK5"),)
    antennas = Antennas(("A1", "A2", "A3"), position, np.array(diameter))
    known = Inventory(
        "VLA", "", "", ("DATA",), fields, (window,), antennas, "UTC", lambda: iter(blocks)
    )
    return known if not more else Inventory(**vars(known) | more)


def block(time, first, second, uvw=None, *, field=0, window=0, flagged=0, scan=None):
    """Some rows; each argument is a list or holds for all of them."""
    count = len(time)

    def filled(values):
        return np.broadcast_to(np.asarray(values), count).astype(np.int64)

    uvw = np.tile([3.0, 4.0, 0.0], (count, 1)) if uvw is None else np.array(uvw, float)
    numbers = (filled(values) for values in (field, first, second))
    scans = None if scan is None else filled(scan)
    return RowBlock(window, *numbers, np.array(time, float), uvw, filled(flagged), scans)


@pytest.fixture
def shown(monkeypatch):
    """``shown(inventory)``: what is told of it."""

    def of(known):
        reader = Reader("made up", False, *[lambda *_: None] * 5, lambda _: known, lambda *_: None)
        monkeypatch.setattr(formats, "reader_of", lambda _: reader)
        return contents("somewhere/set.ms")

    return of


def test_rows_autocorrelations_and_flags_are_counted_over_all_blocks(shown):
    one = block([DAY, DAY, DAY], [0, 0, 1], [1, 0, 2], flagged=[4, 4, 1], scan=1)
    two = block([DAY + 10, DAY], [0, 1], [1, 2], field=[1, 0], scan=[1, 2])
    fields = (
        ListedField(0, "A", (-0.1, 0.5), "FK5"),
        ListedField(1, "B", (np.nan, 0.0), "", "moves"),
    )
    told_ = shown(inventory(one, two, fields=fields))
    numbers = told_.json
    assert (numbers["rows"], numbers["autocorrelations"], numbers["times"]) == (4, 1, 2)
    assert numbers["flagged_fraction"] == 5 / (4 * 2 * 2)  # not of the autocorrelation
    assert [part["flagged_fraction"] for part in numbers["data"]] == [5 / (3 * 2 * 2), 0]
    assert (numbers["begin"], numbers["end"]) == ("2000-01-01 00:00:00.0", "2000-01-01 00:00:10.0")
    assert numbers["interval_s"] == 10
    assert numbers["shortest_baseline_m"] == numbers["longest_baseline_m"] == 5
    assert [(f["rows"], f["times"]) for f in numbers["fields"]] == [(3, 1), (1, 1)]
    assert numbers["fields"][0]["ra_deg"] == pytest.approx(360 - np.degrees(0.1))
    assert "ra_deg" not in numbers["fields"][1]
    assert numbers["fields"][1]["fault"] == "moves"
    assert [(s["number"], s["fields"], s["rows"]) for s in numbers["scans"]] == [
        (1, [0, 1], 4),
        (2, [0], 1),
    ]
    assert [a["has_data"] for a in numbers["antennas"]] == [True, True, True]
    assert numbers["antennas"][1]["position_m"] == [None] * 3
    assert dict(told_.lines)["baselines (m)"] == "5 to 5"
    assert dict(told_.lines)["median step of times (s)"] == "10"  # no integration time


def test_one_time_has_no_interval_and_no_scan_is_no_table(shown):
    numbers = shown(inventory(block([DAY], 0, 1))).json
    assert numbers["interval_s"] is None
    assert "scans" not in numbers


def test_coordinates_that_are_unknown_or_nought_have_no_length(shown):
    uvw = [[np.nan, 1, 1], [0, 0, 9], [np.inf, 0, 0]]
    numbers = shown(inventory(block([DAY] * 3, 0, 1, uvw))).json
    assert (numbers["shortest_baseline_m"], numbers["longest_baseline_m"]) == (None, 0)
    assert (numbers["suggested_cell_arcsec"], numbers["suggested_npix"]) == (None, None)


def test_autocorrelations_alone_have_no_share_of_flags(shown):
    numbers = shown(inventory(block([DAY], 1, 1, flagged=3))).json
    assert numbers["flagged_fraction"] is None
    assert numbers["data"][0]["flagged_fraction"] is None
    assert numbers["data"][0]["autocorrelations"] == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300, -1e300])
def test_a_time_that_is_none_does_not_hide_the_others(shown, bad):
    rows = block([DAY, bad, DAY + 5], 0, 1, scan=[1, 2, 1])
    numbers = shown(inventory(rows)).json
    assert (numbers["rows"], numbers["times"]) == (3, 2)
    assert (numbers["begin"][:10], numbers["end"][-4:]) == ("2000-01-01", "05.0")
    scans = {scan["number"]: scan for scan in numbers["scans"]}
    assert scans[1]["begin"] == "2000-01-01 00:00:00.0"
    assert (scans[2]["begin"], scans[2]["rows"]) == ("", 1)


def test_rows_without_any_time_are_shown_too(shown):
    numbers = shown(inventory(block([np.nan, np.nan], 0, 1))).json
    assert (numbers["begin"], numbers["times"], numbers["rows"]) == ("", 0, 2)


def test_a_set_without_rows_is_refused(shown):
    with pytest.raises(DataError, match="somewhere/set.ms: the set has no rows"):
        shown(inventory())


def test_a_date_is_in_tenths_of_seconds_from_its_milliseconds():
    assert told._date(0.0) == "1858-11-17 00:00:00.0"
    assert told._date(DAY + 0.25) == "2000-01-01 00:00:00.2"


# An image to begin with


def test_a_fifth_of_the_beam_and_the_field_of_a_dish():
    cell, npix = suggested(inventory(mhz=(1000, 2000), diameter=(25.0, 25.0, np.nan)), 1e4)
    beam = SPEED_OF_LIGHT / 2e9 / 1e4 / ARCSEC
    assert cell == float(f"{beam / 5:.2g}")
    view = 1.5 * 1.2 * SPEED_OF_LIGHT / 1e9 / 25 / ARCSEC / cell
    assert view <= npix < 1.5 * view


@pytest.mark.parametrize(("mhz", "longest"), [((np.nan, 0.0), 100.0), ((1400.0,), 0.0)])
def test_without_frequency_or_baseline_nothing_is_suggested(mhz, longest):
    assert suggested(inventory(mhz=mhz), longest) == (None, None)


def test_dishes_of_unknown_size_have_a_middling_image():
    assert suggested(inventory(diameter=(np.nan,) * 3), 1e4)[1] == 1024


@settings(max_examples=60)
@given(
    longest=st.floats(1.0, 1e7),
    mhz=st.floats(10.0, 1e6),
    diameter=st.sampled_from([np.nan, 0.5, 12.0, 25.0, 300.0]),
)
def test_what_is_suggested_can_be_imaged(longest, mhz, diameter):
    """By a spec: at most 65536 pixels, and no corner beyond the horizon."""
    cell, npix = suggested(inventory(mhz=(mhz,), diameter=(diameter,) * 3), longest)
    assert cell is not None
    if npix is None:  # not even the smallest image lies above the horizon
        assert 32 * cell * ARCSEC > 1
    else:
        ImageSpec(npix=npix, cell_arcsec=cell)


@pytest.mark.parametrize(("latitude", "longitude"), [(0.0, 0.0), (0.6, -1.8), (-1.2, 2.0)])
def test_antennas_are_placed_east_and_north_of_the_middle_one(latitude, longitude):
    out = np.array([np.cos(longitude), np.sin(longitude), 0.0])
    up = np.cos(latitude) * out + [0, 0, np.sin(latitude)]
    east = np.array([-np.sin(longitude), np.cos(longitude), 0.0])
    north = np.cross(up, east)
    places = 6.4e6 * up + np.outer([0, 1, -1, 0, 0], east) + np.outer([0, 0, 0, 2, -2], north)
    found = _on_the_ground(places)
    np.testing.assert_allclose(found, [[0, 1, -1, 0, 0], [0, 0, 0, 2, -2]], atol=1e-6)
