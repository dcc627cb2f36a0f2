"""Readers: what they keep of rows and antennas, and how a format is added."""

from dataclasses import replace
from pathlib import Path

import casacore.tables as casa
import numpy as np
import pytest

from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.read import describe, find, formats, inputs, read
from spectrum_workflows.radio.read.reader import Reader
from spectrum_workflows.radio.types import Visibilities

from .conftest import spec_of

CUT = {"max_visibilities": 351 * 8 * 4}  # three chunks


@pytest.fixture(scope="module")
def shuffled(small, tmp_path_factory):
    """The set with its rows in any order, and some left out; and its Zarr form."""
    root = tmp_path_factory.mktemp("shuffled")
    rows = np.random.default_rng(4).permutation(11 * 351)[:3000]
    with casa.table(str(small / "small.ms"), ack=False) as table:
        table.selectrows(rows).copy(str(root / "small.ms"), deep=True).close()
    convert(str(root / "small.ms"), str(root / "small.zarr"))
    return root


@pytest.mark.parametrize("form", ["ms", "zarr"])
def test_rows_keep_their_times_and_antennas(shuffled, form):
    observation = describe(spec_of(), str(shuffled / f"small.{form}"))
    with casa.table(str(shuffled / "small.ms"), ack=False) as table:
        names = ("TIME", "ANTENNA1", "ANTENNA2", "UVW")
        time, first, second, uvw = (table.getcol(name) for name in names)
    known = {(t, int(a), int(b)): at for t, a, b, at in zip(time, first, second, uvw, strict=True)}
    assert observation.times == pytest.approx(np.unique(time), abs=1e-5, rel=0)
    times = np.unique(time)
    count = 0
    for chunk in chunks(observation, CUT["max_visibilities"]):
        data = read(chunk)
        assert data.rows.time.min() == chunk.time_start
        assert data.rows.time.max() == chunk.time_stop - 1
        identity = (data.rows.time, data.rows.first, data.rows.second)
        for place, a, b, at in zip(*identity, data.uvw, strict=True):
            assert at.tolist() == known[times[place], int(a), int(b)].tolist()
            count += 1
    assert count == 3000


def test_both_forms_know_the_same_antennas(shuffled):
    one, two = (describe(spec_of(), str(shuffled / f"small.{form}")) for form in ("ms", "zarr"))
    assert len(one.antennas.name) == 27
    assert one.antennas.name == two.antennas.name
    np.testing.assert_array_equal(one.antennas.position, two.antennas.position)
    np.testing.assert_array_equal(one.antennas.diameter, two.antennas.diameter)
    assert 6.3e6 < np.linalg.norm(one.antennas.position, axis=1).min() < 6.4e6
    assert set(one.antennas.diameter) == {25.0}


def test_a_format_is_one_reader_in_the_list(small, tmp_path, monkeypatch):
    """A set of arrays in a file gives the image of the Measurement Set it was made from."""
    spec = spec_of(partition=CUT, clean={"max_major": 1})
    known = describe(spec, str(small / "small.ms"))
    [whole] = chunks(known, 10**9)
    data = read(whole)
    columns = {name: getattr(data, name) for name in ("uvw", "visibility", "weight")}
    np.savez(tmp_path / "small.npz", **columns)

    def rows_of(chunk):
        stored, ends = np.load(chunk.url), np.cumsum([0, *known.windows[0].rows_per_time])
        return stored, slice(ends[chunk.time_start], ends[chunk.time_stop])

    def coordinates(chunk):
        stored, rows = rows_of(chunk)
        return stored["uvw"][rows], known.frequency[chunk.chan_start : chunk.chan_stop]

    def visibilities(chunk):
        stored, rows = rows_of(chunk)
        channels = slice(chunk.chan_start, chunk.chan_stop)
        visibility, weight = (stored[n][rows, channels] for n in ("visibility", "weight"))
        return Visibilities(*coordinates(chunk), visibility, weight, visibility.size)

    def locate(stem):
        return f"{stem}.npz" if Path(f"{stem}.npz").exists() else None

    arrays = Reader(
        name="arrays",
        remote=False,
        locate=locate,
        recognises=lambda url: url.endswith(".npz"),
        describe=lambda _, url: replace(known, url=url),
        fields=lambda _: (),
        coordinates=coordinates,
        inventory=lambda url: pytest.fail("nobody asks for it"),
        read=visibilities,
    )
    monkeypatch.setattr(formats, "READERS", (arrays, *formats.READERS))
    assert find(spec, str(tmp_path)) == str(tmp_path / "small.npz")
    assert inputs(spec, str(tmp_path)) == [str(tmp_path / "small.npz")]
    plan = DOMAIN.plan(spec, str(tmp_path))
    assert plan.partitions[0].url.endswith(".npz")
    found, _ = DOMAIN.run(spec, plan)
    expected, _ = DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))
    for name, image in DOMAIN.arrays(expected).items():
        np.testing.assert_array_equal(DOMAIN.arrays(found)[name], image, err_msg=name)
