"""PHYSLITE of ATLAS under the names of NanoAOD: a real file, and one sample in both forms."""

import re
import tomllib
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrum_workflows import hep, load_spec
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import DOMAIN, normalisation
from spectrum_workflows.hep.io.read import read
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.io.runs import first_weights, read_generated
from spectrum_workflows.hep.normalisation import Generated
from spectrum_workflows.hep.spec.formats import FormatSpec, resolved
from spectrum_workflows.hep.spec.physlite import PHYSLITE, SHIPPED
from spectrum_workflows.hep.synthetic import is_synthetic
from spectrum_workflows.hep.types import Events
from spectrum_workflows.record import digest

from .conftest import WORKFLOWS

pytestmark = pytest.mark.xdist_group("hep physlite")  # what they share is made once

DATA = Path(__file__).parent / "data"
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "physlite.md"
REAL = str(DATA / "physlite.root")

TOY = {
    "extends": "PHYSLITE",
    "columns": {
        "Electron_sip3d": "AnalysisElectronsAuxDyn.sip3d",
        "Muon_sip3d": "AnalysisMuonsAuxDyn.sip3d",
        "Muon_pfRelIso04_all": PHYSLITE.columns["Muon_tkRelIso"].model_dump(exclude_unset=True),
        "Jet_jetId": {
            "branch": "AnalysisJetsAuxDyn.DFCommonJets_jetClean_LooseBad",
            "values": [2, 6],
        },
    },
}
"""What the generator stores and ATLAS does not have, or not under such a name."""

TAGGER = {
    "column": "Jet_btagDL1dv01",
    "tagger": "DL1dv01",
    "working_point": "of the toy",
    "cuts": {"btag": 0.0},
}


@pytest.fixture(scope="module")
def raw():
    with uproot.open(REAL) as file:
        tree = file["CollectionTree"]
        names = [key.rpartition("/")[2] for key in tree.keys()]  # noqa: SIM118
        grouped = {"AnalysisJetsAuxDyn.btaggingLink", "AnalysisElectronsAuxDyn.truthParticleLink"}
        return {name: tree[name].array() for name in names if name not in grouped}


def columns_of(columns, *names, start=0, stop=100):
    """Columns of the real file by a format of one's own."""
    described = FormatSpec(extends="PHYSLITE", columns=columns)
    tree = open_tree(REAL, "Events", resolved("own", {**SHIPPED, "own": described}))
    return read(tree, Events("a", REAL, tree.name, start, stop, "", 0), names or list(columns))


def test_a_real_file_has_the_names_units_and_types_of_nanoaod(raw):
    kinds = {"Electron_pt": "float32", "Electron_charge": "int32", "Electron_cutBased": "int32"}
    kinds |= {"Muon_mass": "float32", "Muon_tightId": "bool", "Jet_hadronFlavour": "int32"}
    kinds |= {"run": "uint32", "event": "uint64", "genWeight": "float32"}
    names = [*kinds, "Jet_pt", "Muon_mediumId", "Muon_looseId", "luminosityBlock"]
    events = hep.read(REAL, names, format="PHYSLITE")
    for name, kind in kinds.items():
        assert str(ak.flatten(events[name], axis=None).type).endswith(kind), name
    stored = ak.flatten(raw["AnalysisJetsAuxDyn.pt"])
    assert ak.all(ak.flatten(events.Jet_pt) == np.asarray(stored) / np.float32(1000))
    assert ak.array_equal(events.run, raw["EventInfoAuxDyn.runNumber"])
    assert ak.array_equal(events.genWeight, raw["EventInfoAuxDyn.mcEventWeights"][:, 0])
    assert ak.flatten(raw["AnalysisMuonsAuxDyn.quality"]).tolist() == [9, 10, 10, 8, 9]
    passed = [ak.flatten(events[f"Muon_{p}Id"]).tolist() for p in ("tight", "medium", "loose")]
    assert np.sum(passed, axis=0).tolist() == [2, 1, 1, 3, 2]
    assert ak.all(ak.isclose(events.Muon_mass, 0.1056583755))
    tight = raw["AnalysisElectronsAuxDyn.DFCommonElectronsLHTight"] == 1
    assert ak.array_equal(events.Electron_cutBased == 4, tight)


