"""The deviation of one array from another."""

from __future__ import annotations

from typing import NamedTuple


class Deviation(NamedTuple):
    """Distance between two arrays, and the one up to which they count as equivalent."""

    found: float
    allowed: float
