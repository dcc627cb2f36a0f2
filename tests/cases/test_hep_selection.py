"""Shared cases about selections: each as its README says."""

import hashlib
import json
from pathlib import Path

import pytest
import uproot


def run(spectrum, site="serial", *more):
    words = ("run", "spec.toml", "--site", site, "--data", ".", "--out", "out", *more)
    return spectrum(*words)


def result(folder: Path) -> dict:
    [record] = (folder / "out").glob("*/record.json")
    return json.loads(record.read_text())


def test_c05_select_returns_nothing(hep_case, spectrum):
    words = ("check", "spec.toml", "--site", "serial", "--data", ".")
    code, _, err = spectrum(*words)
    assert code == 2
    assert "returned nothing (None), not a dict of regions" in err
    assert len(err.strip().splitlines()) == 1


def test_m02_weights_on_data(hep_case, spectrum):
    code, _, err = run(spectrum)
    assert code == 2
    assert "samples.s.weighted = true" in err
    spec = hep_case / "spec.toml"
    spec.write_text(spec.read_text().replace("data = true", "data = true\nweighted = true"))
    code, _, _ = run(spectrum)
    assert code == 0
    assert result(hep_case)["samples"]["s"]["weight"] == 1.0
    [saved] = (hep_case / "out").glob("*/histograms.json")
    values = json.loads(saved.read_text())["arrays"]["s/h/values"]
    assert sum(values) == pytest.approx(0.2 * result(hep_case)["counts"]["h"])


def test_w05_text_in_cuts_stays_text(hep_case, spectrum):
    code, _, err = run(spectrum)
    assert (code, err) == (0, err)
    assert result(hep_case)["spec"]["cuts"] == {"year": "2018", "wp": "T"}


def test_l02_a_nan_genweight_is_named_with_file_and_entry(hep_case, spectrum):
    code, _, err = run(spectrum)
    assert code == 2
    assert "a.root" in err
    assert "genWeight is nan in entry" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("site", ["serial", "laptop"])
def test_c01_what_a_file_registers_is_there_on_workers(hep_case, site, spectrum):
    pytest.importorskip("vector")
    code, _, err = run(spectrum, site)
    assert (code, err) == (0, err)
    assert result(hep_case)["counts"]["h"] > 0


@pytest.mark.parametrize("site", ["serial", "laptop"])
def test_m05_a_second_file_of_code_travels_too(hep_case, site, spectrum):
    code, _, err = run(spectrum, site)
    assert (code, err) == (0, err)
    inputs = result(hep_case)["inputs"]
    for name in ("my_analysis.py", "my_helpers.py"):
        digest = hashlib.sha256((hep_case / name).read_bytes()).hexdigest()
        assert inputs[name] == f"sha256 {digest}"


@pytest.mark.parametrize("site", ["serial", "laptop"])
def test_u01_an_error_in_select_names_file_and_line(hep_case, site, spectrum):
    code, _, err = run(spectrum, site)
    assert code == 2
    assert "a.root (Events entries 0 to" in err
    assert "my_analysis.py, line 2, in helper" in err
    assert "KeyError: 'nope'" in err
    assert "\n" not in err.strip().splitlines()[-1]


def test_u01_the_record_holds_the_lines(hep_case, spectrum):
    spec = hep_case / "spec.toml"
    text = spec.read_text().replace("[histograms", "[partition]\nmax_events = 50\n\n[histograms")
    spec.write_text(text.replace('normalisation = "none"', 'normalisation = "none"', 1))
    path = hep_case / "my_analysis.py"
    path.write_text(path.read_text().replace("len(events) == 0", "events.MET_pt[:1].tolist() != F"))
    first = uproot.open("a.root")["Events"]["MET_pt"].array()[:1].tolist()
    path.write_text(f"F = {first!r}\n" + path.read_text())
    code, _, err = run(spectrum, "serial", "--on-error", "keep")
    assert (code, err) == (0, err)
    failures = result(hep_case)["failures"]
    assert failures
    assert 'return x["nope"]' in failures[0]["traceback"]


def test_u02_a_field_of_a_struct_is_read(hep_case, spectrum):
    code, _, err = run(spectrum)
    assert (code, err) == (0, err)
    assert result(hep_case)["counts"]["h"] == 20
    spec = hep_case / "spec.toml"
    spec.write_text(spec.read_text().replace("data = true", "data = true\nevents = [20]"))
    code, _, err = run(spectrum)
    assert (code, err) == (0, err)
