"""What was read in the place of an input when its store failed in the middle of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Replica:
    """A copy of an input, read in its place.

    Attributes
    ----------
    planned, url : str
        The input, and what was read.
    version : str
        What its store told of it before it was read; empty where an earlier run read it.
    """

    planned: str
    url: str
    version: str = ""
