"""The fast path of reading gives what uproot gives, or leaves it to uproot."""

import awkward as ak
import numcodecs.zstd
import numpy as np
import pytest
import uproot

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.io import basket, fast_read
from spectrum_workflows.hep.io.read import read
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.types import Events


def same(tree, names, start, stop):
    found = fast_read.arrays(tree, names, start, stop)
    if found:
        for name, theirs in tree.arrays(
            list(found), entry_start=start, entry_stop=stop, how=dict
        ).items():
            assert found[name].type == theirs.type, name
            assert ak.array_equal(found[name], theirs), name
    return found


@pytest.mark.parametrize(("start", "stop"), [(0, 8400), (150, 150), (199, 201), (137, 5555)])
def test_any_range_of_generated_events(generated, start, stop):
    with uproot.open(generated / "ttbar.root") as file:
        tree = file["Events"]
        assert {*same(tree, tree.keys(), start, stop)} == {*tree.keys()}


def test_lists_of_one_collection_share_their_offsets(generated):
    with uproot.open(generated / "ttbar.root") as file:
        found = fast_read.arrays(file["Events"], ["Jet_pt", "Jet_jetId", "Muon_pt"], 10, 900)
    pt, identity, muon = (found[n].layout.offsets.data for n in found)
    assert pt.ctypes.data == identity.ctypes.data != muon.ctypes.data


@pytest.mark.parametrize("codec", [uproot.ZLIB(4), uproot.LZMA(1), uproot.LZ4(4), None])
def test_other_codecs_are_left_to_uproot_and_uncompressed_baskets_are_not(tmp_path, codec):
    path = tmp_path / "events.root"
    values = np.arange(1000, dtype=np.float64) // 7
    with uproot.recreate(path, compression=codec) as file:
        file.mktree("Events", {"x": np.float64, "n": np.int32})
        file["Events"].extend({"x": values, "n": values.astype(np.int32)})
    with uproot.open(path) as file:
        found = same(file["Events"], ["x", "n"], 3, 777)
    assert len(found) == (0 if codec else 2)
    size = path.stat().st_size
    uuid = open_tree(str(path), "Events").uuid
    partition = Events("a", str(path), "Events", 3, 777, uuid, size)
    assert (
        read(open_tree(partition.url, partition.tree), partition, ["x"]).x.to_list()
        == values[3:777].tolist()
    )


def test_baskets_that_root_wrote_are_the_same_whichever_way_they_are_read(shared_hep):
    with uproot.open(shared_hep / "nano_dimuon.root") as file:
        tree = file["Events"]
        assert len(same(tree, tree.keys(), 5, 33)) == 14  # the others are LZMA or embedded


def test_damage_is_named_by_uproot_s_reader(generated, tmp_path):
    with uproot.open(generated / "ttbar.root") as file:
        branch = file["Events"]["Jet_phi"]
        at, nbytes = branch.member("fBasketSeek")[7], branch.basket_compressed_bytes(7)
    content = bytearray((generated / "ttbar.root").read_bytes())
    content[at + 100 : at + nbytes] = bytes(nbytes - 100)
    path = tmp_path / "bad.root"
    path.write_bytes(content)
    uuid = open_tree(str(path), "Events").uuid
    partition = Events("a", str(path), "Events", 1400, 1600, uuid, len(content))
    with pytest.raises(DataError, match="1400 to 1600.*damaged ROOT file"):
        read(open_tree(partition.url, partition.tree), partition, ["Jet_phi"])


def packed(content: bytes, *, declared: int) -> bytes:
    """A block as ROOT writes it, whose header may say another size than its frame has."""
    frame = numcodecs.zstd.compress(content)
    sizes = len(frame).to_bytes(3, "little") + declared.to_bytes(3, "little")
    return b"ZS\1" + sizes + frame


@pytest.mark.parametrize("nbytes", [1, 100, 300, 70_000])
def test_frames_say_how_much_they_hold(nbytes):
    content = bytes(np.random.default_rng(nbytes).integers(0, 9, nbytes, np.uint8))
    frame = numcodecs.zstd.compress(content)
    assert basket._content_size(frame) == nbytes
    found = basket_of(packed(content, declared=nbytes), nbytes)
    assert found.unpacked().tobytes() == content


@pytest.mark.parametrize("declared", [99, 101])
def test_a_block_of_another_size_is_left_to_uproot(declared):
    with pytest.raises(basket.NotSimple):
        basket_of(packed(bytes(100), declared=declared), declared).unpacked()


def basket_of(raw: bytes, size: int):
    """A basket without a key."""
    found = object.__new__(basket.Basket)
    found.raw, found.key, found.size = memoryview(raw), 0, size
    return found


@pytest.mark.parametrize("codec", [uproot.ZLIB(1), uproot.LZMA(1), uproot.LZ4(1), uproot.ZSTD(1)])
def test_baskets_are_read_once_whoever_unpacks_them(codec, tmp_path):
    path = str(tmp_path / "some.root")
    with uproot.recreate(path, compression=codec) as file:
        file.mktree("Events", {"x": "f8", "y": "i4"})
        file["Events"].extend({"x": np.random.default_rng(1).random(9000), "y": np.arange(9000)})
    tree = open_tree(path, "Events")
    stored = sum(tree.tree[name].compressed_bytes for name in ("x", "y"))
    partition = Events("a", path, "Events", 0, 9000, tree.uuid, tree.nbytes)
    with storage.metering() as counter:
        read(tree, partition, ["x", "y"])
    assert stored <= counter.bytes_read <= stored + 2 * (fast_read.HEAD + 512)
