"""Re-encoded files against the originals: the same bits in every branch, the same histograms."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrum_workflows import load_spec, storage
from spectrum_workflows.errors import DataError, DataNotFoundError, OutputError, SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.io.clusters import clusters
from spectrum_workflows.hep.io.convert import convert
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.record import digest

pytestmark = pytest.mark.xdist_group("hep convert")  # what they share is made once

REFERENCE = Path(__file__).parents[1] / "reference"
COLUMNS = ["Jet_pt", "Jet_jetId", "Electron_pt", "MET_pt", "event"]
CODECS = {"LZMA": uproot.LZMA(1), "ZLIB": uproot.ZLIB(1), "none": None}


def branches(path, tree="Events"):
    with uproot.open(path) as file:
        found = file[tree]
        return {name: found[name].array() for name in found.keys()}  # noqa: SIM118


def assert_same(before, after, *, counters=()):
    for name, values in before.items():
        exact = name not in counters
        assert ak.array_equal(values, after[name], equal_nan=True, dtype_exact=exact), name


def digest_in(folder, spec):
    plan = DOMAIN.plan(spec, str(folder))
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    return digest(DOMAIN.arrays(result))


@pytest.fixture(scope="module", params=CODECS)
def slow_file(request, generated, tmp_path_factory):
    """The generated top pairs in the codec that is slow to read."""
    path = tmp_path_factory.mktemp("slow") / "ttbar.root"
    with uproot.open(generated / "ttbar.root") as file:
        arrays = file["Events"].arrays()
    groups = {
        name: ak.zip({f.partition("_")[2]: arrays[f] for f in arrays.fields if f.startswith(name)})
        for name in ("Jet_", "Electron_", "Muon_")
    }
    flat = {f: arrays[f] for f in arrays.fields if "_" not in f or f.startswith("MET_")}
    columns = {name.rstrip("_"): group for name, group in groups.items()}
    columns |= {name: values for name, values in flat.items() if not name.startswith("n")}
    with uproot.recreate(path, compression=CODECS[request.param]) as file:
        tree = file.mktree("Events", {name: column.type for name, column in columns.items()})
        for start in range(0, 8400, 2800):
            tree.extend({name: c[start : start + 2800] for name, c in columns.items()})
    return path


def test_every_branch_keeps_its_bits_and_its_type(slow_file, tmp_path):
    out = tmp_path / "out.root"
    with storage.metering() as counter:
        said = convert(str(slow_file), str(out), cluster_events=1000)
    assert said["events"] == 8400
    assert said["bytes"] == out.stat().st_size
    assert 0 < 0.9 * said["source_bytes"] < counter.bytes_read
    assert_same(branches(slow_file), branches(out))
    found = clusters(open_tree(str(out), "Events"), ["Jet_pt"])
    assert found.boundaries == (*range(0, 8400, 1000), 8400)


def test_the_result_is_the_same_to_the_bit(slow_file, tmp_path):
    spec = load_spec(REFERENCE / "hep_dimuon.toml")
    spec = spec.changed(samples={"collisions": {"files": ["ttbar.root"]}})
    convert(str(slow_file), f"{tmp_path}/ttbar.root", columns=spec.columns)
    assert set(branches(tmp_path / "ttbar.root")) == {*spec.columns, "nMuon"}
    assert digest_in(tmp_path, spec) == digest_in(slow_file.parent, spec)


def test_real_events_give_the_same_histograms(shared_hep, tmp_path):
    name, wanted = "agc_poet_open-data-example.root", load_spec(REFERENCE / "hep_dimuon.toml")
    convert(f"{shared_hep}/{name}", f"{tmp_path}/{name}", columns=wanted.columns)
    assert digest_in(tmp_path, wanted) == digest_in(shared_hep, wanted)


def test_all_branches_of_a_real_file(shared_hep, tmp_path):
    name = "adl_Run2012B_SingleMu_1000.root"
    before = branches(shared_hep / name)
    convert(f"{shared_hep}/{name}", f"{tmp_path}/{name}")
    counters = [name for name in before if name.startswith("n")]
    assert_same(before, branches(tmp_path / name), counters=counters)


def test_the_sum_of_generator_weights_comes_along(shared_hep, tmp_path):
    source = shared_hep / "nano_dimuon.root"  # has a Runs tree, of data
    convert(str(source), f"{tmp_path}/a.root", columns=["Muon_pt", "genWeight?"])
    assert set(branches(f"{tmp_path}/a.root")) == {"nMuon", "Muon_pt"}
    before, after = branches(source, "Runs"), branches(f"{tmp_path}/a.root", "Runs")
    assert_same({name: before[name] for name in after}, after)
    assert after


def test_to_a_store_and_from_it(generated, tmp_path):
    url = "memory://converted/ttbar.root"
    convert(f"{generated}/ttbar.root", url, columns=COLUMNS)
    convert(url, f"{tmp_path}/again.root")
    after = branches(tmp_path / "again.root")
    assert_same(
        {n: v for n, v in branches(generated / "ttbar.root").items() if n in COLUMNS}, after
    )


def test_the_file_is_reproducible(generated, tmp_path):
    files = [tmp_path / f"{n}.root" for n in (1, 2)]
    for file in files:
        convert(f"{generated}/ttbar.root", str(file), columns=COLUMNS)
    uuids = {open_tree(str(file), "Events").uuid.split(".")[0] for file in files}
    assert len(uuids) == 1


def test_other_trees_and_no_events(tmp_path):
    source = tmp_path / "a.root"
    with uproot.recreate(source) as file:
        file.mktree("Other", {"x": "f4", "y": "var * int16"}).extend(
            {"x": np.arange(3, dtype="f4"), "y": ak.Array([[1], [], [2, 3]])}
        )
        file.mktree("None", {"x": "f4"}).extend({"x": np.empty(0, "f4")})
    convert(f"{source}:Other", f"{tmp_path}/b.root")
    assert_same(branches(source, "Other"), branches(tmp_path / "b.root", "Other"))
    said = convert(f"{source}:None", f"{tmp_path}/c.root")
    assert said["events"] == 0
    assert len(branches(tmp_path / "c.root", "None")["x"]) == 0


def test_what_cannot_be_done(generated, shared_hep, tmp_path):
    source, target = f"{generated}/ttbar.root", f"{tmp_path}/out.root"
    with pytest.raises(DataError, match="no branch 'Jet_p'.*did you mean"):
        convert(source, target, columns=["Jet_p"])
    with pytest.raises(DataNotFoundError, match="no such file"):
        convert(f"{tmp_path}/none.root", target)
    with pytest.raises(SpecError, match="the same file"):
        convert(source, source, overwrite=True)
    with pytest.raises(SpecError, match="at least 1"):
        convert(source, target, cluster_events=-3)
    ntuple = next(shared_hep.glob("*rntuple*.root"))
    with pytest.raises(DataError, match="an RNTuple"):
        convert(str(ntuple), target)
    assert not list(tmp_path.iterdir())
    convert(source, target, columns=["event"])
    with pytest.raises(OutputError, match="there is a file already; --overwrite"):
        convert(source, target, columns=["event"])
    convert(source, target, columns=["run"], overwrite=True)
    assert set(branches(target)) == {"run"}


def test_a_branch_that_cannot_be_written(tmp_path):
    with uproot.recreate(tmp_path / "a.root") as file:
        words = ak.Array(["a", "bc"])
        file.mktree("Events", {"word": words.type, "x": "f8"}).extend({"word": words, "x": [1, 2]})
    with pytest.raises(DataError, match="branch word .* cannot be re-encoded"):
        convert(f"{tmp_path}/a.root", f"{tmp_path}/b.root")
    assert convert(f"{tmp_path}/a.root", f"{tmp_path}/b.root", columns=["x"])["events"] == 2
