"""Workflow engines of others that call this package's commands, run for real on small data."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PIPELINES = ROOT / "workflows" / "pipelines"
SPEC, SIZE, CUT = "hep/quickstart", 2_000, "cuts.jet_pt=40.0"

pytestmark = pytest.mark.xdist_group("pipelines")

Engine = Callable[..., str]
Validate = Callable[[object], subprocess.CompletedProcess[str]]


def environment(folder: Path) -> dict[str, str]:
    """The machine's own, with the command on the path, and without a default site."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("SPECTRUM_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
    return own | {"PATH": path, "HOME": str(folder), "XDG_CACHE_HOME": str(folder.parent / "cache")}


def call(command: list[object], folder: Path) -> str:
    """Run a command in a folder, and give what it prints."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def engine(program: Callable[[str], str]) -> Engine:
    """The path of a program of ``.venv-exchange``."""
    return lambda name: program(str(ROOT / ".venv-exchange" / "bin" / name))


@pytest.fixture(scope="module")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the two commands give by hand."""
    folder = tmp_path_factory.mktemp("by_hand")
    site = ["--site", "serial", "--data", "data"]
    call(["spectrum", "data", "make", SPEC, *site, "--size", SIZE], folder)
    printed = call(["spectrum", "run", SPEC, *site, "--out", "o", "--json", "--set", CUT], folder)
    return str(json.loads(printed)["digest"])


@pytest.mark.long
def test_snakemake_runs_a_spec_with_the_same_digest(
    engine: Engine, digest: str, tmp_path: Path
) -> None:
    command = [engine("snakemake"), "--snakefile", PIPELINES / "quickstart.smk", "--cores", "1"]
    config = ["out=runs", f"specs=[{SPEC}]", f"size={SIZE}", f"set=[{CUT}]"]
    call([*command, "--config", *config], tmp_path)
    assert json.loads((tmp_path / "runs" / f"{SPEC}.json").read_text())["digest"] == digest
    [record] = (tmp_path / "runs" / "results").glob("*/record.json")
    assert json.loads(record.read_text())["digest"] == digest


def test_snakemake_knows_the_rules_of_any_list_of_specs(engine: Engine, tmp_path: Path) -> None:
    command = [engine("snakemake"), "--snakefile", PIPELINES / "quickstart.smk", "--dry-run"]
    config = ["out=runs", "specs=[hep/quickstart,radio/vla_sim]", "site=laptop"]
    printed = call([*command, "--cores", "1", "--printshellcmds", "--config", *config], tmp_path)
    for spec in ("hep/quickstart", "radio/vla_sim"):
        assert f"spectrum data make {spec} --site laptop" in printed
        assert f"spectrum run {spec} --site laptop --data runs/data/{spec}" in printed


@pytest.mark.long
def test_cwltool_runs_a_spec_with_the_same_digest(
    engine: Engine, digest: str, tmp_path: Path
) -> None:
    command = [engine("cwltool"), "--quiet", "--outdir", "out", PIPELINES / "quickstart.cwl"]
    inputs = ["--spec", SPEC, "--size", SIZE, "--settings", CUT]
    printed = json.loads(call([*command, *inputs], tmp_path))
    assert json.loads(Path(printed["summary"]["path"]).read_text())["digest"] == digest
    [record] = Path(printed["results"]["path"]).glob("*/record.json")
    assert json.loads(record.read_text())["digest"] == digest


@pytest.mark.parametrize("name", ["make_data.cwl", "run_spec.cwl", "quickstart.cwl"])
def test_cwltool_finds_a_document_valid(engine: Engine, name: str, tmp_path: Path) -> None:
    call([engine("cwltool"), "--quiet", "--validate", "--strict", PIPELINES / name], tmp_path)


VALIDATE = """
import json, sys
from reana_commons.validation.utils import validate_reana_yaml
print(json.dumps(validate_reana_yaml(json.load(sys.stdin))))
"""


def reana() -> dict[str, Any]:
    """The file for REANA, as a value."""
    value: dict[str, Any] = yaml.safe_load((PIPELINES / "reana.yaml").read_text())
    return value


@pytest.fixture(scope="module")
def validated(
    program: Callable[[str], str],
) -> Callable[[object], subprocess.CompletedProcess[str]]:
    """``validated(value)``: what REANA's own validator says of a ``reana.yaml``."""
    python = program(str(ROOT / ".venv-reana" / "bin" / "python"))

    def validate(value: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-W", "ignore", "-c", VALIDATE],
            input=json.dumps(value),
            capture_output=True,
            text=True,
            check=False,
        )

    return validate


def test_reana_finds_its_file_valid(validated: Validate) -> None:
    done = validated(reana())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}
    unknown = reana()
    del unknown["workflow"]["specification"]
    assert validated(unknown).returncode != 0


@pytest.mark.long
def test_the_commands_for_reana_give_the_same_digest(digest: str, tmp_path: Path) -> None:
    """The commands of its steps, in a shell: REANA itself needs a cluster and did not run them."""
    parameters = reana()["inputs"]["parameters"]
    assert parameters["spec"] == SPEC
    specification = reana()["workflow"]["specification"]
    for step in specification["steps"]:
        for line in step["commands"]:
            command = Template(line).substitute(parameters | {"size": SIZE})
            if command.startswith("spectrum run"):
                command = command.replace("--json", f"--json --set {CUT}")
            call(["sh", "-c", command], tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["digest"] == digest
    outputs = reana()["outputs"]
    names = [*outputs["files"], *outputs["directories"]]
    assert [name for name in names if not (tmp_path / name).exists()] == []


def test_the_image_for_reana_is_the_one_that_is_built() -> None:
    from spectrum_workflows import __version__

    specification = reana()["workflow"]["specification"]
    images = {step["environment"] for step in specification["steps"]}
    assert images == {f"spectrum-workflows:{__version__}"}
