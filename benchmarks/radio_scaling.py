"""One image in K pieces: uv strips and rows, against one call of the gridder.

The same simulated VLA-B observation (8 h, declination +45°, 8 channels, 1e7
visibilities) is imaged in one process and one thread

* by one call of ducc0, as the workflow does without strips;
* in K uv strips on coarse pixels, interpolated and added up: the functions that
  the workflow runs on the workers, one after the other;
* in K pieces of rows, each imaged by a call of its own.

Ratios are CPU time over that of the one call.  What strips cost besides, to cut and
pack the visibilities once and to unpack them per image, is not in them: it stands
apart as "packing".  Errors are relative to the peak
of a call in double precision at accuracy 1e-8, everywhere in the image; those of
the prediction are relative to the largest visibility, at every 50th row.  Bytes
are those that travel: coarse samples per image, and packed visibilities once.

    python benchmarks/radio_scaling.py [--json] [--npix N ...] [--work DIR] [--plot FILE]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from radio_vs_wsclean import Case, make_data, spec_of
from report import finished, show
from spectrum_workflows.engine.sizes import nbytes
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.deconvolution import components
from spectrum_workflows.radio.gridding import invert, predict
from spectrum_workflows.radio.read import read
from spectrum_workflows.radio.strips import transform
from spectrum_workflows.radio.strips.coverage import covered
from spectrum_workflows.radio.strips.cutting import cut, joined, unpacked
from spectrum_workflows.radio.strips.interpolation import filter_blocks
from spectrum_workflows.radio.strips.planner import layout
from spectrum_workflows.radio.strips.types import StripLayout
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT, Geometry, Visibilities

COUNTS, COMPARED, REPEATS = (1, 2, 4, 8, 16), 8, 2
CELL_ARCSEC, EPSILON, EXACT = 1.2, 1e-4, 1e-8
BARS = {
    2048: {"total": 1.15, "largest": 1 / 5, "predict": 1.2},
    4096: {"total": 1.0, "largest": 1 / 7, "predict": 0.9},
}
ERROR_BARS = {"image": 3e-5, "predict": 1e-4}


@dataclass(frozen=True)
class Measured:
    """CPU seconds of one way to make an image, its error and what it moves."""

    way: str
    pieces: int
    total: float
    largest: float
    filtering: float
    packing: float
    error: float
    bytes_images: int
    bytes_visibilities: int


def timed(fn: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    value = fn()
    return time.process_time() - started, value


def best(fn: Callable[[], Any]) -> tuple[float, Any]:
    """The least time of some repeats, and the last value."""
    runs = [timed(fn) for _ in range(REPEATS)]
    return min(seconds for seconds, _ in runs), runs[-1][1]


def error_of(image: np.ndarray, exact: np.ndarray) -> float:
    return float(np.abs(image - exact).max() / np.abs(exact).max())


def plan_of(data: Visibilities, geometry: Geometry, count: int) -> StripLayout:
    limit = np.hypot(data.uvw[:, 0], data.uvw[:, 1]).max() * data.frequency.max() / SPEED_OF_LIGHT
    return layout(covered(data.uvw, data.frequency, float(limit)), geometry, count)


def in_strips(data: Visibilities, geometry: Geometry, count: int, exact: np.ndarray) -> Measured:
    plan = plan_of(data, geometry, count)
    cutting, packed = best(lambda: cut(data, plan))
    moved = sum(nbytes(part) for part in packed)
    runs = [_strips_once(packed, plan) for _ in range(REPEATS)]
    grid, filtering, unpacking, image, samples = min(runs, key=lambda run: sum(run[0]) + run[1])
    total, error = sum(grid) + filtering, error_of(image, exact)
    packing = cutting + unpacking
    return Measured("strips", count, total, max(grid), filtering, packing, error, samples, moved)


def _strips_once(
    packed: Any, plan: StripLayout
) -> tuple[list[float], float, float, np.ndarray, int]:
    filter_blocks.cache_clear()
    grid, unpacking, parts = [], 0.0, []
    for own, strip in zip(packed, plan.strips, strict=True):
        spent, [seen] = timed(lambda o=own: unpacked(joined([o])))
        unpacking += spent
        spent, samples = timed(
            lambda s=seen, p=strip: transform.sampled([s], [s.visibility], p, plan)
        )
        grid.append(spent)
        parts.append(transform.slices(samples, strip, plan))
    image = np.empty((plan.geometry.npix, plan.geometry.npix))
    started = time.process_time()
    for n, block in enumerate(plan.blocks):
        own = [part[n] for part in parts]
        image[:, block.start : block.stop] = transform.column_block(own, block, plan)
    filtering = time.process_time() - started
    return grid, filtering, unpacking, image, sum(s.nbytes for p in parts for s in p)


def in_rows(data: Visibilities, geometry: Geometry, count: int, exact: np.ndarray) -> Measured:
    """Pieces of consecutive rows, as in a partition by time."""
    spent, image = [], np.zeros_like(exact)
    for rows in np.array_split(np.arange(len(data.uvw)), count):
        own = slice(rows[0], rows[-1] + 1)
        piece = Visibilities(
            data.uvw[own], data.frequency, data.visibility[own], data.weight[own], 0
        )
        seconds, part = timed(lambda p=piece: invert(p, geometry))
        image += part
        spent.append(seconds)
    moved = count * image.nbytes if count > 1 else 0
    error = error_of(image, exact)
    return Measured("rows", count, sum(spent), max(spent), 0.0, 0.0, error, moved, 0)


def prediction(data: Visibilities, geometry: Geometry) -> dict[str, float]:
    """One call against strips, for a model of points and a patch."""
    rng, npix = np.random.default_rng(0), geometry.npix
    model = np.zeros((npix, npix))
    model[tuple(rng.integers(0, npix, (2, 500)))] = rng.uniform(0, 1, 500)
    model[300:380, npix // 2 - 40 : npix // 2 + 40] = 1e-3
    call, _ = best(lambda: predict(model, data, geometry))
    plan = plan_of(data, geometry, COMPARED)
    packed = cut(data, plan)
    seconds, error, peak, found_in = 0.0, 0.0, 0.0, components.of(model)
    for n, strip in enumerate(plan.strips):
        [seen] = unpacked(packed[n])

        def visible(s: Any = strip, d: Visibilities = seen) -> np.ndarray:
            samples = transform.model_samples(found_in, s, plan)
            [found] = transform.visible(samples, [d], s, plan)
            return found

        spent, found = best(visible)
        seconds += spent
        few = slice(None, None, 50)
        some = replace(seen, uvw=seen.uvw[few], visibility=found[few], weight=seen.weight[few])
        exact = predict(model, some, replace(geometry, epsilon=EXACT))
        error = max(error, float(np.abs(found[few] - exact).max()))
        peak = max(peak, float(np.abs(exact).max()))
    return {"one_call": call, "strips": seconds, "ratio": seconds / call, "error": error / peak}


def measure(data: Visibilities, npix: int, with_rows: bool) -> dict[str, Any]:
    geometry = Geometry(npix, CELL_ARCSEC * ARCSEC, EPSILON)
    exact = invert(data, replace(geometry, epsilon=EXACT))
    call, image = best(lambda: invert(data, geometry))
    rows = []
    for count in COUNTS:
        for way in (in_strips, in_rows) if with_rows else (in_strips,):
            rows.append(asdict(way(data, geometry, count, exact)))
            print(
                f"{npix}² {way.__name__} {count}: {rows[-1]['total'] / call:.2f}", file=sys.stderr
            )
    again, _ = best(lambda: invert(data, geometry))  # before and after: the machine may be busy
    predict = prediction(data, geometry)
    one = {"cpu": min(call, again), "error": error_of(image, exact)}
    return {"npix": npix, "one_call": one, "ways": rows, "predict": predict}


def ratios_of(found: list[dict[str, Any]]) -> tuple[dict[str, float], dict[str, float]]:
    """Ratios to the one call, and their bars."""
    ratios, bars = {}, {}
    for case in found:
        npix, call = case["npix"], case["one_call"]["cpu"]
        for row in case["ways"]:
            ratios[f"{npix} {row['way']} {row['pieces']}"] = row["total"] / call
            if (row["way"], row["pieces"]) == ("strips", COMPARED):
                ratios[f"{npix} largest of {COMPARED}"] = row["largest"] / call
                ratios[f"{npix} packing {COMPARED}"] = row["packing"] / call
                ratios[f"{npix} error/bar"] = row["error"] / ERROR_BARS["image"]
        ratios[f"{npix} predict {COMPARED}"] = case["predict"]["ratio"]
        ratios[f"{npix} predict error/bar"] = case["predict"]["error"] / ERROR_BARS["predict"]
        bars |= {f"{npix} error/bar": 1.0, f"{npix} predict error/bar": 1.0}
        if npix in BARS:
            bars[f"{npix} strips {COMPARED}"] = BARS[npix]["total"]
            bars[f"{npix} largest of {COMPARED}"] = BARS[npix]["largest"]
            bars[f"{npix} predict {COMPARED}"] = BARS[npix]["predict"]
    return ratios, bars


def draw(found: list[dict[str, Any]], path: Path) -> None:
    """Total and largest CPU over pieces, relative to one call."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(found), 3.8), layout="constrained")
    for axes, case in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        call = case["one_call"]["cpu"]
        for way, colour in (("rows", "tab:red"), ("strips", "tab:blue")):
            own = [row for row in case["ways"] if row["way"] == way]
            pieces = [row["pieces"] for row in own]
            for key, line, words in (("total", "o-", "all pieces"), ("largest", "o:", "largest")):
                values = [row[key] / call for row in own]
                axes.plot(pieces, values, line, color=colour, label=f"{way}, {words}")
        axes.plot(COUNTS, [1 / n for n in COUNTS], color="0.7", label="1/K")
        axes.axhline(1, color="0.7", lw=0.8)
        axes.set(xscale="log", yscale="log", xlabel="pieces K", title=f"{case['npix']}² pixels")
        axes.set_xticks(COUNTS, labels=map(str, COUNTS), minor=False)
        axes.minorticks_off()
        ticks = [0.05, 0.1, 0.2, 0.5, 1, 2, 5]
        axes.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axes.set_ylabel("CPU time / one call")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--npix", type=int, nargs="+", default=[2048, 4096])
    parser.add_argument("--visibilities", type=int, default=10**7)
    parser.add_argument("--no-rows", action="store_true", help="leave the pieces of rows out")
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "spectrum-benchmarks"))
    parser.add_argument("--plot", type=Path, help="draw the ratios into this file")
    options = parser.parse_args()
    work = Path(options.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    case = Case(options.visibilities, 2048)
    make_data((case,), work)
    with threadpool_limits(1):
        [chunk] = DOMAIN.plan(spec_of(case), str(work)).partitions
        data = read(chunk)
        few = (data.uvw[:20_000], data.frequency, data.visibility[:20_000], data.weight[:20_000])
        measure(Visibilities(*few, 0), 512, with_rows=True)  # compiles kernels
        found = [measure(data, npix, not options.no_rows) for npix in options.npix]
    if options.plot:
        draw(found, options.plot)
    ratios, bars = ratios_of(found)
    report = finished(ratios, bars, at_most=True, cases=found)
    show(report, as_json=options.json)
    sys.exit(0 if report["holds"] else 1)


if __name__ == "__main__":
    main()
