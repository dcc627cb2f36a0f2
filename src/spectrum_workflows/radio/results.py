"""The result of a run: its arrays, its numbers, its files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.domain.deviation import Deviation
from spectrum_workflows.radio.image import robust_rms
from spectrum_workflows.radio.plot import plot, plot_panels
from spectrum_workflows.radio.write import fits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from spectrum_workflows.radio.types import Image, ImagingResult, SelfCheck

IMAGES = ("dirty", "image", "model", "psf", "residual")
ALLOWED_DEVIATION = 1e-6


def arrays(result: ImagingResult) -> dict[str, Image]:
    """The images that were made, by name."""
    found = {name: getattr(result, name) for name in IMAGES}
    return {name: image for name, image in found.items() if image is not None}


def summary(result: ImagingResult) -> dict[str, Any]:
    """The numbers a person asks for first, ready for JSON.

    ``peak`` and ``rms`` are Jy/beam: the largest pixel of the restored (else
    dirty) image, and the robust rms (1.4826 × median absolute deviation) of
    the residual (else dirty) image.
    """
    shown = result.dirty if result.image is None else result.image
    noise = result.dirty if result.residual is None else result.residual
    row, column = np.unravel_index(int(np.argmax(shown)), shown.shape)
    beam = None
    if result.beam:
        beam = {
            "bmaj_arcsec": result.beam.bmaj,
            "bmin_arcsec": result.beam.bmin,
            "bpa_deg": result.beam.bpa,
        }
    image: dict[str, Any] = {
        "peak": _number(shown[row, column]),
        "peak_pixel": [int(row), int(column)],
        "rms": _number(robust_rms(noise)),
        "unit": "Jy/beam",
        "beam": beam,
        "npix": result.geometry.npix,
        "weighting": result.weighting,
        "visibilities": result.visibilities,
        "weight_sum": _number(result.weight_sum),
        "use": asdict(result.use) if result.use else None,
        "self_check": _numbers(result.self_check) if result.self_check else None,
        "stop": result.stop.name.lower(),
        "major_cycles": result.major,
        "iterations": result.iterations,
        "threshold": _number(result.threshold),
    }
    if result.model is not None:
        image["model_flux_jy"] = _number(result.model.sum())
    return {"image": image}


def _numbers(check: SelfCheck) -> dict[str, Any]:
    return {name: _number(value) for name, value in asdict(check).items()}


def _number(value: float) -> float | int | None:
    """Ready for JSON, which knows no infinity and nothing that is not a number."""
    if isinstance(value, int):
        return value
    return float(value) if np.isfinite(value) else None


def warnings(result: ImagingResult) -> tuple[str, ...]:
    """What the result shows about itself: see `gate`."""
    return result.warnings


def files(result: ImagingResult) -> Iterator[tuple[str, bytes]]:
    """All numbers to be saved: a FITS file per image."""
    for name, image in arrays(result).items():
        yield f"{name}.fits", fits.encode(result, name, image)


def pictures(result: ImagingResult) -> Iterator[tuple[str, Figure]]:
    """What is drawn beside them: the image, and the images it came from."""
    yield "image.png", plot(result)
    yield "panels.png", plot_panels(result)


def read(folder: str) -> dict[str, Image]:
    """The arrays back from the files of a run."""
    urls = {name: storage.join(folder, f"{name}.fits") for name in IMAGES}
    return {
        name: fits.decode(storage.read_bytes(url), url)
        for name, url in urls.items()
        if storage.exists(url)
    }


def axes(folder: str) -> dict[str, Any]:
    """Where the pixels of a run's images lie, which two runs must agree in."""
    url = storage.join(folder, "dirty.fits")
    return fits.sky(storage.read_bytes(url)) if storage.exists(url) else {}


def deviation(_name: str, a: Image, b: Image) -> Deviation:
    """Largest difference relative to the peak, and what counts as equivalent."""
    if a.shape != b.shape:
        return Deviation(float("inf"), ALLOWED_DEVIATION)
    peak = max(float(np.abs(a).max()), float(np.abs(b).max()))
    difference = float(np.abs(a - b).max())
    return Deviation(difference / peak if peak else difference, ALLOWED_DEVIATION)
