"""The radio workflow: weights, dirty image and PSF, beam, CLEAN, restoration."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine import Checkpoints, Reduction, Run, one_thread
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.radio import products
from spectrum_workflows.radio.deconvolution import cotton_schwab
from spectrum_workflows.radio.deconvolution.restoration import restored
from spectrum_workflows.radio.deconvolution.search import search_for
from spectrum_workflows.radio.imaging import chunk_tasks, gate
from spectrum_workflows.radio.imaging.beam import fit_beam
from spectrum_workflows.radio.imaging.codecs import DENSITY, cycle_codec
from spectrum_workflows.radio.imaging.imager import Outputs
from spectrum_workflows.radio.imaging.local import LocalImager
from spectrum_workflows.radio.imaging.self_check import PIXELS, compare
from spectrum_workflows.radio.imaging.strips import StripImager, shuffle_into_strips
from spectrum_workflows.radio.plan.planning import ImagingPlan, PlaneGroup, geometry_of
from spectrum_workflows.radio.read.mask import read_mask
from spectrum_workflows.radio.types import (
    ARCSEC,
    Beam,
    ComponentList,
    FieldResults,
    GroupImages,
    ImagingPartition,
    ImagingResult,
    MajorCycle,
    PlaneImages,
    SelfCheck,
    Stop,
    Use,
)
from spectrum_workflows.radio.types.robust import robust_rms
from spectrum_workflows.radio.weights import TINY, UvDensity, Weighting, robustness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distributed import Client

    from spectrum_workflows.domain import OnError, Plan, Report
    from spectrum_workflows.engine import Observer
    from spectrum_workflows.radio.deconvolution import Components
    from spectrum_workflows.radio.deconvolution.cotton_schwab import Deconvolved
    from spectrum_workflows.radio.deconvolution.cycle import Cycle
    from spectrum_workflows.radio.deconvolution.masks import PixelMask
    from spectrum_workflows.radio.imaging.imager import Imager, Sums
    from spectrum_workflows.radio.imaging.self_check import Sample
    from spectrum_workflows.radio.spec import RadioSpec
    from spectrum_workflows.radio.strips.types import StripLayout
    from spectrum_workflows.radio.types import Geometry, Observation, Plane

FAN_IN = 4
"""Partial images merged at a time: the order of every sum follows from it."""

FADED = 1e3
"""Times the least weight a taper leaves: a mean below it is the floor, not the taper."""


def run(
    spec: RadioSpec,
    plan: Plan,
    *,
    client: Client | None = None,
    on_error: OnError = "raise",
    report: Report = lambda *_: None,
) -> tuple[ImagingResult | FieldResults, Metrics]:
    """Make the images that a plan was made for, one group of planes after the other.

    Several fields have a result each, as if each had been imaged alone.

    Chunks are read again in every pass, so that memory does not grow with the
    data; strips are cut once and stay on the workers.  Native libraries compute in one
    thread, as on workers: a matrix product in two has other bits.  With ``on_error="keep"``
    chunks that fail in the first pass are left out of all; a chunk that fails
    later ends the run.

    Raises
    ------
    SpectrumError
        A chunk failed, or nothing usable is left.
    """
    assert isinstance(plan, ImagingPlan)
    metrics, mask, results = Metrics(), None, []
    checkpoints = Checkpoints()
    if spec.clean is not None and spec.clean.mask is not None:
        mask = read_mask(spec.clean.mask, plan.observation, geometry_of(spec))
    with one_thread(), closing(checkpoints):
        for number, observation in enumerate(plan.observations):
            groups = []
            for part, group in enumerate(plan.of_field(number)):
                run = Run(
                    plan.parts_of(group),
                    client,
                    on_error,
                    report,
                    "radio",
                    FAN_IN,
                    metrics,
                    checkpoints=checkpoints,
                    part=f"{number} {part}",
                )
                groups.append(image(spec, observation, group, run, mask))
                metrics = run.metrics
            results.append(_with_products(spec, observation, groups))
    metrics += Metrics(warnings=tuple(checkpoints.warnings))
    if len(results) == 1:
        return results[0], metrics
    return FieldResults(spec.name, tuple(results)), metrics


def _with_products(
    spec: RadioSpec, observation: Observation, groups: Sequence[GroupImages]
) -> ImagingResult:
    """The result for one field, with what it says about itself, and what follows from it."""
    result = ImagingResult(
        name=spec.name,
        observation=observation,
        geometry=geometry_of(spec),
        weighting=name_of_weights(spec),
        groups=tuple(groups),
    )
    result = replace(result, warnings=gate.warnings(result))
    return products.with_products(spec, result)


def image(
    spec: RadioSpec,
    observation: Observation,
    group: PlaneGroup,
    run: Run[ImagingPartition],
    mask: PixelMask | None = None,
) -> GroupImages:
    """Dirty images, PSFs and beams of some planes; where the spec says so, clean images.

    Where CLEAN fails, whatever the reason, the images before it are not lost.
    """
    check_of = sum(chunk.size for chunk in run.partitions)
    weighting = weigh(spec, observation, run)
    with closing(make_imager(spec, group, run, weighting, check_of)) as imager:
        sums = imager.sums()
        check_weight(sums.weight_sum, sums.unflagged, observation, outside=sums.outside)
        check_taper(spec, sums, observation)
        planes = (before_clean(spec, group, plane, sums) for plane in group.planes)
        images = GroupImages(tuple(planes), use=count_use(run, sums, weighting))
        images = with_beams(spec, images)
        if spec.clean is None:
            return images
        try:
            return clean(spec, imager, images, run, observation, mask, called=group.called)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            if isinstance(error, SpectrumError):
                reason = f"{error.where}: {error.what}"
            run.lose("CLEAN", reason)
            errors = (*images.errors, f"CLEAN failed: {reason}")
            return replace(images, errors=errors, stop=Stop.LOST)


def weigh(
    spec: RadioSpec, observation: Observation, run: Run[ImagingPartition]
) -> Weighting | None:
    """The imaging weights; the first pass, which only uniform and Briggs weights need.

    Raises
    ------
    DataError
        No visibility has a weight, or none lies on the grid.
    """
    if spec.weighting.scheme == "natural":
        return untouched(spec)
    summing = Reduction(chunk_tasks.density_of, chunk_tasks.add_density)
    weighed = partial(run.over, "weights", summing, geometry_of(spec))
    density = run.once("weights", weighed, DENSITY)
    return weighting_of(spec, density, observation)


def weighting_of(
    spec: RadioSpec, density: chunk_tasks.Density, observation: Observation
) -> Weighting:
    """Uniform or Briggs weighting from the density of all data.

    Raises
    ------
    DataError
        No visibility has a weight, or none lies on the grid.
    """
    outside = density.outside
    check_weight(density.weight_sum, density.unflagged, observation, outside=outside)
    if not density.grid.any():
        remedy = "no baseline is that short: lower cell_arcsec or use natural weights"
        raise DataError("all visibilities lie beyond the uv grid", observation.url, remedy)
    coefficients = robustness(spec.weighting.scheme, spec.weighting.robust, density.grid)
    return Weighting(UvDensity(density.grid, coefficients, density.usable), taper_of(spec))


def untouched(spec: RadioSpec) -> Weighting | None:
    """Natural weights: the data's own, but for a taper."""
    return Weighting(taper=taper_of(spec)) if taper_of(spec) else None


