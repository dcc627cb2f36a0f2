"""What an image will take, known before any visibility is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.domain import Plan
from spectrum_workflows.errors import SpecError
from spectrum_workflows.radio import memory
from spectrum_workflows.radio.read import describe, find
from spectrum_workflows.radio.slabs import slabs
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT, Geometry

if TYPE_CHECKING:
    from spectrum_workflows.radio.spec import RadioSpec
    from spectrum_workflows.radio.types import Observation


def plan(spec: RadioSpec, data: str) -> Plan:
    """Look at the data set and cut it into slabs; no visibility is read.

    Raises
    ------
    DataNotFoundError, DataError
        The set is not there or cannot be imaged.
    SpecError
        The spec must choose a field, or the image does not fit into memory.
    """
    geometry = geometry_of(spec)
    _check_memory(geometry)
    observation = describe(spec, find(spec, data))
    cut = slabs(observation, spec.partition.max_visibilities)
    return Plan(
        partitions=cut,
        bytes_to_read=sum(slab.size for slab in cut) * observation.visibility_bytes,
        largest_memory=memory.task_bytes(cut, geometry),
        warnings=_undersampled(spec, observation),
        inputs=((observation.url, observation.identity),),
        data_bytes=storage.size_below(observation.url),
    )


def geometry_of(spec: RadioSpec) -> Geometry:
    """The image's geometry in rad."""
    return Geometry(spec.image.npix, spec.image.cell_arcsec * ARCSEC, spec.image.epsilon)


def _check_memory(geometry: Geometry) -> None:
    need = memory.session_bytes(geometry)
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if need > there:
        raise SpecError(
            f"an image of {geometry.npix}² pixels needs {need / 1e9:.3g} GB of memory, "
            f"this machine has {there / 1e9:.3g} GB",
            "image.npix",
            "choose fewer pixels or a larger machine",
        )


def _undersampled(spec: RadioSpec, observation: Observation) -> tuple[str, ...]:
    """A warning where a pixel is more than half the finest fringe."""
    if not observation.longest_baseline > 0:
        return ("every baseline has length 0: are the set's UVW filled in?",)
    shortest = SPEED_OF_LIGHT / float(observation.frequency.max())
    nyquist = shortest / (2 * observation.longest_baseline) / ARCSEC
    if spec.image.cell_arcsec <= nyquist:
        return ()
    cell = f"cell_arcsec = {spec.image.cell_arcsec:g}"
    return (f"{cell} undersamples the longest baseline: use {nyquist:.3g} or less",)
