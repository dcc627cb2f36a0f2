"""A selection that gives another answer for the same events is found, and said."""

import numpy as np
import pytest
import uproot

from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.io.rootfile import close_all
from spectrum_workflows.hep.spec import HepSpec

pytestmark = pytest.mark.repeats

DEPENDS = {
    "draw": "import numpy as np\ndef select(e): return {'h': np.random.normal(e.MET_pt, 1)}",
    "generator": (
        "import numpy as np\nG = np.random.default_rng()\n"
        "def select(e): return {'h': np.asarray(e.MET_pt) * G.normal(1, 0.1, len(e))}"
    ),
    "clock": "import time\ndef select(e): return {'h': e.MET_pt + time.time() % 7}",
    "process": "import os\ndef select(e): return {'h': e.MET_pt + os.getpid() % 997 + 0.1}",
    "counter": "N = []\ndef select(e):\n    N.append(1)\n    return {'h': e.MET_pt + len(N)}",
    "first_seen": (
        "import awkward as ak\nM = []\ndef select(e):\n"
        "    M or M.append(ak.mean(e.MET_pt))\n    return {'h': e.MET_pt - M[0]}"
    ),
    "seed_kept": (
        "import numpy as np\nG = np.random.default_rng(1)\n"
        "def select(e): return {'h': np.asarray(e.MET_pt) + G.random(len(e))}"
    ),
}
STEADY = {
    "plain": "def select(e): return {'h': e.MET_pt}",
    "seeded": (
        "import numpy as np\ndef select(e):\n    g = np.random.default_rng(len(e))\n"
        "    return {'h': np.asarray(e.MET_pt) + g.random(len(e))}"
    ),
    "changes_input": (
        "import numpy as np\ndef select(e):\n    np.asarray(e.MET_pt)[:] *= 2\n"
        "    return {'h': e.MET_pt}"
    ),
    "prints": "def select(e):\n    print('hello')\n    return {'h': e.MET_pt}",
}


def spec(folder, code):
    with uproot.recreate(folder / "a.root") as file:
        met = np.random.default_rng(2).exponential(50, 300).astype("f4")
        file.mktree("Events", {"MET_pt": "f4"}).extend({"MET_pt": met})
    (folder / "mine.py").write_text(code)
    asked = {
        "workflow": "hep",
        "name": "x",
        "select": "mine.py:select",
        "folder": str(folder),
        "columns": ["MET_pt"],
        "normalisation": "none",
        "samples": {"s": {"files": ["a.root"]}},
        "histograms": {"h": {"bins": 3, "start": 0.0, "stop": 100.0}},
    }
    return HepSpec.model_validate(asked)


def warned(folder, code, client=None):
    asked = spec(folder, code)
    plan = DOMAIN.plan(asked, str(folder))
    _, metrics = DOMAIN.run(asked, plan, client=client, on_error="raise", report=lambda *_: None)
    return metrics.warnings


@pytest.mark.parametrize("kind", DEPENDS)
def test_what_depends_on_more_than_its_events_is_said(kind, tmp_path, dask_client):
    [said] = warned(tmp_path, DEPENDS[kind], dask_client)
    assert "mine.py, line" in said
    assert "does not give the same answer again (s: h)" in said


@pytest.mark.parametrize("kind", ["draw", "process"])
def test_it_is_said_without_workers_too(kind, tmp_path):
    [said] = warned(tmp_path, DEPENDS[kind])
    assert "cannot be repeated" in said


@pytest.mark.parametrize("kind", STEADY)
def test_what_repeats_itself_is_not_suspected(kind, tmp_path, dask_client):
    assert warned(tmp_path, STEADY[kind], dask_client) == ()


def test_names_that_python_shuffles_per_process_are_found(tmp_path):
    code = "def select(e): return {'h': e.MET_pt + hash('x') % 1000}"
    assert len(warned(tmp_path, code)) == 1


@pytest.mark.parametrize("workers", [False, True])
def test_what_is_read_for_it_is_counted(workers, tmp_path, dask_client):
    """It opens the file first, whose description is then not read again."""
    asked = spec(tmp_path, STEADY["plain"])
    plan = DOMAIN.plan(asked, str(tmp_path))
    close_all()  # what has been read for the plan is not of the run
    client = dask_client if workers else None
    _, metrics = DOMAIN.run(asked, plan, client=client, on_error="raise", report=lambda *_: None)
    assert metrics.bytes_read > 0.8 * (tmp_path / "a.root").stat().st_size
