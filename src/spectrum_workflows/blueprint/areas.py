"""What the map says of each area and phase: what runs, by which command, with which figure."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from spectrum_workflows.specs import FrozenModel


class Figure(FrozenModel):
    """One measured figure, by where it stands in a file of evidence."""

    quantity: Annotated[str, Field(min_length=4)]
    """What was measured, in words."""
    file: Annotated[str, Field(pattern=r"^[\w-]+\.json$")]
    """In ``docs/evidence``."""
    ratio: str | None = None
    """Name of one of its ratios, which is shown with its bar."""
    rows: tuple[str, str] | None = None
    """Key and value of those of its rows that are counted, of all that have the key."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.ratio is None) == (self.rows is None):
            raise ValueError("a figure is a ratio, or a number of rows")
        return self


class Entry(FrozenModel):
    """One capability area, or one phase."""

    name: str
    """As SPECTRUM calls it."""
    asks: str = ""
    """What SPECTRUM's own page says of it, shortly."""
    here: Annotated[str, Field(min_length=20)]
    """What of it runs here."""
    commands: Annotated[tuple[str, ...], Field(min_length=1)]
    """What shows it."""
    figures: tuple[Figure, ...] = ()
    """What was measured of it."""
    missing: Annotated[str, Field(min_length=20)]
    """What does not."""
    pages: Annotated[tuple[str, ...], Field(min_length=1)]
    """Where to read on, below ``docs``."""


class Blueprint(FrozenModel):
    """The whole map."""

    areas: Annotated[tuple[Entry, ...], Field(min_length=8, max_length=8)]
    """The eight capability areas of the technical blueprint, in its order."""
    phases: Annotated[tuple[Entry, ...], Field(min_length=3, max_length=3)]
    """The phases of the strategic agenda (SRIDA), in theirs."""
    unknown: str
    """What of the agenda was not found in public."""
