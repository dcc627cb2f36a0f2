"""Files and sets that were damaged by chance: an error in words, or the right numbers.

The right numbers are what uproot, casacore and a few lines of NumPy make of the same damaged
input; of a Zarr set whose metadata were damaged, of the set it was made from.
``SPECTRUM_MUTATIONS=700 pytest tests/test_mutated_inputs.py`` tries more of them.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import uproot

from spectrum_workflows.hep.synthetic import write_sample
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.spec import RadioSpec

pytestmark = pytest.mark.long

MUTATIONS = int(os.environ.get("SPECTRUM_MUTATIONS", "20"))
SCRIPT = Path(__file__).with_name("mutated_inputs.py")
OBSERVED = RadioSpec.model_validate(
    {
        "workflow": "radio",
        "name": "i",
        "data_set": "s",
        "image": {"npix": 48, "cell_arcsec": 8.0},
        "synthetic": {
            "telescope": "vla-c",
            "seed": 1,
            "declination_deg": 50.0,
            "frequency_hz": 1.4e9,
            "channel_width_hz": 1e6,
            "channels": 3,
            "visibilities": 6_000,
            "sefd_jy": 20.0,
            "sources": [{"name": "a", "flux_jy": 1.0, "east_arcsec": 30.0, "north_arcsec": -20.0}],
        },
    }
)


def write_small(path: Path) -> None:
    """Events of four branches: most of the file decides the result."""
    whole = path.with_name("whole.root")
    write_sample(str(whole), "dimuon", events=3_000, seed=3)
    names = ["MET_pt", "run", "luminosityBlock", "event"]
    with uproot.open(whole) as file:
        columns = file["Events"].arrays(names, library="np")
    with uproot.recreate(path, compression=uproot.ZSTD(5)) as file:
        file.mktree("Events", {name: column.dtype for name, column in columns.items()})
        for start in range(0, 3_000, 1_000):
            part = slice(start, start + 1_000)
            file["Events"].extend({name: column[part] for name, column in columns.items()})
    whole.unlink()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One input per kind, each in a folder of its own."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in ("root", "ms", "zarr")}
    write_small(folders["root"] / "s.root")
    DOMAIN.make(OBSERVED, str(folders["ms"]), size=None, report=lambda *_: None)
    shutil.copytree(folders["ms"] / "s.ms", folders["zarr"] / "s.ms")
    convert(str(folders["ms"] / "s.ms"), str(folders["zarr"] / "s.zarr"))
    return {kind: folder / f"s.{kind}" for kind, folder in folders.items()}


@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", ["root", "ms", "zarr"])
def test_an_error_in_a_line_or_the_right_numbers(
    sources: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    command = [sys.executable, str(SCRIPT), kind, str(sources[kind]), "0", str(MUTATIONS)]
    done = subprocess.run(
        [*command, str(tmp_path)], capture_output=True, text=True, check=True, errors="replace"
    )
    endings = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(endings) == MUTATIONS
    bad = [e for e in endings if e["ending"] not in ("right", "refused")]
    assert not bad, json.dumps(bad, indent=1)
    assert all(0 < len(e["words"]) < 2_000 for e in endings if e["ending"] == "refused")
    assert len(Counter(e["ending"] for e in endings)) == 2, "damage that nothing noticed"
