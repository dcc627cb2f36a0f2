"""The branches of a file in which a format's columns are stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import awkward as ak

from spectrum_workflows.hep.formats.deriving import derived
from spectrum_workflows.hep.formats.links import Links, links
from spectrum_workflows.hep.spec.formats import SourceSpec

KEY, POSITION = "m_persKey", "m_persIndex"
"""Members of an ElementLink: its container's persistent key, and the position in it."""


@dataclass(frozen=True)
class Stored:
    """The branches of a tree that one column needs.

    Attributes
    ----------
    source : SourceSpec
        What the column is made of.
    branches : mapping of str to str
        Names of branches in the tree, by the format's name of them.
    link : tuple of str
        Of a link, both of its members, or the branch that holds them.
    """

    source: SourceSpec
    branches: Mapping[str, str]
    link: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.branches.values(), *self.link)


def stored(source: SourceSpec, names: Collection[str]) -> Stored | str:
    """Where a column is stored among the branches of a tree, or the branch that is not there."""
    branches = {}
    for name in source.read:
        own = _own(name, names)
        if not own:
            return name
        branches[name] = own
    if not source.link:
        return Stored(source, branches)
    members = tuple(_own(f"{source.link}.{member}", names) for member in (KEY, POSITION))
    link = members if all(members) else (_own(source.link, names),)
    return Stored(source, branches, link) if all(link) else source.link


def column_of(name: str, place: Stored, read: ak.Array, where: str) -> ak.Array:
    """A column, from the branches that were read.

    Raises
    ------
    DataError
        They are not what it can be made of.
    """
    branches = {known: read[own] for known, own in place.branches.items()}
    followed: dict[str, Links] = {}
    if place.link:
        followed[place.source.link] = links(*_members(place.link, read))
    return derived(name, place.source, branches, followed, where)


def unique(places: Collection[Stored]) -> tuple[str, ...]:
    """Branches of some columns, each once."""
    return tuple(dict.fromkeys(name for place in places for name in place.names))


def _own(name: str, names: Collection[str]) -> str:
    """The name in a tree: in RNTuples of ATLAS a colon stands in the place of the dot."""
    return next((own for own in (name, name.replace(".", ":", 1)) if own in names), "")


def _members(names: tuple[str, ...], read: ak.Array) -> Iterator[Any]:
    """Keys and positions of links, however they are stored."""
    if len(names) == 2:
        yield from (read[name] for name in names)
        return
    record = read[names[0]]
    for member in (KEY, POSITION):
        [field] = (f for f in record.fields if f.rpartition(".")[2] == member)
        yield record[field]
