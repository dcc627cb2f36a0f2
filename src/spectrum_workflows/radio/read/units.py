"""Units and epochs in which sets give their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrum_workflows.errors import DataError

UNIX_EPOCH = 40_587 * 86_400
"""1970-01-01 as MJD seconds: MSv4 counts time from there."""


def units_factor(units: Any, unit: str, subject: str, url: str) -> float:
    """The factor that brings values in some units, all alike, to another."""
    given = {str(word) for word in np.ravel(units)} - {""}
    if given <= {unit}:
        return 1.0
    from astropy import units as known

    try:
        [word] = given
        return float(known.Unit(word).to(unit))
    except ValueError:  # unknown, of another kind, or several
        names = ", ".join(sorted(given))
        message = f"{subject} is in {names}, not in {unit}"
        raise DataError(message, url, f"give it in {unit}") from None
