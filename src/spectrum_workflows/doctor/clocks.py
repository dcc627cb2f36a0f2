"""Clocks of session, nodes and stores: whether they agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spectrum_workflows.findings import Finding, doubt, fault, fine

MOST = 300.0
"""Seconds that Kerberos allows, and most makers of tokens; S3 refuses after 900."""
NOTED = 5.0
REMEDY = "have the clocks set (NTP, chrony): tokens, proxies and signed requests are refused"


@dataclass(frozen=True)
class Reading:
    """Another clock against the session's.

    Attributes
    ----------
    name : str
        Whose it is.
    offset : float
        Seconds by which it is ahead.
    uncertainty : float
        Seconds by which that may be wrong.
    """

    name: str
    offset: float
    uncertainty: float = 0.0

    @property
    def least(self) -> float:
        """Seconds by which the clocks differ for certain."""
        return max(0.0, abs(self.offset) - self.uncertainty)


def compared(readings: Iterable[Reading]) -> list[Finding]:
    """A finding for each clock."""
    return [_judged(one) for one in readings]


def _judged(reading: Reading) -> Finding:
    side = "ahead of" if reading.offset > 0 else "behind"
    expected = f"within {NOTED:g} s of the session's"
    if reading.least <= NOTED:
        return fine("clock", f"that of {reading.name} agrees with the session's", expected)
    judge = fault if reading.least > MOST else doubt
    line = f"that of {reading.name} is {abs(reading.offset):,.0f} s {side} the session's"
    return judge("clock", line, expected, REMEDY)
