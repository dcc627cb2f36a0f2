"""Shared cases about files, their sums of weights and their columns: each as its README says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest


class Case:
    """A copy of a case's folder, in which we are, and the command run in it."""

    def __init__(self, folder: Path, spectrum: Callable[..., tuple[int, str, str]]) -> None:
        self.folder, self.spectrum = folder, spectrum

    def __call__(self, *words: str) -> tuple[int, dict, str]:
        """Exit code, the JSON that was printed, and everything that was said."""
        code, out, err = self.spectrum(*words)
        return code, json.loads(out) if out.startswith("{") else {}, out + err

    def run(self, *more: str, site: str = "serial") -> tuple[int, dict, str]:
        words = ("run", "spec.toml", "--site", site, "--data", ".", "--out", "out", "--json")
        return self(*words, *more)

    def check(self) -> tuple[int, dict, str]:
        return self("check", "spec.toml", "--site", "serial", "--data", ".", "--json")

    def edit(self, old: str, new: str) -> None:
        spec = self.folder / "spec.toml"
        assert old in spec.read_text()
        spec.write_text(spec.read_text().replace(old, new))


@pytest.fixture
def case(hep_case, spectrum):
    """The case that a test is named after."""
    return Case(hep_case, spectrum)


def one_line(said: str) -> str:
    [line] = said.strip().splitlines()
    return line


@pytest.mark.parametrize("events", ["", "\nevents = [100, 0]"], ids=["opened", "counted"])
def test_w01_an_empty_skim_file_keeps_its_sum_of_weights(case, events):
    case.edit('"allcut.root"]', f'"allcut.root"]{events}')
    code, found, _ = case.run()
    assert code == 0
    assert found["samples"]["s"]["weight"] == pytest.approx(0.0005, rel=1e-12)
    assert found["partial"] is False


def test_w08_a_skim_normalised_by_its_own_length_is_warned_of(case):
    for code, found, _ in (case.check(), case.run()):
        assert code == 0
        [said] = [w for w in found["warnings"] if "5000" in w]
        assert "50 times too high" in said
        assert 'use normalisation = "genweight"' in said


@pytest.mark.parametrize("counted", [True, False])
def test_w06_one_file_is_not_counted_twice(case, counted):
    if not counted:
        case.edit("events = [100, 100]", "")
    code, _, said = case.run()
    assert code == 2
    assert "the same file is listed twice" in one_line(said)


def test_c03_the_sum_of_weights_under_its_name_of_v6(case):
    code, found, _ = case.run()
    assert code == 0
    assert found["samples"]["s"]["weight"] > 0


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "no tree"])
def test_l03_keep_finishes_without_a_file_that_cannot_be_read(case, damage):
    there = case.folder / "nothere.root"
    whole = (case.folder / "a.root").read_bytes()
    if damage != "missing":
        there.write_bytes({"empty": b"", "truncated": whole[:900], "no tree": b"root"}[damage])
    assert case.run()[0] == 2
    code, found, _ = case.run("--on-error", "keep")
    assert code == 0 or found["partial"]
    assert found["partial"] is True
    assert found["samples"]["s"]["events"] == 100
    assert "nothere.root" in json.dumps(found["failures"])
    assert "nothere.root" in json.dumps(found["incomplete"])


def test_m01_a_trigger_that_some_files_lack(case):
    code, _, said = case.run()
    assert code == 2
    assert '{path = "HLT_Ele27", absent = false}' in one_line(said)
    plain = 'triggers = ["HLT_IsoMu24", "HLT_Ele27"]'
    both = (
        'triggers = [{path = "HLT_IsoMu24", absent = false}, {path = "HLT_Ele27", absent = false}]'
    )
    case.edit(plain, both)
    code, found, _ = case.run()
    assert code == 0
    import uproot

    expected = 0
    for name, bit in (("a", "HLT_IsoMu24"), ("b", "HLT_Ele27")):
        with uproot.open(case.folder / f"{name}.root") as file:
            expected += int(file["Events"][bit].array(library="np").sum())
    assert found["counts"]["h"] == expected
    assert any("HLT_Ele27 is absent, taken as false in 1 of 2" in w for w in found["warnings"])


@pytest.mark.parametrize("files", ['"*.root"', '"@files.txt"', '"[ab].root"'])
def test_m04_files_by_pattern_or_list(case, files):
    (case.folder / "files.txt").write_text("# from DAS\n\na.root\nb.root  # the second\n")
    case.edit('"*.root"', files)
    code, found, _ = case.run()
    assert code == 0
    import uproot

    with uproot.open(case.folder / "a.root") as a, uproot.open(case.folder / "b.root") as b:
        expected = a["Events"].num_entries + b["Events"].num_entries
    assert found["samples"]["s"]["events"] == expected


@pytest.mark.parametrize("remedy", ["columns", "constant"])
def test_m06_a_column_that_one_sample_lacks(case, remedy):
    code, _, said = case.run()
    assert code == 2
    assert "columns" in one_line(said)
    if remedy == "columns":
        case.edit('simulation_columns = ["LHEScaleWeight"]\n', "")
        case.edit('files = ["a.root"]', 'files = ["a.root"]\ncolumns = ["LHEScaleWeight"]')
    else:
        case.edit(
            "[histograms.h]",
            "[fallbacks.LHEScaleWeight]\nconstant = [1.0, 1.0]\n[histograms.h]",
        )
    code, found, _ = case.run()
    assert code == 0
    assert set(found["samples"]) == {"s", "qcd"}
    assert min(sample["events"] for sample in found["samples"].values()) > 0
