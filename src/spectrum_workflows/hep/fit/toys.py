"""Toys: data generated from a model, and the test statistics of them.

The random numbers of a toy are those of the seed, of the hypothesis and of the toy's own index:
they are the same whoever throws it, and whichever toys are thrown with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.fit.kernel import GAUSSIAN, HIGH, LOW, POISSON, WIDTH
from spectrum_workflows.hep.fit.minimum import Minimum, expected, found, minimum
from spectrum_workflows.hep.fit.model import Model

Floats = NDArray[np.float64]

Statistic = Literal["goodness", "limit", "discovery"]
"""Twice the distance to the saturated model; q-tilde of a value; q of no signal."""

STATISTICS = get_args(Statistic)


@dataclass(frozen=True)
class Hypothesis:
    """What toys are generated from, and what is asked of each.

    Attributes
    ----------
    workspace : mapping
    statistic : {"goodness", "limit", "discovery"}
    tested : float
        Value of the parameter of interest that the statistic tests.
    truth : ndarray, shape (n_parameters,)
        Parameters that data is generated with.
    seed, stream : int
        Of the random numbers; hypotheses of one question have streams of their own.
    """

    workspace: Mapping[str, Any]
    statistic: Statistic
    tested: float
    truth: Floats
    seed: int
    stream: int


def check(statistic: str, *, toys: int) -> None:
    """Refuse what cannot be asked.

    Raises
    ------
    SpecError
        There is no such statistic, or there are no toys.
    """
    if statistic not in STATISTICS:
        message = f"{statistic!r} is no statistic of toys"
        raise SpecError(message, "toys", f"choose {', '.join(STATISTICS)}")
    if toys < 1:
        raise SpecError(f"{toys} toys", "toys", "throw one or more")


def check_tested(model: Model, tested: float) -> None:
    """Refuse a value that the parameter of interest cannot have.

    Raises
    ------
    SpecError
        Naming its range.
    """
    low, high = (float(edge) for edge in model.arrays.parameters[[LOW, HIGH], model.poi])
    if not max(low, 0.0) < tested <= high:
        message = f"{tested:g} is no value of {model.names[model.poi]} to test"
        remedy = f"choose one above {max(low, 0.0):g}, up to {high:g}"
        raise SpecError(message, "toys", remedy)


def conditional(model: Model, value: float | None) -> Floats:
    """Parameters as the data fits them, with the one of interest held at a value, or free."""
    held = {} if value is None else {model.poi: value}
    return found(minimum(model, held=held), "toys").values


def statistic_of(
    model: Model,
    statistic: Statistic,
    tested: float,
    *,
    data: Floats | None = None,
    centre: Floats | None = None,
    start: Floats | None = None,
) -> float:
    """The test statistic of some data; NaN if a fit does not converge."""
    given: Any = {"data": data, "centre": centre, "start": start}
    best = minimum(model, **given)
    if statistic == "goodness":
        return _twice(best, None)
    physical = best
    if best.values[model.poi] < 0:
        physical = minimum(model, **given, held={model.poi: 0.0})
    value = physical.values[model.poi]
    if statistic == "limit":
        if value >= tested:
            return 0.0 if physical.found else float("nan")
        return _twice(minimum(model, **given, held={model.poi: tested}), physical)
    if value <= 0:
        return 0.0 if physical.found else float("nan")
    return _twice(minimum(model, **given, held={model.poi: 0.0}), physical)


def _twice(held: Minimum, best: Minimum | None) -> float:
    """Twice a distance, or the difference of two."""
    if not (held.found and (best is None or best.found)):
        return float("nan")
    return max(2 * (held.distance - (best.distance if best else 0.0)), 0.0)


def thrown(model: Model, hypothesis: Hypothesis, toy: int) -> tuple[Floats, Floats]:
    """Data and centres of the constraints of one toy."""
    rng = np.random.default_rng([hypothesis.seed, hypothesis.stream, toy])
    truth, kind = hypothesis.truth, model.arrays.constraint
    width = model.arrays.parameters[WIDTH]
    data = rng.poisson(np.maximum(expected(model, truth), 0.0)).astype(np.float64)
    centre = np.array(model.centre)
    moves = ~model.fixed
    normal, counted = moves & (kind == GAUSSIAN), moves & (kind == POISSON)
    centre[normal] = rng.normal(truth[normal], width[normal])
    centre[counted] = rng.poisson(truth[counted] * width[counted])
    return data, centre


def statistic_of_toy(model: Model, hypothesis: Hypothesis, toy: int) -> float:
    """Generate one toy, and its test statistic; NaN if a fit does not converge."""
    data, centre = thrown(model, hypothesis, toy)
    return statistic_of(
        model,
        hypothesis.statistic,
        hypothesis.tested,
        data=data,
        centre=centre,
        start=hypothesis.truth,
    )
