"""A finding: what was looked at, what there is, what should be, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from spectrum_workflows.credentials import hidden
from spectrum_workflows.errors import SpectrumError

Status = Literal["fine", "doubt", "fault"]
"""Work starts; it starts, and may not go as expected; it would not start."""

SESSION = "session"
"""Where a finding is from, unless it is from a node."""


@dataclass(frozen=True)
class Finding:
    """One line of an examination, without secrets.

    Attributes
    ----------
    subject : str
        What was looked at, in a word or two.
    status : str
        ``fine``, ``doubt`` or ``fault``; a fault keeps work from starting.
    found, expected : str
        What there is, and what should be.
    remedy : str
        What to do about it; empty where all is well.
    where : str
        ``session``, or ``node NAME``.
    site : str
        Of a federation, the site that it is about; empty for all of them, and for a single site.
    """

    subject: str
    status: Status
    found: str
    expected: str = ""
    remedy: str = ""
    where: str = SESSION
    site: str = ""

    def __post_init__(self) -> None:
        for name in ("found", "expected", "remedy"):
            object.__setattr__(self, name, hidden(" ".join(getattr(self, name).split())))

    def __str__(self) -> str:
        line = f"{self.site and f'{self.site}, '}{self.subject}: {self.found}"
        if self.status == "fine":
            return line
        parts = (line, self.expected and f"expected {self.expected}", self.remedy)
        return "; ".join(part for part in parts if part)

    def at(self, where: str) -> Finding:
        """The same from somewhere else."""
        return replace(self, where=where)

    def of(self, site: str) -> Finding:
        """The same of one of several sites."""
        return replace(self, site=site)


def fine(subject: str, found: str, expected: str = "") -> Finding:
    """A finding that all is well."""
    return Finding(subject, "fine", found, expected)


def doubt(subject: str, found: str, expected: str, remedy: str) -> Finding:
    """A finding that lets work start, and should be known."""
    return Finding(subject, "doubt", found, expected, remedy)


def fault(subject: str, found: str, expected: str, remedy: str) -> Finding:
    """A finding that keeps work from starting."""
    return Finding(subject, "fault", found, expected, remedy)


def failed(subject: str, error: BaseException, expected: str, remedy: str = "") -> Finding:
    """The finding that something did not work, in the error's own words."""
    if isinstance(error, SpectrumError):
        place = f"{error.where}: " if error.where else ""
        return fault(subject, f"{place}{error.what}", expected, error.remedy or remedy)
    strerror = getattr(error, "strerror", None)
    return fault(subject, strerror or f"{type(error).__name__}: {error}", expected, remedy)
