"""Systematic variations of the ttbar selection: which there are, and their weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    variations: Sequence[str], corrections: Any, leading: NDArray[np.float32]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Weights of selected events under each variation.

    Parameters
    ----------
    variations : sequence of str
        Keys of `WEIGHTED`.
    corrections : correctionlib.CorrectionSet
        Holds `CORRECTION`.
    leading : ndarray, shape (n_selected, 4)
        pt in GeV of the first four jets of each event.
    """
    for name in variations:
        systematic, direction, jet = WEIGHTED[name]
        pt = leading[:, jet].astype(np.float64)
        yield name, corrections[CORRECTION].evaluate(systematic, direction, pt)
