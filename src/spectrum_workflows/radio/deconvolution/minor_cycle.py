"""The minor cycle of CLEAN: Clark's active set, of points or of components of several scales.

Clark, B. G. 1980, A&A 89, 377; Schwab, F. R. 1984, AJ 89, 1076.  Over several scales the set is
one, of pixels at all scales, and a component is subtracted at all of them at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.compiled import compiled
from spectrum_workflows.radio.deconvolution.components import Components, none
from spectrum_workflows.radio.deconvolution.residual_image import MOST
from spectrum_workflows.radio.deconvolution.search import POINTS, Search

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.residual_image import Active, ResidualImage
    from spectrum_workflows.radio.deconvolution.responses import Responses
    from spectrum_workflows.radio.types import Image


GROWN = 10.0
"""A minor cycle ends where its peak has grown by this factor: it diverges."""

ROUNDS = 20
"""Active sets of a minor cycle, at most: what they leave is for the next major cycle."""

MOST_SUBTRACTED = 200_000_000
"""Components times pixels around them, of which one cycle takes the PSFs, at most."""


@dataclass(frozen=True)
class Sources:
    """What may be found, and what one of it does to the residual.

    Attributes
    ----------
    psfs : tuple of ndarray of float64, shape (npix, npix)
        Of every plane; 1 at their centre (npix // 2, npix // 2).
    search : Search
    responses : Responses or None
        Between the scales; needed unless all that may be found are points that count alike.
    """

    psfs: tuple[Image, ...]
    search: Search = POINTS
    responses: Responses | None = None


def minor_cycle(
    residual: ResidualImage, sources: Sources, *, gain: float, level: float, iterations: int
) -> tuple[Components, int]:
    """Find components until no pixel that may be cleaned exceeds ``level``.

    All pixels above the level, and those below it that sidelobes may raise, are cleaned
    together with the PSF shifted to each component.  Where the latter were too many, what
    that does to all pixels is subtracted with Fourier transforms, and the pixels that now
    exceed the level are cleaned likewise.  The PSF is known out to half the image: beyond
    that, for the w term away from the phase centre, and should a sidelobe have raised some
    other pixel after all, the next major cycle corrects.  Of components at several scales one
    active set is cleaned, and the next major cycle does the rest.

    Where pixels above the level are too many, the strongest are cleaned down to the others.

    Where the search has a reach, pixels so near to the components are looked at again, whatever
    they were before: a main lobe may have raised some that were too weak to be cleaned.

    Parameters
    ----------
    residual : ResidualImage
        Jy/beam, at the scales that are searched; not changed.
    sources : Sources
    gain : float
        Part of the peak that becomes a component.
    level : float
        Jy/beam.
    iterations : int
        Largest number of components.

    Returns
    -------
    model : Components
        Those found.
    used : int
        How many subtractions they took.
    """
    model, used = none(len(sources.psfs)), 0
    for _ in range(ROUNDS):
        left = residual.without(model) if used else residual
        active = left.above(level, sources.search)
        reached = max(level, (1 - gain) * active.floor)
        if not np.any(active.strength > reached):
            break
        components, count = _cleaned(active, sources, (gain, reached, iterations - used))
        used += count
        if sources.search.reach:
            control = (gain, reached, iterations - used)
            components, count = _with_raised(left, components, sources, control)
            used += count
        model = model + components
        done = used >= iterations or not active.thinned(level)
        if done or not sources.search.alike:
            break
    return model, used


def _with_raised(
    residual: ResidualImage,
    components: Components,
    sources: Sources,
    control: tuple[float, float, int],
) -> tuple[Components, int]:
    """Components, and those on pixels around them that they have raised above the level.

    Where components are many, the next major cycle does it.  Also how many subtractions the
    others took.
    """
    gain, level, iterations = control
    reach, used = sources.search.reach, 0
    for _ in range(ROUNDS):
        pixels = len(components) * math.pi * reach**2
        if used >= iterations or pixels > MOST or pixels * len(components) > MOST_SUBTRACTED:
            break
        near = residual.around(components, reach, sources.search)
        value = near.value.copy()
        where = components.row, components.column
        _subtract(near.position, value, sources.psfs, *where, components.flux)
        near = replace(near, value=value)
        if not np.any(near.strength > level):
            break
        more, count = _cleaned(near, sources, (gain, level, iterations - used))
        components, used = components + more, used + count
    return components, used


def _cleaned(
    active: Active, sources: Sources, control: tuple[float, float, int]
) -> tuple[Components, int]:
    """Components on the active pixels, and how many subtractions they took."""
    if not sources.search.alike:
        return _cleaned_at_scales(active, sources, control)
    flux = np.zeros(active.value.shape)
    used = _clean_active(active.position, active.value.copy(), sources.psfs, flux, control)
    cleaned = (flux != 0).any(axis=1)
    row, column = active.position[cleaned].T
    return Components(row, column, flux[cleaned]), used


def _cleaned_at_scales(
    active: Active, sources: Sources, control: tuple[float, float, int]
) -> tuple[Components, int]:
    """The same with each pixel at its scale."""
    assert sources.responses is not None
    active = active[np.lexsort((*active.position.T[::-1], active.scale))]
    bounds = np.searchsorted(active.scale, np.arange(len(sources.search.scales) + 1))
    flux = np.zeros(active.value.shape)
    used = _clean_scales(
        active.position,
        active.value.copy(),
        active.factor,
        active.scale,
        bounds,
        sources.responses.values,
        sources.responses.table,
        flux,
        control,
    )
    cleaned = (flux != 0).any(axis=1)
    row, column = active.position[cleaned].T
    diameters = np.array([scale.diameter for scale in sources.search.scales])
    return Components(row, column, flux[cleaned], diameters[active.scale[cleaned]]), used


@compiled()
def _strength(values: NDArray[np.float64], k: int, planes: int) -> float:
    """See `residual_image.strength`; of the k-th pixel."""
    if planes == 1:
        return abs(values[k, 0])  # type: ignore[no-any-return]
    total = 0.0
    for plane in range(planes):
        total += values[k, plane] * values[k, plane]
    return np.sqrt(total)  # type: ignore[no-any-return]


@compiled()
def _subtract(
    position: NDArray[np.int64],
    values: NDArray[np.float64],
    psfs: tuple[Image, ...],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    flux: NDArray[np.float64],
) -> None:
    """Take components' PSFs from the values at some positions, as `_clean_active` does."""
    npix = psfs[0].shape[0]
    half = npix // 2
    for k in range(values.shape[0]):
        for n in range(flux.shape[0]):
            y, x = position[k, 0] - row[n] + half, position[k, 1] - column[n] + half
            if 0 <= y < npix and 0 <= x < npix:
                for plane in range(len(psfs)):
                    values[k, plane] -= flux[n, plane] * psfs[plane][y, x]


@compiled()
def _clean_active(
    active: NDArray[np.int64],
    values: NDArray[np.float64],
    psfs: tuple[Image, ...],
    flux: NDArray[np.float64],
    control: tuple[float, float, int],
) -> int:
    """Clean the active pixels with each other's PSFs; adds to their ``flux``, counts."""
    gain, level, iterations = control
    npix = psfs[0].shape[0]
    half = npix // 2
    component = np.zeros(len(psfs))
    peak = 0
    for k in range(values.shape[0]):
        if _strength(values, k, len(psfs)) > _strength(values, peak, len(psfs)):
            peak = k
    strongest = _strength(values, peak, len(psfs))
    used, highest_allowed = 0, GROWN * strongest
    while used < iterations and level < strongest <= highest_allowed:
        row, column = active[peak]
        for plane in range(len(psfs)):
            component[plane] = gain * values[peak, plane]
            flux[peak, plane] += component[plane]
        used += 1
        best, highest = 0, -1.0
        for k in range(values.shape[0]):
            y, x = active[k, 0] - row + half, active[k, 1] - column + half
            if 0 <= y < npix and 0 <= x < npix:
                for plane in range(len(psfs)):
                    values[k, plane] -= component[plane] * psfs[plane][y, x]
            strength = _strength(values, k, len(psfs))
            if strength > highest:
                best, highest = k, strength
        peak, strongest = best, highest
    return used


@compiled()
def _clean_scales(
    position: NDArray[np.int64],
    values: NDArray[np.float64],
    factor: NDArray[np.float64],
    scale: NDArray[np.int64],
    bounds: NDArray[np.int64],
    responses: NDArray[np.float32],
    table: NDArray[np.int64],
    flux: NDArray[np.float64],
    control: tuple[float, float, int],
) -> int:
    """The same for pixels at several scales, sorted by them, with `Responses`."""
    gain, level, iterations = control
    planes = values.shape[1]
    component = np.zeros(planes)
    peak, strongest = 0, -1.0
    for k in range(values.shape[0]):
        strength = _strength(values, k, planes) * factor[k]
        if strength > strongest:
            peak, strongest = k, strength
    used, highest_allowed = 0, GROWN * strongest
    while used < iterations and level < strongest <= highest_allowed:
        row, column = position[peak]
        own = scale[peak]
        begin, side, _ = table[own, own]
        for plane in range(planes):
            centre = responses[plane, begin + (side // 2) * (side + 1)]
            component[plane] = gain * values[peak, plane] / centre
            flux[peak, plane] += component[plane]
        used += 1
        best, highest = 0, -1.0
        for other in range(table.shape[0]):
            begin, side, log_step = table[own, other]
            half = side // 2
            for k in range(bounds[other], bounds[other + 1]):
                y = ((position[k, 0] - row) >> log_step) + half
                x = ((position[k, 1] - column) >> log_step) + half
                if 0 <= y < side and 0 <= x < side:
                    for plane in range(planes):
                        response = responses[plane, begin + y * side + x]
                        values[k, plane] -= component[plane] * response
                strength = _strength(values, k, planes) * factor[k]
                if strength > highest:
                    best, highest = k, strength
        peak, strongest = best, highest
    return used
