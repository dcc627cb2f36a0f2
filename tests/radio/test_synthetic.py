import json
import subprocess

import casacore.tables as casa
import numpy as np
import pytest
from astropy.io import fits

from spectrum_workflows.errors import OutputError, SpecError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.synthetic import array, make, sky
from spectrum_workflows.radio.synthetic.schedule import schedule

from .conftest import SKY, spec_of


def data_of(root):
    with casa.table(str(root / "small.ms"), ack=False) as table:
        return table.getcol("DATA")


def test_the_same_seed_gives_the_same_set(small, tmp_path):
    make(spec_of(), str(tmp_path))
    np.testing.assert_array_equal(data_of(tmp_path), data_of(small))
    make(spec_of(synthetic={"seed": 2}), str(tmp_path))
    assert not np.array_equal(data_of(tmp_path), data_of(small))


def test_the_truth_is_written_beside_the_set(small):
    truth = json.loads((small / "small.sources.json").read_text())
    assert [s["name"] for s in truth["sources"]] == [s["name"] for s in SKY]
    assert truth["phase_centre_deg"] == [180.0, 45.0]
    assert truth["noise_jy"] > 0


def test_size_and_progress(tmp_path):
    seen = []
    urls = make(spec_of(), str(tmp_path), size=9000, report=lambda *told: seen.append(told))
    assert urls == DOMAIN.inputs(spec_of(), str(tmp_path))
    assert data_of(tmp_path).shape == (3 * 351, 8, 2)
    assert seen[-1] == ("simulate", 3 * 351 * 8, 3 * 351 * 8)


@pytest.mark.parametrize(("feeds", "types"), [("linear", [9, 12]), ("circular", [5, 8])])
def test_feeds(tmp_path, feeds, types):
    make(spec_of(synthetic={"feeds": feeds}), str(tmp_path), size=3000)
    with casa.table(f"{tmp_path / 'small.ms'}::POLARIZATION", ack=False) as table:
        assert table.getcell("CORR_TYPE", 0).tolist() == types
    assert DOMAIN.plan(spec_of(), str(tmp_path)).size == 351 * 8


def test_noise_is_thermal_and_independent(tmp_path):
    spec = spec_of(synthetic={"sources": (), "sefd_jy": 400.0})
    make(spec, str(tmp_path))
    data = data_of(tmp_path)
    interval = 4 * 3600 / 11
    sigma = 400 / np.sqrt(2 * 4e6 * interval)
    parts = np.stack([data.real.ravel(), data.imag.ravel()])
    np.testing.assert_allclose(parts.std(axis=1), sigma, rtol=0.01)
    hands = np.corrcoef(data[..., 0].real.ravel(), data[..., 1].real.ravel())[0, 1]
    assert abs(hands) < 0.02


def test_visibilities_are_the_measurement_equation():
    rng = np.random.default_rng(0)
    uvw, frequency = rng.normal(0, 2000, (50, 3)), 1.4e9 + 4e6 * np.arange(16)
    seen = sky.sky_of(spec_of().synthetic.sources)
    found = sky.visibilities(uvw, frequency, seen)
    wavelengths = uvw[:, None, :] * frequency[None, :, None] / 299_792_458.0
    expected = np.zeros((50, 16), complex)
    for flux, east, north, depth, _ in seen.smooth:
        assert depth == pytest.approx(np.sqrt(1 - east**2 - north**2) - 1, rel=1e-6, abs=1e-18)
        expected += flux * np.exp(2j * np.pi * (wavelengths @ [east, north, depth]))
    np.testing.assert_allclose(found, expected, atol=2e-7)


def test_a_gaussian_fades_with_baseline_length():
    spec = spec_of(
        synthetic={
            "sources": [
                {
                    "name": "g",
                    "flux_jy": 2.0,
                    "east_arcsec": 0,
                    "north_arcsec": 0,
                    "fwhm_arcsec": 60,
                }
            ]
        }
    )
    half_power = 2 * np.log(2) / (np.pi * np.radians(60 / 3600))  # wavelengths
    uvw = np.array([[0.0, 0, 0], [half_power, 0, 0], [0, half_power, 0]])
    found = sky.visibilities(uvw, np.array([299_792_458.0]), sky.sky_of(spec.synthetic.sources))
    np.testing.assert_allclose(found[:, 0], [2.0, 1.0, 1.0], rtol=1e-6)


def test_random_sources_span_the_flux_range():
    spec = spec_of(synthetic={"point_sources": 40, "flux_jy": (0.01, 0.5), "sources": ()})
    found = sky.sources(spec.synthetic, 1000.0)
    flux = np.array([source.flux_jy for source in found])
    assert len(found) == 40
    assert (flux[0], flux[-1]) == pytest.approx((0.5, 0.01))
    assert np.median(flux) < 0.03
    assert max(abs(s.east_arcsec) for s in found) <= 420


