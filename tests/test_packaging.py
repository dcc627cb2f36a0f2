"""What the package is installed with and from: lock, conda, containers, Binder, wheel."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "environments" / "requirements.lock"
DEV_LOCK = ROOT / "environments" / "developers.lock"
PYUVDATA_LOCK = ROOT / "environments" / "pyuvdata.lock"
EXCHANGE_LOCK = ROOT / "environments" / "exchange.lock"
REANA_LOCK = ROOT / "environments" / "reana.lock"
LOCKS = [LOCK, DEV_LOCK, PYUVDATA_LOCK, EXCHANGE_LOCK, REANA_LOCK]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(lock: Path = LOCK) -> list[Requirement]:
    """The requirements of a lock file."""
    pins = re.findall(r"^([a-z0-9].*?) \\$", lock.read_text(), flags=re.MULTILINE)
    return [Requirement(pin) for pin in pins]


def declared(*groups: str) -> list[Requirement]:
    """What pyproject.toml asks for: dependencies, extras, and the groups named."""
    project = PROJECT["project"]
    extras = [r for extra in project["optional-dependencies"].values() for r in extra]
    grouped = [r for g in groups for r in PROJECT["dependency-groups"][g] if isinstance(r, str)]
    texts = project["dependencies"] + extras + grouped
    return [Requirement(t) for t in texts if not t.startswith(project["name"])]


# The lock, and what is made from it


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_package_of_a_lock_has_a_hash(lock: Path) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", lock.read_text())[1:]
    assert len(blocks) > (10 if lock in (PYUVDATA_LOCK, REANA_LOCK) else 100)
    assert [b.splitlines()[0] for b in blocks if "--hash=sha256:" not in b] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_names_no_place(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    assert [line for line in text.splitlines() if line.lstrip("# ").startswith("/")] == []


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize(
    ("lock", "groups"), [(LOCK, ["build"]), (DEV_LOCK, ["build", "test", "dev", "docs"])]
)
def test_a_lock_satisfies_what_is_declared(lock: Path, groups: list[str], python: str) -> None:
    machine = default_environment() | {"python_version": python, "python_full_version": python}
    pins = {
        pin.name: str(pin.specifier).removeprefix("==")
        for pin in locked(lock)
        if pin.marker is None or pin.marker.evaluate(machine)
    }
    wanted = [r for r in declared(*groups) if r.marker is None or r.marker.evaluate(machine)]
    assert len(wanted) > 20
    missing = [str(r) for r in wanted if not r.specifier.contains(pins.get(r.name, "0"))]
    assert missing == [], "run `make lock`"


def test_developers_have_what_users_have_and_users_no_tools() -> None:
    users, developers = (
        {f"{r.name}{r.specifier}" for r in locked(lock)} for lock in (LOCK, DEV_LOCK)
    )
    assert users <= developers
    tools = {r.name for r in declared("test", "dev", "docs")} - {r.name for r in declared("build")}
    assert {"pytest", "ruff", "mypy", "sphinx", "playwright"} <= tools
    assert tools & {r.name for r in locked()} == set()


def test_the_conda_environment_holds_the_versions_of_the_lock() -> None:
    script = ROOT / "environments" / "conda_from_lock.sh"
    made = subprocess.run(["sh", script, LOCK], capture_output=True, check=True, text=True).stdout
    path = ROOT / "environments" / "environment.yml"
    assert path.read_text() == made, "run `make lock`"
    python, pip, section = yaml.safe_load(made)["dependencies"]
    assert (python, pip) == ("python=3.11", "pip")
    assert {str(Requirement(r)) for r in section["pip"]} == {str(r) for r in locked()}


@pytest.mark.parametrize("recipe", ["Containerfile", "apptainer.def"])
def test_a_container_recipe_copies_files_that_exist_and_installs_the_lock(recipe: str) -> None:
    text = (ROOT / "environments" / recipe).read_text()
    assert "--require-hashes --requirement environments/requirements.lock" in text
    copied = re.findall(
        r"^(?:COPY ([\w./ ]+) \S+|    (?!cd )([\w./]+) /srv/\S+)$", text, re.MULTILINE
    )
    names = [name for pair in copied for name in " ".join(pair).split()]
    needed = {"environments", "pyproject.toml", "src", "workflows", "README.md", "LICENSE"}
    assert needed <= {*names}
    assert [name for name in names if not (ROOT / name).exists()] == []


# Binder


def test_binder_installs_the_lock_and_nothing_else() -> None:
    lines = (ROOT / "binder" / "requirements.txt").read_text().splitlines()
    assert [ln for ln in lines if not ln.startswith("#")] == [
        "-r ../environments/requirements.lock"
    ]
    assert (ROOT / "binder" / "runtime.txt").read_text().strip() == "python-3.11"


def test_binder_makes_the_data_of_specs_that_exist() -> None:
    script = ROOT / "binder" / "postBuild"
    assert os.access(script, os.X_OK)
    names = re.findall(r"\bworkflows/[\w/]+\.toml", script.read_text())
    assert len(names) >= 2
    assert [name for name in names if not (ROOT / name).is_file()] == []


def test_the_start_page_of_binder_leads_to_notebooks_that_exist() -> None:
    page = ROOT / "binder" / "welcome.md"
    links = re.findall(r"\]\((\S+?)\)", page.read_text())
    assert len(links) >= 3
    assert [link for link in links if not (page.parent / link).is_file()] == []
    assert "Markdown Preview" in (ROOT / "binder" / "postBuild").read_text()


def test_notebooks_run_in_a_copy_that_git_does_not_see() -> None:
    """Whoever runs them in a clone changes nothing of it."""
    recipe = (ROOT / "Makefile").read_text().partition("\nlab: ")[2].partition("\n\n")[0]
    assert "spectrum notebooks notebooks\n" in recipe
    assert "jupyter lab --notebook-dir=notebooks" in recipe
    assert "/notebooks/" in (ROOT / ".gitignore").read_text().splitlines()


def test_repo2docker_accepts_the_repository() -> None:
    pytest.importorskip("repo2docker")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    recipe = run.stdout
    assert "RUN ./binder/postBuild" in recipe
    assert "conda environment for python=3.11" in run.stderr
    whole = recipe.index("COPY --chown=0:0 src/ ${REPO_DIR}/")
    install = recipe.index('pip install --no-cache-dir -r "binder/requirements.txt"')
    assert whole < install, "the lock would not be there yet"


# What the package imports, and its wheel


def third_party(folder: Path) -> set[str]:
    """Distributions that the Python files below a folder import, also inside functions."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
    outside = found - {*sys.stdlib_module_names} - {"spectrum_workflows"}
    return {OTHER_NAMES.get(name, name).replace("_", "-") for name in outside}


