"""The top-pair selections against a plain loop over few events, with values on their cuts."""

import math
from itertools import combinations

import awkward as ak
import numpy as np
import pytest

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.analyses import (
    smearing,
    ttbar,
    ttbar_declared,
    ttbar_varied,
    ttbar_weights,
)
from spectrum_workflows.hep.analyses.jagged import flat
from spectrum_workflows.hep.analyses.ttbar_objects import (
    ELECTRON_COLUMNS,
    EVENT_COLUMNS,
    JET_COLUMNS,
    MUON_COLUMNS,
)
from spectrum_workflows.hep.types.varied import VariedBlock, VariedObjects

CUTS = {"electron_pt": 31.0, "muon_pt": 29.0, "muon_isolation": 0.25, "jet_pt": 30.0, "btag": 0.5}
LEPTON = {
    "pt": [29.0, 31.0, 40.0, 50.0, 60.0, 70.0],
    "eta": [-2.1001, 2.1001, 2.0999, -2.0999, 0.5, -0.5, 1.0],
    "sip3d": [4.0, 1.0, 2.0, 3.0, 3.5],
}
VALUES = {
    "Electron": LEPTON | {"cutBased": [4, 4, 4, 3, 5]},
    "Muon": LEPTON | {"tightId": [True, True, False], "pfRelIso04_all": [0.25, 0.1, 0.125]},
    "Jet": {
        "pt": [30.0, 35.0, 40.0, 60.0, 90.0, 150.0],
        "eta": [*np.linspace(-2.25, 2.25, 10), 2.4, -2.4],
        "phi": [0.0, 1.0, -2.0, 2.5, 3.1],
        "mass": [4.0, 8.0, 12.0],
        "jetId": [6] * 10 + [2, 7],
        "btagCSVV2": [0.5, 0.125, 0.25, 0.9],
    },
}
KINDS = ELECTRON_COLUMNS | MUON_COLUMNS | JET_COLUMNS | EVENT_COLUMNS


def drawn(count: int = 300) -> list[dict]:
    """Events of at most two leptons and eight jets; many values lie on a cut."""
    rng = np.random.default_rng(7)
    events = []
    for number in range(count):
        event = {"run": 1, "luminosityBlock": number // 10, "event": 2**40 + number}
        for kind, fields in VALUES.items():
            n = int(rng.integers(4, 9)) if kind == "Jet" else int(rng.integers(0, 3))
            for field, values in fields.items():
                event[f"{kind}_{field}"] = rng.choice(values, n).tolist()
        event["Jet_pt"] = [pt + k / 8 * (pt > 30) for k, pt in enumerate(event["Jet_pt"])]
        events.append(event)
    return events


DRAWN = drawn()


def stored(events: list[dict]) -> ak.Array:
    """The events as they come from a file."""
    array = ak.Array(events)
    return ak.zip(
        {name: ak.values_astype(array[name], kind) for name, kind in KINDS.items()}, depth_limit=1
    )


EVENTS = stored(DRAWN)


def objects(event: dict, kind: str) -> list[dict]:
    columns = {f: np.asarray(event[f"{kind}_{f}"], KINDS[f"{kind}_{f}"]) for f in VALUES[kind]}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def is_good_electron(e: dict) -> bool:
    return e["pt"] > 31 and abs(e["eta"]) < 2.1 and e["cutBased"] == 4 and e["sip3d"] < 4


def is_good_muon(m: dict) -> bool:
    tight = bool(m["tightId"]) and m["sip3d"] < 4 and m["pfRelIso04_all"] < 0.25
    return tight and m["pt"] > 29 and abs(m["eta"]) < 2.1


def is_clean_jet(jet: dict) -> bool:
    return abs(jet["eta"]) < 2.4 and jet["jetId"] == 6


def four_momentum(jet: dict) -> np.ndarray:
    pt, eta, phi, mass = (float(jet[f]) for f in ("pt", "eta", "phi", "mass"))
    three = [pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta)]
    return np.array([math.hypot(*three, mass), *three])


