"""Memory of imaging: estimates fitted to measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.radio.types import SINGLE_EPSILON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.radio.types import Chunk, Geometry

PROCESS = 320_000_000
"""A Python process with the libraries and compiled kernels loaded, bytes."""


def task_bytes(chunks: Sequence[Chunk], geometry: Geometry) -> int:
    """Largest memory of one worker that images these chunks one after the other."""
    single = geometry.epsilon >= SINGLE_EPSILON
    visibility = 24 if single else 48
    largest = max(chunk.size for chunk in chunks)
    plane = 8 * geometry.npix**2
    gridder = int(1.7**2 * plane * (1 if single else 2))
    return PROCESS + largest * visibility + gridder + 8 * plane


def session_bytes(geometry: Geometry) -> int:
    """Memory of the process that holds the images and runs the minor cycles."""
    return PROCESS + 12 * 8 * geometry.npix**2
