"""Upper limits by CLs, and the significance of a signal, from asymptotic formulae.

Formulae: Cowan, Cranmer, Gross and Vitells (doi:10.1140/epjc/s10052-011-1554-0); CLs: Read
(doi:10.1088/0954-3899/28/10/313).  pyhf evaluates them; its fits are those of our own likelihood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.fit.kernel import (
    BEGIN,
    BIN,
    FACTORS,
    GAMMAS,
    GAUSSIAN,
    HIGH,
    SIZE,
    WIDTH,
)
from spectrum_workflows.hep.fit.likelihood import pyhf_model, quiet
from spectrum_workflows.hep.fit.minimum import found, minimum
from spectrum_workflows.hep.fit.model import Model, compiled
from spectrum_workflows.hep.types import Limit, Significance
from spectrum_workflows.hep.types.statistics import BANDS

Floats = NDArray[np.float64]

POINTS = 25
"""Tested values up to a little beyond the last expected limit, and up to the last of all."""

PRECISION = 1e-5
"""Of a limit, relative."""


def limit(workspace: Mapping[str, Any], *, level: float = 0.95) -> Limit:
    """The upper limit on the parameter of interest, by CLs.

    The test statistic is the one for upper limits of a signal that is not negative (q-tilde);
    bands are those of data without a signal.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    Limit

    Raises
    ------
    SpecError
        The level is none.
    DataError
        The workspace is not one, a fit does not converge, or a limit is beyond the range of the
        parameter.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(2, 0, 2, name="x")
    >>> described = hep.workspace(
    ...     {
    ...         ("new", "4j"): hep.fill([1.5] * 100, axis, weight=[0.1] * 100),
    ...         ("other", "4j"): hep.fill([0.5] * 900 + [1.5] * 100, axis),
    ...         ("data", "4j"): hep.fill([0.5] * 890 + [1.5] * 104, axis),
    ...     },
    ...     signal="new",
    ... )
    >>> found = hep.limit(described)
    >>> bool(2 < found.expected[2] < found.observed < found.expected[3] < 5)
    True
    """
    if not 0 < level < 1:
        raise SpecError(f"{level:g} is no confidence level", "limit", "choose 0.95, for one")
    model = compiled(workspace)
    alpha = 1 - level
    with _pyhf(workspace, model) as asked:

        @cache
        def cls(value: float) -> tuple[float, ...]:
            observed, bands = asked.test(value, test_stat="qtilde")
            return (observed, *bands)

        def excess(curve: int, value: float) -> float:
            return cls(value)[curve] - alpha

        end = _end(model, lambda value: max(cls(value)), alpha)
        roots = [_root(partial(excess, curve), end) for curve in range(1 + len(BANDS))]
        tested = {*np.linspace(0, 1.3 * max(roots), POINTS + 1)[1:].tolist()}
        tested |= {*np.linspace(0, 1.3 * max(roots[1:]), POINTS + 1)[1:].tolist()}
        values = np.array(sorted(tested))
        curves = np.array([cls(value) for value in values.tolist()])
    expected = np.array(roots[1:])
    name = model.names[model.poi]
    return Limit(name, level, roots[0], expected, values, curves[:, 0], curves[:, 1:])


def significance(workspace: Mapping[str, Any]) -> Significance:
    """Test the hypothesis that there is no signal.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf; the expected significance is that of a parameter of
        interest of 1.

    Returns
    -------
    Significance

    Raises
    ------
    DataError
        The workspace is not one, or a fit does not converge.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(1, 0, 1, name="x")
    >>> described = hep.workspace(
    ...     {
    ...         ("new", "4j"): hep.fill([0.5] * 1_000, axis, weight=[0.03] * 1_000),
    ...         ("other", "4j"): hep.fill([0.5] * 1_000, axis, weight=[0.1] * 1_000),
    ...         ("data", "4j"): hep.fill([0.5] * 130, axis),
    ...     },
    ...     signal="new",
    ... )
    >>> 2.5 < hep.significance(described).z < 2.9
    True
    """
    model = compiled(workspace)
    with _pyhf(workspace, model) as asked:
        observed, bands = asked.test(0.0, test_stat="q0")
    name, p, expected = model.names[model.poi], observed, bands[2]
    return Significance(name, p, float(norm.isf(p)), expected, float(norm.isf(expected)))


@dataclass(frozen=True)
class _Asked:
    """pyhf with our likelihood."""

    pyhf: Any
    model: Any
    data: Floats

    def test(self, value: float, *, test_stat: str) -> tuple[float, tuple[float, ...]]:
        """The observed and the five expected probabilities at a value."""
        observed, bands = self.pyhf.infer.hypotest(
            value, self.data, self.model, test_stat=test_stat, return_expected_set=True
        )
        return float(observed), tuple(float(band) for band in bands)


@contextmanager
def _pyhf(workspace: Mapping[str, Any], model: Model) -> Iterator[_Asked]:
    """Let pyhf have our own minimiser in the place of its own, for a while."""
    pyhf, theirs, data = pyhf_model(workspace)
    before = pyhf.get_backend()
    with quiet():
        try:
            pyhf.set_backend("numpy", _OurFits(model, _shared(theirs, model)))
            yield _Asked(pyhf, theirs, data)
        finally:
            pyhf.set_backend(*before)


@dataclass(frozen=True)
class _Shared:
    """Where pyhf's parameters and numbers stand in ours.

    Attributes
    ----------
    parameters : ndarray of int, shape (n_parameters,)
        Of ours, in pyhf's order.
    centres : ndarray of int
        Of ours, in the order of pyhf's auxiliary data.
    bins : ndarray of int, shape (n_bins,)
        Of pyhf's data, in our order.
    """

    parameters: NDArray[np.int64]
    centres: NDArray[np.int64]
    bins: NDArray[np.int64]


def _shared(theirs: Any, model: Model) -> _Shared:
    indices = {name: np.arange(len(model.names))[where] for name, where in model.sets.items()}
    slices = theirs.config.channel_slices
    bins, none = np.arange(sum(theirs.config.channel_nbins.values())), np.arange(0)
    return _Shared(
        np.concatenate([indices[name] for name in theirs.config.par_order]),
        np.concatenate([none, *(indices[name] for name in theirs.config.auxdata_order)]),
        np.concatenate([bins[slices[region]] for region in model.regions]),
    )


@dataclass(frozen=True)
class _OurFits:
    """A minimiser as pyhf takes one, of our likelihood."""

    model: Model
    shared: _Shared
    name: str = "spectrum"

    def minimize(
        self,
        _objective: Any,
        data: Any,
        _pdf: Any,
        init_pars: Any,
        _par_bounds: Any,
        fixed_vals: Any = None,
        **asked: Any,
    ) -> Any:
        """The best fit of all parameters that are not fixed, and what else is asked for."""
        model, shared = self.model, self.shared
        numbers = np.asarray(data, np.float64)
        main = numbers[: len(shared.bins)][shared.bins]
        centre = np.array(model.centre)
        centre[shared.centres] = numbers[len(shared.bins) :]
        start = np.empty(len(model.names))
        start[shared.parameters] = init_pars
        held = {int(shared.parameters[index]): float(v) for index, v in fixed_vals or ()}
        at = found(minimum(model, data=main, centre=centre, start=start, held=held), "limit")
        twice_nll = 2 * (at.distance + model.constant(main, centre))
        fitted = at.values[shared.parameters]
        return (fitted, twice_nll) if asked.get("return_fitted_val") else fitted


def _end(model: Model, largest: Callable[[float], float], alpha: float) -> float:
    """A value beyond all limits: of the parameter of interest, where all CLs are small."""
    best = float(found(minimum(model)).values[model.poi])
    most = float(model.arrays.parameters[HIGH, model.poi])
    end = min(max(1.2 * best, 1e-3 * most), most)
    while largest(end) > alpha / 2:
        if end >= most and largest(end) > alpha:
            name = model.names[model.poi]
            message = f"a limit is beyond {most:g}, the end of the range of {name}"
            remedy = "let the signal's cross section be larger, or give the range in the workspace"
            farthest = _farthest(model)
            if farthest == 0:
                message += ": no bin has any signal"
                remedy = "see which cut removes it, in the cut flow"
            elif farthest <= (norm.isf(alpha * norm.cdf(BANDS[-1])) + BANDS[-1]) ** 2:
                message += ": the simulation's errors in the bins of the signal take in any signal"
                remedy = "generate more events, or merge bins (rebin)"
            raise DataError(message, "limit", remedy)
        if end >= most:
            break
        end = min(1.4 * end, most)
    return end


def _farthest(model: Model) -> float:
    """The most that the test statistic can reach, however large the signal.

    A bin's factor of the simulation's statistics of width σ may fall to 0, which costs 1/σ², and
    takes the signal with it; infinite where there is a bin of the signal without such a factor.
    """
    arrays, costs = model.arrays, dict[int, float]()
    for template, after in pairwise(arrays.templates):
        if model.poi not in arrays.factor_of[template[FACTORS] : after[FACTORS]]:
            continue
        gammas = arrays.gamma_of[template[GAMMAS] : after[GAMMAS]]
        content = arrays.content[template[BEGIN] : template[BEGIN] + template[SIZE]]
        for k in np.flatnonzero(content > 0):
            own = [p for p in gammas + k if arrays.constraint[p] == GAUSSIAN and not model.fixed[p]]
            widths = [float(arrays.parameters[WIDTH, p]) for p in own]
            cost = min((width**-2 for width in widths if width > 0), default=np.inf)
            costs[template[BIN] + k] = max(cost, costs.get(template[BIN] + k, 0.0))
    return float(sum(costs.values()))


def _root(excess: Callable[[float], float], end: float) -> float:
    """Where CLs falls to the level; it is 1 at zero."""
    begin = end
    while excess(begin) < 0 and begin > 1e-6 * end:
        end, begin = begin, begin / 2
    return float(brentq(excess, begin, end, rtol=PRECISION))
