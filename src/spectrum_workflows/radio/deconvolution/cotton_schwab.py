"""Cotton–Schwab CLEAN: minor cycles on the image, major cycles on the data."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.radio.deconvolution.components import Components, none
from spectrum_workflows.radio.deconvolution.minor_cycle import minor_cycle
from spectrum_workflows.radio.types import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from spectrum_workflows.radio.deconvolution.residual_image import ResidualImage
    from spectrum_workflows.radio.imaging.imager import Imager
    from spectrum_workflows.radio.spec import CleanSpec
    from spectrum_workflows.radio.types import Image

    Seen = Callable[["Deconvolved", float, float], None]

GROWTH = 1.2
"""CLEAN diverges when a major cycle leaves a peak larger than before by this factor."""


@dataclass(frozen=True)
class Deconvolved:
    """Model, exact residual and how CLEAN came to an end; why, where a major cycle failed."""

    model: Components
    residual: ResidualImage
    stop: Stop
    major: int
    iterations: int
    threshold: float
    error: str = ""


def _unseen(_now: Deconvolved, _peak: float, _rms: float) -> None:
    """Nobody watches."""


def cotton_schwab(
    imager: Imager, psfs: tuple[Image, ...], clean: CleanSpec, *, seen: Seen = _unseen
) -> Deconvolved:
    """Deconvolve; after every minor cycle the residual is computed from the data.

    A minor cycle stops at (1 - mgain) of the peak it started from, or at the
    threshold.  ``sigma`` times the robust rms of the residual is a threshold
    that is renewed in every major cycle.  Once a minor cycle has gone down to
    it, it is kept as soon as the highest peak left may be noise: sidelobes
    that were taken for noise are cleaned, the noise itself is not.

    With ``clean.residual = "psf"`` the first cycles subtract the model's
    convolution with the PSF instead, until they would stop; the PSF being known
    out to half the image and the same everywhere, what they leave is wrong by
    some 1e-3 of what they found.  Exact cycles then go on from their model: the
    residual that is returned is always exact.

    Parameters
    ----------
    imager : Imager
        Gives the residual of a model.  Where CLEAN diverged and the residual before
        that was released, it is asked for once more.  Where it fails, CLEAN ends with
        the model before, if its residual is still there.
    psfs : tuple of ndarray of float64, shape (npix, npix)
        Of every plane; peak 1 at their centre.
    clean : CleanSpec
    seen : callable
        ``seen(now, peak, rms)``: called with the dirty image and after every major cycle, with
        the peak of the residual and its rms; NaN where CLEAN does not ask for it.
    """
    nothing = none(len(psfs))
    dirty = imager.residual(nothing, 0)
    now = Deconvolved(nothing, dirty, Stop.NOTHING_LEFT, 0, 0, 0.0)
    if clean.residual == "psf":
        now = _cycles(now, psfs, clean, imager, seen, approximate=dirty)
        if now.major == 0:
            return now
        exact = _residual(imager, now.model, now.major + 1, now.residual)
        now = replace(now, residual=exact, major=now.major + 1)
    return _cycles(now, psfs, clean, imager, seen)


def _residual(
    imager: Imager,
    model: Components,
    major: int,
    before: ResidualImage,
    approximate: ResidualImage | None = None,
) -> ResidualImage:
    """The residual of a model: from the data, or from a dirty image and its PSF."""
    if approximate is not None:
        return approximate.without(model)
    before.close()  # makes room for the next one
    return imager.residual(model, major)


def _cycles(
    now: Deconvolved,
    psfs: tuple[Image, ...],
    clean: CleanSpec,
    imager: Imager,
    seen: Seen,
    approximate: ResidualImage | None = None,
) -> Deconvolved:
    """Minor cycles from some state on, each followed by a new residual, until CLEAN stops.

    Residuals come from the data, unless there is a dirty image to approximate them from.
    """
    before, allowed = now, np.inf
    held: tuple[float, Stop] | None = None
    while True:
        peak = now.residual.peak()
        rms = now.residual.rms() if clean.sigma and peak <= allowed else math.nan
        seen(now, peak, rms)
        if not peak <= allowed:  # also where it is not a number
            if before.residual.closed:
                again = _residual(imager, before.model, before.major, now.residual)
                before = replace(before, residual=again)
            return replace(before, stop=Stop.DIVERGED)
        threshold, at_threshold = _threshold(clean, rms)
        if held and peak <= highest_of_noise(now.residual.pixels) * rms:
            threshold, at_threshold = held
        now = replace(now, threshold=threshold)
        stop = at_threshold if peak <= threshold else _exhausted(now, clean)
        if stop is not None:
            return replace(now, stop=Stop.NOTHING_LEFT if peak == 0 else stop)
        level = max(threshold, (1 - clean.mgain) * peak)
        held = (threshold, at_threshold) if level == threshold else None
        left = clean.iterations - now.iterations
        components, used = minor_cycle(
            now.residual, psfs, gain=clean.gain, level=level, iterations=left
        )
        before, allowed = now, GROWTH * peak
        model, major, iterations = now.model + components, now.major + 1, now.iterations + used
        try:
            residual = _residual(imager, model, major, now.residual, approximate)
        except SpectrumError as error:
            if before.residual.closed:
                raise
            return replace(before, stop=Stop.LOST, error=f"{error.where}: {error.what}")
        now = replace(now, model=model, residual=residual, major=major, iterations=iterations)


def highest_of_noise(samples: int) -> float:
    """The peak, in units of the rms, that so many samples of Gaussian noise may reach."""
    return math.sqrt(2 * math.log(samples))


def _threshold(clean: CleanSpec, rms: float) -> tuple[float, Stop]:
    """The level to reach, Jy/beam, and what to call reaching it."""
    fixed, noise = clean.threshold or 0.0, clean.sigma * rms if clean.sigma else 0.0
    return (noise, Stop.SIGMA) if noise > fixed else (fixed, Stop.THRESHOLD)


def _exhausted(now: Deconvolved, clean: CleanSpec) -> Stop | None:
    if now.iterations >= clean.iterations:
        return Stop.ITERATIONS
    return Stop.MAX_MAJOR if now.major >= clean.max_major else None
