"""How far two arrays are apart."""

from __future__ import annotations

from typing import NamedTuple


class Deviation(NamedTuple):
    """How far two arrays are apart, and how far they may be to count as equivalent."""

    found: float
    allowed: float
