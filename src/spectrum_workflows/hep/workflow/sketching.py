"""Sketches: the few histograms that those who watch a run see before it is done."""

from __future__ import annotations

from functools import partial
from itertools import islice, product

import hist

from spectrum_workflows.engine import Sketch
from spectrum_workflows.hep.eras import of_era
from spectrum_workflows.hep.exact.histograms import rounded
from spectrum_workflows.hep.histogram import weight_of
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import Filled, PartialHistograms

MOST_SHOWN = 3
"""Histograms that are shown of a run that goes on."""

MOST_BINS = 2000
"""Of one that is shown."""


def sketch(spec: HepSpec) -> Sketch[Filled]:
    """How the histograms of a spec are shown while they are filled."""
    drawn = (
        name
        for name, described in spec.histograms.items()
        if not described.profile
        and len(described.axes(name)) == 1
        and described.axes(name)[0].bins <= MOST_BINS
    )
    names = tuple(islice(drawn, MOST_SHOWN))
    small = partial(smaller, names, spec.normalisation == "genweight")
    return Sketch(small, partial(partial_histograms, spec, names))


def smaller(names: tuple[str, ...], with_files: bool, filled: Filled) -> Filled:
    """The same with a few nominal histograms only, which merge as all do."""
    few = {key: h for key, h in filled.histograms.items() if key[1] in names}
    return Filled(few, {}, filled.events, filled.files if with_files else {})


def partial_histograms(spec: HepSpec, names: tuple[str, ...], filled: Filled) -> PartialHistograms:
    """What is shown of such a fill: normalised by what is processed so far."""
    shown: dict[tuple[str, str], hist.Hist] = {}
    events: dict[str, int] = {}
    for era, own in (spec.era_specs or {"": spec}).items():
        part = of_era(filled, era)
        for sample, n in part.events.items():
            events[sample] = events.get(sample, 0) + n
        for sample, name in product(own.nominal_samples, names):
            if (sample, name) in part.histograms:
                h = rounded(part.histograms[sample, name]) * weight_of(sample, part, own)
                shown[sample, name] = shown[sample, name] + h if (sample, name) in shown else h
    return PartialHistograms(spec, shown, events)
