"""``spectrum sites``, ``spectrum schema`` and ``--set``."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).parents[1]


def spectrum(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("spectrum")), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_sites_are_listed() -> None:
    found = json.loads(spectrum("sites", "--json").stdout)
    names = {row["name"]: row["description"] for row in found["sites"]}
    assert names["laptop"] == "Worker processes on this computer"
    assert {"serial", "slurm", "cloud", "existing"} <= names.keys()
    assert "not tested here" in names["slurm-infiniband"]
    assert found["default"] == "laptop"
    assert "Worker processes in SLURM jobs" in spectrum("sites").stdout


def test_a_profile_is_shown_with_origins_and_its_job(tmp_path: Path) -> None:
    mine = tmp_path / "centre.toml"
    mine.write_text('extends = "slurm"\n[cluster]\naccount = "ours"\n')
    shown = spectrum("sites", "show", str(mine), "--set", "workers.count=2")
    assert shown.returncode == 0, shown.stderr
    lines = {line.split("  #")[0].rstrip(): line for line in shown.stdout.splitlines()}
    assert lines['cluster.account = "ours"'].endswith("centre.toml")
    assert lines["cluster.cores = 1"].endswith("slurm.toml")
    assert lines["workers.count = 2"].endswith("# --set")
    assert lines["workers.renew_before = 300.0"].endswith("slurm.toml")
    assert "#SBATCH -A ours" in lines
    assert any(line.endswith("--tls-key RUN/key.pem") for line in lines)
    as_json = json.loads(spectrum("sites", "show", str(mine), "--json").stdout)
    assert as_json["site"]["cluster"]["account"] == "ours"
    assert "#SBATCH -A ours" in as_json["job_script"]


@pytest.mark.parametrize("kind", ["site", "hep", "radio"])
def test_schemas_are_json_schema(kind: str) -> None:
    schema = json.loads(spectrum("schema", kind).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {"site": "workers", "hep": "samples", "radio": "image"}[kind] in schema["properties"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("sites", "show", "slum"), "did you mean slurm"),
        (("sites", "show", "slurm", "--set", "nonsense"), "not KEY=VALUE"),
        (("sites", "show", "slurm", "--set", "workers.cuont=2"), "did you mean count"),
        (("sites", "show", "slurm", "--set", "cluster.qeue=x"), "did you mean queue"),
        (("schema", "chemistry"), "chemistry"),
        (("proof", "--notebook", "no.ipynb", "--site", "serial"), "no such notebook"),
    ],
)
def test_bad_words_are_one_line(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    more = ("--out", str(tmp_path)) if words[0] == "proof" else ()
    ended = spectrum(*words, *more)
    assert ended.returncode == 2
    assert says in ended.stderr
    last = [line for line in ended.stderr.splitlines() if line.startswith("spectrum:")]
    assert len(last) == 1
