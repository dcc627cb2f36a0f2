"""From saved runs and a file of targets to estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from spectrum_workflows import shipped, storage
from spectrum_workflows.errors import DataError, DataNotFoundError, MissingExtraError
from spectrum_workflows.projection.estimate import Estimate, estimate
from spectrum_workflows.projection.rates import Measured, Rates, measured, rates
from spectrum_workflows.projection.targets import Assumptions, Targets
from spectrum_workflows.projection.text import METHOD
from spectrum_workflows.record import read_record
from spectrum_workflows.sites import Site, load_site
from spectrum_workflows.specs import parse, read_toml


@dataclass(frozen=True)
class Projection:
    """What runs mean for targets.

    Attributes
    ----------
    rates : tuple of Rates
        Of every science that runs were given of.
    estimates : tuple of Estimate
        Of every target of these sciences, in the file's order.
    assumptions : Assumptions
        What was reckoned with besides.
    skipped : tuple of str
        Targets of other sciences.
    """

    rates: tuple[Rates, ...]
    estimates: tuple[Estimate, ...]
    assumptions: Assumptions
    skipped: tuple[str, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """Everything for JSON: numbers with range and unit, sources, assumptions."""
        return {
            "method": METHOD,
            "rates": [one.summary for one in self.rates],
            "assumptions": self.assumptions.model_dump(),
            "targets": {one.name: one.summary for one in self.estimates},
            "skipped": list(self.skipped),
            "notes": list(self.notes),
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What one should know of the runs, and of what was left out."""
        notes = [note for one in self.rates for note in one.notes]
        if self.skipped:
            notes.append(f"no run was given for {', '.join(self.skipped)}")
        return tuple(notes)

    def plot(self) -> Any:
        """A matplotlib figure of the cores of every target."""
        return _drawing().figure(self.estimates)

    def png(self) -> bytes:
        """The same as a PNG file."""
        return bytes(_drawing().png(self.estimates))


def _drawing() -> Any:
    """The module that draws, which needs what sciences bring along.

    Raises
    ------
    MissingExtraError
        There is no matplotlib.
    """
    try:
        return import_module("spectrum_workflows.projection.plot")
    except ImportError as error:
        remedy = "pip install 'spectrum-workflows[hep]', or leave the picture out"
        raise MissingExtraError("the picture needs matplotlib", remedy=remedy) from error


def project(
    runs: Sequence[str | Path] | str | Path,
    targets: str | Path | None = None,
    *,
    site: Site | str | None = None,
) -> Projection:
    """Say what the rates of saved runs mean for larger data sets and instruments.

    Parameters
    ----------
    runs : sequence of str or Path, str or Path
        Folders of saved runs; several of one science give the spread of its rates.
    targets : str or Path, optional
        TOML file of targets; by default the shipped one.
    site : Site or str, optional
        Whose storage options reach a URL.

    Returns
    -------
    Projection
        Cores, bytes per second, disk and energy of every target, with ranges.

    Raises
    ------
    DataNotFoundError
        There is no run, or no such file.
    DataError
        A record lacks what rates are made of, or no target is of these sciences.
    SpecError
        The targets are not valid: an unknown key, or a unit of another kind.

    Examples
    --------
    >>> from spectrum_workflows import SpectrumError, project
    >>> try:
    ...     project(["nowhere"])
    ... except SpectrumError as error:
    ...     print(error.what)
    no record.json: not a run, or one that did not finish
    """
    file = str(targets) if targets is not None else str(default_targets())
    several = [runs] if isinstance(runs, str | Path) else runs
    folders = list(dict.fromkeys(str(run).rstrip("/") for run in several))
    stores = storage.current_stores()
    if site is not None or not all(map(storage.is_local, [file, *folders])):
        stores = (site if isinstance(site, Site) else load_site(site)).stores
    with storage.using(stores):
        read = load_targets(file)
        taken = [measured(read_record(folder), folder) for folder in folders]
    return projection(taken, read, where=file)


def projection(runs: Sequence[Measured], targets: Targets, *, where: str) -> Projection:
    """The same, of what runs took.

    Raises
    ------
    DataError
        There is no run, or no target is of a science that runs were given of.
    """
    sciences = dict.fromkeys(run.workflow for run in runs)
    of = {name: rates([run for run in runs if run.workflow == name]) for name in sciences}
    within = {n: t for n, t in targets.targets.items() if t.workflow in of}
    if not within:
        names = ", ".join(sorted({target.workflow for target in targets.targets.values()}))
        given = ", ".join(of) or "none"
        raise DataError(f"its targets are of {names}; runs of {given} were given", where)
    return Projection(
        rates=tuple(of.values()),
        estimates=tuple(
            estimate(name, target, of[target.workflow], targets.assumptions)
            for name, target in within.items()
        ),
        assumptions=targets.assumptions,
        skipped=tuple(name for name in targets.targets if name not in within),
    )


def default_targets() -> Path:
    """The shipped file of targets."""
    return shipped.folder("workflows") / "targets.toml"


def load_targets(source: str) -> Targets:
    """Read a file of targets.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    SpecError
        It is not valid.
    """
    try:
        text = storage.read_bytes(source)
    except DataNotFoundError:
        remedy = "leave --to out for the shipped ones, or see docs/projection.md"
        raise DataNotFoundError("no such file of targets", source, remedy) from None
    return parse(Targets, read_toml(text, where=source), where=source, exact=True)