def test_a_selection_of_cms_finds_the_z_in_a_real_file_of_atlas(raw, tmp_path):
    (tmp_path / "pairs.py").write_text(
        "import awkward as ak\n"
        "from spectrum_workflows.hep.analyses.particles import collection, mass, momentum, total\n"
        "def select(events):\n"
        "    e = collection(events, 'Electron', 'pt', 'eta', 'phi', 'mass')[:, :2]\n"
        "    a, b = ak.unzip(ak.combinations(e[e.pt > 20], 2))\n"
        "    return {'pairs': ak.flatten(mass(total(momentum(a), momentum(b))))}\n"
    )
    (tmp_path / "pairs.toml").write_text(
        'workflow = "hep"\nname = "pairs"\nselect = "pairs.py:select"\nformat = "PHYSLITE"\n'
        'columns = ["Electron_pt", "Electron_eta", "Electron_phi", "Electron_mass"]\n'
        f'normalisation = "none"\n[samples.zee]\nfiles = ["{REAL}"]\n'
        "[histograms.pairs]\nbins = 8\nstart = 50.0\nstop = 130.0\n"
    )
    spec = load_spec(tmp_path / "pairs.toml")
    arrays = {
        max_events: DOMAIN.arrays(run_of(spec.changed(partition={"max_events": max_events}), ""))
        for max_events in (100, 7)
    }
    assert digest(arrays[100]) == digest(arrays[7])
    pt, eta, phi, m = (
        raw[f"AnalysisElectronsAuxDyn.{name}"][:, :2] for name in ("pt", "eta", "phi", "m")
    )
    two = ak.num(pt[pt > 20_000]) == 2
    pt, eta, phi, m = (np.asarray(column[two], np.float64) for column in (pt, eta, phi, m))
    p = np.array([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)])
    energy = np.sqrt((p**2).sum(axis=0) + m**2).sum(axis=1)
    masses = np.sqrt(energy**2 - (p.sum(axis=2) ** 2).sum(axis=0)) / 1000
    edges = np.concatenate([[-np.inf], np.linspace(50, 130, 9), [np.inf]])
    expected = np.histogram(masses, edges)[0]
    assert arrays[100]["zee/pairs/values"].tolist() == expected.tolist()
    assert expected.argmax() == 5
    assert expected[4:6].sum() > 20  # 80 to 100 GeV


def test_links_lead_to_items_of_other_containers(raw):
    links = "AnalysisElectronsAuxDyn.trackParticleLinks"
    track = {"branch": "GSFTrackParticlesAuxDyn.d0", "link": links, "unit": "mm"}
    covariance = {"branch": "GSFTrackParticlesAuxDyn.definingParametersCovMatrixDiag"}
    own = {"Electron_dxy": track, "Electron_dxyVar": {**covariance, "element": 0, "link": links}}
    for start, stop in ((0, 100), (13, 57), (99, 100)):
        made = columns_of(own, start=start, stop=stop)
        for event, row in enumerate(made, start):
            where = [to[0]["m_persIndex"] for to in raw[links][event].tolist()]
            d0 = raw[track["branch"]][event].tolist()
            expected = [np.float32(d0[i]) / np.float32(10) for i in where]
            assert row.Electron_dxy.tolist() == expected
            variances = raw[covariance["branch"]][event].tolist()
            assert row.Electron_dxyVar.tolist() == [variances[i][0] for i in where]
    probability = {f: raw[f"BTagging_AntiKt4EMPFlowAuxDyn.DL1dv01_{f}"] for f in ("pb", "pc", "pu")}
    at = raw["AnalysisJetsAuxDyn.btaggingLink.m_persIndex"]
    b, c, light = (ak.values_astype(p[at], np.float64) for p in probability.values())
    expected = np.log(b / (0.018 * c + 0.982 * light))
    assert ak.all(ak.isclose(columns_of({}, "Jet_btagDL1dv01").Jet_btagDL1dv01, expected))


