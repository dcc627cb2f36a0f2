"""Images as FITS files that CARTA, ds9 and astropy read, and back."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.types import ARCSEC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.radio.types import Image, ImagingResult, Observation

STOKES_I = 1


SKY = ("CRVAL1", "CRVAL2", "CRVAL3", "CDELT1", "CDELT2", "CTYPE1", "RADESYS", "SPECSYS")
"""What says where and at which frequency the pixels lie."""

MJD_ZERO = np.datetime64("1858-11-17T00:00:00", "ms")
"""The beginning of the Modified Julian Date."""

LATEST = 2e11
"""Seconds of it, some six thousand years: what is later is no time."""

MJD_DAY = 86_400.0
"""Seconds in a day of the Modified Julian Date."""


def encode(result: ImagingResult, name: str, image: Image, warnings: Sequence[str] = ()) -> bytes:
    """One image as a FITS file with WCS, beam and history; the date is the observation's.

    Float64 pixels, so that what is read back is what was computed; axes RA,
    Dec, frequency, Stokes as in AIPS memo 117 and FITS standard 4.0.
    ``warnings`` become lines of the history.
    """
    from astropy.io import fits

    hdu = fits.PrimaryHDU(np.asarray(image, ">f8")[None, None])
    for key, value, comment in _header(result, name):
        hdu.header[key] = (value, comment)
    for line in (*_history(result), *(f"warning: {line}" for line in warnings)):
        hdu.header.add_history(_ascii(line))
    buffer = io.BytesIO()
    hdu.writeto(buffer)
    return buffer.getvalue()


def decode(data: bytes, where: str) -> Image:
    """The image in a file made by `encode`.

    Raises
    ------
    DataError
        It is not such a file.
    """
    from astropy.io import fits

    try:
        with fits.open(io.BytesIO(data)) as hdus:
            return np.ascontiguousarray(hdus[0].data[0, 0], dtype=np.float64)
    except (OSError, TypeError, IndexError) as error:
        remedy = "run the workflow again"
        raise DataError(f"not an image of this package ({error})", where, remedy) from error


def sky(data: bytes) -> dict[str, Any]:
    """Where and at which frequency the pixels of a file made by `encode` lie."""
    from astropy.io import fits

    header = fits.Header.fromstring(data[: len(data) - len(data) % 80])
    return {key: header[key] for key in SKY if header.get(key, "") != ""}


def _header(result: ImagingResult, name: str) -> list[tuple[str, Any, str]]:
    observation, geometry = result.observation, result.geometry
    ra, dec = np.degrees(observation.phase_centre)
    low, high = _band(observation)
    cell, centre = float(np.degrees(geometry.cell)), geometry.npix // 2 + 1
    axes = [
        ("RA---SIN", float(ra), -cell, centre, "deg"),
        ("DEC--SIN", float(dec), cell, centre, "deg"),
        ("FREQ", (low + high) / 2, high - low or 1.0, 1, "Hz"),
        ("STOKES", float(STOKES_I), 1.0, 1, ""),
    ]
    cards: list[tuple[str, Any, str]] = []
    for number, values in enumerate(axes, start=1):
        keys = (f"{key}{number}" for key in ("CTYPE", "CRVAL", "CDELT", "CRPIX", "CUNIT"))
        cards += [(key, value, "") for key, value in zip(keys, values, strict=True)]
    cards += [
        ("RADESYS", observation.frame, ""),
        *((("EQUINOX", 2000.0, ""),) if observation.frame == "FK5" else ()),
        *((("SPECSYS", observation.spectral_frame, ""),) if observation.spectral_frame else ()),
        *_dates(observation),
        ("BTYPE", "Beam" if name == "psf" else "Intensity", ""),
        ("BUNIT", "Jy/pixel" if name == "model" else "Jy/beam", ""),
        ("OBJECT", _ascii(observation.object_name), ""),
        ("TELESCOP", _ascii(observation.telescope), ""),
        ("ORIGIN", "spectrum-workflows", ""),
        ("WEIGHT", result.weighting, "imaging weights"),
        ("NVIS", result.visibilities, "visibilities with weight"),
    ]
    if result.beam and name != "model":
        cards += [
            ("BMAJ", result.beam.bmaj * ARCSEC * 180 / np.pi, "FWHM, deg"),
            ("BMIN", result.beam.bmin * ARCSEC * 180 / np.pi, "FWHM, deg"),
            ("BPA", result.beam.bpa, "north through east, deg"),
        ]
    return cards


def _band(observation: Observation) -> tuple[float, float]:
    """Lower and upper end of the band, Hz: of all channels, as wide as the set says.

    Where it does not say, channels are as wide as they lie apart; one alone
    has no width.
    """
    frequency = observation.frequency
    apart = float(np.abs(np.diff(frequency)).mean()) if len(frequency) > 1 else 0.0
    width = np.full(len(frequency), np.nan)
    if observation.channel_width is not None:
        width = np.abs(observation.channel_width)
    half = np.where(np.isfinite(width), width, apart) / 2
    return float((frequency - half).min()), float((frequency + half).max())


def _dates(observation: Observation) -> list[tuple[str, Any, str]]:
    """When the observation began, where the set says it."""
    begin = observation.time[0]
    if not 0 < begin < LATEST:
        return []
    date = MJD_ZERO + np.timedelta64(round(1e3 * begin), "ms")
    return [
        ("TIMESYS", observation.time_scale, ""),
        ("DATE-OBS", str(date).removesuffix(".000"), "middle of the first integration"),
        ("MJD-OBS", begin / MJD_DAY, ""),
    ]


def _ascii(text: str) -> str:
    """The characters that a FITS header may hold; others become question marks."""
    plain = text.encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() else "?" for c in plain)


def _history(result: ImagingResult) -> list[str]:
    lines = [f"gridding accuracy {result.geometry.epsilon:g}, weights {result.weighting}"]
    if result.model is not None:
        lines.append(f"CLEAN: {result.iterations} iterations, {result.major} major cycles")
        lines.append(f"CLEAN stopped: {result.stop.value}")
    return [*lines, *(_ascii(f"warning: {line}") for line in result.warnings)]
