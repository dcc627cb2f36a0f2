"""Units of visibilities."""

from __future__ import annotations


def of_units(unit: str) -> tuple[str, ...]:
    """A warning where visibilities are not flux densities."""
    if unit.upper() in ("", "JY"):
        return ()
    return (f"its visibilities are in {unit!r}: what the image calls Jy is that",)
