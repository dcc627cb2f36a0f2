"""The contract: what a science gives, and what it need not give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.domain import plain_result
from spectrum_workflows.domain.contents import Inspector
from spectrum_workflows.domain.converter import Converter
from spectrum_workflows.domain.deviation import Deviation
from spectrum_workflows.domain.metrics import Metrics
from spectrum_workflows.domain.panel import Panel
from spectrum_workflows.domain.plan import OnError, Plan, Report
from spectrum_workflows.domain.product import Product
from spectrum_workflows.errors import SpecError

if TYPE_CHECKING:
    from distributed import Client
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Arrays = Mapping[str, "NDArray[np.float64]"]
"""Named float64 arrays."""

S = TypeVar("S")
"""Pydantic model of a science's run spec: frozen, with ``workflow`` and ``name``."""
R = TypeVar("R")
"""A science's own result."""

S_contra = TypeVar("S_contra", contravariant=True)
P = TypeVar("P")
R_co = TypeVar("R_co", covariant=True)


class Planning(Protocol[S_contra]):
    """``plan``: see `Domain`."""

    def __call__(
        self,
        spec: S_contra,
        data: str,
        /,
        *,
        client: Client | None = None,
        known: str = "",
        report: Report = ...,
        preflight: bool = False,
        on_error: OnError = "raise",
    ) -> Plan:
        """Open files, compute nothing."""


class Running(Protocol[S_contra, R_co]):
    """``run``: see `Domain`."""

    def __call__(
        self,
        spec: S_contra,
        plan: Plan,
        /,
        *,
        client: Client | None,
        on_error: OnError,
        report: Report,
    ) -> tuple[R_co | None, Metrics]:
        """Compute the partitions of a plan."""


class Showing(Protocol[P]):
    """``show``: see `Domain`."""

    def __call__(
        self,
        panels: Sequence[Panel[P]],
        /,
        *,
        region: tuple[float, ...] | None,
        common: bool,
    ) -> Figure:
        """Draw panels side by side."""


class Making(Protocol[S_contra]):
    """``make``: see `Domain`."""

    def __call__(
        self, spec: S_contra, data: str, /, *, size: int | None, report: Report
    ) -> list[str]:
        """Write synthetic data."""


def _nothing_to_make(spec: Any, _data: str, /, *, size: int | None, report: Report) -> list[str]:
    del size, report
    raise SpecError("there is no synthetic data for such a spec", spec.name, "give real data")


def _numbers(spec: Any) -> dict[str, Any]:
    return {k: v for k, v in spec.model_dump(mode="json").items() if k != "name"}


def _synthetic_table(spec: Any) -> dict[str, Any]:
    table = getattr(spec, "synthetic", None)
    return {"synthetic": table.model_dump(mode="json") if table else None}


def _not_synthetic(_url: str) -> bool:
    return False


def _no_references(_spec: Any) -> tuple[str, ...]:
    return ()


def _nothing_reusable(_spec: Any, _plan: Plan) -> tuple[str, ...]:
    return ()


def _no_code(_spec: Any) -> str:
    return ""


def _nothing_to_release() -> None:
    """Nothing is left open."""


def _no_warnings(_result: Any) -> tuple[str, ...]:
    return ()


def _no_axes(_folder: str) -> Mapping[str, Any]:
    return {}


def _deviation(_name: str, a: NDArray[np.float64], b: NDArray[np.float64]) -> Deviation:
    """Largest difference relative to the largest number; what is not finite must be equal."""
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return Deviation(float("inf"), plain_result.ROUNDING)
    a, b = a[finite], b[finite]
    largest = max(np.max(np.abs(a), initial=0.0), np.max(np.abs(b), initial=0.0))
    apart = np.max(np.abs(a - b), initial=0.0)
    return Deviation(float(apart / largest) if largest else 0.0, plain_result.ROUNDING)


def _names(arrays: Callable[[Any], Arrays], result: Any) -> tuple[str, ...]:
    return tuple(arrays(result))


def _follows(*_: Any) -> Any:
    """Stand for a function that `Domain` makes of ``arrays`` or ``plot``."""
    raise NotImplementedError


