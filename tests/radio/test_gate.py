"""What an image shows about itself is said, and no work is lost for what fails after it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import DOMAIN, workflow
from spectrum_workflows.radio.deconvolution import minor_cycle as minor
from spectrum_workflows.radio.gridding import invert, predict
from spectrum_workflows.radio.imaging import chunk_tasks, gate
from spectrum_workflows.radio.imaging.beam import draw_beam
from spectrum_workflows.radio.imaging.self_check import Sample, direct_sum
from spectrum_workflows.radio.types import (
    ARCSEC,
    SPEED_OF_LIGHT,
    Beam,
    Geometry,
    SelfCheck,
    Stop,
    Use,
    Visibilities,
)
from spectrum_workflows.radio.write import fits

from .conftest import spec_of

pytestmark = pytest.mark.xdist_group("radio gate")  # what they share is made once

CUT = {"max_visibilities": 351 * 8 * 4}
CLEAN = {"threshold": 0.02, "max_major": 5}


def run(spec, root, **options):
    return DOMAIN.run(spec, DOMAIN.plan(spec, str(root)), **options)


@pytest.fixture(scope="module")
def made(small):
    result, _ = run(spec_of(clean=CLEAN, weighting={"scheme": "briggs"}), small)
    return result


def changed(result, **changes):
    """With other values of its plane or of its group."""
    [group], [plane] = result.groups, result.planes
    of_plane = {name: value for name, value in changes.items() if hasattr(plane, name)}
    of_group = {name: value for name, value in changes.items() if name not in of_plane}
    plane = replace(plane, **of_plane)
    return replace(result, groups=(replace(group, planes=(plane,), **of_group),))


def warned(result, **changes):
    return gate.warnings(changed(result, **changes))


def test_a_good_image_has_nothing_to_say(made):
    assert DOMAIN.warnings(made) == ()
    assert made.groups[0].use == Use(11 * 351 * 8, 0, 0, 0)


@pytest.mark.parametrize("error", [2e-4, float("nan"), float("inf")])
def test_a_self_check_above_the_accuracy(made, error):
    check = SelfCheck(1e-4, error, error, 10, 32, 0.1)
    [line] = warned(made, self_check=check)
    assert "self-check" in line
    assert "0.0001 was asked for" in line


def test_clean_that_diverged_or_kept_nothing(made):
    nothing = {
        "model": np.zeros_like(made.planes[0].model),
        "residual": made.planes[0].dirty,
        "major": 0,
    }
    assert "nothing is kept" in warned(made, stop=Stop.DIVERGED, **nothing)[0]
    assert "major cycle" in warned(made, stop=Stop.DIVERGED)[0]
    assert "no components" in warned(made, **nothing)[0]
    assert "more than it began with" in warned(made, residual=made.planes[0].dirty * 3)[0]


def test_a_limit_that_came_before_the_threshold(made):
    for stop in (Stop.ITERATIONS, Stop.MAX_MAJOR):
        assert "limit: the highest peak left" in warned(made, stop=stop, threshold=1e-9)[0]
        assert warned(made, stop=stop, threshold=0.0) == ()  # none was asked for
    assert warned(made, threshold=1e-9) == ()


@pytest.mark.parametrize(("size", "said"), [(1e6, "larger than the"), (1e-3, "smaller than a pix")])
def test_a_restoring_beam_of_no_use(made, size, said):
    own = Beam(size, size, 0.0)
    assert said in warned(made, beam=own, beam_fitted=False)[0]


def test_a_beam_that_does_not_follow_the_psf(made):
    wide = Beam(3 * made.planes[0].beam.bmaj, 3 * made.planes[0].beam.bmin, made.planes[0].beam.bpa)
    assert "half-power" in warned(made, beam=wide)[0]
    assert warned(made, beam=wide, beam_fitted=False) == ()  # the user's own


def test_data_that_are_not_used(made):
    lines = warned(made, use=Use(1000, 600, 100, 30))
    assert ["60.0%" in lines[0], "25.0%" in lines[1], "0.1 of" in lines[2]] == [True] * 3
    assert warned(made, use=Use(1000, 400, 0, 0)) == ()


def test_weights_count_what_lies_beyond_their_grid(small):
    coarse = {"npix": 64, "cell_arcsec": 60.0}
    result, _ = run(spec_of(weighting={"scheme": "uniform"}, image=coarse), small)
    use = result.groups[0].use
    assert use.beyond > 0
    assert use.beyond + result.planes[0].visibilities == use.planned
    assert any("beyond the uv grid" in line for line in DOMAIN.warnings(result))


def test_rows_without_coordinates_are_told(altered):
    def lose(table):
        uvw = table.getcol("UVW")
        uvw[::50, 1] = np.nan
        table.putcol("UVW", uvw)

    result, _ = run(spec_of(), altered(lose))
    [line] = DOMAIN.warnings(result)
    assert line.startswith("2.0% of the visibilities that are not flagged")
    assert "UVW" in line


def test_no_coordinates_at_all_are_not_called_flags(altered):
    root = altered(lambda table: table.putcol("UVW", np.full((table.nrows(), 3), np.inf)))
    with pytest.raises(DataError, match="finite value and UVW"):
        run(spec_of(), root)


@pytest.mark.parametrize("scale", [0.0, 1e20])
def test_a_column_that_was_never_written_is_told(altered, scale):
    """casacore gives zeros for it, or what was in memory."""
    root = altered(lambda table: table.putcol("DATA", np.complex64(scale) * table.getcol("DATA")))
    result, _ = run(spec_of(), root)
    assert any("is DATA filled in" in line for line in DOMAIN.warnings(result))


def test_mostly_flagged_data_are_told(altered):
    def flag(table):
        flags = table.getcol("FLAG")
        flags[: 2 * len(flags) // 3] = True
        table.putcol("FLAG", flags)

    result, _ = run(spec_of(), altered(flag))
    assert any("flagged" in line for line in DOMAIN.warnings(result))


def test_not_finite_is_an_error_with_the_chunk(small, monkeypatch):
    """Left out where failures are kept."""
    honest = chunk_tasks.invert

    def spoilt(windows, geometry):
        return honest(windows, geometry) * (np.nan if len(windows[0].uvw) == 351 * 4 else 1)

    monkeypatch.setattr(chunk_tasks, "invert", spoilt)
    spec = spec_of(partition=CUT)
    with pytest.raises(DataError, match=r"small\.ms \(.*times 0:4.*not finite"):
        run(spec, small)

    def spoilt_but_one(windows, geometry):
        return honest(windows, geometry) * (1 if len(windows[0].uvw) == 351 * 4 else np.nan)

    monkeypatch.setattr(chunk_tasks, "invert", spoilt_but_one)
    result, metrics = run(spec, small, on_error="keep")
    assert len(metrics.failures) == 1
    assert np.isfinite(result.planes[0].dirty).all()


@pytest.mark.parametrize("on_error", ["raise", "keep"])
@pytest.mark.parametrize("cycle", [1, 2])
def test_a_major_cycle_that_fails_loses_nothing(small, monkeypatch, on_error, cycle):
    spec = spec_of(clean=CLEAN | {"mgain": 0.5}, partition=CUT)
    whole, _ = run(spec, small)
    assert whole.groups[0].major > 2
    honest, calls = chunk_tasks.residual, []

    def fails(chunk, *rest):
        calls.append(chunk)
        if len(calls) > 3 * (cycle - 1) + 1:
            raise DataError("the disk has gone", chunk.where)
        return honest(chunk, *rest)

    monkeypatch.setattr(chunk_tasks, "residual", fails)
    result, metrics = run(spec, small, on_error=on_error)
    np.testing.assert_array_equal(result.planes[0].dirty, whole.planes[0].dirty)
    np.testing.assert_array_equal(result.planes[0].psf, whole.planes[0].psf)
    assert result.groups[0].stop is Stop.LOST
    assert result.groups[0].major == cycle - 1
    assert metrics.failures
    [line] = DOMAIN.warnings(result)
    assert "the disk has gone" in line
    assert f"after major cycle {cycle - 1}" in line


def test_whatever_fails_in_clean_the_dirty_image_is_kept(small, monkeypatch):
    def fails(*_):
        raise MemoryError("no room for another image")

    monkeypatch.setattr(workflow, "restored", fails)
    result, metrics = run(spec_of(clean=CLEAN), small)
    assert np.isfinite(result.planes[0].dirty).all()
    assert np.isfinite(result.planes[0].psf).all()
    assert result.groups[0].stop is Stop.LOST
    assert "no room for another image" in metrics.failures[0].error
    [line] = DOMAIN.warnings(result)
    assert "CLEAN failed: MemoryError: no room for another image" in line


def test_no_beam_is_no_end(small):
    """One baseline has no main lobe; all passes are done by then."""
    spec = spec_of(clean=CLEAN, image={"npix": 128, "cell_arcsec": 0.02})
    result, _ = run(spec, small)
    assert result.planes[0].beam is None
    assert result.planes[0].image is None
    assert result.planes[0].model is not None
    assert any("[restore]" in line for line in DOMAIN.warnings(result))
    json.dumps(DOMAIN.summary(result), allow_nan=False)
    assert {name for name, _ in DOMAIN.files(result)} >= {"dirty.fits", "psf.fits"}


def test_a_minor_cycle_that_diverges_ends():
    psf = np.ones((64, 64))
    psf[::2] = -1.0
    active = np.array([[20, 20], [21, 20], [40, 41]])
    values, flux = np.ones((3, 1)), np.zeros((3, 1))
    minor._clean_active(active, values, (psf * 3,), flux, (1.0, 0.01, 100_000))
    assert np.abs(flux).max() < 1e4


def test_warnings_are_in_the_history_and_the_title(made):
    line = "self-check: gridding is wrong by 0.1 $ of the peak, \N{MICRO SIGN} was asked for"
    told = replace(made, warnings=(line, "another"))
    assert b"warning: self-check" in fits.encode(told, "dirty", told.planes[0].dirty)
    assert "and 1 more" in DOMAIN.plot(told)._suptitle.get_text()
    assert DOMAIN.plot(made)._suptitle is None


def test_a_summary_is_json_whatever_the_numbers(made):
    broken = changed(
        made,
        dirty=np.full_like(made.planes[0].dirty, np.nan),
        image=None,
        residual=None,
        weight_sum=np.inf,
        self_check=SelfCheck(1e-4, float("nan"), float("inf"), 1, 32, 0.0),
    )
    json.dumps(DOMAIN.summary(broken), allow_nan=False)
    assert any("not finite" in line for line in gate.warnings(broken))


def test_strips_are_always_checked(small):
    spec = spec_of(strips={"count": 3}, self_check=False)
    result, _ = run(spec, small)
    assert result.planes[0].self_check is not None
    assert result.planes[0].self_check.error_peak < 1e-4


@pytest.mark.parametrize("cell", [1e-9, 1e-7, 1e-6, 1e-5, 1e-3, 0.1])
@pytest.mark.parametrize("epsilon", [1e-4, 1e-6])
def test_tiny_fields(cell, epsilon):
    """Microarcseconds: n cannot be told from 1, and need not be."""
    geometry = Geometry(64, cell * ARCSEC, epsilon)
    rng = np.random.default_rng(2)
    longest = min(0.3 / geometry.cell, 1e10)
    uvw = longest * rng.uniform(-1, 1, (400, 3))
    ones = np.ones((400, 1), np.float32)
    data = Visibilities(uvw, np.array([SPEED_OF_LIGHT]), ones.astype(np.complex64), ones, 400)
    rows, columns = rng.integers(0, 64, (2, 20))
    image = invert(data, geometry)
    direct = direct_sum(Sample(uvw, data.visibility[:, 0], ones[:, 0]), geometry, rows, columns)
    assert np.abs(image[rows, columns] - direct).max() <= epsilon * 400
    model = draw_beam(Beam(5 * cell, 4 * cell, 0.0), 64, geometry.cell)
    assert np.isfinite(predict(model, data, geometry)).all()
