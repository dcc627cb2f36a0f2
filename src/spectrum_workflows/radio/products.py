"""Products that follow from the images of a run: the sky behind the primary beam, sources."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.radio.beams.dish import image_of
from spectrum_workflows.radio.beams.tables import beam_of
from spectrum_workflows.radio.sources import comparing, finding
from spectrum_workflows.radio.sources.finding import SourceSearch
from spectrum_workflows.radio.types import ARCSEC, GroupImages
from spectrum_workflows.radio.write import bdsf, fits

if TYPE_CHECKING:
    from spectrum_workflows.radio.spec import PrimaryBeamSpec, RadioSpec, SourcesSpec
    from spectrum_workflows.radio.types import (
        Image,
        ImagingResult,
        Observation,
        PlaneImages,
        Planted,
        Source,
    )

NO_BEAM_IN_IT = "generated visibilities hold no primary beam: the corrected image is too bright"


def check(spec: RadioSpec, observation: Observation) -> None:
    """Refuse, before anything is computed, products that cannot be made.

    Raises
    ------
    DataError
        No primary beam is known.
    MissingExtraError
        A library is not installed.
    """
    asked = spec.products
    if asked.primary_beam:
        beam_of(observation, asked.primary_beam.model, asked.primary_beam.diameter_m)
    if asked.sources:
        (bdsf if asked.sources.finder == "bdsf" else finding).check_installed()


def with_products(spec: RadioSpec, result: ImagingResult) -> ImagingResult:
    """The result with what ``spec.products`` asks for.

    What cannot be made is said in the warnings, and the images are there.
    """
    lines: list[str] = []
    groups = []
    for group in result.groups:
        planes = tuple(_with_products(spec, result, plane, lines) for plane in group.planes)
        groups.append(replace(group, planes=planes))
    return replace(
        result,
        groups=tuple(groups),
        warnings=(*result.warnings, *dict.fromkeys(lines)),
        single=spec.products.pixels == "float32",
        zarr=spec.products.zarr,
        plots=spec.products.plots,
    )


def _with_products(
    spec: RadioSpec, result: ImagingResult, plane: PlaneImages, lines: list[str]
) -> PlaneImages:
    asked = spec.products
    if asked.primary_beam:
        try:
            plane = with_primary_beam(asked.primary_beam, result, plane)
        except SpectrumError as error:
            lines.append(f"no primary beam: {error}")
        if result.observation.origin:
            lines.append(NO_BEAM_IN_IT)
    if asked.sources:
        try:
            plane = with_sources(asked.sources, result, plane)
        except SpectrumError as error:
            lines.append(f"no list of sources: {error}")
    return rounded(plane) if asked.pixels == "float32" else plane


def with_primary_beam(
    asked: PrimaryBeamSpec, result: ImagingResult, plane: PlaneImages
) -> PlaneImages:
    """The plane with its primary beam, and the restored (else dirty) image divided by it.

    The axis of the dishes is the phase centre; of the band, channels count the same.  Planes of
    Stokes Q, U and V stay as they are: what a dish makes of them is more than a pattern.

    Raises
    ------
    DataError
        No primary beam is known.
    MissingExtraError
        A library is not installed.
    """
    if plane.plane.stokes != "I":
        return plane
    beam = beam_of(result.observation, asked.model, asked.diameter_m)
    frequency = result.observation.frequency
    power = image_of(beam, result.geometry, frequency[plane.plane.channels.hold(frequency)])
    image = plane.sky
    seen = power >= asked.cut
    corrected = np.full_like(image, np.nan)
    corrected[seen] = image[seen] / power[seen]
    return replace(plane, primary_beam=power, corrected=corrected, primary_beam_model=beam.words)


def with_sources(asked: SourcesSpec, result: ImagingResult, plane: PlaneImages) -> PlaneImages:
    """The plane with the sources in its restored (else dirty) image.

    The rms is that of the residual, where there is one.  Where the primary beam was made, the
    sources have its value; where the sky is known, name and flux of what was planted.

    Raises
    ------
    DataError
        There is no beam.
    MissingExtraError
        A library is not installed.
    """
    observation = result.observation
    if plane.beam is None:
        raise DataError("there is no beam", observation.url, "add a [restore] table")
    search = SourceSearch(
        image=plane.sky,
        rms=plane.rms,
        sigma=asked.sigma,
        beam=plane.beam,
        geometry=result.geometry,
        centre=observation.phase_centre,
    )
    if asked.finder == "bdsf":
        alone = replace(result, groups=(GroupImages((plane,)),), single=False)
        sources = bdsf.find(search, fits.encode(alone, "image", search.image))
    else:
        sources = finding.find(search)
    if plane.primary_beam is not None:
        sources = tuple(_attenuated(source, plane.primary_beam, search) for source in sources)
    sky = _planted(observation)
    if sky is None:
        return replace(plane, sources=sources)
    sources = comparing.named(sources, sky, search)
    return replace(plane, sources=sources, agreement=comparing.agreement(sources, sky, search))


def _planted(observation: Observation) -> tuple[Planted, ...] | None:
    """The sky that generated data are of, if it lies beside them."""
    if not observation.origin:
        return None
    from spectrum_workflows.radio.synthetic import planted

    return planted(observation.url, observation.field)


def _attenuated(source: Source, beam: Image, search: SourceSearch) -> Source:
    """The source with the primary beam at its middle."""
    middle, cell = len(beam) // 2, search.geometry.cell / ARCSEC
    row, column = round(middle + source.north / cell), round(middle - source.east / cell)
    inside = 0 <= row < len(beam) and 0 <= column < len(beam)
    return replace(source, primary_beam=float(beam[row, column]) if inside else 0.0)


def rounded(plane: PlaneImages) -> PlaneImages:
    """The plane with all images rounded to single precision, as numbers of double precision."""
    images = {field.name: getattr(plane, field.name) for field in fields(plane)}
    single: dict[str, Any] = {
        name: image.astype(np.float32).astype(np.float64)
        for name, image in images.items()
        if isinstance(image, np.ndarray) and name != "coverage"
    }
    return replace(plane, **single)
