"""Major cycles with an imager that does what a test tells it; its PSF has no sidelobes."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.deconvolution import cotton_schwab, residual_image
from spectrum_workflows.radio.deconvolution.cotton_schwab import (
    BELOW_OF_POINTS,
    highest_of_noise,
    main_lobe,
)
from spectrum_workflows.radio.deconvolution.masks import pixel_mask
from spectrum_workflows.radio.deconvolution.scales import scales_of, shape
from spectrum_workflows.radio.deconvolution.search import Search
from spectrum_workflows.radio.imaging.residual import LocalResidual, local_residual
from spectrum_workflows.radio.spec import CleanSpec
from spectrum_workflows.radio.types import Stop
from spectrum_workflows.radio.types.robust import robust_rms

NPIX = 16
PSF = np.zeros((NPIX, NPIX))
PSF[NPIX // 2, NPIX // 2] = 1.0


@dataclass
class Released:
    """A residual image that is gone once it is closed."""

    image: LocalResidual
    closed: bool = False

    def close(self):
        self.closed = True

    def at_scales(self, scales):
        self.image = self.image.at_scales(scales)
        return self

    def __getattr__(self, name):
        assert not self.closed
        return getattr(self.image, name)


@dataclass
class Telescope:
    """An imager whose residuals are the sky minus the model, but in some cycles.

    Attributes
    ----------
    sky : ndarray
    changes : dict
        ``changes[n](residual)``: what is done to the n-th residual asked for.
    released : bool
        Whether its residuals are gone once they are closed.
    asked : list
        Major cycle, accuracy, and flux of the model of every one.
    given : list
        The residuals.
    """

    sky: np.ndarray
    changes: dict = field(default_factory=dict)
    released: bool = True
    asked: list = field(default_factory=list)
    given: list = field(default_factory=list)

    def residual(self, model, cycle, *, accuracy=1.0):
        assert not self.released or all(image.closed for image in self.given)
        [dense] = model.dense(NPIX, NPIX)
        image = self.changes.get(len(self.asked), lambda image: image)
        self.asked.append((cycle, accuracy, float(dense.sum())))
        made = local_residual((image(self.sky - dense),), (PSF,))
        self.given.append(Released(made) if self.released else made)
        return self.given[-1]


def lost(_image):
    raise DataError("it is gone", "chunk 1")


def sky_of(*sources):
    image = np.zeros((NPIX, NPIX))
    for row, column, value in sources:
        image[row, column] = value
    return image


TWO = sky_of((3, 4, 1.0), (9, 12, -0.5))


def deconvolve(telescope, search=None, **options):
    watched = []
    found = cotton_schwab(
        telescope,
        (PSF,),
        CleanSpec(**options),
        **({} if search is None else {"search": search}),
        seen=lambda now, peak, rms: watched.append((now.major, len(now.model), peak, rms)),
    )
    return found, watched


def test_each_major_cycle_goes_down_by_its_gain_until_the_threshold():
    """1 Jy to 0.8^n: below 0.2 after 8 components, below 0.05 after 14, below 0.02 after 18."""
    telescope = Telescope(sky_of((3, 4, 1.0)))
    found, watched = deconvolve(telescope, gain=0.2, mgain=0.8, threshold=0.02)
    assert found.stop is Stop.THRESHOLD
    assert found.major == 3
    assert found.iterations == 18
    assert found.threshold == 0.02
    assert found.peak == pytest.approx(0.8**18)
    assert [major for major, *_ in watched] == [0, 1, 2, 3]
    assert [models for _, models, *_ in watched] == [0, 1, 1, 1]
    assert [peak for *_, peak, _ in watched] == pytest.approx([1, 0.8**8, 0.8**16, 0.8**18])
    assert all(math.isnan(rms) for *_, rms in watched)
    [left] = found.residual.gathered()
    assert left[3, 4] == pytest.approx(0.8**18)


def test_the_residual_is_of_the_model_that_is_returned():
    telescope = Telescope(TWO)
    found, _ = deconvolve(telescope, threshold=0.02)
    [left], [model] = found.residual.gathered(), found.model.dense(NPIX, NPIX)
    np.testing.assert_allclose(left, TWO - model, atol=1e-15)
    assert np.abs(left).max() <= 0.02
    assert not telescope.given[-1].closed
    assert [cycle for cycle, *_ in telescope.asked] == list(range(found.major + 1))


def test_nothing_is_left_of_a_source_that_is_taken_at_once():
    found, _ = deconvolve(Telescope(sky_of((3, 4, 1.0))), gain=1.0)
    assert found.stop is Stop.NOTHING_LEFT
    assert (found.major, found.iterations, found.peak) == (1, 1, 0)


def test_the_limit_of_iterations_holds_over_all_cycles():
    whole, _ = deconvolve(Telescope(TWO), threshold=0.02, mgain=0.5)
    assert whole.major > 2
    found, _ = deconvolve(
        Telescope(TWO), threshold=0.02, mgain=0.5, iterations=whole.iterations - 1
    )
    assert found.stop is Stop.ITERATIONS
    assert found.iterations == whole.iterations - 1
    just, _ = deconvolve(Telescope(TWO), threshold=0.02, mgain=0.5, iterations=whole.iterations)
    assert just.stop is Stop.THRESHOLD


@pytest.mark.parametrize(("factor", "stop"), [(1.19, Stop.THRESHOLD), (1.21, Stop.DIVERGED)])
def test_it_diverges_where_the_peak_grows_by_a_fifth(factor, stop):
    def grown(image):
        return factor * image / np.abs(image).max()

    found, _ = deconvolve(Telescope(TWO, {1: grown}), threshold=0.02)
    assert found.stop is stop


def test_a_residual_that_was_released_is_asked_for_again_where_clean_diverged():
    telescope = Telescope(TWO, {2: lambda image: image + 9.0})
    found, watched = deconvolve(telescope, threshold=0.02)
    assert found.stop is Stop.DIVERGED
    assert found.major == 1
    cycles, accuracies, fluxes = zip(*telescope.asked, strict=True)
    assert cycles == (0, 1, 2, 1)
    assert set(accuracies) == {1.0}
    assert fluxes[3] == fluxes[1]
    assert [image.closed for image in telescope.given] == [True, True, True, False]
    [left], [model] = found.residual.gathered(), found.model.dense(NPIX, NPIX)
    np.testing.assert_allclose(left, TWO - model, atol=1e-15)
    assert len(watched) == 3
    assert watched[-1][2] > 8


def test_a_residual_that_is_still_there_is_not_asked_for_again():
    telescope = Telescope(TWO, {2: lambda image: image + 9.0}, released=False)
    found, _ = deconvolve(telescope, threshold=0.02)
    assert found.stop is Stop.DIVERGED
    assert [cycle for cycle, *_ in telescope.asked] == [0, 1, 2]
    assert found.residual is telescope.given[1]


def test_a_peak_that_is_no_number_is_divergence():
    for released in (True, False):
        telescope = Telescope(TWO, {1: lambda image: image * np.nan}, released=released)
        found, _ = deconvolve(telescope, sigma=3.0)
        assert found.stop is Stop.DIVERGED
        assert found.major == 0
        assert len(found.model) == 0


def test_where_a_major_cycle_fails_the_model_before_is_kept():
    telescope = Telescope(TWO, {2: lost}, released=False)
    found, _ = deconvolve(telescope, threshold=0.02)
    assert found.stop is Stop.LOST
    assert found.error == "chunk 1: it is gone"
    assert found.major == 1
    assert found.residual is telescope.given[1]
    assert found.model.flux.sum() == pytest.approx(telescope.asked[1][2])


def test_where_nothing_is_kept_the_failure_is_the_users():
    with pytest.raises(DataError, match="it is gone"):
        deconvolve(Telescope(TWO, {1: lost}), threshold=0.02)
    with pytest.raises(DataError, match="it is gone"):  # asked for again after it diverged
        deconvolve(Telescope(TWO, {2: lambda image: image + 9.0, 3: lost}), threshold=0.02)


def test_accuracy_is_what_the_next_minor_cycle_needs():
    """An error is as small beside the level as it would be beside the threshold in the end."""
    telescope = Telescope(sky_of((3, 4, 1.0), (5, 5, 0.9)))
    options = {"threshold": 0.02, "mgain": 0.6, "gain": 0.01, "accuracy": "as needed"}
    found, watched = deconvolve(telescope, **options)
    assert found.stop is Stop.THRESHOLD
    accuracies = [accuracy for _, accuracy, _ in telescope.asked]
    peaks = [peak for *_, peak, _ in watched]
    levels = [0.4 * peak for peak in peaks if peak > 0.1]  # the next one goes to the threshold
    assert accuracies[0] == 1
    assert accuracies[1 : len(levels) + 1] == pytest.approx([level / 0.02 for level in levels])
    assert levels[0] / 0.02 == 20
    assert accuracies[-1] == 1
    assert all(accuracy >= 1 for accuracy in accuracies)


def test_the_last_minor_cycle_goes_a_little_deeper_where_accuracy_is_as_needed():
    """Else another pass would be needed for what is just above the threshold."""
    for accuracy, level in (("full", 0.5), ("as needed", 0.5 * BELOW_OF_POINTS)):
        telescope = Telescope(sky_of((3, 4, 1.0)))
        found, _ = deconvolve(telescope, threshold=0.5, gain=0.001, mgain=0.9, accuracy=accuracy)
        [left] = found.residual.gathered()
        assert 0.998 * level < left[3, 4] <= level


@pytest.mark.parametrize(("mgain", "major"), [(0.26, 1), (0.24, 2)])
def test_a_minor_cycle_that_would_nearly_reach_the_threshold_does(mgain, major):
    """From 1 to 0.74 or 0.76: it would end below, or above, twice 0.75 of the threshold."""
    telescope = Telescope(sky_of((3, 4, 1.0)))
    found, _ = deconvolve(telescope, threshold=0.5, gain=0.001, mgain=mgain, accuracy="as needed")
    assert found.stop is Stop.THRESHOLD
    assert found.major == major
    telescope = Telescope(sky_of((3, 4, 1.0)))
    found, _ = deconvolve(telescope, threshold=0.5, gain=0.001, mgain=mgain)
    assert found.major > 2


@pytest.mark.parametrize(("width", "length"), [(1.0, 1.0), (2.0, 5.0)])
def test_the_main_lobe_is_as_wide_as_the_beam_is_long(width, length):
    """At an angle of 45 degrees, and with a sidelobe as high that is no part of it."""
    row, column = np.mgrid[-50:50, -50:50]
    along, across = (row + column) / math.sqrt(2), (row - column) / math.sqrt(2)
    psf = np.exp(-4 * math.log(2) * ((along / length) ** 2 + (across / width) ** 2))
    psf[80, 50] = 0.9
    assert length - 1.5 <= main_lobe(psf) <= length + 1.5


def test_a_psf_without_a_peak_has_no_main_lobe():
    assert main_lobe(np.zeros((8, 8))) == 0


def test_an_end_that_was_seen_inaccurately_is_looked_at_again():
    """A rough residual said that CLEAN is at its threshold; the exact one says that it is not."""
    options = {"threshold": 0.1, "mgain": 0.5, "gain": 1.0, "accuracy": "as needed"}
    rough = Telescope(sky_of((3, 4, 1.0)), {2: lambda image: image + sky_of((6, 6, 0.3))})
    found, watched = deconvolve(rough, **options)
    assert [accuracy for _, accuracy, _ in rough.asked][:3] == pytest.approx([1, 5, 1])
    assert [cycle for cycle, *_ in rough.asked][:3] == [0, 1, 1]
    assert [peak for *_, peak, _ in watched][:3] == pytest.approx([1, 0, 0.3])
    assert found.stop is Stop.NOTHING_LEFT
    assert len(rough.asked) > 3


def test_without_a_threshold_all_residuals_are_exact():
    telescope = Telescope(TWO)
    deconvolve(telescope, accuracy="as needed", max_major=3)
    assert {accuracy for _, accuracy, _ in telescope.asked} == {1.0}


def test_a_rough_residual_before_a_divergence_is_made_exact():
    """What CLEAN returns is of full accuracy, also where it ends with the model before."""
    for released in (True, False):
        telescope = Telescope(TWO, {2: lambda image: image + 9.0}, released=released)
        found, _ = deconvolve(telescope, threshold=0.02, mgain=0.5, accuracy="as needed")
        assert found.stop is Stop.DIVERGED
        assert [cycle for cycle, *_ in telescope.asked] == [0, 1, 2, 1]
        assert telescope.asked[1][1] > 1
        assert telescope.asked[3][1] == 1


@pytest.mark.parametrize("last", [3, 2])
def test_a_rough_residual_that_is_kept_is_said_to_be_rough(last):
    """Because the exact one fails after CLEAN diverged, or another major cycle failed."""
    changes = {3: {2: lambda image: image + 9.0, 3: lost}, 2: {2: lost}}[last]
    telescope = Telescope(TWO, changes, released=False)
    found, _ = deconvolve(telescope, threshold=0.02, mgain=0.5, accuracy="as needed")
    assert found.stop is Stop.LOST
    assert found.error == "chunk 1: it is gone; the residual that is kept is of lower accuracy"
    assert found.residual is telescope.given[1]


def noisy(sigma, *sources):
    return sky_of(*sources) + sigma * np.random.default_rng(3).normal(size=(NPIX, NPIX))


def test_the_rms_is_asked_for_where_sigma_is():
    sky = noisy(0.01, (3, 4, 1.0))
    found, watched = deconvolve(Telescope(sky), sigma=5.0)
    assert found.stop is Stop.SIGMA
    assert watched[0][3] == robust_rms(sky)
    assert found.threshold == pytest.approx(5 * watched[-1][3])


def test_a_level_that_was_not_gone_down_to_is_renewed():
    """What was taken for noise at first is not what the first residual's rms says it is."""
    rng = np.random.default_rng(8)
    loud, quiet = (sigma * rng.uniform(-1.7, 1.7, (NPIX, NPIX)) for sigma in (0.075, 0.05))
    source = sky_of((3, 4, 1.0))
    telescope = Telescope(source, {0: lambda _: source + loud, 1: lambda _: quiet})
    found, watched = deconvolve(telescope, sigma=1.5, max_major=1)
    first, second = (1.5 * rms for *_, rms in watched)
    assert second < np.abs(quiet).max() < first < 0.2
    assert found.threshold == second
    assert found.stop is Stop.MAX_MAJOR


