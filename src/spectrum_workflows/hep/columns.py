"""Which branches to read for what a selection asks for, and its columns from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import awkward as ak

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.analyses.jet_id import DEFINITIONS, Definition
from spectrum_workflows.hep.fallback import FallbackSpec
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec

CERTIFICATION = ("run", "luminosityBlock")
"""What a list of good runs is applied to."""

GENERATED = "genWeight"
"""Branch of the generator's weight of an event."""


@dataclass(frozen=True)
class Wanted:
    """What a spec wants from every file.

    Attributes
    ----------
    columns : tuple of str
        What the selection sees.
    simulation_columns : tuple of str
        What it sees of simulation besides.
    fallbacks : mapping of str to FallbackSpec
        What may stand in, by column.
    triggers : tuple of str
        Trigger bits, of which one must have fired.
    certified : bool
        Whether data is taken from good runs only.
    generated : bool
        Whether simulation is normalised by the sum of generator weights.
    """

    columns: tuple[str, ...]
    simulation_columns: tuple[str, ...] = ()
    fallbacks: Mapping[str, FallbackSpec] | None = None
    triggers: tuple[str, ...] = ()
    certified: bool = False
    generated: bool = False

    def seen(self, *, data: bool) -> tuple[str, ...]:
        """Columns the selection sees, each once."""
        return tuple(dict.fromkeys((*self.columns, *(() if data else self.simulation_columns))))

    def read(self, stand_ins: Iterable[str], *, data: bool) -> tuple[str, ...]:
        """Branches to read, each once, where these columns have a stand-in."""
        absent = set(stand_ins)
        names: list[str] = []
        for name in self.seen(data=data):
            names += _sources(self.fallback(name)) if name in absent else [name]
        names += [*self.triggers, *(CERTIFICATION if self.certified and data else ())]
        return tuple(dict.fromkeys(names))

    def stand_ins(self, have: Iterable[str], *, data: bool) -> tuple[str, ...]:
        """Columns that are not among the branches, and that something may stand in for."""
        known = set(have)
        return tuple(
            n for n in self.seen(data=data) if n not in known and n in (self.fallbacks or {})
        )

    def fallback(self, name: str) -> FallbackSpec:
        """What may stand in for a column."""
        return (self.fallbacks or {})[name]


def cuts(wanted: Wanted, stand_ins: Iterable[str]) -> dict[str, Any]:
    """The cuts that belong to what stands in."""
    found: dict[str, Any] = {}
    for name in stand_ins:
        found |= wanted.fallback(name).cuts or {}
    return found


def as_selection_sees(
    read: ak.Array, wanted: Wanted, stand_ins: Sequence[str], *, data: bool
) -> ak.Array:
    """Records with the columns of the selection, from the branches that were read.

    Parameters
    ----------
    read : ak.Array, shape (n_events,)
        With the fields of ``wanted.read(stand_ins, data=data)``.
    wanted, stand_ins, data
        As there.
    """
    columns = {name: _column(read, wanted, stand_ins, name) for name in wanted.seen(data=data)}
    return records(columns)


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
    columns: Sequence[str] | None = None,
) -> None:
    """Refuse a file without some branches, naming the closest and what to do.

    Parameters
    ----------
    names, have : sequence of str
        Branches that are wanted, and those of the file.
    tree, url : str
        Where.
    columns : sequence of str, optional
        Those that something may stand in for; all if left out.

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
    computed = [name for name, d in DEFINITIONS.items() if d.gives == column]
    source = f'the definition "{computed[0]}"' if computed else "another branch"
    remedy = f"to let {source} stand in, say so with its working point in [fallbacks.{column}]"
    said = [closest(column, near), *([remedy] if columns is None or column in columns else [])]
    raise DataError(f"no branch {column!r} in {tree}{more}", url, " ".join(filter(None, said)))


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

    Those that a file may lack end in ``?``: columns of simulation, columns
    with a stand-in, what stands in for them, and what certifies and weights.
    """
    keep = [f"{name}?" if name in spec.fallbacks else name for name in spec.columns]
    keep += [name for name in spec.triggers if name not in keep]
    sources = [name for fallback in spec.fallbacks.values() for name in _sources(fallback)]
    perhaps = [*spec.simulation_columns, *sources, *CERTIFICATION, GENERATED]
    return [*keep, *(f"{name}?" for name in perhaps if name not in keep)]


def _sources(fallback: FallbackSpec) -> list[str]:
    return [fallback.column] if fallback.column else [*DEFINITIONS[fallback.definition].columns]


def _column(read: ak.Array, wanted: Wanted, stand_ins: Sequence[str], name: str) -> Any:
    if name not in stand_ins:
        return read[name]
    fallback = wanted.fallback(name)
    if fallback.column:
        return read[fallback.column]
    return DEFINITIONS[fallback.definition].compute(read)
