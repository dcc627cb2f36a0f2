"""The event loop against the same selection written with array operations."""

from itertools import pairwise

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.analyses import dimuon, ttbar
from spectrum_workflows.hep.analyses.jagged import flat


def events_of(path, columns):
    with uproot.open(path) as file:
        return ak.zip(file["Events"].arrays(columns, how=dict), depth_limit=1)


def collection(events, name):
    fields = [f for f in events.fields if f.startswith(f"{name}_")]
    return ak.zip({f.removeprefix(f"{name}_"): events[f] for f in fields})


def four_vectors(jets):
    pt, eta, phi, m = (ak.values_astype(jets[f], np.float64) for f in ("pt", "eta", "phi", "mass"))
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return ak.zip({"x": px, "y": py, "z": pz, "e": np.sqrt(px**2 + py**2 + pz**2 + m**2)})


def by_array_operations(events, *, jet_pt=30.0):
    """AGC ttbar as in the coffea implementation: masks and combinations."""
    e, mu, jet = (collection(events, name) for name in ("Electron", "Muon", "Jet"))
    e = e[(e.pt > 30) & (abs(e.eta) < 2.1) & (e.cutBased == 4) & (e.sip3d < 4)]
    good = (mu.pt > 30) & (abs(mu.eta) < 2.1) & mu.tightId
    mu = mu[good & (mu.sip3d < 4) & (mu.pfRelIso04_all < 0.15)]
    jet = jet[(jet.pt > jet_pt) & (abs(jet.eta) < 2.4) & (jet.jetId == 6)]
    chosen = (ak.num(e) + ak.num(mu) == 1) & (ak.num(jet) >= 4)
    jet = jet[chosen]
    tags = ak.sum(jet.btagCSVV2 > 0.5, axis=1)
    one, two = jet[tags == 1], jet[tags >= 2]
    p4 = four_vectors(two)
    p4["btag"] = two.btagCSVV2
    a, b, c = ak.unzip(ak.combinations(p4, 3))
    x, y, z, energy = (a[k] + b[k] + c[k] for k in ("x", "y", "z", "e"))
    pt = np.where(np.maximum(np.maximum(a.btag, b.btag), c.btag) > 0.5, np.hypot(x, y), -1.0)
    best = ak.argmax(pt, axis=1, keepdims=True)
    mass = np.sqrt(energy**2 - x**2 - y**2 - z**2)[best]
    ht = ak.sum(ak.values_astype(one.pt, np.float64), axis=1)
    return ak.to_numpy(ht), ak.to_numpy(ak.flatten(mass))


@pytest.mark.parametrize("jet_pt", [30.0, 45.0])
def test_every_generated_event_agrees(generated, ttbar_spec, jet_pt):
    events = events_of(generated / "ttbar.root", list(ttbar_spec.columns))
    found = ttbar.select(events, jet_pt=jet_pt)
    ht, mass = by_array_operations(events, jet_pt=jet_pt)
    assert len(ht) > 100
    assert len(mass) > 500
    np.testing.assert_allclose(found["4j1b"].values, ht, rtol=1e-12)
    np.testing.assert_allclose(found["4j2b"].values, mass, rtol=1e-9)


def test_the_real_file_agrees(shared_hep, ttbar_spec):
    events = events_of(shared_hep / "NanoAODv5_sample.root", list(ttbar_spec.columns))
    found, (ht, mass) = ttbar.select(events), by_array_operations(events)
    np.testing.assert_allclose(found["4j1b"].values, ht, rtol=1e-12)
    np.testing.assert_allclose(found["4j2b"].values, mass, rtol=1e-9)


def test_any_slice_and_order_of_events_gives_the_same_values(generated, ttbar_spec):
    events = events_of(generated / "ttbar.root", list(ttbar_spec.columns))[:600]
    whole = ttbar.select(events)["4j2b"].values
    pieces = [ttbar.select(events[k : k + 37])["4j2b"].values for k in range(0, 600, 37)]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert np.array_equal(ttbar.select(events[::-1])["4j2b"].values, whole[::-1])


def test_no_events_give_empty_regions(generated, ttbar_spec):
    events = events_of(generated / "ttbar.root", list(ttbar_spec.columns))[:0]
    assert {k: v.values.shape for k, v in ttbar.select(events).items()} == {
        "4j1b": (0,),
        "4j2b": (0,),
    }


def test_angles_that_are_no_numbers_give_no_mass(generated, ttbar_spec):
    """A histogram refuses what is not finite, so that the run ends with an error."""
    events = events_of(generated / "ttbar.root", list(ttbar_spec.columns))
    broken = ak.with_field(events, events.Jet_phi * np.nan, "Jet_phi")
    found = ttbar.select(broken)["4j2b"].values
    assert len(found) > 100
    assert np.isnan(found).all()


@pytest.mark.parametrize("cut", ["jet_pt", "electron_pt", "muon_pt", "muon_isolation", "btag"])
def test_negative_cuts_are_refused(cut):
    with pytest.raises(SpecError, match=f"cuts.{cut}: -1 is negative"):
        ttbar.select(None, **{cut: -1.0})


def test_dimuon_keeps_pairs_of_opposite_charge_only():
    events = ak.zip(
        {
            "Muon_pt": [[30.0, 20.0], [30.0, 20.0], [30.0], [30.0, 20.0, 10.0], []],
            "Muon_eta": [[0.5, -0.5], [0.5, -0.5], [0.5], [0.5, 0.1, 0.0], []],
            "Muon_phi": [[0.0, 3.0], [0.0, 3.0], [0.0], [0.0, 3.0, 1.0], []],
            "Muon_mass": [[0.1057] * n for n in (2, 2, 1, 3, 0)],
            "Muon_charge": [[1, -1], [1, 1], [1], [1, -1, -1], []],
        },
        depth_limit=1,
    )
    (mass,) = dimuon.select(events)["dimuon"].values
    light = np.sqrt(2 * 30 * 20 * (np.cosh(1.0) - np.cos(3.0)))  # massless limit
    assert mass == pytest.approx(light, rel=1e-4)
    assert len(dimuon.select(events, muon_pt=25.0)["dimuon"].values) == 0


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-9, 9), max_size=4), max_size=12), st.integers(0, 12))
def test_flat_arrays_and_offsets_describe_the_lists(lists, start):
    array = ak.values_astype(
        ak.Array([*lists, [0]])[start:-1] if start <= len(lists) else ak.Array([[0]])[:0], np.int32
    )
    first, items = flat(ak.zip({"x": array}, depth_limit=1), {"x": np.float32})
    assert items.dtype == np.float32
    back = [items[a:b].tolist() for a, b in pairwise(first)]
    assert back == array.to_list()


def test_columns_of_different_lengths_never_reach_the_event_loop():
    events = ak.zip({"Jet_pt": [[1.0, 2.0], []], "Jet_eta": [[1.0], [2.0]]}, depth_limit=1)
    with pytest.raises(DataError, match="lists of Jet_pt and Jet_eta differ in length"):
        flat(events, {"Jet_pt": np.float32, "Jet_eta": np.float32})
