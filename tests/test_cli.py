"""The front door: what it prints, where it writes, how it refuses."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spectrum_workflows import shipped
from spectrum_workflows.cli import main

REFERENCE = Path(__file__).parent / "reference"
Spectrum = Callable[..., tuple[int, str, str]]


@pytest.fixture
def spectrum(monkeypatch, capsys, tmp_path: Path) -> Spectrum:
    """Call the command in this process; gives exit code, stdout and stderr."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SPECTRUM_SITE", "serial")

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spectrum", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return call


def test_help_teaches(spectrum: Spectrum) -> None:
    code, out, _ = spectrum("--help")
    assert code == 0
    for word in ("spectrum demo", "spectrum check SPEC", "--site serial", "compare"):
        assert word in " ".join(out.split())
    for command in ("run", "check", "compare", "demo", "data"):
        assert spectrum(command, "--help")[0] == 0


@pytest.mark.parametrize(
    "command",
    [
        [str(Path(sys.executable).with_name("spectrum"))],
        [sys.executable, "-m", "spectrum_workflows"],
    ],
)
def test_installed_command_and_module(command: list[str]) -> None:
    ran = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.strip()[0].isdigit()


def test_run_prints_one_json_object(spectrum: Spectrum, shared_hep: Path, tmp_path: Path) -> None:
    spec = REFERENCE / "hep_ttbar.toml"
    code, out, _ = spectrum("run", spec, "--data", shared_hep, "--out", tmp_path / "r", "--json")
    assert code == 0
    said = json.loads(out)
    assert said["counts"] == {"4j1b": 35, "4j2b": 73}
    wanted = {"workflow", "digest", "partitions", "failures", "seconds", "cpu_seconds"}
    assert wanted | {"bytes_read"} <= set(said)
    assert said["bytes_read"] > 0
    record = json.loads(Path(said["folder"], "record.json").read_text())
    assert record["digest"] == said["digest"]
    folder = Path(said["folder"])
    assert {o["name"] for o in record["objects"]} == {
        str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()
    } - {"record.json"}


def test_run_shows_a_table(spectrum: Spectrum, shared_hep: Path) -> None:
    code, out, _ = spectrum("run", REFERENCE / "hep_ttbar.toml", "--data", shared_hep)
    assert code == 0
    assert "4j1b 35, 4j2b 73" in out
    assert "histograms.root" in out


def test_compare(spectrum: Spectrum, shared_hep: Path, tmp_path: Path) -> None:
    folders = []
    for name in ("hep_ttbar", "hep_ttbar", "hep_zero"):
        run = ("run", REFERENCE / f"{name}.toml", "--data", shared_hep, "--out", tmp_path)
        folders.append(json.loads(spectrum(*run, "--json")[1])["folder"])
    assert len(set(folders)) == 3
    assert spectrum("compare", *folders[:2]) == (0, "identical\n", "")
    code, out, _ = spectrum("compare", folders[0], folders[2])
    assert code == 1
    assert out.startswith("different\n")
    verdict = json.loads(spectrum("compare", *folders[:2], "--json")[1])["verdict"]
    assert verdict == "identical"
    Path(folders[0], "histograms.json").write_text("{}")
    code, _, err = spectrum("compare", *folders[:2])
    assert code == 2
    assert "histograms.json is not what was recorded" in err
    Path(folders[1], "record.json").unlink()
    assert "did not finish" in spectrum("compare", *folders[:2])[2]


def test_check_computes_nothing(spectrum: Spectrum, shared_hep: Path, tmp_path: Path) -> None:
    code, out, _ = spectrum("check", REFERENCE / "hep_ttbar.toml", "--data", shared_hep)
    assert code == 0
    assert "1,000 entries in 1 partition\n" in out
    assert not (tmp_path / "home" / "spectrum").exists()


