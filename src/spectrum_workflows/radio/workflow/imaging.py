"""Making an image: weights, dirty image and PSF, CLEAN, restoration."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.engine import Reduction, Run, one_thread
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.radio.beam import fit_beam
from spectrum_workflows.radio.clean import cotton_schwab
from spectrum_workflows.radio.clean.residual_image import local_residual
from spectrum_workflows.radio.clean.restoration import restored
from spectrum_workflows.radio.gate import seen
from spectrum_workflows.radio.self_check import PIXELS, Sample, compare
from spectrum_workflows.radio.strips.one_process import invert_in_strips
from spectrum_workflows.radio.types import (
    Beam,
    Chunk,
    Geometry,
    ImagingResult,
    SelfCheck,
    Stop,
    Use,
)
from spectrum_workflows.radio.weights import robustness
from spectrum_workflows.radio.workflow import chunk_tasks as tasks
from spectrum_workflows.radio.workflow import strip_passes
from spectrum_workflows.radio.workflow.planning import ImagingPlan, geometry_of

FAN_IN = 4
"""Partial images merged at a time: the order of every sum follows from it."""

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from spectrum_workflows.domain import Metrics, OnError, Plan, Report
    from spectrum_workflows.radio.clean import Components, ResidualImage
    from spectrum_workflows.radio.spec import CleanSpec, RadioSpec
    from spectrum_workflows.radio.types import Image, Observation, Visibilities

    Cleaning = Callable[
        [ImagingResult], tuple[ResidualImage, Callable[[Components, int], ResidualImage]]
    ]
    """What CLEAN starts from, and the residual of a model in a major cycle."""


def run(
    spec: RadioSpec,
    plan: Plan,
    *,
    client: Client | None = None,
    on_error: OnError = "raise",
    report: Report | None = None,
) -> tuple[ImagingResult, Metrics]:
    """Make the image: weights, dirty image and PSF, CLEAN, restoration.

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
    with one_thread():
        return _run(spec, plan, client, on_error, report)


def _run(
    spec: RadioSpec, plan: Plan, client: Client | None, on_error: OnError, report: Report | None
) -> tuple[ImagingResult, Metrics]:
    assert isinstance(plan, ImagingPlan)
    state = Run(_chunks(plan), client, on_error, report or _silent, "radio", FAN_IN)
    geometry = geometry_of(spec)
    robust = _robustness(spec, geometry, state, plan.observation)
    layout = plan.layout
    checks = spec.checks_itself or layout is not None
    wanted = tasks.ImagingOutputs(spec.image.psf, plan.size if checks else 0)
    if layout is None:
        sums = state.over(
            "image", Reduction(tasks.imaged, tasks.add_sums), geometry, robust, wanted
        )
        cleaning: Cleaning = partial(_cleaning_in_chunks, state, geometry, robust)
        use = _use(state, sums, robust)
        made = _made(spec, plan.observation, state, sums, use, cleaning)
        return replace(made, warnings=seen(made)), state.metrics
    with closing(strip_passes.shuffle_into_strips(state, layout, robust)) as data:
        clean = spec.clean is not None
        with closing(strip_passes.images(state, layout, data, wanted, clean=clean)) as images:
            cleaning = partial(strip_passes.cleaning, state, layout, data, images)
            image_of = partial(invert_in_strips, layout=layout)
            sums, use = images.sums, _use(state, images.sums, robust)
            made = _made(spec, plan.observation, state, sums, use, cleaning, image_of)
            return replace(made, warnings=seen(made)), state.metrics


def _made(
    spec: RadioSpec,
    observation: Observation,
    state: Run[Chunk],
    sums: tasks.Sums,
    use: Use,
    cleaning: Cleaning,
    image_of: Callable[[Visibilities], Image] | None = None,
) -> ImagingResult:
    """The result from sums over all data, and from what major cycles leave of them."""
    geometry = geometry_of(spec)
    _check_weight(sums.weight_sum, sums.unflagged, observation)
    for image in (sums.dirty, sums.psf):
        if image is not None:  # in place: another large image would be felt
            np.divide(image, sums.weight_sum, out=image)
    result = ImagingResult(
        name=spec.name,
        observation=observation,
        geometry=geometry,
        weighting=_weighting(spec),
        dirty=sums.dirty,
        weight_sum=sums.weight_sum,
        visibilities=sums.used,
        psf=sums.psf,
        self_check=_self_check(sums.sample, geometry, image_of),
        use=use,
    )
    result = _with_beam(spec, result)
    if spec.clean is None:
        return result
    try:
        return _cleaned(spec.clean, result, cleaning, state)
    except Exception as error:  # dirty image and PSF are not lost, whatever it is
        what = " ".join(f"{type(error).__name__}: {error}".split())
        if isinstance(error, SpectrumError):
            what = f"{error.where}: {error.what}"
        state.lose("CLEAN", what)
        return replace(result, errors=(*result.errors, f"CLEAN failed: {what}"), stop=Stop.LOST)


