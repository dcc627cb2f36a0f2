"""Where CLEAN looks for its next component: at which scales, where, and with what weight."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio.deconvolution.patches import mark_discs
from spectrum_workflows.radio.deconvolution.residual_image import FLOOR, Active, strength
from spectrum_workflows.radio.deconvolution.scales import (
    BIAS,
    HALF,
    POINT,
    automatic_diameters,
    scales_of,
)
from spectrum_workflows.radio.types import ARCSEC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution.components import Components
    from spectrum_workflows.radio.deconvolution.masks import PixelMask
    from spectrum_workflows.radio.deconvolution.scales import Scale
    from spectrum_workflows.radio.imaging.noise import LocalNoise
    from spectrum_workflows.radio.spec import CleanSpec
    from spectrum_workflows.radio.types import Beam, Geometry


FINEST = 0.7
"""Width of the finest beam in units of the wavelength over the longest baseline."""


@dataclass(frozen=True)
class Search:
    """What a component may be.

    Attributes
    ----------
    scales : tuple of Scale
        Points, and extended ones of rising diameter.
    mask : PixelMask or None
        Pixels on which a component's centre may lie; None for all.
    model : Components or None
        Those to whose pixels and scales components are restricted, and to what extended ones
        cover: the automatic mask.
    matched : bool
        Whether the scales' biases are to follow from the PSF, see `scales.matched`.
    noise_side : int or None
        Pixels along squares whose own noise peaks are compared with; None for that of the image.
    noise : LocalNoise or None
        That of the residual that is searched, once it is known.
    reach : float
        Pixels around components within which a minor cycle looks for what they have raised.
    """

    scales: tuple[Scale, ...] = (POINT,)
    mask: PixelMask | None = None
    model: Components | None = None
    matched: bool = False
    noise_side: int | None = None
    noise: LocalNoise | None = None
    reach: float = 0.0

    @property
    def alike(self) -> bool:
        """Whether all that may be components are points, and count alike."""
        return len(self.scales) == 1 and self.noise_side is None

    @property
    def everywhere(self) -> bool:
        """Whether they may be on any pixel, too."""
        return self.alike and self.mask is None and self.model is None


POINTS = Search()
"""Points everywhere: CLEAN without scales and masks."""


def search_for(
    clean: CleanSpec, geometry: Geometry, beam: Beam | None, mask: PixelMask | None = None
) -> Search:
    """What CLEAN looks for, as a spec has it, in pixels.

    Raises
    ------
    SpecError
        Scales or squares follow from the beam, and there is none.
    """
    cell = geometry.cell / ARCSEC
    size = None if beam is None else math.sqrt(beam.bmaj * beam.bmin) / cell
    if size is None and (clean.scales == "auto" or clean.local_rms is not None):
        key = "clean.scales" if clean.scales == "auto" else "clean.local_rms"
        raise SpecError("it is counted in beams, and no beam fits the PSF", key, "add [restore]")
    diameters: tuple[float, ...] = ()
    if clean.scales == "auto":
        diameters = automatic_diameters(size or 0.0, geometry.npix)
    elif clean.scales:
        diameters = tuple(scale / cell for scale in clean.scales)
    side = None if clean.local_rms is None else max(round(clean.local_rms * (size or 0.0)), 1)
    bias = BIAS if clean.scale_bias is None else clean.scale_bias
    matched = bool(diameters) and clean.scale_bias is None
    return Search(scales_of(diameters, bias), mask, matched=matched, noise_side=side)


def expected_scales(clean: CleanSpec, geometry: Geometry, longest: float) -> tuple[Scale, ...]:
    """The scales that CLEAN will have, before the beam is known.

    Parameters
    ----------
    clean : CleanSpec
    geometry : Geometry
    longest : float
        Baseline, wavelengths: no beam is smaller than that of a uniformly filled one.
    """
    if clean.scales != "auto":
        return scales_of(tuple(scale * ARCSEC / geometry.cell for scale in clean.scales))
    beam = FINEST / (longest * geometry.cell) if longest > 0 else 0.0
    return scales_of(automatic_diameters(beam, geometry.npix))


@dataclass(frozen=True)
class View:
    """The residual at one scale in all rows and some columns of the image, or all of them.

    Attributes
    ----------
    planes : tuple of ndarray, shape (rows, columns)
        At every ``step``-th row from the first, and column from ``column``; Jy/beam.
    column : int
        Of the first sample: a multiple of ``step``.
    step : int
    npix : int
        Side of the image.
    """

    planes: tuple[NDArray[Any], ...]
    column: int
    step: int
    npix: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of each line of samples."""
        return np.arange(self.planes[0].shape[0]) * self.step

    @property
    def columns(self) -> NDArray[np.int64]:
        """Column of each sample of a line."""
        return self.column + np.arange(self.planes[0].shape[1]) * self.step


