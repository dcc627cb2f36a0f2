"""The proof on small data: the same notebook files at every site, with real services."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from spectrum_workflows.proof.running import PLAIN
from spectrum_workflows.record import machine

ROOT = Path(__file__).parents[2]
SITES = {"serial", "laptop", "slurm", "cloud"}

pytestmark = [
    pytest.mark.xdist_group("proof"),
    pytest.mark.usefixtures("slurm_up", "gateway_up"),
    pytest.mark.timeout(900),
]

SMALL = {"hep/quickstart": 10_000, "hep/dimuon": 10_000, "radio/vla_sim": 60_000}
"""Events per sample, or visibilities; the notebooks take the data that they find."""


def spectrum(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("spectrum")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_notebooks_give_the_same_result_at_every_site(tmp_path: Path) -> None:
    for name, size in SMALL.items():
        options = ("--data", str(tmp_path / "data"), "--size", str(size))
        assert spectrum("data", "make", f"workflows/{name}.toml", *options).returncode == 0
    ended = spectrum("proof", "--out", str(tmp_path), "--json")
    found = json.loads(ended.stdout)
    assert (ended.returncode, found["holds"]) == (0, True), ended.stdout
    rows = found["rows"]
    assert {row["notebook"] for row in rows} == {"hep/quickstart.ipynb", "radio/quickstart.ipynb"}
    more = {PLAIN} if any("AVX512" in f for f in machine()["cpu_features"]) else set()
    for notebook in {row["notebook"] for row in rows}:
        own = [row for row in rows if row["notebook"] == notebook]
        assert {row["site"] for row in own} == SITES | more
        assert len({row["sha256"] for row in own}) == 1
        assert all(len(row["digest"]) == 64 and row["bytes_read"] > 0 for row in own)
        same = [row for row in own if row["site"] != PLAIN]
        assert len({row["digest"] for row in same}) == 1
        workers = {row["site"]: row["workers"] for row in own}
        assert workers["serial"] == 0
        assert min(n for site, n in workers.items() if site != "serial") >= 1
    assert json.loads((tmp_path / "proof.json").read_text())["rows"] == rows
    assert (tmp_path / "proof.md").read_text().count("\n| hep/") == len(SITES | more)
