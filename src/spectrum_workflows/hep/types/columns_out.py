"""Columns of selected events that a run has written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ColumnFile:
    """One file of columns, of one partition.

    Attributes
    ----------
    sample, name : str
        Whose events these are, and the file's name below the folder.
    events, nbytes : int
        Events in it, and its size.
    sha256 : str
        Of its content.
    processed : int
        Events that were looked at.
    sum_of_weights : float
        Of the generator, that these stand for; their number where it is not asked for.
    """

    sample: str
    name: str
    events: int
    nbytes: int
    sha256: str
    processed: int
    sum_of_weights: float


@dataclass(frozen=True)
class ColumnsWritten:
    """All files of columns of a run.

    Attributes
    ----------
    folder : str
        URL.
    files : int
    events : int
        In all of them.
    """

    folder: str
    files: int
    events: int
