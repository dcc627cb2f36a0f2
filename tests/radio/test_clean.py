from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.deconvolution import cotton_schwab as cotton_schwab_on
from spectrum_workflows.radio.deconvolution import minor_cycle, residual_image, search
from spectrum_workflows.radio.deconvolution.convolution import convolved
from spectrum_workflows.radio.imaging import residual
from spectrum_workflows.radio.imaging.beam import draw_beam
from spectrum_workflows.radio.imaging.residual import local_residual
from spectrum_workflows.radio.spec import CleanSpec
from spectrum_workflows.radio.types import ARCSEC, Beam, Stop
from spectrum_workflows.radio.types.robust import robust_rms

NPIX = 64


@pytest.fixture(scope="module")
def psf():
    """A beam with sidelobes of a few percent."""
    rows, columns = np.mgrid[:NPIX, :NPIX] - NPIX // 2
    radius = np.hypot(rows, columns)
    return draw_beam(Beam(6.0, 5.0, 20.0), NPIX, 2 * ARCSEC) + 0.05 * np.cos(radius) * (
        radius > 6
    ) / (1 + radius / 8)


@pytest.fixture(scope="module")
def sky():
    image = np.zeros((NPIX, NPIX))
    image[32, 32], image[40, 25], image[20, 45] = 1.0, 0.4, 0.2
    return image


@dataclass
class DenseImager:
    """An imager of a telescope that is a function of dense models."""

    dirty: np.ndarray
    psf: np.ndarray
    observe: Callable[[np.ndarray, int], np.ndarray]

    def residual(self, model, cycle, *, accuracy=1.0):
        image = self.observe(*model.dense(NPIX, NPIX), cycle) if cycle else self.dirty
        return local_residual((image,), (self.psf,))


def cotton_schwab(dirty, psf, clean, residual_of):
    """On whole images, with a dense model: model and residual as images."""
    found = cotton_schwab_on(DenseImager(dirty, psf, residual_of), (psf,), clean)
    [model], [left] = found.model.dense(NPIX, NPIX), found.residual.gathered()
    return replace(found, model=model, residual=left)


def minor_cycle_on(dirty, psf, **options):
    """On a whole image: the model as an image, and the iterations used."""
    residual_image = local_residual((dirty,), (psf,))
    sources = minor_cycle.Sources((psf,))
    found, used = minor_cycle.minor_cycle(residual_image, sources, **options)
    [model] = found.dense(NPIX, NPIX)
    return model, used


class Telescope:
    """Data minus model for a telescope whose PSF is the same everywhere."""

    def __init__(self, sky, psf, noise=0.0):
        self.psf, self.calls = psf, 0
        rng = np.random.default_rng(5)
        self.dirty = convolved(sky, psf) + noise * rng.normal(size=sky.shape)

    def __call__(self, model, major):
        self.calls += 1
        assert major == self.calls
        return self.dirty - convolved(model, self.psf)


def deconvolve(sky, psf, *, noise=0.0, **options):
    observe = Telescope(sky, psf, noise)
    return cotton_schwab(observe.dirty, psf, CleanSpec(**options), observe)


def test_minor_cycle_goes_down_to_its_level(sky, psf):
    dirty = convolved(sky, psf)
    model, used = minor_cycle_on(dirty, psf, gain=0.1, level=0.01, iterations=10_000)
    left = dirty - convolved(model, psf)
    assert np.abs(left).max() <= 0.01
    assert 0 < used < 10_000
    assert model.sum() == pytest.approx(sky.sum(), rel=0.05)


def test_minor_cycle_changes_neither_image(sky, psf):
    dirty = convolved(sky, psf)
    before = dirty.copy(), psf.copy()
    minor_cycle_on(dirty, psf, gain=0.1, level=0.05, iterations=100)
    np.testing.assert_array_equal(dirty, before[0])
    np.testing.assert_array_equal(psf, before[1])


def test_minor_cycle_cleans_negative_peaks(psf):
    sky = np.zeros((NPIX, NPIX))
    sky[30, 30] = -1.0
    model, _ = minor_cycle_on(convolved(sky, psf), psf, gain=0.2, level=0.01, iterations=1000)
    assert model[30, 30] == pytest.approx(-1.0, abs=0.02)


