"""Damage is found by what has a checksum, and no damage ends the process."""

import random

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep.io.read import read
from spectrum_workflows.hep.io.rootfile import close_all, open_tree
from spectrum_workflows.hep.io.soundness import check
from spectrum_workflows.hep.types import Events

COLUMNS = ("MET_pt", "HLT_Mu", "nJet", "Jet_pt", "Jet_eta")
EVENTS = 2_000
MUTATIONS = 40
"""Per codec; more find more, a thousand took ten minutes."""


def lists(offsets, content):
    index = ak.index.Index64(np.array(offsets))
    return ak.Array(ak.contents.ListOffsetArray(index, ak.contents.NumpyArray(content)))


def bits(*given):
    return ak.Array(ak.contents.NumpyArray(np.array(given, np.uint8).view(np.bool_)))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"x": lists([0, 3, 2, 4], np.zeros(4))}, "x has lists that end before they begin"),
        ({"x": lists([0, 1, 9], np.zeros(4))}, "damaged: x"),
        ({"x": bits(0, 1, 2)}, "x holds what is neither true nor false"),
        (
            {"x": lists([0, 1, 2], np.zeros(2)), "y": lists([0, 2, 2], np.zeros(2))},
            "y and x do not have the same number of items",
        ),
        (
            {"x": lists([0, 1, 2], np.zeros(2)), "nx": ak.Array(np.array([2, 0], np.uint32))},
            "x and nx do not have the same number of items",
        ),
    ],
)
def test_columns_that_cannot_be_are_refused(columns, said):
    counted = {name: "nx" for name in columns if name != "nx"}
    with pytest.raises(DataError, match=said):
        check(columns, counted, "a.root")


def test_columns_that_can_be_are_left_alone():
    x = lists([2, 3, 5], np.zeros(6))
    check({"x": x, "y": lists([0, 1, 3], np.zeros(3)), "b": bits(0, 1)}, {"x": "n", "y": "n"}, "")
    check({"nx": ak.Array(np.array([1, 2])), "x": x}, {"x": "nx"}, "")


def written(path, compression):
    rng = np.random.default_rng(3)
    counts = rng.poisson(3, EVENTS)
    jets = {
        name: ak.unflatten(np.round(rng.exponential(40, counts.sum())).astype("f4"), counts)
        for name in ("pt", "eta")
    }
    with uproot.recreate(path, compression=compression) as file:
        columns = {
            "MET_pt": np.round(rng.exponential(50, EVENTS)).astype("f4"),
            "HLT_Mu": rng.random(EVENTS) < 0.7,
            "Jet": ak.zip(jets),
        }
        tree = file.mktree("Events", {n: ak.Array(c).type.content for n, c in columns.items()})
        tree.extend(columns)


def content(path, columns=COLUMNS):
    """What is read, as numbers that can be compared; both ways of reading."""
    tree = open_tree(str(path), "Events")
    arrays = read(tree, Events("s", str(path), "Events", 0, tree.entries, "", 0), columns)
    return [ak.to_list(arrays[name]) for name in columns]


def compressed(path):
    """Byte ranges of the baskets that are compressed, without their keys."""
    with uproot.open(path) as file:
        for branch in file["Events"].branches:
            for k in range(branch.num_baskets):
                start, key = int(branch.member("fBasketSeek")[k]), branch.basket_key(k).fKeylen
                stop = start + int(branch.member("fBasketBytes")[k])
                if branch.basket_compressed_bytes(k) < branch.basket_uncompressed_bytes(k):
                    yield range(start + key, stop)


@pytest.mark.parametrize(
    "codec", [uproot.ZLIB(1), uproot.LZMA(1), uproot.LZ4(4), uproot.ZSTD(5), None]
)
def test_any_bits_may_change_and_the_process_lives(codec, tmp_path):
    path = tmp_path / "a.root"
    written(path, codec)
    good, expected = path.read_bytes(), content(path)
    sealed = codec is not None and codec.name != "ZSTD"
    spots = [at for spot in compressed(path) for at in spot]
    for seed in range(MUTATIONS):
        chance = random.Random(seed)
        damaged = bytearray(good)
        inside = bool(spots) and seed % 2 == 0
        for _ in range(chance.choice([1, 1, 4])):
            at = chance.choice(spots) if inside else chance.randrange(len(good))
            damaged[at] ^= chance.randrange(1, 256)
        path.write_bytes(damaged)
        close_all()
        try:
            found = content(path)
        except (SpectrumError, OSError):
            continue
        assert found == expected or not (inside and sealed)


def test_the_pages_of_an_rntuple_are_checked(shared_hep, tmp_path):
    [source] = shared_hep.glob("*RNTupleImporter*.root")
    path = tmp_path / "a.root"
    path.write_bytes(source.read_bytes())
    [expected] = content(path, ["HTXS_Higgs_pt"])
    source = open_tree(str(path), "Events").tree.file.source
    assert len(source.sealed) > 400
    good = path.read_bytes()
    pages = open_tree(str(path), "Events").tree.ntuple.page_link_list[0]
    number = 3  # run, luminosityBlock, event, and then this one
    page = pages[number].pages[0].locator
    damaged = bytearray(good)
    damaged[page.offset + page.num_bytes - 1] ^= 1
    path.write_bytes(damaged)
    close_all()
    with pytest.raises(DataError, match="damaged ROOT file.*checksum of the page"):
        content(path, ["HTXS_Higgs_pt"])
    assert len(expected) == len(content(path, ["run"])[0])


def test_a_field_of_a_struct_is_read_and_what_cannot_be_is_named(tmp_path):
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        lead = ak.zip({"pt": np.arange(3.0), "n": np.arange(3)})
        jets = ak.Array([[{"pt": 1.0}], [], [{"pt": 2.0}, {"pt": 3.0}]])
        file.mkrntuple("Events", {"MET_pt": np.arange(3.0), "lead": lead, "Jet": jets})
    assert content(path, ["lead.pt", "MET_pt"]) == [[0, 1, 2], [0, 1, 2]]
    assert content(path, ["lead.n", "lead.pt"]) == [[0, 1, 2], [0, 1, 2]]
    names = open_tree(str(path), "Events").tree.keys()
    inner = next(name for name in names if name.startswith("Jet") and name.endswith("pt"))
    try:
        assert content(path, [inner]) == [[[1.0], [], [2.0, 3.0]]]
    except DataError as error:
        assert "not supported" in str(error)
