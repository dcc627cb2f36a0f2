"""The plan of an image, or of one of each of several fields, made before any visibility is read."""

from __future__ import annotations

import math
import operator
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.domain import OnError, Plan, Report, Volume
from spectrum_workflows.engine import Reduction, Run
from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio import products
from spectrum_workflows.radio.deconvolution.search import expected_scales
from spectrum_workflows.radio.plan import forecast, memory
from spectrum_workflows.radio.plan.chunks import chunks, grouped_chunks
from spectrum_workflows.radio.read import coordinates, describe_all, find
from spectrum_workflows.radio.read.mask import mask_identity, read_mask
from spectrum_workflows.radio.strips.coverage import Coverage, covered
from spectrum_workflows.radio.strips.planner import (
    ALWAYS_ABOVE,
    NEVER_UP_TO,
    below_horizon,
    strip_count,
)
from spectrum_workflows.radio.strips.planner import layout as layout_of
from spectrum_workflows.radio.strips.types import StripLayout
from spectrum_workflows.radio.types import (
    ARCSEC,
    SPEED_OF_LIGHT,
    Geometry,
    Plane,
    folders,
)
from spectrum_workflows.stages import Forecast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed import Client

    from spectrum_workflows.radio.deconvolution.scales import Scale
    from spectrum_workflows.radio.spec import RadioSpec
    from spectrum_workflows.radio.types import Chunk, ImagingPartition, Observation


STRIPS_NEED_ONE = "workers exchange strips of the uv plane, which needs one scheduler"
"""Why strips are imaged at one site, where several could compute."""

FINEST = 12.0
"""A pixel is at least this part of half the finest fringe: 24 across a beam show nothing more."""

FEW = 4
"""Chunks that are looked at where strips are not made."""

CYCLES = ("major cycle", "psf transform", "minor cycle")
"""Stages that only CLEAN has."""


@dataclass(frozen=True)
class PlaneGroup:
    """Planes of a field that share visibilities, weights, CLEAN's peak search and masks.

    Groups are independent of each other: each is imaged as if it were alone.

    Attributes
    ----------
    planes : tuple of Plane
        Numbered through all groups of the field.
    layout : StripLayout or None
        How its data are cut into strips, if they are.
    field : int or None
        The field that its chunks are of, where there are several.
    called : str
        How the field is told from others in words; empty where there are none.
    """

    planes: tuple[Plane, ...]
    layout: StripLayout | None = None
    field: int | None = None
    called: str = ""

    def feeds(self, part: ImagingPartition) -> bool:
        """Whether a partition is one of this group's."""
        own = self.field is None or part.field == self.field
        return own and any(plane.number in part.planes for plane in self.planes)


@dataclass(frozen=True)
class ImagingPlan(Plan):
    """The plan of an image.

    Attributes
    ----------
    partitions : tuple of ImagingPartition
    observations : tuple of Observation
        What they are chunks of: one of every field that is imaged.
    groups : tuple of PlaneGroup
    """

    partitions: tuple[ImagingPartition, ...]
    observations: tuple[Observation, ...] = field(kw_only=True, compare=False, repr=False)
    groups: tuple[PlaneGroup, ...] = ()

    @property
    def observation(self) -> Observation:
        """The first field's, which is the only one of most runs."""
        return self.observations[0]

    def of_field(self, number: int) -> tuple[PlaneGroup, ...]:
        """The groups of one of the observations, by its place among them."""
        own = self.observations[number].field
        return tuple(group for group in self.groups if group.field in (None, own))

    def parts_of(self, group: PlaneGroup) -> tuple[ImagingPartition, ...]:
        """The partitions that feed a group."""
        return tuple(part for part in self.partitions if group.feeds(part))


