"""The sheet of a use case: what a workflow needs, in words, and which figures a run fills in."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel

Figure = Literal[
    "items",
    "partitions",
    "bytes_read",
    "data_bytes",
    "read_per_item",
    "stored_per_item",
    "read_fraction",
    "items_per_core",
    "read_per_core",
    "cpu_time",
    "cpu_per_terabyte",
    "peak_memory",
    "bytes_moved",
    "workers",
    "energy",
]
"""What a run's record says of its cost; each is explained where it is shown."""

HEADINGS = {
    "scientific_challenge": "Scientific challenge",
    "storage": "Storage",
    "data_transport": "Data transport",
    "compute": "Compute",
    "workflow_management": "Workflow management",
    "access_and_analysis": "Access and analysis",
    "gap_analysis": "Gap analysis",
    "non_technical_challenges": "Non-technical challenges",
}
"""The headings of SPECTRUM's compendium of use cases, in its order."""


class Section(FrozenModel):
    """What stands below one heading."""

    text: Annotated[str, Field(min_length=40, max_length=4000)]
    """A few plain sentences; Markdown."""
    figures: tuple[Figure, ...] = ()
    """Measured figures that belong here; a run fills them in."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        twice = {name for name in self.figures if self.figures.count(name) > 1}
        if twice:
            raise ValueError(f"figures: {', '.join(sorted(twice))} is listed twice")
        return self


class UseCase(FrozenModel):
    """A use case under the eight headings of SPECTRUM's compendium."""

    name: Name
    """Short name of the use case."""
    title: Annotated[str, Field(min_length=8, max_length=200)]
    """What it is, in a line."""
    workflow: str
    """Of which science the runs are that fill in figures."""
    item: Annotated[str, Field(pattern=r"^\w[\w ]*$", max_length=40)] = "item"
    """What is counted: event, visibility, sample."""
    specs: Annotated[tuple[str, ...], Field(min_length=1)]
    """Specs that show it, as ``spectrum run`` takes them."""
    scientific_challenge: Section
    """The question, and why it needs much computing."""
    storage: Section
    """Formats, sizes, and what has to be kept."""
    data_transport: Section
    """What moves, from where to where, and how much of it."""
    compute: Section
    """What is computed, on what, for how long."""
    workflow_management: Section
    """How work is divided, ordered, resumed and recorded."""
    access_and_analysis: Section
    """How people reach data and results, and what they do with them."""
    gap_analysis: Section
    """What is missing, here or in today's infrastructures."""
    non_technical_challenges: Section
    """Policy, licences, people, money."""
