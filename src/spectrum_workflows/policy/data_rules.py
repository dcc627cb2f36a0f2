"""Rules of catalogued data: licence, embargo, access and residency, held against a site."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from spectrum_workflows import catalogue, domain, storage
from spectrum_workflows.catalogue import PREFIX, CatalogueEntry
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.violations import Violation

if TYPE_CHECKING:
    from spectrum_workflows.domain import Plan
    from spectrum_workflows.policy.hosts import Host
    from spectrum_workflows.sites.policy import Policy

OPEN = "open"


Entries = tuple[tuple[str, CatalogueEntry], ...]
"""Names and entries; several of one name where the data roots of several sites differ."""


def entries_of(spec: Any, data: str) -> Entries:
    """Entries of the catalogue that a spec names, or whose files it names.

    The catalogue of a remote data root is not asked about files that are named themselves:
    `entries_read` does, once it is known that the store answers.

    Raises
    ------
    SpecError
        It names an entry that is not there.
    """
    references = domain.get(spec.workflow).references(spec)
    named = [one for one in references if one.startswith(PREFIX)]
    entries = tuple(pair for one in named for pair in entries_named(one, data))
    is_near = not has_remote_root(data)
    try:
        urls = domain.get(spec.workflow).inputs(spec, data)
    except SpectrumError:  # planning says what is wrong with them
        return entries
    return tuple(dict.fromkeys((*entries, *_owners(urls, data if is_near else ""))))


def entries_named(name: str, data: str) -> Entries:
    """The entry of a name, with or without the prefix, or those of several sites.

    Raises
    ------
    SpecError
        There is no such entry.
    """
    catalogue.entry(name, data)  # or says which there are
    plain = name.removeprefix(PREFIX)
    return tuple(pair for pair in catalogue.every_entry(data) if pair[0] == plain)


def entries_read(plan: Plan, data: str) -> Entries:
    """Entries that files of a plan belong to, whatever the spec calls them."""
    return _owners((url for url, _ in plan.inputs), data)


def has_remote_root(data: str) -> bool:
    """Whether a data root, or one of those it stands for, is no folder of this machine."""
    return not all(map(storage.is_local, storage.data_roots(data)))


def _owners(urls: Iterable[str], data: str) -> Entries:
    """All entries that some files may belong to, by the files' names without endings."""
    names = {catalogue.plain_name(url.rstrip("/").rpartition("/")[2]) for url in urls}
    return tuple(
        (name, entry)
        for name, entry in catalogue.every_entry(data)
        if any(catalogue.plain_name(file.name) in names for file in entry.files)
    )


def of_entries(
    entries: Entries, hosts: Sequence[Host], *, today: date | None = None
) -> tuple[Violation, ...]:
    """Rules of some entries that a site does not keep, and licences that it does not take.

    Parameters
    ----------
    entries : tuple of (str, CatalogueEntry)
        Each with its name.
    hosts : sequence of Host
        Sites that may compute: each must keep them.
    today : date, optional
        In UTC; else the clock's.
    """
    day = today or datetime.now(UTC).date()
    broken = (
        violation
        for name, entry in entries
        for host in hosts
        for violation in _of_entry(name, entry, host, day)
    )
    return tuple(dict.fromkeys(broken))


def _of_entry(name: str, entry: CatalogueEntry, host: Host, day: date) -> Iterator[Violation]:
    where, here = f"catalogue entry {name}", host.name or "this site"
    if entry.embargo is not None and day < entry.embargo:
        days = (entry.embargo - day).days
        yield Violation(
            "embargo",
            where,
            f"{name} is under embargo for {days} more day{'s' * (days != 1)}",
            f"from {entry.embargo} on",
            "wait until then, or leave it out of the spec",
        )
    if entry.access.strip().casefold() not in {OPEN, *host.access}:
        yield Violation(
            "access",
            where,
            f"{name} is for {entry.access}, and {here} states access {_listed(host.access)}",
            entry.access,
            "ask its owner to be admitted, then add the group to policy.access",
        )
    allowed = {one.strip().casefold() for one in entry.residency or ()}
    if entry.residency is not None and not host.known_as & allowed:
        yield Violation(
            "residency",
            where,
            f"{name} would be processed at {here}, which is known as {_listed(host.known_as)}",
            ", ".join(entry.residency),
            "run at one of these places; a site says which it is in policy.known_as",
        )
    yield from _licences(name, entry, host.policies)


def _licences(name: str, entry: CatalogueEntry, policies: Sequence[Policy]) -> Iterator[Violation]:
    for policy in policies:
        allowed = policy.licences
        if allowed is not None and entry.licence.strip().casefold() not in _known(allowed):
            yield Violation(
                "licences",
                policy.stated_by,
                f"the licence of {name} is: {entry.licence}",
                ", ".join(allowed) or "none",
                "leave it out of the spec, or have the licence added by who states this rule",
            )


def _known(names: Any) -> set[str]:
    return {name.strip().casefold() for name in names}


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
