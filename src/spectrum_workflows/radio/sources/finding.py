"""Sources in a restored image: islands above a threshold, and a Gaussian for each peak in them.

photutils finds islands and peaks (Bradley et al., an astropy-affiliated package).  A peak is a
source of its own where the image falls far enough between it and every stronger one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import MissingExtraError
from spectrum_workflows.radio.sources.gaussian import Gaussian, fitted, of_the_beam
from spectrum_workflows.radio.types import ARCSEC, Source, sky_position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Beam, Geometry, Image

SADDLE = 3.0
"""Times the rms by which the image falls between two sources, at least."""

STEPS = 25
"""Points between two peaks at which the image is looked at."""

NEAR = 0.6
"""Of the beam: how far from its peak a source has pixels below the threshold."""

FAINTEST = 0.3
"""Of the peak, that of those pixels."""


@dataclass(frozen=True)
class SourceSearch:
    """What is searched.

    Attributes
    ----------
    image : ndarray of float64, shape (npix, npix)
        Jy/beam.
    rms : float
        Jy/beam.
    sigma : float
        Times the rms that a pixel of a source has at least.
    beam : Beam
    geometry : Geometry
    centre : tuple of float
        Right ascension and declination of the phase centre, rad.
    """

    image: Image
    rms: float
    sigma: float
    beam: Beam
    geometry: Geometry
    centre: tuple[float, float]

    @property
    def threshold(self) -> float:
        """Jy/beam."""
        return self.sigma * self.rms

    @property
    def beam_pixels(self) -> float:
        """The beam's area in pixels."""
        area = np.pi * self.beam.bmaj * self.beam.bmin / (4 * np.log(2))
        return float(area * (ARCSEC / self.geometry.cell) ** 2)


@dataclass(frozen=True)
class Peak:
    """A pixel."""

    row: int
    column: int


def check_installed() -> None:
    """Refuse to search without the library.

    Raises
    ------
    MissingExtraError
        photutils is not installed.
    """
    try:
        import photutils  # noqa: F401
    except ImportError as error:
        remedy = "pip install 'spectrum-workflows[sources]'"
        raise MissingExtraError("the list of sources needs photutils", remedy=remedy) from error


def find(search: SourceSearch) -> tuple[Source, ...]:
    """The sources in an image, the largest peak first.

    Raises
    ------
    MissingExtraError
        photutils is not installed.
    """
    check_installed()
    from photutils.segmentation import detect_sources

    if not search.image.max() > search.threshold:
        return ()
    islands = detect_sources(search.image, search.threshold, 1)
    if islands is None:
        return ()
    label: NDArray[np.int64] = np.asarray(islands.data, np.int64)
    sources: list[Source] = []
    by_island: dict[int, list[Peak]] = {}
    for peak in _peaks(search):
        by_island.setdefault(int(label[peak.row, peak.column]), []).append(peak)
    for number, peaks in by_island.items():
        if number:
            sources += _of_island(search, label == number, peaks)
    sources.sort(key=lambda source: (-source.peak, source.east, source.north))
    return tuple(replace(source, number=n) for n, source in enumerate(sources, start=1))


def _peaks(search: SourceSearch) -> list[Peak]:
    """Pixels above the threshold that are the largest within half a beam."""
    from photutils.detection import find_peaks

    side = 2 * max(1, round(search.beam.bmin * ARCSEC / search.geometry.cell / 2)) + 1
    table = find_peaks(search.image, search.threshold, box_size=side)
    if table is None:
        return []
    return [Peak(int(row["y_peak"]), int(row["x_peak"])) for row in table]


def _of_island(search: SourceSearch, island: NDArray[np.bool_], peaks: list[Peak]) -> list[Source]:
    """Sources of an island: each takes the pixels that are nearest to its peak."""
    kept = _apart(search, peaks)
    rows, columns = np.nonzero(island)
    reach = NEAR * search.beam.bmaj * ARCSEC / search.geometry.cell
    sources = []
    owner = _nearest(rows, columns, kept)
    for number, peak in enumerate(kept):
        own = np.zeros_like(island)
        own[rows[owner == number], columns[owner == number]] = True
        total = float(search.image[own].sum()) / search.beam_pixels
        around = _around(search, peak, reach, kept)
        gaussian = fitted(search.image, own | around) or of_the_beam(search, peak)
        sources.append(_source(search, peak, gaussian, total))
    return sources


def _apart(search: SourceSearch, peaks: list[Peak]) -> list[Peak]:
    """The peaks, the strongest first, half a beam and a saddle away from every stronger one."""
    from scipy.ndimage import map_coordinates

    image = search.image
    kept: list[Peak] = []
    half = search.beam.bmin * ARCSEC / search.geometry.cell / 2
    for peak in sorted(peaks, key=lambda p: (-image[p.row, p.column], p.row, p.column)):
        own = image[peak.row, peak.column]
        for other in kept:
            between = np.array(
                [
                    np.linspace(peak.row, other.row, STEPS),
                    np.linspace(peak.column, other.column, STEPS),
                ]
            )
            lowest = map_coordinates(image, between, order=1).min()
            close = np.hypot(peak.row - other.row, peak.column - other.column) < half
            if close or own - lowest < SADDLE * search.rms:
                break
        else:
            kept.append(peak)
    return kept


def _nearest(
    rows: NDArray[np.int64], columns: NDArray[np.int64], peaks: Sequence[Peak]
) -> NDArray[np.int64]:
    """Which peak is nearest to each pixel."""
    away = [(rows - peak.row) ** 2 + (columns - peak.column) ** 2 for peak in peaks]
    return np.asarray(np.argmin(away, axis=0), np.int64)


def _around(
    search: SourceSearch, peak: Peak, reach: float, peaks: Sequence[Peak]
) -> NDArray[np.bool_]:
    """Pixels near a peak that are not too faint, and nearer to it than to another peak."""
    npix, span = len(search.image), int(reach) + 1
    low = (max(0, peak.row - span), max(0, peak.column - span))
    rows, columns = np.mgrid[
        low[0] : min(npix, peak.row + span + 1), low[1] : min(npix, peak.column + span + 1)
    ]
    rows, columns = rows.ravel(), columns.ravel()
    close = np.hypot(rows - peak.row, columns - peak.column) <= reach
    bright = search.image[rows, columns] > FAINTEST * search.image[peak.row, peak.column]
    mine = _nearest(rows, columns, peaks) == list(peaks).index(peak)
    out = np.zeros(search.image.shape, bool)
    use = close & bright & mine
    out[rows[use], columns[use]] = True
    return out


def _source(search: SourceSearch, peak: Peak, gaussian: Gaussian, total: float) -> Source:
    cell, middle = search.geometry.cell, len(search.image) // 2
    east, north = (middle - gaussian.column) * cell, (gaussian.row - middle) * cell
    sky = sky_position(np.array(east), np.array(north), search.centre)
    major, minor = (side * cell / ARCSEC for side in (gaussian.major, gaussian.minor))
    return Source(
        number=0,
        right_ascension=float(np.degrees(sky.right_ascension)),
        declination=float(np.degrees(sky.declination)),
        east=float(east / ARCSEC),
        north=float(north / ARCSEC),
        peak=gaussian.peak,
        flux=gaussian.peak * major * minor / (search.beam.bmaj * search.beam.bmin),
        island=total,
        snr=float(search.image[peak.row, peak.column] / search.rms),
        major=major,
        minor=minor,
        angle=gaussian.angle,
    )
