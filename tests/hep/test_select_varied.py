"""All variations selected at once: the bits are those of the plain selection, one by one."""

import json
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest

from spectrum_workflows import load_spec
from spectrum_workflows.errors import SpecError, SpectrumError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.analyses import ttbar_declared
from spectrum_workflows.hep.analyses.ttbar_objects import (
    ELECTRON_COLUMNS,
    JET_COLUMNS,
    MUON_COLUMNS,
)
from spectrum_workflows.hep.objects import blocks, views
from spectrum_workflows.hep.types.varied import VariedBlock, VariedObjects
from spectrum_workflows.record import digest

sys.path.insert(0, str(Path(__file__).parent))

from declared_objects import (
    ETA,
    PT,
    WORD,
    WORKFLOWS,
    binned,
    correction,
    declared_of,
    events_of,
    flat,
    formula,
    run_of,
    spec_of,
)

pytestmark = pytest.mark.xdist_group("hep select varied")  # what they share is made once

DECLARED = "spectrum_workflows.hep.analyses.ttbar_declared:select"
WAYS = {"nodetype": "category", "input": "way"}
SCALES = [{"key": k, "value": v} for k, v in (("nom", 1.1), ("up", 1.2), ("down", 1.0))]
CORRECTIONS = (
    correction("L2", binned([-5.0, -1.3, 1.3, 5.0], [1.2, 1.05, 1.1]), ETA),
    correction("resolution", formula("0.1+1/x", "pt"), PT),
    correction("scale", WAYS | {"content": SCALES}, WORD),
    correction("U_a_x", binned([0.0, 50.0, 1e4], [0.04, 0.01], "pt"), PT, ETA),
    correction(
        "U_b_x", binned([0.0, 50.0, 1e4], [formula("0.2/sqrt(x)", "pt"), 0.1], "pt"), PT, ETA
    ),
    correction("U_c_x", binned([-5.0, -2.5, 2.5, 5.0], [0.1, 0.0, 0.1]), ETA),
)
JETS = {
    "collection": "Jet",
    "files": "jets.json",
    "nominal": "L2",
    "inputs": {"pt": "Jet_pt", "eta": "Jet_eta", "way": "nom"},
    "smearing": {"resolution": "resolution", "scale_factor": "scale"},
}
VARIATIONS = {
    "jes": {"object": "jets", "correction": "U_{source}_x", "sources": ["a", "b", "c"]},
    "jer": {"object": "jets", "up": {"way": "up"}, "down": {"way": "down"}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("varied")
    content = {"schema_version": 2, "corrections": CORRECTIONS}
    (folder / "jets.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def spec(folder):
    axis = {"bins": 25, "start": 50.0, "stop": 550.0}
    return spec_of(
        folder,
        select=DECLARED,
        objects={"jets": JETS},
        variations=VARIATIONS,
        histograms={"4j1b": axis, "4j2b": axis},
    )


def test_blocks_hold_the_objects_of_every_variation(spec):
    events = events_of(1_500)
    for name in ("run", "luminosityBlock", "event"):
        events[name] = np.arange(1_500, dtype=np.uint32)
    declared, kernels = declared_of(spec)
    nominal = views.nominal(events, declared, kernels)
    expected = dict(views.varied(nominal, declared, kernels))
    names = blocks.names(declared)
    assert sorted(names) == sorted(expected)
    both = {"Jet_pt": [], "Jet_mass": []}
    ends = []
    for block in blocks.blocks(nominal, declared, kernels, both):
        ends += [block.start, block.stop]
        for column, parts in both.items():
            parts.append(block.changed[column].copy())
    assert ends == [0, 512, 512, 1024, 1024, 1500]
    for column, parts in both.items():
        for k, name in enumerate(names):
            found = np.concatenate(parts)[:, k]
            np.testing.assert_array_equal(found, flat(expected[name], column))


@pytest.mark.parametrize("cuts", [{}, {"jet_pt": 60.0}, {"btag": 0.05, "jet_pt": 20.0}])
def test_histograms_are_the_same_to_the_bit(spec, generated, cuts):
    plain = spec.changed(cuts=cuts)
    _, one_by_one = run_of(plain, generated)
    _, at_once = run_of(plain.changed(select_varied="select_varied"), generated, most=3_000)
    _, cut = run_of(plain, generated, most=3_000)
    assert digest(DOMAIN.arrays(at_once)) == digest(DOMAIN.arrays(cut))
    assert one_by_one.selected == at_once.selected
    shifted = one_by_one.histograms["ttbar", "4j2b_jes_b_up"]
    assert shifted != one_by_one.histograms["ttbar", "4j2b"]
    assert at_once.selected["ttbar", "4j2b"] > 0


BAD = (np.nan, -np.nan, -5.0, np.inf, -np.inf, 0.0, -0.0, 30.0)


@pytest.mark.parametrize("kind", ["close", "far", "alike", "bad"])
def test_bounds_of_momenta_leave_no_triple_out(kind):
    """Momenta that lie close and far apart, that are alike, and that are no momenta at all."""
    lanes, rng = 24, np.random.default_rng(7)
    counts = rng.poisson(6, 400)
    n = counts.sum()
    pt, phi = 20 + rng.exponential(40, n), rng.uniform(-np.pi, np.pi, n)
    shifts = rng.normal(1.0, {"close": 0.02, "bad": 0.02}.get(kind, 0.3), (n, lanes))
    if kind == "alike":
        pt, phi, shifts = np.round(pt, -1), np.round(phi), np.round(shifts, 1)
    varied = (pt[:, np.newaxis] * shifts).astype(np.float32)
    if kind == "bad":
        where = rng.random(varied.shape) < 0.004
        varied[where] = rng.choice(BAD, where.sum()).astype(np.float32)
        phi[rng.random(n) < 0.02] = np.nan
    jets = {"pt": pt, "eta": rng.normal(0, 1.5, n), "phi": phi, "mass": pt / 8}
    jets |= {"jetId": np.where(rng.random(n) < 0.9, 6, 2), "btagCSVV2": rng.random(n)}
    columns = {f"Jet_{k}": ak.unflatten(v.astype(_kind(k)), counts) for k, v in jets.items()}
    muons = {"pt": 50.0, "eta": 0.1, "tightId": True, "sip3d": 1.0, "pfRelIso04_all": 0.01}
    columns |= {f"Muon_{k}": ak.Array([[v]] * 400) for k, v in muons.items()}
    columns |= {name: ak.Array([[]] * 400) for name in ELECTRON_COLUMNS}
    events = ak.zip(columns, depth_limit=1)
    ends = np.cumsum(counts)[149]

    def parts(items):
        first, last = (np.flatnonzero(own) for own in (items[:ends], items[ends:]))
        yield VariedBlock(0, 150, {"Jet_pt": varied[:ends][first]})
        yield VariedBlock(150, 400, {"Jet_pt": varied[ends:][last]})

    found = ttbar_declared.select_varied(events, varied=VariedObjects(lanes, parts))
    for k, regions in enumerate(found):
        one = ak.with_field(events, ak.unflatten(varied[:, k], counts), "Jet_pt")
        for region, expected in ttbar_declared.select(one).items():
            np.testing.assert_array_equal(regions[region].index, expected.index)
            np.testing.assert_array_equal(regions[region].values, expected.values)
            assert len(expected.values) > 10


def _kind(name):
    return np.int32 if name == "jetId" else np.float32


def test_weights_follow_objects_that_are_selected_at_once(generated):
    spec = load_spec(WORKFLOWS / "ttbar_objects.toml")
    keep = {"ttbar": spec.samples["ttbar"].model_dump(exclude_unset=True)}
    keep["ttbar"]["files"] = ["ttbar.root"]
    spec = spec.model_copy(update={"fit": None, "samples": {"ttbar": spec.samples["ttbar"]}})
    plain = spec.changed(samples=keep, partition={"max_events": 10_000})
    _, one_by_one = run_of(plain, generated)
    _, at_once = run_of(plain.changed(select_varied="select_varied"), generated)
    assert digest(DOMAIN.arrays(one_by_one)) == digest(DOMAIN.arrays(at_once))


WRONG = """
from spectrum_workflows.hep import Observable
from spectrum_workflows.hep.analyses.ttbar_declared import select, select_varied as right

def select_varied(events, *, varied):
    regions = right(events, varied=varied)
    other = [Observable(r["4j1b"].values + 1, index=r["4j1b"].index) for r in regions]
    return [{**r, "4j1b": o} for r, o in zip(regions, other)]

def too_few(events, *, varied):
    return right(events, varied=varied)[1:]
"""


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("select_varied", "select_varied and select differ in region '4j1b' under jes_a_up"),
        ("too_few", "did not return a list of one dict of regions per variation"),
    ],
)
def test_another_answer_than_that_of_the_plain_selection_is_an_error(
    spec, folder, generated, function, message
):
    (folder / "wrong.py").write_text(WRONG)
    wrong = spec.changed(select="wrong.py:select", select_varied=function)
    with pytest.raises(SpectrumError, match=message):
        run_of(wrong, generated)


def test_a_name_that_is_not_beside_the_selection_is_refused(spec, generated):
    with pytest.raises(SpecError, match="did you mean select_varied"):
        DOMAIN.plan(spec.changed(select_varied="select_varid"), str(generated))


def test_where_two_collections_vary_they_are_selected_one_by_one(spec, folder, generated):
    (folder / "wrong.py").write_text(WRONG)
    electrons = {"collection": "Electron", "scaled": ["pt"], "files": "jets.json"}
    electrons |= {"nominal": "L2", "inputs": {"eta": "Electron_eta"}}
    plain = spec.changed(objects={"electrons": electrons})
    other = plain.changed(select="wrong.py:select", select_varied="too_few")
    assert run_of(plain, generated)[1].selected == run_of(other, generated)[1].selected


MET = {"pt": "MET_pt", "phi": "MET_phi"}
UNCLUSTERED = {"object": "met", "up": {"pt": "up_pt", "phi": "up_phi"}, "down": MET}


@pytest.mark.parametrize("columns", [["Jet_pt", "MET_pt", "MET_phi"], ["MET_phi"]])
@pytest.mark.parametrize("met", [MET, MET | {"minimum_pt": 40.0}])
def test_the_missing_momentum_follows_in_blocks(spec, columns, met):
    events = events_of(700)
    for name in ("run", "luminosityBlock", "event"):
        events[name] = np.arange(700, dtype=np.uint32)
    more = {"unclustered": UNCLUSTERED}
    declared, kernels = declared_of(spec.changed(met=met, variations=more))
    nominal = views.nominal(events, declared, kernels)
    expected = dict(views.varied(nominal, declared, kernels))
    names = blocks.names(declared)
    assert sorted(names) == sorted(expected)
    parts = {column: [] for column in columns}
    for block in blocks.blocks(nominal, declared, kernels, columns):
        for column in columns:
            parts[column].append(block.changed[column].copy())
    for column in columns:
        for k, name in enumerate(names):
            found = np.concatenate(parts[column])[:, k]
            np.testing.assert_array_equal(found, flat(expected[name], column))


@pytest.mark.parametrize("cut", [0.2, 0.3])
def test_a_value_next_to_a_cut_is_on_one_side_of_it_for_all(cut):
    """In single precision 0.2 and 0.3 lie above and below themselves, and 2.1 below."""
    lepton = {"pt": [50.0], "eta": [2.1], "sip3d": [1.0], "tightId": [True]}
    jet = {"pt": [60.0] * 4, "eta": [0.1] * 4, "phi": [0.0, 1.0, 2.0, 3.0], "mass": [5.0] * 4}
    jet |= {"jetId": [6] * 4, "btagCSVV2": [cut, 0.0, 0.0, 0.0]}
    columns = {f"Muon_{field}": [value] for field, value in lepton.items()}
    columns |= {f"Jet_{field}": [value] for field, value in jet.items()}
    columns["Muon_pfRelIso04_all"] = [[0.01]]
    kinds = ELECTRON_COLUMNS | MUON_COLUMNS | JET_COLUMNS
    empty = ak.Array([[1.0]])[:, :0]
    lists = {name: ak.Array(columns.get(name, empty)) for name in kinds}
    events = ak.zip(
        {name: ak.values_astype(lists[name], kind) for name, kind in kinds.items()}, depth_limit=1
    )
    selected = len(ttbar_declared.select(events, btag=cut)["4j1b"].values)
    assert selected == (float(np.float32(cut)) > cut)
    assert ttbar_declared.may_pass(events, btag=cut).tolist() == [bool(selected)]
    assert ttbar_declared.good_muons(events).tolist() == [[True]]


MANY = """
import numpy as np
from spectrum_workflows.hep import Observable
from spectrum_workflows.hep.analyses import ttbar_declared

def more(regions):
    one = regions["4j1b"]
    parity = np.where(np.asarray(one.index) % 2 == 0, "even", "odd")
    others = {"half": one.values / 2, "number": np.asarray(one.index) % 5, "parity": parity}
    return {**regions, **{n: Observable(v, one.weights, one.index) for n, v in others.items()}}

def select(events, **cuts):
    return more(ttbar_declared.select(events, **cuts))

def select_varied(events, *, varied, **cuts):
    return [more(r) for r in ttbar_declared.select_varied(events, varied=varied, **cuts)]
"""


def test_many_axes_and_profiles_are_the_same_to_the_bit(spec, folder, generated):
    (folder / "many.py").write_text(MANY)
    first = {"edges": [50.0, 200.0, 300.0, 550.0]}
    histograms = {
        "cube": {
            "observable": ["4j1b", "number", "parity"],
            "edges": [first["edges"], [], []],
            "categories": [[], [0, 3], ["odd"]],
        },
        "mean": {"observable": "4j1b", **first, "profile": "half"},
    }
    table = spec.model_dump(exclude_unset=True) | {"histograms": histograms}
    plain = type(spec)(**table | {"select": "many.py:select"}, folder=str(folder))
    _, cut = run_of(plain, generated, most=3_000)
    _, at_once = run_of(plain.changed(select_varied="select_varied"), generated, most=3_000)
    assert digest(DOMAIN.arrays(at_once)) == digest(DOMAIN.arrays(cut))
    for kind in ("cube", "mean"):
        up, nominal = (cut.histograms["ttbar", f"{kind}{v}"] for v in ("_jes_b_up", ""))
        assert up != nominal