def taper_of(spec: RadioSpec) -> float:
    """Width of the beam that the taper alone would give, rad; 0 for none."""
    return (spec.weighting.taper_arcsec or 0.0) * ARCSEC


def make_imager(
    spec: RadioSpec,
    group: PlaneGroup,
    run: Run[ImagingPartition],
    weighting: Weighting | None,
    check_of: int,
) -> Imager:
    """An imager for some planes: in strips, which are cut here, where there is a layout."""
    checks = spec.checks_itself or group.layout is not None or spec.products.plots
    outputs = Outputs(
        psf=spec.image.psf, clean=spec.clean is not None, check_of=check_of if checks else 0
    )
    if group.layout is None:
        return LocalImager(run, group.planes, geometry_of(spec), weighting, outputs)
    strips = shuffle_into_strips(run, group.layout, weighting)
    return StripImager(run, group.planes, group.layout, outputs, strips)


def before_clean(spec: RadioSpec, group: PlaneGroup, plane: Plane, sums: Sums) -> PlaneImages:
    """Dirty image and PSF of one plane, and how well they were gridded."""
    own = sums.planes[plane.number]
    return PlaneImages(
        plane=plane,
        dirty=own.dirty,
        weight_sum=own.weight_sum,
        visibilities=own.used,
        psf=own.psf,
        self_check=check_gridding(own.sample, geometry_of(spec), group.layout),
        coverage=own.sample.uvw[:, :2] if own.sample and spec.products.plots else None,
    )


