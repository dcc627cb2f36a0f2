"""Rules of the house that no tool checks: the two commands, paths, names, versions, sizes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]

MAY_BE_NAMED = {
    "agc.readthedocs.io",
    *("bioschemas.org", "schema.org", "w3id.org", "www.researchobject.org"),  # names of terms
    "127.0.0.1",
    *("casa.nrao.edu", "casaguides.nrao.edu", "eospublic.cern.ch", "xrootd-local.unl.edu"),  # data
    "arxiv.org",
    "doi.org",
    "eu-emi.eu",  # the namespace of its accounting records
    "github.com",
    *("indico.cern.ch", "www.skao.int"),  # published figures
    "json-schema.org",
    "keepachangelog.com",
    "localhost",
    "mybinder.org",
    "semver.org",
    "www.spectrumproject.eu",
}
"""Hosts that a file of this repository may name: none that packages come from."""

HOST = re.compile(r"\b(?:[a-z0-9-]+\.)+(?:org|com|net|edu|ch|dev|de|eu)\b(?!\s*\()", re.IGNORECASE)
URL_HOST = re.compile(r"\b(?:https?|roots?|ftp)://([\w-]+(?:\.[\w-]+)+)")
MACHINE_PATH = re.compile(
    r"(?<![\w.~$}*-])/(?:home|root|tmp|work|opt|Users|mnt|scratch)/(?!me\b)\w"
)


def tracked() -> list[Path]:
    """Files under version control, and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def lines_of_text() -> Iterator[tuple[str, str]]:
    """Every line of every tracked text file, with where it stands."""
    for path in tracked():
        if path.suffix not in {".png", ".root", ".fits"}:
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                yield f"{path.relative_to(ROOT)}:{number}", line


# The two commands


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make as a user would: nothing of an outer make reaches it."""
    plain = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=folder, env=plain, capture_output=True, text=True, check=False
    )


def test_make_alone_lists_the_targets() -> None:
    listed = re.findall(r"^  make (\w+) +\S", make().stdout, re.MULTILINE)
    assert {*listed} >= {"env", "demo", "test", "services", "lock", "lint", "clean"}


def test_make_says_which_python_it_needs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    run = make("env", "PYTHON=python-that-is-not-there", folder=tmp_path)
    assert run.returncode != 0
    assert "python-that-is-not-there not found; install Python 3.11 or newer" in run.stderr
    assert not (tmp_path / ".venv").exists()


def test_services_prints_its_list_where_there_is_no_apt(tmp_path: Path) -> None:
    for program in ("sed", "xargs", "echo"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    folder = ROOT / "environments"
    command = ["/bin/sh", folder / "services.sh", folder / "services.txt"]
    run = subprocess.run(
        command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert "wsclean: " in run.stdout
    assert "no apt-get here" in run.stdout


def test_ci_runs_the_two_targets() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert lines[-2:] == ["make services", "make test"]


def test_a_missing_program_is_a_skip_here_and_a_failure_in_ci(
    program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Path(program("make")).is_file()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-imager is not installed"):
        program("no-such-imager")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no-such-imager is not installed"):
        program("no-such-imager")


def test_pre_commit_accepts_its_configuration() -> None:
    pytest.importorskip("pre_commit")
    command = [sys.executable, "-m", "pre_commit", "validate-config"]
    subprocess.run(command, cwd=ROOT, check=True)


# Names, paths and versions


def test_no_file_holds_a_path_of_a_machine() -> None:
    assert [f"{where}: {ln}" for where, ln in lines_of_text() if MACHINE_PATH.search(ln)] == []


def test_no_file_names_a_host_it_should_not() -> None:
    found = {
        f"{where}: {host}"
        for where, line in lines_of_text()
        for host in HOST.findall(line) + URL_HOST.findall(line)
        if host.lower() not in MAY_BE_NAMED and not host.lower().endswith("example.org")
    }
    assert found == set()


def test_the_searches_above_find_something() -> None:
    assert MACHINE_PATH.search('open("/' + 'tmp/data.root")')
    assert MACHINE_PATH.search("/" + "home/someone/data")
    assert not MACHINE_PATH.search("~/spectrum/data and $HOME/" + "work/x")
    for host in ("packages.example" + ".org", "eos.cern" + ".ch"):
        assert HOST.findall(f"see {host}/simple, or {host}:1094") == [host, host]
        assert URL_HOST.findall("root" + f"://{host}//store") == [host]


def test_one_version_everywhere() -> None:
    source = (ROOT / "src" / "spectrum_workflows" / "__init__.py").read_text()
    version = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    assert version
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]) == version[1]
    assert f"## [{version[1]}]" in (ROOT / "CHANGELOG.md").read_text()


SOURCES = sorted((ROOT / "src").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT / "src")))
def test_files_are_named_after_a_subject(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "manager", "misc", "common"}


# The core knows no science

CORE = (
    *("domain", "record", "cli", "proof", "front.py", "examples.py", "checking.py"),
    *("datasets.py", "testing.py", "progress.py", "stages.py", "keys.py", "watching.py"),
)
WORD_OF_A_SCIENCE = re.compile(
    r"(?i:\b(events?|visibilit(y|ies)|hep|radio|histograms?|quarks?|jets?|muons?|pixels?|beams?|"
    r"antennas?|sk(y|ies)|measurement sets?|msv4|baskets?|branch(es)?|nanoaod|uvw?|"
    r"self[_-]check|output[_-]channels|cluster[_-]events|samples|uproot|awkward|astropy|casacore)\b"
    r"|\bzarr\b|\.ms\b)|\bROOT\b"
)


def test_the_core_has_no_word_of_a_science() -> None:
    package = ROOT / "src" / "spectrum_workflows"
    files = [f for name in CORE for f in ((package / name).rglob("*.py") or ())]
    files += [package / name for name in CORE if name.endswith(".py")]
    assert len(files) > 30
    assert WORD_OF_A_SCIENCE.search('"Events or visibilities in this partition."')
    assert WORD_OF_A_SCIENCE.search('url.endswith(".zarr")')
    named = [
        f"{file.relative_to(package)}:{number}: {word[0]}"
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        for word in [WORD_OF_A_SCIENCE.search(line)]
        if word
    ]
    assert named == []


@pytest.mark.xdist_group("house")
def test_tests_of_one_group_reach_one_worker(request: pytest.FixtureRequest) -> None:
    """Services are started once: pytest-xdist adds the group to what it sorts tests by."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("all tests run in one process")
    assert request.node.nodeid.endswith("@house")