def test_a_partial_result_says_so(spectrum: Spectrum, tmp_path: Path) -> None:
    """A file is damaged where only reading its data can tell."""
    spec = shipped.folder("workflows") / "hep/quickstart.toml"
    files = spectrum("data", "make", spec, "--data", tmp_path, "--size", 3000)[1].split()
    run = ("run", spec, "--data", tmp_path, "--out", tmp_path / "r", "--json")
    whole = json.loads(spectrum(*run)[1])
    assert not whole["partial"]
    _damage(Path(files[-1]))
    code, out, err = spectrum(*run)
    assert (code, out) == (2, "")
    assert files[-1] in err
    code, out, _ = spectrum(*run, "--on-error", "keep")
    said = json.loads(out)
    assert code == 0
    assert said["partial"]
    assert said["fraction"] == pytest.approx(1 - 1 / len(files))
    assert said["counts"] != whole["counts"]
    [failure] = said["failures"]
    assert files[-1] in failure["where"]
    assert failure["size"] == 3000


def test_data_make_never_touches_what_it_did_not_make(spectrum: Spectrum, tmp_path: Path) -> None:
    spec = shipped.folder("workflows") / "hep/dimuon.toml"
    make = ("data", "make", spec, "--data", tmp_path)
    (tmp_path / "zmumu.root").write_text("years of work")
    for overwrite in ((), ("--overwrite",)):
        code, _, err = spectrum(*make, *overwrite)
        assert code == 2
        assert "zmumu.root: this file is not synthetic data" in err
    assert (tmp_path / "zmumu.root").read_text() == "years of work"
    (tmp_path / "zmumu.root").unlink()
    assert spectrum(*make, "--size", 1000)[0] == 0
    before = {p: p.read_bytes() for p in tmp_path.glob("*.root")}
    assert spectrum(*make)[0] == 0
    code, _, err = spectrum(*make, "--size", 2000)
    assert code == 2
    assert "--overwrite makes it anew" in err
    assert {p: p.read_bytes() for p in tmp_path.glob("*.root")} == before
    assert spectrum(*make, "--size", 2000, "--overwrite")[0] == 0
    assert all(p.read_bytes() != b for p, b in before.items())


def test_a_picture_that_fails_costs_no_numbers(spectrum: Spectrum, tmp_path: Path) -> None:
    spec = tmp_path / "bad_label.toml"
    text = (shipped.folder("workflows") / "hep/dimuon.toml").read_text()
    spec.write_text(text.replace("m(µµ) [GeV]", r"$m_{\\mu$"))
    assert spectrum("data", "make", spec, "--data", tmp_path, "--size", 1000)[0] == 0
    code, out, _ = spectrum("run", spec, "--data", tmp_path, "--out", tmp_path / "r", "--json")
    assert code == 0
    record = json.loads(Path(json.loads(out)["folder"], "record.json").read_text())
    assert "histograms.json" in [o["name"] for o in record["objects"]]
    assert "spectrum.png could not be drawn" in record["notes"][0]


