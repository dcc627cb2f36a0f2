"""Files that would be counted twice.  Pure functions over what identifies files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from spectrum_workflows.errors import DataError


@dataclass(frozen=True)
class Identified:
    """A file of a sample, and its identities.

    Attributes
    ----------
    sample, url : str
        Where it belongs and where it is read.
    identities : tuple of str
        Place, content: two files that share one of them are the same.
    """

    sample: str
    url: str
    identities: tuple[str, ...]


def refuse(files: Iterable[Identified], *, data: Collection[str] = ()) -> list[str]:
    """Refuse what would be counted twice; warn of what may be meant.

    The same file twice in one sample is a mistake, and so it is in two samples
    of which one is data.  Two samples of simulation may share a file: one that
    ``varies`` the other, or parts that ``select`` tells apart.

    Parameters
    ----------
    files : iterable of Identified
        In the order of the spec.
    data : collection of str
        Samples that are data.

    Returns
    -------
    list of str
        Warnings, one per pair of samples.

    Raises
    ------
    DataError
        Naming both.
    """
    shared: dict[frozenset[str], str] = {}
    for first, second in _pairs(files):
        places = " and ".join(dict.fromkeys((first.url, second.url)))
        if first.sample == second.sample:
            where = f"samples.{first.sample}: {first.url}, {second.url}"
            raise DataError("the same file is listed twice", where, "list it once")
        names = f"{first.sample} and {second.sample}"
        if first.sample in data or second.sample in data:
            raise DataError(
                f"the same file is in two samples, {names}", places, "data counts once: choose one"
            )
        pair = frozenset((first.sample, second.sample))
        shared.setdefault(pair, f"{names} have the same events ({places})")
    return list(shared.values())


def alike(files: Iterable[tuple[str, str]]) -> list[str]:
    """Warnings of files that have the UUID of another but not its content.

    Parameters
    ----------
    files : iterable of (url, uuid)
        Those whose content is not the same.
    """
    first: dict[str, str] = {}
    warnings = []
    for url, uuid in files:
        other = first.setdefault(uuid, url)
        if other != url:
            warnings.append(f"{other} and {url} have the same UUID: is one made from the other?")
    return warnings[:1]


def _pairs(files: Iterable[Identified]) -> Iterator[tuple[Identified, Identified]]:
    """Every file that shares an identity with an earlier one, with that one."""
    seen: dict[str, list[Identified]] = {}
    for file in files:
        others = [other for identity in file.identities for other in seen.get(identity, [])]
        yield from ((other, file) for other in dict.fromkeys(others))
        for identity in file.identities:
            seen.setdefault(identity, []).append(file)