OTHER_NAMES = {"casacore": "python-casacore", "IPython": "ipywidgets", "XRootD": "xrootd"}
OTHER_NAMES |= {"PIL": "pillow", "rucio": "rucio-clients"}


ON_REQUEST = {"bokeh", "xarray", "photutils", "bdsf", "katbeam", "pyarrow"}
ON_REQUEST |= {"onnxruntime", "xgboost"}
"""Imported by what is asked for by name alone, which says what brings them."""


@pytest.mark.parametrize("science", ["hep", "radio"])
def test_a_science_declares_what_it_imports(science: str) -> None:
    project = PROJECT["project"]
    texts = project["dependencies"] + project["optional-dependencies"][science]
    imported = third_party(ROOT / "src" / "spectrum_workflows" / science)
    assert "numpy" in imported
    assert imported - {Requirement(t).name for t in texts} - ON_REQUEST == set()


def test_the_core_declares_what_it_imports() -> None:
    package = ROOT / "src" / "spectrum_workflows"
    core = third_party(package) - third_party(package / "hep") - third_party(package / "radio")
    assert "typer" in core
    assert core - {requirement.name for requirement in declared()} == set()


def test_the_extras_are_those_of_the_readme() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    parts = {"hep", "radio", "notebooks", "slurm", "htcondor", "s3", "xrootd", "gateway"}
    parts |= {"beams", "sources", "parquet", "onnx", "xgboost", "energy", "metrics", "rucio"}
    assert extras.keys() == parts | {"all"}
    assert {*Requirement(extras["all"][0]).extras} == parts
    assert PROJECT["project"]["requires-python"] == ">=3.11"


def test_the_wheel_works_without_the_checkout(tmp_path: Path) -> None:
    """What a ``pip install`` gives: sites and specs travel inside the package."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", tmp_path], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        "import json, spectrum_workflows as s\n"
        "from spectrum_workflows import shipped, sites\n"
        "spec = s.load_spec(shipped.folder('workflows') / 'hep' / 'ttbar.toml')\n"
        "print(json.dumps([s.__file__, sorted(sites.site_names()), spec.name]))"
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path)}
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, cwd=tmp_path, env=env, check=False, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    file, sites, name = json.loads(run.stdout)
    assert Path(file).is_relative_to(tmp_path)
    assert {"laptop", "serial"} <= {*sites}
    assert name == "ttbar"
