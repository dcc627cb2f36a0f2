"""What an image will take, known before any visibility is read."""

from __future__ import annotations

import math
import operator
import os
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.domain import Plan, Report
from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio import forecast, memory
from spectrum_workflows.radio.read import coordinates, describe, find
from spectrum_workflows.radio.slabs import slabs
from spectrum_workflows.radio.strips.coverage import Coverage, covered
from spectrum_workflows.radio.strips.planner import (
    ALWAYS_ABOVE,
    NEVER_UP_TO,
    below_horizon,
    strip_count,
)
from spectrum_workflows.radio.strips.planner import layout as layout_of
from spectrum_workflows.radio.strips.types import Layout
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT, Geometry
from spectrum_workflows.stages import Forecast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed import Client

    from spectrum_workflows.radio.spec import RadioSpec
    from spectrum_workflows.radio.types import Observation, Slab


FEW = 4
"""Slabs that are looked at where strips are not made."""

CYCLES = ("model", "major cycle", "psf transform", "minor cycle")
"""Stages that only CLEAN has."""


@dataclass(frozen=True)
class ImagingPlan(Plan):
    """A plan whose partitions are slabs; ``layout`` says how they are cut into strips."""

    layout: Layout | None = None


def plan(
    spec: RadioSpec,
    data: str,
    *,
    client: Client | None = None,  # noqa: ARG001  (one set is soon looked at)
    known: str = "",  # noqa: ARG001
    report: Report = lambda *_: None,  # noqa: ARG001
    glance: bool = False,  # noqa: ARG001
) -> ImagingPlan:
    """Look at the data set, cut it into slabs and lay out strips; no visibility is read.

    It is one set, looked at in this process: the other arguments are those
    of every domain, and play no part.

    Raises
    ------
    DataNotFoundError, DataError
        The set is not there or cannot be imaged.
    SpecError
        The spec must choose a field, or the image does not fit into memory.
    """
    geometry = geometry_of(spec)
    _check_memory(geometry)
    observation = describe(spec, find(spec, data))
    cut = slabs(observation, spec.partition.max_visibilities)
    coverage = _coverage(spec, observation, cut)
    layout = None if coverage is None else _layout(spec, geometry, coverage)
    need = memory.task_bytes(cut, geometry)
    stages = _stages(spec, observation, cut, coverage, layout)
    return ImagingPlan(
        partitions=cut,
        bytes_to_read=sum(slab.size for slab in cut) * observation.visibility_bytes,
        largest_memory=max(stage.memory for stage in stages) if layout else need,
        warnings=_undersampled(spec, observation),
        inputs=((observation.url, observation.identity),),
        stages=stages,
        method=_method(layout),
        layout=layout,
        data_bytes=storage.size_below(observation.url),
    )


def _method(layout: Layout | None) -> str:
    if layout is None:
        return "one call of the gridder per slab and image"
    strips, blocks = len(layout.strips), len(layout.blocks)
    rows, columns = layout.y.count, max(strip.x.count for strip in layout.strips)
    what = f"{strips} uv strips of at most {columns} × {rows} coarse pixels"
    return f"{what}, joined in {blocks} blocks of columns"


def _stages(
    spec: RadioSpec,
    observation: Observation,
    cut: Sequence[Slab],
    coverage: Coverage | None,
    layout: Layout | None,
) -> tuple[Forecast, ...]:
    """What each stage will do, where the data's coverage is known."""
    if coverage is None:
        return ()
    geometry, psf = geometry_of(spec), spec.image.psf
    weighted = spec.weighting.scheme != "natural"
    if layout:
        rows = int(observation.rows_per_time.sum())
        found = forecast.in_strips(cut, layout, rows=rows, weighted=weighted, psf=psf)
    else:
        need = memory.task_bytes(cut, geometry)
        found = forecast.in_slabs(cut, geometry, coverage, psf=psf, memory=need)
    first = (forecast.weights(cut, geometry),) if weighted else ()
    cycles = set(CYCLES) if spec.clean is None else set()
    return (*first, *(stage for stage in found if stage.name not in cycles))


def _coverage(spec: RadioSpec, observation: Observation, cut: Sequence[Slab]) -> Coverage | None:
    """Where the data lie, from their coordinates; not for images that are never cut.

    Where no strips will be made, it is wanted for the forecast only, and a few slabs tell it.
    """
    wanted = spec.strips.count
    if wanted == 1 or (wanted == "auto" and spec.image.npix <= NEVER_UP_TO):
        return None
    limit = observation.longest_baseline * float(observation.frequency.max()) / SPEED_OF_LIGHT
    if not 0 < limit < math.inf:
        return None
    if wanted == "auto" and spec.image.npix <= ALWAYS_ABOVE and spec.clean is None:
        cut = cut[:: math.ceil(len(cut) / FEW)]
    return reduce(operator.add, (covered(*coordinates(slab), limit) for slab in cut))


def _layout(spec: RadioSpec, geometry: Geometry, coverage: Coverage) -> Layout | None:
    """The strips; ``None`` where one call per slab is better."""
    wanted = spec.strips.count
    again = spec.clean is not None
    count = strip_count(coverage, geometry, again=again) if wanted == "auto" else wanted
    if count == 1 or not coverage.u_high > 0:
        return None
    if not below_horizon(geometry):
        what = "strips need a margin around the image, which reaches beyond the horizon"
        raise SpecError(what, "strips.count", 'use 1 or "auto"')
    return layout_of(coverage, geometry, count)


def geometry_of(spec: RadioSpec) -> Geometry:
    """The image's geometry in rad."""
    return Geometry(spec.image.npix, spec.image.cell_arcsec * ARCSEC, spec.image.epsilon)


def _check_memory(geometry: Geometry) -> None:
    need = memory.session_bytes(geometry)
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if need > there:
        raise SpecError(
            f"an image of {geometry.npix}² pixels needs {need / 1e9:.3g} GB of memory, "
            f"this machine has {there / 1e9:.3g} GB",
            "image.npix",
            "choose fewer pixels or a larger machine",
        )


def _undersampled(spec: RadioSpec, observation: Observation) -> tuple[str, ...]:
    """A warning where a pixel is more than half the finest fringe."""
    if not observation.longest_baseline > 0:
        return ("every baseline has length 0: are the set's UVW filled in?",)
    shortest = SPEED_OF_LIGHT / float(observation.frequency.max())
    nyquist = shortest / (2 * observation.longest_baseline) / ARCSEC
    if spec.image.cell_arcsec <= nyquist:
        return ()
    cell = f"cell_arcsec = {spec.image.cell_arcsec:g}"
    return (f"{cell} undersamples the longest baseline: use {nyquist:.3g} or less",)
