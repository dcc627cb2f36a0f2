"""The partition of a science that needs none of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Some neighbouring entries of a file; a whole file, where it is not cut.

    Attributes
    ----------
    url : str
        The file.
    start : int
        Number of the first entry: in the file, or in all files together.
    size : int
        Number of entries.
    """

    url: str
    start: int
    size: int

    @property
    def where(self) -> str:
        """The partition in words."""
        return f"{self.url}, {self.start} to {self.start + self.size}"

    @property
    def source(self) -> str:
        """The file that must be opened: neighbours in one are computed beside each other."""
        return self.url
