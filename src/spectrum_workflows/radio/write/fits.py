"""Images as FITS files that CARTA, ds9 and astropy read, and back."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.types import ARCSEC
from spectrum_workflows.radio.write.axes import STOKES, axes_of, band_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import ImagingResult, Observation

SKY = ("CRVAL1", "CRVAL2", "CRVAL3", "CDELT1", "CDELT2", "CTYPE1", "RADESYS", "SPECSYS")
"""What says where and at which frequency the pixels lie."""

BEAM_SIZED = ("dirty", "image", "residual", "psf", "corrected")
"""Images in Jy/beam."""

KINDS = {"psf": "Beam", "primary_beam": "Beam"}
UNITS = {"model": "Jy/pixel", "primary_beam": ""}

MJD_ZERO = np.datetime64("1858-11-17T00:00:00", "ms")
"""The beginning of the Modified Julian Date."""

LATEST = 2e11
"""Seconds of it, some six thousand years: what is later is no time."""

MJD_DAY = 86_400.0
"""Seconds in a day of the Modified Julian Date."""


def encode(
    result: ImagingResult, name: str, pixels: NDArray[np.float64], warnings: Sequence[str] = ()
) -> bytes:
    """The images of one name as a FITS file with WCS, beam and history, for all planes.

    Float64 pixels, or float32 ones if the result was rounded to them, so that what is read
    back is what there is; axes RA, Dec, frequency, Stokes as in AIPS memo 117 and FITS
    standard 4.0.  The date is the observation's; ``warnings`` become lines of the history.
    What differs from plane to plane (centre frequency, beam, visibilities) has the plane's
    number behind its keyword where there are several; their beams are in a table BEAMS, too,
    as CASA has it.
    """
    from astropy.io import fits

    axes = axes_of(tuple(plane.plane for plane in result.planes))
    shape = (len(axes.stokes), len(axes.channels), *pixels.shape[-2:])
    hdu = fits.PrimaryHDU(np.asarray(pixels, ">f4" if result.single else ">f8").reshape(shape))
    for key, value, comment in _header(result, name):
        hdu.header[key] = (value, comment)
    for line in (*_history(result), *(f"warning: {line}" for line in warnings)):
        hdu.header.add_history(_ascii(line))
    hdus = fits.HDUList([hdu])
    if name in BEAM_SIZED and (table := _beams(result)):
        hdu.header.set("CASAMBM", True, "beams of the planes: table BEAMS", after="BUNIT")
        hdus.append(table)
    buffer = io.BytesIO()
    hdus.writeto(buffer)
    return buffer.getvalue()


def decode(data: bytes, where: str) -> NDArray[np.float64]:
    """The pixels in a file made by `encode`: of one plane an image, of several a cube.

    Raises
    ------
    DataError
        It is not such a file.
    """
    from astropy.io import fits

    try:
        with fits.open(io.BytesIO(data)) as hdus:
            pixels = hdus[0].data
            if pixels[..., 0, 0].shape == (1, 1):
                pixels = pixels[0, 0]
            elif pixels.ndim != 4:
                raise IndexError(f"{pixels.ndim} axes")
            return np.ascontiguousarray(pixels, dtype=np.float64)
    except (OSError, TypeError, IndexError) as error:
        remedy = "run the workflow again"
        raise DataError(f"not an image of this package ({error})", where, remedy) from error


def sky(data: bytes) -> dict[str, Any]:
    """Position and frequency of the pixels of a file made by `encode`."""
    from astropy.io import fits

    header = fits.Header.fromstring(data[: len(data) - len(data) % 80])
    return {key: header[key] for key in SKY if header.get(key, "") != ""}


def _header(result: ImagingResult, name: str) -> list[tuple[str, Any, str]]:
    observation, geometry = result.observation, result.geometry
    ra, dec = np.degrees(observation.phase_centre)
    axes_of_planes = axes_of(tuple(plane.plane for plane in result.planes))
    bands = [band_of(observation, channels) for channels in axes_of_planes.channels]
    first, last, steps = bands[0], bands[-1], len(bands) - 1
    apart = (last.centre - first.centre) / steps if steps else first.high - first.low
    stokes = [STOKES[name] for name in axes_of_planes.stokes]
    cell, centre = float(np.degrees(geometry.cell)), geometry.npix // 2 + 1.0
    axes = [
        ("RA---SIN", float(ra), -cell, centre, "deg"),
        ("DEC--SIN", float(dec), cell, centre, "deg"),
        ("FREQ", first.centre, apart or 1.0, 1.0, "Hz"),
        ("STOKES", float(stokes[0]), float(stokes[1] - stokes[0]) if stokes[1:] else 1.0, 1.0, ""),
    ]
    cards: list[tuple[str, Any, str]] = []
    for number, values in enumerate(axes, start=1):
        keys = (f"{key}{number}" for key in ("CTYPE", "CRVAL", "CDELT", "CRPIX", "CUNIT"))
        cards += [(key, value, "") for key, value in zip(keys, values, strict=True)]
    cards += [
        ("RADESYS", observation.frame, ""),
        *((("EQUINOX", 2000.0, ""),) if observation.frame == "FK5" else ()),
        *((("SPECSYS", observation.spectral_frame, ""),) if observation.spectral_frame else ()),
        ("RESTFRQ", first.centre, "Hz, middle of the first band"),
        *_dates(observation),
        ("BTYPE", KINDS.get(name, "Intensity"), ""),
        ("BUNIT", UNITS.get(name, "Jy/beam"), ""),
        ("OBJECT", _ascii(observation.object_name), ""),
        ("TELESCOP", _ascii(observation.telescope), ""),
        *_whose(observation),
        ("ORIGIN", "spectrum-workflows", ""),
        ("WEIGHT", result.weighting, "imaging weights"),
    ]
    for number, plane in enumerate(result.planes, start=1):
        behind = str(number) if len(result.planes) > 1 else ""
        if behind:
            centre_hz = band_of(observation, plane.plane.channels).centre
            cards.append((f"FREQ{behind}", centre_hz, plane.plane.where))
        cards.append((f"NVIS{behind}", plane.visibilities, "visibilities with weight"))
        if name in ("primary_beam", "corrected"):
            cards.append((f"PBEAM{behind}", plane.primary_beam_model, ""))
        if plane.beam and name in BEAM_SIZED:
            cards += [
                (f"BMAJ{behind}", plane.beam.bmaj * ARCSEC * 180 / np.pi, "FWHM, deg"),
                (f"BMIN{behind}", plane.beam.bmin * ARCSEC * 180 / np.pi, "FWHM, deg"),
                (f"BPA{behind}", plane.beam.bpa, "north through east, deg"),
            ]
    return cards


def _whose(observation: Observation) -> list[tuple[str, Any, str]]:
    """Observer and project, and that it is no observation where it is none."""
    words = {
        "OBSERVER": observation.responsible.observer,
        "PROJECT": observation.responsible.project,
    }
    cards: list[tuple[str, Any, str]] = [(k, _ascii(v), "") for k, v in words.items() if v]
    if observation.origin:
        cards.append(("GENERATD", True, "generated data, no observation"))
    return cards


def _beams(result: ImagingResult) -> Any:
    """The beams of several planes as a table, if each has one."""
    from astropy.io import fits

    axes = axes_of(tuple(plane.plane for plane in result.planes))
    beams = [plane.beam for plane in result.planes if plane.beam]
    if len(result.planes) == 1 or len(beams) < len(result.planes):
        return None
    stokes, channels = len(axes.stokes), len(axes.channels)
    columns = [
        fits.Column("BMAJ", "E", "arcsec", array=[beam.bmaj for beam in beams]),
        fits.Column("BMIN", "E", "arcsec", array=[beam.bmin for beam in beams]),
        fits.Column("BPA", "E", "deg", array=[beam.bpa for beam in beams]),
        fits.Column("CHAN", "J", array=np.tile(np.arange(channels), stokes)),
        fits.Column("POL", "J", array=np.repeat(np.arange(stokes), channels)),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="BEAMS")
    table.header["NCHAN"], table.header["NPOL"] = channels, stokes
    return table


def _dates(observation: Observation) -> list[tuple[str, Any, str]]:
    """When the observation began, where the set says it."""
    begin = float(observation.times[0]) if len(observation.times) else 0.0
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
    if result.observation.origin:
        lines.insert(0, "generated data: simulated visibilities of a known sky, no observation")
    if (hands := result.observation.selection.hands) != "both":
        lines.append(f"pseudo-I, of hands: {hands}; Stokes I where nothing is polarised")
    for group in result.groups:
        if group.planes[0].model is not None:
            lines.append(f"CLEAN: {group.iterations} iterations, {group.major} major cycles")
            lines.append(f"CLEAN stopped: {group.stop.value}")
    if any(plane.corrected is not None for plane in result.planes):
        lines.append("the primary beam is that of Stokes I; not for Stokes Q, U, V")
    return [*lines, *(_ascii(f"warning: {line}") for line in result.warnings)]
