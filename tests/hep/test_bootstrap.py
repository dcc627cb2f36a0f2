"""The file that the benchmarks time is what it says it is."""

import json
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrum_workflows.hep.analyses import ttbar
from spectrum_workflows.hep.analyses.ttbar_objects import (
    ELECTRON_COLUMNS,
    JET_COLUMNS,
    MUON_COLUMNS,
)

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import bootstrap_hep
import nanoaod_like
from nanoaod_layout import truncated

COLUMNS = [*ELECTRON_COLUMNS, *MUON_COLUMNS, *JET_COLUMNS]
OBJECTS = {"Electron": 1.099, "Muon": 0.878, "Jet": 9.02}  # per event of the real file
TAKEN = {"4j1b": 0.035, "4j2b": 0.073}  # of the real file's events: RDataFrame's counts


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("source") / "source.root")
    nanoaod_like.write(path, events=5_000)
    return path


def arrays(path, names):
    with uproot.open(path) as file:
        return file["Events"].arrays(names)


def test_mantissas_are_rounded_to_ten_bits():
    values = np.random.default_rng(1).normal(0, 100, 1000).astype(np.float32)
    cut = truncated(values)
    assert not (cut.view(np.uint32) & 0x1FFF).any()
    np.testing.assert_allclose(cut, values, rtol=2**-11)
    assert np.array_equal(truncated(cut), cut)


def test_generated_source_has_the_objects_of_the_real_file_and_is_selected_as_it(source):
    events = arrays(source, COLUMNS)
    for group, mean in OBJECTS.items():
        assert ak.mean(ak.num(events[f"{group}_pt"])) == pytest.approx(mean, rel=0.05)
    selected = ttbar.select(events)
    for region, share in TAKEN.items():
        assert len(selected[region].values) / len(events) == pytest.approx(share, rel=0.2)


def test_events_are_drawn_whole_and_reproducibly_and_none_comes_twice(source, tmp_path):
    paths = [str(tmp_path / f"{name}.root") for name in ("a", "b")]
    for path in paths:
        names = bootstrap_hep.bootstrap(source, path, events=3_000)
    assert {"Jet_btagCSVV2", "Muon_tightId", "event"} <= set(names)
    a, b = (arrays(path, names) for path in paths)
    assert ak.array_equal(a, b)
    numbers = ak.to_numpy(ak.zip({n: a[n] for n in ("run", "luminosityBlock", "event")}))
    assert len(np.unique(numbers)) == 3_000
    for name in ("MET_pt", "Jet_pt"):
        values = ak.to_numpy(ak.flatten(a[name], axis=None))
        assert not (values.view(np.uint32) & 0x1FFF).any()
    known = {tuple(jets) for jets in arrays(source, ["Jet_puId"]).Jet_puId.to_list()}
    assert all(tuple(jets) in known for jets in a.Jet_puId.to_list())
    momenta = a.Jet_pt[ak.num(a.Jet_pt) > 3].to_list()
    assert len({tuple(jets) for jets in momenta}) > 0.999 * len(momenta)


def test_every_float_is_its_own_within_the_spread(source, tmp_path):
    path = str(tmp_path / "few.root")
    bootstrap_hep.bootstrap(source, path, events=2_000)
    drawn = np.random.default_rng(1).integers(0, 5_000, 2_000)
    before, after = arrays(source, ["Jet_pt"]).Jet_pt[drawn], arrays(path, ["Jet_pt"]).Jet_pt
    factor = ak.to_numpy(ak.flatten(after / before)) - 1
    assert abs(factor.mean()) < 5 * bootstrap_hep.SPREAD / len(factor) ** 0.5
    assert factor.std() == pytest.approx(bootstrap_hep.SPREAD, rel=0.05)


def test_clusters_differ_and_events_do_not(source, tmp_path):
    paths = {n: str(tmp_path / f"{n}.root") for n in (500, 3_000)}
    for cluster, path in paths.items():
        names = bootstrap_hep.bootstrap(source, path, events=3_000, cluster=cluster)
        with uproot.open(path) as file:
            assert file["Events"]["Jet_pt"].num_baskets == 3_000 // cluster
    assert ak.array_equal(*(arrays(path, names) for path in paths.values()))


def test_it_compresses_as_its_source_does(tmp_path):
    source = str(tmp_path / "source.root")
    nanoaod_like.write(source, events=1_000)
    path = str(tmp_path / "drawn.root")
    bootstrap_hep.bootstrap(source, path, events=20_000)
    before, after = (bootstrap_hep.compression(p, COLUMNS) for p in (source, path))
    assert after == pytest.approx(before, rel=0.2), "events are repeated"


def test_table_of_the_generated_source_is_what_the_real_file_says(shared_hep):
    found = nanoaod_like.measured(str(shared_hep / "NanoAODv5_sample.root"))
    assert found == json.loads(nanoaod_like.TABLE.read_text())
