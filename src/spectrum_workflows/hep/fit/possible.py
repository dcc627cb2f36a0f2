"""Can these histograms be fitted?  What is known only after a run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.spec.fit import FitSpec

Floats = NDArray[np.float64]


def check_region(channel: dict[str, Any], data: list[float], edges: Floats) -> None:
    """Refuse a region whose likelihood is no number.

    Parameters
    ----------
    channel : dict
        Of the workspace.
    data : list of float
        Its observation.
    edges : ndarray, shape (n_bins + 1,)
        For the message.

    Raises
    ------
    DataError
        A content is not finite; data or the expectation is below zero; data
        stands where nothing is expected.
    """
    region = channel["name"]
    check_finite(np.asarray(data), f"fit, data, region {region}")
    expected = np.sum([sample["data"] for sample in channel["samples"]], axis=0)
    for k, (observed, hoped) in enumerate(zip(data, expected, strict=True)):
        where = f"fit, region {region}, bin from {edges[k]:g} to {edges[k + 1]:g}"
        if observed < 0:
            remedy = "leave this bin out (start, stop), or mend the weights of data"
            raise DataError(f"{observed:g} events of data; a fit needs counts", where, remedy)
        if hoped < 0:
            remedy = "merge bins (rebin), or leave this one out (start, stop)"
            raise DataError(f"{hoped:g} events are expected, fewer than none", where, remedy)
        if hoped == 0 and observed > 0:
            remedy = "merge bins (rebin), or leave this one out (start, stop)"
            raise DataError(f"{observed:g} events of data where none is expected", where, remedy)


def check_finite(contents: Floats, where: str) -> None:
    """Refuse contents that are no numbers.

    Raises
    ------
    DataError
        Naming where they are.
    """
    if not np.isfinite(contents).all():
        remedy = "look for weights that are no numbers, or a sample without a positive sum of them"
        raise DataError("there are bins that are not finite", where, remedy)


def check_signal(channels: list[dict[str, Any]], fit: FitSpec) -> None:
    """Refuse a fit of a sample that is not there.

    Raises
    ------
    DataError
        The signal has no events in any region, or fewer than none.
    """
    total = sum(
        sum(sample["data"])
        for channel in channels
        for sample in channel["samples"]
        if sample["name"] == fit.signal
    )
    if total <= 0:
        message = f"the signal has {total:g} events in the fitted bins"
        remedy = "choose regions and bins (start, stop) that hold some, or another signal"
        raise DataError(message, f"fit, {fit.signal}", remedy)


def ratio(varied: Floats, total: float, where: str) -> float:
    """Yield of a template over the nominal one.

    Raises
    ------
    DataError
        The template is empty, negative or not finite.
    """
    events = float(varied.sum())
    check_finite(varied, where)
    if events <= 0:
        fault = "is empty" if not varied.any() else f"has {events:g} events"
        message = f"the template {fault} where the sample has {total:g} events"
        remedy = "limit the systematic's samples, or look at what varies"
        raise DataError(message, where, remedy)
    return float(varied.sum() / total)
