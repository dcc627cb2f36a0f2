"""Warnings that an image gives about itself, each in one line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.imaging.beam import FOLLOWS, departure
from spectrum_workflows.radio.types import ARCSEC, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import GroupImages, ImagingResult, PlaneImages

MOSTLY_FLAGGED, SOME = 0.5, 1e-3
"""Shares of the visibilities above which it is said that they are not used."""

BRIGHTEST = 1e12
"""Above the strongest radio bursts of the Sun at metre waves, Jy."""

OVERSHOOT = 2.0
"""A residual whose peak is larger than the dirty image's by this factor was not cleaned."""


def finite(values: NDArray[Any], quantity: str, where: str) -> NDArray[Any]:
    """The values themselves, if all of them are numbers.

    Raises
    ------
    DataError
        One is not.
    """
    if np.isfinite(values).all():
        return values
    remedy = "look at its UVW, weights and values; or choose a larger cell or epsilon"
    raise DataError(f"{quantity} holds values that are not finite", where, remedy)


def warnings(result: ImagingResult) -> tuple[str, ...]:
    """Warnings of a result about itself: inaccurate, diverged, odd, unused."""
    lines: list[str] = []
    for group in result.groups:
        lines += group.errors
        for number, plane in enumerate(group.planes):
            about = f"{plane.plane.where}: " if len(result.planes) > 1 else ""
            remarks = [*_not_finite(plane), *_implausible(result, plane), *_inaccurate(plane)]
            remarks += _unused(result, group) if number == 0 else ()
            remarks += (*_beam(result, plane), *_clean(group, plane))
            lines += (f"{about}{line}" for line in remarks)
    return tuple(lines)


def _not_finite(plane: PlaneImages) -> Iterator[str]:
    """Nothing that should come this far."""
    for name in ("dirty", "psf", "residual", "model", "image"):
        image = getattr(plane, name)
        if image is not None and not np.isfinite(image).all():
            yield f"{name} holds values that are not finite"


def _implausible(result: ImagingResult, plane: PlaneImages) -> Iterator[str]:
    """Values of a column that was never written: 0, or whatever was in memory."""
    peak, column = float(np.abs(plane.dirty).max()), result.observation.column
    if peak == 0:
        yield f"the image is 0 everywhere: is {column} filled in?"
    elif peak > BRIGHTEST:
        yield f"no source has {peak:.3g} Jy/beam: is {column} filled in and calibrated?"


def _inaccurate(plane: PlaneImages) -> Iterator[str]:
    check = plane.self_check
    if check is not None and not check.error_peak <= check.epsilon:
        yield (
            f"self-check: gridding is wrong by {check.error_peak:.3g} of the peak, "
            f"{check.epsilon:g} was asked for"
        )


def _unused(result: ImagingResult, group: GroupImages) -> Iterator[str]:
    use = group.use
    if use is None or not use.planned:
        return
    if use.flagged > MOSTLY_FLAGGED * use.planned:
        yield f"{use.flagged / use.planned:.1%} of the visibilities are flagged"
    unflagged = use.planned - use.flagged
    if use.unusable > SOME * unflagged:
        share = use.unusable / unflagged
        column = result.observation.weight_column
        yield (
            f"{share:.1%} of the visibilities that are not flagged have no positive weight "
            f"({column}), no finite value or no finite UVW, and are not used"
        )
    usable = unflagged - use.unusable
    if use.beyond:
        share, radius = use.beyond / usable, 0.5 / result.geometry.cell
        yield (
            f"{share:.2g} of the usable visibilities lie beyond the uv grid "
            f"({radius:.4g} wavelengths) and are not used: choose a smaller cell_arcsec"
        )


def _beam(result: ImagingResult, plane: PlaneImages) -> Iterator[str]:
    beam, psf = plane.beam, plane.psf
    if beam is not None and not plane.beam_fitted:
        cell = result.geometry.cell / ARCSEC
        if beam.bmin < cell or beam.bmaj > cell * result.geometry.npix:
            size = f'{beam.bmaj:.4g}" x {beam.bmin:.4g}"'
            than = "smaller than a pixel" if beam.bmin < cell else "larger than the image"
            yield f"the restoring beam ({size}) is {than}: the restored image shows no flux"
    if beam is None or psf is None or not plane.beam_fitted:
        return
    by = departure(psf, beam, result.geometry.cell)
    if not by <= FOLLOWS:
        much = f"by {by:.0%}" if math.isfinite(by) else "which has none"
        yield (
            f'the beam ({beam.bmaj:.4g}" x {beam.bmin:.4g}") does not follow the half-power '
            f"contour of the PSF, {much}: other weights, or a [restore] table, give a better one"
        )


def _clean(group: GroupImages, plane: PlaneImages) -> Iterator[str]:
    if plane.model is None or plane.residual is None:
        return
    left, dirty = float(np.abs(plane.residual).max()), float(np.abs(plane.dirty).max())
    if group.stop is Stop.DIVERGED:
        kept = f"the model of major cycle {group.major}" if group.major else "nothing"
        yield f"CLEAN diverged, {kept} is kept: lower gain or mgain, or look at the PSF"
    elif left > OVERSHOOT * dirty:
        yield f"CLEAN left a residual of {left:.3g} Jy/beam, more than it began with ({dirty:.3g})"
    elif group.stop in (Stop.ITERATIONS, Stop.MAX_MAJOR) and group.peak_left > group.threshold > 0:
        peak = f"the highest peak left is {group.peak_left:.3g} Jy/beam"
        asked = f"{peak}, the threshold {group.threshold:.3g}"
        yield f"CLEAN stopped at its {group.stop.value}: {asked}"
    if not plane.model.any() and group.stop is not Stop.DIVERGED and group.stop is not Stop.LOST:
        level = f"threshold {group.threshold:.3g}, peak {dirty:.3g} Jy/beam"
        yield f"CLEAN found no components ({level})"
