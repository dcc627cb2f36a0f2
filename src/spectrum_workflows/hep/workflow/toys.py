"""Toys as tasks: a range of them each, whose values do not depend on the ranges."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.engine import map_reduce, one_thread
from spectrum_workflows.hep.fit import toys as statistics
from spectrum_workflows.hep.fit.model import compiled
from spectrum_workflows.hep.types import Toys

if TYPE_CHECKING:
    from distributed import Client

Floats = NDArray[np.float64]

AT_ONCE = 250
"""Toys of one task."""


@dataclass(frozen=True)
class _Range:
    """Toys of one task."""

    hypothesis: statistics.Hypothesis
    start: int
    stop: int

    def __repr__(self) -> str:
        return f"toys {self.start} to {self.stop}, stream {self.hypothesis.stream}"


@dataclass(frozen=True)
class _Thrown:
    """Values of some toys, stream by stream, and the CPU time they took."""

    values: Mapping[int, Floats]
    cpu_seconds: float


def throw_toys(
    workspace: Mapping[str, Any],
    *,
    statistic: str = "goodness",
    tested: float = 1.0,
    toys: int = 1_000,
    seed: int = 1,
    client: Client | None = None,
    at_once: int = AT_ONCE,
) -> Toys:
    """Generate data from a model many times, and fit each time what a test statistic asks.

    Data follows Poisson's law about what is expected with the parameters as the data fits them,
    the parameter of interest held where it is tested; centres of the constraints are drawn too.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf.
    statistic : {"goodness", "limit", "discovery"}
        ``goodness``: twice the distance of the best fit from the saturated model.  ``limit``:
        q-tilde of ``tested``, for toys with that signal and for toys without.  ``discovery``:
        q of no signal, for toys without.
    tested : float
        Value of the parameter of interest that ``limit`` tests.
    toys : int
        How many, of each hypothesis.
    seed : int
        Of the random numbers.  Those of a toy depend on the seed and its own index alone.
    client : distributed.Client, optional
        Where to compute; ``None`` is a loop in this process.
    at_once : int
        Toys of one task; no number depends on it.

    Returns
    -------
    Toys

    Raises
    ------
    SpecError
        There is no such statistic, there are no toys, or ``tested`` is out of range.
    DataError
        The workspace is not one, or the fit of the data does not converge.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(2, 0, 2, name="x")
    >>> described = hep.workspace(
    ...     {
    ...         ("top", "4j"): hep.fill([0.5] * 100 + [1.5] * 300, axis),
    ...         ("data", "4j"): hep.fill([0.5] * 110 + [1.5] * 290, axis),
    ...     },
    ...     signal="top",
    ... )
    >>> found = hep.throw_toys(described, toys=50)
    >>> len(found.values), found.failed, 0.1 < found.p_value < 0.9
    (50, 0, True)
    """
    statistics.check(statistic, toys=toys)
    asked = cast(statistics.Statistic, statistic)
    model = compiled(workspace)
    if statistic == "limit":
        statistics.check_tested(model, tested)
    held = {"goodness": (None,), "limit": (tested, 0.0), "discovery": (0.0,)}[statistic]
    value = {"goodness": float("nan"), "limit": tested, "discovery": 0.0}[statistic]
    with one_thread():
        hypotheses = [
            statistics.Hypothesis(
                workspace, asked, value, statistics.conditional(model, poi), seed, stream
            )
            for stream, poi in enumerate(held)
        ]
        observed = statistics.statistic_of(model, asked, value)
        ranges = [
            _Range(hypothesis, start, min(start + at_once, toys))
            for hypothesis in hypotheses
            for start in range(0, toys, at_once)
        ]
        thrown = map_reduce(_throw, ranges, _together, client=client)
    assert thrown is not None
    return Toys(
        statistic,
        value,
        observed,
        thrown.values[0],
        thrown.values.get(1, np.zeros(0)),
        seed,
        thrown.cpu_seconds / (toys * len(hypotheses)),
    )


def _throw(asked: _Range) -> _Thrown:
    started, hypothesis = time.thread_time(), asked.hypothesis
    model = compiled(hypothesis.workspace)
    values = [
        statistics.statistic_of_toy(model, hypothesis, toy)
        for toy in range(asked.start, asked.stop)
    ]
    return _Thrown({hypothesis.stream: np.array(values)}, time.thread_time() - started)


def _together(a: _Thrown, b: _Thrown) -> _Thrown:
    """Values of both, one after the other; ranges come in their order."""
    values = dict(a.values)
    for stream, more in b.values.items():
        values[stream] = np.concatenate([values[stream], more]) if stream in values else more
    return _Thrown(values, a.cpu_seconds + b.cpu_seconds)
