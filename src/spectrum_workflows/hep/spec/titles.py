"""Names of histograms under systematic variations."""

from __future__ import annotations

from collections.abc import Iterable


def titles_of(histograms: Iterable[str], variations: Iterable[str]) -> dict[tuple[str, str], str]:
    """One name for each pair of histogram and variation, all different.

    It is ``histogram_variation``, with more underscores where another
    histogram has that name; without a variation, the histogram's own.
    """
    names, varied = list(histograms), list(dict.fromkeys(variations))
    out = {(name, ""): name for name in names}
    taken = set(names)
    for name in names:
        for variation in varied:
            between = "_"
            while name + between + variation in taken:
                between += "_"
            out[name, variation] = name + between + variation
            taken.add(out[name, variation])
    return out
