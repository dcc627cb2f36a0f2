"""Channels that move with time, and rows averaged by baseline: against sums over all rows.

Nothing of the package but its simulated sky is in the sums.
"""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.read import describe
from spectrum_workflows.radio.spec import SourceSpec
from spectrum_workflows.radio.synthetic import sky
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT
from spectrum_workflows.record import digest

from .conftest import SKY, spec_of
from .windowed import parted
from .written import columns_of, rounded, write_uvfits, write_uvh5

pytestmark = pytest.mark.xdist_group("radio epochs")  # what they share is made once

TIMES, NPIX, CELL = 6, 128, 8.0
DOPPLER = (0.0, 1.0e-4, -0.6e-4)
"""Shifts of three epochs over the frequency: the Earth's motion around the Sun."""

SLOW = 2
"""Integrations that short baselines average to one."""

PIXELS = ((64, 64), (10, 100), (127, 0), (104, 39), (54, 109))
CLEAN = {"max_major": 1, "threshold": 0.05}


def seen(columns):
    """The rows with what they see of the sky at their frequencies, both hands, in some noise."""
    sources = [SourceSpec.model_validate(source) for source in SKY]
    ideal = sky.visibilities(columns.uvw, columns.frequency, sky.sky_of(sources))
    rng = np.random.default_rng(11)
    noise = rng.normal(0, 0.05, (2, *ideal.shape, 2))
    data = (ideal[..., None] + noise[0] + 1j * noise[1]).astype(np.complex64)
    weight = columns.weight[:, :1, :1] * np.ones(data.shape, np.float32)
    return replace(columns, data=data, flag=np.zeros(data.shape, bool), weight=weight)


@pytest.fixture(scope="module")
def rows(small, tmp_path_factory):
    """A set of a few times, whose coordinates every format holds, and its columns."""
    source = tmp_path_factory.mktemp("epochs") / "source.ms"
    shutil.copytree(small / "small.ms", source)
    rounded(source)
    columns = columns_of(source)
    return source, columns.rows(columns.time <= np.unique(columns.time)[TIMES - 1])


def epoch_of(columns):
    return np.unique(columns.time, return_inverse=True)[1] * len(DOPPLER) // TIMES


@pytest.fixture(scope="module")
def epochs(rows):
    """The rows of every epoch, at its frequencies."""
    _, columns = rows
    hertz = np.rint(float(columns.frequency.mean()) * np.array(DOPPLER))
    return [
        seen(replace(columns.rows(epoch_of(columns) == n), frequency=columns.frequency + d))
        for n, d in enumerate(hertz)
    ]


@pytest.fixture(scope="module")
def moving(rows, epochs, tmp_path_factory):
    """A root with a Measurement Set of a window for every epoch."""
    root = tmp_path_factory.mktemp("moving")
    parted(rows[0], root / "small.ms", epochs)
    return root


def imaged(root, **changes):
    image = {"npix": NPIX, "cell_arcsec": CELL, "epsilon": 1e-8}
    spec = spec_of(**{"image": image, "spectral_window": "all"} | changes)
    return DOMAIN.run(spec, DOMAIN.plan(spec, str(root)))[0]


