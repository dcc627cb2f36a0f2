"""Columns of a selection, and the branches that are read for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.analyses.jet_id import DEFINITIONS, Definition
from spectrum_workflows.hep.spec.bootstrap import EVENT_NUMBERS
from spectrum_workflows.hep.spec.fallback import FallbackSpec
from spectrum_workflows.hep.spec.formats import Format
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.spec.event_filters import FilterSpec, TriggerSpec

CERTIFICATION = ("run", "luminosityBlock")
"""Branches that a list of good runs is applied to."""

GENERATED = "genWeight"
"""Branch of the generator's weight of an event."""


@dataclass(frozen=True)
class RequestedColumns:
    """Columns requested of every file of one sample, and what may stand in for them.

    Attributes
    ----------
    columns : tuple of str
        What the selection sees, each once.
    triggers : tuple of str
        Trigger bits, of which one must have fired.
    vetoing : tuple of str
        Trigger bits of earlier primary data sets, of which none may have fired.
    filters : tuple of str
        Flags, of which all must be set.
    absent : tuple of str
        Those of all of them that a file need not have: such bits are false, such flags true.
    fallbacks : mapping of str to FallbackSpec
        What may stand in, by column.
    certified : bool
        Whether events are taken from good runs only.
    normalisation : {"", "events", "genweight"}
        How the sample is normalised; not at all if it is empty.
    inputs : tuple of str
        What corrections and replicas need besides, and the selection does not see.
    conditions : tuple of str
        What the conditions of a skim look at.
    besides : tuple of str
        What a skim is to keep for later runs: a file must have it, and it is not read otherwise.
    format : Format or None
        What makes the columns of the files' branches; NanoAOD, whose columns are branches, if none.
    """

    columns: tuple[str, ...]
    triggers: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    fallbacks: Mapping[str, FallbackSpec] | None = None
    certified: bool = False
    normalisation: str = ""
    inputs: tuple[str, ...] = ()
    vetoing: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    format: Format | None = None
    conditions: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()

    @property
    def bits(self) -> tuple[str, ...]:
        """Bits of events, each once."""
        return tuple(dict.fromkeys((*self.triggers, *self.vetoing, *self.filters)))

    @property
    def every(self) -> tuple[str, ...]:
        """Columns of the selection, then those of corrections, each once."""
        return tuple(dict.fromkeys((*self.columns, *self.inputs)))

    @property
    def generator_weighted(self) -> bool:
        """Whether events count with their generator weights."""
        return self.normalisation == "genweight"

    def read(self, fallbacks_used: Iterable[str]) -> tuple[str, ...]:
        """Branches to read, each once, of a file that lacks these columns and bits."""
        lacking = set(fallbacks_used)
        names: list[str] = []
        for name in self.every:
            names += sources(self.fallback(name)) if name in lacking else [name]
        names += [name for name in self.bits if name not in lacking]
        names += CERTIFICATION if self.certified else ()
        names += self.conditions
        return tuple(dict.fromkeys(names))

    def fallbacks_used(self, have: Iterable[str]) -> tuple[str, ...]:
        """Columns and bits that are not among the branches, and need not be."""
        known, fallbacks = set(have), self.fallbacks or {}
        columns = [n for n in self.every if n not in known and n in fallbacks]
        return (*columns, *(n for n in self.absent if n not in known and n not in columns))

    def present(self, fallbacks_used: Iterable[str]) -> tuple[str, ...]:
        """Triggers of a file that lacks some."""
        lacking = set(fallbacks_used)
        return tuple(name for name in self.triggers if name not in lacking)

    def alike(self, fallbacks_used: Iterable[str]) -> tuple[str, ...]:
        """Those in which all files of a sample must agree: they may change what is selected."""
        return tuple(n for n in fallbacks_used if n in self.every and not self.fallback(n).neutral)

    @property
    def differing(self) -> bool:
        """Whether files of the sample may have other columns than the first."""
        return bool(self.alike(n for n in self.every if n in (self.fallbacks or {})))

    def fallback(self, name: str) -> FallbackSpec:
        """The fallback of a column."""
        return (self.fallbacks or {})[name]

    def words(self, name: str) -> str:
        """Consequence of a column or bit that a file lacks, in one line."""
        if name in self.every:
            return self.fallback(name).words(name)
        return f"{name} is absent, taken as {'true' if name in self.filters else 'false'}"


