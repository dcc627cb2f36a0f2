"""Specs drawn at random, on observations drawn at random: the right image, or an error in one line.

The right image is a direct sum at some pixels, with weights that a few lines of NumPy
make of the columns.  More examples:
``pytest tests/radio/test_random_specs.py --hypothesis-profile=long``.
"""

import json
import tempfile
from pathlib import Path

import casacore.tables as casa
import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

from spectrum_workflows import run
from spectrum_workflows.errors import SpecError, SpectrumError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.spec import RadioSpec
from spectrum_workflows.sites import Place, load_site

ARCSEC, SPEED_OF_LIGHT, PIXELS = np.pi / 648_000, 299_792_458.0, 12
LONGEST = {"vla-d": 1_000.0, "vla-c": 3_400.0, "vla-b": 11_000.0, "meerkat": 8_000.0}
"""Baselines, m."""


@st.composite
def questions(draw):
    """A spec, and how the columns of its simulated set are altered."""
    telescope = draw(st.sampled_from([*LONGEST]))
    frequency = draw(st.sampled_from([3e8, 1.4e9, 8e9]))
    beam = SPEED_OF_LIGHT / frequency / LONGEST[telescope] / ARCSEC
    spec = {
        "name": draw(st.sampled_from(["a", "B-1", "größe", "x.y", "a+b"])),
        "data_set": "drawn",
        "image": {
            "npix": 2 * draw(st.integers(16, 60)),
            "cell_arcsec": beam * draw(st.floats(0.1, 2.0)),
            "epsilon": draw(st.sampled_from([1e-3, 1e-4, 1e-6, 1e-10])),
        },
        "weighting": {
            "scheme": draw(st.sampled_from(["natural", "uniform", "briggs"])),
            "robust": draw(st.floats(-2, 2)),
        },
        "partition": {"max_visibilities": draw(st.sampled_from([1, 500, 3_000, 10**7]))},
        "synthetic": {
            "telescope": telescope,
            "seed": draw(st.integers(0, 1000)),
            "declination_deg": draw(st.sampled_from([-30.0, 0.0, 34.0, 80.0, 90.0])),
            "right_ascension_deg": draw(st.sampled_from([0.0, 180.0, 359.999])),
            "hour_angles": draw(st.sampled_from([(-4.0, 4.0), (-0.1, 0.1), (2.0, 3.0)])),
            "frequency_hz": frequency,
            "channel_width_hz": frequency * draw(st.floats(1e-6, 0.1)),
            "channels": draw(st.integers(1, 5)),
            "visibilities": draw(st.integers(400, 6_000)),
            "feeds": draw(st.sampled_from(["linear", "circular"])),
            "sefd_jy": draw(st.sampled_from([0.0, 20.0])),
            "sources": (
                {"name": "s", "flux_jy": 1.0, "east_arcsec": 3 * beam, "north_arcsec": -5 * beam},
            ),
        },
    }
    if draw(st.integers(0, 3)) == 0:
        spec["clean"] = {
            "threshold": draw(st.sampled_from([0.5, 0.05])),
            "gain": draw(st.floats(0.05, 0.5)),
            "iterations": draw(st.integers(1, 300)),
            "accuracy": draw(st.sampled_from(["full", "as needed"])),
            "scales": draw(st.sampled_from([(), (8 * spec["image"]["cell_arcsec"],)])),
        }
    alter = {
        "seed": draw(st.integers(0, 1000)),
        "flagged": draw(st.sampled_from([0.0, 0.0, 0.3, 0.97, 1.0])),
        "rows_flagged": draw(st.sampled_from([0.0, 0.2])),
        "weightless": draw(st.sampled_from([0.0, 0.1])),
        "not_finite": draw(st.sampled_from([0.0, 0.05])),
        "shuffled": draw(st.booleans()),
    }
    return spec, alter


def altered(path: Path, how) -> None:
    """Flags, weights, values that are not finite, and rows in another order."""
    rng = np.random.default_rng(how["seed"])
    with casa.table(str(path), readonly=False, ack=False) as table:
        data, flag, weight = (table.getcol(c) for c in ("DATA", "FLAG", "WEIGHT"))
        data[rng.random(data.shape) < how["not_finite"]] = np.nan
        flag |= rng.random(flag.shape) < how["flagged"]
        weight = (weight * rng.uniform(0.5, 2.0, weight.shape)).astype("f4")
        weight[rng.random(weight.shape) < how["weightless"]] = 0.0
        table.putcol("DATA", data)
        table.putcol("FLAG", flag)
        table.putcol("WEIGHT", weight)
        table.putcol("FLAG_ROW", rng.random(len(data)) < how["rows_flagged"])
        if how["shuffled"]:
            order = rng.permutation(len(data))
            for name in ("DATA", "FLAG", "WEIGHT", "FLAG_ROW", "UVW", "TIME", "ANTENNA1"):
                table.putcol(name, table.getcol(name)[order])
            for name in ("ANTENNA2", "TIME_CENTROID", "INTERVAL", "EXPOSURE", "SIGMA"):
                table.putcol(name, table.getcol(name)[order])