def test_minor_cycle_counts_iterations_exactly(sky, psf):
    model, used = minor_cycle_on(convolved(sky, psf), psf, gain=0.1, level=0.0, iterations=7)
    assert used == 7
    assert np.count_nonzero(model) <= 7


def test_components_at_opposite_corners(psf):
    sky = np.zeros((NPIX, NPIX))
    sky[1, 1] = sky[62, 62] = 1.0
    model, _ = minor_cycle_on(convolved(sky, psf), psf, gain=0.1, level=0.02, iterations=5000)
    assert model[1, 1] == pytest.approx(1.0, abs=0.03)
    assert model[62, 62] == pytest.approx(1.0, abs=0.03)


def test_stops_at_the_threshold(sky, psf):
    found = deconvolve(sky, psf, threshold=0.003)
    assert found.stop is Stop.THRESHOLD
    assert np.abs(found.residual).max() <= 0.003 == found.threshold
    np.testing.assert_allclose(found.model, sky, atol=0.01)


def test_stops_at_sigma(sky, psf):
    found = deconvolve(sky, psf, noise=0.002, sigma=4.0)
    assert found.stop is Stop.SIGMA
    assert np.abs(found.residual).max() <= found.threshold
    assert found.threshold == pytest.approx(4 * 0.002, rel=0.3)


