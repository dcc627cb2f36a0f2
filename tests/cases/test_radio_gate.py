"""Shared cases about what an image shows about itself: each as its README says."""

import contextlib
import importlib.util
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
    monkeypatch.setenv("CASE_WORK", str(tmp_path))
    monkeypatch.setenv("CASE_FAST", "1")
    monkeypatch.syspath_prepend(str(CASES))
    monkeypatch.delitem(sys.modules, "mk", raising=False)
    described = importlib.util.spec_from_file_location(number, script)
    with contextlib.suppress(SystemExit):
        described.loader.exec_module(importlib.util.module_from_spec(described))
    sys.modules.pop("mk", None)
    return capsys.readouterr().out, tmp_path


def numbers(pattern, text):
    return [float(found) for found in re.findall(pattern, text)]


def test_d01_a_field_of_microarcseconds(case):
    assert numbers(r"peak = ([\d.]+)", case[0]) == [pytest.approx(0.74, abs=0.005)]


def test_d09_a_dense_core_and_long_baselines(case):
    major, minor = numbers(r"_arcsec': ([\d.]+)", case[0])
    assert 25 < minor < major < 60  # at half power the PSF is about 32 by 56 wide


def test_d13_no_beam_loses_nothing(case):
    text, folder = case
    assert re.findall(r"rc = (\d)", text) == ["0", "0", "0"]
    runs = sorted((folder / "out").glob("onebl-*"))
    assert all((run / name).is_file() for run in runs for name in ("dirty.fits", "psf.fits"))
    assert any("[restore]" in (run / "record.json").read_text() for run in runs)


def test_d25_strips_in_a_wide_field(case):
    errors = numbers(r"self_check_error = ([\d.e-]+)", case[0])
    assert len(errors) == 2
    assert max(errors) <= 1e-4
