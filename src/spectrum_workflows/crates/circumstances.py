"""Circumstances of a run that its plan and its result do not tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spectrum_workflows.catalogue.entries import CatalogueEntry


@dataclass(frozen=True)
class Circumstances:
    """Where a run took place, and what the catalogue says of its input.

    Attributes
    ----------
    kind : str
        How its workers came about; empty if nobody knows.
    description : str
        The site in a few words, as its profile has them; no host, no account, no path.
    entries : mapping of str to CatalogueEntry
        Entries of the catalogue that the spec names, by their names.
    """

    kind: str = ""
    description: str = ""
    entries: Mapping[str, CatalogueEntry] = field(default_factory=dict)


UNKNOWN = Circumstances()
"""Of a run of which nobody knows where it took place."""
