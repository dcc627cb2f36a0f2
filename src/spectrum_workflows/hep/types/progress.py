"""A run that goes on: the histograms of the events that are merged so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import hist

    from spectrum_workflows.hep.spec import HepSpec


@dataclass(frozen=True)
class PartialHistograms:
    """The first histograms of a run, of the events that are merged so far.

    Attributes
    ----------
    spec : HepSpec
    histograms : mapping of (sample, histogram) to hist.Hist
        Normalised as the result will be, by what is processed so far of each sample; nominal
        ones of one dimension, the first few of the spec.
    events : mapping of sample to int
        Events processed.
    """

    spec: HepSpec
    histograms: Mapping[tuple[str, str], hist.Hist]
    events: Mapping[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """The histograms that are shown."""
        return tuple(dict.fromkeys(name for _, name in self.histograms))
