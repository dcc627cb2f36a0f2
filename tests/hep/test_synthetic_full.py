"""Generated events with all detail: clustered jets, resonances, and data that are a mixture."""

from itertools import pairwise

import numpy as np
import pytest
import uproot

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.synthetic import boosted, generate
from spectrum_workflows.hep.synthetic.clustering import anti_kt
from spectrum_workflows.hep.synthetic.kinematics import four_vector, pt_eta_phi_mass
from spectrum_workflows.specs import parse

QUIET = {"report": lambda stage, done, total: None}
N = 2_000


def clustered(p4, radius):
    """The definition of anti-kT, word for word: sets of particles."""
    jets, left = [], [({k}, p.copy()) for k, p in enumerate(p4)]
    while left:
        y = [np.arctanh(p[3] / p[0]) for _, p in left]
        phi, pt = ([f(p) for _, p in left] for f in (lambda p: np.arctan2(p[2], p[1]), momentum))
        tried = [(pt[i] ** -2, i, None) for i in range(len(left))]
        for i in range(len(left)):
            for j in range(i):
                turn = np.abs((phi[i] - phi[j] + np.pi) % (2 * np.pi) - np.pi)
                size = ((y[i] - y[j]) ** 2 + turn**2) / radius**2
                tried.append((min(pt[i] ** -2, pt[j] ** -2) * size, i, j))
        _, i, j = min(tried, key=lambda t: t[0])
        first = left.pop(i)
        if j is None:
            jets.append(first[0])
        else:
            other = left.pop(j)
            left.append((first[0] | other[0], first[1] + other[1]))
    return {frozenset(jet) for jet in jets}


def momentum(p):
    return np.hypot(p[1], p[2])


def test_jets_are_those_of_the_definition():
    rng = np.random.default_rng(7)
    counts = rng.integers(0, 12, 60)
    n = int(counts.sum())
    pt, y, phi = 5 + rng.exponential(60, n), rng.normal(0, 0.8, n), rng.uniform(-np.pi, np.pi, n)
    p4 = four_vector(pt, y, phi, rng.uniform(0, 5, n))
    first = np.concatenate([[0], np.cumsum(counts)])
    for radius in (0.4, 1.5):
        jet = anti_kt(first, p4, radius)
        for start, stop in pairwise(first):
            mine = jet[start:stop]
            sets = {frozenset(np.flatnonzero(mine == k).tolist()) for k in np.unique(mine)}
            assert sets == clustered(p4[start:stop], radius)
        assert np.array_equal(np.unique(jet), np.arange(jet.max() + 1))


def test_a_resonance_has_the_mass_in_its_name():
    for mass in (1_000, 2_000):
        hard = boosted.process_of(f"zprime_M{mass}")(N, np.random.default_rng(3))
        visible = np.zeros((N, 4))
        np.add.at(visible, hard.partons.event[: 4 * N], hard.partons.p4[: 4 * N])
        np.add.at(visible, hard.leptons.event, hard.leptons.p4)
        # all but the neutrino: its transverse momentum is known, so most of the mass is there
        assert 0.75 * mass < np.median(pt_eta_phi_mass(visible)[3]) < mass


def test_a_mixture_has_events_of_each_process_in_any_order():
    process = boosted.process_of("0.75 ttbar_M700 + 0.25 zmumu")
    hard = process(N, np.random.default_rng(4))
    muons = np.bincount(hard.leptons.event, minlength=N)
    assert abs((muons == 2).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / N)
    halves = [(half == 2).mean() for half in np.split(muons, 2)]
    assert abs(halves[0] - halves[1]) < 0.1
    assert (hard.missing[muons == 2] == 0).all()


def test_detail_is_shaped_as_said_and_data_know_nothing_of_the_truth():
    events = generate("ttbar_M700", N, np.random.default_rng(5), detail="full")
    jets, true = events["Jet"], events["GenJet"]
    matched = jets[jets.genJetIdx >= 0]
    parent = true[matched.genJetIdx]
    ratio = np.asarray(np.concatenate((matched.pt / parent.pt)[parent.pt > 200].to_list()))
    assert np.mean(ratio) == pytest.approx(0.98, abs=0.01)
    assert len(events["LHEScaleWeight"][0]) == 9
    for kind in ("Jet", "FatJet", "Muon"):
        assert all((np.diff(p) <= 0).all() for p in events[kind].pt[:200].to_list())


def spec_of(**samples):
    table = {
        "workflow": "hep",
        "name": "mixed",
        "select": "spectrum_workflows.hep.analyses.zprime:select",
        "columns": ["Jet_pt"],
        "luminosity": 20.0,
        "samples": {
            "ttbar_M700": {"files": ["t.root"], "cross_section": 24.0},
            "wjets_hard": {"files": ["w.root"], "cross_section": 15.0},
            **samples,
        },
        "histograms": {"jet_pt": {"bins": 5, "start": 0.0, "stop": 500.0}},
        "synthetic": {"events": 100, "detail": "full"},
    }
    return parse(HepSpec, table, where="spec")


def test_generated_data_have_as_many_events_as_their_parts_let_expect(tmp_path):
    data = {"files": ["d.root"], "data": True, "mixture": ["ttbar_M700", "wjets_hard"]}
    spec = spec_of(data=data)
    urls = DOMAIN.make(spec, str(tmp_path), size=50, **QUIET)
    sizes, columns = [], []
    for url in urls:
        with uproot.open(url) as file:
            sizes.append(file["Events"].num_entries)
            columns.append({*file["Events"].keys()})
    assert sizes[:2] == [50, 50]
    assert abs(sizes[2] - 780) < 5 * np.sqrt(780)
    known = {c for c in columns[0] - columns[2] if not c.startswith(("n", "GenJet_"))}
    truth = {"genWeight", "Pileup_nTrueInt", "Jet_hadronFlavour", "Jet_genJetIdx"}
    assert known == truth | {"LHEScaleWeight", "LHEPdfWeight", "PSWeight"}


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ({"data": True, "mixture": ["ttbar"]}, "no 'ttbar' here; did you mean ttbar_M700"),
        ({"cross_section": 1.0, "mixture": ["ttbar_M700"]}, "mixture is for data"),
        (
            {"data": True, "generator": "ttbar", "mixture": ["ttbar_M700"]},
            "mixture is for data, instead of generator",
        ),
    ],
)
def test_what_cannot_be_mixed_is_said(sample, says):
    with pytest.raises(SpecError, match=says):
        spec_of(data={"files": ["d.root"], **sample})
