"""Pictures of results, in the style of the field."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from spectrum_workflows.hep.plot import likelihood, stacks
from spectrum_workflows.hep.types import HepResult

__all__ = ["figure", "pictures"]


def figure(result: HepResult) -> Figure:
    """All regions before and after the likelihood fit; without one, all histograms."""
    if isinstance(result.likelihood, str):
        return stacks.figure(result)
    return likelihood.before_and_after(result)


def pictures(result: HepResult) -> Iterator[tuple[str, Figure]]:
    """A picture per histogram, and those of the likelihood fit."""
    for name in result.spec.histograms:
        yield f"{name}.png", stacks.panel(result, name)
    if not isinstance(result.likelihood, str):
        yield from likelihood.pictures(result)