def _damage(path: Path) -> None:
    """Overwrite half of one basket of a branch that the analysis reads."""
    import uproot

    with uproot.open(path) as file:
        branch = file["Events"]["Jet_pt"]
        seek, size = int(branch.member("fBasketSeek")[0]), int(branch.member("fBasketBytes")[0])
    assert size > 0
    data = bytearray(path.read_bytes())
    data[seek + size // 2 : seek + size] = bytes(size - size // 2)
    path.write_bytes(data)


BAD = [
    (("run", "nowhere.toml"), "nowhere.toml: no such spec"),
    (("run", "{tmp}/bad.toml"), "not valid TOML"),
    (("run", "{tmp}/empty.toml"), 'it needs a line: workflow = "hep" or "radio"'),
    (("run", "{tmp}/other.toml"), "unknown workflow 'chemistry'"),
    (("run", "{ref}/hep_ttbar.toml", "--site", "labtop"), "did you mean laptop"),
    (("run", "{ref}/hep_ttbar.toml", "--data", "{tmp}/none"), "no such file"),
    (("run", "{ref}/hep_ttbar.toml", "--self-check"), "no self-check"),
    (("run", "{ref}/hep_ttbar.toml", "--out", "{tmp}/bad.toml"), "--out"),
    (("check", "{ref}/hep_ttbar.toml", "--data", "{tmp}/none"), "no such file"),
    (("data", "make", "{ref}/hep_ttbar.toml", "--data", "{tmp}/d"), "synthetic"),
    (("compare", "{tmp}", "{tmp}"), "not a run"),
]


@pytest.mark.parametrize(("words", "says"), BAD, ids=[b[1] + b[0][0] for b in BAD])
def test_bad_input_is_one_line(spectrum: Spectrum, tmp_path: Path, words, says: str) -> None:
    (tmp_path / "bad.toml").write_text("workflow = ")
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "other.toml").write_text('workflow = "chemistry"\n')
    before = sorted(tmp_path.rglob("*"))
    code, out, err = spectrum(*(w.format(tmp=tmp_path, ref=REFERENCE) for w in words))
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_without_a_column_is_refused_before_any_worker_is_asked_for(
    spectrum: Spectrum, shared_hep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("workers were asked for")

    text = (REFERENCE / "hep_ttbar.toml").read_text()
    spec = tmp_path / "agc.toml"
    spec.write_text(text.replace("NanoAODv5_sample.root", "nano_tt_v12.root"))
    monkeypatch.setattr("spectrum_workflows.sites.connect", asked)
    roots = ("--data", shared_hep, "--out", tmp_path / "r")
    code, out, err = spectrum("run", spec, "--site", "laptop", *roots)
    assert (code, out) == (2, "")
    assert "no branch 'Jet_btagCSVV2' in Events; did you mean Jet_btag" in err
    assert "with its working point in [fallbacks.Jet_btagCSVV2]" in err
    assert [p.name for p in (tmp_path / "r").iterdir()] == []


def test_the_shipped_fallback_runs_and_says_tagger_and_working_point(
    spectrum: Spectrum, shared_hep: Path, tmp_path: Path
) -> None:
    spec = shipped.folder("workflows") / "hep" / "ttbar_nanoaod_v12.toml"
    roots = ("--data", shared_hep, "--out", tmp_path / "r")
    code, out, _ = spectrum("run", spec, *roots, "--json")
    assert code == 0
    said = json.loads(out)
    record = json.loads(Path(said["folder"], "record.json").read_text())
    _, table, _ = spectrum("run", spec, *roots)
    shown = " ".join(table.replace("│", " ").split())
    for place in (said["warnings"][0], record["warnings"][0], shown):
        for words in ("Jet_btagDeepFlavB stands in", "tagger DeepJet", "cuts.btag = 0.3086"):
            assert words in place


CODE = """
from pathlib import Path
Path(FOLDER, "ran").touch()
def select(events):
    return {"met": events.MET_pt}
"""


def test_every_command_that_takes_a_spec_can_refuse_code_and_check_says_what_it_runs(
    spectrum: Spectrum,
) -> None:
    for command in (["run"], ["check"], ["data", "make"], ["data", "convert"]):
        assert "--no-user-code" in spectrum(*command, "--help")[1]
    said = " ".join(spectrum("check", "--help")[1].split())
    assert "Computes nothing" not in said
    assert "its top level runs here" in said


def test_a_spec_that_brings_code_says_so_and_can_be_refused_before_any_of_it_runs(
    spectrum: Spectrum, shared_hep: Path, tmp_path: Path
) -> None:
    text = (shipped.folder("workflows") / "hep" / "adl" / "q1.toml").read_text()
    text = text.replace("spectrum_workflows.hep.analyses.adl:q1", "mine.py:select")
    spec = tmp_path / "mine.toml"
    spec.write_text(text.replace("adl_generated", "adl_Run2012B_SingleMu_1000"))
    (tmp_path / "mine.py").write_text(f"FOLDER = {str(tmp_path)!r}\n" + CODE)
    convert = ["data", "convert", "IN.root", tmp_path / "OUT.root", "--spec", spec]
    reading = ("--data", shared_hep)
    for command in (
        ["check", spec, *reading],
        ["run", spec, "--out", tmp_path / "r", *reading],
        ["data", "make", spec, "--data", tmp_path / "d"],
        convert,
    ):
        code, out, err = spectrum(*command, "--no-user-code")
        assert (code, out) == (2, "")
        assert "not part of this package (mine.py)" in err
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "d").exists()
    code, out, _ = spectrum("check", spec, "--data", shared_hep)
    assert code == 0
    assert "runs the code in mine.py on every worker" in out
    assert (tmp_path / "ran").exists()
    shared = shipped.folder("workflows") / "hep" / "adl" / "q1.toml"
    assert "not part of this package" not in spectrum("check", shared, "--no-user-code")[2]


