from pathlib import Path

import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import load_spec
from spectrum_workflows.errors import OutputError, SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.synthetic import generate, write_sample
from spectrum_workflows.hep.synthetic.kinematics import (
    four_vector,
    pt_eta_phi_mass,
    two_body_decay,
)
from spectrum_workflows.hep.synthetic.processes import PROCESSES

WORKFLOWS = Path(__file__).parents[2] / "workflows" / "hep"
QUIET = {"report": lambda stage, done, total: None}


@settings(deadline=None)
@given(st.floats(0, 400), st.floats(-2.5, 2.5), st.floats(1.0, 200.0), st.floats(0, 0.49))
def test_decays_conserve_the_four_vector_and_give_the_daughters_their_masses(pt, y, m, share):
    n = 20
    parent = four_vector(*(np.full(n, v) for v in (pt, y, 0.7, m)))
    masses = (np.full(n, share * m), np.full(n, 0.3 * m))
    a, b = two_body_decay(parent, masses, np.random.default_rng(1))
    scale = parent[:, 0].max()
    np.testing.assert_allclose(a + b, parent, atol=1e-9 * scale)
    np.testing.assert_allclose(pt_eta_phi_mass(a)[3], masses[0], atol=2e-6 * scale)
    np.testing.assert_allclose(pt_eta_phi_mass(b)[3], masses[1], atol=2e-6 * scale)


def test_decays_are_isotropic_in_the_rest_frame():
    n = 20_000
    parent = four_vector(np.zeros(n), np.zeros(n), np.zeros(n), np.full(n, 100.0))
    a, _ = two_body_decay(parent, (np.zeros(n), np.zeros(n)), np.random.default_rng(2))
    direction = a[:, 1:] / a[:, :1]
    np.testing.assert_allclose(direction.mean(axis=0), 0, atol=5 / np.sqrt(3 * n))
    np.testing.assert_allclose((direction**2).mean(axis=0), 1 / 3, atol=0.01)


def test_top_decay_products_have_the_masses_of_w_and_top():
    hard = PROCESSES["ttbar"](5000, np.random.default_rng(3))
    event, kind, p4 = hard.partons.event, hard.partons.kind, hard.partons.p4
    n = hard.n
    assert np.array_equal(event[: 4 * n].reshape(4, n), np.tile(np.arange(n), (4, 1)))
    bottom, quark, other = p4[n : 2 * n], p4[2 * n : 3 * n], p4[3 * n : 4 * n]
    assert (kind[n : 2 * n] == 5).all()
    assert np.median(pt_eta_phi_mass(quark + other)[3]) == pytest.approx(80.4, abs=0.15)
    assert np.median(pt_eta_phi_mass(bottom + quark + other)[3]) == pytest.approx(172.7, abs=0.15)


@pytest.mark.parametrize("process", sorted(PROCESSES))
def test_the_same_seed_gives_the_same_events_and_another_seed_others(process):
    a, b, c = (generate(process, 200, np.random.default_rng(s)) for s in (4, 4, 5))
    assert all(a[k].to_list() == b[k].to_list() for k in a)
    assert a["Muon"].to_list() != c["Muon"].to_list()


def test_files_are_shaped_like_nanoaod(generated, shared_hep):
    with uproot.open(generated / "ttbar.root") as ours:
        made = ours["Events"].typenames()
    with uproot.open(shared_hep / "NanoAODv5_sample.root") as real:
        expected = real["Events"].typenames()
    assert set(made) <= set(expected)
    counters = {"nElectron", "nMuon", "nJet"}  # uproot writes them signed
    different = {k for k in made if made[k] != expected[k]}
    assert different <= counters


def test_pt_falls_within_events_and_event_numbers_rise(generated):
    with uproot.open(generated / "ttbar.root") as file:
        tree = file["Events"]
        pt, number = tree["Jet_pt"].array(), tree["event"].array(library="np")
    assert all((np.diff(p) <= 0).all() for p in pt[:300].to_list())
    assert number.tolist() == list(range(1, 8401))


