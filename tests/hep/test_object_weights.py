"""Declared weights and smearing: of events, products over objects, and generators' lists."""

import json
import re
import sys
import zlib
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from correctionlib import CorrectionSet

sys.path.insert(0, str(Path(__file__).parent))

from declared_objects import (
    ETA,
    PT,
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

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import DOMAIN, envelopes, histogram
from spectrum_workflows.hep.analyses import smearing, ttbar
from spectrum_workflows.hep.io.read import read
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.objects.inputs import packed
from spectrum_workflows.hep.objects.weights import event_weight, member_weights
from spectrum_workflows.hep.select.declaring import declare
from spectrum_workflows.hep.spec.weights import GeneratorWeightSpec
from spectrum_workflows.hep.types import Events
from spectrum_workflows.record import digest

pytestmark = pytest.mark.xdist_group("hep object weights")  # what they share is made once

REAL = Path(__file__).parents[3] / "shared" / "data" / "hep" / "jet_jerc_Summer22_V3.json.gz"


def by_word(**values):
    items = [{"key": key, "value": value} for key, value in values.items()]
    return {"nodetype": "category", "input": "way", "content": items}


CORRECTIONS = (
    correction("L2", binned([-5.0, -1.3, 1.3, 5.0], [1.2, 1.05, 1.1]), ETA),
    correction("sigma", formula("0.1+1/x", "pt"), PT),
    correction("sf", by_word(nom=1.2, up=1.3, down=1.1), WORD),
    correction("event", by_word(nom=formula("1+0.01*x", "pt"), up=2.0, down=0.5), WORD, PT),
    correction(
        "item", by_word(nom=binned([0.0, 1.0, 5.0], [0.9, 0.8]), up=1.0, down=0.7), WORD, ETA
    ),
    correction("efficiency", 0.5, PT),
)
EVENT = {"files": "w.json", "correction": "event", "inputs": {"way": "nom", "pt": "MET_pt"}}
EVENT |= {"up": {"way": "up"}, "down": {"way": "down"}}
ITEM = {"files": "w.json", "correction": "item", "collection": "Jet"}
ITEM |= {"inputs": {"way": "nom", "eta": "|Jet_eta|", "pt": "Jet_pt"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    content = {"schema_version": 2, "corrections": CORRECTIONS}
    (folder / "w.json").write_text(json.dumps(content))
    return folder


def factor_of(folder, events, weight, mask=None):
    declarations = declare(spec_of(folder, weights={"w": weight}))
    (found,) = declarations.samples["ttbar"].weights
    return event_weight(packed(events), found, found.call, declarations.kernels, mask)


def test_a_weight_of_the_event(folder):
    events = events_of()
    expected = 1 + 0.01 * np.asarray(events.MET_pt, float)
    np.testing.assert_allclose(factor_of(folder, events, EVENT), expected, rtol=1e-15)


def test_a_weight_is_the_product_over_the_items_that_count(folder):
    events = events_of()
    each = ak.where(abs(events.Jet_eta) < 1, 0.9, 0.8)
    expected = ak.to_numpy(ak.prod(each, axis=1))
    np.testing.assert_allclose(factor_of(folder, events, ITEM), expected, rtol=1e-14)
    hard = events.Jet_pt > 40
    found = factor_of(folder, events, ITEM | {"where": "good_jets"}, {"good_jets": hard}.get)
    expected = ak.to_numpy(ak.prod(each[hard], axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert {1.0, 0.9, 0.8} < {*np.round(found, 12)}


def test_a_working_point_weights_what_is_not_tagged_too(folder):
    events = events_of()
    masks = {"good_jets": events.Jet_pt > 30, "tagged_jets": events.Jet_eta > 0}
    described = ITEM | {"where": "good_jets", "tagged": "tagged_jets", "efficiency": "efficiency"}
    found = factor_of(folder, events, described, masks.get)
    factor = ak.where(abs(events.Jet_eta) < 1, 0.9, 0.8)
    each = ak.where(masks["tagged_jets"], factor, (1 - 0.5 * factor) / (1 - 0.5))
    expected = ak.to_numpy(ak.prod(each[masks["good_jets"]], axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("told", [np.ones(300, bool), ak.Array([[True]] * 300), None])
def test_a_function_that_tells_no_items_is_named(folder, told):
    described = ITEM | {"where": "good_jets"}
    with pytest.raises(DataError, match="good_jets does not tell the items of this collection"):
        factor_of(folder, events_of(), described, {"good_jets": told}.get)


def test_lists_of_the_generator():
    lists = ak.Array([[1.0, 2.0, 4.0], [2.0, 1.0, 1.0]])
    events = packed(ak.zip({"LHE": lists}, depth_limit=1))

    def member(reference, *positions):
        from spectrum_workflows.hep.objects.declared import GeneratorWeight

        members = tuple((f"m{k}", k) for k in positions)
        return member_weights(events, GeneratorWeight("scale", "LHE", members, reference))

    assert {k: v.tolist() for k, v in member(None, 1).items()} == {"m1": [2.0, 1.0]}
    assert {k: v.tolist() for k, v in member(0, 1, 2).items()} == {
        "m1": [2.0, 0.5],
        "m2": [4.0, 0.5],
    }
    with pytest.raises(DataError, match="LHE has 3 members in some event; there is no 3"):
        member(None, 3)


@pytest.mark.parametrize(
    ("kind", "up", "down"),
    [
        ("envelope", [12.0, 4.0], [10.0, 2.0]),
        ("replicas", [10 + np.std([11, 12, 10], ddof=1), 4 + np.std([2, 3, 4], ddof=1)], None),
        ("hessian", [10 + np.sqrt(5), 4 + np.sqrt(5)], None),
    ],
)
def test_sets_of_weights_become_two_templates(kind, up, down, folder):
    spec = spec_of(folder).histograms["4j1b"].changed(bins=2)

    def filled(*values):
        h = histogram.empty("h", spec)
        h.view()["value"], h.view()["variance"] = values, 1.0
        return h

    members = [filled(11, 2), filled(12, 3), filled(10, 4)]
    described = GeneratorWeightSpec(column="x", kind=kind, members=(0, 1, 2))
    found = envelopes.up_and_down(filled(10, 4), members, described)
    down = [20 - up[0], 8 - up[1]] if down is None else down
    np.testing.assert_allclose(found[0].values(), up)
    np.testing.assert_allclose(found[1].values(), down)
    assert found[0].variances().tolist() == [1.0, 1.0]


@pytest.fixture(scope="module")
def weighted(folder):
    jets = TOY["jets"] | {"files": "w.json", "inputs": {**TOY["jets"]["inputs"], "way": "nom"}}
    return spec_of(
        folder,
        select="spectrum_workflows.hep.analyses.ttbar_declared:select",
        preselect="may_pass",
        objects={"jets": jets},
        variations={
            "up": {
                "object": "jets",
                "correction": "sigma",
                "inputs": {"pt": "Jet_pt"},
            }
        },
        weights={"pileup": EVENT, "jets": ITEM | {"where": "good_jets"}},
    )


def test_a_run_weights_what_it_selects(weighted, generated):
    plan, result = run_of(weighted, generated)
    names = [name for _, name in result.histograms]
    assert names == ["4j1b", *(f"4j1b_{n}_{d}" for n in ("up", "pileup") for d in ("up", "down"))]
    tree = open_tree(str(generated / "ttbar.root"), "Events")
    whole = Events("", tree.url, "Events", 0, tree.entries, tree.uuid, tree.nbytes)
    events = read(tree, whole, [*weighted.columns, "MET_pt"])
    scale = ak.where(abs(events.Jet_eta) < 1.3, 1.05, ak.where(events.Jet_eta < 0, 1.2, 1.1))
    nominal = ak.values_astype(events.Jet_pt * scale, np.float32)

    def expected(pt, weight):
        seen = ak.with_field(events, pt, "Jet_pt")
        found = ttbar.select(seen)["4j1b"]
        seen = seen[found.index]
        good = (seen.Jet_pt > 30) & (abs(seen.Jet_eta) < 2.4) & (seen.Jet_jetId == 6)
        each = ak.where(abs(seen.Jet_eta) < 1, 0.9, 0.8)[good]
        weights = ak.to_numpy(ak.prod(each, axis=1)) * weight(np.asarray(seen.MET_pt, float))
        return np.histogram(found.values, np.linspace(50, 550, 26), weights=weights)[0]

    usual = expected(nominal, lambda met: 1 + 0.01 * met)
    shifted = ak.values_astype(nominal * (1 + 0.1 + 1 / nominal), np.float32)
    for name, want in (
        ("4j1b", usual),
        ("4j1b_pileup_up", expected(nominal, lambda _: 2.0)),
        ("4j1b_pileup_down", expected(nominal, lambda _: 0.5)),
        ("4j1b_up_up", expected(shifted, lambda met: 1 + 0.01 * met)),
    ):
        np.testing.assert_allclose(result.histograms["ttbar", name].values(), want, rtol=1e-12)
    assert usual.sum() > 100
    assert "w.json" in dict(plan.inputs)


def test_a_preselection_changes_nothing_but_what_is_left_out(weighted, generated):
    _, with_it = run_of(weighted, generated)
    _, without = run_of(weighted.changed(preselect=""), generated)
    assert digest(DOMAIN.arrays(with_it)) == digest(DOMAIN.arrays(without))


def test_corrections_are_compared_in_a_stage_of_its_own(weighted, generated, monkeypatch):
    from spectrum_workflows.hep.corrections import evaluation

    plan = DOMAIN.plan(weighted, str(generated))
    options = {"client": None, "on_error": "raise", "report": lambda *_: None}
    _, metrics = DOMAIN.run(weighted, plan, **options)
    assert [stage.name for stage in metrics.stages] == ["select", "self-check of corrections"]
    assert metrics.stages[1].cpu_seconds > 0
    usual = evaluation._by_the_library
    monkeypatch.setattr(evaluation, "_by_the_library", lambda *a: usual(*a) * (1 + 1e-12))
    with pytest.raises(DataError, match="compiled it gives"):
        DOMAIN.run(weighted, plan, **options)


SMEARED = {"jets": {"collection": "Jet", "files": "w.json"}}
SMEARED["jets"] |= {"inputs": {"pt": "Jet_pt", "way": "nom"}}
SMEARED["jets"] |= {"smearing": {"resolution": "sigma", "scale_factor": "sf"}}
JER = {"jer": {"object": "jets", "up": {"way": "up"}, "down": {"way": "down"}}}


def named(events):
    """The same with what names an event."""
    n = len(events)
    events = ak.with_field(events, np.arange(n, dtype=np.uint64) + 5, "event")
    events = ak.with_field(events, np.full(n, 3, np.uint32), "run")
    return ak.with_field(events, np.arange(n, dtype=np.uint32) // 9, "luminosityBlock")


def test_smearing_without_a_match_is_a_number_of_the_jet(folder):
    events = named(events_of(2_000))
    spec = spec_of(folder, objects=SMEARED, variations=JER)
    found = all_views(spec, events)
    pt = flat(events, "Jet_pt").astype(float)
    width = 0.1 + 1 / pt
    deviates = (flat(found[""], "Jet_pt") / pt - 1) / (width * np.sqrt(1.2**2 - 1))
    n = len(pt)
    assert abs(deviates.mean()) < 4 / np.sqrt(n)
    assert abs(deviates.std() - 1) < 4 / np.sqrt(2 * n)
    for name, sf in (("jer_up", 1.3), ("jer_down", 1.1)):  # the same numbers, more or less wide
        other = (flat(found[name], "Jet_pt") / pt - 1) / (width * np.sqrt(sf**2 - 1))
        np.testing.assert_allclose(other, deviates, atol=1e-4)
    mass = flat(found[""], "Jet_mass") / flat(events, "Jet_mass")
    np.testing.assert_allclose(mass, flat(found[""], "Jet_pt") / pt, rtol=1e-6)
    pieces = [all_views(spec, events[k : k + 331])["jer_up"] for k in range(0, len(events), 331)]
    assert ak.array_equal(ak.concatenate(pieces), found["jer_up"])
    backwards = all_views(spec, events[::-1])["jer_up"]
    assert ak.array_equal(backwards[::-1].Jet_pt, found["jer_up"].Jet_pt)


def test_smearing_scales_the_distance_to_a_match(folder):
    events = named(events_of(400))
    counts, n = ak.num(events.Jet_pt), len(flat(events, "Jet_pt"))
    rng = np.random.default_rng(3)
    ratio, beside = rng.normal(1, 0.15, n), rng.choice([0.0, 0.1, 0.3], n)
    pt, eta, phi = (flat(events, f"Jet_{x}").astype(float) for x in ("pt", "eta", "phi"))
    true = {"pt": pt * ratio, "eta": eta + beside, "phi": phi + 0.05}
    true["phi"] = (true["phi"] + np.pi) % (2 * np.pi) - np.pi
    for name, values in true.items():
        lists = ak.unflatten(values.astype(np.float32), counts)
        events = ak.with_field(events, lists[:, ::-1], f"GenJet_{name}")
    index = ak.local_index(events.Jet_pt)
    index = ak.num(events.Jet_pt) - 1 - index  # the generated ones stand in the other order
    index = ak.where(ak.local_index(index) == 3, -1, index)
    events = ak.with_field(events, index, "Jet_genJetIdx")
    jets = SMEARED["jets"] | {
        "smearing": SMEARED["jets"]["smearing"]
        | {"generated": "GenJet", "index": "Jet_genJetIdx", "widths": 2.0}
    }
    found = flat(all_views(spec_of(folder, objects={"jets": jets}), events)[""], "Jet_pt")
    without = flat(all_views(spec_of(folder, objects=SMEARED), events)[""], "Jet_pt")
    generated = (pt * ratio).astype(np.float32).astype(float)
    near = ak.to_numpy(ak.flatten(index)) >= 0
    near &= (beside < 0.2) & (np.abs(pt - generated) < 2.0 * (0.1 + 1 / pt) * pt)
    expected = np.where(near, pt + 0.2 * (pt - generated), without)
    np.testing.assert_allclose(found, expected, rtol=3e-6)
    assert 0.2 < near.mean() < 0.8


def test_the_random_number_is_the_hash_of_the_event(folder):
    events = named(events_of(5))
    found = all_views(spec_of(folder, objects=SMEARED), events)[""]
    event = int(np.argmax(ak.num(events.Jet_pt)))
    key = keys_of(events)[event]
    pt = float(events[event].Jet_pt[1])
    by = smearing.normal(key, 1) * (0.1 + 1 / pt) * np.sqrt(1.2**2 - 1)
    assert found[event].Jet_pt[1] == pytest.approx(pt * (1 + by), rel=1e-6)


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL.name} is not here")
def test_every_step_on_the_file_of_an_experiment():
    """Energy correction, smearing, and 64 sources up and down: CMS, Summer22."""
    library = CorrectionSet.from_file(str(REAL))
    before, after = "Summer22_22Sep2023_", "_AK4PFPuppi"
    two = [n for n in library if len(library[n].inputs) == 2 and "_V3_MC_" in n]
    known = [n.removeprefix(f"{before}V3_MC_").removesuffix(after) for n in two]
    sources = [n for n in known if not n.startswith(("L2", "L3"))]
    assert len(sources) == 64
    inputs = {"JetPt": "Jet_pt", "JetEta": "Jet_eta", "JetA": "Jet_area", "Rho": "Rho"}
    jets = {"collection": "Jet", "files": str(REAL), "inputs": inputs | {"systematic": "nom"}}
    jets |= {"nominal": f"{before}V3_MC_L1L2L3Res{after}", "raw": "Jet_rawFactor"}
    jets["smearing"] = {
        "resolution": f"{before}JRV1_MC_PtResolution{after}",
        "scale_factor": f"{before}JRV1_MC_ScaleFactor{after}",
    }
    jes = {"object": "jets", "correction": f"{before}V3_MC_{{source}}{after}", "sources": sources}
    jer = {"object": "jets", "up": {"systematic": "up"}, "down": {"systematic": "down"}}
    events = named(events_of(150))
    area = ak.full_like(events.Jet_pt, 0.5)
    events = ak.with_field(events, area, "Jet_area")
    spec = spec_of("", objects={"jets": jets}, variations={"jes": jes, "jer": jer})
    found = all_views(spec, events)
    assert len(found) == 131

    eta = flat(events, "Jet_eta")
    rho = np.repeat(np.asarray(events.Rho), ak.num(events.Jet_pt))
    undone = 1.0 - flat(events, "Jet_rawFactor").astype(float)
    raw = flat(events, "Jet_pt").astype(float) * undone
    level = library.compound[jets["nominal"]].evaluate(flat(events, "Jet_area"), eta, raw, rho)
    pt = raw * level
    width = library[jets["smearing"]["resolution"]].evaluate(eta, pt, rho)
    deviates = [
        smearing.normal(key, place)
        for key, n in zip(keys_of(events), ak.num(events.Jet_pt), strict=True)
        for place in range(n)
    ]
    for name, way in (("", "nom"), ("jer_up", "up"), ("jer_down", "down")):
        ratio = library[jets["smearing"]["scale_factor"]].evaluate(eta, pt, way)
        by = np.array(deviates) * width * np.sqrt(np.maximum(ratio**2 - 1, 0))
        smeared = pt * np.maximum(1 + by, 0.01 / (pt * np.cosh(eta.astype(float))))
        np.testing.assert_allclose(flat(found[name], "Jet_pt"), smeared, rtol=3e-7)
    nominal = flat(found[""], "Jet_pt")
    for source in sources:
        by = library[f"{before}V3_MC_{source}{after}"].evaluate(eta, nominal)
        for direction, sign in (("up", 1), ("down", -1)):
            expected = (nominal * (1 + sign * by)).astype(np.float32)
            there = flat(found[f"jes_{source}_{direction}"], "Jet_pt")
            np.testing.assert_array_max_ulp(there, expected, 1)


def keys_of(events):
    """Hashes of what names the events."""
    columns = ("run", "luminosityBlock", "event")
    numbers = zip(*(np.asarray(events[c], np.uint64) for c in columns), strict=True)
    salt = np.uint64(zlib.crc32(b"Jet_pt"))
    return [
        np.uint64(smearing.mixed(np.uint64(smearing.event_key(*number)), salt))
        for number in numbers
    ]


def of(**changes):
    return {"weights": {"w": EVENT | changes}}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            of(correction="events"),
            "no correction 'events' in w.json; did you mean event",
        ),
        (of(up={"way": "nom"}), "w_up changes no input of event"),
        (of(down={}), "give both up and down, or neither"),
        (of(where="f"), "where needs a collection"),
        (of(collection="Jet", tagged="f"), "tagged and efficiency belong together"),
        (of(samples=["x"]), "weights.w.samples: no 'x' here"),
        (
            {"generator_weights": {"g": {"column": "a", "kind": "pair", "members": [1, 2, 3]}}},
            "two",
        ),
        (
            {"generator_weights": {"g": {"column": "a", "kind": "replicas", "members": [1, 1]}}},
            "twi",
        ),
        (
            {"objects": {"jets": SMEARED["jets"] | {"smearing": {"resolution": "a"}}}},
            "missing key 'objects.jets.smearing.scale_factor'",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_the_run(folder, more, said):
    with pytest.raises(SpecError, match=re.escape(said)):
        declare(spec_of(folder, **more))


def test_functions_that_are_not_there_are_named(weighted, generated):
    with pytest.raises(SpecError, match="preselect: no function 'may_pas' beside select; did you"):
        DOMAIN.plan(weighted.changed(preselect="may_pas"), str(generated))
    with pytest.raises(DataError, match="good_jets did not return one true or false per event"):
        DOMAIN.plan(weighted.changed(preselect="good_jets"), str(generated))


def test_names_of_sets_and_their_members(folder):
    sets = {
        "scale": {"column": "LHE", "kind": "envelope", "members": [0, 8]},
        "isr": {"column": "PSWeight", "kind": "pair", "members": [0, 2]},
    }
    spec = spec_of(folder, generator_weights=sets)
    assert spec.variations_of("ttbar") == ("scale_up", "scale_down", "isr_up", "isr_down")
    assert spec.filled_of("ttbar") == ("scale_0", "scale_8", "isr_up", "isr_down")
