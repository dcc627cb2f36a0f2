"""The result of a run back from the FITS files that were saved of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.types import (
    ARCSEC,
    Agreement,
    Beam,
    Channels,
    ComponentList,
    Geometry,
    GroupImages,
    ImagingResult,
    Observation,
    Plane,
    PlaneImages,
    Responsible,
    SelfCheck,
    Source,
    Stop,
    Use,
    Window,
)
from spectrum_workflows.radio.write import components, sources
from spectrum_workflows.radio.write.fits import MJD_DAY, decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.spec import RadioSpec

BLOCK = 80
"""Bytes of a card of a FITS header."""

OTHERS = ("psf", "residual", "model", "image", "primary_beam", "corrected")
"""Images that need not be there."""

NO_COMPONENTS = ComponentList(*(np.zeros(0, np.int64),) * 2, *(np.zeros(0),) * 2)
"""Of a plane in which CLEAN found nothing."""


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
        An image is not one of ours.
    """
    several = summary.get("planes", ())
    geometry = Geometry(spec.image.npix, spec.image.cell_arcsec * ARCSEC, spec.image.epsilon)
    dirty = storage.join(folder, "dirty.fits")
    content = storage.read_bytes(dirty)
    files = {"dirty": decode(content, dirty)} | _others(folder)
    listed = _lists(folder)
    try:
        if several:
            groups = _groups(several, files, listed, spec)
        else:
            numbers = summary["image"]
            groups = (_group(numbers, (_plane(numbers, Plane(), files, listed, spec),)),)
        return ImagingResult(
            name=spec.name,
            observation=_observation(content, spec, several),
            geometry=geometry,
            weighting=(several[0] if several else summary["image"])["weighting"],
            groups=groups,
            warnings=tuple(summary.get("warnings", ())),
            single=spec.products.pixels == "float32",
            zarr=spec.products.zarr,
            plots=spec.products.plots,
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        message = f"not a saved result of this spec ({type(error).__name__}: {error})"
        raise DataError(message, folder, "run it again") from error


def _others(folder: str) -> dict[str, NDArray[np.float64]]:
    """All images but the dirty one, as far as they were made."""
    urls = {name: storage.join(folder, f"{name}.fits") for name in OTHERS}
    present = {name: url for name, url in urls.items() if storage.exists(url)}
    return {name: decode(storage.read_bytes(url), url) for name, url in present.items()}


@dataclass(frozen=True)
class _Lists:
    """The tables of a run's folder, by the numbers of planes; no components where no table is."""

    sources: Mapping[int, tuple[Source, ...]]
    components: Mapping[int, ComponentList] | None

    def components_of(self, plane: Plane) -> ComponentList | None:
        """Those of a plane, in which CLEAN may have found none."""
        if self.components is None:
            return None
        return self.components.get(plane.number, NO_COMPONENTS)


def _lists(folder: str) -> _Lists:
    url, model = (storage.join(folder, name) for name in (sources.NAME, components.NAME))
    return _Lists(
        sources.decode(storage.read_bytes(url), url) if storage.exists(url) else {},
        components.decode(storage.read_bytes(model), model) if storage.exists(model) else None,
    )


def _agreement(numbers: Mapping[str, Any]) -> Agreement:
    known: dict[str, Any] = {name: _number(value) for name, value in numbers.items()}
    return Agreement(**known)


def _groups(
    several: Sequence[Mapping[str, Any]],
    files: Mapping[str, NDArray[np.float64]],
    listed: _Lists,
    spec: RadioSpec,
) -> tuple[GroupImages, ...]:
    """The groups of several planes; images are cubes (nstokes, nfreq, npix, npix)."""
    npix = spec.image.npix
    cubes = {name: cube.reshape(len(several), npix, npix) for name, cube in files.items()}
    of_group: dict[int, list[PlaneImages]] = {}
    told: dict[int, Mapping[str, Any]] = {}
    for numbers in several:
        start, stop = numbers["channels_hz"]
        channels = Channels(start, float("inf") if stop is None else stop)
        number = numbers["number"]
        own = {name: cube[number] for name, cube in cubes.items()}
        own = {name: image for name, image in own.items() if not np.isnan(image).all()}
        plane = _plane(numbers, Plane(number, channels, numbers["stokes"]), own, listed, spec)
        of_group.setdefault(numbers["group"], []).append(plane)
        told[numbers["group"]] = numbers
    return tuple(_group(told[group], tuple(planes)) for group, planes in of_group.items())


def _group(numbers: Mapping[str, Any], planes: tuple[PlaneImages, ...]) -> GroupImages:
    return GroupImages(
        planes=planes,
        use=Use(**numbers["use"]) if numbers["use"] else None,
        stop=Stop[numbers["stop"].upper()],
        major=numbers["major_cycles"],
        iterations=numbers["iterations"],
        threshold=_number(numbers["threshold"]),
    )


def _plane(
    numbers: Mapping[str, Any],
    plane: Plane,
    images: Mapping[str, NDArray[np.float64]],
    listed: _Lists,
    spec: RadioSpec,
) -> PlaneImages:
    agreement = numbers.get("agreement")
    return PlaneImages(
        plane=plane,
        weight_sum=_number(numbers["weight_sum"]),
        visibilities=numbers["visibilities"],
        beam=_beam(numbers["beam"]),
        beam_fitted=numbers["beam"] is not None and spec.restore is None,
        self_check=_self_check(numbers["self_check"]),
        primary_beam_model=numbers.get("primary_beam", ""),
        sources=listed.sources.get(plane.number, ()) if "sources" in numbers else None,
        components=listed.components_of(plane),
        agreement=_agreement(agreement) if agreement else None,
        **images,
    )


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


def _observation(
    content: bytes, spec: RadioSpec, several: Sequence[Mapping[str, Any]]
) -> Observation:
    """What the header of an image says: for each plane one channel as wide as its band."""
    from astropy.io import fits

    header = fits.Header.fromstring(content[: len(content) - len(content) % BLOCK])
    begin = header.get("MJD-OBS")
    bands = sorted({tuple(numbers["band_hz"]) for numbers in several})
    centre, width = [header["CRVAL3"]], [header["CDELT3"]]
    if bands:
        centre = [(low + high) / 2 for low, high in bands]
        width = [high - low for low, high in bands]
    window = Window(
        number=spec.data_description or 0,
        frequency=np.array(centre),
        rows_per_time=np.zeros(0, np.int64),
        times=np.array([] if begin is None else [begin * MJD_DAY]),
        width=np.array(width),
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
        responsible=Responsible(header.get("OBSERVER", ""), header.get("PROJECT", "")),
    )
