"""Simulated sets of several windows and fields, of one hand, and in every format."""

import json

import casacore.tables as casa
import numpy as np
import pytest

from spectrum_workflows.errors import OutputError, SpecError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.contents import contents
from spectrum_workflows.radio.read.uvfits.groups import Groups
from spectrum_workflows.radio.read.uvfits.groups import opened as opened_uvfits
from spectrum_workflows.radio.read.uvh5.content import Content
from spectrum_workflows.radio.read.uvh5.content import opened as opened_uvh5
from spectrum_workflows.radio.spec import RadioSpec
from spectrum_workflows.radio.synthetic import is_synthetic, planted, sky
from spectrum_workflows.radio.synthetic.schedule import schedule
from spectrum_workflows.radio.types import ARCSEC

FIELDS = [
    {
        "name": "north",
        "right_ascension_deg": 180.0,
        "declination_deg": 45.0,
        "sources": [{"name": "a", "flux_jy": 1.0, "east_arcsec": 80.0, "north_arcsec": 160.0}],
    },
    {
        "name": "south",
        "right_ascension_deg": 181.0,
        "declination_deg": 43.5,
        "sources": [{"name": "b", "flux_jy": 0.5, "east_arcsec": -240.0, "north_arcsec": 80.0}],
    },
]
WINDOWS = [{"frequency_hz": 1.40e9}, {"frequency_hz": 1.46e9}]


def spec_of(**synthetic):
    table = {"telescope": "vla-d", "channels": 4, "sefd_jy": 0.0, "visibilities": 12_000}
    return RadioSpec.model_validate(
        {
            "name": "many",
            "data_set": "many",
            "image": {"npix": 64, "cell_arcsec": 16.0, "epsilon": 1e-5},
            "synthetic": table | synthetic,
        }
    )


def image(spec, root, **changes):
    spec = spec.changed(**changes)
    return DOMAIN.run(spec, DOMAIN.plan(spec, str(root)))[0]


def brightest(result):
    """Value, and direction cosines in arcsec, of the brightest pixel."""
    dirty = result.planes[0].dirty
    row, column = np.unravel_index(dirty.argmax(), dirty.shape)
    return dirty.max(), -16.0 * (column - 32), 16.0 * (row - 32)


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """A data root with two fields in two windows, seen twice each."""
    root = tmp_path_factory.mktemp("many")
    DOMAIN.make(spec_of(fields=FIELDS, windows=WINDOWS, turns=2), str(root))
    return root


def test_each_field_has_its_own_sky_in_every_window(observed):
    spec = spec_of()
    for number, (name, flux, *place) in enumerate(
        [("north", 1.0, 80.0, 160.0), ("south", 0.5, -240.0, 80.0)]
    ):
        found = image(spec, observed, field=name, spectral_window="all")
        assert brightest(found) == (pytest.approx(flux, rel=1e-4), *place)
        assert found.observation.phase_centre == pytest.approx(
            np.radians([FIELDS[number]["right_ascension_deg"], FIELDS[number]["declination_deg"]])
        )
        assert [w.frequency[0] for w in found.observation.windows] == [1.40e9, 1.46e9]
        [source] = planted(str(observed / "many.ms"), number)
        assert source.flux_jy == flux


def test_fields_are_seen_in_turn(observed):
    with casa.table(str(observed / "many.ms"), ack=False) as table:
        time, field, scan = (table.getcol(n) for n in ("TIME", "FIELD_ID", "SCAN_NUMBER"))
    assert [field[scan == n][0] for n in (1, 2, 3, 4)] == [0, 1, 0, 1]
    assert [len(np.unique(time[scan == n])) for n in (1, 2, 3, 4)] == [1, 1, 1, 1]
    seen = contents(str(observed / "many.ms")).json["fields"]
    assert [row["name"] for row in seen] == ["north", "south"]


def test_windows_may_differ_in_all(tmp_path):
    windows = [
        {"frequency_hz": 1.4e9, "channels": 8, "channel_width_hz": 1e6},
        {"frequency_hz": 1.3e9, "channels": 3},
    ]
    one = {"sources": [{"name": "a", "flux_jy": 1.0, "east_arcsec": 0, "north_arcsec": 0}]}
    spec = spec_of(windows=windows, sefd_jy=50.0, visibilities=20_000, **one)
    DOMAIN.make(spec, str(tmp_path))
    found = image(spec, tmp_path, spectral_window="all")
    assert brightest(found)[0] == pytest.approx(1.0, abs=0.01)
    sigma = [band.sigma for band in schedule(spec.synthetic, 20_000).bands]
    assert sigma[0] == pytest.approx(2 * sigma[1])  # 1 MHz and 4 MHz
    with casa.table(str(tmp_path / "many.ms"), ack=False) as table:
        first = table.query("DATA_DESC_ID == 1")
        assert first.getcol("DATA").shape[1:] == (3, 2)
        assert first.getcol("WEIGHT")[0, 0] == pytest.approx(sigma[1] ** -2)
    assert json.loads((tmp_path / "many.sources.json").read_text())["noise_jy"] == sigma


@pytest.mark.parametrize(("feeds", "hand"), [("linear", "YY"), ("circular", "RR")])
def test_one_hand(tmp_path, feeds, hand):
    spec = spec_of(feeds=feeds, hands=hand, sources=FIELDS[0]["sources"])
    DOMAIN.make(spec, str(tmp_path))
    found = image(spec, tmp_path, hands="either")
    assert found.observation.windows[0].correlations == (hand,)
    assert brightest(found) == (pytest.approx(1.0, rel=1e-4), 80.0, 160.0)