def clean(
    spec: RadioSpec,
    imager: Imager,
    images: GroupImages,
    run: Run[ImagingPartition],
    observation: Observation,
    mask: PixelMask | None = None,
    *,
    called: str = "",
) -> GroupImages:
    """Deconvolve, within a mask if there is one, and restore where there is a beam.

    ``called`` is what whoever watches is told of the field, if that is one of several.
    """
    assert spec.clean is not None
    psfs = tuple(plane.psf for plane in images.planes if plane.psf is not None)
    geometry = geometry_of(spec)
    where = images.planes[0].plane.where
    where = f"{called}, {where}" if called else where
    seen = partial(show_cycle, run.observer, where, geometry, observation.origin)
    search = search_for(spec.clean, geometry, images.planes[0].beam, mask)
    begun, keep = kept_cycles(run, len(psfs))
    cleaned = cotton_schwab(
        imager, psfs, spec.clean, search=search, seen=seen, keep=keep, begun=begun
    )
    with closing(cleaned.residual) as left:
        residuals = left.gathered()
    errors = images.errors
    if cleaned.error:
        run.lose("CLEAN", cleaned.error)
        errors = (*errors, f"CLEAN ended after major cycle {cleaned.major}: {cleaned.error}")
    models = cleaned.model.dense(geometry.npix, geometry.npix)
    planes = []
    for number, plane in enumerate(images.planes):
        image, residual, own = None, residuals[number], cleaned.model.plane(number)
        if plane.beam is not None:
            image = restored(own, residual, plane.beam, geometry.cell)
        planes.append(
            replace(
                plane,
                residual=residual,
                model=models[number],
                image=image,
                components=listed(own, geometry) if spec.clean.scales else None,
            )
        )
    return replace(
        images,
        planes=tuple(planes),
        stop=cleaned.stop,
        major=cleaned.major,
        iterations=cleaned.iterations,
        threshold=cleaned.threshold,
        peak_left=cleaned.peak,
        errors=errors,
    )


def kept_cycles(
    run: Run[ImagingPartition], planes: int
) -> tuple[Cycle | None, Callable[[Cycle], None]]:
    """Where an earlier run of CLEAN came to, and what keeps where this one comes to."""
    codec = cycle_codec(planes)
    begun = run.recall("clean", codec)
    if begun is not None:
        run.metrics += Metrics(passes_resumed=(_up_to(begun),))

    def keep(cycle: Cycle) -> None:
        run.keep("clean", cycle, codec, reached=_up_to(cycle))

    return begun, keep


def _up_to(cycle: Cycle) -> str:
    """What is finished when a minor cycle is, in words."""
    return f"CLEAN up to minor cycle {cycle.after.major}"


def listed(model: Components, geometry: Geometry) -> ComponentList:
    """The components of one plane, with their sizes on the sky."""
    diameter = model.diameters * (geometry.cell / ARCSEC)
    return ComponentList(model.row, model.column, diameter, model.flux[:, 0])


def show_cycle(
    observer: Observer,
    where: str,
    geometry: Geometry,
    origin: str,
    now: Deconvolved,
    peak: float,
    rms: float,
) -> None:
    """Tell whoever watches of a major cycle, with its residual where there is time for that."""

    def show() -> None:
        residual, noise, picture = None, rms, observer.due()
        if picture:
            small = now.residual.preview()
            residual = small.strongest
            noise = robust_rms(small.sample.astype(np.float64)) if math.isnan(rms) else rms
        flux, field = float(now.model.flux[:, 0].sum()), geometry.npix * geometry.cell / ARCSEC
        cycle = MajorCycle(where, now.major, peak, noise, flux, field, residual, origin)
        observer.see(cycle, picture=picture)

    observer.attempt(show)