def selected(events: list[dict]) -> dict[str, dict[int, float]]:
    """Observable of every selected event by its number, of both regions, as a physicist says it."""
    regions: dict[str, dict[int, float]] = {"4j1b": {}, "4j2b": {}}
    for number, event in enumerate(events):
        leptons = sum(map(is_good_electron, objects(event, "Electron")))
        leptons += sum(map(is_good_muon, objects(event, "Muon")))
        jets = [jet for jet in objects(event, "Jet") if is_clean_jet(jet) and jet["pt"] > 30]
        tags = [jet for jet in jets if jet["btagCSVV2"] > 0.5]
        if leptons != 1 or len(jets) < 4 or not tags:
            continue
        if len(tags) == 1:
            regions["4j1b"][number] = sum(float(jet["pt"]) for jet in jets)
            continue
        triples = [t for t in combinations(jets, 3) if any(jet in tags for jet in t)]
        sums = [sum(map(four_momentum, triple)) for triple in triples]
        energy, *three = max(sums, key=lambda p: math.hypot(p[1], p[2]))
        regions["4j2b"][number] = math.sqrt(energy**2 - sum(p**2 for p in three))
    return regions


def same(found: dict, expected: dict[str, dict[int, float]]) -> None:
    for region, values in expected.items():
        assert len(values) > 5
        assert found[region].index.tolist() == list(values)
        np.testing.assert_allclose(found[region].values, list(values.values()), rtol=1e-9)


def changed(events: list[dict], factor: float) -> list[dict]:
    scaled = [[np.float32(pt) * np.float32(factor) for pt in e["Jet_pt"]] for e in events]
    return [e | {"Jet_pt": pts} for e, pts in zip(events, scaled, strict=True)]


def test_the_selection_is_what_its_definition_says() -> None:
    same(ttbar.select(EVENTS, **CUTS), selected(DRAWN))


def test_cuts_are_those_of_the_analysis_grand_challenge_if_none_are_given() -> None:
    usual = {"electron_pt": 30, "muon_pt": 30, "muon_isolation": 0.15, "jet_pt": 30, "btag": 0.5}
    plain, given = ttbar.select(EVENTS), ttbar.select(EVENTS, **usual)
    for region in plain:
        assert len(plain[region].values) > 5
        assert plain[region].index.tolist() == given[region].index.tolist()


@pytest.mark.parametrize("cut", [*CUTS])
def test_a_cut_of_nothing_is_allowed_and_a_negative_one_is_not(cut: str) -> None:
    ttbar.select(EVENTS[:1], **{cut: 0.0})
    with pytest.raises(SpecError, match=r"-0\.5 is negative; use 0 for no cut") as refused:
        ttbar.select(EVENTS[:1], **{cut: -0.5})
    assert refused.value.where == f"cuts.{cut}"


def test_scaled_jets_are_jets_of_other_momenta() -> None:
    regions = ttbar.select(EVENTS, variations=["pt_scale_up"], **CUTS)
    scaled = {name: of.variations["pt_scale_up"] for name, of in regions.items()}
    same(scaled, selected(changed(DRAWN, 1.03)))


def test_smeared_jets_are_scaled_by_the_deviates_of_event_and_jet() -> None:
    smeared = []
    for event in DRAWN:
        numbers = (event[name] for name in ("run", "luminosityBlock", "event"))
        key = np.uint64(smearing.event_key(*map(np.uint64, numbers)))
        factors = [1 + 0.05 * smearing.normal(key, k) for k in range(len(event["Jet_pt"]))]
        pts = [float(pt) * factor for pt, factor in zip(event["Jet_pt"], factors, strict=True)]
        smeared.append(event | {"Jet_pt": pts})
    regions = ttbar.select(EVENTS, variations=["pt_scale_up", "pt_res_up"], **CUTS)
    expected = selected(smeared)
    for name, of in regions.items():
        found = of.variations["pt_res_up"]
        assert found.index.tolist() == list(expected[name])
        np.testing.assert_allclose(found.values, list(expected[name].values()), rtol=1e-6)


class Weights:
    """As correctionlib's, with numbers that tell systematics, directions and jets apart."""

    def evaluate(self, systematic: str, direction: str, pt: np.ndarray) -> np.ndarray:
        slope = {"btag_var": 1e-3, "scale_var": 1e-4}[systematic]
        return 1 + {"up": slope, "down": -2 * slope}[direction] * np.asarray(pt)


