"""Shared cases about what a data set says of itself: each as its README says."""

import contextlib
import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parents[3] / "shared" / "cases" / "radio"


@pytest.fixture
def case(request, tmp_path, monkeypatch, capsys):
    """What the script of the case that a test is named after prints."""
    number = request.node.originalname.split("_")[1]
    [script] = CASES.glob(f"{number}_*.py") if CASES.is_dir() else [None]
    if script is None:
        pytest.skip("the shared cases are not beside this checkout")
    monkeypatch.setitem(os.environ, "CASE_WORK", str(tmp_path))
    monkeypatch.setitem(os.environ, "CASE_FAST", "1")
    monkeypatch.syspath_prepend(str(CASES))
    monkeypatch.delitem(sys.modules, "mk", raising=False)
    described = importlib.util.spec_from_file_location(number, script)
    with contextlib.suppress(SystemExit):
        described.loader.exec_module(importlib.util.module_from_spec(described))
    sys.modules.pop("mk", None)
    return capsys.readouterr().out


def test_d03_weight_spectrum_in_some_rows(case):
    assert re.findall(r"weight_sum = ([\d.]+)", case) == ["105600.0", "105600.0"]
    assert "first half only: result = (0, '')" in case


def test_d05_corrected_data_is_there_too(case):
    check, run, *_ = case.splitlines()
    assert "the set has CORRECTED_DATA too, and DATA is imaged" in check
    assert "the set has CORRECTED_DATA too, and DATA is imaged" in run


def test_d07_a_field_that_moves(case):
    assert "rc = 2" in case
    assert "phase centre of field 0 moves by" in case


def test_d11_the_header_of_one_channel(case):
    assert "CDELT3 = 4000000.0, DATE_OBS = 2017-04-27T08:53:20, BUNIT = Jy/beam" in case
    assert "CCDData: unit = Jy / beam" in case


def test_d16_channels_without_frequency(case):
    assert case.count("channel 3 of spectral window 0 has no frequency") == 3  # and in its want
    assert case.count("check = 2, run = (2,") == 2


def test_d17_no_state(case):
    assert "run: rc = 0" in case
    assert "convert: result = (0, '')" in case


def test_d19_a_column_without_values(case):
    assert "check: result = (2, " in case
    assert "CORRECTED_DATA holds no values; image DATA'" in case
    assert "convert: result = (0, '')" in case


def test_d21_sets_of_any_name(case):
    assert case.count("result = (0, '')") == 3


def test_d23_weight_spectrum_of_zeros(case):
    assert re.search(r"got: result = \(2, .*WEIGHT_SPECTRUM", case)
