"""The Z' analysis against other implementations and frozen histograms, bin by bin."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import correctionlib
import numpy as np
import pytest

from spectrum_workflows import load_spec
from spectrum_workflows.hep import DOMAIN

sys.path.insert(0, str(Path(__file__).parent))
import zprime_numpy

pytestmark = pytest.mark.xdist_group("reference zprime")  # what they share is made once

HERE = Path(__file__).parent
WORKFLOWS = HERE.parents[1] / "workflows" / "hep"
QUIET = {"report": lambda stage, done, total: None}

SIZE, LUMINOSITY = 1_000, 40.0
"""Events of each simulated sample, and /pb of data."""

REGIONS = {"boosted": "mtt_boosted", "resolved": "mtt_resolved", "no_btag": "st_no_btag"}
KINEMATIC = ("jes_FlavorQCD_up", "jes_RelativeBal_down", "jer_up", "fat_jes_down", "unclustered_up")
WEIGHTS = ("btag_up", "btag_down", "muon_up", "pileup_down")
ROUNDING = 1e-9
"""Sums in another order; no event is in another bin."""


@pytest.fixture(scope="module")
def spec():
    return load_spec(WORKFLOWS / "zprime.toml").changed(luminosity=LUMINOSITY, fit=None)


@pytest.fixture(scope="module")
def data(spec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zprime")
    DOMAIN.make(spec, str(folder), size=SIZE, **QUIET)
    return folder


@pytest.fixture(scope="module")
def arrays(spec, data):
    plan = DOMAIN.plan(spec, str(data))
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", **QUIET)
    return DOMAIN.arrays(result)


@pytest.fixture(scope="module")
def edges(spec):
    return {
        region: spec.histograms[name].axes(name)[0].boundaries for region, name in REGIONS.items()
    }


def norm(spec, sample):
    cross_section = spec.samples[sample].cross_section
    return None if cross_section is None else cross_section * LUMINOSITY


def ours(arrays, sample, region, variation):
    name = "_".join(filter(None, (REGIONS[region], variation)))
    return arrays[f"{sample}/{name}/values"][1:-1]


@pytest.mark.parametrize("sample", ["zprime", "ttbar", "wjets", "data"])
def test_plain_numpy_finds_the_same_in_every_bin(sample, spec, data, arrays, edges, agrees):
    variations = (
        () if sample == "data" else (*KINEMATIC[:: 1 if sample == "zprime" else 4], *WEIGHTS)
    )
    corrections = correctionlib.CorrectionSet.from_file(str(WORKFLOWS / "zprime.json"))
    path = data / "zprime" / f"{sample}.root"
    theirs = zprime_numpy.histograms(path, corrections, edges, variations, norm(spec, sample))
    assert sum(content.sum() for content in theirs.values()) > 0
    for (region, variation), content in theirs.items():
        apart = np.max(np.abs(ours(arrays, sample, region, variation) - content), initial=0.0)
        scale = max(1.0, float(np.abs(content).max()))
        what = "Z' analysis, generated events, corrections and variations"
        quantity = "largest of any bin, relative to the highest"
        agrees(what, "plain NumPy and correctionlib", quantity, apart / scale, ROUNDING)


def to_freeze(spec, arrays):
    """All nominal histograms, and one of the signal and of its background under every variation."""
    nominal = [f"{s}/{h}/values" for s in spec.samples for h in spec.histograms]
    varied = ("zprime/mtt_boosted_", "ttbar/mtt_boosted_")
    return [*nominal, *(n for n in arrays if n.startswith(varied) and n.endswith("/values"))]


def test_histograms_are_those_that_are_frozen(spec, arrays):
    frozen = json.loads((HERE / "hep_zprime.json").read_text())
    assert [*frozen] == to_freeze(spec, arrays)
    for name, content in frozen.items():
        scale = max(1e-3, np.abs(content).max())
        np.testing.assert_allclose(
            arrays[name], content, rtol=1e-6, atol=1e-6 * scale, err_msg=name
        )


def test_corrected_simulation_describes_the_generated_data(arrays):
    """The generator's data differ from its simulation by what the corrections undo."""
    name = "jet_pt_muon_jets"
    measured = arrays[f"data/{name}/values"]
    expected = sum(arrays[f"{s}/{name}/values"] for s in ("ttbar", "wjets", "single_top"))
    error = np.sqrt(
        measured.sum() + sum(arrays[f"{s}/{name}/variances"].sum() for s in ("ttbar", "wjets"))
    )
    assert abs(measured.sum() - expected.sum()) < 3 * error


@pytest.fixture(scope="module")
def coffea(data, edges, spec):
    if importlib.util.find_spec("coffea") is None:
        pytest.skip("coffea is not installed; `uv pip install --group bench` does it")
    asked = {
        "folder": str(data / "zprime"),
        "corrections": str(WORKFLOWS / "zprime.json"),
        "edges": edges,
        "normalisations": {s: norm(spec, s) for s in ("zprime", "ttbar", "wjets", "data")},
        "variations": ["jes_FlavorQCD_up", "unclustered_up", *WEIGHTS],
    }
    command = [sys.executable, str(HERE / "coffea_zprime.py"), json.dumps(asked)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("sample", ["zprime", "ttbar", "wjets", "data"])
def test_coffea_finds_the_same_in_every_bin(sample, coffea, arrays, agrees):
    for name, content in coffea[sample].items():
        region, _, variation = name.partition("/")
        apart = np.max(np.abs(ours(arrays, sample, region, variation) - content), initial=0.0)
        scale = max(1.0, float(np.abs(content).max()))
        what = "Z' analysis, generated events, corrections and variations"
        quantity = "largest of any bin, relative to the highest"
        agrees(what, "coffea", quantity, apart / scale, ROUNDING)
