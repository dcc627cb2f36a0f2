"""``make continuum``, with less data: two real sites, two real stores, and one site killed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ceph
import pytest
import slurm

ROOT = Path(__file__).resolve().parents[2]
SIZES = ("--events", "20000", "--visibilities", "40000")


@pytest.mark.long
@pytest.mark.timeout(1000)
def test_both_sciences_over_slurm_and_gateway_with_a_store_each(
    program: Callable[[str], str], tmp_path: Path
) -> None:
    for name in (*slurm.PROGRAMS, *ceph.PROGRAMS):
        program(name)
    services = [str(ROOT / "tests/services/with_services.py"), "slurm", "gateway", "ceph", "rclone"]
    python = shutil.which("python", path=str(Path(sys.executable).parent)) or sys.executable
    command = [python, *services, "--", python, str(ROOT / "benchmarks/continuum.py"), "--json"]
    done = subprocess.run(
        [*command, *SIZES], cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    hep, radio, killed = told["runs"]
    assert told["holds"], told["ratios"]
    assert hep["same"]
    assert radio["same"]
    assert killed["same"]
    assert list(killed["lost"]) == ["centre"]
    assert not hep["lost"]
    assert hep["policy"].endswith(" 0 of them broken")
    between = {(flow["source"], flow["target"]): flow["measured"] for flow in hep["bytes"]}
    assert between.get(("centre", "cloud"), 0) == between.get(("cloud", "centre"), 0) == 0
    assert 5 * hep["crossing"]["measured"] < hep["crossing"]["by_chance"]
    crossing = hep["crossing"]
    assert crossing["measured"] <= 1.1 * max(crossing["unavoidable"], crossing["planned"])
    assert {*radio["subtrees"]} == {"centre", "cloud"}