def _use(state: Run[Chunk], sums: tasks.Sums, robust: tasks.Robustness | None) -> Use:
    """Which of the visibilities in the chunks that are left the images hold."""
    planned = sum(chunk.size for chunk in state.partitions)
    known = robust is not None and not state.metrics.failures  # else of chunks that are lost, too
    usable = robust.usable if robust and known else sums.used
    return Use(
        planned=planned,
        flagged=planned - sums.unflagged,
        unusable=sums.unflagged - usable,
        beyond=usable - sums.used,
    )


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Report to nobody."""


def _cleaning_in_chunks(
    state: Run[Chunk], geometry: Geometry, robust: tasks.Robustness | None, result: ImagingResult
) -> tuple[ResidualImage, Callable[[Components, int], ResidualImage]]:
    """What CLEAN starts from, and how a major cycle is done."""
    assert result.psf is not None
    dirty = local_residual(result.dirty, result.psf)

    def residual_of(model: Components, major: int) -> ResidualImage:
        image = model.dense(geometry.npix, geometry.npix)
        what = Reduction(tasks.residual, tasks.add_images)
        left = state.over(f"major cycle {major}", what, geometry, robust, image)
        return replace(dirty, image=left / result.weight_sum)

    return dirty, residual_of


def _robustness(
    spec: RadioSpec, geometry: Geometry, state: Run[Chunk], observation: Observation
) -> tasks.Robustness | None:
    """The first pass, which only uniform and Briggs weights need."""
    weighting = spec.weighting
    if weighting.scheme == "natural":
        return None
    found = state.over("weights", Reduction(tasks.density_of, tasks.add_density), geometry)
    _check_weight(found.weight_sum, found.unflagged, observation)
    if not found.grid.any():
        remedy = "no baseline is that short: lower cell_arcsec or use natural weights"
        raise DataError("all visibilities lie beyond the uv grid", state.partitions[0].url, remedy)
    coefficients = robustness(weighting.scheme, weighting.robust, found.grid)
    return tasks.Robustness(found.grid, coefficients, found.usable)


def _cleaned(
    clean: CleanSpec, result: ImagingResult, cleaning: Cleaning, state: Run[Chunk]
) -> ImagingResult:
    """Deconvolve, and restore where there is a beam."""
    assert result.psf is not None
    dirty, residual_of = cleaning(result)
    found = cotton_schwab(dirty, result.psf, clean, residual_of)
    with closing(found.residual) as left:
        residual, npix = left.gathered(), result.geometry.npix
    errors, image = result.errors, None
    if found.error:
        state.lose("CLEAN", found.error)
        errors = (*errors, f"CLEAN ended after major cycle {found.major}: {found.error}")
    if result.beam is not None:
        image = restored(found.model, residual, result.beam, result.geometry.cell)
    return replace(
        result,
        residual=residual,
        model=found.model.dense(npix, npix),
        image=image,
        stop=found.stop,
        major=found.major,
        iterations=found.iterations,
        threshold=found.threshold,
        errors=errors,
    )


def _with_beam(spec: RadioSpec, result: ImagingResult) -> ImagingResult:
    """With the restoring beam: the spec's, else the one that fits the PSF, if one does."""
    if spec.restore:
        given = Beam(spec.restore.bmaj_arcsec, spec.restore.bmin_arcsec, spec.restore.bpa_deg)
        return replace(result, beam=given)
    if result.psf is None:
        return result
    try:
        return replace(result, beam=fit_beam(result.psf, result.geometry.cell), beam_fitted=True)
    except DataError as error:
        what = "no beam, and no restored image" if spec.clean else "no beam"
        return replace(result, errors=(*result.errors, f"{what}: {error}"))


def _self_check(
    subset: Sample | None, geometry: Geometry, image_of: Callable[[Visibilities], Image] | None
) -> SelfCheck | None:
    if subset is None:
        return None
    started = time.process_time()
    of_peak, of_rms = compare(subset, geometry, image_of)
    spent = time.process_time() - started
    return SelfCheck(geometry.epsilon, of_peak, of_rms, len(subset.weight), PIXELS, spent)


def _check_weight(weight_sum: float, unflagged: int, observation: Observation) -> None:
    """Refuse to make an image of nothing."""
    url, column = observation.url, observation.weight_column
    if unflagged == 0:
        what = "every visibility is flagged, in one of its parallel hands at least"
        raise DataError(what, url, "unflag it or choose other data")
    if not weight_sum > 0:
        what = f"no unflagged visibility has a positive weight ({column}), a finite value and UVW"
        raise DataError(what, url, f"look at {column}, {observation.column} and UVW")


def _weighting(spec: RadioSpec) -> str:
    scheme = spec.weighting.scheme
    return f"briggs {spec.weighting.robust:g}" if scheme == "briggs" else scheme


def _chunks(plan: Plan) -> tuple[Chunk, ...]:
    cut = tuple(p for p in plan.partitions if isinstance(p, Chunk))
    assert len(cut) == len(plan.partitions)
    return cut
