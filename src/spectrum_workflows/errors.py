"""Errors that say what went wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from spectrum_workflows.credentials import hidden
from spectrum_workflows.violations import Violation


class SpectrumError(Exception):
    """Root of every error this package raises on purpose.

    Each concrete error is also the builtin a caller would catch anyway
    (``ValueError``, ``FileNotFoundError``, ...).

    Parameters
    ----------
    what : str
        What went wrong, in the user's words.
    where : str, optional
        The file, key or partition it happened in.
    remedy : str, optional
        What to do about it.

    Attributes
    ----------
    partition : str
        Words of the partition that it came from, where it came from one.

    Notes
    -----
    What is secret in the three texts, whoever wrote them, is hidden.
    """

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        what, where, remedy = (hidden(str(text)) for text in (what, where, remedy))
        super().__init__(what)
        self.what, self.where, self.remedy = what, where, remedy
        self.partition = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.remedy}" if self.remedy else text

    @property
    def lines(self) -> tuple[str, ...]:
        """What a person is told, line by line."""
        return (str(self),)

    def __reduce__(self) -> tuple[Any, ...]:
        travelling = ("__notes__", "partition")
        state = {name: value for name in travelling if (value := getattr(self, name, None))}
        arguments = (self.what, self.where, self.remedy)
        return (type(self), arguments, state) if state else (type(self), arguments)

    def at(self, where: str) -> Self:
        """The same error with another place; its notes stay."""
        other = type(self)(self.what, where, self.remedy)
        for note in getattr(self, "__notes__", ()):
            other.add_note(note)
        return other


class SpecError(SpectrumError, ValueError):
    """A run spec or site profile that cannot be used as written."""


class OtherCodeError(SpecError):
    """Code of this process that is not the code a run was planned with."""


class DataError(SpectrumError, ValueError):
    """Input data that is readable but is not what the run needs."""


class DataNotFoundError(SpectrumError, FileNotFoundError):
    """Input data that is not there."""


class AccessError(SpectrumError, PermissionError):
    """A store, or a file system, that does not let us in."""


class StoreError(SpectrumError, ConnectionError):
    """A store that does not answer, or answers what cannot be used."""


class OutputError(SpectrumError, OSError):
    """Results that cannot be written where they should go."""


class SiteError(SpectrumError, RuntimeError):
    """A site that cannot be reached or does not give workers."""


class PartitionError(SpectrumError, RuntimeError):
    """A partition whose computation failed for a reason of its own."""


class PolicyError(SpectrumError, PermissionError):
    """A run that breaks rules of the site or of its data; nothing of it was queued.

    Parameters
    ----------
    what, where, remedy : str
        As of the root; of the first rule.
    violations : sequence of Violation
        All of them.
    """

    def __init__(
        self, what: str, where: str = "", remedy: str = "", violations: Sequence[Violation] = ()
    ) -> None:
        super().__init__(what, where, remedy)
        self.violations = tuple(violations)

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each rule that is broken."""
        place = f"{self.where}: " if self.where else ""
        return tuple(f"{place}{one}" for one in self.violations) or (super().__str__(),)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __reduce__(self) -> tuple[Any, ...]:
        made, arguments, *state = super().__reduce__()
        return (made, (*arguments, self.violations), *state)

    def at(self, where: str) -> Self:
        """The same error with another place; its notes stay."""
        other = type(self)(self.what, where, self.remedy, self.violations)
        for note in getattr(self, "__notes__", ()):
            other.add_note(note)
        return other


class MissingExtraError(SpectrumError, ImportError):
    """An optional part of the package that is not installed."""