def cuts(requested: RequestedColumns, fallbacks_used: Iterable[str]) -> dict[str, Any]:
    """The cuts that belong to what stands in."""
    changed: dict[str, Any] = {}
    for name in fallbacks_used:
        if name in requested.every:
            changed |= requested.fallback(name).cuts or {}
    return changed


def absent(
    sample: str, files: Sequence[tuple[str, tuple[str, ...]]], requested: RequestedColumns
) -> Iterator[str]:
    """Warnings of columns and triggers that some files lack, each with its consequence.

    Parameters
    ----------
    sample : str
        Whose files they are.
    files : sequence of (url, fallbacks_used)
        What each of them lacks.
    requested : RequestedColumns
    """
    for name in dict.fromkeys(name for _, lacking in files for name in lacking):
        without = [url for url, lacking in files if name in lacking]
        some = len(without) < len(files)
        where = f" in {len(without)} of {len(files)} files, such as {without[0]}" if some else ""
        yield f"{sample}: {requested.words(name)}{where}"
    for url, lacking in files:
        if requested.triggers and not requested.present(lacking):
            yield f"{sample}: {url} has none of the triggers: none of its events is selected"
            return


def as_selection_sees(
    read: ak.Array, requested: RequestedColumns, fallbacks_used: Sequence[str]
) -> ak.Array:
    """Records with the columns of selection and corrections, from the branches that were read.

    Parameters
    ----------
    read : ak.Array, shape (n_events,)
        With the fields of ``requested.read(fallbacks_used)``.
    requested, fallbacks_used
        As there.
    """
    return records(
        {name: _column(read, requested, fallbacks_used, name) for name in requested.every}
    )


def records(columns: Mapping[str, ak.Array]) -> ak.Array:
    """A record per event, of columns that are as long: `ak.zip`, but nothing is broadcast.

    Raises
    ------
    DataError
        They are not as long as each other.
    """
    layouts = [ak.to_layout(column) for column in columns.values()]
    if len({layout.length for layout in layouts}) > 1:
        raise DataError(f"{', '.join(columns)} differ in length", remedy="copy the file again")
    return ak.Array(ak.contents.RecordArray(layouts, list(columns)))


def refuse_missing(
    names: Iterable[str],
    have: Sequence[str],
    *,
    tree: str,
    url: str,
    requested: RequestedColumns | None = None,
    file_format: Format | None = None,
) -> None:
    """Refuse a file without some branches, naming the closest and what to do.

    Parameters
    ----------
    names, have : sequence of str
        Branches to read, and those of the file.
    tree, url : str
        Where.
    requested : RequestedColumns, optional
        Which of them something may stand in for; all if left out.
    file_format : Format, optional
        What makes columns of branches.

    Raises
    ------
    DataError
        Naming all that are missing.
    """
    known = set(have)
    missing = [name for name in names if name not in known]
    if not missing:
        return
    column = missing[0]
    prefix = column.partition("_")[0] + "_"
    near = [name for name in have if name.startswith(prefix)] or list(have)
    more = f" (nor {', '.join(map(repr, missing[1:]))})" if missing[1:] else ""
    hints = (closest(column, near), _remedy(column, requested, file_format))
    remedy = " ".join(hint if hint.endswith("?") else f"{hint};" for hint in filter(None, hints))
    kind = "branch" if file_format is None else f"column of {file_format.name}, and no branch,"
    raise DataError(f"no {kind} {column!r} in {tree}{more}", url, remedy.rstrip(";"))


