"""Rows by time and baseline, of files in memory: their order, pieces that are read, and doubles."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.read.reader import Chosen
from spectrum_workflows.radio.read.rows import identity, imaging, listing
from spectrum_workflows.radio.read.rows import index as indexing
from spectrum_workflows.radio.read.rows.index import doubles, index_of, spans
from spectrum_workflows.radio.read.rows.numbered import Numbered
from spectrum_workflows.radio.read.rows.rowfile import (
    Band,
    Field,
    Identifiers,
    RowContent,
    RowFile,
)
from spectrum_workflows.radio.read.rows.units import of_units
from spectrum_workflows.radio.read.uvh5 import content, hdf5, header
from spectrum_workflows.radio.spec import SelectSpec
from spectrum_workflows.radio.types import Antennas, Selection

URL = "memory://rows/file"
LOW = Band(0, 0, "low", (9, 12), 1e6 * np.array([100.0, 101.0, 102.0]), np.full(3, 1e6))
HIGH = Band(1, 0, "high", (9,), 1e6 * np.array([202.0, 201.0]), np.full(2, 1e6), "LSRK")
TIMES = np.array([20.0, 10.0, 10.0, 20.0, 10.0, 30.0, 10.0])
FIRST = np.array([0, 1, 0, 1, 0, 0, 2])
SECOND = np.array([1, 2, 2, 2, 1, 1, 2])
FIELDS = np.array([0, 0, 0, 0, 0, 1, 0])


def identifiers(time=TIMES, first=FIRST, second=SECOND, field=FIELDS):
    numbers = (np.asarray(n, np.int32) for n in (first, second, field, np.zeros(len(time))))
    return Identifiers(np.asarray(time, float), *numbers, np.ones(len(time), np.float32))


class Reading:
    """Numbers that tell row, channel and hand: 100 row + 10 channel + hand, and their weights."""

    def __init__(self, uvw, asked):
        self.uvw_of_rows, self.asked = uvw, asked

    def uvw(self, start, stop):
        self.asked.append((start, stop))
        return self.uvw_of_rows[start:stop].copy()

    def block(self, start, stop, band, channels, hands):
        shape = (stop - start, len(band.frequency), len(band.types))
        row, channel, hand = np.indices(shape)
        values = (100.0 * (start + row) + 10 * channel + hand)[:, channels, hands]
        flag = np.zeros(values.shape, bool)
        weight = np.ones(values.shape, np.float32)
        return RowContent(self.uvw(start, stop), values.astype(np.complex64), flag, weight)

    def blocks(self, start, stop, bands):
        return (self.block(start, stop, band, slice(None), slice(None)) for band in bands)


def file_of(**changes):
    """A file of seven rows in no order: three times, three antennas, two fields and bands."""
    uvw = np.arange(21.0).reshape(7, 3)
    asked = []
    names = Antennas(("A", "B", "C"), np.zeros((3, 3)), np.full(3, 25.0))
    fields = (
        Field(0, "one", (0.1, 0.2), "FK5"),
        Field(1, "two", (0.3, 0.2), "FK5", "it moves", "stop it"),
    )
    made = RowFile(
        URL, "VLA", (LOW, HIGH), fields, names, identifiers(), 25.0, "identity", 9, "weights",
        lambda: nullcontext(Reading(uvw, asked)), 100,
    )  # fmt: skip
    return replace(made, **changes), uvw, asked


def described(file, **choice):
    return imaging.describe(lambda _: file, Chosen(**{"field": 0} | choice), URL)


@pytest.fixture(autouse=True)
def _forgetful():
    """Indexes are remembered by identity, which is the same for all files here."""
    imaging._indexed.cache_clear()
    yield
    while OPENED:
        OPENED.pop().close()


# Index


def test_rows_are_in_order_of_time_and_baseline_whatever_that_of_the_file():
    index = index_of(identifiers(), 0, LOW)
    assert index.time.tolist() == [10, 20]
    assert index.row.tolist() == [4, 2, 1, 0, 3]
    assert index.count.tolist() == [3, 2]
    with_own = index_of(identifiers(), 0, LOW, autocorrelations=True)
    assert with_own.row.tolist() == [4, 2, 1, 6, 0, 3]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=12))
def test_every_chosen_row_is_in_the_index_once(rows):
    time, first, second = (np.array([row[n] for row in rows], int) for n in range(3))
    given_ = identifiers(time, first, second, np.zeros(len(rows)))
    index = index_of(given_, 0, LOW, Selection(without_antennas=(2,)))
    expected = [n for n, (_, a, b) in enumerate(rows) if a != b and 2 not in (a, b)]
    assert sorted(index.row.tolist()) == expected
    keys = [rows[n] for n in index.row]
    assert keys == sorted(keys)
    assert index.count.sum() == len(expected)
    assert (index.start[0], index.start[-1]) == (0, len(expected))


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [([0, 0, 0], [1, 1, 1], 2), ([0, 1, 0], [1, 0, 2], 1), ([0, 0, 0], [1, 2, 3], 0)],
)
def test_doubles_are_those_of_either_order_of_antennas(first, second, count):
    rows = identifiers([5.0] * 3, first, second, [0] * 3)
    assert doubles(rows, index_of(rows, 0, LOW)) == count
    apart = replace(rows, time=np.array([1.0, 2.0, 3.0]))
    assert doubles(apart, index_of(apart, 0, LOW)) == 0


@settings(max_examples=40)
@given(
    rows=st.lists(st.integers(0, 120), min_size=1, max_size=30, unique=True).map(sorted),
    longest=st.integers(1, 30),
    bridged=st.integers(0, 20),
)
def test_pieces_hold_every_row_and_bridge_small_gaps_only(rows, longest, bridged):
    rows = np.array(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexing, "BLOCK_BYTES", longest)
        patch.setattr(indexing, "BRIDGED_BYTES", bridged)
        pieces = list(spans(rows, 1))
    assert [n for some, _, _ in pieces for n in range(some.start, some.stop)] == [*range(len(rows))]
    for some, start, stop in pieces:
        own = rows[some]
        assert (start, stop) == (own[0], own[-1] + 1)
        assert stop - start <= longest
        assert (np.diff(own) <= bridged + 1).all()


def test_numbers_have_their_places_or_are_refused():
    known = Numbered((7, 2, 5), ("a", "b", "c"))
    assert known.places(np.array([5, 7, 2, 7]), "source", URL).tolist() == [2, 0, 1, 0]
    for wrong in (1, 6, 8):
        with pytest.raises(DataError) as caught:
            known.places(np.array([7, wrong]), "source", URL)
        assert caught.value.what == f"source {wrong} is in no table (there are 7, 2, 5)"


def test_a_unit_that_is_none_of_flux_is_told():
    assert of_units("") == of_units("jy") == ()
    assert of_units("UNCALIB") == (
        "its visibilities are in 'UNCALIB': what the image calls Jy is that",
    )


# Description


def test_a_file_is_described_by_what_is_chosen_of_it():
    file, _, _ = file_of(notes=("odd",), about={"observer": "N. N."})
    observation = described(file, data_description=0)
    assert (observation.object_name, observation.phase_centre) == ("one", (0.1, 0.2))
    assert observation.rows == 5
    [window] = observation.windows
    assert window.rows_per_time.tolist() == [3, 2]
    assert window.visibility_bytes == 9 * 2
    assert window.correlations == ("XX", "YY")
    assert observation.notes == ("odd",)
    assert observation.responsible.observer == "N. N."


@pytest.mark.parametrize(
    ("choice", "error", "words"),
    [
        ({"column": "MODEL"}, DataError, "no column MODEL; it has DATA only"),
        ({"select": SelectSpec(scans=(1,))}, DataError, "does not say its scans"),
        ({"field": None}, SpecError, r"several fields: 0 \(one\), 1 \(two\)"),
        ({"spectral_window": 7}, SpecError, "spectral_window 7 is not in the set"),
        ({"field": 1, "data_description": 0}, DataError, r"it moves \(field 1\); stop it"),
        ({"data_description": 1}, DataError, r"Stokes I needs .*hands = \"either\""),
        (
            {"data_description": 0, "select": SelectSpec(baselines=((0, 0),))},
            DataError,
            "select.baselines leave no cross-correlations; this field and window hold 2 times",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_imaged_of_a_file_is_told(choice, error, words):
    with pytest.raises(error, match=words):
        described(file_of()[0], **choice)


def test_windows_that_fall_out_are_remarked_and_doubles_counted():
    rows = identifiers(
        np.append(TIMES, 10.0), np.append(FIRST, 1), np.append(SECOND, 0), np.append(FIELDS, 0)
    )
    file, _, _ = file_of(rows=rows)
    observation = described(
        file,
        spectral_window="all",
        hands="either",
        select=SelectSpec(frequencies_hz=((1.0, 1.5e8),)),
    )
    assert [window.number for window in observation.windows] == [0]
    assert "nothing is chosen of data description 1" in observation.notes
    assert "1 rows repeat the time and baseline of another: all are imaged" in observation.notes


# Reading


def test_rows_come_in_order_with_the_mean_of_their_hands():
    file, uvw, _ = file_of()
    [chunk] = chunks(described(file, data_description=0), 1000)
    data = imaging.read(lambda _: file, chunk)
    order = [4, 2, 1, 0, 3]
    np.testing.assert_array_equal(data.uvw, uvw[order])
    expected = 100.0 * np.array(order)[:, None] + 10 * np.arange(3) + 0.5
    np.testing.assert_array_equal(data.visibility, expected)
    assert (data.weight == 2).all()
    assert data.unflagged == 15
    assert data.rows.time.tolist() == [0, 0, 0, 1, 1]
    assert data.rows.second.tolist() == [1, 2, 2, 1, 2]


def test_a_band_that_falls_comes_out_rising():
    file, _, _ = file_of()
    observation = described(file, data_description=1, hands="XX")
    [chunk] = chunks(observation, 1000)
    data = imaging.read(lambda _: file, chunk)
    assert data.frequency.tolist() == [201e6, 202e6]
    assert data.visibility[0].real.tolist() == [410, 400]


def test_chunks_of_times_are_the_parts_of_the_whole():
    file, _, _ = file_of()
    observation = described(file, data_description=0)
    [whole] = [imaging.read(lambda _: file, chunk) for chunk in chunks(observation, 1000)]
    parts = [imaging.read(lambda _: file, chunk) for chunk in chunks(observation, 9)]
    assert len(parts) == 2
    for name in ("uvw", "visibility", "weight"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    assert parts[1].rows.time.tolist() == [1, 1]


def test_coordinates_that_are_unknown_are_nought_and_weigh_nothing():
    file, uvw, _ = file_of()
    uvw[2, 1], uvw[0, 2] = np.nan, np.inf
    [chunk] = chunks(described(file, data_description=0), 1000)
    data = imaging.read(lambda _: file, chunk)
    assert data.weight.any(axis=1).tolist() == [True, False, True, False, True]
    assert np.isfinite(data.uvw).all()
    assert data.unflagged == 15
    found, frequency = imaging.coordinates(lambda _: file, chunk)
    np.testing.assert_array_equal(frequency, LOW.frequency)
    known = uvw.copy()
    known[[0, 2]] = 0
    np.testing.assert_array_equal(found, known[:5])  # in any order: that of the file


@pytest.mark.parametrize(
    "changes", [{"field": 9}, {"data_description": 9}, {"time_stop": 7}, {"size": 14}]
)
def test_a_file_that_changed_is_refused(changes):
    file, _, _ = file_of()
    [chunk] = chunks(described(file, data_description=0), 1000)
    with pytest.raises(DataError, match="has changed since the run was planned; run again"):
        imaging.read(lambda _: file, replace(chunk, **changes))


def test_an_inventory_has_every_row_of_every_band():
    file, uvw, asked = file_of()
    known = listing.inventory(file)
    blocks = list(known.blocks())
    assert [block.window for block in blocks] == [0, 1]
    for block in blocks:
        np.testing.assert_array_equal(block.uvw, uvw)
        np.testing.assert_array_equal(block.second, SECOND)
    assert known.fields[1].fault == "it moves"
    assert known.windows[1].correlations == ("XX",)
    assert {*asked} == {(0, 7)}


# Identity


@pytest.mark.parametrize("small", [True, False])
def test_the_identity_of_a_small_file_is_its_content(monkeypatch, small):
    monkeypatch.setattr(identity, "SMALL_BYTES", 100 if small else 1)
    monkeypatch.setattr(identity, "PIECE_BYTES", 7)
    storage.write_bytes("memory://identity/a", b"x" * 20)
    storage.write_bytes("memory://identity/b", b"x" * 19 + b"y")
    one, two = (identity.identity(f"memory://identity/{n}", 20, "stamp", b"head") for n in "ab")
    again = identity.identity("memory://identity/a", 20, "later", b"head")
    assert (one != two, one == again) == ((True, True) if small else (False, False))
    assert one.startswith("content" if small else "file")


# UVH5


OPENED: list[h5py.File] = []
"""What a test has made in memory, until it ends."""


def h5_of(**entries):
    """A header in memory; names with a slash are groups."""
    file = h5py.File(f"{len(OPENED)}.h5", "w", driver="core", backing_store=False)
    OPENED.append(file)
    for name, value in entries.items():
        file[name.replace("__", "/")] = value
    return file


def refusal(function, *arguments):
    with pytest.raises(DataError) as caught:
        function(*arguments)
    assert caught.value.remedy
    return caught.value.what


def antenna_header(**changes):
    own = {"antenna_numbers": [3, 8], "antenna_names": np.array([b"A", b"B"])}
    own |= {"antenna_positions": [[0.0, 0, 0], [10, 0, 0]]}
    return h5_of(**{k: v for k, v in (own | changes).items() if v is not None})


@pytest.mark.parametrize(("latitude", "longitude"), [(0, 0), (34.1, -107.6), (-60, 10), (90, 0)])
def test_antennas_stand_where_the_ellipsoid_says(latitude, longitude):
    """On it, and above it along its normal; one 10 m farther along the first axis."""
    phi, turn = np.radians([latitude, longitude])
    normal = np.array([np.cos(phi) * np.cos(turn), np.cos(phi) * np.sin(turn), np.sin(phi)])

    def place_of(altitude):
        file = antenna_header(latitude=latitude, longitude=longitude, altitude=altitude)
        known = header.antennas_of(file, URL)
        assert known.numbers == (3, 8)
        one, two = known.things[0].position
        np.testing.assert_allclose(two - one, [10, 0, 0], atol=1e-8)
        return one

    axes = np.array([6_378_137.0, 6_378_137.0, 6_356_752.314_245])  # WGS84
    ground = place_of(0.0)
    assert np.square(ground / axes).sum() == pytest.approx(1, rel=1e-14)
    gradient = ground / axes**2
    np.testing.assert_allclose(gradient / np.linalg.norm(gradient), normal, atol=1e-12)
    np.testing.assert_allclose(place_of(2124.0) - ground, 2124.0 * normal, atol=1e-8)


def test_antennas_without_place_diameter_or_names_of_their_own():
    known = header.antennas_of(antenna_header(antenna_names=np.array([b"A", b"A"])), URL)
    assert known.things[0].name == ("A_3", "A_8")
    assert np.isnan(known.things[0].position).all()
    assert np.isnan(known.things[0].diameter).all()
    one = header.antennas_of(antenna_header(antenna_diameters=14.0), URL)
    assert one.things[0].diameter.tolist() == [14, 14]
    words = refusal(header.antennas_of, antenna_header(antenna_numbers=None), URL)
    assert words == "its header has no antenna_numbers"


def catalogue(**entry):
    own = {"cat_name": b"3C 48 ", "cat_type": b"sidereal", "cat_frame": b"fk5", "cat_lon": 0.4}
    own |= {"cat_lat": 0.5, "cat_epoch": 2000.0} | entry
    return h5_of(**{f"phase_center_catalog__4__{k}": v for k, v in own.items() if v is not None})


@pytest.mark.parametrize(
    ("entry", "frame", "fault"),
    [
        ({}, "FK5", ""),
        ({"cat_frame": b"ICRS", "cat_epoch": 2015.0}, "ICRS", ""),
        ({"cat_frame": None}, "ICRS", ""),
        ({"cat_epoch": 1950.0}, "FK5", "phase centre of epoch 1950, not 2000"),
        ({"cat_frame": b"galactic"}, "", "phase centre in galactic, not fk5 or icrs"),
        ({"cat_type": b"ephem"}, "FK5", "its phase centre does not stay in one direction (ephem)"),
        (
            {"cat_lon": [0.1, 0.2]},
            "FK5",
            "its phase centre does not stay in one direction (sidereal)",
        ),
    ],
    ids=str,
)
def test_a_phase_centre_has_a_frame_or_a_fault(entry, frame, fault):
    known = header.fields_of(catalogue(**entry), URL)
    [field] = known.things
    assert known.numbers == (4,)
    assert (field.number, field.name, field.frame) == (0, "3C 48", frame)
    assert field.fault.startswith(fault)
    assert bool(field.fault) == bool(fault)


def test_files_without_a_catalogue_have_one_phase_centre():
    old = {"phase_type": b"phased", "phase_center_ra": 1.0, "phase_center_dec": 0.5}
    [field] = header.fields_of(h5_of(**old, object_name=b"X"), URL).things
    assert (field.centre, field.frame, field.fault, field.name) == ((1.0, 0.5), "ICRS", "", "X")
    [drift] = header.fields_of(h5_of(**old | {"phase_type": b"drift"}), URL).things
    assert drift.fault == "its visibilities are not phased to a direction"


def test_an_unreadable_catalogue_is_refused():
    for file in (h5_of(phase_center_catalog=b"{}"), catalogue(cat_name=None)):
        words = refusal(header.fields_of, file, URL)
        assert words == "its catalogue of phase centres is not readable"


def channel_header(**changes):
    own = {
        "freq_array": [3e8, 1e8, 2e8, 4e8],
        "polarization_array": [-5, -6],
        "channel_width": -1e6,
    }
    own |= {"spw_array": [9, 2], "flex_spw_id_array": [9, 2, 2, 9]}
    return h5_of(**{k: v for k, v in (own | changes).items() if v is not None})


def test_windows_have_their_channels_wherever_they_stand():
    file = channel_header()
    one, two = header.bands_of(file, URL)
    assert (one.frequency.tolist(), two.frequency.tolist()) == ([3e8, 4e8], [1e8, 2e8])
    assert (one.name, two.name, one.types) == ("spw9", "spw2", (9, 12))
    assert one.width.tolist() == [1e6, 1e6]
    assert [at.tolist() for at in header.channels_of(file, (one, two), URL)] == [[0, 3], [1, 2]]
    plain = channel_header(flex_spw_id_array=None, spw_array=[0], channel_width=[0.0, 1, 2, 3])
    [band] = header.bands_of(plain, URL)
    np.testing.assert_array_equal(band.width, [np.nan, 1, 2, 3])
    assert header.channels_of(plain, (band,), URL)[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"flex_spw_id_array": [9, 2, 2, 1]}, "its channels are of windows that it does not have"),
        ({"flex_spw_id_array": [9, 2]}, "its channels are of windows that it does not have"),
        ({"flex_spw_polarization_array": [-5, -6]}, "its spectral windows are of different"),
        ({"freq_array": None}, "its header has no freq_array"),
    ],
)
def test_windows_that_do_not_fit_together_are_refused(changes, words):
    assert refusal(header.bands_of, channel_header(**changes), URL).startswith(words)


@pytest.mark.parametrize("integers", [False, True])
def test_visibilities_are_conjugated_and_counted_in_samples(integers):
    values = np.array([[[3 + 4j]], [[-1 - 2j]]], np.complex64)
    if integers:
        kind = np.dtype([("r", np.int32), ("i", np.int32)])
        values = np.array([[[(3, 4)]], [[(-1, -2)]]], kind)
    stored = {
        "visdata": values,
        "flags": np.array([[[0]], [[1]]]),
        "nsamples": np.full((2, 1, 1), 3),
    }
    data, flag, weight = content._taken(stored, np.array([1.0, 0.5], np.float32))
    assert data.ravel().tolist() == [3 - 4j, -1 + 2j]
    assert (data.dtype, flag.dtype, weight.dtype) == (np.complex64, np.bool_, np.float32)
    assert (flag.ravel().tolist(), weight.ravel().tolist()) == ([False, True], [3, 1.5])


@pytest.mark.parametrize(
    ("exposure", "expected"),
    [([2.0, 2.0], None), ([np.nan, 2.0], None), ([0.0, 2.0], None), ([1.0, 4.0], [0.25, 1.0])],
)
def test_integration_times_count_where_they_differ_and_are_known(exposure, expected):
    found = content._duration(np.array(exposure, np.float32))
    assert (None if found is None else found.tolist()) == expected
    assert len(content._of_durations(found)) == (expected is not None)


def test_errors_of_hdf5_become_ours(tmp_path):
    path = tmp_path / "x.uvh5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    with pytest.raises(DataError, match="damaged or incomplete UVH5 file"), hdf5.opened(str(path)):
        pass
    with h5py.File(path, "w") as file:
        file["a"] = 1
    url = str(path)
    with pytest.raises(DataError, match=r"with a filter.*install hdf5plugin"), hdf5.opened(url):
        raise OSError("can't open plugin directory")
    with pytest.raises(MemoryError), hdf5.opened(url):
        raise MemoryError
    with pytest.raises(DataError, match="^ours$"), hdf5.opened(url):
        raise DataError("ours")


def test_what_a_store_says_is_told_in_place_of_what_hdf5_makes_of_it():
    def fail(_):
        raise DataError("gone")

    watched = hdf5._Watched(SimpleNamespace(read=fail, close=lambda: None))
    with pytest.raises(OSError, match="gone"):
        watched.readinto(bytearray(4))
    assert watched.failure.what == "gone"
