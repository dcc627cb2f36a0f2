"""Cotton–Schwab CLEAN: minor cycles on the image, major cycles on the data."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.clean import convolved, minor_cycle
from spectrum_workflows.radio.image import robust_rms
from spectrum_workflows.radio.types import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from spectrum_workflows.radio.spec import CleanSpec
    from spectrum_workflows.radio.types import Image

GROWTH = 1.2
"""CLEAN diverges when a major cycle leaves a peak larger than before by this factor."""


@dataclass(frozen=True)
class Deconvolved:
    """Model (Jy/pixel), exact residual (Jy/beam) and how CLEAN came to an end."""

    model: Image
    residual: Image
    stop: Stop
    major: int
    iterations: int
    threshold: float


def cotton_schwab(
    dirty: Image, psf: Image, clean: CleanSpec, residual_of: Callable[[Image, int], Image]
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
    dirty, psf : ndarray of float64, shape (npix, npix)
        Jy/beam; PSF of peak 1 at its centre.
    clean : CleanSpec
    residual_of : callable
        ``residual_of(model, major)``: the dirty image of the data minus the
        model, in the given major cycle (from 1).
    """
    now = Deconvolved(np.zeros_like(dirty), dirty, Stop.NOTHING_LEFT, 0, 0, 0.0)
    if clean.residual == "psf":
        rough = _cycles(now, psf, clean, lambda model, _: dirty - convolved(model, psf))
        if rough.major == 0:
            return rough
        exact = residual_of(rough.model, rough.major + 1)
        now = replace(rough, residual=exact, major=rough.major + 1)
    return _cycles(now, psf, clean, residual_of)


def _cycles(
    now: Deconvolved, psf: Image, clean: CleanSpec, residual_of: Callable[[Image, int], Image]
) -> Deconvolved:
    """Minor cycles from some state on, each followed by a new residual, until CLEAN stops."""
    before, allowed = now, np.inf
    held: tuple[float, Stop] | None = None
    while True:
        peak = float(np.abs(now.residual).max())
        if not peak <= allowed:  # also where it is not a number
            return replace(before, stop=Stop.DIVERGED)
        rms = robust_rms(now.residual) if clean.sigma else 0.0
        threshold, at_threshold = _threshold(clean, rms)
        if held and peak <= highest_of_noise(now.residual.size) * rms:
            threshold, at_threshold = held
        now = replace(now, threshold=threshold)
        stop = at_threshold if peak <= threshold else _exhausted(now, clean)
        if stop is not None:
            return replace(now, stop=Stop.NOTHING_LEFT if peak == 0 else stop)
        level = max(threshold, (1 - clean.mgain) * peak)
        held = (threshold, at_threshold) if level == threshold else None
        left = clean.iterations - now.iterations
        found, used = minor_cycle(now.residual, psf, gain=clean.gain, level=level, iterations=left)
        before, allowed = now, GROWTH * peak
        model, major, iterations = now.model + found, now.major + 1, now.iterations + used
        now = replace(
            now,
            model=model,
            residual=residual_of(model, major),
            major=major,
            iterations=iterations,
        )


def highest_of_noise(samples: int) -> float:
    """The peak, in units of the rms, that so many samples of Gaussian noise may reach."""
    return math.sqrt(2 * math.log(samples))


def _threshold(clean: CleanSpec, rms: float) -> tuple[float, Stop]:
    """The level to reach, Jy/beam, and what to call reaching it."""
    fixed, noise = clean.threshold or 0.0, (clean.sigma or 0.0) * rms
    return (noise, Stop.SIGMA) if noise > fixed else (fixed, Stop.THRESHOLD)


def _exhausted(now: Deconvolved, clean: CleanSpec) -> Stop | None:
    if now.iterations >= clean.iterations:
        return Stop.ITERATIONS
    return Stop.MAX_MAJOR if now.major >= clean.max_major else None