def test_sidelobes_taken_for_noise_do_not_end_the_cleaning(sky, psf):
    rings = np.hypot(*(np.mgrid[:NPIX, :NPIX] - NPIX // 2))
    poor = psf + 0.15 * np.cos(rings / 2) * (rings > 6)
    observe = Telescope(sky, poor, 0.001)
    first = 4 * robust_rms(observe.dirty)
    assert first > 0.2 * np.abs(observe.dirty).max()  # below which a minor cycle does not go
    found = cotton_schwab(observe.dirty, poor, CleanSpec(sigma=4.0), observe)
    assert found.stop is Stop.SIGMA
    assert found.threshold < 2 * 4 * 0.001


def test_the_noise_itself_is_not_cleaned(sky, psf):
    found = deconvolve(sky, psf, noise=0.02, sigma=2.0)
    assert found.stop is Stop.SIGMA
    assert found.threshold == pytest.approx(2 * 0.02, rel=0.3)
    assert robust_rms(found.residual) > 0.6 * 0.02


def test_the_larger_of_two_thresholds_gives_the_reason(sky, psf):
    assert deconvolve(sky, psf, noise=0.002, sigma=4.0, threshold=0.1).stop is Stop.THRESHOLD
    assert deconvolve(sky, psf, noise=0.002, sigma=4.0, threshold=1e-6).stop is Stop.SIGMA


def test_stops_at_the_iteration_limit(sky, psf):
    found = deconvolve(sky, psf, iterations=5)
    assert found.stop is Stop.ITERATIONS
    assert found.iterations == 5


def test_stops_at_the_major_cycle_limit(sky, psf):
    found = deconvolve(sky, psf, threshold=1e-6, max_major=2)
    assert found.stop is Stop.MAX_MAJOR
    assert found.major == 2


def test_stops_when_nothing_is_left(psf):
    found = deconvolve(np.zeros((NPIX, NPIX)), psf)
    assert found.stop is Stop.NOTHING_LEFT
    assert found.major == found.iterations == 0


@pytest.mark.parametrize("factor", [-3.0, np.nan, np.inf])
def test_divergence_keeps_the_model_before_it(sky, psf, factor):
    observe = Telescope(sky, psf)

    def wrong(model, major):
        left = observe(model, observe.calls + 1)
        return left if major < 2 else left + factor * observe.dirty

    found = cotton_schwab(observe.dirty, psf, CleanSpec(threshold=1e-4), wrong)
    assert found.stop is Stop.DIVERGED
    assert found.major == 1
    assert np.isfinite(found.residual).all()
    np.testing.assert_array_equal(found.residual, Telescope(sky, psf)(found.model, 1))


@pytest.mark.parametrize("factor", [0.0, np.nan, -3.0])
def test_clean_goes_on_from_any_cycle_to_the_same_end(sky, psf, factor):
    """Where it diverges afterwards, too: then the residual before that is computed anew."""
    dirty = Telescope(sky, psf, noise=1e-3).dirty

    def observe(model, major):
        left = dirty - convolved(model, psf)
        return left + factor * dirty if major == 3 else left

    imager, clean, kept = DenseImager(dirty, psf, observe), CleanSpec(sigma=3.0, mgain=0.5), []
    whole = cotton_schwab_on(imager, (psf,), clean, keep=kept.append)
    assert whole.stop is (Stop.DIVERGED if factor else Stop.SIGMA)
    assert len(kept) >= 3
    for cycle in kept:
        again = cotton_schwab_on(imager, (psf,), clean, begun=cycle)
        assert (again.stop, again.major, again.iterations) == (
            whole.stop,
            whole.major,
            whole.iterations,
        )
        np.testing.assert_array_equal(again.model.flux, whole.model.flux)
        np.testing.assert_array_equal(again.residual.gathered(), whole.residual.gathered())


def test_a_cycle_whose_residual_is_lost_after_it_was_recalled_gives_nothing_wrong(sky, psf):
    """There is no residual yet to fall back on, and the dirty image is none."""
    dirty = Telescope(sky, psf).dirty

    def observe(model, major):
        return dirty - convolved(model, psf)

    def lost(_model, _major):
        raise DataError("the store is gone", "chunk 1")

    clean, kept = CleanSpec(threshold=1e-3, mgain=0.5), []
    cotton_schwab_on(DenseImager(dirty, psf, observe), (psf,), clean, keep=kept.append)
    with pytest.raises(DataError, match="the store is gone"):
        cotton_schwab_on(DenseImager(dirty, psf, lost), (psf,), clean, begun=kept[1])


def test_mgain_sets_the_depth_of_a_major_cycle(sky, psf):
    depths = {}
    for mgain in (0.5, 0.8):
        observe = Telescope(sky, psf)
        peaks = []

        def watch(model, major, observe=observe, peaks=peaks):
            left = observe(model, major)
            peaks.append(np.abs(left).max())
            return left

        cotton_schwab(observe.dirty, psf, CleanSpec(mgain=mgain, max_major=1), watch)
        depths[mgain] = peaks[0] / np.abs(observe.dirty).max()
    assert depths[0.5] == pytest.approx(0.5, abs=0.05)
    assert depths[0.8] == pytest.approx(0.2, abs=0.03)


def active_of(planes, level, column=0):
    """Active pixels of an image, or of a block that begins at a column."""
    view = search.View(planes, column, 1, max(planes[0].shape))
    return search.active((view,), search.POINTS, level)


def test_of_the_pixels_below_the_level_the_strongest_are_kept(monkeypatch):
    """Block by block or at once; equal ones are kept together."""
    monkeypatch.setattr(residual_image, "SPARE", 5)
    rng = np.random.default_rng(6)
    image = rng.integers(-100, 100, (40, 60)).astype(float)
    at_once = active_of((image,), 90.0)
    blocks = [active_of((image[:, k : k + 20],), 90.0, k) for k in (0, 20, 40)]
    joined = sum(blocks[1:], blocks[0]).strongest(90.0)
    assert {*map(tuple, joined.position)} == {*map(tuple, at_once.position)}
    strength = np.abs(at_once.value[:, 0])
    assert np.count_nonzero(strength > 90) == np.count_nonzero(np.abs(image) > 90)
    spare = strength[strength <= 90]
    assert len(spare) >= 5
    assert len(spare) == np.count_nonzero((np.abs(image) <= 90) & (np.abs(image) >= spare.min()))
    np.testing.assert_array_equal(image[tuple(at_once.position.T)], at_once.value[:, 0])


def test_sidelobes_are_subtracted_where_pixels_were_too_many(sky, psf, monkeypatch):
    """Else every pixel that they may raise was cleaned with the others."""
    asked = []
    subtract = residual.LocalResidual.without
    monkeypatch.setattr(
        residual.LocalResidual, "without", lambda *a: asked.append(a) or subtract(*a)
    )
    options = {"gain": 0.1, "level": 0.01, "iterations": 10_000}
    _, used = minor_cycle_on(convolved(sky, psf), psf, **options)
    assert not asked
    monkeypatch.setattr(residual_image, "SPARE", 1)
    _, again = minor_cycle_on(convolved(sky, psf), psf, **options)
    assert asked
    assert again == pytest.approx(used, rel=0.1)


def test_active_pixels_know_what_was_left_out(monkeypatch):
    """A minor cycle goes on where some near the level were left out; by blocks or at once."""
    image = np.array([[12.0, 7.0, 6.0, 2.0], [3.0, -6.5, 5.5, 1.0]])
    monkeypatch.setattr(residual_image, "SPARE", 4)
    assert active_of((image,), 10.0).floor == 5.0
    monkeypatch.setattr(residual_image, "SPARE", 2)
    found = active_of((image,), 8.0)
    blocks = active_of((image[:, :2],), 8.0)
    blocks += active_of((image[:, 2:],), 8.0, 2)
    for active in (found, blocks.strongest(8.0)):
        assert sorted(np.abs(active.value[:, 0])) == [6.5, 7.0, 12.0]
        assert active.floor == 6.5
        assert active.thinned(8.0)


def test_a_block_that_was_thinned_to_what_is_allowed_is_known_to_be(monkeypatch):
    """The other block has nothing to add, so that nothing is left out when they are joined."""
    monkeypatch.setattr(residual_image, "SPARE", 2)
    image = np.array([[12.0, 7.0, 6.0, 2.0], [3.0, -6.5, 1.0, 1.0]])
    left, right = (
        active_of((image[:, :3],), 8.0),
        active_of((image[:, 3:],), 8.0, 3),
    )
    at_once = active_of((image,), 8.0)
    for joined in (left + right, right + left):
        assert joined.strongest(8.0).floor == at_once.floor == 6.5


@pytest.mark.parametrize("spare", [1, 20])
def test_pixels_below_the_level_change_what_a_minor_cycle_does_not(sky, psf, monkeypatch, spare):
    monkeypatch.setattr(residual_image, "SPARE", spare)
    dirty = convolved(sky, psf)
    model, _ = minor_cycle_on(dirty, psf, gain=0.1, level=0.01, iterations=10_000)
    assert np.abs(dirty - convolved(model, psf)).max() <= 0.01


def raised(reach):
    """What a minor cycle down to 0.5 leaves where a component of 1 raises a pixel of 0.2."""
    image = np.zeros((64, 64))
    image[20, 20], image[21, 20], image[50, 10] = 1.0, 0.2, 0.3
    psf = draw_beam(Beam(5.0, 5.0, 0.0), 64, ARCSEC)  # a main lobe alone
    sources = minor_cycle.Sources((psf,), search.Search(reach=reach))
    model, used = minor_cycle.minor_cycle(
        local_residual((image,), (psf,)), sources, gain=0.9, level=0.5, iterations=100
    )
    return np.abs(image - convolved(model.dense(64, 64)[0], psf)), model, used


def test_pixels_around_components_are_looked_at_again():
    """One too weak to be cleaned is more than that once its neighbour's main lobe is taken."""
    left, model, used = raised(0.0)
    assert (len(model), used) == (1, 1)
    assert left.max() > 0.6
    left, model, used = raised(3.0)
    assert left.max() <= 0.5
    assert len(model) > 1
    assert used > 1
    assert np.hypot(model.row - 20, model.column - 20).max() <= 3


def test_of_many_components_the_surroundings_wait_for_the_next_major_cycle(monkeypatch):
    monkeypatch.setattr(minor_cycle, "MOST", 20)
    _, model, used = raised(3.0)
    assert (len(model), used) == (1, 1)


def test_iterations_bound_what_is_looked_at_again(monkeypatch):
    assert raised(3.0)[2] > 2
    whole = minor_cycle.minor_cycle
    monkeypatch.setattr(
        minor_cycle, "minor_cycle", lambda *a, **k: whole(*a, **k | {"iterations": 2})
    )
    assert raised(3.0)[2] == 2