@pytest.mark.parametrize(
    ("name", "slope", "jet"),
    [
        ("btag_var_0_up", 1e-3, 0),
        ("btag_var_2_up", 1e-3, 2),
        ("btag_var_3_down", -2e-3, 3),
        ("scale_var_up", 1e-4, 0),
        ("scale_var_down", -2e-4, 0),
    ],
)
def test_weights_are_of_the_selected_events_jets(name: str, slope: float, jet: int) -> None:
    found = ttbar.select(EVENTS, variations=[name], corrections={"event_weight": Weights()}, **CUTS)
    for region in found.values():
        jets = [
            [j for j in objects(DRAWN[n], "Jet") if is_clean_jet(j) and j["pt"] > 30]
            for n in region.index
        ]
        pts = np.array([float(own[jet]["pt"]) for own in jets])
        varied = region.variations[name]
        np.testing.assert_allclose(varied.weights, 1 + slope * pts, rtol=1e-12)
        assert varied.values.tolist() == region.values.tolist()
        assert varied.index.tolist() == region.index.tolist()


class Bent:
    """Weights that are no straight line in the momentum."""

    def evaluate(self, systematic: str, direction: str, pt: np.ndarray) -> np.ndarray:
        power = {"btag_var": 0.25, "scale_var": 0.5}[systematic]
        return np.asarray(pt) ** ({"up": 1, "down": -1}[direction] * power)


@pytest.mark.parametrize(
    ("name", "power", "jet"),
    [("btag_var_1_down", -0.25, 1), ("btag_var_3_up", 0.25, 3), ("scale_var_up", 0.5, 0)],
)
def test_weights_that_are_no_straight_line_are_asked_for(name: str, power: float, jet: int) -> None:
    leading = np.linspace(31, 900, 40, dtype=np.float32).reshape(10, 4)
    [(title, weights)] = ttbar_weights.varied_weights([name], Bent(), leading)
    assert title == name
    np.testing.assert_allclose(weights, leading[:, jet].astype(float) ** power, rtol=1e-12)


def test_variations_are_told_apart_in_their_order() -> None:
    asked = ["scale_var_up", "pt_res_up", "btag_var_1_down", "pt_scale_up"]
    corrections = {"event_weight": Weights()}
    assert ttbar_weights.checked(asked, corrections) == (
        ["pt_res_up", "pt_scale_up"],
        ["scale_var_up", "btag_var_1_down"],
    )
    assert ttbar_weights.checked([], None) == ([], [])


@pytest.mark.parametrize("corrections", [None, {}, {"other": Weights()}])
def test_weights_need_their_correction(corrections: object) -> None:
    with pytest.raises(SpecError) as refused:
        ttbar_weights.checked(["pt_scale_up", "scale_var_up"], corrections)
    assert refused.value.where == "corrections"
    assert refused.value.what == "scale_var_up needs a correction 'event_weight'"
    assert refused.value.remedy == "name a correctionlib file that holds it"


def test_an_unknown_variation_is_named_with_the_closest() -> None:
    with pytest.raises(SpecError, match="no variation 'pt_rez_up'; did you mean pt_res_up") as no:
        ttbar_weights.checked(["pt_scale_up", "pt_rez_up"], None)
    assert no.value.where == "variations"


def blocks(size: int, factors: list[float], masses: bool) -> VariedObjects:
    """The jets of all events under some factors on their pt, and on their mass where asked."""
    first, pt, _, _, mass, *_ = flat(EVENTS, JET_COLUMNS)

    def made(items: np.ndarray) -> object:
        for start in range(0, len(EVENTS), size):
            stop = min(start + size, len(EVENTS))
            own = np.flatnonzero(items[first[start] : first[stop]]) + first[start]
            row = np.array(factors, np.float32)
            columns = {"Jet_pt": pt[own, np.newaxis] * row}
            if masses:
                columns["Jet_mass"] = mass[own, np.newaxis] * row
            yield VariedBlock(start, stop, columns)

    return VariedObjects(len(factors), made)


