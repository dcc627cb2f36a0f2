"""Shared cases about what an image shows about itself: each as its README says."""

import re

import pytest


def numbers(pattern, text):
    return [float(found) for found in re.findall(pattern, text)]


def test_d01_a_field_of_microarcseconds(radio_case):
    assert numbers(r"peak = ([\d.]+)", radio_case) == [pytest.approx(0.74, abs=0.005)]


def test_d09_a_dense_core_and_long_baselines(radio_case):
    major, minor = numbers(r"_arcsec': ([\d.]+)", radio_case)
    assert 25 < minor < major < 60  # at half power the PSF is about 32 by 56 wide


def test_d13_no_beam_loses_nothing(radio_case, tmp_path):
    assert re.findall(r"rc = (\d)", radio_case) == ["0", "0", "0"]
    runs = sorted((tmp_path / "out").glob("onebl-*"))
    assert all((run / name).is_file() for run in runs for name in ("dirty.fits", "psf.fits"))
    assert any("[restore]" in (run / "record.json").read_text() for run in runs)


def test_d25_strips_in_a_wide_field(radio_case):
    errors = numbers(r"self_check_error = ([\d.e-]+)", radio_case)
    assert len(errors) == 2
    assert max(errors) <= 1e-4
