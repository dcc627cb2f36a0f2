"""Where CLEAN may put components: masks of users, masks it makes itself, and local noise."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from astropy.io import fits

from spectrum_workflows import radio
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine import Run
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.deconvolution.components import Components
from spectrum_workflows.radio.deconvolution.convolution import filtered, spectrum_of
from spectrum_workflows.radio.deconvolution.cotton_schwab import cotton_schwab
from spectrum_workflows.radio.deconvolution.masks import pixel_mask
from spectrum_workflows.radio.deconvolution.residual_image import Active
from spectrum_workflows.radio.deconvolution.scales import Scale
from spectrum_workflows.radio.deconvolution.search import Search, View, strengths
from spectrum_workflows.radio.imaging import noise
from spectrum_workflows.radio.imaging.residual import LocalResidual
from spectrum_workflows.radio.spec import CleanSpec
from spectrum_workflows.radio.types import Stop
from spectrum_workflows.radio.types.robust import MAD_TO_SIGMA, robust_rms
from spectrum_workflows.radio.workflow import image

from .conftest import spec_of

NPIX, CELL = 64, 20.0


def test_a_mask_is_a_bit_per_pixel():
    allowed = np.random.default_rng(1).random((50, 50)) < 0.3
    mask = pixel_mask(allowed)
    assert mask.pixels == allowed.sum()
    assert mask.bits.nbytes == 50 * 7
    for start, stop in ((0, 50), (3, 4), (20, 33), (7, 7)):
        np.testing.assert_array_equal(mask.columns(start, stop), allowed[:, start:stop])


@pytest.fixture(scope="module")
def vis():
    """Two sources, and noise."""
    rng = np.random.default_rng(1)
    uvw = rng.normal(0.0, 300.0, (1_500, 3))
    sky = np.zeros((NPIX, NPIX))
    sky[20, 40], sky[45, 15] = 2.0, 1.0
    empty = radio.visibilities(uvw, [1.4e9], np.zeros((1_500, 1)))
    seen = radio.predict(sky, empty, cell=CELL).values[..., 0]
    seen = seen + rng.normal(0, 0.5, seen.shape) + 1j * rng.normal(0, 0.5, seen.shape)
    return radio.visibilities(uvw, [1.4e9], seen)


def clean(vis, **options):
    return radio.clean(vis, npix=NPIX, cell=CELL, **options)


@pytest.mark.parametrize("scales", [(), (120.0,)])
def test_components_lie_within_the_mask(vis, scales):
    mask = np.zeros((NPIX, NPIX), bool)
    mask[15:26, 35:46] = True
    found = clean(vis, threshold=0.1, mask=mask, scales=scales)
    model = found.SKY_MODEL.values
    reach = 0 if not scales else 2
    assert not model[: 15 - reach].any()
    assert not model[26 + reach :].any()
    assert model.sum() == pytest.approx(2.0, rel=0.1)
    assert np.abs(found.SKY_RESIDUAL.values[mask]).max() <= 0.1
    assert found.SKY_RESIDUAL.values[45, 15] > 0.7
    same = radio.image(
        vis, npix=NPIX, cell=CELL, clean={"threshold": 0.1, "mask": mask, "scales": scales}
    )
    np.testing.assert_array_equal(same.SKY_MODEL.squeeze().transpose("m", "l"), model)


def test_a_mask_of_itself_goes_deeper_where_something_was_found(vis):
    shallow, deep = clean(vis, sigma=6.0), clean(vis, sigma=1.0, auto_mask=6.0)
    everywhere = clean(vis, sigma=1.0, max_major=6)
    places = {
        name: np.flatnonzero(found.SKY_MODEL)
        for name, found in (("shallow", shallow), ("deep", deep), ("everywhere", everywhere))
    }
    assert places["deep"].tolist() == places["shallow"].tolist()
    assert len(places["everywhere"]) > 5 * len(places["deep"])
    left = [
        np.abs(found.SKY_RESIDUAL.values.ravel()[places["deep"]]).max() for found in (shallow, deep)
    ]
    assert left[1] < left[0]
    assert left[1] <= deep.attrs["threshold"]
    assert deep.attrs["stop"] == "sigma"


def test_an_extended_component_opens_its_middle_to_smaller_ones():
    step, npix = 2, 64
    found = Components(
        np.array([20, 40]), np.array([32, 9]), np.ones((2, 1)), np.array([20.0, 0.0])
    )
    places = {}
    for diameter in (0.0, 10.0, 20.0, 40.0):
        scale = Scale(diameter)
        view = View((np.ones((npix // step, npix // step)),), 0, step, npix)
        allowed = strengths(view, scale, Search(model=found)) > 0
        places[diameter] = {(2 * row, 2 * column) for row, column in np.argwhere(allowed)}
    within = {
        (y, x) for y in range(0, 64, 2) for x in range(0, 64, 2) if np.hypot(y - 20, x - 32) <= 4.3
    }
    assert places[20.0] == places[10.0] == within
    assert places[0.0] == within  # the point's column is between two samples
    assert places[40.0] == set()


def test_what_is_left_outside_of_the_mask_is_no_reason_to_warn(small):
    spec = spec_of(clean={"threshold": 1e-3, "iterations": 300}, weighting={"scheme": "uniform"})
    mask = np.zeros((128, 128), bool)
    mask[60:69, 60:69] = True
    plan = DOMAIN.plan(spec, str(small))
    passes = Run(plan.partitions, None, "raise", lambda *_: None, "radio", 4, Metrics())
    found = image(spec, plan.observation, plan.groups[0], passes, pixel_mask(mask))
    outside = np.abs(found.planes[0].residual).max()
    inside = np.abs(found.planes[0].residual[mask]).max()
    assert found.peak_left == pytest.approx(inside, rel=1e-12)
    assert outside > 10 * inside


def test_noise_of_squares_is_the_rms_around_each_pixel():
    rng = np.random.default_rng(2)
    npix, count = 240, 4
    sigma = np.where(np.arange(npix) < npix // 2, 1.0, 4.0)[:, None]
    image = sigma * rng.normal(size=(npix, npix))
    rms = robust_rms(image)
    pieces = [(0, 100), (100, 130), (130, 240)]
    counts = sum(noise.square_histograms(image[:, a:b], a, count, rms) for a, b in pieces)
    np.testing.assert_array_equal(counts, noise.square_histograms(image, 0, count, rms))
    local = noise.local_noise(counts, npix)
    rows, columns = np.array([0, 29, 119, 120, 210, 239]), np.array([0, 50, 239])
    found = rms / local.factors(rows, columns)
    assert found[0] == pytest.approx([1.0] * 3, rel=0.05)
    assert found[-1] == pytest.approx([4.0] * 3, rel=0.05)
    each = [local.factor(np.full(3, row), columns) for row in rows]
    np.testing.assert_allclose(each, local.factors(rows, columns), rtol=1e-12)


def test_peaks_in_noise_of_their_own_are_no_sources(vis):
    found = clean(vis, sigma=5.0, local_rms=10.0)
    assert found.attrs["stop"] == "sigma"
    assert found.SKY_MODEL.values.sum() == pytest.approx(3.0, rel=0.1)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 1_001, 5_000])
def test_the_median_of_pieces_is_that_of_all(size, kind, monkeypatch):
    monkeypatch.setattr(noise, "FEW", 3)
    rng = np.random.default_rng(size)
    image = rng.normal(size=size).astype(kind) * np.exp(rng.normal(size=size)).astype(kind)
    image[: size // 3] = image[0]
    pieces = np.array_split(image, 3)

    def count(wanted):
        return sum(noise.counted(piece, wanted) for piece in pieces)

    def collect(wanted):
        return np.concatenate([noise.collected(piece, wanted) for piece in pieces])

    every = image.astype(np.float64)
    median = noise.exact_median(size, None, count, collect)
    assert median == np.median(every)
    deviation = noise.exact_median(size, median, count, collect)
    assert MAD_TO_SIGMA * deviation == robust_rms(every)


def test_the_active_set_is_bounded(monkeypatch):
    monkeypatch.setattr("spectrum_workflows.radio.deconvolution.residual_image.MOST", 10)
    values = np.concatenate([np.full(20, 5.0), np.arange(30) / 10])[:, None]
    position = np.stack([np.arange(50), np.zeros(50, np.int64)], axis=1)
    active = Active(position, values, 0.5, np.zeros(50, np.int64), np.ones(50))
    kept = active.strongest(1.0)
    assert (len(kept.value), kept.floor) == (10, 5.0)
    halves = active[np.arange(25)].strongest(1.0) + active[np.arange(25, 50)].strongest(1.0)
    assert halves.strongest(1.0).position.tolist() == kept.position.tolist()
    for scales in ((), (120.0,)):
        rng = np.random.default_rng(3)
        noisy = radio.visibilities(
            rng.normal(0.0, 300.0, (300, 3)), [1.4e9], rng.normal(size=(300, 1))
        )
        found = clean(noisy, threshold=1e-9, max_major=3, iterations=500, scales=scales)
        assert found.attrs["stop"] in {"max_major", "iterations"}


def test_an_image_of_nothing_has_the_same_noise_everywhere():
    nothing = LocalResidual((np.zeros((64, 64)),), lambda: ())
    assert nothing.local_noise(8).factor(np.array([3]), np.array([60])).tolist() == [1.0]


@dataclass
class FailingAtTheEnd:
    """An imager whose residuals of full accuracy cannot be had any more after the first."""

    imager: "Sky"
    asked: list[float] = field(default_factory=list)

    def residual(self, model, cycle, *, accuracy=1.0):
        self.asked.append(accuracy)
        if accuracy == 1.0 and len(self.asked) > 1:
            raise DataError("it is gone", "chunk 1")
        return self.imager.residual(model, cycle, accuracy=accuracy)


class Sky:
    """An imager of one source whose PSF is a Gaussian, without visibilities."""

    def __init__(self):
        y, x = np.mgrid[-32:32, -32:32]
        self.psf = np.exp(-(x**2 + y**2) / 8.0)

    def residual(self, model, _cycle, *, accuracy=1.0):
        del accuracy
        spectra = (spectrum_of(self.psf),)
        sky = np.zeros((64, 64))
        sky[32, 32] = 1.0
        left = filtered(sky - model.dense(64, 64)[0], spectra[0])
        return LocalResidual((left,), lambda: spectra)


def test_a_failure_of_the_last_exact_pass_loses_no_components():
    sky = Sky()
    control = CleanSpec(threshold=0.01, mgain=0.5, accuracy="as needed")
    imager = FailingAtTheEnd(sky)
    done = cotton_schwab(imager, (sky.psf,), control)
    assert max(imager.asked) > 1
    assert done.stop is Stop.LOST
    assert "it is gone; the residual that is kept is of lower accuracy" in done.error
    assert done.model.dense(64, 64)[0].sum() == pytest.approx(1.0, abs=0.05)


def test_accuracy_as_needed_ends_exact(vis):
    options = {"threshold": 0.05, "epsilon": 1e-5}
    full, needed = clean(vis, **options), clean(vis, **options, accuracy="as needed")
    assert needed.attrs["stop"] == full.attrs["stop"] == "threshold"
    scale = float(np.abs(full.SKY_RESIDUAL).max())
    left = needed.SKY_RESIDUAL.values
    model = needed.SKY_MODEL.values
    seen = radio.predict(model, vis, cell=CELL, epsilon=1e-7).values
    exact = radio.dirty_image(
        vis.assign(VISIBILITY=vis.VISIBILITY - seen), npix=NPIX, cell=CELL, epsilon=1e-7
    ).values
    assert np.abs(left - exact).max() < 1e-3 * scale
    deeper = model - full.SKY_MODEL.values  # to three quarters of the threshold, at most
    assert np.abs(deeper).max() < 0.3 * options["threshold"]


def write_mask(root, change=lambda header: None, shape=(128, 128)):
    pixels = np.zeros(shape, np.uint8)
    pixels[60:70, 60:70] = 1
    header = fits.Header()
    for key, value in {"CRPIX1": 65, "CRPIX2": 65, "CDELT1": -8 / 3600, "CDELT2": 8 / 3600}.items():
        header[key] = value
    change(header)
    fits.writeto(root / "mask.fits", pixels, header, overwrite=True)


@pytest.mark.parametrize("strips", [1, 3])
def test_a_fits_mask_beside_the_set(small, strips):
    write_mask(small)
    spec = spec_of(clean={"threshold": 0.05, "mask": "mask.fits"}, strips={"count": strips})
    result, _ = DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))
    model = result.planes[0].model.copy()
    assert model[60:70, 60:70].sum() == pytest.approx(1.0, rel=0.1)
    model[60:70, 60:70] = 0
    assert not model.any()


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"CTYPE1": "GLON-SIN"}, "CTYPE1 is GLON-SIN, the image's RA---SIN"),
        ({"CTYPE2": "RA---SIN"}, "CTYPE2 is RA---SIN, the image's DEC--SIN"),
        ({"CTYPE1": "RA---CAR"}, "CTYPE1 is RA---CAR"),
        ({"CROTA2": 30.0}, "CROTA2 is 30, the image's 0"),
        ({"PC1_2": 0.5}, "PC1_2 is 0.5, the image's 0"),
        ({"CD2_2": -8 / 3600}, "CD2_2 is -0.00222222"),
    ],
)
def test_a_mask_of_other_axes_is_refused(small, card, words):
    write_mask(small, lambda header: header.update(card))
    spec = spec_of(clean={"threshold": 0.05, "mask": "mask.fits"})
    with pytest.raises(DataError, match=words):
        DOMAIN.plan(spec, str(small), preflight=True)


def test_a_mask_may_say_that_it_is_straight_and_where_it_is_as_good_be_of_another_projection(small):
    spec = spec_of(clean={"threshold": 0.05, "mask": "mask.fits"})
    straight = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CROTA2": 0.0,
        "PC1_1": 1.0,
        "PC2_1": 0.0,
    }
    write_mask(small, lambda header: header.update(straight))
    DOMAIN.plan(spec, str(small), preflight=True)


def test_a_mask_of_other_pixels_is_refused(small):
    spec = spec_of(clean={"threshold": 0.05, "mask": "mask.fits"})
    write_mask(small)
    plan = DOMAIN.plan(spec, str(small))
    (url, identity) = plan.inputs[-1]
    assert (url, identity[:7]) == (str(small / "mask.fits"), "sha256 ")
    write_mask(small, shape=(64, 128))
    with pytest.raises(DataError, match=r"the mask has \(64, 128\) pixels, the image \(128, 128\)"):
        DOMAIN.plan(spec, str(small), preflight=True)
    write_mask(small, lambda header: header.update(CDELT1=-9 / 3600))
    with pytest.raises(DataError, match="CDELT1"):
        DOMAIN.run(spec, plan)
    (small / "mask.fits").write_bytes(b"no image")
    with pytest.raises(DataError, match="not a FITS image; regions are not read"):
        DOMAIN.run(spec, plan)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"residual": "psf"}, "is gone"),
        ({"scales": (30.0, 20.0)}, "must rise"),
        ({"auto_mask": 5.0}, "auto_mask needs"),
        ({"auto_mask": 3.0, "sigma": 3.0}, "must exceed sigma"),
        ({"local_rms": 25.0}, "local_rms needs sigma"),
        ({"local_rms": 25.0, "sigma": 3.0, "threshold": 0.01}, "no threshold"),
        ({"scales": (20.0,)}, "at least 3 pixels"),
        ({"scales": (1e4,)}, "at most half the image"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(SpecError, match=words):
        spec_of(clean=options)
    assert CleanSpec.model_validate({"residual": "exact"}) == CleanSpec()
