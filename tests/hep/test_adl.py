"""The eight benchmark queries against a plain loop over events, with values on their cuts."""

import cmath
import math
from itertools import combinations

import awkward as ak
import numpy as np
import pytest

from spectrum_workflows.hep.analyses import adl, dimuon, particles

KINDS = {"Jet": ("mass", "btag"), "Muon": ("mass", "charge"), "Electron": ("mass", "charge")}
EDGES = {"pt": (10.0, 30.0, 40.0), "eta": (1.0, -1.0), "phi": (math.pi, -math.pi)}


def drawn(count: int = 120) -> list[dict]:
    """Events with 0 to 5 of each kind; a third of their numbers lie on a cut or an end."""
    rng = np.random.default_rng(11)
    ranges = {"pt": (5.0, 100.0), "eta": (-2.5, 2.5), "phi": (-math.pi, math.pi)}
    events = []
    for _ in range(count):
        event = {"MET_pt": rng.uniform(0, 80), "MET_phi": rng.uniform(-math.pi, math.pi)}
        for kind, more in KINDS.items():
            n = int(rng.integers(0, 6))
            for field, (low, high) in ranges.items():
                values = rng.uniform(low, high, n)
                edge = rng.random(n) < 1 / 3
                values[edge] = rng.choice(EDGES[field], edge.sum())
                event[f"{kind}_{field}"] = values.tolist()
            event[f"{kind}_mass"] = [0.1 if kind != "Jet" else 8.0] * n
            event[f"{kind}_{more[1]}"] = rng.choice([-1, 1], n).tolist()
        events.append(event)
    return events


EVENTS = drawn()


def listed(event: dict, kind: str) -> list[dict]:
    fields = ("pt", "eta", "phi", *KINDS[kind])
    columns = [event[f"{kind}_{field}"] for field in fields]
    return [
        dict(zip(fields, values, strict=True)) | {"kind": kind}
        for values in zip(*columns, strict=True)
    ]


def momentum(*objects: dict) -> tuple[float, float, float, float]:
    """Energy and momentum of the sum, in GeV."""
    total = [0.0] * 4
    for one in objects:
        plane = cmath.rect(one["pt"], one["phi"])
        along = one["pt"] * math.sinh(one["eta"])
        energy = math.sqrt(one["pt"] ** 2 + along**2 + one["mass"] ** 2)
        for k, value in enumerate((energy, plane.real, plane.imag, along)):
            total[k] += value
    return tuple(total)


def mass(*objects: dict) -> float:
    energy, *three = momentum(*objects)
    return math.sqrt(max(energy**2 - sum(p**2 for p in three), 0.0))


def apart(a: dict, b: dict) -> float:
    angle = abs(cmath.phase(cmath.rect(1.0, a["phi"] - b["phi"])))
    return math.hypot(a["eta"] - b["eta"], angle)


def same(found, expected: list[float]) -> None:
    assert len(expected) > 5
    np.testing.assert_allclose(ak.to_numpy(found), expected, rtol=1e-9)


def test_numbers_and_lists_are_those_of_the_file() -> None:
    events = ak.Array(EVENTS)
    same(adl.q1(events)["met"], [e["MET_pt"] for e in EVENTS])
    same(adl.q2(events)["jet_pt"], [pt for e in EVENTS for pt in e["Jet_pt"]])


def test_jets_on_the_cut_are_not_central() -> None:
    jets = [jet for e in EVENTS for jet in listed(e, "Jet")]
    assert any(abs(jet["eta"]) == 1.0 for jet in jets)
    found = adl.q3(ak.Array(EVENTS))["jet_pt"]
    same(found, [jet["pt"] for jet in jets if abs(jet["eta"]) < 1])


def test_two_jets_must_have_more_than_the_cut() -> None:
    hard = [sum(pt > 40 for pt in e["Jet_pt"]) for e in EVENTS]
    assert {1, 2, 3} <= {*hard}
    expected = [e["MET_pt"] for e, n in zip(EVENTS, hard, strict=True) if n >= 2]
    same(adl.q4(ak.Array(EVENTS))["met"], expected)


