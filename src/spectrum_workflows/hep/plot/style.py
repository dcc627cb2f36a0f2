"""Colours and fonts of the pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import mplhep

from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.axes import Axis

COLOURS = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)
"""Petroff's sequence for stacked plots (arXiv:2107.02270)."""

LETTERS, ROWS = 52, 25
"""That fit below a panel, beside one another, and to the left of it, one below the other."""

GAP = 2
"""Letters between two names."""


@contextmanager
def styled() -> Iterator[None]:
    """Draw as CMS does, in a size that fits a page."""
    small: dict[Any, Any] = {
        "font.size": 15,
        "axes.labelsize": "medium",
        "legend.fontsize": "small",
        "mathtext.fontset": "dejavusans",
    }
    with mpl.rc_context():
        mplhep.style.use(mplhep.style.CMS)
        mpl.rcParams.update(small)
        yield


def colour(spec: HepSpec, sample: str) -> str:
    """Colour of a sample: the same in every picture of a spec."""
    drawn = [n for n in spec.nominal_samples if not spec.samples[n].data]
    return COLOURS[drawn.index(sample) % len(COLOURS)]


def title(spec: HepSpec, sample: str) -> str:
    """Name of a sample in legends."""
    return spec.samples[sample].label or sample


def per_bin(label: str, width: float) -> str:
    """Label of the axis of contents, with the unit of the observable."""
    unit = re.search(r"\[(.+)\]", label)
    if unit is None and width == 1:
        return "Events / bin"
    return f"Events / {width:.3g} {unit[1]}" if unit else f"Events / {width:.3g}"


def categories(drawn: Any, axis: Axis) -> None:
    """Name the bins of an axis of categories, or the numbers of one of integers, at their centres.

    Numbers are left out where they would not fit beside one another; long names are turned.
    """
    if not (axis.categories or axis.integer):
        return
    across = drawn.axis_name == "x"
    start, style = int(axis.start), dict[str, Any](fontsize="small", parse_math=False)
    if axis.categories:
        numbers, names = list(range(start, start + axis.bins)), [str(c) for c in axis.categories]
        if across and len(names) * (max(map(len, names)) + GAP) > LETTERS:
            style |= {"rotation": 90}
        if axis.bins > ROWS and (not across or "rotation" in style):
            style |= {"fontsize": 10 * ROWS / axis.bins}
    else:
        every = _every(start, axis.bins, across=across)
        numbers = list(range(start + -start % every, start + axis.bins, every))
        names = [str(number) for number in numbers]
    drawn.set_ticks([number + 0.5 for number in numbers], names, **style)
    drawn.set_tick_params(which="minor", length=0)


def _every(start: int, bins: int, *, across: bool) -> int:
    """Of whole numbers one in so many is written: 1, 2, 5, 10, 20 and so on."""
    longest = max(len(str(start)), len(str(start + bins - 1))) + GAP
    most = max(LETTERS // longest, 2) if across else ROWS
    powers: list[int] = [10**power for power in range(len(str(bins)) + 1)]
    return next(step * p for p in powers for step in (1, 2, 5) if bins <= most * step * p)


def luminosity(spec: HepSpec) -> str:
    """Luminosity and energy in words; no luminosity where nothing is scaled to it."""
    energy = f"({spec.energy:g} TeV)" if spec.energy else ""
    luminosity = spec.total_luminosity
    if not luminosity or spec.normalisation == "none":
        return energy
    large = luminosity >= 100
    size = f"{luminosity / 1000:.3g} fb" if large else f"{luminosity:.3g} pb"
    return f"{size}$^{{-1}}$ {energy}".strip()
