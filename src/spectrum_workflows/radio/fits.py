"""Images as FITS files that CARTA, ds9 and astropy read, and back."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.types import ARCSEC

if TYPE_CHECKING:
    from spectrum_workflows.radio.types import Image, ImagingResult

STOKES_I = 1


def encode(result: ImagingResult, name: str, image: Image) -> bytes:
    """One image as a FITS file with WCS, beam and history; no dates in it.

    Float64 pixels, so that what is read back is what was computed; axes RA,
    Dec, frequency, Stokes as in AIPS memo 117 and FITS standard 4.0.
    """
    from astropy.io import fits

    hdu = fits.PrimaryHDU(np.asarray(image, ">f8")[None, None])
    for key, value, comment in _header(result, name):
        hdu.header[key] = (value, comment)
    for line in _history(result):
        hdu.header.add_history(line)
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


def _header(result: ImagingResult, name: str) -> list[tuple[str, Any, str]]:
    observation, geometry = result.observation, result.geometry
    ra, dec = np.degrees(observation.phase_centre)
    frequency = observation.frequency
    width = float(np.diff(frequency).mean()) if len(frequency) > 1 else 0.0
    band = float(np.ptp(frequency)) + abs(width)
    cell, centre = float(np.degrees(geometry.cell)), geometry.npix // 2 + 1
    axes = [
        ("RA---SIN", float(ra), -cell, centre, "deg"),
        ("DEC--SIN", float(dec), cell, centre, "deg"),
        ("FREQ", float((frequency.min() + frequency.max()) / 2), band or 1.0, 1, "Hz"),
        ("STOKES", float(STOKES_I), 1.0, 1, ""),
    ]
    cards: list[tuple[str, Any, str]] = []
    for number, values in enumerate(axes, start=1):
        keys = (f"{key}{number}" for key in ("CTYPE", "CRVAL", "CDELT", "CRPIX", "CUNIT"))
        cards += [(key, value, "") for key, value in zip(keys, values, strict=True)]
    cards += [
        ("RADESYS", observation.frame, ""),
        ("EQUINOX", 2000.0, ""),
        ("SPECSYS", observation.spectral_frame, ""),
        ("BTYPE", "Beam" if name == "psf" else "Intensity", ""),
        ("BUNIT", "JY/PIXEL" if name == "model" else "JY/BEAM", ""),
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


def _ascii(text: str) -> str:
    """The characters that a FITS header may hold; others become question marks."""
    plain = text.encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() else "?" for c in plain)


def _history(result: ImagingResult) -> list[str]:
    lines = [f"gridding accuracy {result.geometry.epsilon:g}, weights {result.weighting}"]
    if result.model is not None:
        lines.append(f"CLEAN: {result.iterations} iterations, {result.major} major cycles")
        lines.append(f"CLEAN stopped: {result.stop.value}")
    return lines