ROUGH = {"threshold": 0.02, "mgain": 0.5, "accuracy": "as needed"}


@pytest.mark.parametrize(
    "options",
    [ROUGH, {"sigma": 3.0, "mgain": 0.6}, {"sigma": 1.0, "auto_mask": 6.0, "mgain": 0.5}],
    ids=["rough", "sigma", "auto_mask"],
)
def test_from_any_of_its_cycles_it_comes_to_the_same_end(options):
    """And asks for the same residuals, of the same accuracy, from there on."""
    sky, kept = noisy(0.004, (3, 4, 1.0), (9, 9, 0.3)), []
    first = Telescope(sky)
    found = cotton_schwab(first, (PSF,), CleanSpec(**options), keep=kept.append)
    assert len(kept) == found.major > 2
    for number, cycle in enumerate(kept):
        again = Telescope(sky)
        other = cotton_schwab(again, (PSF,), CleanSpec(**options), begun=cycle)
        assert again.asked[1:] == first.asked[number + 1 :]
        for name in ("stop", "major", "iterations", "threshold", "peak", "error"):
            assert getattr(other, name) == getattr(found, name), name
        for name in ("row", "column", "flux"):
            np.testing.assert_array_equal(getattr(other.model, name), getattr(found.model, name))


@pytest.mark.parametrize("samples", [2_000, 100_000])
def test_noise_reaches_so_high(samples):
    rng = np.random.default_rng(samples)
    peaks = [np.abs(rng.normal(size=samples)).max() for _ in range(20)]
    assert highest_of_noise(samples) == pytest.approx(np.mean(peaks), rel=0.1)
    assert highest_of_noise(1) == 0