def test_a_link_may_be_asked_for_its_position(raw):
    link = "AnalysisElectronsAuxDyn.truthParticleLink"
    made = columns_of({"Electron_genPartIdx": {"link": link}}).Electron_genPartIdx
    somewhere = raw[f"{link}.m_persKey"] > 0
    assert ak.any(made == -1)
    assert ak.array_equal(made >= 0, somewhere)
    assert ak.all(made[somewhere] == raw[f"{link}.m_persIndex"][somewhere])


TRUTH = {"branch": "TruthElectronsAuxDyn.px", "link": "AnalysisElectronsAuxDyn.truthParticleLink"}
D0 = {"branch": "GSFTrackParticlesAuxDyn.d0", "link": "AnalysisElectronsAuxDyn.trackParticleLinks"}
WRONG = {
    "a link leads to item .* of ": {**TRUTH, "missing": 0},
    "links lead nowhere; say in missing": {**D0, "container": 1},
    "vectors have no element 2; say missing": {"branch": "MET_Core_AnalysisMETAuxDyn.mpx"}
    | {"element": 2},
    "it is 9, for which values has no entry": {"branch": "AnalysisMuonsAuxDyn.quality"}
    | {"values": [1, 0]},
    "not whole numbers": {"branch": "AnalysisMuonsAuxDyn.pt", "bits": 3},
    "is no int32": {"branch": "AnalysisMuonsAuxDyn.pt", "type": "int32"},
    "do not have the same number of items": {"definition": "ratio"}
    | {"branches": ["AnalysisMuonsAuxDyn.pt", "AnalysisJetsAuxDyn.pt"]},
    "a number for each event, another a list": {"definition": "ratio"}
    | {"branches": ["AnalysisMuonsAuxDyn.pt", "EventInfoAuxDyn.runNumber"]},
    "no vector in": {"branch": "EventInfoAuxDyn.runNumber", "element": 0},
    "no branch 'Aux.pt' in CollectionTree, of which own makes 'x'": {"branch": "Aux.pt"},
    "no branch 'Aux.link' in": {**D0, "link": "Aux.link"},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_a_column_cannot_be_made_of_is_refused(message):
    with pytest.raises(DataError, match=message):
        columns_of({"x": WRONG[message]})


def test_what_no_format_makes_is_refused_and_branches_are_read_under_their_own_names():
    with pytest.raises(DataError, match="no column of own, and no branch, 'Jet_jetId'.*extends"):
        columns_of({}, "Jet_jetId")
    assert columns_of({}, "AnalysisJetsAuxDyn.pt").fields == ["AnalysisJetsAuxDyn.pt"]
    with pytest.raises(SpecError, match="no 'PHYSLIT'.*did you mean PHYSLITE"):
        hep.read(REAL, ["run"], format="PHYSLIT")
    with pytest.raises(DataError, match="no tree 'Events'.*CollectionTree"):
        hep.read(REAL, ["run"])


REFUSED = {
    "no 'PHYS'; did you mean PHYSLITE": {"format": "PHYS"},
    "formats.a extends itself": {"formats": {"a": {"extends": "b"}, "b": {"extends": "a"}}},
    "formats.a.extends: no 'c'": {"formats": {"a": {"extends": "c"}}},
    "take another name": {"formats": {"NanoAOD": {}}},
}
REFUSED |= {
    message: {"formats": {"a": {"columns": {"x": source}}}}
    for message, source in {
        "either a branch or a definition or a constant": {"unit": "MeV"},
        "constant and like belong together": {"constant": 1},
        "to which no link leads": {"constant": 1, "like": "b", "element": 0},
        "definition and branches belong together": {"definition": "ratio"},
        "ratio takes 2 branches, not 1": {"definition": "ratio", "branches": ["b"]},
        "a discriminant needs fraction": {
            "definition": "discriminant",
            "branches": ["b", "c", "u"],
        },
        "a container is for what a link": {"branch": "b", "container": 1},
    }.items()
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_format_that_leaves_open_what_it_means_is_refused(message, ttbar_spec):
    with pytest.raises(SpecError, match=message):
        ttbar_spec.changed(**REFUSED[message])


def run_of(spec, data):
    plan = DOMAIN.plan(spec, str(data))
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    return result


FORMS = {
    "NanoAOD": {},
    "TTree": {"format": "toy", "formats": {"toy": TOY}},
    "RNTuple": {"format": "toy", "formats": {"toy": {**TOY, "trees": ["EventData"]}}},
}


@pytest.fixture(scope="module")
def forms(ttbar_spec, tmp_path_factory):
    """One sample of 3,000 events in every form, numbers of 12 bits as NanoAOD has them."""
    made = {}
    for form, changes in FORMS.items():
        data = tmp_path_factory.mktemp(form)
        spec = ttbar_spec.changed(
            synthetic={"events": 3_000, "precision": 12, "cluster_events": 1_000},
            fallbacks={"Jet_btagCSVV2": TAGGER},
            partition={"max_events": 1_300},
            **changes,
        )
        DOMAIN.make(spec, str(data), size=None, report=lambda *_: None)
        made[form] = (spec, data)
    return made


@pytest.mark.parametrize("normalisation", ["events", "genweight"])
def test_every_form_of_one_sample_gives_the_same_histograms(forms, normalisation):
    results = {
        form: run_of(spec.changed(normalisation=normalisation), data)
        for form, (spec, data) in forms.items()
    }
    assert results["NanoAOD"].counts["4j2b"] > 50
    assert all(result.synthetic == ("ttbar",) for result in results.values())
    assert len({digest(DOMAIN.arrays(result)) for result in results.values()}) == 1


def test_each_form_is_what_it_says(forms):
    trees = {"NanoAOD": "Events", "TTree": "CollectionTree", "RNTuple": "EventData"}
    for form, (spec, data) in forms.items():
        [path] = data.rglob("*.root")
        assert is_synthetic(str(path))
        with uproot.open(path) as file:
            kind = "ROOT::RNTuple" if form == "RNTuple" else "TTree"
            assert file.classnames()[f"{trees[form]};1"] == kind
        assert {p.entries for p in DOMAIN.plan(spec, str(data)).partitions} == {3_000}


def test_one_spec_reads_both_experiments(forms):
    spec, atlas = forms["TTree"]
    _, cms = forms["NanoAOD"]
    [ours], [theirs] = cms.rglob("*.root"), atlas.rglob("*.root")
    cross_section = 200.0
    both = spec.changed(
        format="NanoAOD",
        samples={
            "ttbar": {"files": [str(ours)]},
            "atlas": {"files": [str(theirs)], "format": "toy", "cross_section": cross_section},
        },
    )
    result = run_of(both, "")
    assert result.selected["ttbar", "4j2b"] == result.selected["atlas", "4j2b"]
    assert any("DL1dv01" in text for text in DOMAIN.plan(both, "").warnings)


def test_all_bits_of_momenta_come_back_but_for_the_last(generated, tmp_path):
    spec = load_spec(WORKFLOWS / "dimuon.toml").changed(
        format="PHYSLITE", synthetic={"events": 5_000, "seed": 5}
    )
    DOMAIN.make(spec, str(tmp_path), size=None, report=lambda *_: None)
    ours = hep.read(generated / "zmumu.root", ["Muon_pt", "Muon_eta", "Muon_charge"])
    theirs = hep.read(tmp_path / "zmumu.root", ours.fields, format="PHYSLITE")
    assert ak.array_equal(ours.Muon_eta, theirs.Muon_eta)
    assert ak.array_equal(ours.Muon_charge, theirs.Muon_charge)
    pt, other = (np.asarray(ak.flatten(events.Muon_pt)) for events in (ours, theirs))
    assert np.max(np.abs(pt.view(np.int32) - other.view(np.int32))) == 1
    assert np.mean(pt == other) > 0.95


def test_bookkeepers_tell_the_sum_of_weights():
    path = str(DATA / "cut_bookkeepers.root")
    tree = open_tree(path, "Events", resolved("PHYSLITE", SHIPPED))
    made = read_generated(tree)
    assert (made.weights, made.squares, made.events) == (2500.5, 9000.25, 1000)
    assert first_weights(tree) == (1 / 20, (19 * 2 - 1) / 20)


def test_a_file_without_bookkeepers_is_not_normalised_by_weights(ttbar_spec):
    spec = load_spec(WORKFLOWS / "quickstart.toml").changed(
        format="toy",
        formats={"toy": TOY},
        normalisation="genweight",
        samples={"ttbar": {"files": [REAL]}},
    )
    with pytest.raises(DataError, match="no bookkeeper AllExecutedEvents in MetaData"):
        DOMAIN.plan(spec, "")


def test_a_skim_is_told_by_what_its_bookkeeper_counts():
    made = Generated(5.0, 9.0, 40, told_by="bookkeeper")
    text, *_ = normalisation.warnings("s", "events", [("a.root", 20, made)])
    assert "their bookkeepers count 40 generated (a.root: 20 of 40)" in text


def test_links_of_events_in_an_rntuple_and_to_several_containers(tmp_path):
    link = ak.zip({"m_persKey": np.uint32([7, 9, 0]), "m_persIndex": np.uint32([1, 0, 0])})
    columns = {
        "EventInfoAuxDyn:vertexLink": link,
        "VerticesAuxDyn:z": ak.values_astype(ak.Array([[1.0, 20.0], [3.0], []]), np.float32),
    }
    with uproot.recreate(tmp_path / "links.root") as file:
        ntuple = file.mkrntuple("EventData", {name: c[:0] for name, c in columns.items()})
        ntuple.extend(columns)
    vertex = {"branch": "VerticesAuxDyn.z", "link": "EventInfoAuxDyn.vertexLink", "unit": "mm"}
    made = {
        "one": {**vertex, "container": 7, "missing": -1.0},
        "several": {**vertex, "missing": -1.0},
        "index": {"link": vertex["link"], "container": 9},
    }
    described = FormatSpec(extends="PHYSLITE", columns=made)
    url = str(tmp_path / "links.root")
    tree = open_tree(url, "Events", resolved("own", {**SHIPPED, "own": described}))
    events = Events("a", url, tree.name, 0, 3, "", 0)
    seen = read(tree, events, ["one", "index"])
    assert seen.one.tolist() == [2.0, -1.0, -1.0]
    assert seen.index.tolist() == [-1, 0, -1]
    with pytest.raises(DataError, match="several containers .7, 9.; choose container"):
        read(tree, events, ["several"])


def test_other_formats_cannot_be_generated(ttbar_spec, tmp_path):
    spec = ttbar_spec.changed(format="mini", formats={"mini": {"trees": ["mini"]}})
    with pytest.raises(SpecError, match="'mini' cannot be generated.*PHYSLITE"):
        DOMAIN.make(spec, str(tmp_path), size=None, report=lambda *_: None)


def test_formats_of_the_page_are_read_from_the_real_file():
    (text,) = re.findall(r"```toml\n(format = \"mine\".*?)```", PAGE.read_text(), re.S)
    described = tomllib.loads(text)["formats"]["mine"]["columns"]
    kept = ("Electron_dxy", "Electron_genPartIdx")
    assert len(columns_of({name: described[name] for name in kept})) == 100
    for name in {*described} - {*kept}:
        with pytest.raises(DataError, match=f"no branch .*of which own makes {name!r}"):
            columns_of({name: described[name]})  # of branches that the small file was left without


def test_the_page_names_every_column():
    page = PAGE.read_text()
    table = page.partition("| column |")[2].partition("\n\n")[0]
    for name in PHYSLITE.columns:
        collection, _, field = name.partition("_")
        full = f"`{name}`" in table
        assert full or (f"`{collection}_" in table and (f"_{field}`" in table or "…" in table)), (
            name
        )


def test_a_file_of_atlas_taken_for_nanoaod_is_told(tmp_path):
    with uproot.recreate(tmp_path / "a.root") as file:
        file["CollectionTree"] = {"x": np.zeros(1)}
    with pytest.raises(DataError, match='files of ATLAS are read with format = "PHYSLITE"'):
        open_tree(str(tmp_path / "a.root"), "Events")
