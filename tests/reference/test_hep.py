"""Our histograms against those of ROOT's RDataFrame, bin by bin.

The small numbers stand here with their origin; the full histograms are read
from the shared reference results and skipped where those are absent.
"""

import json
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrum_workflows import load_spec
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.record import digest

pytestmark = pytest.mark.xdist_group("reference hep")  # what they share is made once

HERE = Path(__file__).parent
QUIET = {"report": lambda stage, done, total: None}

# ROOT 6.40.00 RDataFrame running book_histos of root-project/analysis-grand-challenge
# @ee794644 on NanoAODv5_sample.root: events per bin of 20 GeV from 50 to 550 GeV.
AGC_4J1B = [0] * 7 + [3, 2, 0, 2, 2, 3, 1, 2, 3, 1, 3, 3, 2, 2, 1, 0, 0, 1]
AGC_4J1B_OVERFLOW = 4
AGC_COUNTS = {"4j1b": 35, "4j2b": 73}
AGC_WEIGHT = 2465.39952  # 729.84 pb x 3378 /pb / 1000 events
# ROOT 6.40.00 RDataFrame, logic of tutorial df102, on agc_poet_open-data-example.root.
DIMUON_PAIRS = 37183
PROGRAMS = {"rdf": "ROOT 6.40 RDataFrame", "coffea": "coffea"}
EVERY_BIN = "largest of any bin, flow included, relative"


def run(name, data, client=None, **changes):
    spec = load_spec(HERE / f"{name}.toml").changed(**changes)
    plan = DOMAIN.plan(spec, str(data))
    result, metrics = DOMAIN.run(spec, plan, client=client, on_error="raise", **QUIET)
    assert not metrics.failures
    return plan, result, DOMAIN.arrays(result)


def furthest(ours, theirs):
    """The largest difference of a bin, relative to the bin; empty bins must be empty."""
    return float(
        np.max(np.abs(ours - theirs) / np.where(theirs == 0, np.abs(ours) + 1e-300, theirs))
    )


def with_flow(reference):
    return np.array([reference["underflow"], *reference["values"], reference["overflow"]])


def test_agc_ttbar_counts_and_first_histogram(shared_hep):
    _, result, arrays = run("hep_ttbar", shared_hep)
    assert DOMAIN.summary(result)["counts"] == AGC_COUNTS
    assert result.weights["ttbar"] == pytest.approx(AGC_WEIGHT, rel=1e-15)
    expected = np.array([0, *AGC_4J1B, AGC_4J1B_OVERFLOW]) * AGC_WEIGHT
    np.testing.assert_allclose(arrays["ttbar/4j1b/values"], expected, rtol=1e-9)
    np.testing.assert_allclose(arrays["ttbar/4j1b/variances"], expected * AGC_WEIGHT, rtol=1e-9)


@pytest.mark.parametrize("region", ["4j1b", "4j2b"])
@pytest.mark.parametrize("program", ["rdf", "coffea"])
def test_agc_ttbar_equals_the_field_s_programs_in_every_bin(
    shared_hep, shared_reference, region, program, agrees
):
    file = shared_reference / "hep" / f"agc_{program}_NanoAODv5_sample.json"
    reference = json.loads(file.read_text())["hists"][f"{region}_nominal"]
    _, _, arrays = run("hep_ttbar", shared_hep)
    apart = furthest(arrays[f"ttbar/{region}/values"], with_flow(reference))
    agrees("1,000 tt̄ events, both histograms", PROGRAMS[program], EVERY_BIN, apart, 1e-9)


def test_a_sample_that_selects_nothing_gives_present_and_empty_histograms(shared_hep):
    _, result, arrays = run("hep_zero", shared_hep)
    assert DOMAIN.summary(result)["counts"] == {"4j1b": 0, "4j2b": 0}
    for region in ("4j1b", "4j2b"):
        assert arrays[f"ttbar/{region}/values"].tolist() == [0.0] * 27
    assert result.events == {"ttbar": 200}


def test_the_real_file_cut_into_17_is_the_same_serial_and_on_workers(shared_hep, dask_client):
    _, _, whole = run("hep_ttbar", shared_hep)
    cut = {"partition": {"max_events": 59}}
    plan, _, serial = run("hep_ttbar", shared_hep, **cut)
    _, _, parallel = run("hep_ttbar", shared_hep, client=dask_client, **cut)
    assert len(plan.partitions) == 17
    assert digest(parallel) == digest(serial) == digest(whole)


@pytest.fixture(scope="module")
def dimuon(shared_hep):
    return run("hep_dimuon", shared_hep)


def test_dimuon_pairs_and_the_z_window(dimuon, shared_reference, agrees):
    _, result, arrays = dimuon
    assert DOMAIN.summary(result)["counts"] == {"dimuon": DIMUON_PAIRS}
    file = shared_reference / "hep" / "dimuon_rdf.json"
    window = json.loads(file.read_text())["z_window_60_120_120bins"]
    moved = np.abs(arrays["collisions/z/values"][1:-1] - window).sum()
    what = "100,000 real CMS events, Z in muon pairs"
    agrees(what, PROGRAMS["rdf"], "pairs in another bin of 60–120 GeV", moved, 0)
    assert arrays["collisions/z/values"].sum() == DIMUON_PAIRS


