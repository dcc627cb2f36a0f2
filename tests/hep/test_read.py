"""Real faults in real files."""

import dataclasses

import numpy as np
import pytest
import uproot

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.hep.io import rootfile
from spectrum_workflows.hep.io.clusters import clusters
from spectrum_workflows.hep.io.read import read as read_from
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.types import Events

COLUMNS = ("Jet_pt", "Muon_tightId")


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    rootfile.close_all()


def stored(url, columns=COLUMNS, tree="Events"):
    return clusters(open_tree(str(url), tree), columns)


def partition(url, start, stop):
    tree = open_tree(str(url), "Events")
    clusters(tree, COLUMNS)
    return Events("s", str(url), "Events", start, stop, tree.uuid, tree.nbytes)


def read(events, columns):
    return read_from(open_tree(events.url, events.tree), events, columns)


def test_an_open_tree_shows_its_clusters_and_the_bytes(generated):
    tree = open_tree(str(generated / "ttbar.root"), "Events")
    found = clusters(tree, COLUMNS)
    assert tree.entries == 8400
    assert found.boundaries == tuple(range(0, 8401, 200))
    assert tree.nbytes == (generated / "ttbar.root").stat().st_size
    assert len(found.baskets) == 2 * 42
    assert 0 < found.baskets[:, 2].sum() < tree.nbytes


def test_a_range_is_what_uproot_reads(generated):
    events = read(partition(generated / "ttbar.root", 150, 450), COLUMNS)
    with uproot.open(generated / "ttbar.root") as file:
        expected = file["Events"]["Jet_pt"].array(entry_start=150, entry_stop=450)
    assert events.fields == list(COLUMNS)
    assert events.Jet_pt.to_list() == expected.to_list()


def test_only_the_needed_baskets_are_read_and_counted(generated):
    first = partition(generated / "ttbar.root", 0, 200)
    baskets = stored(first.url).baskets
    with storage.metering() as counter:
        read(first, COLUMNS)
    expected = baskets[baskets[:, 0] == 0, 2].sum()
    assert expected <= counter.bytes_read < 1.2 * expected + 500


def test_a_file_is_opened_once_and_reopened_when_it_changed(generated, tmp_path):
    path = tmp_path / "a.root"
    path.write_bytes((generated / "zmumu.root").read_bytes())
    opened = rootfile.open_tree(str(path), "Events")
    assert rootfile.open_tree(str(path), "Events") is opened
    planned = partition(path, 0, 10)
    path.write_bytes((generated / "ttbar.root").read_bytes())
    assert rootfile.open_tree(str(path), "Events") is not opened
    with pytest.raises(DataError, match="changed since the run was planned"):
        read(planned, COLUMNS)


def test_only_a_few_files_stay_open(generated, tmp_path):
    content = (generated / "zmumu.root").read_bytes()
    for k in range(rootfile.KEEP_OPEN + 3):
        (tmp_path / f"{k}.root").write_bytes(content)
        rootfile.open_tree(str(tmp_path / f"{k}.root"), "Events")
    assert len(rootfile._cache.trees) == rootfile.KEEP_OPEN


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(DataNotFoundError, match="no such file"):
        stored(tmp_path / "nothing.root")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty file"),
        (b"workflow = 'hep'\n", "not a ROOT file"),
        (np.random.default_rng(3).bytes(5000), "not a ROOT file"),
        (b"root\x00\x00", "truncated ROOT file: only 6 bytes"),
    ],
)
def test_what_is_not_a_root_file_is_said_so(tmp_path, content, said):
    path = tmp_path / "bad.root"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        stored(path)