class TestWordsInTheTerminal:
    def test_folder_and_files_of_a_run_can_be_copied(self, spectrum, tmp_path):
        deep = tmp_path / ("a-folder-with-a-long-name-" * 4) / "results"
        spectrum("data", "make", "hep/dimuon", "--size", 2000)
        code, out, _ = spectrum("run", "hep/dimuon", "--out", deep)
        assert code == 0
        *_, folder, names = out.splitlines()
        assert Path(folder).parent == deep
        assert all((Path(folder) / name).exists() for name in names.split())
        assert "record.json" in names

    def test_numbers_have_units_and_as_many_digits_as_their_error(self, spectrum):
        spectrum("data", "make", "hep/dimuon", "--size", 20000)
        _, out, _ = spectrum("run", "hep/dimuon")
        words = " ".join(out.split())
        assert re.search(r"mass \d\d\.\d+ ± 0\.0\d\d?", words)
        mass, error = re.search(r"mass (\S+) ± ([0-9.]+)", words).groups()
        assert len(mass.partition(".")[2]) == len(error.partition(".")[2])
        assert re.search(r"bytes_read │ [\d.]+ MB", words)
        assert re.search(r"cpu_seconds │ [\d.]+ s", words)

    def test_a_missing_input_names_the_command_that_makes_it(self, spectrum):
        for command in ("run", "check"):
            code, _, err = spectrum(command, "radio/vla_sim")
            assert code == 2
            assert "spectrum data make radio/vla_sim makes example data" in err

    def test_an_unknown_name_lists_the_shipped_ones(self, spectrum):
        code, _, err = spectrum("run", "hep/nope")
        assert code == 2
        assert "no such spec" in err
        assert "hep/quickstart" in err

    def test_set_changes_the_spec_or_the_profile(self, spectrum):
        spectrum("data", "make", "hep/dimuon", "--size", 2000)
        words = ("--set", "histograms.z.bins=7", "--set", "workers.patience=60", "--json")
        code, out, _ = spectrum("run", "hep/dimuon", *words)
        assert code == 0
        saved = json.loads((Path(json.loads(out)["folder"]) / "histograms.json").read_text())
        assert saved["histograms"]["z"]["bins"] == 7

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("histograms.z.bins=x", "histograms.z.bins"),
            ("clustr.kind=slurm", "did you mean cluster?"),
            ("name", "not KEY=VALUE"),
        ],
    )
    def test_set_that_fits_neither_is_refused(self, spectrum, given, told):
        code, _, err = spectrum("check", "hep/dimuon", "--set", given)
        assert code == 2
        assert told in err

    def test_user_code_by_set_is_refused_where_none_is_wanted(self, spectrum, tmp_path):
        (tmp_path / "mine.py").write_text("raise SystemExit('ran')\n")
        change = f"select={tmp_path}/mine.py:select"
        code, _, err = spectrum("check", "hep/dimuon", "--set", change, "--no-user-code")
        assert code == 2
        assert "names code that is not part of this package" in err

    def test_notebooks_are_copied_and_never_over_others(self, spectrum, tmp_path):
        code, out, _ = spectrum("notebooks", tmp_path / "mine")
        assert code == 0
        notebook = tmp_path / "mine" / "hep" / "quickstart.ipynb"
        assert str(notebook) in out.splitlines()
        assert (tmp_path / "mine" / "hep" / "quickstart.toml").is_file()
        notebook.write_text("my own")
        code, out, err = spectrum("notebooks", tmp_path / "mine")
        assert (code, out) == (0, "")
        assert "stay as they are" in err
        assert notebook.read_text() == "my own"


def test_a_command_leaves_blas_and_the_collector_at_rest() -> None:
    """As many threads as users say; the collector looks often again once it has looked."""
    program = """
import gc, os, sys
from spectrum_workflows.cli import ALLOCATIONS, FIRST, main
sys.argv = ["spectrum", "--version"]
try:
    main()
except SystemExit:
    pass
print(os.environ["OPENBLAS_NUM_THREADS"], gc.get_threshold()[0] == FIRST)
gc.collect()
print(gc.get_threshold()[0] == ALLOCATIONS)
"""
    for asked, given in ((None, "1"), ("4", "4")):
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
        environment |= {"OPENBLAS_NUM_THREADS": asked} if asked else {}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert done.stdout.splitlines()[1:] == [f"{given} True", "True"]
