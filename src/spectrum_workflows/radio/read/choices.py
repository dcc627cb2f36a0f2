"""The spec's choices in a set that holds several of a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence


def chosen(asked: int | None, present: Sequence[int], key: str, url: str) -> int:
    """The number the spec gives, or the only one there is."""
    listed = ", ".join(map(str, present))
    if asked is None and len(present) > 1:
        raise SpecError(f"the set holds several of them ({listed})", url, f"choose one: {key} = N")
    if asked is not None and asked not in present:
        raise SpecError(f"{key} {asked} is not in the set", url, f"it holds {listed}")
    return present[0] if asked is None else asked


def not_corrected() -> str:
    """The warning for a set whose calibrated column is not imaged."""
    other = 'column = "CORRECTED_DATA" images the calibrated data'
    return f"the set has CORRECTED_DATA too, and DATA is imaged: {other}"
