"""The minor cycle on small images, beside loops over whole images that say what it should do."""

from itertools import pairwise, product

import numpy as np
import pytest

from spectrum_workflows.radio.deconvolution import minor_cycle, residual_image
from spectrum_workflows.radio.deconvolution.masks import pixel_mask
from spectrum_workflows.radio.deconvolution.minor_cycle import Sources
from spectrum_workflows.radio.deconvolution.responses import responses
from spectrum_workflows.radio.deconvolution.scales import scales_of, shape
from spectrum_workflows.radio.deconvolution.search import POINTS, Search
from spectrum_workflows.radio.imaging.noise import LocalNoise
from spectrum_workflows.radio.imaging.residual import local_residual

NPIX = 12
POINT = np.zeros((NPIX, NPIX))
POINT[NPIX // 2, NPIX // 2] = 1.0
"""A PSF without sidelobes."""


def cleaned(images, psfs, *, gain=0.1, level=0.0, iterations=1_000, **sources):
    """Components by pixel (and scale), and how many subtractions they took."""
    residual = local_residual(tuple(images), tuple(psfs))
    kinds = Sources(tuple(psfs), **sources)
    residual = residual.at_scales(kinds.search.scales)
    model, used = minor_cycle.minor_cycle(
        residual, kinds, gain=gain, level=level, iterations=iterations
    )
    places = zip(model.row.tolist(), model.column.tolist(), model.diameters.tolist(), strict=True)
    return dict(zip(places, model.flux, strict=True)), used


def sky_of(*sources):
    image = np.zeros((NPIX, NPIX))
    for row, column, value in sources:
        image[row, column] = value
    return image


def uneven_psf(seed, sidelobes=0.2):
    """A PSF that is not its own transpose."""
    psf = np.random.default_rng(seed).uniform(-sidelobes, sidelobes, (NPIX, NPIX))
    psf[NPIX // 2, NPIX // 2] = 1.0
    return psf


def without(image, psf, row, column, flux):
    """The image minus a component, whose PSF ends half an image away from it."""
    npix = len(psf)
    wide = np.pad(psf, npix)
    top, left = npix + npix // 2 - row, npix + npix // 2 - column
    return image - flux * wide[top : top + npix, left : left + npix]


def hogbom(images, psfs, gain, iterations):
    """Högbom's CLEAN: components, and the peak before and after each of them."""
    components, images = {}, list(images)
    peaks = [np.sqrt(sum(image**2 for image in images)).max()]
    for _ in range(iterations):
        strength = np.sqrt(sum(image**2 for image in images))
        row, column = np.unravel_index(strength.argmax(), strength.shape)
        flux = gain * np.array([image[row, column] for image in images])
        place = (int(row), int(column), 0.0)
        components[place] = components.get(place, 0) + flux
        images = [
            without(image, psf, row, column, own)
            for image, psf, own in zip(images, psfs, flux, strict=True)
        ]
        peaks.append(np.sqrt(sum(image**2 for image in images)).max())
    return components, peaks


def assert_equal(found, expected, rtol=1e-9):
    assert found.keys() == expected.keys()
    for place, flux in found.items():
        np.testing.assert_allclose(flux, expected[place], rtol=rtol)


@pytest.mark.parametrize("planes", [1, 2, 3])
@pytest.mark.parametrize("gain", [0.1, 0.3])
def test_with_every_pixel_active_it_is_hogboms(planes, gain):
    rng = np.random.default_rng(planes)
    images = rng.normal(size=(planes, NPIX, NPIX))
    psfs = [uneven_psf(seed) for seed in range(planes)]
    found, used = cleaned(images, psfs, gain=gain, iterations=40)
    assert used == 40
    assert_equal(found, hogbom(images, psfs, gain, 40)[0])


@pytest.mark.parametrize("value", [1.0, -1.0])
def test_a_lone_source_falls_by_the_gain_until_it_is_at_the_level(value):
    """0.8^n: 0.8, 0.64, 0.512, 0.4096."""
    found, used = cleaned([sky_of((3, 8, value))], [POINT], gain=0.2, level=0.5)
    assert used == 4
    assert_equal(found, {(3, 8, 0.0): np.array([value * (1 - 0.4096)])})


ALIKE = Search(noise_side=6, noise=LocalNoise(NPIX, np.ones((2, 2))))
"""Points that count by the noise around them, which is the same everywhere."""


@pytest.mark.parametrize("planes", [1, 2])
def test_points_in_even_noise_are_hogboms_too(planes):
    rng = np.random.default_rng(20 + planes)
    images = rng.normal(size=(planes, NPIX, NPIX))
    psfs = [uneven_psf(seed) for seed in range(planes)]
    sources = {"search": ALIKE, "responses": responses(psfs, ALIKE.scales)}
    found, used = cleaned(images, psfs, gain=0.2, iterations=40, **sources)
    assert used == 40
    assert_equal(found, hogbom(images, psfs, 0.2, 40)[0], rtol=1e-4)


@pytest.mark.parametrize("search", [POINTS, ALIKE])
def test_of_equal_peaks_the_first_by_rows_goes_first(search):
    """The same everywhere, in whatever order the pixels come."""
    image = sky_of((2, 9, 1.0), (5, 1, -1.0), (2, 10, 1.0))
    sources = {"search": search, "responses": responses([POINT], search.scales)}
    for count in (1, 2):
        found, _ = cleaned([image], [POINT], gain=0.5, iterations=count, **sources)
        assert list(found) == [(2, 9, 0.0), (2, 10, 0.0)][:count]


def test_what_is_at_the_level_is_not_above_it():
    found, used = cleaned([sky_of((3, 8, 1.0))], [POINT], level=1.0)
    assert (found, used) == ({}, 0)


def test_it_ends_where_all_is_at_the_level_exactly():
    found, used = cleaned([sky_of((3, 8, 1.0))], [POINT], gain=0.5, level=0.25)
    assert used == 2
    assert_equal(found, {(3, 8, 0.0): np.array([0.75])})


def test_nothing_gives_no_components():
    found, used = cleaned([np.zeros((NPIX, NPIX))], [POINT])
    assert (found, used) == ({}, 0)


def test_planes_are_searched_together():
    """Of 0.6 and 0.8 Jy there is more than of 0.9 Jy in one of them."""
    images = [sky_of((2, 2, 0.6), (9, 9, 0.9)), sky_of((2, 2, -0.8))]
    found, _ = cleaned(images, [POINT, POINT], gain=1.0, iterations=1)
    assert_equal(found, {(2, 2, 0.0): np.array([0.6, -0.8])})


def test_a_diverging_one_ends_once_its_peak_is_ten_times_the_first():
    bad = POINT.copy()
    bad[NPIX // 2 + 1, NPIX // 2] = -2.0  # each component leaves twice as much beside it
    image = sky_of((2, 5, 1.0)) + 1e-20  # what is exactly 0 is never active
    _, peaks = hogbom([image], [bad], 1.0, 6)
    assert peaks == [1, 2, 4, 8, 16, 32, 64]
    _, used = cleaned([image], [bad], gain=1.0)
    assert used == 4
    exactly = POINT.copy()
    exactly[NPIX // 2 + 1, NPIX // 2] = -10.0
    _, used = cleaned([image], [exactly], gain=1.0)
    assert used == 2  # ten times is not more than ten times


def test_the_limit_of_iterations_holds_over_all_active_sets(monkeypatch):
    monkeypatch.setattr(residual_image, "SPARE", 1)
    image = np.random.default_rng(7).normal(size=(NPIX, NPIX))
    psf = uneven_psf(8, 0.05)
    sets = []
    clean = minor_cycle._cleaned
    monkeypatch.setattr(minor_cycle, "_cleaned", lambda *a: sets.append(a) or clean(*a))
    _, endless = cleaned([image], [psf], level=0.5, iterations=10_000)
    assert len(sets) > 2
    for iterations in (endless - 3, 1):
        _, used = cleaned([image], [psf], level=0.5, iterations=iterations)
        assert used == iterations


def test_active_sets_follow_one_another_until_all_is_at_the_level(monkeypatch):
    """Components of the first are gone from what the second one starts with."""
    image = np.random.default_rng(9).normal(size=(NPIX, NPIX))
    psf = uneven_psf(10, 0.05)
    at_once, _ = cleaned([image], [psf], level=0.4)
    monkeypatch.setattr(residual_image, "SPARE", 1)
    found, used = cleaned([image], [psf], level=0.4)
    assert used < 1_000
    left = image
    for (row, column, _), [flux] in found.items():
        left = without(left, psf, row, column, flux)
    assert np.abs(left).max() <= 0.4 * (1 + 1e-12)
    assert sum(found.values()) == pytest.approx(sum(at_once.values()), rel=0.2)


def test_too_many_pixels_are_cleaned_down_to_those_left_out(monkeypatch):
    """Of four above the level two at a time, to a gain below the third: rounds, not one set."""
    monkeypatch.setattr(residual_image, "MOST", 2)
    image = sky_of((1, 1, 10.0), (1, 9, -9.0), (9, 1, 5.0), (9, 9, 4.0))
    floors = []
    clean = minor_cycle._cleaned

    def record(active, sources, control):
        floors.append((len(active.value), control[1]))
        return clean(active, sources, control)

    monkeypatch.setattr(minor_cycle, "_cleaned", record)
    found, _ = cleaned([image], [POINT], gain=0.5, level=1.0)
    assert floors[0] == (2, 4.5)  # half of the weaker of the two
    assert all(later <= earlier for (_, earlier), (_, later) in pairwise(floors))
    assert floors[-1][1] == 1.0
    for (row, column, _), [flux] in found.items():
        assert abs(image[row, column] - flux) <= 1.0
    assert len(found) == 4


def test_rounds_are_limited(monkeypatch):
    monkeypatch.setattr(residual_image, "MOST", 1)
    monkeypatch.setattr(minor_cycle, "ROUNDS", 3)
    image = sky_of((1, 1, 10.0), (1, 9, 9.0), (9, 1, 8.0), (9, 9, 7.0))
    found, used = cleaned([image], [POINT], gain=0.5, level=1.0)
    assert used == 3
    assert sorted(found) == [(1, 1, 0.0), (1, 9, 0.0), (9, 1, 0.0)]


# Several scales


SIDE = 44
SCALES = scales_of((5.0, 32.0))  # the widest stands on every second pixel only


def convolved(image, kernel):
    """The convolution of two centred images of the same side, as far as it goes."""
    size = 2 * len(image)
    transform = np.fft.fft2(image, (size, size)) * np.fft.fft2(kernel, (size, size))
    middle = len(image) // 2
    return np.fft.ifft2(transform).real[middle:, middle:][: len(image), : len(image)]


def centred(patch, npix):
    image, reach = np.zeros((npix, npix)), len(patch) // 2
    own = slice(npix // 2 - reach, npix // 2 + reach + 1)
    image[own, own] = patch
    return image


def multi_scale(images, psfs, allowed, gain, iterations):
    """The same as `hogbom` with the residual at every scale; what components do to all of them.

    ``allowed`` holds the pixels at which each scale may stand.
    """
    half, wide = SIDE // 2, 3 * SIDE
    kernels = [centred(shape(scale.diameter), wide) for scale in SCALES]

    def at(image, *numbers):
        padded = centred(np.pad(image, ((0, 1), (0, 1))), wide)  # from even to odd sides
        for number in numbers:
            padded = convolved(padded, kernels[number])
        return padded[SIDE : 2 * SIDE + 1, SIDE : 2 * SIDE + 1]

    left = [[at(image, number)[:SIDE, :SIDE] for image in images] for number in range(len(SCALES))]
    known = {
        (one, other, plane): at(psf, one, other)
        for one in range(len(SCALES))
        for other in range(len(SCALES))
        for plane, psf in enumerate(psfs)
    }
    components = {}
    for _ in range(iterations):
        candidates = [
            (scale.bias * np.linalg.norm([plane[at] for plane in left[number]]), number, *at)
            for number, scale in enumerate(SCALES)
            for at in allowed[number]
        ]
        _, number, row, column = max(candidates)
        centre = [known[number, number, plane][half, half] for plane in range(len(psfs))]
        flux = gain * np.array([plane[row, column] for plane in left[number]]) / centre
        key = (row, column, SCALES[number].diameter)
        components[key] = components.get(key, 0) + flux
        for other, plane in product(range(len(SCALES)), range(len(psfs))):
            step = min(SCALES[number].step, SCALES[other].step)
            reach = half // step * step
            for y, x in allowed[other]:
                if max(abs(y - row), abs(x - column)) <= reach:
                    response = known[number, other, plane][y - row + half, x - column + half]
                    left[other][plane][y, x] -= flux[plane] * response
    return components


@pytest.fixture(scope="module")
def several():
    """Two planes of noise and extended emission, their PSFs, and pixels that may be cleaned."""
    rng = np.random.default_rng(12)
    y, x = np.mgrid[:SIDE, :SIDE]
    psfs = [rng.uniform(-0.1, 0.1, (SIDE, SIDE)) for _ in range(2)]
    for psf, width in zip(psfs, (1, 2), strict=True):
        np.add(psf, (1 - psf[22, 22]) * np.exp(-np.hypot(y - 22, x - 22) / width), out=psf)
    images = [rng.normal(size=(SIDE, SIDE)) for _ in range(2)]
    images[0] += 2 * np.exp(-(np.hypot(y - 20, x - 24) ** 2) / 60)
    images[1] += 6 * np.exp(-(np.hypot(y - 24, x - 18) ** 2) / 8)
    mask = rng.random((SIDE, SIDE)) < 0.04
    mask[20, 24] = mask[24, 18] = mask[18, 18] = mask[0, 5] = mask[43, 40] = mask[22, 22] = True
    allowed = [
        [
            (row, column)
            for row, column in np.argwhere(mask).tolist()
            if row % scale.step == column % scale.step == 0
            and min(row, column) >= scale.margin
            and max(row, column) < SIDE - scale.margin
        ]
        for scale in SCALES
    ]
    return images, psfs, pixel_mask(mask), allowed


@pytest.mark.parametrize("planes", [1, 2])
def test_a_component_is_subtracted_at_all_scales_at_once(several, planes):
    images, psfs, mask, allowed = several
    images, psfs = images[:planes], psfs[:planes]
    assert min(len(places) for places in allowed) >= 3
    search = Search(SCALES, mask)
    found, used = cleaned(
        images, psfs, gain=0.2, iterations=25, search=search, responses=responses(psfs, SCALES)
    )
    assert used == 25
    assert {diameter for *_, diameter in found} == {0.0, 5.0, 32.0}
    assert_equal(found, multi_scale(images, psfs, allowed, 0.2, 25), rtol=1e-4)


def test_peaks_count_by_the_noise_around_them():
    """1 Jy in noise of 1 is more than 3 Jy in noise of 4; what is cleaned is in Jy."""
    noise = LocalNoise(NPIX, np.array([[1.0, 1.0], [0.25, 0.25]]))
    quiet, loud = (1, 6), (11, 6)
    image = sky_of((*quiet, 1.0), (*loud, 3.0))
    search = Search(noise_side=6, noise=noise)
    sources = {"search": search, "responses": responses([POINT], search.scales)}
    first, _ = cleaned([image], [POINT], gain=0.2, iterations=1, **sources)
    assert_equal(first, {(*quiet, 0.0): np.array([0.2])}, rtol=1e-6)
    both, used = cleaned([image], [POINT], gain=0.2, level=0.65, **sources)
    assert used == 3  # to 1 × 0.8² and to 3 / 4 × 0.8
    expected = {(*quiet, 0.0): np.array([0.36]), (*loud, 0.0): np.array([0.6])}
    assert_equal(both, expected, rtol=1e-6)


def test_several_scales_diverge_as_points_do():
    """Peaks of 1, 2, 4, 8 and 16: more than ten times the first is not cleaned any more."""
    bad = POINT.copy()
    bad[NPIX // 2 + 1, NPIX // 2] = -2.0
    sources = {"search": ALIKE, "responses": responses([bad], ALIKE.scales)}
    _, used = cleaned([sky_of((2, 5, 1.0)) + 1e-20], [bad], gain=1.0, **sources)
    assert used == 4


def test_at_several_scales_there_is_one_active_set(several, monkeypatch):
    """The next major cycle does the rest: of the residual at scales nothing else is known."""
    monkeypatch.setattr(residual_image, "SPARE", 1)
    images, psfs, mask, _ = several
    sets = []
    clean = minor_cycle._cleaned
    monkeypatch.setattr(minor_cycle, "_cleaned", lambda *a: sets.append(a) or clean(*a))
    sources = {"search": Search(SCALES, mask), "responses": responses(psfs, SCALES)}
    cleaned(images, psfs, level=1.0, **sources)
    assert len(sets) == 1
