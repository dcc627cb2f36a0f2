"""Sources as PyBDSF finds them, which reads a FITS file.

Mohan & Rafferty 2015, Astrophysics Source Code Library, 1502.007.  The library is not among the
extras: it has wheels for Linux only, and another licence (GPL).
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError, MissingExtraError, SpectrumError
from spectrum_workflows.radio.types import ARCSEC, Source

if TYPE_CHECKING:
    from spectrum_workflows.radio.sources.finding import SourceSearch

ISLAND = 3 / 5
"""Of the peak's threshold, that of an island: the ratio of the library's own two."""


def check_installed() -> None:
    """Refuse to search without the library.

    Raises
    ------
    MissingExtraError
        bdsf is not installed.
    """
    try:
        import bdsf  # noqa: F401
    except ImportError as error:
        remedy = 'pip install bdsf, or finder = "photutils"'
        raise MissingExtraError("this list of sources needs bdsf", remedy=remedy) from error


def find(search: SourceSearch, image: bytes) -> tuple[Source, ...]:
    """The sources in an image, the largest peak first.

    Parameters
    ----------
    search : Search
    image : bytes
        The same image as a FITS file with frequency and beam.

    Raises
    ------
    MissingExtraError
        bdsf is not installed.
    """
    check_installed()
    import bdsf

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.fits"
        path.write_bytes(image)
        with _quiet(), _explained():
            done = bdsf.process_image(
                str(path),
                quiet=True,
                ncores=1,
                rms_map=False,
                mean_map="zero",
                rms_value=search.rms,
                thresh="hard",
                thresh_pix=search.sigma,
                thresh_isl=search.sigma * ISLAND,
                outdir=folder,
            )
            sources = [_source(search, one, done) for one in done.sources]
            del done
            gc.collect()  # it leaves the file open
    sources.sort(key=lambda source: (-source.peak, source.east, source.north))
    return tuple(replace(source, number=n) for n, source in enumerate(sources, start=1))


def _source(search: SourceSearch, one: Any, done: Any) -> Source:
    ra, dec = (float(value) for value in one.posn_sky_centroid)
    east, north = _offset(np.radians(ra), np.radians(dec), search.centre)
    major, minor, angle = (float(value) for value in one.size_sky)
    return Source(
        number=0,
        right_ascension=ra % 360,
        declination=dec,
        east=east / ARCSEC,
        north=north / ARCSEC,
        peak=float(one.peak_flux_max),
        flux=float(one.total_flux),
        island=float(done.islands[one.island_id].total_flux),
        snr=float(one.peak_flux_max) / search.rms,
        major=3600 * major,
        minor=3600 * minor,
        angle=(angle + 90) % 180 - 90,
    )


def _offset(ra: float, dec: float, centre: tuple[float, float]) -> tuple[float, float]:
    """Direction cosines from the phase centre."""
    turn = ra - centre[0]
    east = np.cos(dec) * np.sin(turn)
    north = np.sin(dec) * np.cos(centre[1]) - np.cos(dec) * np.sin(centre[1]) * np.cos(turn)
    return float(east), float(north)


@contextlib.contextmanager
def _explained() -> Any:
    """Whatever the library raises, as an error of ours: the image is there, and is kept."""
    try:
        yield
    except (SpectrumError, MemoryError):
        raise
    except Exception as error:
        reason = f"bdsf failed ({type(error).__name__}: {error})"
        raise DataError(reason, "products.sources", 'try finder = "photutils"') from error


@contextlib.contextmanager
def _quiet() -> Any:
    """Without what the library writes on the screen, and without its warnings to developers."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
