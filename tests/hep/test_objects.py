"""Declared objects: corrected before the selection sees them, varied, and followed by the MET."""

import json
import re
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from correctionlib import CorrectionSet

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.analyses import ttbar
from spectrum_workflows.hep.io.read import read
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.select.declaring import declare
from spectrum_workflows.record import digest

sys.path.insert(0, str(Path(__file__).parent))

from declared_objects import (
    ETA,
    OUT,
    PT,
    RHO,
    TOY,
    WORD,
    all_views,
    binned,
    correction,
    events_of,
    flat,
    formula,
    run_of,
    spec_of,
)

REAL = Path(__file__).parents[3] / "shared" / "data" / "hep" / "jet_jerc_Summer22_V3.json.gz"

L1 = correction("L1", formula("max(0.5,1-0.1*y/x)", "pt", "rho"), PT, RHO)
L2 = correction("L2", binned([-5.0, -1.3, 1.3, 5.0], [1.2, 1.05, 1.1]), ETA)
BOTH = {
    "name": "L1L2",
    "inputs": [PT, ETA, RHO],
    "output": OUT,
    "inputs_update": ["pt"],
    "input_op": "*",
    "output_op": "*",
    "stack": ["L1", "L2"],
}
SOURCES = {
    "Stat": binned([0.0, 50.0, 1e4], [0.04, 0.01], "pt"),
    "Flavour": binned([0.0, 50.0, 1e4], [formula("0.2/sqrt(x)", "pt"), 0.02], "pt"),
    "Forward": binned([-5.0, -2.5, 2.5, 5.0], [0.1, 0.0, 0.1]),
}
WAYS = {"nodetype": "category", "input": "way"}
SCALE = WAYS | {"content": [{"key": k, "value": v} for k, v in (("nom", 1.1), ("up", 1.2))]}
CORRECTIONS = (
    L1,
    L2,
    correction("scale", SCALE, WORD),
    *(correction(f"U_{name}_x", data, PT, ETA) for name, data in SOURCES.items()),
)

