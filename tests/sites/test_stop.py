"""Five presses of Stop, and a Ctrl-C; `benchmarks/stop.py` has as many as one wants."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import stop

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]


def test_stop_leaves_a_place_that_works_and_nothing_else(tmp_path: Path) -> None:
    found, _ = stop.measure(6, 7, tmp_path)
    words = [*found.wrong, *found.red, *found.lines, *found.processes, *found.folders]
    assert words == [], found.stages
    assert found.tasks == 0
    assert len(found.seconds) == 5
