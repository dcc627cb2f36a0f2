"""NanoAOD as it is: columns that came, went and changed their type between v5 and v15."""

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrum_workflows import load_spec
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.analyses import jet_id
from spectrum_workflows.hep.analyses.ttbar import select
from spectrum_workflows.record import digest

from .conftest import WORKFLOWS

pytestmark = pytest.mark.xdist_group("hep drift")  # what they share is made once

V12 = "nano_tt_v12.root"
QUIET = {"client": None, "on_error": "raise", "report": lambda *_: None}


def run(spec, data):
    plan = DOMAIN.plan(spec, str(data))
    result, metrics = DOMAIN.run(spec, plan, **QUIET)
    assert not metrics.failures
    return plan, result


@pytest.fixture(scope="module")
def spec():
    """The shipped spec for Run 3, on a NanoAODv12 file."""
    return load_spec(WORKFLOWS / "ttbar_nanoaod_v12.toml")


def without(spec, *names):
    """The same spec with fewer fallbacks."""
    kept = {n: f for n, f in spec.fallbacks.items() if n not in names}
    return spec.model_copy(update={"fallbacks": kept})


def branches(path, names):
    with uproot.open(path) as file:
        return file["Events"].arrays(list(names), how=dict)


def write(path, columns):
    types = {k: getattr(v.type, "content", v.type) for k, v in columns.items()}
    with uproot.recreate(path) as file:
        file.mktree("Events", types).extend(columns)


def test_a_fallback_reads_another_tagger_at_its_own_working_point_and_says_so(spec, shared_hep):
    plan, result = run(spec, shared_hep)
    said, _ = plan.warnings
    for words in ("Jet_btagCSVV2 is absent", "Jet_btagDeepFlavB", "DeepJet", "medium", "0.3086"):
        assert words in said
    events = branches(shared_hep / V12, [c for c in spec.columns if c != "Jet_btagCSVV2"])
    events |= branches(shared_hep / V12, ["Jet_btagDeepFlavB"])
    events["Jet_btagCSVV2"] = events.pop("Jet_btagDeepFlavB")
    expected = select(ak.zip(events, depth_limit=1), btag=0.3086)
    assert result.counts == {region: len(found.values) for region, found in expected.items()}
    assert result.counts["4j2b"] > 20


def test_a_file_that_has_the_column_is_read_as_if_there_were_no_fallback(spec, shared_hep):
    v5 = spec.changed(samples={"ttbar": {"files": ["NanoAODv5_sample.root"]}})
    plan, result = run(v5, shared_hep)
    (said,) = plan.warnings
    assert "0.1 % are negative" in said  # one of 1,000
    assert result.counts == {"4j1b": 35, "4j2b": 73}


def test_what_is_missing_is_refused_with_the_closest_and_the_remedy(spec, shared_hep):
    bare = without(spec, "Jet_btagCSVV2")
    with pytest.raises(DataError) as error:
        DOMAIN.plan(bare, str(shared_hep))
    for words in (V12, "no branch 'Jet_btagCSVV2'", "did you mean Jet_btag", "working point in"):
        assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_two_kinds_of_files_in_one_sample_are_refused_and_in_two_samples_are_not(spec, shared_hep):
    both = spec.changed(samples={"ttbar": {"files": [V12, "NanoAODv5_sample.root"]}})
    with pytest.raises(DataError, match=r"only one of .* has Jet_btagCSVV2; make two samples"):
        DOMAIN.plan(both, str(shared_hep))
    v5 = {"files": ["NanoAODv5_sample.root"], "cross_section": 1.0}
    plan, result = run(spec.changed(samples={"v5": v5}), shared_hep)
    absent = [w for w in plan.warnings if "is absent" in w]
    assert [w.partition(":")[0] for w in absent] == ["ttbar"]
    assert result.selected["v5", "4j1b"] == 35  # with its own tagger and working point
    assert result.selected["ttbar", "4j1b"] == run(spec, shared_hep)[1].counts["4j1b"]


@pytest.fixture(scope="module")
def v15(spec, shared_hep, tmp_path_factory):
    """The events of the v12 file in the columns of v15: multiplicities, and no jetId."""
    names = {n for n in spec.columns if n not in spec.fallbacks} | {"Jet_btagDeepFlavB"}
    definition = jet_id.DEFINITIONS["jet_id_run3"]
    stored = names | {n for n in definition.columns if "Multiplicity" not in n}
    columns = branches(shared_hep / V12, [*stored, "Jet_nConstituents", "MET_pt"])
    constituents, charged = columns.pop("Jet_nConstituents"), columns["Jet_chHEF"] > 0
    columns["Jet_chMultiplicity"] = ak.values_astype(charged, np.uint8)
    columns["Jet_neMultiplicity"] = ak.values_astype(constituents - charged, np.uint8)
    columns["PFMET_pt"] = columns.pop("MET_pt")
    path = tmp_path_factory.mktemp("v15") / "v15.root"
    write(path, columns)
    return path


def test_a_jet_identity_that_is_not_stored_is_computed_and_said(spec, v15, shared_hep):
    with pytest.raises(DataError, match=r"no branch 'Jet_jetId'.*the definition \"jet_id_run3\""):
        DOMAIN.plan(
            without(spec, "Jet_jetId").changed(samples={"ttbar": {"files": [str(v15)]}}), ""
        )
    changed = spec.changed(samples={"ttbar": {"files": [str(v15)]}})
    plan, result = run(changed, "")
    assert "JetID13p6TeV" in next(w for w in plan.warnings if "Jet_jetId is absent" in w)
    stored = run(spec, shared_hep)[1]
    assert digest(DOMAIN.arrays(result)) == digest(DOMAIN.arrays(stored))