def in_float32(path):
    """The mass as ROOT's InvariantMass adds it up from float32 columns."""
    with uproot.open(path) as file:
        events = file["Events"].arrays()
    events = events[ak.num(events.Muon_pt) == 2]
    events = events[ak.sum(events.Muon_charge, axis=1) == 0]
    pt, eta, phi, mass = (
        ak.flatten(events[f"Muon_{k}"]).to_numpy().reshape(-1, 2)
        for k in ("pt", "eta", "phi", "mass")
    )
    x, y, z = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    e = np.sqrt(x * x + y * y + z * z + mass * mass)
    x, y, z, e = (v[:, 0] + v[:, 1] for v in (x, y, z, e))
    assert e.dtype == np.float32
    return np.sqrt(np.maximum(e * e - x * x - y * y - z * z, 0))


def test_the_full_dimuon_spectrum_differs_by_float32_rounding_only(
    dimuon, shared_hep, shared_reference
):
    reference = json.loads((shared_reference / "hep" / "dimuon_rdf.json").read_text())
    theirs = np.zeros(30_002)
    for k, content in reference["nonzero"].items():
        theirs[int(k)] = content
    theirs[0], theirs[-1] = reference["underflow"], reference["overflow"]
    ours = dimuon[2]["collisions/spectrum/values"]
    assert ours.sum() == theirs.sum() == DIMUON_PAIRS
    moved = np.abs(ours - theirs).sum() / 2
    assert moved < 0.005 * DIMUON_PAIRS
    assert np.abs(np.cumsum(ours - theirs)).max() <= 5  # to a neighbouring bin, not further
    axis = dimuon[1].histograms["collisions", "spectrum"].axes[0]
    mass = in_float32(shared_hep / "agc_poet_open-data-example.root").astype(np.float64)
    rounded = np.bincount(axis.index(mass) + 1, minlength=30_002)
    assert np.abs(rounded - theirs).sum() / 2 < moved / 2


def test_a_root_file_of_ours_holds_the_same_numbers(shared_hep, tmp_path):
    _, result, arrays = run("hep_ttbar", shared_hep)
    (tmp_path / "h.root").write_bytes(dict(DOMAIN.files(result))["histograms.root"])
    with uproot.open(tmp_path / "h.root") as file:
        for region in ("4j1b", "4j2b"):
            values = file[f"ttbar/{region}"].values(flow=True)
            assert np.array_equal(values, arrays[f"ttbar/{region}/values"])


# The full analysis: the shipped spec with its variations, on the reference's file.


@pytest.fixture(scope="module")
def varied(shared_hep):
    """Arrays of the shipped spec, cut into 1, 3 and 17 partitions."""
    spec = load_spec(HERE.parents[1] / "workflows" / "hep" / "ttbar.toml")
    sample = {"files": ("NanoAODv5_sample.root",), "cross_section": 729.84}
    ttbar = {"ttbar": spec.samples["ttbar"].model_copy(update=sample)}
    found = {}
    for most in (1000, 400, 59):
        partition = spec.partition.model_copy(update={"max_events": most})
        changes = {"samples": ttbar, "fit": None, "partition": partition}
        cut = spec.model_copy(update=changes)
        plan = DOMAIN.plan(cut, str(shared_hep))
        result, _ = DOMAIN.run(cut, plan, client=None, on_error="raise", **QUIET)
        found[len(plan.partitions)] = DOMAIN.arrays(result)
    return found


@pytest.mark.parametrize("program", ["rdf", "coffea"])
def test_agc_ttbar_with_variations_equals_the_field_s_programs_in_every_bin(
    varied, shared_reference, program, agrees
):
    file = shared_reference / "hep" / f"agc_{program}_NanoAODv5_sample.json"
    compared = 0
    for name, reference in json.loads(file.read_text())["hists"].items():
        if "pt_res_up" not in name:
            ours = varied[1][f"ttbar/{name.removesuffix('_nominal')}/values"]
            apart = furthest(ours, with_flow(reference))
            what = "the same events, all variations, 20 histograms"
            agrees(what, PROGRAMS[program], EVERY_BIN, apart, 1e-6)
            compared += 1
    assert compared == 20


def test_variations_do_not_depend_on_partitions_and_smearing_not_by_a_bit(varied):
    assert sorted(varied) == [1, 3, 17]
    for arrays in (varied[3], varied[17]):
        for name, whole in varied[1].items():
            if "btag" in name:  # sums of weights, in another order
                np.testing.assert_allclose(arrays[name], whole, rtol=1e-12, err_msg=name)
            else:
                assert np.array_equal(arrays[name], whole), name
    nominal, smeared = (varied[1][f"ttbar/4j2b{v}/values"] for v in ("", "_pt_res_up"))
    assert not np.array_equal(nominal, smeared)
    assert smeared.sum() == pytest.approx(nominal.sum(), rel=0.2)
