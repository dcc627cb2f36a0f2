"""The nouns of the HEP workflow: its partitions, observables and results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import hist
    import numpy as np
    from numpy.typing import NDArray

    from spectrum_workflows.hep.spec import HepSpec


@dataclass(frozen=True)
class Observable:
    """What ``select`` found in one region.

    Attributes
    ----------
    values : ndarray, shape (n_selected,)
        One number per selected event.
    weights : ndarray, shape (n_selected,), optional
        Weight of each of them; 1 if left out.
    """

    values: NDArray[Any]
    weights: NDArray[Any] | None = None


@dataclass(frozen=True)
class Events:
    """A partition: a range of entries of one file, and which file exactly.

    Attributes
    ----------
    sample, url, tree : str
        Where the events belong and where they are.
    start, stop : int
        Entries ``start <= entry < stop``.
    uuid, nbytes
        Identity of the file when the run was planned; empty if it was not opened.
    entries : int, optional
        Entries of the whole file: no event is lost by a wrong number.
    stand_ins : tuple of str
        Columns that the file does not have, and that another stands in for.
    """

    sample: str
    url: str
    tree: str
    start: int
    stop: int
    uuid: str
    nbytes: int
    entries: int | None = None
    stand_ins: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of events."""
        return self.stop - self.start

    @property
    def where(self) -> str:
        """File, tree and entry range in words."""
        return f"{self.url} ({self.tree} entries {self.start} to {self.stop})"


@dataclass(frozen=True)
class Filled:
    """Unnormalised histograms of some partitions.

    Attributes
    ----------
    histograms : mapping of (sample, histogram) to hist.Hist
        Float64 sums of weights and of squared weights, with flow bins.
    selected : mapping of (sample, region) to int
        Events selected.
    events : mapping of sample to int
        Events processed.
    """

    histograms: Mapping[tuple[str, str], hist.Hist]
    selected: Mapping[tuple[str, str], int]
    events: Mapping[str, int]


@dataclass(frozen=True)
class HepResult:
    """Normalised histograms of a run, with what is needed to read them.

    Attributes
    ----------
    spec : HepSpec
        The question.
    histograms, selected, events
        As in `Filled`; the histograms are normalised.
    weights : mapping of sample to float
        The factor each sample was multiplied by.
    """

    spec: HepSpec
    histograms: Mapping[tuple[str, str], hist.Hist]
    selected: Mapping[tuple[str, str], int]
    events: Mapping[str, int]
    weights: Mapping[str, float]

    @cached_property
    def counts(self) -> dict[str, int]:
        """Selected events per region, summed over samples."""
        total: dict[str, int] = {}
        for (_, region), n in self.selected.items():
            total[region] = total.get(region, 0) + n
        return total


@dataclass(frozen=True)
class FitResult:
    """A fitted peak.

    Attributes
    ----------
    model : str
        What was fitted, in words.
    values, errors : mapping of str to float
        Parameters and their standard deviations, in the unit of the axis.
    chi2 : float
        Weighted sum of squared residuals over the bins used.
    ndf : int
        Bins used minus free parameters.
    x, y : ndarray
        The fitted curve: axis values and content per bin, for drawing.
    """

    model: str
    values: Mapping[str, float]
    errors: Mapping[str, float]
    chi2: float
    ndf: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
