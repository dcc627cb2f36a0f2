"""What a run keeps to go on from, as arrays and words: densities, sums and cycles of CLEAN.

Images are kept as they are: noise does not get smaller.  Of a density most cells are empty, and
only the others are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.engine import Codec, Written
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.deconvolution.components import Components
from spectrum_workflows.radio.deconvolution.cycle import Cycle, Found, Level
from spectrum_workflows.radio.imaging.chunk_tasks import Density
from spectrum_workflows.radio.imaging.imager import Outputs, PlaneSums, Sums
from spectrum_workflows.radio.imaging.self_check import Sample
from spectrum_workflows.radio.types import Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]


def _write_density(density: Density, _items: Any) -> Written:
    grid = density.grid.ravel()
    cells = np.flatnonzero(grid)
    numbers = (density.weight_sum, density.unflagged, density.usable, density.outside)
    words = {"shape": density.grid.shape, "numbers": numbers}
    return Written({"cells": cells, "values": grid[cells]}, words)


def _read_density(written: Written, _items: Any) -> Density:
    grid = np.zeros(tuple(written.words["shape"]))
    grid.ravel()[written.arrays["cells"]] = written.arrays["values"]
    return Density(grid, *written.words["numbers"])


DENSITY = Codec(_write_density, _read_density)
"""Of the weights of all data."""


def sums_codec(outputs: Outputs) -> Codec[Sums]:
    """The images of all data."""
    return Codec(_write_sums, lambda written, _items: _read_sums(written, outputs))


def _write_sums(sums: Sums, _items: Any) -> Written:
    arrays: dict[str, NDArray[Any]] = {}
    planes = {}
    for number, plane in sums.planes.items():
        planes[str(number)] = [plane.weight_sum, plane.used]
        arrays[f"{number} dirty"] = plane.dirty
        if plane.psf is not None:
            arrays[f"{number} psf"] = plane.psf
        if plane.sample is not None:
            arrays |= {f"{number} {name}": part for name, part in vars(plane.sample).items()}
    words = {"planes": planes, "numbers": [sums.used, sums.unflagged, sums.outside]}
    return Written(arrays, words, compressed=False)


def _read_sums(written: Written, outputs: Outputs) -> Sums:
    """The sums.

    Raises
    ------
    DataError
        An output that is wanted now was not made.
    """
    planes = {}
    for number, (weight_sum, used) in written.words["planes"].items():
        own = {
            name.removeprefix(f"{number} "): array
            for name, array in written.arrays.items()
            if name.startswith(f"{number} ")
        }
        if (outputs.check_of and "uvw" not in own) or (outputs.psf and "psf" not in own):
            raise DataError("what was kept lacks an image, or the self-check's sample")
        sample = None
        if outputs.check_of:
            sample = Sample(own["uvw"], own["visibility"], own["weight"])
        psf = own["psf"] if outputs.psf else None
        planes[int(number)] = PlaneSums(own["dirty"], psf, weight_sum, used, sample)
    return Sums(planes, *written.words["numbers"])


def cycle_codec(planes: int) -> Codec[Cycle]:
    """Where CLEAN of so many planes stands."""
    return Codec(_write_cycle, lambda written, _items: _read_cycle(written, planes))


def _write_cycle(cycle: Cycle, _items: Any) -> Written:
    arrays = _parts("after", cycle.after.model) | _parts("before", cycle.before.model)
    if cycle.mask is not None:
        arrays |= _parts("mask", cycle.mask)
    held = cycle.held and [float(cycle.held.threshold), cycle.held.stop.name]
    words = {
        "after": _numbers(cycle.after),
        "before": _numbers(cycle.before),
        "cycle": [float(cycle.accuracy), cycle.rough, float(cycle.allowed)],
        "held": held,
        "masked": cycle.mask is not None,
    }
    return Written(arrays, words)


def _read_cycle(written: Written, planes: int) -> Cycle:
    words, arrays = written.words, written.arrays
    held = words["held"] and Level(words["held"][0], Stop[words["held"][1]])
    mask = _model("mask", arrays, planes) if words["masked"] else None
    after, before = (_found(name, words[name], arrays, planes) for name in ("after", "before"))
    accuracy, rough, allowed = words["cycle"]
    return Cycle(after, before, accuracy, rough, allowed, held, mask)


def _numbers(found: Found) -> list[Any]:
    counts = [int(found.major), int(found.iterations)]
    return [found.stop.name, *counts, float(found.threshold), float(found.peak)]


def _found(name: str, words: list[Any], arrays: Arrays, planes: int) -> Found:
    stop, *numbers = words
    return Found(_model(name, arrays, planes), Stop[stop], *numbers)


def _parts(name: str, model: Components) -> dict[str, NDArray[Any]]:
    """The arrays of a model."""
    return {f"{name} {key}": part for key, part in vars(model).items() if part is not None}


def _model(name: str, arrays: Arrays, planes: int) -> Components:
    """The model of some arrays.

    Raises
    ------
    DataError
        It is of other planes.
    """
    parts = {key: arrays[f"{name} {key}"] for key in ("row", "column", "flux")}
    if parts["flux"].shape != (len(parts["row"]), planes):
        raise DataError("a model of other planes")
    return Components(**parts, scale=arrays.get(f"{name} scale"))