@dataclass(frozen=True)
class Domain(Generic[S, R]):
    """One science: its spec, and the plain functions that act on it.

    The first five are needed; everything else has a default.  A science may
    also have a file ``command_line.toml`` beside the module of its entry point,
    which says what it adds to the command line: see `cli.sciences`.

    Attributes
    ----------
    name : str
        The value of ``workflow`` in a spec.
    spec : type
        Pydantic model of the run spec.  Has it a field ``folder``, that gets the
        folder of the spec's file.
    inputs : callable
        ``inputs(spec, data)``: URLs of the input files or sets below ``data``,
        whether they exist or not; nothing is opened.
    plan : callable
        ``plan(spec, data, *, client=None, known="", report=..., preflight=False,
        on_error="raise") -> Plan``; opens files, on the client's workers if there is one, and
        computes nothing.  Below the URL ``known`` it may keep what it found
        in them, so that the next plan need not open them again.  A ``preflight``
        looks at some of the input only, to refuse what cannot work.  With
        ``on_error="keep"`` inputs that cannot be inspected are listed in the
        plan's ``failures``, and the rest is planned.
    run : callable
        ``run(spec, plan, *, client, on_error, report) -> (result, Metrics)``; the
        result is ``None`` if every partition failed.
    make : callable
        ``make(spec, data, *, size, report)``: writes the synthetic data the
        spec names below ``data`` and returns their URLs; ``size`` replaces the
        spec's own.  By default there is none.
    arrays : callable
        ``arrays(result)``: the named float64 arrays that *are* the result;
        the digest is taken over them.  By default the arrays of a dataclass.
    summary : callable
        ``summary(result)``: JSON-ready numbers a person asks for first.  By
        default the numbers and texts of a dataclass.
    files : callable
        ``files(result)`` yields ``(name, bytes)`` for all numbers to be saved.
        By default one file of the arrays.
    read : callable
        ``read(folder)``: the arrays back from what ``files`` made.  Whoever
        gives one of the two gives both.
    plot : callable
        ``plot(result)``: a matplotlib figure.  By default the arrays as lines.
    pictures : callable
        ``pictures(result)`` yields ``(name, figure)`` for what is drawn beside
        the numbers.  By default that of ``plot``.
    plot_progress : callable, optional
        ``plot_progress(snapshots)``: a small figure of a run that goes on, from the snapshots
        that its observer was shown so far (``engine.Sketch``, ``engine.current_observer``).
        A snapshot is a frozen value of the science's own; has it a text ``line``, that is
        written in a terminal.
    shown : callable
        ``shown(result)``: the names of what can be shown and explored, the first what people
        look at first.  By default those of the arrays.
    show : callable, optional
        ``show(panels, *, region, common)``: a figure of named parts, see `Panel`, of one or
        several results, on a common scale where that is asked; ``region`` says which part.
    explore : callable, optional
        ``explore(result, name)``: a Bokeh model of one of them.
    deviation : callable
        ``deviation(name, a, b) -> Deviation``: when two arrays of the same shape
        count as equivalent.  By default within rounding of the largest number.
    axes : callable
        ``axes(folder)``: where the arrays' numbers lie, from what ``files`` made: named
        numbers and words that two runs must agree in besides the arrays.
    warnings : callable
        ``warnings(result)``: what the result shows about itself and a user
        should know, each in one line: not finite, inaccurate, diverged, unused.
    dataset : callable
        ``dataset(result)``: an xarray dataset or tree of the arrays, with coordinates and units.
        By default the arrays with dimensions of their own.
    table : callable
        ``table(result)``: records, each a dict of numbers and texts with the same keys.  By
        default one, of the ``summary``'s own numbers and texts.
    load : callable
        ``load(folder, spec, summary)``: the result back from what ``files`` made and from what
        ``summary`` and ``warnings`` said, so that ``arrays`` gives the same bits.  By default
        the arrays and the summary's numbers and texts, as a dataclass.
    recipe : callable
        ``recipe(spec)``: JSON-ready values that decide what ``make`` writes,
        besides the size.  By default the table ``synthetic`` of the spec.
    is_there : callable
        ``is_there(url)``: whether an input exists.
    is_synthetic : callable
        ``is_synthetic(url)``: whether what lies there was made by ``make``, under whatever name.
    references : callable
        ``references(spec)``: input as the spec names it, where that may be an
        entry of the catalogue, which may have copies.
    numbers : callable
        ``numbers(spec)``: JSON-ready values of the spec that decide what its partitions give:
        a run goes on from what was finished with the same.  By default all but the name.
    reusable : callable
        ``reusable(spec, plan)``: what earlier runs have left that this one would read instead of
        its input, and why it would not, each in a line; asked within the ledger of the run.
    user_code : callable
        ``user_code(spec)``: what code a spec names that is not part of its
        science, or nothing; asked before any of it has run.
    libraries : tuple of str
        Distributions whose versions matter to a result.
    converter : Converter, optional
    actions : mapping of str to callable
        ``action(result, *, client, **options)``: a `Product` of a saved result; the file
        ``command_line.toml`` makes them commands.
    inspector : Inspector, optional
        What is shown of its data: whatever there is to choose.
    release : callable
        ``release()``: lets go of what a plan has left open in this thread, so that the next run
        reads all that is its own.
    linear : bool
        Whether a run of some of a plan's partitions costs their share of the entries.
    costs : mapping
        CPU seconds per unit of each kind of work in its forecasts, on some
        machine.
    calibrate : callable or None
        ``calibrate()``: the same, measured here.
    demo : Path, optional
        File of a spec that ``spectrum demo`` makes data for and runs.
    """

    name: str
    spec: type[S]
    inputs: Callable[[S, str], list[str]]
    plan: Planning[S]
    run: Running[S, R]
    make: Making[S] = _nothing_to_make
    arrays: Callable[[R], Arrays] = plain_result.arrays
    summary: Callable[[R], dict[str, Any]] = plain_result.summary
    files: Callable[[R], Iterator[tuple[str, bytes]]] = _follows
    read: Callable[[str], Arrays] = plain_result.read
    plot: Callable[[R], Figure] = _follows
    pictures: Callable[[R], Iterator[tuple[str, Figure]]] = _follows
    plot_progress: Callable[[Sequence[Any]], Figure] | None = None
    shown: Callable[[R], Sequence[str]] = _follows
    show: Showing[R] | None = None
    explore: Callable[[R, str], Any] | None = None
    deviation: Callable[[str, NDArray[np.float64], NDArray[np.float64]], Deviation] = _deviation
    axes: Callable[[str], Mapping[str, Any]] = _no_axes
    warnings: Callable[[R], tuple[str, ...]] = _no_warnings
    dataset: Callable[[R], Any] = _follows
    table: Callable[[R], list[dict[str, Any]]] = _follows
    load: Callable[[str, S, Mapping[str, Any]], R] = _follows
    recipe: Callable[[S], dict[str, Any]] = _synthetic_table
    is_there: Callable[[str], bool] = storage.exists
    is_synthetic: Callable[[str], bool] = _not_synthetic
    references: Callable[[S], Iterable[str]] = _no_references
    numbers: Callable[[S], Any] = _numbers
    reusable: Callable[[S, Plan], tuple[str, ...]] = _nothing_reusable
    user_code: Callable[[S], str] = _no_code
    libraries: tuple[str, ...] = ()
    converter: Converter | None = None
    actions: Mapping[str, Callable[..., Product]] = field(default_factory=dict)
    inspector: Inspector | None = None
    release: Callable[[], None] = _nothing_to_release
    linear: bool = False
    costs: Mapping[str, float] = field(default_factory=dict)
    calibrate: Callable[[], dict[str, float]] | None = None
    demo: Path | None = None

    def __post_init__(self) -> None:
        if (self.files is _follows) != (self.read is plain_result.read):
            raise TypeError(f"{self.name}: a science gives both files and read, or neither")
        self._derive("files", plain_result.files, self.arrays)
        self._derive("dataset", plain_result.dataset, self.arrays)
        self._derive("table", plain_result.table, self.summary)
        self._derive("load", plain_result.load, self.read)
        self._derive("plot", plain_result.plot, self.arrays)
        self._derive("shown", _names, self.arrays)
        self._derive("pictures", plain_result.pictures, self.plot)

    def _derive(self, name: str, function: Callable[..., Any], source: Callable[..., Any]) -> None:
        if getattr(self, name) is _follows:
            object.__setattr__(self, name, partial(function, source))
