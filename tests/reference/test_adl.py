"""The eight ADL queries against ROOT's RDataFrame and the JSONiq implementation, bin by bin.

The frozen results of both are read from the shared reference; entries of every
histogram, flow included, stand here.
"""

import ast
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spectrum_workflows import load_spec
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.analyses import adl
from spectrum_workflows.hep.spec import HepSpec

FOLDER = Path(__file__).parents[2] / "workflows" / "hep" / "adl"
FILE = "adl_Run2012B_SingleMu_1000.root"

# ROOT 6.40.00 RDataFrame, tasks of root-project/opendata-benchmarks@298ba482.
ENTRIES = {
    ("Q1", "met"): 1000,
    ("Q2", "jet_pt"): 1699,
    ("Q3", "jet_pt"): 680,
    ("Q4", "met"): 116,
    ("Q5", "met"): 57,
    ("Q6a", "trijet_pt"): 274,
    ("Q6b", "btag"): 274,
    ("Q7", "jet_pt_sum"): 344,
    ("Q8", "mt"): 73,
}


def spec_of(query: str) -> HepSpec:
    spec = load_spec(FOLDER / f"q{query[1]}.toml")
    return spec.changed(samples={"single_muon": {"files": [FILE]}})


@cache
def contents(query, histogram, axis, data):
    """Ours with flow, on the binning of a reference."""
    bins = dict(zip(("bins", "start", "stop"), axis, strict=True))
    spec = spec_of(query).changed(histograms={histogram: bins})
    plan = DOMAIN.plan(spec, str(data))
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    return DOMAIN.arrays(result)[f"single_muon/{histogram}/values"]


def same_in_every_bin(reference, query, histogram, data, agrees, program):
    axis = (reference["nbins"], reference["lo"], reference["hi"])
    theirs = [reference["underflow"], *reference["contents"], reference["overflow"]]
    ours = contents(query, histogram, axis, data)
    moved = np.abs(ours - theirs).sum()
    agrees("1,000 real CMS events, eight ADL queries", program, "entries in another bin", moved, 0)
    assert ours.sum() == ENTRIES[query, histogram]


@pytest.mark.parametrize("binning", ["orig", "jsoniq"])
@pytest.mark.parametrize(("query", "histogram"), ENTRIES)
def test_a_query_equals_rdataframe_in_every_bin(
    query, histogram, binning, shared_hep, shared_reference, agrees
):
    file = shared_reference / "hep" / "adl_rdf.json"
    reference = json.loads(file.read_text())["queries"][query][binning]
    same_in_every_bin(reference, query, histogram, shared_hep, agrees, "ROOT RDataFrame")


@pytest.mark.parametrize(("query", "histogram"), ENTRIES)
def test_a_query_equals_the_jsoniq_implementation_in_every_bin(
    query, histogram, shared_hep, shared_reference, agrees
):
    file = shared_reference / "hep" / "adl_jsoniq.json"
    reference = json.loads(file.read_text())["queries"][query]
    same_in_every_bin(reference, query, histogram, shared_hep, agrees, "JSONiq")


@pytest.mark.parametrize(("query", "histogram"), ENTRIES)
def test_the_shipped_binning_is_that_of_the_field(query, histogram, shared_reference):
    file = shared_reference / "hep" / "adl_rdf.json"
    reference = json.loads(file.read_text())["queries"][query]["orig"]
    axis = spec_of(query).histograms[histogram]
    assert (axis.bins, axis.start, axis.stop) == tuple(reference[k] for k in ("nbins", "lo", "hi"))


def test_there_is_a_spec_of_every_query_and_its_selection_is_short():
    assert [p.stem for p in sorted(FOLDER.glob("*.toml"))] == [f"q{k}" for k in range(1, 9)]
    functions = {
        n.name: n for n in ast.parse(Path(adl.__file__).read_text()).body if hasattr(n, "name")
    }
    for k in range(1, 9):
        body = functions[f"q{k}"].body[1:]
        assert body[-1].end_lineno - body[0].lineno < 15