def turns(part, row, column):
    """2πi times the phase that a source in a pixel has at every row and channel."""
    east, north = (NPIX // 2 - column) * CELL * ARCSEC, (row - NPIX // 2) * CELL * ARCSEC
    path = part.uvw @ [east, north, np.sqrt(1 - east**2 - north**2) - 1]
    return 2j * np.pi * path[:, None] * part.frequency / SPEED_OF_LIGHT


def summed(parts, pixels, model=None):
    """The weighted sums over all rows, less a model, at some pixels."""
    total, weights = np.zeros(len(pixels)), 0.0
    for part in parts:
        left = part.data.mean(axis=2, dtype=np.complex128)
        for pixel in np.argwhere(model) if model is not None else ():
            left -= model[tuple(pixel)] * np.exp(turns(part, *pixel))
        left *= part.weight.astype(np.float64).mean(axis=2)
        weights += part.weight.mean(axis=2, dtype=np.float64).sum()
        total += [(left * np.exp(-turns(part, *pixel))).real.sum() for pixel in pixels]
    return total / weights


def agrees(result, parts):
    """Dirty image and residual are those sums."""
    [plane] = result.planes
    assert np.count_nonzero(plane.model) >= len(SKY)
    for name, model in (("dirty", None), ("residual", plane.model)):
        values = [getattr(plane, name)[pixel] for pixel in PIXELS]
        expected = summed(parts, PIXELS, model)
        np.testing.assert_allclose(values, expected, atol=1e-6 * plane.dirty.max(), rtol=0)


@pytest.mark.parametrize("count", [1, 3])
def test_epochs_of_shifted_channels_are_one_image(moving, epochs, count):
    result = imaged(moving, clean=CLEAN, strips={"count": count})
    agrees(result, epochs)
    assert result.planes[0].visibilities == sum(part.data[..., 0].size for part in epochs)
    unshifted = [replace(part, frequency=epochs[0].frequency) for part in epochs]
    [alike] = summed(unshifted, PIXELS[1:2])
    assert abs(result.planes[0].dirty[PIXELS[1]] - alike) > 1e-5  # the shifts count


def test_epochs_have_one_digest_in_every_format(epochs, moving, tmp_path):
    shifts = [float(part.frequency[0] - epochs[0].frequency[0]) for part in epochs]
    setups = np.repeat(np.arange(3), [len(part.time) for part in epochs])
    (tmp_path / "uvfits").mkdir()
    url = tmp_path / "uvfits/small.uvfits"
    write_uvfits(url, together(epochs), setups=(setups, shifts))
    convert(str(moving / "small.ms"), str(tmp_path / "zarr/small.zarr"))
    roots = (moving, tmp_path / "uvfits", tmp_path / "zarr")
    assert len({digest(DOMAIN.arrays(imaged(root, clean=CLEAN))) for root in roots}) == 1


def test_sources_of_a_file_have_frequencies_of_their_own(rows, epochs, tmp_path):
    """FREQOFF: the source is where its own velocity moves its channels."""
    _, columns = rows
    whole = seen(columns)
    fields = replace(
        whole,
        source=(epoch_of(columns) > 0).astype(np.int32),
        directions=np.array([columns.directions[0], columns.directions[0] + [0.01, -0.02]]),
    )
    offset = float(epochs[1].frequency[0] - columns.frequency[0])

    def shift(hdus):
        hdus[-1].data["FREQOFF"][1] = [offset, 2 * offset]

    url = write_uvfits(tmp_path / "small.uvfits", fields, ifs=2, sources=True, change=shift)
    still, moved = (describe(spec_of(field=n, spectral_window="all"), str(url)) for n in (0, 1))
    np.testing.assert_array_equal(still.frequency, columns.frequency)
    np.testing.assert_array_equal(moved.frequency[:4], columns.frequency[:4] + offset)
    np.testing.assert_array_equal(moved.frequency[4:], columns.frequency[4:] + 2 * offset)
    assert [window.number for window in moved.windows] == [2, 3]
    assert still.rows + moved.rows == 2 * len(columns.time)
    named = describe(spec_of(field=1, spectral_window="IF2"), str(url))
    assert named.windows[0].frequency[0] == columns.frequency[4] + 2 * offset
    own = [
        replace(
            fields.rows(fields.source == 1),
            frequency=columns.frequency[n : n + 4] + offset * (1 + n // 4),
            data=fields.data[fields.source == 1, n : n + 4],
            weight=fields.weight[fields.source == 1, n : n + 4],
        )
        for n in (0, 4)
    ]
    agrees(imaged(tmp_path, field=1, clean=CLEAN), own)


@pytest.fixture(scope="module")
def averaged(rows):
    """Every baseline's rows: short ones are means of several times, in twice as wide channels."""
    _, columns = rows
    short = np.hypot(*columns.uvw.T[:2]) < 300
    step = np.unique(columns.time, return_inverse=True)[1]
    baseline = columns.first * 1000 + columns.second
    slow = np.isin(baseline, np.unique(baseline[(step == 0) & short]))
    middle = slow & (step % SLOW == SLOW // 2)
    slow_rows, fast = columns.rows(middle), columns.rows(~slow)
    slow_rows = replace(
        slow_rows, exposure=SLOW * slow_rows.exposure, weight=SLOW * slow_rows.weight
    )
    assert 50 < middle.sum() < len(middle) / 4
    return slow_rows, fast


def together(parts):
    """The rows of all parts."""
    names = ("time", "first", "second", "uvw", "data", "flag", "weight", "source", "exposure")
    return replace(
        parts[0], **{n: np.concatenate([getattr(part, n) for part in parts]) for n in names}
    )


def test_channels_averaged_by_baseline(rows, averaged, tmp_path):
    """As DP3 writes it: a window for each width of channels, rows of each integration time."""
    slow, fast = averaged
    wide = replace(slow, frequency=slow.frequency.reshape(-1, 2).mean(axis=1))
    parts = [seen(fast), seen(replace(wide, weight=2 * slow.weight[:, ::2]))]
    parted(rows[0], tmp_path / "small.ms", parts)
    for count in (1, 3):
        agrees(imaged(tmp_path, clean=CLEAN, strips={"count": count}), parts)
    convert(str(tmp_path / "small.ms"), str(tmp_path / "zarr/small.zarr"))
    one, two = (imaged(root, clean=CLEAN) for root in (tmp_path, tmp_path / "zarr"))
    assert digest(DOMAIN.arrays(one)) == digest(DOMAIN.arrays(two))


def test_times_averaged_by_baseline_have_one_digest_in_every_format(rows, averaged, tmp_path):
    parts = [seen(part) for part in averaged]
    whole = together(parts)
    for form in ("ms", "uvfits", "uvh5"):
        (tmp_path / form).mkdir()
    parted(rows[0], tmp_path / "ms/small.ms", [whole])
    write_uvfits(tmp_path / "uvfits/small.uvfits", whole, durations=True)
    samples = whole.weight * (whole.exposure.max() / whole.exposure)[:, None, None]
    write_uvh5(tmp_path / "uvh5/small.uvh5", replace(whole, weight=samples.astype(np.float32)))
    results = {form: imaged(tmp_path / form, clean=CLEAN) for form in ("ms", "uvfits", "uvh5")}
    agrees(results["ms"], parts)
    assert not any("count the same" in note for note in results["uvfits"].observation.notes)
    assert len({digest(DOMAIN.arrays(result)) for result in results.values()}) == 1


def test_long_integrations_that_weigh_what_short_ones_do_are_told(averaged, tmp_path):
    parts = [replace(part, weight=np.ones(part.data.shape, np.float32)) for part in averaged]
    url = write_uvfits(tmp_path / "x.uvfits", together(parts), durations=True)
    [note] = describe(spec_of(), str(url)).notes
    assert note.startswith("integration times differ (1")
    assert note.endswith("s) and weights do not: all count the same")
