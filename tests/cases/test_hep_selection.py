"""Shared cases about selections: each as its README says."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
import uproot

from spectrum_workflows import cli

CASES = Path(__file__).parents[3] / "shared" / "cases" / "hep"


@pytest.fixture
def case(request, tmp_path, monkeypatch):
    """The folder of the case that a test is named after, copied; we are in it."""
    number = request.node.originalname.split("_")[1]
    [folder] = CASES.glob(f"{number}-*") if CASES.is_dir() else [None]
    if folder is None:
        pytest.skip("the shared cases are not beside this checkout")
    for path in folder.iterdir():
        shutil.copy(path, tmp_path)
        (tmp_path / path.name).chmod(0o644)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spectrum(monkeypatch, capsys, *words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command."""
    monkeypatch.setattr(sys, "argv", ["spectrum", *words])
    try:
        cli.main()
        code = 0
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def run(monkeypatch, capsys, site="serial", *more):
    words = ("run", "spec.toml", "--site", site, "--data", ".", "--out", "out", *more)
    return spectrum(monkeypatch, capsys, *words)


def result(folder: Path) -> dict:
    [record] = (folder / "out").glob("*/record.json")
    return json.loads(record.read_text())


def test_c05_select_returns_nothing(case, monkeypatch, capsys):
    words = ("check", "spec.toml", "--site", "serial", "--data", ".")
    code, _, err = spectrum(monkeypatch, capsys, *words)
    assert code == 2
    assert "returned nothing (None), not a dict of regions" in err
    assert len(err.strip().splitlines()) == 1


def test_m02_weights_on_data(case, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys)
    assert code == 2
    assert "samples.s.weighted = true" in err
    spec = case / "spec.toml"
    spec.write_text(spec.read_text().replace("data = true", "data = true\nweighted = true"))
    code, _, _ = run(monkeypatch, capsys)
    assert code == 0
    assert result(case)["samples"]["s"]["weight"] == 1.0
    [saved] = (case / "out").glob("*/histograms.json")
    values = json.loads(saved.read_text())["arrays"]["s/h/values"]
    assert sum(values) == pytest.approx(0.2 * result(case)["counts"]["h"])


def test_w05_text_in_cuts_stays_text(case, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys)
    assert (code, err) == (0, err)
    assert result(case)["spec"]["cuts"] == {"year": "2018", "wp": "T"}


def test_l02_a_nan_genweight_is_named_with_file_and_entry(case, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys)
    assert code == 2
    assert "a.root" in err
    assert "genWeight is nan in entry" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("site", ["serial", "laptop"])
def test_c01_what_a_file_registers_is_there_on_workers(case, site, monkeypatch, capsys):
    pytest.importorskip("vector")
    code, _, err = run(monkeypatch, capsys, site)
    assert (code, err) == (0, err)
    assert result(case)["counts"]["h"] > 0


@pytest.mark.parametrize("site", ["serial", "laptop"])
def test_m05_a_second_file_of_code_travels_too(case, site, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, site)
    assert (code, err) == (0, err)
    inputs = result(case)["inputs"]
    for name in ("my_analysis.py", "my_helpers.py"):
        digest = hashlib.sha256((case / name).read_bytes()).hexdigest()
        assert inputs[name] == f"sha256 {digest}"


@pytest.mark.parametrize("site", ["serial", "laptop"])
def test_u01_an_error_in_select_names_file_and_line(case, site, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, site)
    assert code == 2
    assert "a.root (Events entries 0 to" in err
    assert "my_analysis.py, line 2, in helper" in err
    assert "KeyError: 'nope'" in err
    assert "\n" not in err.strip().splitlines()[-1]


def test_u01_the_record_holds_the_lines(case, monkeypatch, capsys):
    spec = case / "spec.toml"
    text = spec.read_text().replace("[histograms", "[partition]\nmax_events = 50\n\n[histograms")
    spec.write_text(text.replace('normalisation = "none"', 'normalisation = "none"', 1))
    path = case / "my_analysis.py"
    path.write_text(path.read_text().replace("len(events) == 0", "events.MET_pt[:1].tolist() != F"))
    first = uproot.open("a.root")["Events"]["MET_pt"].array()[:1].tolist()
    path.write_text(f"F = {first!r}\n" + path.read_text())
    code, _, err = run(monkeypatch, capsys, "serial", "--on-error", "keep")
    assert (code, err) == (0, err)
    failures = result(case)["failures"]
    assert failures
    assert 'return x["nope"]' in failures[0]["traceback"]


def test_u02_a_field_of_a_struct_is_read(case, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys)
    assert (code, err) == (0, err)
    assert result(case)["counts"]["h"] == 20
    spec = case / "spec.toml"
    spec.write_text(spec.read_text().replace("data = true", "data = true\nevents = [20]"))
    code, _, err = run(monkeypatch, capsys)
    assert (code, err) == (0, err)