def test_one_pair_of_muons_of_that_mass_is_enough() -> None:
    def good(a: dict, b: dict) -> bool:
        return a["charge"] != b["charge"] and 20 < mass(a, b) < 60

    expected = [
        e["MET_pt"] for e in EVENTS if any(good(*p) for p in combinations(listed(e, "Muon"), 2))
    ]
    same(adl.q5(ak.Array(EVENTS), low=20.0, high=60.0)["met"], expected)


def test_the_triple_nearest_to_the_top_is_taken() -> None:
    pts, tags = [], []
    for event in EVENTS:
        triples = list(combinations(listed(event, "Jet"), 3))
        if triples:
            best = min(triples, key=lambda jets: abs(mass(*jets) - 150.0))
            _, px, py, _ = momentum(*best)
            pts.append(math.hypot(px, py))
            tags.append(max(jet["btag"] for jet in best))
    found = adl.q6(ak.Array(EVENTS), top_mass=150.0)
    same(found["trijet_pt"], pts)
    same(found["btag"], tags)


def test_jets_near_a_lepton_are_left_out_and_events_without_jets_too() -> None:
    sums = []
    for event in EVENTS:
        both = [*listed(event, "Muon"), *listed(event, "Electron")]
        leptons = [one for one in both if one["pt"] > 10]
        jets = [jet for jet in listed(event, "Jet") if jet["pt"] > 30]
        away = [jet["pt"] for jet in jets if all(apart(jet, one) >= 0.4 for one in leptons)]
        sums += [sum(away)] if away else []
    same(adl.q7(ak.Array(EVENTS))["jet_pt_sum"], sums)


def test_the_lepton_beside_the_best_pair_is_the_hardest_of_the_rest() -> None:
    expected = []
    for event in EVENTS:
        leptons = [*listed(event, "Muon"), *listed(event, "Electron")]
        pairs = [
            (a, b)
            for a, b in combinations(leptons, 2)
            if a["kind"] == b["kind"] and a["charge"] != b["charge"]
        ]
        if len(leptons) < 3 or not pairs:
            continue
        best = min(pairs, key=lambda pair: abs(mass(*pair) - 91.2))
        rest = [one for one in leptons if all(one is not of for of in best)]
        other = max(rest, key=lambda one: one["pt"])
        turn = 1 - math.cos(event["MET_phi"] - other["phi"])
        expected.append(math.sqrt(2 * other["pt"] * event["MET_pt"] * turn))
    same(adl.q8(ak.Array(EVENTS))["mt"], expected)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (3.0, -3.0, 6 - 2 * math.pi),
        (-3.0, 3.0, 2 * math.pi - 6),
        (1.0, 0.25, 0.75),
        (0.0, 0.0, 0.0),
    ],
)
def test_azimuths_differ_by_half_a_turn_at_most(a, b, expected) -> None:
    assert particles.delta_phi(np.float64(a), np.float64(b)) == pytest.approx(expected, abs=1e-15)


def test_a_square_below_zero_by_rounding_is_no_mass() -> None:
    light = ak.Array([{"E": 1.0, "px": 1.0, "py": 1e-9, "pz": 0.0}])
    assert particles.mass(light).tolist() == [0.0]
    heavy = ak.Array([{"E": 5.0, "px": 0.0, "py": 3.0, "pz": 0.0}])
    assert particles.mass(heavy).tolist() == [4.0]


def test_two_muons_must_both_have_more_than_the_cut() -> None:
    pairs = [e for e in EVENTS if len(e["Muon_pt"]) == 2 and sum(e["Muon_charge"]) == 0]
    expected = [mass(*listed(e, "Muon")) for e in pairs if min(e["Muon_pt"]) > 10]
    assert len(expected) < len(pairs)
    found = dimuon.select(ak.Array(EVENTS), muon_pt=10.0)["dimuon"].values
    np.testing.assert_allclose(found, expected, rtol=1e-9)