def plan(
    spec: RadioSpec,
    data: str,
    *,
    client: Client | None = None,
    known: str = "",  # noqa: ARG001
    report: Report = lambda *_: None,
    preflight: bool = False,
    on_error: OnError = "raise",
) -> ImagingPlan:
    """Look at the data set, cut it into chunks and lay out strips; no visibility is read.

    The coordinates, if they are wanted, are read on the workers; for a preflight,
    few of them in this process.  Nothing is kept for later (``known``).  With
    ``on_error="keep"`` strips are laid out without the chunks that cannot be read; they
    stay in the plan, and the run counts them.

    Raises
    ------
    DataNotFoundError, DataError
        The set is not there or cannot be imaged.
    SpecError
        The spec must choose a field, or the image does not fit into memory.
    PartitionError
        The workers that should have read coordinates died.
    """
    _check_memory(geometry_of(spec))
    observations = describe_all(spec, find(spec, data))
    for observation in observations:
        _check_memory(geometry_of(spec), _scales(spec, observation))
        products.check(spec, observation)
    if spec.clean and spec.clean.mask:
        if len(observations) > 1:
            message = "a mask is of one field, and several are imaged"
            raise SpecError(message, "clean.mask", "image each in a run of its own, or unmasked")
        read_mask(spec.clean.mask, observations[0], geometry_of(spec))  # now, if it does not fit
    one_plane = ((Plane(),),)
    plans = [
        plan_planes(
            spec, observation, one_plane, client, report, preflight=preflight, on_error=on_error
        )
        for observation in observations
    ]
    return plans[0] if len(plans) == 1 else of_fields(plans)


def of_fields(plans: Sequence[ImagingPlan]) -> ImagingPlan:
    """One plan of the plans of several fields, which are imaged one after the other."""
    names = folders([plan.observation for plan in plans])
    warnings = [
        f"{name}: {line}" for name, plan in zip(names, plans, strict=True) for line in plan.warnings
    ]
    return ImagingPlan(
        partitions=tuple(chunk for plan in plans for chunk in plan.partitions),
        bytes_to_read=sum(plan.bytes_to_read for plan in plans),
        largest_memory=max(plan.largest_memory for plan in plans),
        warnings=tuple(warnings),
        inputs=tuple(dict.fromkeys(pair for plan in plans for pair in plan.inputs)),
        published=tuple(dict.fromkeys(url for plan in plans for url in plan.published)),
        stages=tuple(stage for plan in plans for stage in plan.stages),
        method=f"{len(plans)} fields; {plans[0].method}",
        one_site=next((plan.one_site for plan in plans if plan.one_site), ""),
        observations=tuple(plan.observation for plan in plans),
        groups=tuple(
            replace(group, field=plan.observation.field, called=name)
            for name, plan in zip(names, plans, strict=True)
            for group in plan.groups
        ),
        data_bytes=plans[0].data_bytes,
        read=_together([plan.read for plan in plans]),
        repeats=plans[0].repeats,
    )


def _together(each: Sequence[Volume | None]) -> Volume | None:
    """What several plans read together."""
    known = [one for one in each if one is not None]
    if len(known) < len(each):
        return None
    expected = [one.expected for one in known if one.expected is not None]
    most = [one.at_most for one in known if one.at_most is not None]
    return Volume(
        sum(expected) if len(expected) == len(each) else None,
        sum(most) if len(most) == len(each) else None,
        known[0].basis,
    )


def plan_planes(
    spec: RadioSpec,
    observation: Observation,
    groups: tuple[tuple[Plane, ...], ...],
    client: Client | None = None,
    report: Report = lambda *_: None,
    *,
    preflight: bool = False,
    on_error: OnError = "raise",
) -> ImagingPlan:
    """The plan for images of some planes, which are numbered through all groups.

    Every group has chunks and strips of its own.  Small chunks are partitions together, unless
    what cannot be read is to be left out.
    """
    geometry, most = geometry_of(spec), spec.partition.max_visibilities
    cuts: list[tuple[ImagingPartition, ...]] = []
    layouts: list[StripLayout | None] = []
    stages: list[Forecast] = []
    for planes in groups:
        cut = chunks(observation, most, planes)
        sampled = _sampled_chunks(spec, observation, cut, few=preflight)
        run = Run(tuple(sampled), client, on_error, report, "radio")
        coverage = _coverage(run, observation) if sampled else None
        layouts.append(None if coverage is None else _layout(spec, geometry, coverage))
        alone = layouts[-1] is not None or on_error == "keep"  # or one would lose its neighbours
        cuts.append(cut if alone else grouped_chunks(cut, most))
        stages += _stages(spec, observation, cuts[-1], coverage, layouts[-1])
    every = tuple(part for cut in cuts for part in cut)
    in_chunks = [cut for cut, layout in zip(cuts, layouts, strict=True) if layout is None]
    psf, count = spec.image.psf, sum(map(len, groups))
    memories = [memory.task_bytes(cut, geometry, psf=psf) for cut in in_chunks]
    memories.append(memory.products_bytes(geometry, count, _products(spec)))
    memories += [stage.memory for stage in stages if any(layouts)]
    if (scales := _scales(spec, observation))[1:]:
        whole, together = bool(in_chunks), max(map(len, groups))
        memories.append(memory.session_bytes(geometry, scales, together, whole=whole))
    return ImagingPlan(
        partitions=every,
        bytes_to_read=_bytes(observation, every),
        largest_memory=max(memories),
        warnings=(*observation.notes, *_sampling(spec, observation), *_unused(spec)),
        inputs=_inputs(spec, observation),
        published=(observation.url,) if observation.portable else (),
        stages=tuple(stages),
        method=_method(layouts[0]),
        one_site=STRIPS_NEED_ONE if any(layouts) else "",
        observations=(observation,),
        groups=tuple(map(PlaneGroup, groups, layouts)),
        data_bytes=storage.size_below(observation.url),
        read=_traffic(spec, _bytes(observation, every), in_strips=all(layouts)),
        repeats=spec.clean.max_major if spec.clean else 0,
    )


