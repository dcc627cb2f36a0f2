"""Containers, bill of materials and releases: recipes that a linter reads, files that are valid."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from spectrum_workflows import __version__

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "environments"
LOCK = ENVIRONMENTS / "requirements.lock"
SCRIPT = ENVIRONMENTS / "build_image.sh"


def call(*command: object, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **more)


# Recipes


def test_hadolint_finds_nothing_in_the_containerfile(program: Callable[[str], str]) -> None:
    hadolint = program(str(ROOT / ".venv-exchange" / "bin" / "hadolint"))
    done = call(hadolint, "--failure-threshold", "style", ENVIRONMENTS / "Containerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_would_find_something(program: Callable[[str], str], tmp_path: Path) -> None:
    hadolint = program(str(ROOT / ".venv-exchange" / "bin" / "hadolint"))
    text = (ENVIRONMENTS / "Containerfile").read_text().replace("--no-cache-dir ", "")
    (tmp_path / "Containerfile").write_text(text)
    assert "DL3042" in call(hadolint, tmp_path / "Containerfile").stdout


def sections() -> dict[str, str]:
    """The sections of the Apptainer definition by their names; the header's is empty."""
    text = "\n" + (ENVIRONMENTS / "apptainer.def").read_text()
    parts = re.split(r"\n%(\w+)\n", text)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def test_the_definition_for_apptainer_has_the_sections_it_needs() -> None:
    """No linter of definitions exists: the structure that its manual asks for."""
    known = {"arguments", "files", "post", "environment", "runscript", "labels"}
    assert sections().keys() == {"", *known}
    header = [ln for ln in sections()[""].splitlines() if ln and not ln.startswith("#")]
    keys = dict(line.split(": ") for line in header)
    assert keys.keys() == {"Bootstrap", "From"}
    arguments = dict(
        line.strip().split("=") for line in sections()["arguments"].splitlines() if line
    )
    assert {f"{{{{ {name} }}}}" for name in arguments} == {*keys.values()}
    for name in ("post", "environment", "runscript"):
        done = call("sh", "-n", "-c", sections()[name])
        assert (done.returncode, done.stderr) == (0, "")


def test_the_two_recipes_install_the_same_in_the_same_place() -> None:
    container = (ENVIRONMENTS / "Containerfile").read_text()
    installs = re.findall(r"python -m (pip install .+)", container)
    assert re.findall(r"python -m (pip install .+)", sections()["post"]) == installs
    assert len(installs) == 2
    base = re.search(r"^ARG BASE=docker.io/library/(.+)$", container, re.MULTILINE)
    assert base is not None
    assert f"BASE={base[1]}\n" in sections()["arguments"]
    copied = [line.split()[1:-1] for line in container.splitlines() if line.startswith("COPY ")]
    names = {name for names in copied for name in names} - {"environments/requirements.lock"}
    assert {line.split()[0] for line in sections()["files"].splitlines() if line} == names


def test_the_build_s_context_holds_what_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    shown = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines
    assert {line.split()[0] for line in sections()["files"].splitlines() if line} == shown


# The script that builds


