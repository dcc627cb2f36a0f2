"""Where coffea is installed, it selects the same: every value of every query, not only bins."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spectrum_workflows import load_spec
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.select.preparing import prepare
from spectrum_workflows.hep.select.workload import load_workload

HERE = Path(__file__).parent
ADL, AGC = "adl_Run2012B_SingleMu_1000.root", "NanoAODv5_sample.root"
QUERIES = {"Q1": "met", "Q2": "jet_pt", "Q3": "jet_pt", "Q4": "met", "Q5": "met"}
QUERIES |= {"Q6a": "trijet_pt", "Q6b": "btag", "Q7": "jet_pt_sum", "Q8": "mt"}


@pytest.fixture(scope="module")
def coffea(shared_hep):
    """Its values, from a program of its own: it warns a lot when it is imported."""
    if importlib.util.find_spec("coffea") is None:
        pytest.skip("coffea is not installed; `uv pip install --group bench` does it")
    files = [str(shared_hep / name) for name in (ADL, AGC)]
    command = [sys.executable, str(HERE / "coffea_queries.py"), *files]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def ours(spec, sample, file):
    """What the selection of a spec returns for all events of a file."""
    spec = spec.changed(samples={sample: {"files": [str(file)]}})
    (partition,) = DOMAIN.plan(spec, "").partitions
    tree = open_tree(partition.url, partition.tree)
    prepared = prepare(tree, partition, load_workload(spec))
    found = prepared.selection(prepared.seen)
    return {region: np.asarray(getattr(o, "values", o), np.float64) for region, o in found.items()}


@pytest.mark.parametrize("query", QUERIES)
def test_coffea_finds_the_same_values(query, coffea, shared_hep):
    spec = load_spec(HERE.parents[1] / "workflows" / "hep" / "adl" / f"q{query[1]}.toml")
    found = ours(spec, "single_muon", shared_hep / ADL)[QUERIES[query]]
    # coffea adds momenta in float32: seen to differ by at most 3e-5 GeV.
    np.testing.assert_allclose(found, coffea[query], rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("region", ["4j1b", "4j2b"])
def test_coffea_finds_the_same_top_quarks(region, coffea, shared_hep):
    spec = load_spec(HERE / "hep_ttbar.toml")
    plan = DOMAIN.plan(spec, str(shared_hep))
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    h = result.histograms["ttbar", region] / result.weights["ttbar"]
    theirs = h.copy().reset().fill(coffea[region])
    np.testing.assert_allclose(h.values(flow=True), theirs.values(flow=True), rtol=1e-12)
    assert len(coffea[region]) == result.counts[region]
