"""Names of data sets in the bookkeeping of experiments: ``rucio:SCOPE:NAME``, ``das:/A/B/TIER``."""

from __future__ import annotations

import re
from dataclasses import dataclass

RUCIO = "rucio:"
"""Before scope and name of a data set, a container or a file in Rucio."""

DAS = "das:"
"""Before the name of a data set in CMS' DAS."""

_RUCIO = re.compile(r"(?P<scope>[A-Za-z0-9_.-]+):(?P<name>[^\s*?\[\]:][^\s*?\[\]:]*)")
_DAS = re.compile(r"(/[A-Za-z0-9_.+-]+){3}")


@dataclass(frozen=True)
class RucioName:
    """A data identifier of Rucio."""

    scope: str
    name: str


def is_data_set(reference: str) -> bool:
    """Whether a spec's name is one of a data set that its bookkeeping resolves.

    >>> is_data_set("rucio:user.me:nano"), is_data_set("das:/A/B/NANOAOD"), is_data_set("a.root")
    (True, True, False)
    """
    return reference.startswith((RUCIO, DAS))


def rucio_name(reference: str) -> RucioName:
    """Scope and name of ``rucio:SCOPE:NAME``.

    >>> rucio_name("rucio:cms:/A/B/NANOAOD").name
    '/A/B/NANOAOD'

    Raises
    ------
    ValueError
        It is none, or holds a wildcard.
    """
    match = _RUCIO.fullmatch(reference.removeprefix(RUCIO))
    if match is None:
        raise ValueError(f"{reference!r} is no rucio:SCOPE:NAME without spaces and wildcards")
    return RucioName(match["scope"], match["name"])


def das_name(reference: str) -> str:
    """The name of the data set in ``das:/PRIMARY/PROCESSED/TIER``.

    Raises
    ------
    ValueError
        It is none, or holds a wildcard.
    """
    name = reference.removeprefix(DAS)
    if not _DAS.fullmatch(name):
        raise ValueError(f"{reference!r} is no das:/PRIMARY/PROCESSED/TIER without wildcards")
    return name


def check_name(reference: str) -> str:
    """The reference, if it is no data set's, or one that is well formed.

    Raises
    ------
    ValueError
        It begins like a data set's name and is none.
    """
    if reference.startswith(RUCIO):
        rucio_name(reference)
    elif reference.startswith(DAS):
        das_name(reference)
    return reference