OBJECTS = {
    "jets": {
        "collection": "Jet",
        "files": "jets.json",
        "nominal": "L1L2",
        "raw": "Jet_rawFactor",
        "inputs": {"pt": "Jet_pt", "eta": "Jet_eta", "rho": "Rho"},
    }
}
VARIATIONS = {"jes": {"object": "jets", "correction": "U_{source}_x", "sources": [*SOURCES]}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    content = {"schema_version": 2, "corrections": CORRECTIONS, "compound_corrections": [BOTH]}
    (folder / "jets.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def library(folder):
    return CorrectionSet.from_file(str(folder / "jets.json"))


def by_the_library(events, library):
    """Nominal momentum and mass of the jets, one step after the other."""
    rho = np.repeat(np.asarray(events.Rho, float), ak.num(events.Jet_pt))
    undone = 1.0 - flat(events, "Jet_rawFactor").astype(float)
    pt, mass = (flat(events, name).astype(float) * undone for name in ("Jet_pt", "Jet_mass"))
    first = library["L1"].evaluate(pt, rho)
    second = library["L2"].evaluate(flat(events, "Jet_eta"))
    return [(x * first * second).astype(np.float32) for x in (pt, mass)]


@pytest.mark.parametrize("nominal", ["L1L2", ["L1", "L2"], ["L1L2"]])
def test_nominal_objects_are_those_of_correctionlib_step_by_step(folder, library, nominal):
    events = events_of()
    spec = spec_of(folder, objects={"jets": OBJECTS["jets"] | {"nominal": nominal}})
    found = all_views(spec, events)[""]
    pt, mass = by_the_library(events, library)
    np.testing.assert_array_max_ulp(flat(found, "Jet_pt"), pt, 1)
    np.testing.assert_array_max_ulp(flat(found, "Jet_mass"), mass, 1)
    assert found.Jet_pt.type == events.Jet_pt.type
    assert ak.all(found.Jet_eta == events.Jet_eta)


def test_every_source_is_a_variation_up_and_down(folder, library):
    events = events_of()
    found = all_views(spec_of(folder, objects=OBJECTS, variations=VARIATIONS), events)
    assert list(found) == ["", *(f"jes_{s}_{d}" for s in SOURCES for d in ("up", "down"))]
    pt = flat(found[""], "Jet_pt")
    for source in SOURCES:
        by = library[f"U_{source}_x"].evaluate(pt, flat(events, "Jet_eta"))
        for direction, sign in (("up", 1.0), ("down", -1.0)):
            there = found[f"jes_{source}_{direction}"]
            expected = (pt * (1.0 + sign * by)).astype(np.float32)
            np.testing.assert_array_max_ulp(flat(there, "Jet_pt"), expected, 1)
            ratio = flat(there, "Jet_mass") / flat(found[""], "Jet_mass")
            np.testing.assert_allclose(ratio, 1.0 + sign * by, rtol=1e-6)


def test_a_correction_that_knows_the_variation_is_done_again(folder):
    objects = {"jets": OBJECTS["jets"] | {"nominal": "scale", "raw": ""}}
    objects["jets"] |= {"inputs": {"way": "nom"}}
    sides = {"up": {"way": "up"}, "down": {"way": "nom"}}
    events = events_of()
    with pytest.raises(SpecError, match="down changes no input of the corrections of 'jets'"):
        declare(spec_of(folder, objects=objects, variations={"s": {"object": "jets", **sides}}))
    sides["down"] = {"way": "up"}
    variations = {"s": {"object": "jets", **sides}}
    found = all_views(spec_of(folder, objects=objects, variations=variations), events)
    original = flat(events, "Jet_pt").astype(float)
    assert np.array_equal(flat(found[""], "Jet_pt"), (original * 1.1).astype(np.float32))
    for name in ("s_up", "s_down"):
        assert np.array_equal(flat(found[name], "Jet_pt"), (original * 1.2).astype(np.float32))


def recoiled(events, pt, minimum):
    """Missing momentum if the jets have these momenta; the definition, in NumPy."""
    before = flat(events, "Jet_pt")
    counts = before > minimum
    event = np.repeat(np.arange(len(events)), ak.num(events.Jet_pt))
    grown = (pt.astype(float) - before) * counts
    phi = flat(events, "Jet_phi").astype(float)
    met, angle = (np.asarray(events[name], float) for name in ("MET_pt", "MET_phi"))
    x = met * np.cos(angle) - np.bincount(event, grown * np.cos(phi), len(events))
    y = met * np.sin(angle) - np.bincount(event, grown * np.sin(phi), len(events))
    return np.hypot(x, y), np.arctan2(y, x)


def test_the_missing_momentum_follows(folder):
    events = events_of()
    spec = spec_of(
        folder,
        objects=OBJECTS,
        met={"minimum_pt": 20.0},
        variations=VARIATIONS
        | {
            "loose": {
                "object": "met",
                **{d: {"pt": "up_pt", "phi": "up_phi"} for d in ("up", "down")},
            }
        },
    )
    found = all_views(spec, events)
    for name, there in found.items():
        if name.startswith("loose"):
            continue
        size, angle = recoiled(events, flat(there, "Jet_pt"), 20.0)
        np.testing.assert_allclose(there.MET_pt, size, rtol=1e-6)
        np.testing.assert_allclose(np.cos(there.MET_phi - angle), 1.0, atol=1e-9)
    change = [
        found["loose_up"][f"{a}_pt"] * getattr(np, f)(found["loose_up"][f"{a}_phi"])
        - found[""][f"{b}_pt"] * getattr(np, f)(found[""][f"{b}_phi"])
        for a, b in (("MET", "MET"),)
        for f in ("cos", "sin")
    ]
    expected = [
        events.up_pt * getattr(np, f)(events.up_phi)
        - events.MET_pt * getattr(np, f)(events.MET_phi)
        for f in ("cos", "sin")
    ]
    np.testing.assert_allclose(change, expected, atol=2e-4)
    assert ak.all(found["loose_up"].Jet_pt == found[""].Jet_pt)


def test_what_does_not_change_stays_to_the_bit(folder):
    events = events_of()
    objects = {"jets": OBJECTS["jets"] | {"nominal": [], "raw": ""}}
    spec = spec_of(folder, objects=objects, met={}, variations=VARIATIONS)
    found = all_views(spec, events)
    assert ak.array_equal(found[""], events)
    forward = ak.any(abs(events.Jet_eta) >= 2.5, axis=1)
    moved = found["jes_Forward_up"].MET_pt != events.MET_pt
    assert 0 < np.count_nonzero(moved) <= np.count_nonzero(forward)
    assert not np.any(moved & ~forward)


def test_objects_do_not_depend_on_how_events_are_cut(folder):
    events = events_of()
    spec = spec_of(folder, objects=OBJECTS, met={}, variations=VARIATIONS)
    whole = all_views(spec, events)
    pieces = [all_views(spec, events[k : k + 41]) for k in range(0, len(events), 41)]
    for name, there in whole.items():
        assert ak.array_equal(ak.concatenate([piece[name] for piece in pieces]), there)


@pytest.fixture(scope="module")
def outcome(folder, generated):
    return run_of(spec_of(folder, objects=TOY, variations=VARIATIONS), generated)


def test_templates_are_those_of_the_selection_of_scaled_jets(outcome, library, generated):
    plan, result = outcome
    names = [name for _, name in result.histograms]
    assert names == ["4j1b", *(f"4j1b_jes_{s}_{d}" for s in SOURCES for d in ("up", "down"))]
    tree = open_tree(str(generated / "ttbar.root"), "Events")
    events = read(tree, plan.partitions[0], result.spec.columns)
    pt, eta = flat(events, "Jet_pt"), flat(events, "Jet_eta")
    nominal = (pt * library["L2"].evaluate(eta)).astype(np.float32)
    for source in SOURCES:
        by = library[f"U_{source}_x"].evaluate(nominal, eta)
        up = ak.unflatten((nominal * (1 + by)).astype(np.float32), ak.num(events.Jet_pt))
        expected = ttbar.select(ak.with_field(events, up, "Jet_pt"))["4j1b"].values
        found = result.histograms["ttbar", f"4j1b_jes_{source}_up"]
        assert found.sum(flow=True).value == len(expected)
        counts, _ = np.histogram(expected, np.linspace(50, 550, 26))
        assert np.array_equal(found.values(), counts)
    assert dict(plan.inputs)["jets.json"].startswith("sha256 ")


def test_a_digest_does_not_depend_on_partitions(outcome, generated):
    _, reference = outcome
    _, result = run_of(reference.spec, generated, most=1_900)
    assert digest(DOMAIN.arrays(result)) == digest(DOMAIN.arrays(reference))


def test_an_edited_file_is_another_question(outcome, folder, tmp_path, generated):
    plan, result = outcome
    text = (folder / "jets.json").read_text()
    (tmp_path / "jets.json").write_text(text)
    moved = result.spec.changed(folder=str(tmp_path))
    assert DOMAIN.plan(moved, str(generated)).code == plan.code
    (tmp_path / "jets.json").write_text(text.replace("1.05", "1.06"))
    edited = DOMAIN.plan(moved, str(generated))
    assert edited.code != plan.code
    assert dict(edited.inputs)["jets.json"] != dict(plan.inputs)["jets.json"]


def test_data_and_other_samples_are_not_varied(folder):
    samples = {name: {"files": [f"{name}.root"]} for name in ("a", "b", "c")}
    samples["d"] = {"files": ["d.root"], "data": True}
    jets = TOY["jets"] | {"data": "L1", "by_sample": {"c": ["scale", "L2"]}}
    jets["inputs"] = {**jets["inputs"], "rho": "Rho", "way": "nom"}
    variations = {"jes": VARIATIONS["jes"] | {"samples": ["a"]}, "tot": VARIATIONS["jes"]}
    spec = spec_of(folder, samples=samples, objects={"jets": jets}, variations=variations)
    counts = {name: len(spec.variations_of(name)) for name in samples}
    assert counts == {"a": 12, "b": 6, "c": 6, "d": 0}
    declared = declare(spec).samples
    steps = {n: [call.name for call in declared[n].chains["jets"].steps] for n in samples}
    assert steps == {"a": ["L2"], "b": ["L2"], "c": ["scale", "L2"], "d": ["L1"]}
    assert "Rho" in declared["d"].columns
    assert "Rho" not in declared["a"].columns


def test_a_fit_sees_the_templates(folder):
    fit = {"signal": "ttbar", "regions": ["4j1b"], "pseudodata": {"ttbar": 1.0}}
    fit["systematics"] = {"stat": {"up": "jes_Stat_up", "down": "jes_Stat_down"}}
    spec = spec_of(folder, objects=TOY, variations=VARIATIONS, fit=fit)
    assert spec.fit.systematics["stat"].down in spec.variations_of("ttbar")
    fit["systematics"]["stat"]["up"] = "jes_Stats_up"
    with pytest.raises(SpecError, match="did you mean jes_Stat_up"):
        spec_of(folder, objects=TOY, variations=VARIATIONS, fit=fit)


def jets(**changes):
    return {"objects": {"jets": TOY["jets"] | changes}, "variations": VARIATIONS}


def varied(**changes):
    return {"objects": TOY, "variations": {"jes": VARIATIONS["jes"] | changes}}


ONE = {"object": "jets", "correction": "U_Stat_x"}
MET_UP = {"up": {"pt": "a", "phi": "b"}, "down": {"pt": "a"}}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (jets(nominal="L3"), "objects.jets: no correction 'L3' in jets.json; did you mean"),
        (jets(nominal="L1"), 'L1 takes rho (real), which comes from nowhere; add rho = "COLUMN"'),
        (jets(nominal="scale"), 'scale takes way (string), which comes from nowhere; add way = "W'),
        (
            jets(nominal="scale", inputs={"way": "nomm"}),
            "objects.jets.inputs: scale knows no way = 'nomm'; did you mean nom",
        ),
        (jets(scaled=[]), "scaled is empty"),
        (jets(scaled=["pt", "mas"]), "'Jet_mas' is no column that is read; did you mean Jet_mass"),
        (
            varied(inputs={"etaa": "Jet_phi"}),
            "variations.jes.inputs: no correction here takes an input 'etaa'; did you mean eta",
        ),
        (jets(by_sample={"ttbat": "L2"}), "did you mean ttbar"),
        (varied(object="jet"), "variations.jes.object: no 'jet' here; did you mean jets"),
        (varied(sources=["Stats"]), "did you mean U_Stat_x"),
        (varied(sources=None), "sources belong to a correction with {source}"),
        (varied(correction=""), "give either a correction, or up and down"),
        (varied(up={"pt": "x"}), "give either a correction, or up and down"),
        (varied(samples=["data"]), "'data' is data; name simulated samples"),
        (varied(samples=["other"]), "'other' is a variation itself"),
        (varied(object="met"), "there is no [met]"),
        (varied(sources=["Stat", "Stat"]), "variations.jes: a source is named twice"),
        (varied(file="x"), "unknown key 'variations.jes.file'; did you mean files?"),
        (
            {"objects": TOY, "variations": VARIATIONS | {"jes_Stat": ONE}},
            "'jes_Stat_up' is there twice for sample 'ttbar'",
        ),
        (
            {"objects": TOY, "variations": {"u": {"object": "met", **MET_UP}}, "met": {}},
            "pt and phi",
        ),
        ({"objects": TOY, "met": {"objects": ["muons"]}}, "met.objects: no 'muons' here"),
        ({"objects": {"met": TOY["jets"]}}, "missing transverse momentum has a table of its own"),
        ({"objects": TOY | {"more": TOY["jets"]}}, "objects.jets is of the same collection"),
    ],
)
def test_what_cannot_be_is_refused_before_the_run(folder, more, said):
    samples = {"ttbar": {"files": ["ttbar.root"]}, "data": {"files": ["d.root"], "data": True}}
    samples["other"] = {"files": ["o.root"], "varies": "ttbar"}
    with pytest.raises(SpecError, match=re.escape(said)) as error:
        declare(spec_of(folder, samples=samples, **more))
    assert "\n" not in str(error.value)