def test_a_mask_of_itself_ends_without_components():
    """Nothing exceeds so many times the rms: there is nowhere to go deeper."""
    telescope = Telescope(noisy(1.0))
    found, _ = deconvolve(telescope, sigma=2.0, auto_mask=8.0)
    assert found.stop is Stop.SIGMA
    assert len(found.model) == 0
    assert len(telescope.asked) == 1
    assert found.threshold == pytest.approx(8 * robust_rms(telescope.sky))


def test_a_mask_of_itself_is_made_only_where_its_level_was_reached():
    telescope = Telescope(noisy(0.01, (3, 4, 1.0)))
    found, _ = deconvolve(telescope, sigma=1.0, auto_mask=5.0, iterations=3)
    assert found.stop is Stop.ITERATIONS
    assert found.iterations == 3
    assert len(telescope.asked) == 2


def test_a_mask_of_itself_goes_on_where_the_first_part_ended():
    telescope = Telescope(noisy(0.01, (3, 4, 1.0), (9, 9, 0.3)))
    found, watched = deconvolve(telescope, sigma=1.0, auto_mask=6.0)
    assert found.stop is Stop.SIGMA
    places = list(zip(found.model.row.tolist(), found.model.column.tolist(), strict=True))
    assert places == [(3, 4), (9, 9)]
    [left] = found.residual.gathered()
    assert max(abs(left[3, 4]), abs(left[9, 9])) <= found.threshold < 0.015
    majors = [major for major, *_ in watched]
    assert majors == sorted(majors)
    assert [cycle for cycle, *_ in telescope.asked] == list(range(found.major + 1))


