"""The ``[bootstrap]`` table of a HEP spec: replicas of its histograms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from spectrum_workflows.hep.spec.eras import era_samples
from spectrum_workflows.specs import FrozenModel, closest

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec

EVENT_NUMBERS = ("run", "luminosityBlock", "event")
"""Columns that name an event."""

MOST_REPLICAS = 10_000
"""Of a spec: the error of a variance is then 1.4 %."""

MOST_NUMBERS = 10_000_000
"""Replicas x bins of all samples: so many are kept in memory and in the result's files."""

LARGEST_SEED = 2**63 - 1
"""Of TOML's whole numbers."""


class BootstrapSpec(FrozenModel):
    """Replicas of histograms, in which every event counts as often as Poisson's law says.

    The numbers follow from the event's ``run``, ``luminosityBlock`` and ``event``, the name of the
    sample (with its era) and the seed: however events are cut into partitions, they are the same.
    """

    replicas: Annotated[int, Field(ge=2, le=MOST_REPLICAS)]
    """How many, of every nominal histogram of data and simulation.  A variance is known to
    ``sqrt(2 / (replicas - 1))`` of itself: 14 % with 100."""
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 1
    """Another one gives other replicas."""
    histograms: tuple[str, ...] = ()
    """Histograms that have replicas; all if left out."""


def asked_histograms(spec: HepSpec) -> tuple[str, ...]:
    """Histograms that have replicas, in the order of the spec."""
    if spec.bootstrap is None:
        return ()
    chosen = spec.bootstrap.histograms
    return tuple(name for name in spec.histograms if not chosen or name in chosen)


def numbers_per_sample(spec: HepSpec) -> int:
    """Numbers that all replicas of one sample are made of, with what lies outside the axes."""
    if spec.bootstrap is None:
        return 0
    cells = 0
    for name in asked_histograms(spec):
        described = spec.histograms[name]
        sums = 2 if described.profile else 1
        cells += sums * math.prod(axis.bins + 2 for axis in described.axes(name))
    return cells * spec.bootstrap.replicas


def check(spec: HepSpec) -> None:
    """Refuse replicas of what is not there, of events without a number, and too many.

    Raises
    ------
    ValueError
        In one line.
    """
    if spec.bootstrap is None:
        return
    for k, name in enumerate(spec.bootstrap.histograms):
        if name not in spec.histograms:
            hint = closest(name, list(spec.histograms))
            raise ValueError(f"bootstrap.histograms: no histogram {name!r}; {hint}")
        if name in spec.bootstrap.histograms[:k]:
            raise ValueError(f"bootstrap.histograms: {name!r} is there twice; name it once")
    fallback = spec.fallbacks.get("event")
    if fallback is not None and not fallback.column:
        raise ValueError(
            "bootstrap: fallbacks.event would give all events one number; leave it out"
        )
    total = numbers_per_sample(spec) * len(era_samples(spec))
    if total > MOST_NUMBERS:
        raise ValueError(
            f"bootstrap: {spec.bootstrap.replicas} replicas of all bins of all samples are"
            f" {total} numbers, at most {MOST_NUMBERS}; ask for fewer, or name some histograms"
        )
