"""The words shared by the engine, the front door and every science.

A science ("domain") is a folder that ends in ``DOMAIN = Domain(...)`` and one
line under the entry-point group ``spectrum_workflows.domains``.  Nothing else
in the package knows which sciences exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal, Protocol

from spectrum_workflows.conversion import Converter
from spectrum_workflows.credentials import hidden
from spectrum_workflows.errors import MissingExtraError, SpecError
from spectrum_workflows.stages import Forecast, Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.float64]]

GROUP = "spectrum_workflows.domains"

OnError = Literal["raise", "keep"]
Report = Callable[[str, int, int], None]
"""``report(stage, done, total)``: called as partitions finish."""


class Partition(Protocol):
    """A small frozen value that names one piece of the input.

    One that also has ``source``, the name of what must be opened to read it,
    is computed beside its neighbours where that costs no time.
    """

    @property
    def size(self) -> int:
        """Events or visibilities in this partition."""

    @property
    def where(self) -> str:
        """The partition in words, for people: file and range."""


@dataclass(frozen=True)
class Failure:
    """What could not be planned or computed: a value, never a silence.

    Attributes
    ----------
    where : str
        The file, set or partition in words.
    size : int
        Events or visibilities that are missing for it; 0 where nobody knows.
    error : str
        What went wrong.
    attempts : int
        How often it was tried.
    traceback : str
        The lines of the user's own code it came from, if it did.
    """

    where: str
    size: int
    error: str
    attempts: int
    traceback: str = ""

    def __post_init__(self) -> None:
        for name in ("where", "error", "traceback"):  # an error may quote a signed link
            object.__setattr__(self, name, hidden(getattr(self, name)))


@dataclass(frozen=True, repr=False)
class Plan:
    """What a run is going to do, known before anything is computed.

    Attributes
    ----------
    partitions : tuple of Partition
        In the order in which their results are merged.
    bytes_to_read : int
        Compressed bytes, as stored, of one pass over the data.
    largest_memory : int
        Estimated bytes needed by the largest single task.
    warnings : tuple of str
        What the user should know before running.
    inputs : tuple of (str, str)
        URL and content identity of every input, as far as known.
    code : str
        Digest of all code that decides the result (`code_identity`).  Where a science says
        nothing else, it is of the science's package; one that runs code of the user's adds it.
    stages : tuple of Forecast
        What the run's stages will do, as far as that can be told.
    data_bytes : int
        Size of all inputs, as stored; 0 where it is not known.
    method : str
        How it will be done, in words.
    failures : tuple of Failure
        Inputs that could not be looked into, where a run goes on without them
        (``on_error="keep"``).
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

    def __repr__(self) -> str:
        return f"<Plan of {len(self.partitions):,} partitions, {self.size:,} entries>"

    @property
    def size(self) -> int:
        """Events or visibilities in all partitions."""
        return sum(p.size for p in self.partitions)


@dataclass(frozen=True)
class Metrics:
    """What it took to compute some partitions.

    ``memory`` is the largest resident size that a process which computed some
    of them has had; ``stages`` what a run's stages took, in their order;
    ``copies`` the roots of copies that were read in place of what was planned;
    ``warnings`` what the engine has to say about how it went.
    """

    cpu_seconds: float = 0.0
    bytes_read: int = 0
    failures: tuple[Failure, ...] = ()
    bytes_moved: int = 0
    memory: int = 0
    stages: tuple[Stage, ...] = ()
    copies: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: Metrics) -> Metrics:
        return Metrics(
            self.cpu_seconds + other.cpu_seconds,
            self.bytes_read + other.bytes_read,
            self.failures + other.failures,
            self.bytes_moved + other.bytes_moved,
            max(self.memory, other.memory),
            self.stages + other.stages,
            tuple(sorted({*self.copies, *other.copies})),
            tuple(dict.fromkeys((*self.warnings, *other.warnings))),
        )


def _no_warnings(_result: Any) -> tuple[str, ...]:
    return ()