@pytest.mark.parametrize("form", ["zarr", "uvfits", "uvh5"])
def test_every_format_holds_the_same_sky(observed, tmp_path, form):
    spec = spec_of(fields=FIELDS, windows=WINDOWS, turns=2, format=form)
    assert DOMAIN.inputs(spec, str(tmp_path)) == [str(tmp_path / f"many.{form}")]
    [made] = DOMAIN.make(spec, str(tmp_path))
    assert DOMAIN.inputs(spec, str(tmp_path)) == [made]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many.sources.json", f"many.{form}"]
    asked = {"field": "south", "spectral_window": "all"}
    ours, theirs = image(spec, tmp_path, **asked), image(spec_of(), observed, **asked)
    assert ours.observation.rows == theirs.observation.rows
    assert ours.observation.origin == theirs.observation.origin == "generated data"
    assert ours.observation.phase_centre == pytest.approx(theirs.observation.phase_centre)
    np.testing.assert_allclose(
        ours.observation.antennas.position, theirs.observation.antennas.position, atol=1e-6
    )
    if form == "uvfits":  # its coordinates are rounded, and simulated as they are then
        assert brightest(ours) == (pytest.approx(0.5, rel=1e-4), -240.0, 80.0)
    else:
        np.testing.assert_array_equal(ours.planes[0].dirty, theirs.planes[0].dirty)
    if form != "zarr":
        assert is_synthetic(made)
    assert planted(made, 1) == planted(str(observed / "many.ms"), 1)


def test_a_set_in_another_format_is_not_made_beside_one(observed):
    with pytest.raises(OutputError, match="is here in another format"):
        DOMAIN.make(spec_of(format="uvfits"), str(observed))


@pytest.mark.parametrize("form", ["uvfits", "uvh5"])
def test_a_file_is_shown_by_reading_its_rows_once(tmp_path, monkeypatch, form):
    spec = spec_of(windows=WINDOWS, visibilities=6_000, format=form)
    [made] = DOMAIN.make(spec, str(tmp_path))
    kind, name = (Groups, "read") if form == "uvfits" else (Content, "uvw")
    (opened_uvfits if form == "uvfits" else opened_uvh5)(made)  # looks at its rows
    read, original = [], getattr(kind, name)

    def counted(self, start, stop):
        read.append(stop - start)
        return original(self, start, stop)

    monkeypatch.setattr(kind, name, counted)
    told = contents(made).json
    assert sum(read) == 2 * 351
    assert [row["rows"] for row in told["data"]] == [2 * 351] * 2


RINGS = [(300.0, 300.0), (200.0, 300.0), (0.0, 300.0)]


@pytest.mark.parametrize(("inner", "outer"), RINGS)
def test_a_ring_is_the_sum_of_its_points(inner, outer):
    source = {"name": "r", "flux_jy": 2.0, "east_arcsec": 40.0, "north_arcsec": -20.0}
    spec = spec_of(sources=[source | {"ring_arcsec": (inner, outer)}])
    uvw = np.random.default_rng(1).normal(0, 200, (20, 3)) * [1, 1, 0]
    frequency = np.array([1.4e9, 1.5e9])
    found = sky.visibilities(uvw, frequency, sky.sky_of(spec.synthetic.sources))
    square = np.linspace(inner**2, outer**2, 201)  # rings of equal areas
    radius = np.sqrt((square[1:] + square[:-1]) / 2)[:, None] / 2
    angle = np.arange(360)[None] * np.pi / 180
    east, north = (40 + radius * np.cos(angle)).ravel(), (-20 + radius * np.sin(angle)).ravel()
    u, v = (uvw[:, n, None, None] * frequency[:, None] / 299_792_458.0 for n in (0, 1))
    expected = 2.0 * np.exp(2j * np.pi * ARCSEC * (u * east + v * north)).mean(axis=2)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_fewer_times_than_scans(tmp_path):
    with pytest.raises(SpecError, match="more visibilities or fewer turns"):
        DOMAIN.make(spec_of(fields=FIELDS, turns=50), str(tmp_path))


def test_a_field_below_the_horizon(tmp_path):
    far = [FIELDS[0], FIELDS[1] | {"declination_deg": -80.0}]
    with pytest.raises(SpecError, match="field south is below the horizon"):
        DOMAIN.make(spec_of(fields=far), str(tmp_path))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"hands": "RR"}, "linear feeds have XX and YY"),
        ({"fields": FIELDS, "point_sources": 3}, "stand in it"),
        ({"fields": [FIELDS[0], FIELDS[0]]}, "different names"),
        ({"turns": 2}, "several fields"),
        ({"windows": [{"frequency_hz": 1e9, "channels": 3}, {"frequency_hz": 2e9}]}, "UVFITS"),
        ({"sources": [FIELDS[0]["sources"][0] | {"ring_arcsec": (2.0, 1.0)}]}, "inner"),
        ({"sources": [FIELDS[0]["sources"][0] | {"ring_arcsec": (1, 2), "fwhm_arcsec": 1}]}, "or"),
    ],
)
def test_what_cannot_be_simulated(table, said):
    form = "uvfits" if said == "UVFITS" else "ms"
    with pytest.raises(ValueError, match=said):
        spec_of(**table, format=form)
