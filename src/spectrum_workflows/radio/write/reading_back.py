"""The result of a run back from the FITS files that were saved of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.types import (
    ARCSEC,
    Beam,
    Geometry,
    GroupImages,
    ImagingResult,
    Observation,
    Plane,
    PlaneImages,
    SelfCheck,
    Stop,
    Use,
    Window,
)
from spectrum_workflows.radio.write.fits import MJD_DAY, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spectrum_workflows.radio.spec import RadioSpec

BLOCK = 80
"""Bytes of a card of a FITS header."""


def load(folder: str, spec: RadioSpec, summary: Mapping[str, Any]) -> ImagingResult:
    """The result, with the same bits; of the observation what its images say.

    Parameters
    ----------
    folder : str
        URL of the run's folder.
    spec : RadioSpec
        What was asked.
    summary : mapping
        The result's own numbers in the record, and its ``warnings``.

    Raises
    ------
    DataNotFoundError
        There is no image.
    DataError
        An image is not one of ours, or there are images of several planes.
    """
    if "image" not in summary:
        raise DataError("it has several planes", folder, "read its FITS files one by one")
    numbers = summary["image"]
    geometry = Geometry(spec.image.npix, spec.image.cell_arcsec * ARCSEC, spec.image.epsilon)
    images = {name: _pixels(folder, name) for name in ("psf", "residual", "model", "image")}
    dirty = storage.join(folder, "dirty.fits")
    content = storage.read_bytes(dirty)
    try:
        plane = PlaneImages(
            plane=Plane(),
            dirty=decode(content, dirty),
            weight_sum=_number(numbers["weight_sum"]),
            visibilities=numbers["visibilities"],
            beam=_beam(numbers["beam"]),
            beam_fitted=numbers["beam"] is not None and spec.restore is None,
            self_check=_self_check(numbers["self_check"]),
            **images,
        )
        group = GroupImages(
            planes=(plane,),
            use=Use(**numbers["use"]) if numbers["use"] else None,
            stop=Stop[numbers["stop"].upper()],
            major=numbers["major_cycles"],
            iterations=numbers["iterations"],
            threshold=_number(numbers["threshold"]),
        )
        return ImagingResult(
            name=spec.name,
            observation=_observation(content, spec),
            geometry=geometry,
            weighting=numbers["weighting"],
            groups=(group,),
            warnings=tuple(summary.get("warnings", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        message = f"not a saved result of this spec ({type(error).__name__}: {error})"
        raise DataError(message, folder, "run it again") from error


def _pixels(folder: str, name: str) -> NDArray[np.float64] | None:
    url = storage.join(folder, f"{name}.fits")
    return decode(storage.read_bytes(url), url) if storage.exists(url) else None


def _number(value: float | None) -> float:
    """A number that JSON may have had no word for."""
    return float("nan") if value is None else value


def _beam(numbers: Mapping[str, float] | None) -> Beam | None:
    if numbers is None:
        return None
    return Beam(numbers["bmaj_arcsec"], numbers["bmin_arcsec"], numbers["bpa_deg"])


def _self_check(numbers: Mapping[str, Any] | None) -> SelfCheck | None:
    if numbers is None:
        return None
    known: dict[str, Any] = {name: _number(value) for name, value in numbers.items()}
    return SelfCheck(**known)


def _observation(content: bytes, spec: RadioSpec) -> Observation:
    """What the header of an image says: one channel as wide as the image's band."""
    from astropy.io import fits

    header = fits.Header.fromstring(content[: len(content) - len(content) % BLOCK])
    begin = header.get("MJD-OBS")
    window = Window(
        number=spec.data_description or 0,
        frequency=np.array([header["CRVAL3"]]),
        rows_per_time=np.zeros(0, np.int64),
        times=np.array([] if begin is None else [begin * MJD_DAY]),
        width=np.array([header["CDELT3"]]),
        spectral_frame=header.get("SPECSYS", ""),
    )
    return Observation(
        url=spec.data_set,
        column=spec.column,
        telescope=header.get("TELESCOP", ""),
        object_name=header.get("OBJECT", ""),
        field=spec.field if isinstance(spec.field, int) else 0,
        phase_centre=(
            float(np.radians(header["CRVAL1"])),
            float(np.radians(header["CRVAL2"])),
        ),
        frame=header["RADESYS"],
        windows=(window,),
        longest_baseline=float("nan"),
        identity="",
        time_scale=header.get("TIMESYS", "UTC"),
    )
