"""Warnings that a result gives about itself: pure functions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spectrum_workflows.hep.fit.left_out import at_its_ends, left_out
from spectrum_workflows.hep.fit.peak import fit_peaks
from spectrum_workflows.hep.profiles import arrays, effective, loses_digits
from spectrum_workflows.hep.types import HepResult

MOST = 3
"""Names in a line; more are counted."""


def warnings(result: HepResult) -> tuple[str, ...]:
    """Everything that a table, a picture or a file of the result does not show by itself."""
    return tuple(dict.fromkeys(_remarks(result)))


def of_histogram(result: HepResult, name: str) -> tuple[str, ...]:
    """The same of one histogram, short enough to stand in its picture."""
    return tuple(_contents(result, name))


def of_fit(result: HepResult, *regions: str) -> tuple[str, ...]:
    """The same of the likelihood fit: of some regions, or all of it."""
    fit = result.likelihood
    lines = () if isinstance(fit, str) else (*left_out(result, regions), *at_its_ends(fit))
    return tuple(line.removeprefix("fit: ") for line in lines)


def _remarks(result: HepResult) -> Iterator[str]:
    yield from (f"incomplete: {line}" for line in result.missing)
    yield from result.notes
    for region, n in result.counts.items():
        if not n:
            yield f"region {region}: no event is selected in any sample"
    for sample, n in result.events.items():
        if n and any(result.counts.values()) and not _selected(result, sample):
            yield f"{sample}: of {n:,} events none is selected in any region"
    for name in result.spec.histograms:
        yield from (f"histogram {name}: {line}" for line in _contents(result, name))
    for name, peak in fit_peaks(result).items():
        if isinstance(peak, str):
            yield f"histogram {name}: no peak is fitted: {peak}"
    yield from _likelihood(result)


def _selected(result: HepResult, sample: str) -> bool:
    return any(n for (name, _), n in result.selected.items() if name == sample)


def _contents(result: HepResult, name: str) -> Iterator[str]:
    """Contents that are not finite, below zero, or all outside the axis."""
    bad, negative = [], []
    inside, outside = 0.0, 0.0
    if result.spec.histograms[name].profile:
        yield from _means(result, name)
        return
    for sample in result.spec.nominal_samples:
        h = result.histograms[sample, name]
        flow = np.asarray(h.view(flow=True).value)
        if not (np.isfinite(flow).all() and np.isfinite(h.view(flow=True).variance).all()):
            bad.append(sample)
        elif h.values().sum() < 0:
            negative.append(sample)
        inside += float(np.abs(h.values()).sum())
        outside += float(np.abs(flow).sum())
    if bad:
        yield f"not finite in {_few(bad)}"
    if negative:
        yield f"fewer events than none in {_few(negative)}"
    if outside > 0 and inside == 0:
        yield "all events lie outside the axis"


def _means(result: HepResult, name: str) -> Iterator[str]:
    """Means that are not finite, or of entries outside the axes; spreads that rounding made."""
    kept = {sample: result.histograms[sample, name] for sample in result.spec.nominal_samples}
    bad = [s for s, h in kept.items() if not all(np.isfinite(a).all() for a in arrays(h).values())]
    if bad:
        yield f"not finite in {_few(bad)}"
    lost = [sample for sample, h in kept.items() if loses_digits(h)]
    if lost:
        yield f"means so large that the spread has lost digits in {_few(lost)}: subtract an offset"
    entries = sum(float(effective(h, flow=True).sum()) for h in kept.values())
    if entries and not any(effective(h).any() for h in kept.values()):
        yield "all events lie outside the axis"


def _likelihood(result: HepResult) -> Iterator[str]:
    fit = result.likelihood
    if result.spec.fit is None:
        return
    if isinstance(fit, str):
        yield f"no likelihood fit: {fit}"
        return
    yield from left_out(result)
    yield from at_its_ends(fit)
    yield from result.evaluation.reasons


def _few(names: list[str]) -> str:
    more = len(names) - MOST
    return ", ".join(names[:MOST]) + (f" and {more} more" if more > 0 else "")
