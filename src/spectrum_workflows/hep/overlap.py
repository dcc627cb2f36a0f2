"""Events in two regions of a fit, whose likelihood takes them for others: pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.types import Observable


@dataclass(frozen=True)
class FittedRegion:
    """A region of a fit.

    Attributes
    ----------
    name : str
        Its histogram.
    observable : str
        What is filled into that.
    low, high : float
        Where the fitted bins begin and end.
    """

    name: str
    observable: str
    low: float
    high: float


def fitted_regions(spec: HepSpec) -> tuple[FittedRegion, ...]:
    """Regions of the fit of a spec; none without one."""
    if spec.fit is None:
        return ()
    start, stop, out = spec.fit.start, spec.fit.stop, []
    for name in spec.fit.regions:
        axis = spec.histograms[name].axes(name)[0]
        low, high = axis.boundaries[0], axis.boundaries[-1]
        low, high = low if start is None else start, high if stop is None else stop
        out.append(FittedRegion(name, axis.key, low, high))
    return tuple(out)


def shared_events(
    regions: Mapping[str, Observable], fitted: Sequence[FittedRegion], seen: int
) -> dict[tuple[str, str], int]:
    """How many events every two regions share, where they share some.

    Parameters
    ----------
    regions : mapping of str to Observable
        Those that do not say which events they hold are not compared.
    fitted : sequence of FittedRegion
    seen : int
        Events that the selection was given.
    """
    masks: dict[str, NDArray[np.bool_]] = {}
    for region in fitted:
        observable = regions.get(region.observable)
        if observable is None or observable.index is None:
            continue
        inside = (observable.values >= region.low) & (observable.values < region.high)
        masks[region.name] = np.zeros(seen, np.bool_)
        masks[region.name][observable.index[inside]] = True
    pairs = {(a, b): int(np.sum(masks[a] & masks[b])) for a, b in combinations(masks, 2)}
    return {pair: n for pair, n in pairs.items() if n}


def notes(shared: Mapping[tuple[str, str, str], int]) -> Iterator[str]:
    """A warning for every two regions that share events.

    Parameters
    ----------
    shared : mapping of (sample, region, region) to int
    """
    pairs: dict[tuple[str, str], list[str]] = {}
    for (sample, *pair), n in shared.items():
        pairs.setdefault((pair[0], pair[1]), []).append(f"{n:,} of {sample}")
    for (a, b), numbers in pairs.items():
        yield f"fit: {a} and {b} share events, which count twice: {', '.join(numbers)}"
