"""Masks of users: FITS images that say where CLEAN may put components."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.deconvolution.masks import PixelMask, pixel_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Geometry, Observation

OFF = 0.1
"""Pixels by which a mask's coordinates may differ from the image's anywhere in it."""

SHIFTED = {"SIN": 0.0, "TAN": 1 / 2, "ARC": 1 / 6, "STG": 1 / 4, "ZEA": 1 / 8}
"""How far from where it is in SIN a projection draws a direction at r rad, over r³."""

SAME = "make the mask from an image of the same pixels: the dirty image of a run without CLEAN"


def mask_url(name: str, observation: Observation) -> str:
    """Where a mask lies; a relative name is beside the data set."""
    if "://" in name or name.startswith("/"):
        return name
    return storage.join(observation.url.rpartition("/")[0], name)


def mask_identity(name: str, observation: Observation) -> tuple[str, str]:
    """A mask's URL and the SHA-256 of its bytes.

    Raises
    ------
    DataNotFoundError
        It is not there.
    """
    url = mask_url(name, observation)
    return url, f"sha256 {hashlib.sha256(storage.read_bytes(url)).hexdigest()}"


def read_mask(name: str, observation: Observation, geometry: Geometry) -> PixelMask:
    """The mask in a FITS file: all pixels that are neither 0 nor undefined.

    Parameters
    ----------
    name : str
        URL or path; a relative one is beside the data set.
    observation : Observation
    geometry : Geometry
        Of the image, with which the mask's pixels and, where it has them, coordinates must agree.

    Raises
    ------
    DataNotFoundError, DataError
        It is not there, not such an image, or of other pixels.
    """
    from astropy.io import fits

    url = mask_url(name, observation)
    data = storage.read_bytes(url)
    try:
        with fits.open(io.BytesIO(data)) as hdus:
            pixels, header = np.asarray(hdus[0].data), dict(hdus[0].header)
    except (OSError, TypeError, ValueError) as error:
        if not data.startswith(b"SIMPLE"):
            remedy = "regions are not read: give clean.mask a FITS image of the same pixels"
            raise DataError("not a FITS image", url, remedy) from None
        raise DataError(f"not a FITS image ({error})", url, "check clean.mask") from None
    while pixels.ndim > 2 and pixels.shape[0] == 1:
        pixels = pixels[0]
    _check_place(header, observation, geometry, url)
    return mask_of(pixels, geometry.npix, url)


def mask_of(pixels: NDArray[np.generic], npix: int, where: str) -> PixelMask:
    """The mask of an image: all of its pixels that are neither 0 nor undefined.

    Raises
    ------
    DataError
        It has another shape, or no such pixel.
    """
    if pixels.shape != (npix, npix):
        message = f"the mask has {pixels.shape} pixels, the image ({npix}, {npix})"
        raise DataError(message, where, SAME)
    allowed = np.nan_to_num(pixels.astype(np.float64)) != 0
    if not allowed.any():
        raise DataError("no pixel of the mask is other than 0", where, "leave clean.mask out")
    return pixel_mask(allowed)


def _check_place(
    header: dict[str, object], observation: Observation, geometry: Geometry, url: str
) -> None:
    """Compare the mask's coordinates, where it has them, with the image's.

    Raises
    ------
    DataError
        They are of other pixels.
    """
    cell, half = np.degrees(geometry.cell), geometry.npix // 2
    ra, dec = np.degrees(observation.phase_centre)
    east = np.cos(observation.phase_centre[1])
    expected = {
        "CDELT1": (-cell, 1 / cell * half),
        "CDELT2": (cell, 1 / cell * half),
        "CRPIX1": (half + 1, 1.0),
        "CRPIX2": (half + 1, 1.0),
        "CRVAL1": (ra, east / cell),
        "CRVAL2": (dec, 1 / cell),
    }
    for key, (value, pixels) in expected.items():
        own = header.get(key)
        if not isinstance(own, int | float):
            continue
        apart = float(own) - float(value)
        if key == "CRVAL1":
            apart = (apart + 180) % 360 - 180
        if not abs(apart) * pixels <= OFF:
            message = f"the mask's {key} is {own:g}, the image's {value:g}"
            raise DataError(message, url, SAME)
    _check_axes(header, geometry, url)
    _check_turn(header, geometry, url)


def _check_axes(header: dict[str, object], geometry: Geometry, url: str) -> None:
    """Compare the axes that a mask names, and their projection, with the image's.

    Raises
    ------
    DataError
        They are other ones.
    """
    corner = geometry.cell * geometry.npix / np.sqrt(2)
    for key, axis in (("CTYPE1", "RA"), ("CTYPE2", "DEC")):
        own = str(header.get(key) or "").strip().upper()
        if not own:
            continue
        name, _, projection = own.partition("-")
        shift = SHIFTED.get(projection.strip("-") or "SIN", np.inf)
        off = shift * corner**3 / geometry.cell if shift else 0.0
        if name != axis or not off <= OFF:
            message = f"the mask's {key} is {own}, the image's {axis.ljust(4, '-')}-SIN"
            raise DataError(message, url, SAME)


def _check_turn(header: dict[str, object], geometry: Geometry, url: str) -> None:
    """Compare the directions of a mask's axes, where it gives them, with the image's.

    Raises
    ------
    DataError
        They are turned, mirrored or stretched.
    """
    half, cell = geometry.npix // 2, np.degrees(geometry.cell)
    straight = {"PC1_1": 1.0, "PC2_2": 1.0, "PC1_2": 0.0, "PC2_1": 0.0}
    expected = {key: (value, float(half)) for key, value in straight.items()}
    expected |= {"CROTA1": (0.0, np.radians(half)), "CROTA2": (0.0, np.radians(half))}
    matrix = {"CD1_1": -cell, "CD2_2": cell, "CD1_2": 0.0, "CD2_1": 0.0}
    expected |= {key: (value, half / cell) for key, value in matrix.items()}
    for key, (value, pixels) in expected.items():
        own = header.get(key)
        if isinstance(own, int | float) and not abs(float(own) - value) * pixels <= OFF:
            raise DataError(f"the mask's {key} is {own:g}, the image's {value:g}", url, SAME)
