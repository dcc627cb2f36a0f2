"""Cotton–Schwab CLEAN: minor cycles on the image, major cycles on the data."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.radio.deconvolution.components import Components, none
from spectrum_workflows.radio.deconvolution.cycle import Cycle, Found, Level
from spectrum_workflows.radio.deconvolution.minor_cycle import Sources, minor_cycle
from spectrum_workflows.radio.deconvolution.responses import responses
from spectrum_workflows.radio.deconvolution.scales import matched
from spectrum_workflows.radio.deconvolution.search import POINTS, Search
from spectrum_workflows.radio.types import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from spectrum_workflows.radio.deconvolution.residual_image import ResidualImage
    from spectrum_workflows.radio.imaging.imager import Imager
    from spectrum_workflows.radio.spec import CleanSpec
    from spectrum_workflows.radio.types import Image

    Seen = Callable[["Deconvolved", float, float], None]
    Keep = Callable[[Cycle], None]

GROWTH = 1.2
"""CLEAN diverges when a major cycle leaves a peak larger than before by this factor."""

BELOW, BELOW_OF_POINTS = 0.9, 0.75
"""Parts of the threshold to which minor cycles go down, and those of points, where accuracy is
as needed.

What a minor cycle leaves is not quite what the data say is left: another pass over all of them
for peaks that are just above the threshold would be as expensive as any.  Components of points
say better what they leave than wide ones, which would take the noise around them, too.
"""

NEARLY = 2.0
"""A minor cycle of points that would end within this factor above its goal goes down to it, where
accuracy is as needed: for so little another pass would be as expensive as any."""

LOBE = 64
"""Pixels from the PSF's centre at which its main lobe ends, at the latest."""


@dataclass(frozen=True)
class Deconvolved:
    """Model, exact residual and how CLEAN came to an end; why, where a major cycle failed.

    ``peak`` is what is left of all that may be a component, see `ResidualImage.peak`;
    ``recalled``, that the model is an earlier run's, and the residual is not its own.
    """

    model: Components
    residual: ResidualImage
    stop: Stop
    major: int
    iterations: int
    threshold: float
    peak: float = math.nan
    error: str = ""
    recalled: bool = False

    @property
    def released(self) -> bool:
        """Whether its residual would have to be computed again."""
        return self.recalled or self.residual.closed

    @property
    def found(self) -> Found:
        """What it is without the image."""
        numbers = self.major, self.iterations, self.threshold, self.peak
        return Found(self.model, self.stop, *numbers)


def _unseen(_now: Deconvolved, _peak: float, _rms: float) -> None:
    """Nobody watches."""


def _unkept(_cycle: Cycle) -> None:
    """Nothing is kept."""


