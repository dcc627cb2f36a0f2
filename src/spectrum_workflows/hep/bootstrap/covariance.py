"""Covariance of bins over the replicas of a result: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.spec.fit_check import simulated
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.hep.types import HepResult

MOST_BINS = 10_000
"""Of a covariance matrix, which has 800 MB then."""


@dataclass(frozen=True)
class ReplicatedBins:
    """Bins of some histograms, one after the other, under every replica.

    Attributes
    ----------
    samples : tuple of str
        Whose sum they are.
    histograms : tuple of str, one for each bin
    places : tuple of tuple of int, one for each bin
        Along each axis, counted from 0; -1 is the underflow.
    values : ndarray, shape (n_bins, n_replicas)
        Sums of weights, or means of a profile.
    """

    samples: tuple[str, ...]
    histograms: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]
    values: NDArray[np.float64]

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of every bin: ``4j1b/3``, ``4j1b/3,0``."""
        both = zip(self.histograms, self.places, strict=True)
        return tuple(f"{name}/{','.join(map(str, place))}" for name, place in both)

    @property
    def without_mean(self) -> int:
        """Bins of profiles that have no mean in some replica."""
        return int(np.count_nonzero(np.isnan(self.values).any(axis=1)))

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Estimated without bias; shape (n_bins, n_bins).

        NaN where a profile has no mean in some replica, as none of its entries is drawn.

        Raises
        ------
        SpecError
            There are too many bins.
        """
        if len(self.histograms) > MOST_BINS:
            where = ", ".join(dict.fromkeys(self.histograms))
            message = f"the matrix would have {len(self.histograms)} bins, at most {MOST_BINS}"
            raise SpecError(message, where, "name fewer histograms, or those with fewer bins")
        away = self.values - self.values.mean(axis=1, keepdims=True)
        matrix: NDArray[np.float64] = away @ away.T / (away.shape[1] - 1)
        return matrix

    @property
    def correlation(self) -> NDArray[np.float64]:
        """The same over the errors of both bins; NaN where a bin never changes."""
        matrix = self.covariance
        errors = np.sqrt(np.diag(matrix))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: NDArray[np.float64] = matrix / errors[:, None] / errors
        return ratio


def replicated_bins(
    result: HepResult,
    samples: str | Sequence[str] | None,
    histograms: str | Sequence[str] | None,
    *,
    flow: bool,
) -> ReplicatedBins:
    """Bins of histograms under every replica; see `io.covariance.covariance`."""
    if not result.replicas:
        remedy = "add [bootstrap] with replicas = 100 to the spec, and run it again"
        raise SpecError("the result has no replicas", result.spec.name, remedy)
    whose = _chosen(samples, list(result.spec.samples), "samples", _all_samples(result))
    replicated = list(dict.fromkeys(name for _, name in result.replicas))
    names = _chosen(histograms, replicated, "histograms", replicated)
    own: list[str] = []
    places: list[tuple[int, ...]] = []
    values: list[NDArray[np.float64]] = []
    for name in names:
        inside = inside_of(result, name, flow=flow)
        of_bins = bins_of(result, whose, name, inside)
        shape = of_bins.shape[:-1]
        starts = [s.start for s in inside]
        traits = [axis.traits for axis in result.histograms[whose[0], name].axes]
        for place in np.ndindex(shape):
            counted = zip(place, starts, traits, strict=True)
            places.append(tuple(k + start - t.underflow for k, start, t in counted))
            own.append(name)
        values.append(of_bins.reshape(-1, of_bins.shape[-1]))
    return ReplicatedBins(tuple(whose), tuple(own), tuple(places), np.concatenate(values))


def bins_of(
    result: HepResult, samples: Sequence[str], name: str, inside: tuple[slice, ...]
) -> NDArray[np.float64]:
    """Bins of one histogram of some samples together, the replicas last; of a profile means."""
    total = np.sum([result.replicas[sample, name] for sample in samples], axis=0)
    if not result.spec.histograms[name].profile:
        of_bins: NDArray[np.float64] = total[inside]
        return of_bins
    sums, weighted = total[..., 0, :][inside], total[..., 1, :][inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums != 0, weighted / sums, np.nan)


def _all_samples(result: HepResult) -> list[str]:
    """All simulated samples that vary no other; where there are none, data."""
    return list(simulated(result.spec)) or list(result.spec.samples)


def inside_of(result: HepResult, name: str, *, flow: bool) -> tuple[slice, ...]:
    """Which of the bins of a histogram are taken."""
    return tuple(
        slice(0, axis.extent)
        if flow
        else slice(int(axis.traits.underflow), int(axis.traits.underflow) + axis.size)
        for axis in result.histograms[next(iter(result.spec.samples)), name].axes
    )


def _chosen(
    asked: str | Sequence[str] | None, known: list[str], where: str, default: list[str]
) -> list[str]:
    """Names that are asked for, each once.

    Raises
    ------
    SpecError
        What is asked for is no name; there is no such one, it is there twice, or none is.
    """
    if asked is None:
        return default
    if not isinstance(asked, Iterable):
        raise SpecError(f"{asked!r} is no name", where, closest("", known))
    names = [asked] if isinstance(asked, str) else list(asked)
    if not names:
        raise SpecError("none is named", where, "name one, or leave it out")
    for k, name in enumerate(names):
        if name not in known:
            kind = where.removesuffix("s")
            message = f"there are no replicas of the {kind} {name!r}"
            raise SpecError(message, where, closest(str(name), known))
        if name in names[:k]:
            raise SpecError(f"{name!r} is there twice", where, "name it once")
    return names