def _remedy(column: str, requested: RequestedColumns | None, file_format: Format | None) -> str:
    """Remedy for a branch that not all files have: what to write in the spec."""
    say_so = "where it may be absent, say so:"
    if requested and column in requested.filters:
        return f'{say_so} event_filters = [{{path = "{column}", absent = true}}]'
    if requested and column in requested.bits:
        return f'{say_so} triggers = [{{path = "{column}", absent = false}}]'
    if file_format is not None:
        own = f'a format of yours that extends = "{file_format.name}" may say what it is made of;'
        return f"{own} or [fallbacks.{column}] what stands in"
    if requested and column not in requested.every:
        return ""
    computed = [name for name, d in DEFINITIONS.items() if d.gives == column]
    source = f'the definition "{computed[0]}"' if computed else "another branch"
    return (
        f"to let {source} stand in, say so with its working point in [fallbacks.{column}],"
        " or which constant does; a column of some samples only belongs in their columns"
    )


def definition(name: str, where: str) -> Definition:
    """The definition of that name.

    Raises
    ------
    SpecError
        There is none; the closest is named.
    """
    if name not in DEFINITIONS:
        raise SpecError(f"no definition {name!r}", where, closest(name, list(DEFINITIONS)))
    return DEFINITIONS[name]


def to_keep(spec: HepSpec) -> list[str]:
    """Branches that a smaller copy of a spec's files must keep.

    Those that a file may lack end in ``?``: columns of simulation or of some
    samples, columns with a stand-in, what stands in for them, and what
    certifies and weights.

    Raises
    ------
    SpecError
        Columns are made of other branches: such files are read as they are.
    """
    if spec.eras:
        keep = [name for own in spec.era_specs.values() for name in to_keep(own)]
        optional = {name for name in keep if name.endswith("?")}
        return list(dict.fromkeys(f"{n}?" if f"{n}?" in optional else n for n in keep))
    for name in spec.samples:
        if (file_format := spec.format_of(name)) is not None:
            message = f"files of format {file_format.name} are not converted"
            raise SpecError(message, f"samples.{name}", "they are read as they are")
    keep = [f"{name}?" if name in spec.fallbacks else name for name in spec.columns]
    own = any(s.triggers is not None or s.event_filters is not None for s in spec.samples.values())
    some = own or bool(spec.primary_datasets)
    for bit in (b for name in spec.samples for b in _bits_of(spec, name)):
        must = bit.absent is None and not some
        keep += [] if bit.path in keep else [bit.path if must else f"{bit.path}?"]
    fallbacks_used = [name for fallback in spec.fallbacks.values() for name in sources(fallback)]
    of_samples = [name for sample in spec.samples.values() for name in sample.columns]
    perhaps = [*spec.simulation_columns, *of_samples, *fallbacks_used, *CERTIFICATION, GENERATED]
    perhaps += spec.object_columns
    perhaps += EVENT_NUMBERS if spec.bootstrap is not None else ()
    if spec.skim is not None:
        perhaps += [*spec.skim.decided_by, *spec.skim.columns]
    return list(dict.fromkeys([*keep, *(f"{name}?" for name in perhaps if name not in keep)]))


def _bits_of(spec: HepSpec, sample: str) -> list[TriggerSpec | FilterSpec]:
    return [*spec.triggers_of(sample), *spec.vetoing_of(sample), *spec.filters_of(sample)]


def sources(fallback: FallbackSpec) -> list[str]:
    """Branches from which a fallback takes its column."""
    if fallback.definition:
        return [*DEFINITIONS[fallback.definition].columns]
    return [fallback.column] if fallback.column else []


def _column(
    read: ak.Array, requested: RequestedColumns, fallbacks_used: Sequence[str], name: str
) -> Any:
    if name not in fallbacks_used:
        return read[name]
    fallback = requested.fallback(name)
    if fallback.column:
        return read[fallback.column]
    if fallback.definition:
        return DEFINITIONS[fallback.definition].compute(read)
    return _constant(fallback.constant, len(read))


def _constant(value: Any, n_events: int) -> ak.Array:
    """The same number, or list of numbers, for every event."""
    if not isinstance(value, tuple):
        return ak.Array(np.full(n_events, value))
    numbers = np.asarray(value, None if value else np.float64)
    offsets = ak.index.Index64(np.arange(n_events + 1) * len(numbers))
    content = ak.contents.NumpyArray(np.tile(numbers, n_events))
    return ak.Array(ak.contents.ListOffsetArray(offsets, content))
