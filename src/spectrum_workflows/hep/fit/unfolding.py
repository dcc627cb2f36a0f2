"""Unfolding by maximum likelihood: one free factor for every bin of the truth.

What the detector does to a spectrum is in the templates, one for each bin of the truth; nothing is
inverted; systematic uncertainties, backgrounds and the simulation's statistics are those of any
fit.  Tikhonov's regularisation (Soviet Math. Dokl. 4, 1035, 1963) holds the second differences
of the factors at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.fit.minimum import Minimum, covariance, found, minimum
from spectrum_workflows.hep.fit.model import Model, compiled
from spectrum_workflows.hep.fit.toys import Hypothesis, thrown
from spectrum_workflows.hep.types import Unfolded

Floats = NDArray[np.float64]

WHERE = "unfolding"


@dataclass(frozen=True)
class Question:
    """What is unfolded, in a form that workers take.

    Attributes
    ----------
    workspace : mapping
    names : tuple of str
        Factors of the bins of the truth.
    regularisation : float
    """

    workspace: Mapping[str, Any]
    names: tuple[str, ...]
    regularisation: float


def unfold(
    workspace: Mapping[str, Any],
    truth: Mapping[str, float],
    *,
    edges: Floats | None = None,
    regularisation: float = 0.0,
) -> Unfolded:
    """Fit the factors of all bins of the truth, with everything else that is in the model.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf, with a ``normfactor`` for every bin of the truth.
    truth : mapping of str to float
        Name of each of these, in the order of the bins, and the simulated events of the bin,
        selected or not.
    edges : ndarray, shape (n_bins + 1,), optional
        Of the truth; bins are numbered from 0 if left out.
    regularisation : float
        Second differences of the factors are held at 0 with a standard deviation of 1 over this.

    Returns
    -------
    Unfolded

    Raises
    ------
    SpecError
        There is no such factor, or fewer than two; or three, to regularise.
    DataError
        The workspace is not one, the fit does not converge, or the data does not tell bins apart.

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
    >>> unfolded = hep.unfold(described, {"low": 200.0, "high": 100.0})
    >>> unfolded.values.round(3).tolist()
    [400.0, 100.0]
    """
    names, events = tuple(truth), np.array([*truth.values()], np.float64)
    model = unfolding_likelihood(Question(workspace, names, regularisation))
    if edges is None:
        edges = np.arange(len(names) + 1, dtype=np.float64)
    at = found(minimum(model), WHERE)
    strengths, spread = factors(model, at, names)
    penalty = 0.5 * float(np.sum((model.arrays.penalty @ at.values) ** 2))
    return Unfolded(
        names,
        np.asarray(edges, np.float64),
        events,
        strengths,
        strengths * events,
        spread * np.outer(events, events),
        regularisation,
        2 * (at.distance - penalty),
        len(model.data) - len(names),
    )


def simulated(workspace: Mapping[str, Any]) -> dict[str, Any]:
    """The workspace with what it expects in place of its data."""
    sums = {
        channel["name"]: np.sum([s["data"] for s in channel["samples"]], axis=0).tolist()
        for channel in workspace["channels"]
    }
    observations = [{**o, "data": sums[o["name"]]} for o in workspace["observations"]]
    return {**workspace, "observations": observations}


def unfolding_likelihood(question: Question) -> Model:
    """The model with what regularises it.

    Raises
    ------
    SpecError
        There is no such factor, or there are too few.
    DataError
        The workspace is not one.
    """
    model, names, strength = compiled(question.workspace), question.names, question.regularisation
    for name in names:
        if name not in model.sets:
            raise SpecError(f"no factor {name!r} in the workspace", WHERE, "name them as there")
    if len(names) < (3 if strength else 2):
        message = f"{len(names)} bins of the truth"
        raise SpecError(message, WHERE, "unfold two or more; three or more to regularise")
    if not strength >= 0:
        raise SpecError(f"a regularisation of {strength}", WHERE, "give 0 or more")
    if not strength:
        return model
    rows = np.zeros((len(names) - 2, len(model.names)))
    at = _indices(model, names)
    for k, row in enumerate(rows):
        row[at[k : k + 3]] = strength * np.array([1.0, -2.0, 1.0])
    return replace(model, arrays=model.arrays._replace(penalty=rows))


def factors(model: Model, at: Minimum, names: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Best fit of the factors, and their covariance.

    Raises
    ------
    DataError
        The data does not tell bins apart.
    """
    index = _indices(model, names)
    try:
        spread = covariance(model, at)[np.ix_(index, index)]
    except DataError as error:
        remedy = "merge bins of the truth, or regularise"
        raise DataError("the data does not tell bins of the truth apart", WHERE, remedy) from error
    return at.values[index], spread


def pull_of_toy(model: Model, hypothesis: Hypothesis, names: tuple[str, ...], toy: int) -> Floats:
    """Distances of an unfolded toy from what it was generated from, in its own errors."""
    data, centre = thrown(model, hypothesis, toy)
    at = minimum(model, data=data, centre=centre, start=hypothesis.truth)
    nothing = np.full(len(names), np.nan)
    if not at.found:
        return nothing
    try:
        strengths, spread = factors(replace(model, data=data, centre=centre), at, names)
    except DataError:
        return nothing
    truth = hypothesis.truth[_indices(model, names)]
    return np.asarray((strengths - truth) / np.sqrt(np.diag(spread)))


def _indices(model: Model, names: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([model.sets[name].start for name in names], np.int64)