def test_the_definition_gives_what_cms_stored_wherever_rounding_allows(v15, shared_hep):
    """NanoAOD keeps six bits of a fraction's mantissa: one jet of 1289 lies across a cut."""
    columns = branches(v15, jet_id.DEFINITIONS["jet_id_run3"].columns)
    ours = ak.flatten(jet_id.run3(columns))
    theirs = ak.flatten(branches(shared_hep / V12, ["Jet_jetId"])["Jet_jetId"])
    tracker = ak.flatten(abs(columns["Jet_eta"])) <= 2.6
    differ = tracker & ((ours == 6) != (theirs == 6))
    assert int(ak.sum(tracker)) == 1289
    assert ak.flatten(columns["Jet_neEmEF"])[differ].to_list() == [0.8984375]  # cut at 0.90


def test_the_missing_momentum_under_its_name_of_v15(v15, shared_hep):
    met = load_spec(WORKFLOWS / "adl" / "q1.toml")
    moved = met.changed(samples={"single_muon": {"files": [str(v15)]}})
    with pytest.raises(DataError, match=r"no branch 'MET_pt' in Events; did you mean PFMET_pt"):
        DOMAIN.plan(moved, "")
    plan, result = run(moved.changed(fallbacks={"MET_pt": {"column": "PFMET_pt"}}), "")
    assert plan.warnings == ("single_muon: MET_pt is absent, PFMET_pt stands in",)
    old = met.changed(samples={"single_muon": {"files": [V12]}})
    assert digest(DOMAIN.arrays(result)) == digest(DOMAIN.arrays(run(old, shared_hep)[1]))


@pytest.mark.parametrize(
    ("fallback", "said"),
    [
        ({"column": "Jet_btagPNetB"}, "needs tagger and working_point"),
        ({"tagger": "CSVv2"}, "needs either a column or a definition"),
        (
            {"column": "Jet_btagPNetB", "tagger": "ParticleNet", "working_point": "medium"},
            "needs the cuts that belong to its working point",
        ),
    ],
)
def test_a_fallback_that_leaves_its_meaning_open_is_refused(ttbar_spec, fallback, said):
    with pytest.raises(SpecError, match=said):
        ttbar_spec.changed(fallbacks={"Jet_btagCSVV2": fallback})


def test_a_fallback_for_nothing_a_cut_or_a_definition_that_is_none_is_refused(spec, shared_hep):
    with pytest.raises(SpecError, match="MET_pt is not among the columns"):
        spec.changed(fallbacks={"MET_pt": {"column": "PFMET_pt"}})
    cut = spec.changed(fallbacks={"Jet_btagCSVV2": {"cuts": {"btagg": 0.3}}})
    with pytest.raises(SpecError, match="unknown cut 'btagg'.*did you mean btag"):
        DOMAIN.plan(cut, str(shared_hep))
    table = {"definition": "jet_id_run2", "working_point": "tight"}
    with pytest.raises(SpecError, match="no definition 'jet_id_run2'; did you mean jet_id_run3"):
        DOMAIN.plan(spec.changed(fallbacks={"Jet_jetId": table}), str(shared_hep))


def test_a_stand_in_that_is_missing_too_is_refused_by_its_own_name(spec, shared_hep):
    table = {"column": "Jet_btagDeepFlavBB"}
    with pytest.raises(DataError, match=r"did you mean Jet_btagDeepFlavB[^\[]*$"):
        DOMAIN.plan(spec.changed(fallbacks={"Jet_btagCSVV2": table}), str(shared_hep))


WEIGHTED = """
import awkward as ak
import numpy as np
from spectrum_workflows.hep.types import Observable

def select(events):
    weights = np.sign(events.genWeight) if "genWeight" in events.fields else None
    return {"muons": Observable(ak.to_numpy(ak.num(events.Muon_pt)), weights)}
"""


def test_data_and_simulation_in_one_spec_though_data_has_no_generator_columns(tmp_path, shared_hep):
    (tmp_path / "mine.py").write_text(WEIGHTED)
    (tmp_path / "mine.toml").write_text("""
workflow = "hep"
name = "both"
select = "mine.py:select"
columns = ["Muon_pt"]
simulation_columns = ["genWeight"]
normalisation = "none"
[samples.collisions]
files = ["nano_dimuon.root"]
data = true
[samples.ttbar]
files = ["NanoAODv5_sample.root"]
[histograms.muons]
bins = 5
start = 0.0
stop = 5.0
""")
    spec = load_spec(tmp_path / "mine.toml")
    _, result = run(spec, shared_hep)
    arrays = DOMAIN.arrays(result)
    for sample, file in (("collisions", "nano_dimuon.root"), ("ttbar", "NanoAODv5_sample.root")):
        columns = ["Muon_pt"] if sample == "collisions" else ["Muon_pt", "genWeight"]
        found = branches(shared_hep / file, columns)
        weights = np.sign(found["genWeight"]) if sample == "ttbar" else None
        expected = np.bincount(ak.num(found["Muon_pt"]), weights, minlength=5)[:5]
        np.testing.assert_array_equal(arrays[f"{sample}/muons/values"][1:-1], expected)
    with pytest.raises(DataError, match="nano_dimuon.root: no branch 'genWeight'"):
        DOMAIN.plan(spec.changed(columns=["Muon_pt", "genWeight"]), str(shared_hep))
