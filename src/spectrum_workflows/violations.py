"""A rule that a run breaks, in a line: the figure, the limit, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from spectrum_workflows.credentials import hidden


@dataclass(frozen=True)
class Violation:
    """A rule that a run breaks.

    Attributes
    ----------
    rule : str
        The key that states it.
    stated_by : str
        The profile or catalogue entry with that key.
    figure : str
        What the run would take or do.
    allowed : str
        What is allowed.
    remedy : str
        What to do about it.
    """

    rule: str
    stated_by: str
    figure: str
    allowed: str
    remedy: str

    def __post_init__(self) -> None:
        for name in ("stated_by", "figure", "allowed", "remedy"):
            object.__setattr__(self, name, hidden(" ".join(getattr(self, name).split())))

    def __str__(self) -> str:
        allowed = f"allowed: {self.allowed} ({self.stated_by})"
        return f"{self.rule}: {self.figure}; {allowed}; {self.remedy}"

    @property
    def table(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
