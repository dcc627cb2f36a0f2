"""One file in every form it can have on disk: the same histograms."""

import pytest
import uproot

from spectrum_workflows import load_spec
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.record import digest

from .conftest import WORKFLOWS

pytestmark = pytest.mark.xdist_group("hep formats")  # what they share is made once

CODECS = {
    "none": None,
    "ZLIB": uproot.ZLIB(1),
    "LZMA": uproot.LZMA(1),
    "LZ4": uproot.LZ4(1),
    "ZSTD": uproot.ZSTD(1),
}
AS_GIVEN = {"4j1b": 35, "4j2b": 73}  # NanoAODv5_sample.root, as in tests/reference


@pytest.fixture(scope="module")
def columns(ttbar_spec, shared_hep):
    with uproot.open(shared_hep / "NanoAODv5_sample.root") as file:
        return file["Events"].arrays(list(ttbar_spec.columns), how=dict)


@pytest.fixture(scope="module")
def original(ttbar_spec, shared_hep):
    return analysed(ttbar_spec, shared_hep / "NanoAODv5_sample.root")


def analysed(spec, path):
    spec = spec.changed(samples={"ttbar": {"files": [str(path)]}}, partition={"max_events": 300})
    plan = DOMAIN.plan(spec, "")
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    assert result.counts == AS_GIVEN
    return digest(DOMAIN.arrays(result))


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_the_same_histograms(codec, columns, original, ttbar_spec, tmp_path):
    path = tmp_path / "coded.root"
    with uproot.recreate(path, compression=CODECS[codec]) as file:
        types = {name: array.type.content for name, array in columns.items()}
        file.mktree("Events", types).extend(columns)
    with uproot.open(path) as file:
        stored = file["Events"]["Jet_pt"].compressed_bytes
        assert (stored < file["Events"]["Jet_pt"].uncompressed_bytes) == (codec != "none")
    assert analysed(ttbar_spec, path) == original


def test_an_rntuple_gives_the_histograms_of_the_tree(columns, original, ttbar_spec, tmp_path):
    path = tmp_path / "ntuple.root"
    with uproot.recreate(path) as file:
        ntuple = file.mkrntuple("Events", {name: a[:0] for name, a in columns.items()})
        for start in range(0, 1000, 250):
            ntuple.extend({name: a[start : start + 250] for name, a in columns.items()})
    with uproot.open(path) as file:
        assert file.classnames() == {"Events;1": "ROOT::RNTuple"}
    assert analysed(ttbar_spec, path) == original


def test_an_rntuple_of_cms_and_its_events_as_a_tree_agree(shared_hep, tmp_path):
    """Ten events that CMSSW wrote and ROOT's importer converted."""
    (path,) = shared_hep.glob("cmsopendata2015*rntuple*.root")
    spec = load_spec(WORKFLOWS / "adl" / "q7.toml")
    with uproot.open(path) as file:
        wanted = set(spec.columns)
        events = file["Events"].arrays(filter_name=lambda name: name in wanted)
        columns = {name: events[name] for name in spec.columns}
    with uproot.recreate(tmp_path / "tree.root") as file:
        types = {name: array.type.content for name, array in columns.items()}
        file.mktree("Events", types).extend(columns)
    found = []
    for url in (path, tmp_path / "tree.root"):
        one = spec.changed(samples={"single_muon": {"files": [str(url)]}})
        plan = DOMAIN.plan(one, "")
        result, _ = DOMAIN.run(one, plan, client=None, on_error="raise", report=lambda *_: None)
        assert result.counts["jet_pt_sum"] > 0
        found.append(digest(DOMAIN.arrays(result)))
    assert found[0] == found[1]
