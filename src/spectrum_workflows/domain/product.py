"""A product of a saved result: numbers for people and programs, files and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectrum_workflows.domain.contents import Contents


@dataclass(frozen=True)
class Product:
    """What a command of a science makes of a saved result.

    Attributes
    ----------
    contents : Contents
        What is shown, and saved as JSON.
    files : mapping of str to bytes
        What else is saved, by name.
    pictures : mapping of str to callable
        ``draw()`` gives a figure; the name ends in ``.png``.
    """

    contents: Contents
    files: Mapping[str, bytes] = field(default_factory=dict)
    pictures: Mapping[str, Callable[[], Figure]] = field(default_factory=dict)