def test_a_folder_is_not_a_root_file(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        stored(tmp_path)


@pytest.mark.parametrize("keep", [10, 60, 400, 0.1, 0.5, 0.999, -1])
def test_a_truncated_file_is_refused_wherever_it_ends(generated, tmp_path, keep):
    content = (generated / "zmumu.root").read_bytes()
    length = int(keep * len(content)) if isinstance(keep, float) else keep
    path = tmp_path / "short.root"
    path.write_bytes(content[:length])
    with pytest.raises(DataError, match="truncated ROOT file"):
        stored(path)


def test_a_file_of_the_right_size_with_zeros_at_its_end_is_refused(generated, tmp_path):
    content = (generated / "zmumu.root").read_bytes()
    path = tmp_path / "holes.root"
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    with pytest.raises(DataError, match="damaged ROOT file"):
        read(partition(path, 0, 5000), COLUMNS)


def test_damage_is_found_wherever_the_format_has_a_checksum(generated, tmp_path):
    """ZLIB as in CMS Open Data; a basket of ZSTD has none, for any reader."""
    with uproot.open(generated / "zmumu.root") as file:
        jets = file["Events"].arrays(["Jet_pt", "Muon_tightId"])
    good, bad = tmp_path / "good.root", tmp_path / "bad.root"
    with uproot.recreate(good, compression=uproot.ZLIB(4)) as file:
        file.mktree("Events", {k: jets[k].type for k in COLUMNS}).extend(
            {k: jets[k] for k in COLUMNS}
        )
    with uproot.open(good) as file:
        branch = file["Events"]["Jet_pt"]
        at, nbytes = int(branch.member("fBasketSeek")[0]), branch.basket_compressed_bytes(0)
    rng = np.random.default_rng(8)
    for offset in rng.integers(100, nbytes - 20, 12):
        content = bytearray(good.read_bytes())
        content[at + offset : at + offset + 10] = rng.bytes(10)
        bad.write_bytes(content)
        with pytest.raises(DataError, match=r"damaged ROOT file .*; copy the file again"):
            read(partition(bad, 0, 5000), COLUMNS)


def test_a_missing_branch_names_the_closest(generated):
    with pytest.raises(DataError, match=r"no branch 'Jet_ptt' in Events; did you mean Jet_pt"):
        stored(generated / "ttbar.root", ["Jet_ptt"])


def test_a_branch_that_a_later_nanoaod_dropped_is_named(shared_hep):
    with pytest.raises(DataError, match=r"no branch 'Jet_btagCSVV2'.*did you mean Jet_btagPNet"):
        stored(shared_hep / "nano_tt_v12.root", ["Jet_pt", "Jet_btagCSVV2"])


def test_a_missing_tree_and_what_is_not_a_tree(tmp_path, generated):
    with pytest.raises(DataError, match=r"no tree 'Event'; did you mean Events"):
        stored(generated / "ttbar.root", COLUMNS, "Event")
    path = tmp_path / "hist.root"
    with uproot.recreate(path) as file:
        file["Events"] = np.histogram([1.0, 2.0], bins=3)
    with pytest.raises(DataError, match="'Events' is a TH1D, not a tree"):
        stored(path)
    with pytest.raises(DataError, match="it holds no tree at all"):
        stored(path, COLUMNS, "Other")


def test_baskets_inside_the_tree_s_own_record_are_read(shared_hep):
    """Small files of CMS keep their baskets there; ROOT calls it unflushed."""
    tree = open_tree(str(shared_hep / "agc_poet_open-data-example.root"), "Events")
    assert tree.entries == 100_000
    assert clusters(tree, ["Muon_pt"]).baskets[:, 2].sum() > 1_000_000
    events = Events("s", tree.url, "Events", 99_990, 100_000, tree.uuid, tree.nbytes)
    assert len(read(events, ["Muon_pt"])) == 10
    wrong = dataclasses.replace(events, uuid="another file")
    with pytest.raises(DataError, match="changed"):
        read(wrong, ["Muon_pt"])


def test_an_rntuple_is_read_like_a_tree(shared_hep):
    (path,) = shared_hep.glob("cmsopendata2015*rntuple*.root")
    tree = open_tree(str(path), "Events")
    assert (tree.entries, stored(path).boundaries) == (10, (0, 10))
    events = read(Events("s", str(path), "Events", 2, 9, tree.uuid, tree.nbytes), COLUMNS)
    assert len(events) == 7
    assert events.fields == list(COLUMNS)
    assert "7 * {Jet_pt: var * float32" in str(events.type)
