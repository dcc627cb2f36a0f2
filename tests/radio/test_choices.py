"""Choices of fields, windows, channels, rows and antennas, from plain lists of what a set holds."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio.read.choices import (
    LISTED,
    Described,
    Named,
    channels_in,
    describe_times,
    field_in,
    fields_in,
    nothing_left,
    remarks,
    selection_in,
    windows_in,
    with_channels,
    within_uv,
)
from spectrum_workflows.radio.read.reader import Chosen
from spectrum_workflows.radio.spec import SelectSpec
from spectrum_workflows.radio.types import (
    SPEED_OF_LIGHT,
    Antennas,
    Interval,
    Selection,
    Visibilities,
    Window,
)

URL = "set.ms"
FIELDS = [Named(0, "3C 286"), Named(2, "target"), Named(5, "target"), Named(7, "2")]
LOW, HIGH = Named(0, "low"), Named(3, "high")
WINDOWS = [Described(1, LOW), Described(4, HIGH), Described(6, HIGH)]
ANTENNAS = Antennas(("ea01_W08", "ea02_N04", "ea02_E10", "ea1", "7"))


def select(**keys):
    return SelectSpec.model_validate(keys)


def refusal(error, function, *arguments):
    """What is raised: message and remedy; it names the set."""
    with pytest.raises(error) as caught:
        function(*arguments)
    assert caught.value.where == URL
    return caught.value.what, caught.value.remedy


# Fields


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("all", (0, 2, 5, 7)),
        (5, (5,)),
        ("3C 286", (0,)),
        ("2", (7,)),  # a name, though there is a field of that number
        ("5", (5,)),  # a number, as no field is called so
        ((7, "3C 286", 7, "0"), (0, 7)),
    ],
    ids=str,
)
def test_fields_are_named_by_number_or_name_in_any_order(asked, numbers):
    assert fields_in(asked, FIELDS, URL) == numbers


@pytest.mark.parametrize(
    ("asked", "what", "remedy"),
    [
        ("M 31", "field M 31 is not in the set", "it holds 0 (3C 286), 2 (target)"),
        (1, "field 1 is not in the set", "7 (2)"),
        ("target", "several fields are called target: 2 (target), 5 (target)", "by its number"),
        ((), "field is an empty list", '"all"'),
        ((0, "none"), "field none is not in the set", "it holds"),
    ],
    ids=str,
)
def test_fields_that_are_not_there_are_told_with_those_that_are(asked, what, remedy):
    message, help_ = refusal(SpecError, fields_in, asked, FIELDS, URL)
    assert message == what
    assert remedy in help_


def test_one_field_is_chosen_by_itself_and_of_several_one_must_be():
    assert field_in(None, FIELDS[1:2], URL) == 2
    assert field_in(("3C 286",), FIELDS, URL) == 0
    what, remedy = refusal(SpecError, field_in, None, FIELDS, URL)
    assert what.startswith("the set holds several fields: 0 (3C 286)")
    assert "field = N" in remedy
    what, _ = refusal(SpecError, field_in, (0, 5), FIELDS, URL)
    assert what == "several fields are chosen: 0, 5"


@pytest.mark.parametrize(("count", "more"), [(LISTED, False), (LISTED + 3, True)])
def test_a_long_list_of_fields_is_cut(count, more):
    many = [Named(n, "") for n in range(count)]
    what, _ = refusal(SpecError, field_in, None, many, URL)
    assert (" and 3 more" in what) == more
    assert what.endswith("more" if more else f" {count - 1}")


# Windows


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        (Chosen(spectral_window="all"), (1, 4, 6)),
        (Chosen(spectral_window=0), (1,)),
        (Chosen(spectral_window="high"), (4, 6)),  # in two polarisation setups
        (Chosen(spectral_window=(3, "low")), (1, 4, 6)),
        (Chosen(data_description=6), (6,)),
    ],
)
def test_windows_are_chosen_by_number_name_and_list(choice, numbers):
    assert windows_in(choice, WINDOWS, URL) == numbers


@pytest.mark.parametrize(
    ("choice", "present", "what"),
    [
        (Chosen(spectral_window=1), WINDOWS, "spectral_window 1 is not in the set"),
        (Chosen(spectral_window=()), WINDOWS, "spectral_window is an empty list"),
        (Chosen(data_description=0), WINDOWS, "data_description 0 is not in the set"),
        (Chosen(), WINDOWS, "the set holds several spectral windows: 0 (low), 3 (high)"),
        (
            Chosen(),
            WINDOWS[1:],
            "the set holds several data descriptions of one spectral window: 4, 6",
        ),
    ],
)
def test_windows_that_are_not_there_or_not_chosen(choice, present, what):
    message, remedy = refusal(SpecError, windows_in, choice, present, URL)
    assert message == what
    assert remedy
    assert windows_in(Chosen(), WINDOWS[:1], URL) == (1,)


# Channels


def window(number, mhz, chosen=None):
    hertz = 1e6 * np.asarray(mhz, float)
    return Window(number, hertz, np.array([3]), chosen=chosen)


def test_channels_are_those_in_both_kinds_of_range():
    frequency = 1e9 - 1e6 * np.arange(6)  # falling
    both = select(channels=[[0, 2], [3, 6]], frequencies_hz=[[0.9965e9, 1.0e9]])
    assert channels_in(both, frequency).tolist() == [False, True, False, True, False, False]


@pytest.mark.parametrize("keys", [{}, {"channels": [[0, 9]]}, {"frequencies_hz": [[1.0, 1e12]]}])
def test_all_channels_are_no_mask(keys):
    assert channels_in(select(**keys), np.array([1e9, 2e9])) is None


@settings(max_examples=30)
@given(
    edges=st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 9)), min_size=1, max_size=4, unique=True
    )
)
def test_ranges_of_channels_are_half_open_and_add_up(edges):
    ranges = [(start, start + length) for start, length in edges]
    held = {n for start, stop in ranges for n in range(start, stop)} & {*range(32)}
    mask = channels_in(select(channels=ranges), np.arange(1.0, 33.0))
    expected = [n in held for n in range(32)]
    assert (mask is None and all(expected)) or mask.tolist() == expected


def test_windows_without_a_chosen_channel_are_left_out():
    none, some = np.zeros(2, bool), np.array([False, True])
    one, two, three = window(0, [1, 2], none), window(1, [1, 2], some), window(2, [5, 6])
    assert with_channels([one, two, three], URL) == (two, three)
    what, remedy = refusal(SpecError, with_channels, [one, window(3, [9, 4], none)], URL)
    assert "leave no channel" in what
    assert "0: 2 channels, 1 to 2 MHz, 3: 2 channels, 4 to 9 MHz" in remedy


# Rows


def test_dates_become_seconds_of_the_modified_julian_date():
    times = [(datetime(1858, 11, 18), datetime(1858, 11, 18, 0, 0, 0, 500_000))]
    chosen = selection_in(Chosen(select=select(times=times)), ANTENNAS, URL)
    assert chosen.times == (Interval(86_400.0, 86_400.5),)


@pytest.mark.parametrize(
    ("asked", "number"), [(4, 4), ("ea1", 3), ("ea01", 0), ("ea02_E10", 2), ("7", 4), ("3", 3)]
)
def test_antennas_are_called_by_number_name_and_name_with_station(asked, number):
    chosen = selection_in(Chosen(select=select(antennas=[asked])), ANTENNAS, URL)
    assert chosen.antennas == (number,)


@pytest.mark.parametrize(
    ("keys", "what", "remedy"),
    [
        ({"antennas": [5]}, "antenna 5 is not in the set", "it has 5, numbered from 0"),
        ({"without_antennas": ["9"]}, "antenna 9 is not in the set", "it has 5"),
        ({"antennas": ["ea"]}, "antenna ea is not in the set", "it has ea01_W08"),
        (
            {"baselines": [["ea1", "ea02"]]},
            "several antennas are called ea02: ea02_N04, ea02_E10",
            "name it in full",
        ),
    ],
    ids=str,
)
def test_antennas_that_are_not_there(keys, what, remedy):
    choice = Chosen(select=select(**keys))
    message, help_ = refusal(SpecError, selection_in, choice, ANTENNAS, URL)
    assert message == what
    assert remedy in help_


def test_baselines_are_pairs_in_either_order_and_named_once():
    pairs = [["ea1", 0], [0, 3], ["7", 2]]
    chosen = selection_in(Chosen(select=select(baselines=pairs)), ANTENNAS, URL)
    assert chosen.baselines == ((0, 3), (2, 4))
    first, second = np.array([3, 0, 4, 0]), np.array([0, 3, 2, 2])
    assert chosen.hold_baselines(first, second).tolist() == [True, True, True, False]


@settings(max_examples=40)
@given(
    first=st.lists(st.integers(0, 5), min_size=1, max_size=20),
    kept=st.sets(st.integers(0, 5)),
    lost=st.sets(st.integers(0, 5)),
)
def test_baselines_lie_between_kept_antennas_and_touch_no_lost_one(first, kept, lost):
    second = [(a * 7 + n) % 6 for n, a in enumerate(first)]
    chosen = Selection(antennas=tuple(kept), without_antennas=tuple(lost))
    expected = [
        (not kept or {a, b} <= kept) and not {a, b} & lost
        for a, b in zip(first, second, strict=True)
    ]
    assert chosen.hold_baselines(np.array(first), np.array(second)).tolist() == expected


def test_times_and_scans_are_both_asked_for():
    time, scan = np.arange(6.0), np.array([1, 1, 2, 2, 3, 3])
    chosen = Selection(times=(Interval(0, 3), Interval(5)), scans=(2, 3))
    assert chosen.hold_times(time, scan).tolist() == [False, False, True, False, False, True]
    assert Selection().hold_times(time, None).all()


# What is left


def test_nothing_left_names_the_keys_and_what_there_is():
    keys = {"scans": [9], "antennas": [1], "channels": [[0, 1]], "uv_m": [1, 2]}
    choice = Chosen(select=select(**keys))
    chosen = selection_in(choice, ANTENNAS, URL)
    error = nothing_left(choice, chosen, "3 times", URL)
    assert isinstance(error, DataError)
    assert error.what == "select.scans, select.antennas leave no cross-correlations"
    assert error.remedy == "this field and window hold 3 times"
    assert nothing_left(choice, chosen, "", URL).remedy == "choose more of them"
    plain = nothing_left(Chosen(), Selection(), "3 times", URL)
    assert plain.what == "no cross-correlations of this field"


def test_times_are_described_by_their_ends_and_scans():
    day = 86_400.0 * 51_544
    words = describe_times(np.array([day, day + 10, day + 3600.9]), [3, 4])
    assert words == "3 times from 2000-01-01T00:00:00 to 2000-01-01T01:00:00, scans 3, 4"
    assert "scans" not in describe_times(np.array([day]), None)
    assert describe_times(np.empty(0), None) == ""


def rows_of(lengths, frequency):
    """A visibility of 1 and weight 1 on every baseline, along u or v in turn."""
    uvw = np.zeros((len(lengths), 3))
    uvw[np.arange(len(lengths)), np.arange(len(lengths)) % 2] = lengths
    shape = (len(lengths), len(frequency))
    ones = np.ones(shape, np.complex64), np.ones(shape, np.float32)
    return Visibilities(uvw, np.asarray(frequency, float), *ones, unflagged=ones[0].size)


def test_a_uv_range_keeps_its_shortest_and_not_its_longest_baseline():
    data = rows_of([10.0, 20.0, 30.0], [1e9])
    left = within_uv(data, Selection(uv_m=Interval(10, 30)))
    assert left.weight[:, 0].tolist() == [1, 1, 0]
    assert left.visibility[:, 0].tolist() == [1, 1, 0]
    assert (left.outside, left.unflagged) == (1, 3)


def test_a_range_in_wavelengths_leaves_out_other_rows_in_every_channel():
    data = rows_of([SPEED_OF_LIGHT / 1e6] * 2, [1e6, 2e6, 4e6])  # 1, 2, 4 wavelengths
    left = within_uv(data, Selection(uv_wavelengths=Interval(1.5, 4.5)))
    assert left.weight.tolist() == [[0, 1, 1]] * 2
    assert left.weight.dtype == np.float32
    assert left.visibility.dtype == np.complex64


def test_what_had_no_weight_is_not_counted_as_outside():
    data = rows_of([10.0, 20.0], [1e9, 2e9])
    data.weight[0] = 0
    left = within_uv(replace(data, outside=5), Selection(uv_m=Interval(100, 200)))
    assert left.outside == 5 + 2
    assert not left.weight.any()


# Remarks


def test_remarks_tell_of_channels_that_no_window_has():
    one, two = window(0, [1, 2, 3, 4]), window(1, [1, 2])
    asked = Chosen(select=select(channels=[[0, 2], [1, 4], [3, 5], [8, 9]]))
    assert remarks(asked, (), (one, two)) == (
        "select.channels 3 to 5, 8 to 9: no window that is imaged has more than 4",
    )


def test_remarks_tell_of_lost_windows_frames_and_hands():
    one = replace(window(0, [1]), spectral_frame="LSRK", correlations=("XX", "XY", "YY"))
    two = replace(window(1, [1]), spectral_frame="", correlations=("RR",))
    assert remarks(Chosen(), (), (one,)) == ()
    lost, frames, hands = remarks(Chosen(hands="either"), (4, 5), (one, two))
    assert lost == "nothing is chosen of data description 4, 5"
    assert "frames (LSRK, unknown)" in frames
    assert hands.startswith("pseudo-I of XX or YY or RR (")
    assert remarks(Chosen(hands="YY"), (), (one,))[0].startswith("pseudo-I of YY alone")
