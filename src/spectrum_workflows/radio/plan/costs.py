"""The costs of imaging on this machine, from small samples of each kind of work."""

from __future__ import annotations

import math
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.deconvolution.sidelobes import Lines, bands, convolved_rows
from spectrum_workflows.radio.gridding import vis2dirty
from spectrum_workflows.radio.plan.chunks import chunks
from spectrum_workflows.radio.read import describe, find, read
from spectrum_workflows.radio.spec import RadioSpec
from spectrum_workflows.radio.strips import cost
from spectrum_workflows.radio.strips.coverage import covered
from spectrum_workflows.radio.strips.cutting import cut, joined, unpacked
from spectrum_workflows.radio.strips.interpolation import span
from spectrum_workflows.radio.strips.planner import layout
from spectrum_workflows.radio.strips.transform import column_block
from spectrum_workflows.radio.strips.types import Columns, StripLayout
from spectrum_workflows.radio.synthetic import make
from spectrum_workflows.radio.types import (
    ARCSEC,
    SPEED_OF_LIGHT,
    Chunk,
    Geometry,
    Pixels,
    Visibilities,
)
from spectrum_workflows.radio.weights import density, weighted
from spectrum_workflows.record.machine import cores

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS, MOST_THREADS = 3, 8
EPSILON = 1e-4
SAMPLE = {
    "name": "calibration",
    "data_set": "calibration",
    "image": {"npix": 2048, "cell_arcsec": 1.2, "epsilon": EPSILON},
    "synthetic": {"telescope": "vla-b", "visibilities": 1_000_000, "channels": 8},
}


def calibrate() -> dict[str, float]:
    """CPU seconds per unit of each kind of work in `forecast.COSTS`; takes some seconds.

    A small observation is simulated in a temporary folder, read, weighed, cut
    into strips and gridded, by as many threads at once as there are cores for
    this process, `MOST_THREADS` at most: that is how workers share a
    processor's caches and memory.
    """
    spec = RadioSpec.model_validate(SAMPLE)
    with tempfile.TemporaryDirectory(prefix="spectrum-calibration-") as folder:
        make(spec, folder)
        observation = describe(spec, find(spec, folder))
        [chunk] = chunks(observation, 10**9)
        geometry = Geometry(spec.image.npix, spec.image.cell_arcsec * ARCSEC, EPSILON)
        count = min(cores(), MOST_THREADS)
        with ThreadPoolExecutor(count) as pool:
            measured = list(pool.map(_measured, [chunk] * count, [geometry] * count))
    return {kind: sum(costs[kind] for costs in measured) / count for kind in measured[0]}


def _measured(chunk: Chunk, geometry: Geometry) -> dict[str, float]:
    """The costs in this thread."""
    reading, data = _typical(lambda: read(chunk))
    size = data.weight.size
    grid = density(data, geometry)
    weighing, _ = _typical(lambda: weighted(data, geometry, grid, (1.0, 1.0)))
    gridding, transforming = _gridder(data, geometry)
    return {
        "read": reading / size,
        "weigh": weighing / size,
        "cut": _cutting(data, geometry) / size,
        "grid": gridding,
        "transform": transforming,
        "filter": _filtering(data, geometry),
        "fourier": _fourier(geometry.npix),
    }


def _gridder(data: Visibilities, geometry: Geometry) -> tuple[float, float]:
    """Per visibility, and per sample and plane: from a call with many of either."""
    rows = slice(None, None, 40)
    few = replace(
        data, uvw=data.uvw[rows], visibility=data.visibility[rows], weight=data.weight[rows]
    )
    depth = np.abs(data.uvw[:, 2]).max() * data.frequency.max() / SPEED_OF_LIGHT
    measured = []
    for own, shape in ((data, (256, 1024)), (few, (640, 2900))):
        pixels = Pixels(*shape, 4 * geometry.cell, 1.3 * geometry.cell, EPSILON)
        half = np.hypot(shape[0] * pixels.width, shape[1] * pixels.height) / 2 / np.sqrt(2)
        planes = float(cost.planes(depth, half, EPSILON))
        seconds, _ = _typical(partial(vis2dirty, own, own.visibility, pixels))
        measured.append((own.weight.size, shape[0] * shape[1] * planes, seconds))
    table = np.array(measured)
    costs = np.linalg.solve(table[:, :2], table[:, 2])
    return float(costs[0]), float(costs[1])


def _plan(data: Visibilities, geometry: Geometry) -> StripLayout:
    limit = np.hypot(data.uvw[:, 0], data.uvw[:, 1]).max() * data.frequency.max() / SPEED_OF_LIGHT
    plan = layout(covered(data.uvw, data.frequency, float(limit)), geometry, 8)
    assert plan is not None
    return plan


def _cutting(data: Visibilities, geometry: Geometry) -> float:
    plan = _plan(data, geometry)
    return _typical(lambda: [unpacked(joined([part])) for part in cut(data, plan)])[0]


def _filtering(data: Visibilities, geometry: Geometry) -> float:
    """Per multiplication of the strips' filters: a block of columns from all strips."""
    plan, columns = _plan(data, geometry), 512
    block = Columns(0, columns, geometry.npix)
    spans = (span(strip.x, 0, columns) for strip in plan.strips)
    parts = [np.ones((last - first, plan.y.count), np.float32) for first, last in spans]
    seconds, _ = _typical(lambda: column_block(parts, block, plan))
    return seconds / (cost.filtering(plan) * columns / geometry.npix)


def _fourier(npix: int) -> float:
    """Per sample and factor of two of the transforms in `clean.sidelobes`."""
    [band, *_] = bands(npix, 8)
    kernel = np.ones((band.stop - band.start, band.side), np.complex64)
    pieces = [Lines(np.arange(npix), kernel[:, :npix])]
    seconds, _ = _typical(lambda: convolved_rows(pieces, kernel, band))
    return seconds / (2 * band.size * math.log2(band.side))


def _typical(fn: Callable[[], Any]) -> tuple[float, Any]:
    """Median CPU seconds of some calls after a first one, and the value of the last."""
    spent = []
    for _ in range(REPEATS + 1):
        started = time.thread_time()
        value = fn()
        spent.append(time.thread_time() - started)
    return float(np.median(spent[1:])), value
