"""Systematic variations of the ttbar selection: which there are, and their weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.errors import SpecError
from spectrum_workflows.specs import closest

KINEMATIC = {"pt_scale_up": 1, "pt_res_up": 2}
"""Variations that redo the selection, and the kind of jets they take."""

CORRECTION = "event_weight"
"""What the correctionlib file must hold: a weight of systematic, direction and jet pt."""

DIRECTIONS = ("up", "down")
WEIGHTED = {
    **{f"btag_var_{i}_{d}": ("btag_var", d, i) for i in range(4) for d in DIRECTIONS},
    **{f"scale_var_{d}": ("scale_var", d, 0) for d in DIRECTIONS},
}
"""Variations that only weight events: systematic, direction and which jet's pt decides."""


def checked(variations: Sequence[str], corrections: Any) -> tuple[list[str], list[str]]:
    """Kinematic variations and weight variations among those asked for.

    Raises
    ------
    SpecError
        One is unknown, or weights are asked for without their correction.
    """
    for name in variations:
        if name not in KINEMATIC and name not in WEIGHTED:
            known = [*KINEMATIC, *WEIGHTED]
            raise SpecError(f"no variation {name!r}", "variations", closest(name, known))
    weighted = [name for name in variations if name in WEIGHTED]
    if weighted and (corrections is None or CORRECTION not in corrections):
        raise SpecError(
            f"{weighted[0]} needs a correction {CORRECTION!r}",
            "corrections",
            "name a correctionlib file that holds it",
        )
    return [name for name in variations if name in KINEMATIC], weighted


def varied_weights(
    variations: Sequence[str], correction: Any, leading: NDArray[np.float32]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Weights of selected events under each variation.

    Parameters
    ----------
    variations : sequence of str
        Keys of `WEIGHTED`.
    correction : correctionlib.Correction
        `CORRECTION`; the same object for all regions, which is then asked once.
    leading : ndarray, shape (n_selected, 4)
        pt in GeV of the first four jets of each event.
    """
    pts = leading.T.astype(np.float64)
    for name in variations:
        systematic, direction, jet = WEIGHTED[name]
        line = _line(correction, systematic, direction)
        if line is None:
            yield name, correction.evaluate(systematic, direction, pts[jet])
        else:
            yield name, line[0] + line[1] * pts[jet]


@lru_cache(maxsize=64)
def _line(correction: Any, systematic: str, direction: str) -> tuple[float, float] | None:
    """Value at 0 and slope in pt, if the correction is a straight line; else ``None``.

    correctionlib takes 50 ns for a formula, which is more than the selection
    takes for a jet; so its numbers are asked for once, at many pt.
    """
    pt = np.concatenate([np.linspace(1.0, 500.0, 101), np.geomspace(501.0, 20_000.0, 40)])
    weight = correction.evaluate(systematic, direction, pt)
    slope = float((weight[-1] - weight[0]) / (pt[-1] - pt[0]))
    start = float(weight[0] - slope * pt[0])
    straight = np.allclose(start + slope * pt, weight, rtol=1e-13, atol=1e-13)
    return (start, slope) if straight else None