@pytest.mark.parametrize("name", ["quickstart", "dimuon"])
def test_make_writes_every_file_of_the_shipped_specs(tmp_path, name):
    spec = load_spec(WORKFLOWS / f"{name}.toml")
    seen = []
    urls = DOMAIN.make(spec, str(tmp_path), size=300, report=lambda *a: seen.append(a))
    assert urls == DOMAIN.inputs(spec, str(tmp_path))
    assert seen == [(f"generate {sample}", 300, 300) for sample in spec.samples]
    for url in urls:
        with uproot.open(url) as file:
            assert file["Events"].num_entries == 300
    assert not list(tmp_path.glob(".*"))


def test_several_files_of_a_sample_share_its_events_and_differ(tmp_path, ttbar_spec):
    sample = {"files": ["a.root", "b/c.root"], "cross_section": 1.0}
    spec = ttbar_spec.changed(samples={"ttbar": sample})
    urls = DOMAIN.make(spec, str(tmp_path), size=101, **QUIET)
    trees = [uproot.open(url)["Events"] for url in urls]
    assert [t.num_entries for t in trees] == [50, 51]
    assert len({str(t.file.uuid) for t in trees}) == 2
    pts = [t["MET_pt"].array(library="np")[:50] for t in trees]
    assert not np.array_equal(*pts)
    for tree in trees:
        tree.file.close()


def test_the_same_recipe_gives_the_same_file_identity(tmp_path):
    for name in ("a", "b"):
        write_sample(str(tmp_path / name), "zmumu", events=50, seed=9)
    with uproot.open(tmp_path / "a") as a, uproot.open(tmp_path / "b") as b:
        assert a.file.uuid == b.file.uuid
        assert a["Events"]["Muon_pt"].array().to_list() == b["Events"]["Muon_pt"].array().to_list()


def test_an_unknown_process_is_named_with_the_closest_and_nothing_is_left(tmp_path):
    with pytest.raises(SpecError, match="no generator 'tbar'.*did you mean ttbar"):
        write_sample(str(tmp_path / "x.root"), "tbar", events=5, seed=1)
    assert not list(tmp_path.iterdir())


def test_an_unwritable_place_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .*; choose another place"):
        write_sample(str(tmp_path / "file" / "x.root"), "zmumu", events=5, seed=1)


def test_no_two_files_of_a_spec_hold_the_same_events(tmp_path):
    samples = {
        "mc": {"files": ["mc.root", "mc2.root"], "generator": "zmumu"},
        "other": {"files": ["other.root"], "generator": "zmumu"},
        "zmumu": {"files": ["z.root"]},
        "data": {"files": ["data.root", "data2.root"], "generator": "zmumu", "data": True},
        "one_file_twice": {"files": ["mc.root"], "generator": "ttbar"},
    }
    spec = load_spec(WORKFLOWS / "quickstart.toml")
    spec = spec.changed(normalisation="none").model_copy(
        update={"samples": {n: type(spec.samples["ttbar"])(**s) for n, s in samples.items()}}
    )
    urls = DOMAIN.make(spec, str(tmp_path), size=400, **QUIET)
    assert len(urls) == 7
    met, uuids, sums = {}, {}, {}
    for url in dict.fromkeys(urls):
        with uproot.open(url) as file:
            met[url] = file["Events"]["MET_pt"].array(library="np")
            uuids[url] = file.file.uuid
            sums[url] = "genEventSumw" in file["Runs"]
            assert ("genWeight" in file["Events"]) == sums[url] == ("data" not in url)
    assert len(set(uuids.values())) == 6
    everything = np.concatenate(list(met.values()))
    assert len(np.unique(everything)) > 0.999 * len(everything)
    write_sample(str(tmp_path / "alone.root"), "zmumu", events=200, seed=spec.synthetic.seed)
    with uproot.open(tmp_path / "alone.root") as file:  # the first is what it always was
        np.testing.assert_array_equal(file["Events"]["MET_pt"].array(library="np"), met[urls[0]])


def test_streams_repeat_and_do_not_depend_on_other_samples(tmp_path):
    for name, stream in {"a": "x", "b": "x", "c": "y"}.items():
        write_sample(str(tmp_path / name), "zmumu", events=50, seed=9, stream=stream)
    made = [uproot.open(tmp_path / name) for name in "abc"]
    a, b, c = (file["Events"]["Muon_pt"].array().to_list() for file in made)
    assert a == b != c
    assert made[0].file.uuid == made[1].file.uuid != made[2].file.uuid
    for file in made:
        file.close()