def cotton_schwab(
    imager: Imager,
    psfs: tuple[Image, ...],
    clean: CleanSpec,
    *,
    search: Search = POINTS,
    seen: Seen = _unseen,
    keep: Keep = _unkept,
    begun: Cycle | None = None,
) -> Deconvolved:
    """Deconvolve; after every minor cycle the residual is computed from the data.

    A minor cycle stops at (1 - mgain) of the peak it started from, or at the
    threshold.  ``sigma`` times the robust rms of the residual is a threshold
    that is renewed in every major cycle.  Once a minor cycle has gone down to
    it, it is kept as soon as the highest peak left may be noise: sidelobes
    that were taken for noise are cleaned, the noise itself is not.

    With ``clean.auto_mask`` CLEAN goes down to so many times the rms first; then on to its
    thresholds on the pixels, and at the scales, where it has found something.

    With ``clean.accuracy = "as needed"`` the residuals between are computed no more accurately
    than the next minor cycle needs; the one that is returned is of the imager's own accuracy.
    Minor cycles go a little below the threshold then; those of points look at what their
    components have raised, and go down to the end from twice as high.

    Parameters
    ----------
    imager : Imager
        Gives the residual of a model.  Where CLEAN diverged and the residual before
        that was released, it is asked for once more.  Where it fails, CLEAN ends with
        the model before, if its residual is still there.
    psfs : tuple of ndarray of float64, shape (npix, npix)
        Of every plane; peak 1 at their centre.
    clean : CleanSpec
    search : Search
        What a component may be.
    seen : callable
        ``seen(now, peak, rms)``: called with the dirty image and after every major cycle, with
        the peak of the residual and its rms; NaN where CLEAN does not ask for it.
    keep : callable
        ``keep(cycle)``: called after every minor cycle with all that is needed to go on from it.
    begun : Cycle, optional
        What was kept of the same CLEAN, which goes on from there, and comes to the same end.
    """
    nothing = none(len(psfs))
    known = None if search.alike else responses(psfs, search.scales)
    if known is not None and search.matched:
        search = replace(search, scales=matched(search.scales, known.peaks))
    if clean.accuracy == "as needed" and search.alike:
        search = replace(search, reach=max(map(main_lobe, psfs)))
    cleaning = _Cleaning(imager, Sources(psfs, search, known), seen, keep)
    dirty = imager.residual(nothing, 0).at_scales(search.scales)
    now = Deconvolved(nothing, dirty, Stop.NOTHING_LEFT, 0, 0, 0.0)
    if clean.auto_mask is None:
        return _cycles(now, cleaning, clean, begun)
    if begun is None or begun.mask is None:
        now = _cycles(now, cleaning, clean.model_copy(update={"sigma": clean.auto_mask}), begun)
        if now.stop is not Stop.SIGMA or not len(now.model):
            return now
        begun, mask = None, now.model
    else:
        mask = begun.mask
    restricted = replace(cleaning.sources, search=replace(search, model=mask))
    cleaning = replace(cleaning, sources=restricted, mask=mask)
    return _cycles(now, cleaning, clean, begun)


@dataclass(frozen=True)
class _Cleaning:
    """What the cycles work with; see `cotton_schwab`."""

    imager: Imager
    sources: Sources
    seen: Seen
    keep: Keep
    mask: Components | None = None

    def residual(self, now: Deconvolved, accuracy: float = 1.0) -> Deconvolved:
        """The state with the residual of its model, which replaces the one it has."""
        now.residual.close()  # makes room for the next one
        residual = self.imager.residual(now.model, now.major, accuracy=accuracy)
        residual = residual.at_scales(self.sources.search.scales)
        return replace(now, residual=residual, recalled=False)

    def attempt(
        self, now: Deconvolved, kept: Deconvolved, accuracy: float = 1.0, *, rough: bool
    ) -> Deconvolved:
        """The state with the residual of its model; where there is none, the one that is kept."""
        try:
            return self.residual(now, accuracy)
        except SpectrumError as error:
            if kept.released:
                raise
            lower = "; the residual that is kept is of lower accuracy" if rough else ""
            return replace(kept, stop=Stop.LOST, error=f"{error.where}: {error.what}{lower}")

    def sources_in(self, residual: ResidualImage) -> Sources:
        """What may be found in a residual: peaks count by its noise, where that is asked for."""
        search = self.sources.search
        if search.noise_side is None:
            return self.sources
        noise = residual.local_noise(search.noise_side)
        return replace(self.sources, search=replace(search, noise=noise))


