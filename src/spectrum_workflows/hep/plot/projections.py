"""Projections of histograms of several axes: what is drawn of them."""

from __future__ import annotations

from dataclasses import replace

import hist

from spectrum_workflows.hep import profiles
from spectrum_workflows.hep.spec.axes import AXIS_NAMES
from spectrum_workflows.hep.types import HepResult


def projected(result: HepResult, name: str, k: int) -> HepResult:
    """The result with one histogram, and its variations, projected on one of its axes.

    Summed is over all bins of the other axes, flow bins included, as ``hist`` does.
    """
    spec = result.spec
    alone = spec.histograms[name].alone(name, k)
    titles = {(s, title) for s in spec.samples for title, of in spec.templates_of(s) if of == name}
    histograms = {
        key: _projected(h, k) if key in titles else h for key, h in result.histograms.items()
    }
    changed = spec.model_copy(update={"histograms": {**spec.histograms, name: alone}})
    return replace(result, spec=changed, histograms=histograms)


def _projected(h: hist.Hist, k: int) -> hist.Hist:
    return profiles.projected(h, k) if profiles.is_profile(h) else h.project(AXIS_NAMES[k])
