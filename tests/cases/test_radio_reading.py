"""Shared cases about what a data set says of itself: each as its README says."""

import re


def test_d03_weight_spectrum_in_some_rows(radio_case):
    assert re.findall(r"weight_sum = ([\d.]+)", radio_case) == ["105600.0", "105600.0"]
    assert "first half only: result = (0, '')" in radio_case


def test_d05_corrected_data_is_there_too(radio_case):
    check, run, *_ = radio_case.splitlines()
    assert "the set has CORRECTED_DATA too, and DATA is imaged" in check
    assert "the set has CORRECTED_DATA too, and DATA is imaged" in run


def test_d07_a_field_that_moves(radio_case):
    assert "rc = 2" in radio_case
    assert "phase centre of field 0 moves by" in radio_case


def test_d11_the_header_of_one_channel(radio_case):
    assert "CDELT3 = 4000000.0, DATE_OBS = 2017-04-27T08:53:20, BUNIT = Jy/beam" in radio_case
    assert "CCDData: unit = Jy / beam" in radio_case


def test_d16_channels_without_frequency(radio_case):
    assert (
        radio_case.count("channel 3 of spectral window 0 has no frequency") == 3
    )  # and in its want
    assert radio_case.count("check = 2, run = (2,") == 2


def test_d17_no_state(radio_case):
    assert "run: rc = 0" in radio_case
    assert "convert: result = (0, '')" in radio_case


def test_d19_a_column_without_values(radio_case):
    assert "check: result = (2, " in radio_case
    assert "CORRECTED_DATA holds no values; image DATA'" in radio_case
    assert "convert: result = (0, '')" in radio_case


def test_d21_sets_of_any_name(radio_case):
    assert radio_case.count("result = (0, '')") == 3


def test_d23_weight_spectrum_of_zeros(radio_case):
    assert re.search(r"got: result = \(2, .*WEIGHT_SPECTRUM", radio_case)