@pytest.fixture
def builders(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``builders("docker")(words)``: call the script where there are only these, which print."""

    def run(*names: str, words: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        for tool in ("sh", "sed", "dirname"):
            (tmp_path / tool).symlink_to(str(shutil.which(tool)))
        for name in names:
            (tmp_path / name).write_text('#!/bin/sh\nprintf "%s|" "$0" "$@"\necho\n')
            (tmp_path / name).chmod(0o755)
        return call(SCRIPT, *words, env={"PATH": str(tmp_path)})

    return run


def test_the_first_builder_that_is_here_builds(builders: Any, tmp_path: Path) -> None:
    done = builders("docker", "apptainer", words=("--pull", "--build-arg", "BASE=a b"))
    assert done.returncode == 0, done.stderr
    command, last = done.stdout.splitlines()
    assert command.split("|") == [
        *(f"{tmp_path}/docker", "build", "--pull", "--build-arg", "BASE=a b"),
        *("--file", "environments/Containerfile", "--tag", f"spectrum-workflows:{__version__}"),
        *("--tag", "spectrum-workflows:latest", ".", ""),
    ]
    assert last == f"built with docker: spectrum-workflows {__version__}"


def test_apptainer_writes_a_file(builders: Any, tmp_path: Path) -> None:
    done = builders("docker", "apptainer", words=("apptainer", "--force"))
    definition = "environments/apptainer.def"
    assert done.stdout.splitlines()[0].split("|") == [
        *(f"{tmp_path}/apptainer", "build", "--force", "spectrum-workflows.sif", definition, "")
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no podman, buildah, docker or apptainer here; install one of them"),
        (("podman",), "podman not found; install it, or name another builder"),
        (("kaniko",), "no builder 'kaniko'; podman, buildah, docker or apptainer"),
    ],
)
def test_without_a_builder_there_is_a_remedy(
    builders: Any, words: tuple[str, ...], message: str
) -> None:
    done = builders(words=words)
    assert done.returncode != 0
    assert done.stderr == f"build_image.sh: {message}\n"


# The bill of materials


def locked() -> dict[str, Requirement]:
    """The lock's packages, by their package URLs."""
    pins = re.findall(r"^([a-z0-9].*?) \\$", LOCK.read_text(), flags=re.MULTILINE)
    requirements = map(Requirement, pins)
    return {
        f"pkg:pypi/{canonicalize_name(r.name)}@{str(r.specifier).removeprefix('==')}": r
        for r in requirements
    }


@pytest.fixture(scope="module")
def sbom(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The bill that ``make sbom`` writes: valid, or there is none."""
    python = program(str(ROOT / ".venv-exchange" / "bin" / "python"))
    out = tmp_path_factory.mktemp("sbom") / "sbom.cdx.json"
    done = call(python, ENVIRONMENTS / "sbom.py", LOCK, sys.executable, out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}: {len(locked())} packages of {LOCK}\n"
    bill: dict[str, Any] = json.loads(out.read_text())
    return bill


def test_the_bill_has_every_package_of_the_lock_with_all_its_hashes(sbom: dict[str, Any]) -> None:
    components = {c["bom-ref"]: c for c in sbom["components"]}
    assert components.keys() == locked().keys()
    hashes = [
        one["content"]
        for component in components.values()
        for reference in component["externalReferences"]
        for one in reference.get("hashes", [])
    ]
    assert sorted(hashes) == sorted(re.findall(r"--hash=sha256:(\w+)", LOCK.read_text()))
    markers = {
        name: {p["value"] for p in component.get("properties", [])}
        for name, component in components.items()
    }
    quoted = {n: {m.replace('"', "'") for m in own} for n, own in markers.items()}
    assert quoted == {
        n: {str(r.marker).replace('"', "'")} if r.marker else set() for n, r in locked().items()
    }


def test_the_bill_says_licences_and_dependencies_of_what_is_installed(
    sbom: dict[str, Any],
) -> None:
    components = {c["name"]: c for c in sbom["components"]}
    assert components["ducc0"]["licenses"]
    assert [one["license"]["id"] for one in components["dask"]["licenses"]] == ["BSD-3-Clause"]
    assert sum("licenses" in c for c in sbom["components"]) > 0.8 * len(components)
    edges = {d["ref"].partition("@")[0]: d.get("dependsOn", []) for d in sbom["dependencies"]}
    assert any(name.startswith("pkg:pypi/dask@") for name in edges["pkg:pypi/distributed"])
    assert sbom["metadata"]["component"]["version"] == __version__
    own = {name.partition("@")[0] for name in edges["pkg:pypi/spectrum-workflows"]}
    assert {"pkg:pypi/dask", "pkg:pypi/uproot", "pkg:pypi/ducc0"} <= own


def test_the_bill_holds_no_time_no_random_number_and_no_path(sbom: dict[str, Any]) -> None:
    assert "serialNumber" not in sbom
    assert "timestamp" not in sbom["metadata"]
    text = json.dumps(sbom)
    assert str(ROOT) not in text
    assert "file://" not in text


# A release in a folder of software


@pytest.mark.long
def test_a_release_runs_read_only_and_elsewhere(tmp_path: Path) -> None:
    """As on CVMFS: installed in one place, mounted read-only in another; it is not CVMFS."""
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("mounting needs root and unshare")
    made = call(ENVIRONMENTS / "release.sh", tmp_path / "repo", env=dict(os.environ))
    assert made.returncode == 0, made.stderr
    release = Path(made.stdout.splitlines()[-1])
    assert release.relative_to(tmp_path / "repo").parts[:2] == ("spectrum", __version__)
    assert (release / ".cvmfscatalog").is_file()
    again = call(ENVIRONMENTS / "release.sh", tmp_path / "repo", env=dict(os.environ))
    assert again.returncode == 1
    assert "a release does not change" in again.stderr

    elsewhere = tmp_path / "cvmfs" / "repo.example.org"
    elsewhere.mkdir(parents=True)
    (tmp_path / "repo").rename(tmp_path / "moved")
    program = elsewhere / release.relative_to(tmp_path / "repo") / "bin" / "spectrum"
    data = "--site serial --data data"
    script = (
        f"mount --bind {tmp_path}/moved {elsewhere} && mount -o remount,ro,bind {elsewhere} && "
        f"! touch {elsewhere}/file 2>/dev/null && {program} data make hep/quickstart {data} "
        f"--size 2000 >&2 && exec {program} run hep/quickstart {data} --out results --json"
    )
    environment = os.environ | {"HOME": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    done = call("unshare", "--mount", "sh", "-c", script, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    here = call(
        *(sys.executable, "-m", "spectrum_workflows", "run", "hep/quickstart", *data.split()),
        *("--out", "here", "--json"),
        cwd=tmp_path,
    )
    assert json.loads(done.stdout)["digest"] == json.loads(here.stdout)["digest"]
