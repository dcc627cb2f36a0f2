"""Byte ranges that share a request: a rule over numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

GAP = 32 * 1024
"""Bytes between two ranges that cost less to read than one more request."""
WASTE = 0.05
"""Such bytes are read up to this fraction of what is wanted."""
LARGEST = 16 << 20
"""Bytes of a shared request, unless one range alone is larger."""


def joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans to read so that every range lies in one of them.

    Overlapping and touching ranges are joined.  The smallest gaps are bridged
    as long as all bridged bytes stay below `WASTE` of the wanted ones.

    Parameters
    ----------
    ranges : sequence of (start, stop)
        In any order; empty ones are ignored.

    Returns
    -------
    list of (start, stop)
        Rising and disjoint.
    """
    spans = sorted({(start, stop) for start, stop in ranges if stop > start})
    if not spans:
        return []
    solid = _bridged(spans, {0})
    budget = int(WASTE * sum(stop - start for start, stop in solid))
    gaps = sorted({b[0] - a[1] for a, b in pairwise(solid)})
    bridged: set[int] = set()
    for gap in gaps:
        cost = gap * sum(b[0] - a[1] == gap for a, b in pairwise(solid))
        if gap > GAP or cost > budget:
            break
        bridged.add(gap)
        budget -= cost
    return _bridged(solid, bridged, largest=LARGEST)


def _bridged(
    spans: Sequence[tuple[int, int]], gaps: set[int], *, largest: int = 0
) -> list[tuple[int, int]]:
    """Join rising spans that overlap, or whose gap is one of those given."""
    out = [spans[0]]
    for start, stop in spans[1:]:
        last = out[-1]
        gap = start - last[1]
        fits = not largest or stop - last[0] <= largest
        if gap < 0 or (gap in gaps and fits):
            out[-1] = (last[0], max(last[1], stop))
        else:
            out.append((start, stop))
    return out
