"""Shared cases about fits, axes, names, corrections and what is saved: each as its README says."""

import gzip
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import uproot

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def run(spectrum, spec="spec.toml", data="."):
    words = ("run", spec, "--site", "serial", "--data", data, "--out", "out", "--json")
    code, out, err = spectrum(*words)
    return code, (json.loads(out, parse_constant=pytest.fail) if code == 0 else {}), err


def check(spectrum, spec="spec.toml"):
    return spectrum("check", spec, "--site", "serial", "--data", ".")


def fitted(found) -> list[float]:
    workspace = json.loads(Path(found["folder"], "workspace.json").read_text())
    return workspace["observations"][0]["data"]


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "spec.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_w02_without_start_the_whole_axis_is_fitted(hep_case, spectrum):
    _, found, _ = run(spectrum)
    assert (len(fitted(found)), sum(fitted(found))) == (20, 3000)


@pytest.mark.parametrize("start", [-1.0, -0.5])
def test_w03_negative_start(hep_case, spectrum, start):
    change(hep_case, '["bdt"]\nstart = -1.0', f'["bdt"]\nstart = {start}')
    _, found, _ = run(spectrum)
    first = {-1.0: 0, -0.5: 5}[start]
    with uproot.open("data.root") as file:
        bdt = file["Events"]["bdt"].array(library="np")
    expected = np.histogram(bdt, np.linspace(-1, 1, 21))[0][first:]
    assert fitted(found) == expected.tolist()
    assert Path(found["folder"], "bdt_postfit.png").exists()
    assert not found["notes"]
    assert any("5 of its 20 bins are left out" in w for w in found["warnings"]) == (start == -0.5)


def test_w04_rebin_divides_or_is_refused(hep_case, spectrum):
    code, _, err = check(spectrum)
    assert code == 2
    assert "20 bins of bdt from -1 to 1 cannot be merged in groups of 3" in err
    change(hep_case, "rebin = 3", "rebin = 4")
    _, found, _ = run(spectrum)
    assert (len(fitted(found)), sum(fitted(found))) == (5, 3000)


def test_w07_jet_id_at_256_constituents(hep_case):
    runpy.run_path("case.py")


def test_w09_synthetic_data_is_not_the_simulation(hep_case, spectrum):
    assert spectrum("data", "make", "spec.toml", "--site", "serial", "--data", "made")[0] == 0
    with uproot.open("made/mc.root") as mc, uproot.open("made/data.root") as data:
        assert mc.file.uuid != data.file.uuid
        truth = {"genWeight", "Jet_hadronFlavour"}
        assert truth <= set(mc["Events"].keys())
        assert not truth & set(data["Events"].keys())
        a, b = (f["Events"]["MET_pt"].array(library="np") for f in (mc, data))
    assert not np.isin(a, b).any()
    code, found, _ = run(spectrum, data="made")
    assert code == 0
    saved = json.loads(Path(found["folder"], "histograms.json").read_text())["arrays"]
    assert saved["mc/h/values"] != saved["data/h/values"]


def test_l01_a_systematic_without_template_is_refused(hep_case, spectrum):
    code, _, err = check(spectrum)
    assert code == 2
    assert "sample 'sig' has no variation 'x_down'" in err
    assert len(err.strip().splitlines()) == 1
    change(hep_case, 'variations = ["x_up"]', 'variations = ["x_up", "x_down"]')
    code, found, _ = run(spectrum)
    assert code == 0
    assert "x" in found["pulls"]


def test_c02_corrections_as_they_are_shipped(hep_case, spectrum):
    _, found, _ = run(spectrum)
    saved = json.loads(Path(found["folder"], "histograms.json").read_text())["arrays"]
    with uproot.open("a.root") as file:
        met = file["Events"]["MET_pt"].array(library="np")
    expected = 2.0 * np.histogram(met, [-np.inf, *np.linspace(0, 200, 21), np.inf])[0]
    assert saved["s/h/values"] == expected.tolist()
    other = json.loads(gzip.decompress(Path("c.json.gz").read_bytes()))
    other["corrections"][0]["name"] = "other"
    Path("d.json").write_text(json.dumps(other))
    change(hep_case, '"c.json.gz"', '["c.json.gz", "d.json"]')
    _, several, _ = run(spectrum)
    assert several["digest"] == found["digest"]
    record = json.loads(Path(several["folder"], "record.json").read_text())
    assert {"c.json.gz", "d.json"} <= set(record["inputs"])


def test_m03_axes(hep_case, spectrum):
    _, found, _ = run(spectrum)
    with uproot.open("a.root") as file:
        met = file["Events"]["MET_pt"].array(library="np")
    saved = json.loads(Path(found["folder"], "histograms.json").read_text())["arrays"]
    expected = np.histogram(met, [-np.inf, 0, 30, 100, np.inf])[0]
    assert saved["s/h/values"] == expected.tolist()
    code, _, err = check(spectrum, "spec_2d.toml")
    assert code == 2
    assert "select returns no region 'x'" in err
    Path("my_analysis.py").write_text(
        "def select(events):\n    m = events.MET_pt\n    return {'x': m / 100, 'y': m / 200}\n"
    )
    _, found, _ = run(spectrum, "spec_2d.toml")
    saved = json.loads(Path(found["folder"], "histograms.json").read_text())["arrays"]
    assert np.shape(saved["s/h/values"]) == (12, 12)
    assert np.sum(saved["s/h/values"]) == len(met)
    assert Path(found["folder"], "h.png").exists()
