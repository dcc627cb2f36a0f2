"""Partitions, the plan they make, and what of it failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from spectrum_workflows.credentials import hidden
from spectrum_workflows.stages import Forecast

OnError = Literal["raise", "keep"]
"""Stop at the first partition that fails, or finish the others."""

Report = Callable[[str, int, int], None]
"""``report(stage, done, total)``: called as partitions finish."""


class Partition(Protocol):
    """A small frozen value that names one piece of the input.

    One that also has ``source``, the name of what must be opened to read it,
    is computed beside its neighbours where that costs no time.  One that also has
    ``halves()``, two partitions that together are this one, or none where it is not to be
    cut, is narrowed down when it fails (`engine.narrowing`).
    """

    @property
    def size(self) -> int:
        """Entries in this partition: whatever its science counts."""

    @property
    def where(self) -> str:
        """The partition in words, for people: file and range.  No two share them."""


@dataclass(frozen=True)
class Failure:
    """Input or partition that could not be planned or computed: a value, never a silence.

    Attributes
    ----------
    where : str
        The file, set or partition in words.
    size : int
        Entries that are missing for it; 0 where nobody knows.
    error : str
        What went wrong.
    attempts : int
        How often it was tried.
    traceback : str
        The lines of the user's own code it came from, if it did.
    group : str
        Which sample or set of the spec an input belongs to; empty where that is not said.
    """

    where: str
    size: int
    error: str
    attempts: int
    traceback: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        for name in ("where", "error", "traceback"):  # an error may quote a signed link
            object.__setattr__(self, name, hidden(getattr(self, name)))


@dataclass(frozen=True)
class Volume:
    """Bytes that a whole run is going to read, or to write.

    Attributes
    ----------
    expected : int or None
        All passes and openings together; ``None`` where only a bound is known.
    at_most : int or None
        Upper bound; ``None`` where none is known.
    basis : str
        What it follows from, or why it is not known.
    """

    expected: int | None
    at_most: int | None
    basis: str


@dataclass(frozen=True, repr=False)
class Plan:
    """Plan of a run, known before anything is computed.

    Attributes
    ----------
    partitions : tuple of Partition
        In the order in which their results are merged.
    bytes_to_read : int
        Compressed bytes, as stored, of one pass over the data.
    largest_memory : int
        Estimated bytes needed by the largest process: a worker at its largest task, or the
        session, where that has the result and writes it.
    warnings : tuple of str
        What the user should know before running.
    inputs : tuple of (str, str)
        URL and content identity of every input, as far as known.  Where a science says
        nothing, what `storage` tells of its ``inputs``.
    code : str
        Digest of all code that decides the result (`code_identity`).  Where a science says
        nothing else, it is of the science's package; one that runs code of the user's adds it.
    stages : tuple of Forecast
        What the run's stages will do, as far as that can be told.
    data_bytes : int
        Size of all inputs, as stored; 0 where it is not known.
    method : str
        How it will be done, in words.
    replicas : tuple of tuple of str
        All URLs of each input that was found by the name of a data set, the one that is read
        first first.
    published : tuple of str
        URLs of inputs whose identity is of all their content, by a published checksum or by one
        of their own: it is known wherever they lie.
    failures : tuple of Failure
        Inputs that could not be inspected, where a run goes on without them
        (``on_error="keep"``).
    one_site : str
        Why one of several sites must compute all of it; empty where they may share it.
    read, written : Volume or None
        Bytes that the whole run will read, and that its result will have; ``None`` where the
        science does not say.  What a file costs to open depends on what is open: plans that
        differ in nothing else are the same.
    repeats : int or None
        How often at most the stages are repeated that are called a cycle; ``None`` where the
        stages are not all that is done.
    """

    partitions: tuple[Partition, ...]
    bytes_to_read: int
    largest_memory: int
    warnings: tuple[str, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()
    code: str = ""
    stages: tuple[Forecast, ...] = ()
    data_bytes: int = 0
    method: str = ""
    failures: tuple[Failure, ...] = ()
    replicas: tuple[tuple[str, ...], ...] = ()
    published: tuple[str, ...] = ()
    one_site: str = ""
    read: Volume | None = field(default=None, compare=False)
    written: Volume | None = field(default=None, compare=False)
    repeats: int | None = None

    def __repr__(self) -> str:
        return f"<Plan of {len(self.partitions):,} partitions, {self.size:,} entries>"

    @property
    def size(self) -> int:
        """Entries in all partitions."""
        return sum(p.size for p in self.partitions)


def fraction_done(plan: Plan, failures: Iterable[Failure]) -> float:
    """Share of the input's entries that a result holds, as far as it is known."""
    lost = sum(f.size for f in failures)
    known = plan.size + sum(f.size for f in plan.failures)
    return 1.0 - lost / known if known else 1.0


def completeness(fraction: float, sizes: Iterable[int]) -> str:
    """A partial result's share of the input in words.

    Parameters
    ----------
    fraction : float
        From `fraction_done`.
    sizes : iterable of int
        Entries of everything that is missing; 0 where nobody could count them.
    """
    uncounted = sum(size == 0 for size in sizes)
    if not uncounted:
        return f"PARTIAL: {fraction:.4%} of the input"
    inputs = "1 input" if uncounted == 1 else f"{uncounted} inputs"
    return f"PARTIAL: {fraction:.4%} of what could be counted; nothing of {inputs} of unknown size"
