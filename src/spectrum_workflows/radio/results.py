"""The result of a run: its arrays, its numbers, its files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.domain.deviation import Deviation
from spectrum_workflows.radio.plot import plot, plot_coverage, plot_histogram, plot_panels
from spectrum_workflows.radio.write import components, fits, sources, zarr_dataset
from spectrum_workflows.radio.write.axes import axes_of, band_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import GroupImages, ImagingResult, PlaneImages, SelfCheck

IMAGES = ("corrected", "dirty", "image", "model", "primary_beam", "psf", "residual")
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
    origin = {"origin": result.observation.origin} if result.observation.origin else {}
    numbers = [
        (_summary(result, group, plane), _which(result, number, plane))
        for number, group in enumerate(result.groups)
        for plane in group.planes
    ]
    if len(numbers) > 1:
        return {"planes": [of_image | which for of_image, which in numbers]} | origin
    return {"image": numbers[0][0]} | origin


def _which(result: ImagingResult, group: int, plane: PlaneImages) -> dict[str, Any]:
    """The plane in words and in numbers."""
    band = band_of(result.observation, plane.plane.channels)
    return {
        "plane": plane.plane.where,
        "number": plane.plane.number,
        "group": group,
        "stokes": plane.plane.stokes,
        "channels_hz": [plane.plane.channels.start_hz, _number(plane.plane.channels.stop_hz)],
        "band_hz": [band.low, band.high],
    }


def _summary(result: ImagingResult, group: GroupImages, plane: PlaneImages) -> dict[str, Any]:
    """The numbers of one plane."""
    shown = plane.sky
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
        "rms": _number(plane.rms),
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
    if plane.primary_beam is not None:
        numbers["primary_beam"] = plane.primary_beam_model
    if plane.sources is not None:
        numbers["sources"] = len(plane.sources)
    if plane.agreement is not None:
        numbers["agreement"] = {n: _number(v) for n, v in asdict(plane.agreement).items()}
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
            if agreement := numbers.pop("agreement", None):
                nested["agreement"] = agreement
            for name in nested.keys() - {"beam"}:
                record |= {f"{name}_{key}": value for key, value in nested[name].items()}
            rows.append(record)
    return rows


def warnings(result: ImagingResult) -> tuple[str, ...]:
    """Warnings of a result about itself: see `gate`."""
    return result.warnings


def files(result: ImagingResult) -> Iterator[tuple[str, bytes]]:
    """All numbers to be saved: a FITS file per image, and what else was asked for."""
    for name, pixels in arrays(result).items():
        yield f"{name}.fits", fits.encode(result, name, pixels)
    if any(plane.sources is not None for plane in result.planes):
        yield sources.NAME, sources.encode(result)
    if any(plane.components is not None for plane in result.planes):
        yield components.NAME, components.encode(result)
    if result.zarr:
        yield from zarr_dataset.objects(result)


def pictures(result: ImagingResult) -> Iterator[tuple[str, Figure]]:
    """Pictures beside the numbers: the image, and the images it came from."""
    yield "image.png", plot(result)
    first = result.planes[0]
    if first.image is not None or first.residual is not None or first.psf is not None:
        yield "panels.png", plot_panels(result)  # else it would be the same picture
    if result.plots:
        yield "histogram.png", plot_histogram(result)
        for plane in result.planes[:1]:
            if plane.coverage is not None:
                title = f"{result.whose}: visibilities of the self-check"
                yield (
                    "coverage.png",
                    plot_coverage(plane.coverage[:, 0], plane.coverage[:, 1], title),
                )


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
    """Largest difference relative to the peak, and what counts as equivalent.

    What is not a number, such as where the primary beam ends, must be so in both.
    """
    known = ~np.isnan(a) if a.shape == b.shape else np.zeros(0, bool)
    if a.shape != b.shape or not np.array_equal(known, ~np.isnan(b)):
        return Deviation(float("inf"), ALLOWED_DEVIATION)
    a, b = a[known], b[known]
    if not a.size:
        return Deviation(0.0, ALLOWED_DEVIATION)
    peak = max(float(np.abs(a).max()), float(np.abs(b).max()))
    difference = float(np.abs(a - b).max())
    return Deviation(difference / peak if peak else difference, ALLOWED_DEVIATION)
