"""Pictures of results, in the style of the field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from matplotlib.figure import Figure

from spectrum_workflows.domain.products import make_each
from spectrum_workflows.hep.plot import bootstrap, likelihood, stacks
from spectrum_workflows.hep.types import HepResult
from spectrum_workflows.naming import file_names

__all__ = ["figure", "pictures"]


def figure(result: HepResult) -> Figure:
    """All regions before and after the likelihood fit; without one, all histograms."""
    if isinstance(result.likelihood, str):
        return stacks.figure(result)
    return likelihood.before_and_after(result)


def pictures(result: HepResult) -> Iterator[tuple[str, Figure]]:
    """A picture per histogram, of each era too, of the fit and of replicas; no two of one name.

    Raises
    ------
    OutputError
        At the end, if one of them could not be drawn: the others are there.
    """
    drawings: list[tuple[str, Callable[[], Figure]]] = [
        (name, partial(stacks.panel, result, name)) for name in result.spec.histograms
    ]
    if not isinstance(result.likelihood, str):
        drawings += likelihood.drawings(result)
    drawings += bootstrap.drawings(result)
    drawings += [
        (f"{era}_{name}", partial(stacks.panel, of, name))
        for era, of in result.eras.items()
        for name in of.spec.histograms
    ]
    names = file_names(f"{name}.png" for name, _ in drawings)
    draws = (draw for _, draw in drawings)
    yield from make_each(zip(names, draws, strict=True), verb="drawn")
