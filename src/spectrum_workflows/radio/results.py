"""The result of a run: its arrays, its numbers, its files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.domain.deviation import Deviation
from spectrum_workflows.radio.imaging.noise import robust_rms
from spectrum_workflows.radio.plot import plot, plot_panels
from spectrum_workflows.radio.write import fits
from spectrum_workflows.radio.write.axes import axes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import GroupImages, ImagingResult, PlaneImages, SelfCheck

IMAGES = ("dirty", "image", "model", "psf", "residual")
ALLOWED_DEVIATION = 1e-6


def arrays(result: ImagingResult) -> dict[str, NDArray[np.float64]]:
    """The images that were made, by name.

    Returns
    -------
    dict of str to ndarray
        Of one plane of shape (npix, npix); of several a cube (nstokes, nfreq, npix, npix),
        which is NaN in a plane where an image could not be made.
    """
    names = [n for n in IMAGES if any(getattr(plane, n) is not None for plane in result.planes)]
    return {name: _array(result, name) for name in names}


def _array(result: ImagingResult, name: str) -> NDArray[np.float64]:
    planes = [getattr(plane, name) for plane in result.planes]
    if len(planes) == 1:
        return np.asarray(planes[0])
    missing = np.full((result.geometry.npix,) * 2, np.nan)
    cube = np.stack([missing if image is None else image for image in planes])
    axes = axes_of(tuple(plane.plane for plane in result.planes))
    return cube.reshape(len(axes.stokes), len(axes.channels), *missing.shape)


def summary(result: ImagingResult) -> dict[str, Any]:
    """The numbers a person asks for first, ready for JSON: of the image, or of each plane.

    ``peak`` and ``rms`` are Jy/beam: the largest pixel of the restored (else
    dirty) image, and the robust rms (1.4826 × median absolute deviation) of
    the residual (else dirty) image.
    """
    planes = [
        _summary(result, group, plane) | {"plane": plane.plane.where}
        for group in result.groups
        for plane in group.planes
    ]
    if len(planes) > 1:
        return {"planes": planes}
    del planes[0]["plane"]
    return {"image": planes[0]}


def _summary(result: ImagingResult, group: GroupImages, plane: PlaneImages) -> dict[str, Any]:
    """The numbers of one plane."""
    shown = plane.dirty if plane.image is None else plane.image
    noise = plane.dirty if plane.residual is None else plane.residual
    row, column = np.unravel_index(int(np.argmax(shown)), shown.shape)
    beam = None
    if plane.beam:
        beam = {
            "bmaj_arcsec": plane.beam.bmaj,
            "bmin_arcsec": plane.beam.bmin,
            "bpa_deg": plane.beam.bpa,
        }
    numbers: dict[str, Any] = {
        "peak": _number(shown[row, column]),
        "peak_pixel": [int(row), int(column)],
        "rms": _number(robust_rms(noise)),
        "unit": "Jy/beam",
        "beam": beam,
        "npix": result.geometry.npix,
        "weighting": result.weighting,
        "visibilities": plane.visibilities,
        "weight_sum": _number(plane.weight_sum),
        "use": asdict(group.use) if group.use else None,
        "self_check": _numbers(plane.self_check) if plane.self_check else None,
        "stop": group.stop.name.lower(),
        "major_cycles": group.major,
        "iterations": group.iterations,
        "threshold": _number(group.threshold),
    }
    if plane.model is not None:
        numbers["model_flux_jy"] = _number(plane.model.sum())
    return numbers


def _numbers(check: SelfCheck) -> dict[str, Any]:
    return {name: _number(value) for name, value in asdict(check).items()}


def _number(value: float) -> float | int | None:
    """Ready for JSON, which knows no infinity and nothing that is not a number."""
    if isinstance(value, int):
        return value
    return float(value) if np.isfinite(value) else None


def table(result: ImagingResult) -> list[dict[str, Any]]:
    """A record for every plane: what `summary` says of it, in one level."""
    rows = []
    for group in result.groups:
        for plane in group.planes:
            numbers = _summary(result, group, plane)
            row, column = numbers.pop("peak_pixel")
            nested = {name: numbers.pop(name) or {} for name in ("beam", "use", "self_check")}
            record = {"plane": plane.plane.where, "peak_row": row, "peak_column": column}
            record |= numbers | nested["beam"]
            for name in ("use", "self_check"):
                record |= {f"{name}_{key}": value for key, value in nested[name].items()}
            rows.append(record)
    return rows


def warnings(result: ImagingResult) -> tuple[str, ...]:
    """Warnings of a result about itself: see `gate`."""
    return result.warnings


def files(result: ImagingResult) -> Iterator[tuple[str, bytes]]:
    """All numbers to be saved: a FITS file per image."""
    for name, pixels in arrays(result).items():
        yield f"{name}.fits", fits.encode(result, name, pixels)


def pictures(result: ImagingResult) -> Iterator[tuple[str, Figure]]:
    """Pictures beside the numbers: the image, and the images it came from."""
    yield "image.png", plot(result)
    yield "panels.png", plot_panels(result)


def read(folder: str) -> dict[str, NDArray[np.float64]]:
    """The arrays back from the files of a run."""
    urls = {name: storage.join(folder, f"{name}.fits") for name in IMAGES}
    return {
        name: fits.decode(storage.read_bytes(url), url)
        for name, url in urls.items()
        if storage.exists(url)
    }


def axes(folder: str) -> dict[str, Any]:
    """Positions of the pixels of a run's images, which two runs must agree in."""
    url = storage.join(folder, "dirty.fits")
    return fits.sky(storage.read_bytes(url)) if storage.exists(url) else {}


def deviation(_name: str, a: NDArray[np.float64], b: NDArray[np.float64]) -> Deviation:
    """Largest difference relative to the peak, and what counts as equivalent."""
    if a.shape != b.shape:
        return Deviation(float("inf"), ALLOWED_DEVIATION)
    peak = max(float(np.abs(a).max()), float(np.abs(b).max()))
    difference = float(np.abs(a - b).max())
    return Deviation(difference / peak if peak else difference, ALLOWED_DEVIATION)