def test_arrays_have_the_size_of_their_models():
    vla_a, vla_d = array.telescope("vla-a"), array.telescope("vla-d")
    first, second = array.baselines(vla_a)
    assert len(first) == 351
    longest = np.linalg.norm(vla_a.enu[first] - vla_a.enu[second], axis=1).max()
    assert longest == pytest.approx(36.4e3, rel=0.03)
    np.testing.assert_allclose(vla_a.enu, vla_d.enu * 3.285**3, rtol=1e-9)
    meerkat = array.telescope("meerkat")
    first, second = array.baselines(meerkat)
    lengths = np.linalg.norm(meerkat.enu[first] - meerkat.enu[second], axis=1)
    assert len(meerkat.enu) == 64
    assert lengths.min() >= 29
    assert 4000 < lengths.max() <= 8000


def test_uvw_keeps_lengths_and_points_at_the_source():
    telescope = array.telescope("vla-b")
    found = array.uvw(telescope, np.array([0.0, 0.7]), 0.6)
    first, second = array.baselines(telescope)
    lengths = np.linalg.norm(telescope.enu[second] - telescope.enu[first], axis=1)
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), [lengths, lengths], rtol=1e-12)
    zenith = array.uvw(telescope, np.array([0.0]), telescope.latitude)
    east_north = (telescope.enu[second] - telescope.enu[first])[:, :2]
    np.testing.assert_allclose(zenith[0, :, :2], east_north, atol=1e-6)


def test_coordinates_are_of_antenna_1_less_antenna_2(small):
    """From the set's own positions and times: as in the Measurement Sets of telescopes."""
    with casa.table(str(small / "small.ms"), ack=False) as table:
        columns = ("TIME", "ANTENNA1", "ANTENNA2", "UVW")
        time, first, second, uvw = (table.getcol(name) for name in columns)
    with casa.table(str(small / "small.ms::ANTENNA"), ack=False) as table:
        position = table.getcol("POSITION")
    with casa.table(str(small / "small.ms::FIELD"), ack=False) as table:
        ra, dec = table.getcell("PHASE_DIR", 0)[0]
    sidereal = 280.460_618_37 + 360.985_647_366_29 * (time / 86_400 - 51_544.5)
    angle = np.radians(sidereal % 360) - ra  # of the source, from Greenwich
    x, y, z = (position[first] - position[second]).T
    toward = np.cos(angle) * x - np.sin(angle) * y
    expected = [
        np.sin(angle) * x + np.cos(angle) * y,
        np.cos(dec) * z - np.sin(dec) * toward,
        np.cos(dec) * toward + np.sin(dec) * z,
    ]
    np.testing.assert_allclose(uvw, np.stack(expected, axis=1), atol=1e-4)


def test_antennas_stand_at_their_site():
    telescope = array.telescope("meerkat")
    centre = array.itrf(telescope).mean(axis=0)
    published = [5_109_360.0, 2_006_852.0, -3_238_948.0]  # MeerKAT array centre, ITRF, m
    np.testing.assert_allclose(centre, published, atol=1500)


def test_hour_angles_and_times_agree():
    plan = schedule(spec_of().synthetic, 30_000)
    assert np.all(np.diff(plan.time) > 0)
    gmst = 280.46061837 + 360.98564736629 * (plan.time / 86400 - 51544.5)
    local = gmst + np.degrees(plan.telescope.longitude) - 180.0
    wrapped = (local - np.degrees(plan.hour_angle) + 180) % 360 - 180
    np.testing.assert_allclose(wrapped, 0, atol=1e-4)


def test_below_the_horizon(tmp_path):
    with pytest.raises(SpecError, match="below the horizon of VLA"):
        make(spec_of(synthetic={"declination_deg": -60.0}), str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        make(spec_of(), str(tmp_path / "file"), size=3000)


def test_a_spec_without_synthetic_data(tmp_path):
    spec = spec_of().model_copy(update={"synthetic": None})
    with pytest.raises(SpecError, match=r"add \[synthetic\]"):
        make(spec, str(tmp_path))


def test_nothing_half_written_remains(tmp_path):
    def stop(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(spec_of(), str(tmp_path), size=3000, report=stop)
    assert not list(tmp_path.iterdir())


def test_wsclean_reads_it_and_agrees(small, tmp_path, program):
    command = [
        *(program("wsclean"), "-size", "128", "128", "-scale", "8asec", "-weight", "natural"),
        *("-use-wgridder", "-wgridder-accuracy", "1e-6", "-no-small-inversion", "-j", "1"),
        *("-name", str(tmp_path / "peer"), str(small / "small.ms")),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    peer = fits.getdata(tmp_path / "peer-dirty.fits")[0, 0]
    spec = spec_of(image={"epsilon": 1e-6})
    ours, _ = DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))
    assert np.abs(ours.planes[0].dirty - peer).max() < 2e-6 * peer.max()


def test_what_an_earlier_version_made_is_known_by_its_recipe():
    table = DOMAIN.recipe(spec_of())["synthetic"]
    assert not {"windows", "hands", "fields", "turns", "format"} & {*table}
    assert [*table["sources"][0]] == [*SKY[0], "fwhm_arcsec"]
    changed = DOMAIN.recipe(spec_of(synthetic={"format": "uvh5", "hands": "XX"}))["synthetic"]
    assert (changed["format"], changed["hands"]) == ("uvh5", "XX")