def stokes_i(path: Path):
    """Baselines in wavelengths (nvis, 3), Stokes I and its weight, of usable visibilities."""
    with casa.table(str(path), ack=False) as table:
        columns = ("DATA", "FLAG", "WEIGHT", "FLAG_ROW", "UVW", "ANTENNA1", "ANTENNA2")
        data, flag, weight, row, uvw, a, b = (table.getcol(c) for c in columns)
    with casa.table(str(path) + "::SPECTRAL_WINDOW", ack=False) as table:
        frequency = table.getcell("CHAN_FREQ", 0)
    hands = [0, data.shape[2] - 1]  # XX and YY, or RR and LL, are the first and the last
    data, flag, weight = data[:, :, hands], flag[:, :, hands], weight[:, None, hands]
    usable = (~flag & np.isfinite(data) & (weight > 0)).all(axis=2) & ~row[:, None]
    usable &= (a != b)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        total = 4 / (1 / weight.astype(float)).sum(axis=2)
    waves = uvw[:, None, :] * (frequency / SPEED_OF_LIGHT)[None, :, None]
    total = np.broadcast_to(total, usable.shape)
    return waves[usable], data.mean(axis=2)[usable], total[usable]


def imaging_weights(spec, waves, weight):
    """Natural, uniform and Briggs (1995), on cells of 1 / (1.2 × field) wavelengths."""
    scheme, image = spec["weighting"]["scheme"], spec["image"]
    if scheme == "natural":
        return weight
    side = int(np.ceil(image["npix"] * 1.2))
    side += -side % 4
    u, v = (waves[:, :2] * (side * image["cell_arcsec"] * ARCSEC)).T
    sign = np.where(v < 0, -1, 1)
    x, y = np.floor(u * sign).astype(int) + side // 2, np.floor(v * sign).astype(int)
    inside = (x >= 0) & (x < side) & (y < side // 2)
    grid = np.zeros((side // 2, side))
    np.add.at(grid, (y[inside], x[inside]), weight[inside])
    squared = (grid**2).sum()
    a, b = 0.0, 1.0
    if scheme == "briggs":
        a, b = (
            1.0,
            (5 * 10 ** -spec["weighting"]["robust"]) ** 2 * grid.sum() / max(squared, 1e-300),
        )
    out = np.zeros(len(weight))
    out[inside] = weight[inside] / (a + b * grid[y[inside], x[inside]])
    return out


def direct_sum(spec, waves, visibility, weight, rows, columns):
    """The dirty image at some pixels, Jy/beam."""
    half, cell = spec["image"]["npix"] // 2, spec["image"]["cell_arcsec"] * ARCSEC
    east, north = (half - columns) * cell, (rows - half) * cell
    depth = np.sqrt(1 - east**2 - north**2) - 1
    turns = waves @ np.stack([east, north, depth])
    return (weight[:, None] * (visibility[:, None] * np.exp(-2j * np.pi * turns)).real).sum(
        0
    ) / sum(weight)


@settings(
    phases=[Phase.generate],
    max_examples=settings().max_examples // 4,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(questions())
def test_a_random_spec_gives_the_right_image_or_one_line(question) -> None:
    spec, how = question
    assume(spec["image"]["npix"] * spec["image"]["cell_arcsec"] * ARCSEC < 1.2)
    model = RadioSpec.model_validate(spec)
    note(model.model_dump_json(indent=1))
    with tempfile.TemporaryDirectory() as root:
        try:
            DOMAIN.make(model, root, size=None, report=lambda *_: None)
        except SpecError:
            assume(False)  # the field is never above that telescope's horizon
        path = Path(root) / "drawn.ms"
        altered(path, how)
        waves, visibility, weight = stokes_i(path)
        imaging = imaging_weights(spec, waves, weight) if len(weight) else weight
        try:
            outcome = run(model, Place(load_site("serial"), root, str(Path(root) / "out")))
        except SpectrumError as error:
            assert "\n" not in str(error)
            assert not imaging.any(), str(error)
            return
        json.dumps(outcome.summary, allow_nan=False)
        for product, content in DOMAIN.files(outcome.result):
            (Path(root) / product).write_bytes(content)
        arrays = DOMAIN.read(root)
    npix, rng = spec["image"]["npix"], np.random.default_rng(how["seed"])
    rows, columns = rng.integers(0, npix, (2, PIXELS))
    want = direct_sum(spec, waves, visibility, imaging, rows, columns)
    error = np.abs(arrays["dirty"][rows, columns] - want).max()
    scale = (imaging * np.abs(visibility)).sum() / imaging.sum()
    inaccurate = any("accura" in line for line in outcome.warnings)
    assert error <= 2 * spec["image"]["epsilon"] * scale + 3e-7 * scale or inaccurate
    assert all(np.isfinite(image).all() for image in arrays.values())
    if "residual" in arrays:
        kept = arrays["residual"] + 0.0
        assert np.abs(kept).max() <= np.abs(arrays["dirty"]).max() * (1 + 1e-6) or outcome.warnings
