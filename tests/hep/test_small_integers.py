"""Columns of 8 and 16 bits, as NanoAOD has them: nothing is summed in their own width."""

import awkward as ak
import numpy as np
import pytest

from spectrum_workflows.hep.analyses import adl, dimuon
from spectrum_workflows.hep.analyses.jet_id import run3
from spectrum_workflows.hep.exact.histograms import rounded
from spectrum_workflows.hep.spec import HistogramSpec
from spectrum_workflows.hep.types import Observable

from . import fills

FRACTIONS = {
    "Jet_eta": 0.5,
    "Jet_neHEF": 0.2,
    "Jet_neEmEF": 0.2,
    "Jet_chHEF": 0.5,
    "Jet_chEmEF": 0.05,
    "Jet_muEF": 0.0,
}


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.uint64, np.float32])
@pytest.mark.parametrize("eta", [0.5, 3.5])
def test_jet_identity_of_any_number_of_constituents(kind, eta):
    charged, neutral = np.meshgrid(np.arange(0, 256, 15), np.arange(0, 256, 3))
    n = charged.size
    jets = {name: ak.Array([[value] * n]) for name, value in FRACTIONS.items()}
    jets["Jet_eta"] = ak.Array([[eta] * n])
    for name, counts in (("ch", charged), ("ne", neutral)):
        jets[f"Jet_{name}Multiplicity"] = ak.values_astype(ak.Array([counts.ravel()]), kind)
    found = ak.to_numpy(run3(jets))[0]
    central = (charged > 0) & (charged + neutral > 1)
    expected = central if eta < 2.6 else neutral >= 2
    assert found.tolist() == np.where(expected, 6, 0).ravel().tolist()


def muons(kind, charges):
    n = ak.Array(charges)
    one = ak.values_astype(n * 0 + 1.0, np.float32)
    columns = {
        "pt": one * 50,
        "eta": one * 0.1,
        "phi": one * ak.local_index(n) * 3,
        "mass": one * 0.1,
    }
    events = {f"Muon_{name}": column for name, column in columns.items()}
    return ak.zip(
        {**events, "Muon_charge": ak.values_astype(n, kind), "MET_pt": np.arange(len(n)) * 1.0},
        depth_limit=1,
    )


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.int64])
def test_charges_of_any_width_make_the_same_pairs(kind):
    events = muons(kind, [[1, -1], [1, 1], [-1, -1], [-1, 1], [1, -1, 1]])
    assert len(dimuon.select(events)["dimuon"].values) == 2
    assert adl.q5(events)["met"].to_list() == [0.0, 3.0, 4.0]


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.float16, np.float32])
def test_weights_and_values_of_any_width_are_summed_in_float64(kind):
    weights = np.full(300, 100, kind)
    axis = {"h": HistogramSpec(observable="x", bins=2, start=0.0, stop=200.0)}
    found = {"x": Observable(weights, weights)}
    view = rounded(fills.filled("s", found, axis, events=300).histograms["s", "h"]).view()
    assert (view.value[1], view.variance[1]) == (30_000.0, 3_000_000.0)
