"""Systematic variations of the ttbar selection: smearing, weights, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from correctionlib import CorrectionSet

from spectrum_workflows import load_spec
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.analyses import smearing, ttbar
from spectrum_workflows.hep.analyses.ttbar_weights import WEIGHTED, varied_weights
from spectrum_workflows.hep.io.read import read
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.types import Events

WORKFLOWS = Path(__file__).parents[2] / "workflows" / "hep"
CORRECTIONS = CorrectionSet.from_file(str(WORKFLOWS / "ttbar_weights.json"))


@pytest.fixture(scope="module")
def spec():
    return load_spec(WORKFLOWS / "ttbar.toml")


@pytest.fixture(scope="module")
def events(generated, spec):
    plan = DOMAIN.plan(
        spec.model_copy(
            update={
                "samples": {
                    "ttbar": spec.samples["ttbar"].model_copy(update={"files": ("ttbar.root",)})
                },
                "fit": None,
            }
        ),
        str(generated),
    )
    first = plan.partitions[0]
    whole = Events(first.sample, first.url, first.tree, 0, 8400, first.uuid, first.nbytes)
    return read(open_tree(whole.url, whole.tree), whole, spec.columns)


def test_the_hash_is_splitmix64():
    # First outputs for seed 0 of the reference implementation (S. Vigna, public domain).
    assert int(smearing.mixed(0, 0)) == 0xE220A8397B1DCDAF
    assert int(smearing.mixed(np.uint64(0x9E3779B97F4A7C15), 0)) == 0x6E789E6AA1B965F4


def test_deviates_are_standard_normal_and_independent():
    keys = [np.uint64(smearing.event_key(1, 7, event)) for event in range(5000)]
    x = np.array([[smearing.normal(key, jet) for jet in range(4)] for key in keys])
    n = x.size
    assert abs(x.mean()) < 4 / np.sqrt(n)
    assert abs(x.std() - 1) < 4 / np.sqrt(2 * n)
    assert abs((np.abs(x) < 1).mean() - 0.6827) < 4 * 0.47 / np.sqrt(n)
    between_jets = np.corrcoef(x.T)[np.triu_indices(4, 1)]
    assert np.abs(between_jets).max() < 5 / np.sqrt(len(x))
    assert abs(np.corrcoef(x[:-1, 0], x[1:, 0])[0, 1]) < 5 / np.sqrt(len(x))


def test_smearing_belongs_to_the_jet_and_not_to_its_neighbours(events):
    options = {"variations": ["pt_res_up"]}
    whole = ttbar.select(events, **options)["4j2b"].variations["pt_res_up"]
    pieces = [
        ttbar.select(events[k : k + 613], **options)["4j2b"].variations["pt_res_up"].values
        for k in range(0, len(events), 613)
    ]
    assert np.array_equal(np.concatenate(pieces), whole.values)
    backwards = ttbar.select(events[::-1], **options)["4j2b"].variations["pt_res_up"].values
    assert np.array_equal(backwards[::-1], whole.values)


def test_a_scaled_jet_is_a_jet_of_another_pt(events):
    scaled = events.Jet_pt * np.float32(1.03)
    import awkward as ak

    shifted = ttbar.select(ak.with_field(events, scaled, "Jet_pt"))
    found = ttbar.select(events, variations=["pt_scale_up"])
    for region, observable in found.items():
        varied = observable.variations["pt_scale_up"]
        assert np.array_equal(varied.values, shifted[region].values)
        assert np.array_equal(varied.index, shifted[region].index)
        assert len(varied.values) != len(observable.values)


def test_weights_are_those_of_the_corrections_and_of_the_definition(events):
    found = ttbar.select(events, variations=[*WEIGHTED], corrections=CORRECTIONS)
    for observable in found.values():
        jets = events[observable.index]
        good = (jets.Jet_pt > 30) & (abs(jets.Jet_eta) < 2.4) & (jets.Jet_jetId == 6)
        leading = np.stack([np.asarray(jets.Jet_pt[good][:, k], float) for k in range(4)], axis=1)
        for name, (systematic, direction, jet) in WEIGHTED.items():
            weights = observable.variations[name].weights
            evaluator = CORRECTIONS["event_weight"]
            theirs = evaluator.evaluate(systematic, direction, leading[:, jet])
            np.testing.assert_allclose(weights, theirs, rtol=1e-12)
            sign = 1 if direction == "up" else -1
            size = 0.075 * leading[:, jet] / 50 if systematic == "btag_var" else 0.025
            np.testing.assert_allclose(weights, 1 + sign * size, rtol=1e-12)
            assert observable.variations[name].values is observable.values


def test_a_correction_that_is_no_straight_line_is_evaluated_event_by_event():
    text = (WORKFLOWS / "ttbar_weights.json").read_text().replace("0.075 * x / 50", "0.01 * log(x)")
    bent = CorrectionSet.from_string(text)
    leading = np.linspace(31, 900, 40, dtype=np.float32).reshape(10, 4)
    [(_, found)] = varied_weights(["btag_var_2_down"], bent["event_weight"], leading)
    np.testing.assert_allclose(found, 1 - 0.01 * np.log(leading[:, 2].astype(float)), rtol=1e-12)


def test_variations_that_cannot_be_computed_are_refused(events, spec, generated, tmp_path):
    with pytest.raises(SpecError, match=r"no variation 'pt_scale_upp'; did you mean pt_scale_up"):
        ttbar.select(events, variations=["pt_scale_upp"])
    with pytest.raises(SpecError, match="btag_var_0_up needs a correction 'event_weight'"):
        ttbar.select(events, variations=["btag_var_0_up"])
    sample = {"ttbar": spec.samples["ttbar"].model_copy(update={"files": ("ttbar.root",)})}
    spec = spec.model_copy(update={"samples": sample, "fit": None})
    (tmp_path / "mine.py").write_text("def select(events):\n    return {}\n")
    changes = {"select": "mine.py:select", "folder": str(tmp_path), "corrections": "", "cuts": {}}
    with pytest.raises(SpecError, match="the selection takes no variations.*leave it out"):
        DOMAIN.plan(spec.model_copy(update=changes), str(generated))
    (tmp_path / "bad.json").write_text("{}")
    bad = spec.model_copy(update={"corrections": str(tmp_path / "bad.json")})
    with pytest.raises(DataError, match=r"bad.json: not a correctionlib file"):
        DOMAIN.plan(bad, str(generated))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"samples": {"ttbar_PS_var": {"varies": "tbar"}}}, "no 'tbar' here; did you mean ttbar"),
        ({"fit": {"signal": "ttbr"}}, r"fit.signal: no 'ttbr' here; did you mean ttbar"),
        ({"fit": {"regions": ["4j3b"]}}, "fit.regions: no '4j3b'"),
        ({"fit": {"pseudodata": {"wjet": 1.0}}}, "fit.pseudodata: no 'wjet' here; did you mean"),
        (
            {"fit": {"systematics": {"btag_0": {"up": "btag_var_9_up"}}}},
            r"fit.systematics.btag_0: no 'btag_var_9_up' here; did you mean btag_var",
        ),
        (
            {"fit": {"systematics": {"btag_0": {"samples": ["ttbar_PS_var"]}}}},
            "samples: no 'ttbar_PS_var' here",
        ),
    ],
)
def test_names_of_the_fit_are_checked_in_the_spec(spec, changes, said):
    with pytest.raises(SpecError, match=said):
        spec.changed(**changes)


def test_kernels_are_taken_from_the_cache_on_disk(events):
    """A second process compiles nothing."""
    import subprocess
    import sys

    ttbar.select(events[:0], variations=["pt_res_up"])
    code = (
        "import awkward as ak, numpy as np\n"
        "from spectrum_workflows.hep.analyses import ttbar, ttbar_objects as o\n"
        "lists = lambda t: ak.values_astype(ak.Array([[0]]), t)[:0]\n"
        "tables = {**o.ELECTRON_COLUMNS, **o.MUON_COLUMNS, **o.JET_COLUMNS}\n"
        "columns = {n: lists(t) for n, t in tables.items()}\n"
        "columns |= {n: np.zeros(0, t) for n, t in o.EVENT_COLUMNS.items()}\n"
        "ttbar.select(ak.zip(columns, depth_limit=1), variations=['pt_res_up'])\n"
        "stats = ttbar._event_loop.stats\n"
        "print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]
