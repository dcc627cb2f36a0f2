"""Channels without a frequency or in no order, phase centres that move, and foreign units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.frequencies import HIGHEST, check_frequencies, rising
from spectrum_workflows.radio.read.phase_centre import STILL, beam_of, still
from spectrum_workflows.radio.read.units import units_factor
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT, Visibilities

URL = "set.ms"


def checked(*mhz):
    return check_frequencies(1e6 * np.array(mhz), "window 1", URL)


@pytest.mark.parametrize("mhz", [(1400,), (1, 2, 3), (3, 2, 1), (1, 2, 9)])
def test_channels_that_rise_or_fall_need_no_remark(mhz):
    assert checked(*mhz) == ()


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, HIGHEST])
def test_a_channel_without_frequency_is_named_with_its_value(bad):
    with pytest.raises(DataError) as caught:
        check_frequencies(np.array([1e9, bad, 1.1e9]), "window 1", URL)
    assert caught.value.what == f"channel 1 of window 1 has no frequency (CHAN_FREQ {bad:g})"
    assert caught.value.where == URL
    assert "leave the channel out" in caught.value.remedy


@pytest.mark.parametrize(
    ("count", "listed"),
    [(2, "channels 0, 1 of"), (3, "channels 0, 1, 2 of"), (5, "channels 0, 1, 2 and 2 more of")],
)
def test_of_many_channels_some_are_named(count, listed):
    with pytest.raises(DataError, match=f"{listed} window 1 have no frequency"):
        checked(*[0] * count, 5)


@pytest.mark.parametrize("frequency", [np.empty(0), np.ones((2, 2)) * 1e9])
def test_no_channels_or_a_table_of_them_is_refused(frequency):
    with pytest.raises(DataError, match="window 1 has no channels"):
        check_frequencies(frequency, "window 1", URL)


def test_what_is_odd_about_channels_is_said():
    assert checked(3, 1, 3) == ("channels 0 and 2 of window 1 have the same frequency",)
    [order] = checked(1, 3, 2, 4)
    assert order.endswith("in no order of frequency: see channel 2")
    assert checked(4, 3, 5)[0].endswith("see channel 2")
    [low] = checked(1e-3, 5, 6)
    assert low == "channel 0 of window 1 is at 1000 Hz: is that right?"
    [high] = checked(5, 1e10, 6e9)[1:]
    assert high.startswith("channel 1 of window 1 is at 1e+16 Hz")


@settings(max_examples=30)
@given(order=st.permutations(range(6)))
def test_channels_come_out_rising_with_their_own_values(order):
    frequency = 1e9 + 1e6 * np.array(order, float)
    values = np.tile(np.array(order, np.float32), (2, 1))
    data = Visibilities(np.zeros((2, 3)), frequency, values.astype(np.complex64), values, 12)
    out = rising(data)
    assert (np.diff(out.frequency) > 0).all()
    assert out.weight.tolist() == out.visibility.real.tolist() == [[0, 1, 2, 3, 4, 5]] * 2
    assert out.visibility.flags.c_contiguous
    assert (out is data) == (list(order) == sorted(order))


def test_channels_of_one_frequency_keep_their_order():
    frequency = np.array([2e9, 1e9, 2e9, 1e9])
    values = np.arange(4, dtype=np.float32)[None]
    out = rising(Visibilities(np.zeros((1, 3)), frequency, values.astype("c8"), values, 4))
    assert out.weight.tolist() == [[1, 3, 0, 2]]


# Phase centres


def test_the_beam_is_the_shortest_wavelength_over_the_longest_baseline():
    assert beam_of(100.0, np.array([1e9, 2e9])) == SPEED_OF_LIGHT / 2e9 / 100
    assert beam_of(0.0, np.array([1e9])) == np.inf


@pytest.mark.parametrize(
    ("centre", "out"),
    [
        ((0.3, 0.2), (0.3, 0.2)),
        ((-1.0, -np.pi / 2), (2 * np.pi - 1.0, -np.pi / 2)),
        ((2 * np.pi, np.pi / 2), (0.0, np.pi / 2)),
    ],
)
def test_a_direction_is_brought_between_0_and_360_degrees(centre, out):
    assert still(np.array([centre]), 1e-5, "field 0", URL) == pytest.approx(out)


@pytest.mark.parametrize(
    "bad", [(0.0, 1.6), (0.0, -1.6), (np.nan, 0.0), (0.0, np.nan), (np.inf, 0.0)]
)
def test_what_is_no_direction_is_refused(bad):
    with pytest.raises(DataError, match="phase centre of field 3 is no direction") as caught:
        still(np.array([bad]), 1.0, "field 3", URL)
    assert caught.value.remedy == "set PHASE_DIR"


@pytest.mark.parametrize("declination", [0.0, 1.2, -1.5])
@pytest.mark.parametrize("along", [0, 1])
def test_a_path_may_be_a_twentieth_of_a_beam_long(declination, along):
    beam = 10 * ARCSEC
    angle = np.linspace(-0.5, 0.5, 5) * STILL * beam
    path = np.tile([6.2, declination], (5, 1))
    path[:, along] += angle / (np.cos(declination) if along == 0 else 1)
    assert still(path, 1.001 * beam, "field 0", URL) == pytest.approx((6.2, declination))
    with pytest.raises(DataError, match="moves by 0.5 arcsec meanwhile"):
        still(path, 0.999 * beam, "field 0", URL)


def test_a_path_across_the_zero_of_right_ascension_is_short():
    path = np.array([[2 * np.pi - 1e-9, 0.1], [0.0, 0.1], [1e-9, 0.1]])
    assert still(path, 1e-6, "field 0", URL) == (0.0, 0.1)


# Units


@pytest.mark.parametrize(
    ("given_", "unit", "factor"),
    [
        ((), "m", 1.0),
        ("", "m", 1.0),
        (["m", "m", "m"], "m", 1.0),
        ("km", "m", 1e3),
        (["GHz"], "Hz", 1e9),
        ("deg", "rad", np.pi / 180),
    ],
)
def test_units_of_the_same_kind_have_a_factor(given_, unit, factor):
    assert units_factor(given_, unit, "UVW", URL) == pytest.approx(factor, rel=1e-15)


@pytest.mark.parametrize("given_", ["s", "furlongs", ["m", "km"], ["m", "s"]])
def test_other_units_are_refused_by_name(given_):
    with pytest.raises(DataError) as caught:
        units_factor(given_, "m", "UVW", URL)
    names = ", ".join(sorted([given_] if isinstance(given_, str) else given_))
    assert caught.value.what == f"UVW is in {names}, not in m"
    assert caught.value.remedy == "give it in m"
