"""Formats of input files: the branches that become the columns which a selection sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from spectrum_workflows.hep.spec.fallback import Number
from spectrum_workflows.specs import FrozenModel, closest

NANOAOD = "NanoAOD"
"""The format whose names and units selections are written in."""

BRANCHES: dict[str, int | None] = {
    "working_points": None,
    "ratio": 2,
    "discriminant": 3,
    "transverse": 2,
    "azimuth": 2,
    "pseudorapidity": 3,
}
"""Branches that a definition takes; any number where it says none."""

Definition = Literal[
    "working_points", "ratio", "discriminant", "transverse", "azimuth", "pseudorapidity"
]

Branch = Annotated[str, Field(min_length=1)]


class SourceSpec(FrozenModel):
    """What a column is made of; a plain string is the branch that is taken as it is."""

    branch: str = ""
    """Branch of the file, as in ``AnalysisJetsAuxDyn.pt``."""
    definition: Definition | None = None
    """Or what is computed of ``branches``: how many flags are set (``working_points``), the
    ``ratio`` of two, the log-likelihood ``discriminant`` of a flavour tagger (probabilities of b,
    c and light), or ``transverse`` size, ``azimuth`` and ``pseudorapidity`` of components."""
    branches: tuple[Branch, ...] = ()
    """What the definition takes, in its order."""
    fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of charm in the background that a discriminant tells b from."""
    constant: Number | None = None
    """Or the value that every item has."""
    like: str = ""
    """The branch that has as many items as the constant."""
    link: str = ""
    """Branch of ElementLinks that lead to the items of ``branch`` or ``branches``; of several links
    of one item the first.  Without a branch: the position in the container that it leads to, and
    -1 where it leads nowhere."""
    container: NonNegativeInt | None = None
    """Persistent key of the container that links lead to, where they lead to several."""
    element: NonNegativeInt | None = None
    """Which element, where a branch holds a vector for each event or item."""
    missing: Number | None = None
    """Value of the branch, in NanoAOD's unit, where a link leads nowhere or there is no such
    element; refused if left out."""
    unit: Literal["", "MeV", "mm"] = ""
    """Unit in the file, of which NanoAOD's becomes: GeV, cm."""
    bits: NonNegativeInt | None = None
    """Bits of a whole number that count."""
    values: tuple[Number, ...] = ()
    """Value of the column where the branch is 0, 1, 2 and so on."""
    type: Literal["", "bool", "int32", "uint32", "uint64", "float32", "float64"] = ""
    """Type of the column; that of the file if left out.  It must hold every value."""

    @property
    def read(self) -> tuple[str, ...]:
        """Branches that it is computed from, links apart."""
        return tuple(filter(None, (self.branch, *self.branches, self.like)))


class FormatSpec(FrozenModel):
    """A format of files: ``[formats.NAME]`` in a spec."""

    extends: str = ""
    """Another format of which this has all that it does not say otherwise."""
    trees: tuple[Branch, ...] = ()
    """Names of the tree of events, of which a file has one; the spec's ``tree`` if left out."""
    generated: Literal["", "Runs", "CutBookkeepers"] = ""
    """What tells the sum of generator weights: NanoAOD's tree ``Runs``, or ATLAS' bookkeepers."""
    columns: dict[str, Branch | SourceSpec] = Field(default_factory=dict)
    """The source of every column, by its name in NanoAOD."""


@dataclass(frozen=True)
class Format:
    """A format with all that it extends.

    Attributes
    ----------
    name : str
        As the spec calls it.
    trees : tuple of str
        Names of the tree of events; the spec's if empty.
    generated : {"Runs", "CutBookkeepers"}
        What tells the sum of generator weights.
    sources : tuple of (str, SourceSpec)
        Columns, and what they are made of.
    origin : str
        The format that it extends, and that extends none.
    """

    name: str
    trees: tuple[str, ...]
    generated: str = "Runs"
    sources: tuple[tuple[str, SourceSpec], ...] = ()
    origin: str = ""

    @cached_property
    def columns(self) -> Mapping[str, SourceSpec]:
        """The source of every column."""
        return dict(self.sources)


def resolved(name: str, known: Mapping[str, FormatSpec]) -> Format | None:
    """A format with all that it extends; None for NanoAOD, which is taken as it is.

    Parameters
    ----------
    name : str
    known : mapping of str to FormatSpec
        All that there are.

    Raises
    ------
    ValueError
        There is no such format, or it extends itself.
    """
    if name == NANOAOD:
        return None
    names = [*_lineage(name, known)]
    lineage = [known[name] for name in names]
    columns: dict[str, SourceSpec] = {}
    for described in reversed(lineage):
        columns |= {
            column: SourceSpec(branch=source) if isinstance(source, str) else source
            for column, source in described.columns.items()
        }
    trees = next((described.trees for described in lineage if described.trees), ())
    generated = next((described.generated for described in lineage if described.generated), "Runs")
    return Format(name, trees, generated, tuple(columns.items()), names[-1])


def _lineage(name: str, known: Mapping[str, FormatSpec]) -> Iterator[str]:
    """Names of a format, of what it extends, and so on."""
    before: list[str] = []
    while name and name != NANOAOD:
        if name in before:
            raise ValueError(f"formats.{name} extends itself")
        if name not in known:
            where = f"formats.{before[-1]}.extends" if before else "format"
            raise ValueError(f"{where}: no {name!r}; {closest(name, [*known, NANOAOD])}")
        before.append(name)
        yield name
        name = known[name].extends


def check(name: str, described: FormatSpec) -> None:
    """Refuse a format that would leave open what its columns are.

    Raises
    ------
    ValueError
        Says what to add.
    """
    if name == NANOAOD:
        raise ValueError(f"formats.{NANOAOD}: this is what selections see; take another name")
    for column, source in described.columns.items():
        if isinstance(source, SourceSpec):
            _check_source(f"formats.{name}.columns.{column}", source)


def _check_source(where: str, source: SourceSpec) -> None:
    constant = source.constant is not None
    kinds = [bool(source.branch), source.definition is not None, constant]
    if sum(kinds) != 1 and not (source.link and not any(kinds)):
        raise ValueError(f"{where} needs either a branch or a definition or a constant")
    if constant != bool(source.like):
        raise ValueError(f"{where}: constant and like belong together")
    if constant and (source.link or source.element is not None):
        raise ValueError(f"{where} is a constant, to which no link leads")
    if (source.definition is not None) != bool(source.branches):
        raise ValueError(f"{where}: definition and branches belong together")
    if source.definition is not None:
        takes = BRANCHES[source.definition]
        if takes is not None and takes != len(source.branches):
            message = f"takes {takes} branches, not {len(source.branches)}"
            raise ValueError(f"{where}: {source.definition} {message}")
    if (source.definition == "discriminant") != (source.fraction is not None):
        raise ValueError(f"{where}: a discriminant needs fraction, and nothing else has one")
    if source.container is not None and not source.link:
        raise ValueError(f"{where}: a container is for what a link leads to")