def test_a_column_of_another_collection_is_named(folder):
    events = ak.with_field(events_of(), ak.unflatten(np.ones(600), 2), "Muon_eta")
    inputs = {**TOY["jets"]["inputs"], "eta": "Muon_eta"}
    spec = spec_of(folder, objects={"jets": TOY["jets"] | {"inputs": inputs}})
    with pytest.raises(DataError, match="Muon_eta has other lists than the inputs of this coll"):
        all_views(spec, events)


def test_a_file_without_an_input_is_refused_before_the_run(folder, generated):
    spec = spec_of(folder, objects={"jets": TOY["jets"] | {"raw": "Jet_rawFactor"}})
    with pytest.raises(DataError, match="no branch 'Jet_rawFactor'"):
        DOMAIN.plan(spec, str(generated))


def test_chosen_events_are_packed_as_the_library_packs_them():
    from spectrum_workflows.hep.objects.inputs import packed

    lists = ak.Array([[1.0, 2.0], [], [3.0], [4.0, 5.0, 6.0]])
    columns = {"Jet_pt": lists, "Jet_tag": lists > 2.5, "Jet_words": ak.Array([["a"], [], [], []])}
    events = ak.zip(columns | {"Mu_pt": lists[::-1], "run": [1, 2, 3, 4]}, depth_limit=1)
    for mask in ([True, False, True, True], [False] * 4):
        chosen = events[np.array(mask)]
        ours = packed(chosen)
        assert ours.to_list() == chosen.to_list()
        assert ours.type == ak.to_packed(chosen).type
        offsets = [ours[name].layout.offsets.data for name in ("Jet_pt", "Jet_tag", "Mu_pt")]
        assert offsets[0] is offsets[1]
        assert not any(mask) or offsets[0] is not offsets[2]