LOOKS = 1.25
"""What is read at most, of that of all passes: coordinates are read besides, to lay out strips."""


def _traffic(spec: RadioSpec, nbytes: int, *, in_strips: bool) -> Volume:
    """Bytes of all passes: weights, the image, and major cycles, which strips serve by themselves.

    How many cycles CLEAN takes is not known before.
    """
    once = 1 + (spec.weighting.scheme != "natural")
    cycles = 0 if in_strips or spec.clean is None else spec.clean.max_major
    most = math.ceil(LOOKS * (once + cycles) * nbytes)
    basis = f"{once} passes" if once > 1 else "1 pass"
    if cycles:
        return Volume(None, most, f"{basis}, and one in each of {cycles} major cycles at most")
    return Volume(once * nbytes, most, basis)


def _inputs(spec: RadioSpec, observation: Observation) -> tuple[tuple[str, str], ...]:
    """What decides the result besides the spec, and which it is."""
    inputs = ((observation.url, observation.identity),)
    if spec.clean is None or spec.clean.mask is None:
        return inputs
    return (*inputs, mask_identity(spec.clean.mask, observation))


def _bytes(observation: Observation, every: Sequence[ImagingPartition]) -> int:
    """Bytes, as stored, of one pass over some partitions."""
    each = {window.number: window.visibility_bytes for window in observation.windows}
    return sum(chunk.size * each[chunk.data_description] for part in every for chunk in part.chunks)


def _method(layout: StripLayout | None) -> str:
    if layout is None:
        return "one call of the gridder per chunk and image"
    strips, blocks = len(layout.strips), len(layout.blocks)
    rows, columns = layout.y.count, max(strip.x.count for strip in layout.strips)
    summary = f"{strips} uv strips of at most {columns} × {rows} coarse pixels"
    return f"{summary}, joined in {blocks} blocks of columns"


def _stages(
    spec: RadioSpec,
    observation: Observation,
    cut: Sequence[ImagingPartition],
    coverage: Coverage | None,
    layout: StripLayout | None,
) -> tuple[Forecast, ...]:
    """What each stage will do, where the data's coverage is known."""
    if coverage is None:
        return ()
    geometry, psf = geometry_of(spec), spec.image.psf
    weighted = spec.weighting.scheme != "natural"
    if layout:
        stages = forecast.in_strips(
            cut,
            layout,
            rows=observation.rows,
            weighted=weighted,
            psf=psf,
            scales=_scales(spec, observation),
        )
    else:
        need = memory.task_bytes(cut, geometry, psf=psf)
        stages = forecast.in_chunks(cut, geometry, coverage, psf=psf, memory=need)
    first = (forecast.weights(cut, geometry),) if weighted else ()
    cycles = set(CYCLES) if spec.clean is None else set()
    return (*first, *(stage for stage in stages if stage.name not in cycles))


def _sampled_chunks(
    spec: RadioSpec, observation: Observation, cut: Sequence[Chunk], *, few: bool
) -> Sequence[Chunk]:
    """Chunks whose coordinates tell where the data lie; none for images that are never cut.

    Where no strips will be made, it is wanted for the forecast only, and a few tell it.
    """
    count = spec.strips.count
    if count == 1 or (count == "auto" and spec.image.npix <= NEVER_UP_TO):
        return ()
    if not 0 < _longest(observation) < math.inf:
        return ()
    never = count == "auto" and spec.image.npix <= ALWAYS_ABOVE and spec.clean is None
    if few or never:
        return cut[:: math.ceil(len(cut) / FEW)]
    return cut


