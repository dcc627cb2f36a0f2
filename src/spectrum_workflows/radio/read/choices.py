"""What of a set the spec chooses, where the set leaves a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence


def chosen(wanted: int | None, present: Sequence[int], key: str, url: str) -> int:
    """The number the spec gives, or the only one there is."""
    listed = ", ".join(map(str, present))
    if wanted is None and len(present) > 1:
        raise SpecError(f"the set holds several of them ({listed})", url, f"choose one: {key} = N")
    if wanted is not None and wanted not in present:
        raise SpecError(f"{key} {wanted} is not in the set", url, f"it holds {listed}")
    return present[0] if wanted is None else wanted


def not_corrected() -> str:
    """The warning for a set whose calibrated column is not imaged."""
    other = 'column = "CORRECTED_DATA" images the calibrated data'
    return f"the set has CORRECTED_DATA too, and DATA is imaged: {other}"
