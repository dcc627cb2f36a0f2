"""Fills of what a selection returned, as a run fills it: checked before."""

from collections.abc import Mapping
from typing import Any

from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.select.observables import check_regions
from spectrum_workflows.hep.spec.axes import HistogramSpec
from spectrum_workflows.hep.types import Filled


def filled(
    sample: str,
    returned: Any,
    histograms: Mapping[str, HistogramSpec],
    *,
    seen: int | None = None,
    **options: Any,
) -> Filled:
    """Check and fill."""
    regions = check_regions(returned, seen=seen, text=histogram.texts(histograms))
    return histogram.filled(sample, regions, histograms, seen=seen, **options)