@pytest.mark.parametrize("masses", [False, True])
@pytest.mark.parametrize("size", [40, 1000])
def test_all_variations_at_once_are_the_plain_selection_of_each(size: int, masses: bool) -> None:
    factors = [1.0, 1.03, 0.8]
    at_once = ttbar_varied.select_varied(EVENTS, varied=blocks(size, factors, masses), **CUTS)
    assert len(at_once) == len(factors)
    for factor, found in zip(factors, at_once, strict=True):
        events = ak.with_field(EVENTS, EVENTS.Jet_pt * np.float32(factor), "Jet_pt")
        if masses:
            events = ak.with_field(events, EVENTS.Jet_mass * np.float32(factor), "Jet_mass")
        plain = ttbar.select(events, **CUTS)
        for region in ("4j1b", "4j2b"):
            assert len(plain[region].values) > 2
            assert found[region].index.tolist() == plain[region].index.tolist()
            # 1e-7: mutants run without Numba, where some products have single precision
            np.testing.assert_allclose(found[region].values, plain[region].values, rtol=1e-7)


def test_all_variations_at_once_have_the_same_cuts_if_none_are_given() -> None:
    [found] = ttbar_varied.select_varied(EVENTS, varied=blocks(1000, [1.0], False))
    for region, plain in ttbar.select(EVENTS).items():
        assert found[region].index.tolist() == plain.index.tolist()


def test_momenta_that_are_no_numbers_have_no_mass_under_any_variation() -> None:
    broken = ak.with_field(EVENTS, EVENTS.Jet_phi * np.nan, "Jet_phi")
    [found] = ttbar_varied.select_varied(broken, varied=blocks(1000, [1.0], False))
    plain = ttbar.select(broken)["4j2b"]
    assert found["4j2b"].index.tolist() == plain.index.tolist()
    assert np.isnan(found["4j2b"].values).all()
    assert np.isnan(plain.values).all()


def test_good_objects_are_those_that_the_selection_counts() -> None:
    own = {name: CUTS[name] for name in ("electron_pt", "muon_pt", "muon_isolation")}
    electrons = ttbar_declared.good_electrons(EVENTS, electron_pt=31.0).tolist()
    muons = ttbar_declared.good_muons(EVENTS, muon_pt=29.0, muon_isolation=0.25).tolist()
    jets = ttbar_declared.good_jets(EVENTS, jet_pt=35.0).tolist()
    tagged = ttbar_declared.tagged_jets(EVENTS, btag=0.25).tolist()
    passing = ttbar_declared.may_pass(EVENTS, btag=0.5, **own).tolist()
    for n, event in enumerate(DRAWN):
        assert electrons[n] == [is_good_electron(e) for e in objects(event, "Electron")]
        assert muons[n] == [is_good_muon(m) for m in objects(event, "Muon")]
        own_jets = objects(event, "Jet")
        assert jets[n] == [is_clean_jet(j) and bool(j["pt"] > 35) for j in own_jets]
        assert tagged[n] == [bool(j["btagCSVV2"] > 0.25) for j in own_jets]
        clean = [j for j in own_jets if is_clean_jet(j)]
        lepton = sum(electrons[n]) + sum(muons[n]) == 1
        tag = any(j["btagCSVV2"] > 0.5 for j in clean)
        assert passing[n] == (lepton and len(clean) >= 4 and tag)
    assert 10 < sum(passing) < len(DRAWN)


def test_good_objects_have_the_cuts_of_the_selection_if_none_are_given() -> None:
    given = {
        "good_electrons": {"electron_pt": 30.0},
        "good_muons": {"muon_pt": 30.0, "muon_isolation": 0.15},
        "good_jets": {"jet_pt": 30.0},
        "tagged_jets": {"btag": 0.5},
        "may_pass": {"electron_pt": 30.0, "muon_pt": 30.0, "muon_isolation": 0.15, "btag": 0.5},
    }
    shifted = stored(
        [
            e
            | {"Electron_pt": [pt - 0.5 for pt in e["Electron_pt"]]}
            | {"Muon_pfRelIso04_all": [0.6 * i for i in e["Muon_pfRelIso04_all"]]}
            for e in DRAWN
        ]
    )
    for name, cuts in given.items():
        function = getattr(ttbar_declared, name)
        assert function(shifted).tolist() == function(shifted, **cuts).tolist()
