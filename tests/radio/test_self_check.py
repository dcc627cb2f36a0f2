from dataclasses import replace

import numpy as np
import pytest

from spectrum_workflows.radio.imaging import self_check
from spectrum_workflows.radio.types import ARCSEC, Geometry, Visibilities

GEOMETRY = Geometry(64, 20 * ARCSEC, 1e-4)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    shape = (2000, 8)
    uvw = rng.normal(0, 300, (2000, 3)) * [1, 1, 3]
    weight = rng.uniform(0.5, 1, shape).astype(np.float32)
    weight[rng.random(shape) < 0.3] = 0
    visibility = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
    return Visibilities(uvw, np.linspace(1e9, 1.1e9, 8), visibility, weight, 16_000)


@pytest.mark.parametrize("count", [10, 500, 3000])
def test_samples_are_usable_distinct_and_spread_over_w(data, count):
    sample = self_check.sample(data, count, (0, 0))
    assert len(sample.weight) == count
    assert np.all(sample.weight > 0)
    assert len(np.unique(sample.visibility)) == count
    depth = np.abs(data.uvw[:, 2:] * data.frequency / 299792458.0)[data.weight > 0]
    for part in (0.25, 0.5, 0.75):
        found = np.quantile(np.abs(sample.uvw[:, 2]), part)
        assert found == pytest.approx(np.quantile(depth, part), rel=0.35 if count < 100 else 0.06)


def test_a_sample_depends_on_its_seed_alone(data):
    first, again = (self_check.sample(data, 100, (3, 0)) for _ in range(2))
    np.testing.assert_array_equal(first.uvw, again.uvw)
    other = self_check.sample(data, 100, (4, 0))
    assert not np.array_equal(first.uvw, other.uvw)


def test_everything_is_taken_when_there_is_little(data):
    sample = self_check.sample(data, 10**6, (0, 0))
    assert len(sample.weight) == np.count_nonzero(data.weight)


def test_nothing_usable_gives_an_empty_sample(data):
    empty = replace(data, weight=np.zeros_like(data.weight))
    assert len(self_check.sample(empty, 10, (0, 0)).weight) == 0


def test_corners_are_compared():
    rows, columns = self_check.pixels(100)
    assert len(rows) == 32
    assert {(0, 0), (0, 99), (99, 0), (99, 99)} <= {
        *zip(rows.tolist(), columns.tolist(), strict=True)
    }


@pytest.mark.parametrize("epsilon", [1e-3, 1e-4, 1e-5, 1e-6])
def test_the_gridder_keeps_its_promise(data, epsilon):
    sample = self_check.sample(data, 5000, (0, 0))
    of_peak, of_rms = self_check.compare(sample, replace(GEOMETRY, epsilon=epsilon))
    assert 0 < of_peak <= 3 * epsilon
    assert of_rms > of_peak


def test_a_wrong_gridder_is_found_out(data, monkeypatch):
    right = self_check.invert

    def without_w(data, geometry):
        return right(replace(data, uvw=data.uvw * [1, 1, 0]), geometry)

    monkeypatch.setattr(self_check, "invert", without_w)
    sample = self_check.sample(data, 5000, (0, 0))
    of_peak, _ = self_check.compare(sample, GEOMETRY)
    assert of_peak > 100 * GEOMETRY.epsilon