def sampled(start: int, stop: int, step: int) -> slice:
    """The columns of a block ``start:stop`` that are multiples of a step, counted from its own."""
    return slice(-start % step, stop - start, step)


def peak(views: Sequence[View], search: Search) -> float:
    """Largest strength that `strengths` gives at any scale; NaN if any is."""
    values = [
        strengths(view, scale, search).max(initial=0.0)
        for view, scale in zip(views, search.scales, strict=True)
    ]
    return float(np.max(values))


def active(views: Sequence[View], search: Search, level: float) -> Active:
    """The active positions of all scales: those above a level, and the strongest below it."""
    total: Active | None = None
    for number, (view, scale) in enumerate(zip(views, search.scales, strict=True)):
        own = _active(view, number, scale, search, level)
        total = own if total is None else total + own
    assert total is not None
    return total.strongest(level)


def _active(view: View, number: int, scale: Scale, search: Search, level: float) -> Active:
    """The same at one scale, not thinned."""
    floor = FLOOR * level
    row, place = np.nonzero(strengths(view, scale, search) > floor)
    return _picked(view, number, search, (row, place), floor)


def around(view: View, search: Search, model: Components, radius: float) -> Active:
    """All positions of points within a radius of components where components may stand."""
    within = np.zeros(view.planes[0].shape, bool)
    mark_discs(within, model.row, model.column - view.column, radius, view.step)
    allowed = _allowed(view, search.scales[0], search)
    row, place = np.nonzero(within if allowed is None else within & allowed)
    return _picked(view, 0, search, (row, place), 0.0)


def _picked(
    view: View,
    number: int,
    search: Search,
    samples: tuple[NDArray[np.int64], NDArray[np.int64]],
    floor: float,
) -> Active:
    """Samples of a view, given by their lines and places in them."""
    row, place = samples
    value = np.stack([plane[row, place].astype(np.float64) for plane in view.planes], axis=1)
    position = np.stack([row * view.step, view.column + place * view.step], axis=1)
    factor = np.full(len(row), search.scales[number].bias)
    if search.noise is not None:
        factor *= search.noise.factor(position[:, 0], position[:, 1])
    return Active(position, value, floor, np.full(len(row), number), factor)


def strengths(view: View, scale: Scale, search: Search) -> NDArray[Any]:
    """`strength` of each sample, times its scale's bias, by the noise around it; 0 if masked.

    An extended component must lie within the image as a whole.
    """
    values = strength(view.planes)
    if scale.bias != 1:
        values *= values.dtype.type(scale.bias)
    if search.noise is not None:
        values *= search.noise.factors(view.rows, view.columns).astype(values.dtype)
    allowed = _allowed(view, scale, search)
    if allowed is not None:
        values[~allowed] = 0
    return values


def _allowed(view: View, scale: Scale, search: Search) -> NDArray[np.bool_] | None:
    """Where components of a scale may stand; None for everywhere."""
    if search.mask is None and search.model is None and not scale.margin:
        return None
    low, high = scale.margin, view.npix - scale.margin
    rows, columns = view.rows, view.columns
    allowed: NDArray[np.bool_] = np.outer(
        (rows >= low) & (rows < high), (columns >= low) & (columns < high)
    )
    if search.mask is not None and len(columns):
        around = search.mask.columns(view.column, int(columns[-1]) + 1)
        allowed &= around[:: view.step, :: view.step]
    if search.model is not None:
        allowed &= _at_components(view, scale, search.model)
    return allowed


def _at_components(view: View, scale: Scale, model: Components) -> NDArray[np.bool_]:
    """Where components of a scale may stand once some have been found.

    On their own positions; and within each extended one, as far as it has half of its peak,
    those of its scale and of smaller ones, which tell what it does not.
    """
    within = np.zeros((len(view.rows), len(view.columns)), bool)
    for diameter, own in model.by_scale():
        extended = diameter > 0 and diameter >= scale.diameter
        if extended or diameter == scale.diameter:
            radius = HALF * diameter if extended else 0.0
            mark_discs(within, own.row, own.column - view.column, radius, view.step)
    return within