def test_peaks_count_by_the_noise_of_their_squares():
    rng = np.random.default_rng(5)
    sky = rng.normal(size=(NPIX, NPIX)) * np.where(np.arange(NPIX) < 8, 0.2, 0.1)
    sky[10, 14] += 3.0
    search, every = Search(noise_side=8), np.arange(NPIX)
    found, watched = deconvolve(Telescope(sky), search, sigma=4.0, local_rms=5.0)
    assert found.stop is Stop.SIGMA
    [left] = found.residual.gathered()
    for image, peak in ((sky, watched[0][2]), (left, found.peak)):
        factors = local_residual((image,), (PSF,)).local_noise(8).factors(every, every)
        assert peak == pytest.approx((np.abs(image) * factors).max(), rel=1e-12)
    assert found.peak <= found.threshold == pytest.approx(4 * robust_rms(left))


def test_scales_are_matched_to_the_psf():
    """Then a component tells itself; by the usual biases it would be taken for points."""
    mask = pixel_mask(np.ones((NPIX, NPIX), bool))
    sky = np.zeros((NPIX, NPIX))
    sky[6:11, 6:11] = shape(5.0)
    diameters = {}
    for matched in (True, False):
        search = Search(scales_of((5.0,)), mask, matched=matched)
        found, _ = deconvolve(Telescope(sky), search, threshold=0.1)
        diameters[matched] = set(found.model.diameters)
    assert diameters == {True: {5.0}, False: {0.0, 5.0}}


def test_pixels_that_were_too_many_are_left_to_the_next_cycle(monkeypatch):
    monkeypatch.setattr(residual_image, "MOST", 5)
    found, _ = deconvolve(Telescope(noisy(1.0)), threshold=0.5)
    [left] = found.residual.gathered()
    assert found.stop is Stop.THRESHOLD
    assert np.abs(left).max() <= 0.5