def _no_axes(_folder: str) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Domain:
    """One science: its spec, and the plain functions that act on it.

    Attributes
    ----------
    name : str
        The value of ``workflow`` in a spec.
    spec : type
        Pydantic model of the run spec.
    inputs : callable
        ``inputs(spec, data)``: URLs of the input files or sets below ``data``,
        whether they exist or not; nothing is opened.
    plan : callable
        ``plan(spec, data, *, client=None, known="", report=..., glance=False,
        on_error="raise") -> Plan``; opens files, on the client's workers if there is one, and
        computes nothing.  Below the URL ``known`` it may keep what it found
        in them, so that the next plan need not open them again.  A ``glance``
        looks at some of the input only, to refuse what cannot work.  With
        ``on_error="keep"`` inputs that cannot be looked into are listed in the
        plan's ``failures``, and the rest is planned.
    run : callable
        ``run(spec, plan, *, client, on_error, report) -> (result, Metrics)``.
    arrays : callable
        ``arrays(result)``: the named float64 arrays that *are* the result;
        the digest is taken over them.
    summary : callable
        ``summary(result)``: JSON-ready numbers a person asks for first.
    files : callable
        ``files(result)`` yields ``(name, bytes)`` for all numbers to be saved.
    pictures : callable
        ``pictures(result)`` yields ``(name, figure)`` for what is drawn beside them.
    read : callable
        ``read(folder)``: the arrays back from what ``files`` made.
    deviation : callable
        ``deviation(name, a, b) -> (found, allowed)``: when two arrays count
        as equivalent.
    axes : callable
        ``axes(folder)``: where the arrays' numbers lie, from what ``files`` made: named
        numbers and words that two runs must agree in besides the arrays.
    plot : callable
        ``plot(result)``: a matplotlib figure.
    make : callable
        ``make(spec, data, *, size, report)``: writes the synthetic data the
        spec names below ``data`` and returns their URLs.
    warnings : callable
        ``warnings(result)``: what the result shows about itself and a user
        should know, each in one line: not finite, inaccurate, diverged, unused.
    converter : Converter, optional
    costs : mapping
        CPU seconds per unit of each kind of work in its forecasts, on some
        machine.
    calibrate : callable or None
        ``calibrate()``: the same, measured here.
    """

    name: str
    spec: type[Any]
    inputs: Callable[..., list[str]]
    plan: Callable[..., Plan]
    run: Callable[..., tuple[Any, Metrics]]
    arrays: Callable[[Any], Arrays]
    summary: Callable[[Any], dict[str, Any]]
    files: Callable[[Any], Iterator[tuple[str, bytes]]]
    pictures: Callable[[Any], Iterator[tuple[str, Any]]]
    read: Callable[[str], Arrays]
    deviation: Callable[..., tuple[float, float]]
    plot: Callable[[Any], Any]
    make: Callable[..., list[str]]
    warnings: Callable[[Any], tuple[str, ...]] = _no_warnings
    axes: Callable[[str], Mapping[str, Any]] = _no_axes
    converter: Converter | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    calibrate: Callable[[], dict[str, float]] | None = None


def names() -> list[str]:
    """Names of the registered domains, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def get(name: str) -> Domain:
    """Load one registered domain.

    Raises
    ------
    SpecError
        No such domain is registered.
    MissingExtraError
        Its libraries are not installed.
    """
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        known = ", ".join(names()) or "none"
        raise SpecError(f"unknown workflow {name!r}", remedy=f"installed: {known}")
    try:
        domain = found[0].load()
    except ImportError as error:
        raise MissingExtraError(
            f"the {name} workflow needs {error.name or error}",
            remedy=f"pip install 'spectrum-workflows[{name}]'",
        ) from error
    assert isinstance(domain, Domain)
    return domain


def fraction_done(plan: Plan, failures: Iterable[Failure]) -> float:
    """Share of the input's events or visibilities that a result holds, as far as it is known."""
    lost = sum(f.size for f in failures)
    known = plan.size + sum(f.size for f in plan.failures)
    return 1.0 - lost / known if known else 1.0
