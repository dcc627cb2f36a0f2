"""Sources beside those of a sky that is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.radio.types import ARCSEC, Agreement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.radio.sources.finding import SourceSearch
    from spectrum_workflows.radio.types import Planted, Source

STRONG = 1.5
"""Times the threshold that the peak of a planted source has, to be expected in the list."""


def named(
    sources: Sequence[Source], sky: Sequence[Planted], search: SourceSearch
) -> tuple[Source, ...]:
    """The sources with name and flux of the nearest planted one, within half a beam."""
    return tuple(_named(source, sky, search) for source in sources)


def _named(source: Source, sky: Sequence[Planted], search: SourceSearch) -> Source:
    away = [np.hypot(p.east_arcsec - source.east, p.north_arcsec - source.north) for p in sky]
    if not away:
        return source
    nearest = int(np.argmin(away))
    if away[nearest] > reach(sky[nearest], search):
        return source
    return replace(source, planted=sky[nearest].name, planted_flux=sky[nearest].flux_jy)


def reach(planted: Planted, search: SourceSearch) -> float:
    """Half the beam, or half of what is wider, arcsec."""
    return max(search.beam.bmaj, planted.width) / 2


def agreement(sources: Sequence[Source], sky: Sequence[Planted], search: SourceSearch) -> Agreement:
    """How a list of sources, after `named`, agrees with the sky.

    A planted source is expected where its peak, widened by the beam, is ``STRONG`` times the
    threshold, and where it lies in the image.  Of several sources with its name the one with the
    largest flux is compared.
    """
    half = len(search.image) / 2 * search.geometry.cell / ARCSEC
    expected = [
        planted
        for planted in sky
        if max(abs(planted.east_arcsec), abs(planted.north_arcsec)) < half
        and peak_of(planted, search) >= STRONG * search.threshold
    ]
    best: dict[str, Source] = {}
    for source in sources:
        if source.planted and source.flux > (
            best[source.planted].flux if source.planted in best else 0.0
        ):
            best[source.planted] = source
    pairs = [(planted, best[planted.name]) for planted in expected if planted.name in best]
    ratios = [source.flux / planted.flux_jy for planted, source in pairs]
    apart = [
        np.hypot(source.east - planted.east_arcsec, source.north - planted.north_arcsec)
        for planted, source in pairs
    ]
    return Agreement(
        expected=len(expected),
        found=len(pairs),
        spurious=sum(not source.planted for source in sources),
        flux_ratio=float(np.median(ratios)) if ratios else float("nan"),
        offset=float(np.median(apart)) if apart else float("nan"),
    )


def peak_of(planted: Planted, search: SourceSearch) -> float:
    """Peak of a planted source in the restored image, Jy/beam."""
    beam, wide = search.beam, planted.width
    sides = np.hypot(beam.bmaj, wide) * np.hypot(beam.bmin, wide)
    return float(planted.flux_jy * beam.bmaj * beam.bmin / sides)
