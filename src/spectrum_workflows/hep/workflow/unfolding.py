"""Unfolded toys as tasks: a range of them each, whose values do not depend on the ranges."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.engine import map_reduce, one_thread
from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.fit.minimum import found, minimum
from spectrum_workflows.hep.fit.toys import Hypothesis
from spectrum_workflows.hep.fit.unfolding import Question, pull_of_toy, unfolding_likelihood
from spectrum_workflows.hep.types import UnfoldingToys

if TYPE_CHECKING:
    from distributed import Client

AT_ONCE = 100
"""Toys of one task."""

STREAM = 7
"""Of the random numbers; other questions have others."""


@dataclass(frozen=True)
class _Range:
    """Toys of one task."""

    question: Question
    hypothesis: Hypothesis
    start: int
    stop: int

    def __repr__(self) -> str:
        return f"unfolded toys {self.start} to {self.stop}"


@dataclass(frozen=True)
class _Thrown:
    """Pulls of some toys, and the CPU time they took."""

    pulls: NDArray[np.float64]
    cpu_seconds: float


def unfold_toys(
    workspace: Mapping[str, Any],
    truth: Mapping[str, float],
    *,
    regularisation: float = 0.0,
    toys: int = 1_000,
    seed: int = 1,
    client: Client | None = None,
    at_once: int = AT_ONCE,
) -> UnfoldingToys:
    """Generate data from the best fit many times, and unfold each, to see whether errors are right.

    Data follows Poisson's law about what is expected with the parameters as the data fits them;
    centres of the constraints are drawn too.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf, with a ``normfactor`` for every bin of the truth.
    truth : mapping of str to float
        As of `unfold`.
    regularisation : float
        As of `unfold`; it pulls towards smooth factors, which the means of the pulls show.
    toys : int
        How many.
    seed : int
        Of the random numbers.  Those of a toy depend on the seed and its own index alone.
    client : distributed.Client, optional
        Where to compute; ``None`` is a loop in this process.
    at_once : int
        Toys of one task; no number depends on it.

    Returns
    -------
    UnfoldingToys

    Raises
    ------
    SpecError
        There are no toys; or as of `unfold`.
    DataError
        As of `unfold`.

    Examples
    --------
    >>> from spectrum_workflows import hep
    >>> def template(name, data):
    ...     factor = {"name": name, "type": "normfactor", "data": None}
    ...     return {"name": name, "data": data, "modifiers": [factor]}
    >>> described = {
    ...     "channels": [
    ...         {"name": "pt", "samples": [template("low", [80, 20]), template("high", [10, 40])]}
    ...     ],
    ...     "observations": [{"name": "pt", "data": [170, 80]}],
    ...     "measurements": [{"name": "m", "config": {"poi": "low", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> pulls = hep.unfold_toys(described, {"low": 200.0, "high": 100.0}, toys=200)
    >>> bool((abs(pulls.width - 1) < 0.2).all())
    True
    """
    if toys < 2:
        raise SpecError(f"{toys} toys", "unfolding", "throw two or more")
    question = Question(workspace, tuple(truth), regularisation)
    with one_thread():
        best = found(minimum(unfolding_likelihood(question)), "unfolding").values
        nan = float("nan")
        hypothesis = Hypothesis(workspace, "goodness", nan, best, seed, STREAM)
        ranges = [
            _Range(question, hypothesis, start, min(start + at_once, toys))
            for start in range(0, toys, at_once)
        ]
        together = map_reduce(_throw, ranges, _joined, client=client)
    assert together is not None
    return UnfoldingToys(question.names, together.pulls, seed, together.cpu_seconds / toys)


def _throw(asked: _Range) -> _Thrown:
    started = time.thread_time()
    model = unfolding_likelihood(asked.question)
    pulls = [
        pull_of_toy(model, asked.hypothesis, asked.question.names, toy)
        for toy in range(asked.start, asked.stop)
    ]
    return _Thrown(np.array(pulls), time.thread_time() - started)


def _joined(a: _Thrown, b: _Thrown) -> _Thrown:
    return _Thrown(np.concatenate([a.pulls, b.pulls]), a.cpu_seconds + b.cpu_seconds)