def with_beams(spec: RadioSpec, images: GroupImages) -> GroupImages:
    """With the restoring beams: the spec's, else those that fit the PSFs, where one does."""
    planes, errors = [], list(images.errors)
    for plane in images.planes:
        beam = None
        if spec.restore:
            given = spec.restore
            beam = Beam(given.bmaj_arcsec, given.bmin_arcsec, given.bpa_deg)
        elif plane.psf is not None:
            try:
                beam = fit_beam(plane.psf, geometry_of(spec).cell)
            except DataError as error:
                consequence = "no beam, and no restored image" if spec.clean else "no beam"
                errors.append(f"{consequence}: {error}")
        fitted = beam is not None and not spec.restore
        planes.append(replace(plane, beam=beam, beam_fitted=fitted))
    return replace(images, planes=tuple(planes), errors=tuple(errors))


def count_use(run: Run[ImagingPartition], sums: Sums, weighting: Weighting | None) -> Use:
    """Count the visibilities that the images hold of those in the chunks that are left."""
    planned = sum(chunk.size for chunk in run.partitions)
    counted = weighting.usable if weighting else None
    known = counted is not None and not run.metrics.failures  # else of lost chunks, too
    usable = counted if counted is not None and known else sums.used
    return Use(
        planned=planned,
        flagged=planned - sums.unflagged,
        unusable=sums.unflagged - usable - sums.outside,
        beyond=usable - sums.used,
        outside=sums.outside,
    )


def check_gridding(
    sample: Sample | None, geometry: Geometry, layout: StripLayout | None
) -> SelfCheck | None:
    """Compare gridding with a direct sum, where a sample was drawn for it."""
    if sample is None:
        return None
    started = time.process_time()
    of_peak, of_rms = compare(sample, geometry, layout)
    spent = time.process_time() - started
    return SelfCheck(geometry.epsilon, of_peak, of_rms, len(sample.weight), PIXELS, spent)


def check_weight(
    weight_sum: float, unflagged: int, observation: Observation, *, outside: int = 0
) -> None:
    """Refuse to make an image of nothing.

    Raises
    ------
    DataError
        Everything is flagged, or nothing has a weight.
    """
    url, column = observation.url, observation.weight_column
    if unflagged == 0:
        both = observation.selection.hands == "both"
        message = "every visibility is flagged"
        message += ", in one of its parallel hands at least" if both else ""
        raise DataError(message, url, "unflag it or choose other data")
    if not weight_sum > 0 and outside:
        message = "every usable visibility lies outside the chosen uv range"
        remedy = f"widen select.uv_m or select.uv_wavelengths, or look at {column}"
        raise DataError(message, url, remedy)
    if not weight_sum > 0:
        message = (
            f"no unflagged visibility has a positive weight ({column}), a finite value and UVW"
        )
        raise DataError(message, url, f"look at {column}, {observation.column} and UVW")


def check_taper(spec: RadioSpec, sums: Sums, observation: Observation) -> None:
    """Refuse a taper that leaves a plane no weights but the least.

    Raises
    ------
    DataError
        It is far wider than what the shortest baseline sees.
    """
    width = spec.weighting.taper_arcsec
    least = min((own.weight_sum / own.used for own in sums.planes.values() if own.used), default=1)
    if width and least < FADED * TINY:
        message = f"a taper of {width:g} arcsec leaves no visibility a weight"
        remedy = "no baseline is that short: lower weighting.taper_arcsec"
        raise DataError(message, observation.url, remedy)


def name_of_weights(spec: RadioSpec) -> str:
    """The imaging weights in words."""
    scheme, taper = spec.weighting.scheme, spec.weighting.taper_arcsec
    name = f"briggs {spec.weighting.robust:g}" if scheme == "briggs" else scheme
    return f"{name}, taper {taper:g} arcsec" if taper else name