def _cycles(
    now: Deconvolved, cleaning: _Cleaning, clean: CleanSpec, begun: Cycle | None
) -> Deconvolved:
    """Minor cycles from some state on, each followed by a new residual, until CLEAN stops."""
    before, allowed = now, np.inf
    held: Level | None = None
    rough = before_rough = False
    if begun is not None:
        before, before_rough = _recalled(begun.before, now), begun.rough
        allowed, held, rough = begun.allowed, begun.held, begun.accuracy > 1
        after = _recalled(begun.after, now)
        now = cleaning.attempt(after, before, begun.accuracy, rough=before_rough)
    while now.stop is not Stop.LOST:
        sources = cleaning.sources_in(now.residual)
        peak = now.residual.peak(sources.search)
        rms = now.residual.rms() if clean.sigma and peak <= allowed else math.nan
        cleaning.seen(now, peak, rms)
        if not peak <= allowed:  # also where it is not a number
            if before.released or before_rough:
                now.residual.close()
                before = cleaning.attempt(before, before, rough=before_rough)
            return before if before.stop is Stop.LOST else replace(before, stop=Stop.DIVERGED)
        level = _level(clean, rms)
        if held and peak <= highest_of_noise(now.residual.pixels) * rms:
            level = held
        now = replace(now, threshold=level.threshold, peak=peak)
        stop = level.stop if peak <= level.threshold else _exhausted(now, clean)
        if stop is not None:
            if rough:
                now, rough = cleaning.attempt(now, now, rough=True), False
                continue
            return replace(now, stop=Stop.NOTHING_LEFT if peak == 0 else stop)
        goal = level.threshold * _below(clean, sources)
        depth = max(goal, (1 - clean.mgain) * peak)
        if sources.search.reach and depth < NEARLY * goal:
            depth = goal
        held = level if depth == goal else None
        components, used = minor_cycle(
            now.residual,
            sources,
            gain=clean.gain,
            level=depth,
            iterations=clean.iterations - now.iterations,
        )
        before, before_rough, allowed = now, rough, GROWTH * peak
        after = replace(
            now,
            model=now.model + components,
            major=now.major + 1,
            iterations=now.iterations + used,
        )
        accuracy = _accuracy(clean, depth, level.threshold)
        rough = accuracy > 1
        cleaning.keep(
            Cycle(after.found, before.found, accuracy, before_rough, allowed, held, cleaning.mask)
        )
        now = cleaning.attempt(after, before, accuracy, rough=before_rough)
    return now


def _recalled(found: Found, dirty: Deconvolved) -> Deconvolved:
    """What an earlier run had found; its residual is still to be computed."""
    numbers = found.major, found.iterations, found.threshold, found.peak
    return Deconvolved(found.model, dirty.residual, found.stop, *numbers, recalled=True)


def main_lobe(psf: Image) -> float:
    """Full width of a PSF's main lobe at half its peak, pixels, where it is widest; 0 for none."""
    from scipy.ndimage import label

    centre = psf.shape[0] // 2
    near = slice(max(centre - LOBE, 0), centre + LOBE + 1)
    cut = psf[near, near]
    middle = centre - near.start
    labels, _ = label(cut >= 0.5, np.ones((3, 3)))
    if not labels[middle, middle]:
        return 0.0
    rows, columns = np.nonzero(labels == labels[middle, middle])
    return 2 * float(np.hypot(rows - middle, columns - middle).max()) + 1


def _below(clean: CleanSpec, sources: Sources) -> float:
    """The part of the threshold to which minor cycles go down."""
    if clean.accuracy == "full":
        return 1.0
    return BELOW_OF_POINTS if sources.search.reach else BELOW


def _accuracy(clean: CleanSpec, level: float, threshold: float) -> float:
    """By how much less accurate than the last residual the next one may be.

    What a minor cycle leaves is as high as its level: an error that is as small beside it as
    the last residual's is beside the threshold is enough.
    """
    if clean.accuracy == "full" or not threshold > 0:
        return 1.0
    return max(level / threshold, 1.0)


def highest_of_noise(samples: int) -> float:
    """The peak, in units of the rms, that so many samples of Gaussian noise may reach."""
    return math.sqrt(2 * math.log(samples))


def _level(clean: CleanSpec, rms: float) -> Level:
    """The level to reach, Jy/beam, and what to call reaching it."""
    fixed, noise = clean.threshold or 0.0, clean.sigma * rms if clean.sigma else 0.0
    return Level(noise, Stop.SIGMA) if noise > fixed else Level(fixed, Stop.THRESHOLD)


def _exhausted(now: Deconvolved, clean: CleanSpec) -> Stop | None:
    if now.iterations >= clean.iterations:
        return Stop.ITERATIONS
    return Stop.MAX_MAJOR if now.major >= clean.max_major else None