def _longest(observation: Observation) -> float:
    """The longest baseline, wavelengths."""
    return observation.longest_baseline * float(observation.frequency.max()) / SPEED_OF_LIGHT


def _coverage(run: Run[Chunk], observation: Observation) -> Coverage:
    """Where the data of some chunks lie."""
    summing = Reduction(_covered, operator.add)
    coverage: Coverage = run.over("look", summing, _longest(observation))
    if run.client is not None:  # what is read in this process is counted already
        storage.count_stores(run.metrics.stores)
    return coverage


def _covered(chunk: Chunk, limit: float) -> Coverage:
    return covered(*coordinates(chunk), limit)


def _layout(spec: RadioSpec, geometry: Geometry, coverage: Coverage) -> StripLayout | None:
    """The strips; ``None`` where one call per chunk is better."""
    asked = spec.strips.count
    again = spec.clean is not None
    count = strip_count(coverage, geometry, again=again) if asked == "auto" else asked
    if count == 1 or not coverage.u_high > 0:
        return None
    if not below_horizon(geometry):
        message = "strips need a margin around the image, which reaches beyond the horizon"
        raise SpecError(message, "strips.count", 'use 1 or "auto"')
    layout = layout_of(coverage, geometry, count)
    if layout is None and asked != "auto":
        message = (
            f"uv strips would not keep the accuracy of {geometry.epsilon:g}: "
            "the baselines are short for so wide a field"
        )
        raise SpecError(message, "strips.count", 'use 1 or "auto"')
    return layout


def geometry_of(spec: RadioSpec) -> Geometry:
    """The image's geometry in rad."""
    return Geometry(spec.image.npix, spec.image.cell_arcsec * ARCSEC, spec.image.epsilon)


def _products(spec: RadioSpec) -> memory.Products:
    """What is kept of a plane and written."""
    if spec.clean is not None:
        return memory.CLEANED
    return memory.WITH_PSF if spec.image.psf else memory.DIRTY


def _scales(spec: RadioSpec, observation: Observation) -> tuple[Scale, ...]:
    """Those that CLEAN will have, as far as can be told before the beam is known."""
    if spec.clean is None or not spec.clean.scales:
        return ()
    return expected_scales(spec.clean, geometry_of(spec), _longest(observation))


def _check_memory(geometry: Geometry, scales: tuple[Scale, ...] = ()) -> None:
    need = memory.session_bytes(geometry, scales)
    present = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if need > present:
        raise SpecError(
            f"an image of {geometry.npix}² pixels needs {need / 1e9:.3g} GB of memory, "
            f"this machine has {present / 1e9:.3g} GB",
            "image.npix",
            "choose fewer pixels or a larger machine",
        )


def _sampling(spec: RadioSpec, observation: Observation) -> tuple[str, ...]:
    """A warning where a pixel is more than half the finest fringe, or a very small part of it."""
    if not observation.longest_baseline > 0:
        return ("no baseline has a length above 0: are the set's UVW filled in?",)
    shortest = SPEED_OF_LIGHT / float(observation.frequency.max())
    longest = observation.longest_baseline / shortest
    if spec.select.uv_m is not None:
        longest = min(longest, spec.select.uv_m[1] / shortest)
    if spec.select.uv_wavelengths is not None:
        longest = min(longest, spec.select.uv_wavelengths[1])
    nyquist = 1 / (2 * longest) / ARCSEC
    cell = f"cell_arcsec = {spec.image.cell_arcsec:g}"
    if spec.image.cell_arcsec < nyquist / FINEST:
        across = 2 * nyquist / spec.image.cell_arcsec
        better = f"cell_arcsec = {nyquist / 2:.2g} puts 4"
        return (f"{cell} puts {across:.0f} pixels or more across the beam; {better}",)
    if spec.image.cell_arcsec <= nyquist:
        return ()
    return (f"{cell} undersamples the longest baseline: use {nyquist:.3g} or less",)


def _unused(spec: RadioSpec) -> tuple[str, ...]:
    """A warning where a number is given that the image does not depend on."""
    scheme, robust = spec.weighting.scheme, spec.weighting.robust
    if scheme == "briggs" or not robust:
        return ()
    return (f'robust = {robust:g} changes nothing: weights are {scheme}, not scheme = "briggs"',)
