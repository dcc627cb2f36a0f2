"""Rules of catalogued data: licence, embargo, access and residency, held against a site."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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


def entries_of(spec: Any, data: str) -> dict[str, CatalogueEntry]:
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
    entries = {one.removeprefix(PREFIX): catalogue.entry(one, data) for one in named}
    known = catalogue.catalogue(data if storage.is_local(data) else "")
    owners = _owners(known)
    if not owners:
        return entries
    try:
        urls = domain.get(spec.workflow).inputs(spec, data)
    except SpectrumError:  # planning says what is wrong with them
        return entries
    return entries | {owners[name]: known[owners[name]] for name in _in(owners, urls)}


def entries_read(plan: Plan, data: str) -> dict[str, CatalogueEntry]:
    """Entries that files of a plan belong to, whatever the spec calls them."""
    known = catalogue.catalogue(data)
    owners = _owners(known)
    urls = (url for url, _ in plan.inputs)
    return {owners[name]: known[owners[name]] for name in _in(owners, urls)}


def _owners(known: Mapping[str, CatalogueEntry]) -> dict[str, str]:
    """Which entry with rules of its own a file belongs to, by its name without endings."""
    return {
        catalogue.plain_name(file.name): name
        for name, entry in known.items()
        for file in entry.files
        if _is_restricted(entry)
    }


def _in(owners: Mapping[str, str], urls: Iterable[str]) -> Iterator[str]:
    names = (catalogue.plain_name(url.rstrip("/").rpartition("/")[2]) for url in urls)
    return (name for name in names if name in owners)


def _is_restricted(entry: CatalogueEntry) -> bool:
    return bool(entry.embargo or entry.residency) or entry.access.casefold() != OPEN


def of_entries(
    entries: Mapping[str, CatalogueEntry], hosts: Sequence[Host], *, today: date | None = None
) -> tuple[Violation, ...]:
    """Rules of some entries that a site does not keep, and licences that it does not take.

    Parameters
    ----------
    entries : mapping of str to CatalogueEntry
        By name.
    hosts : sequence of Host
        Sites that may compute: each must keep them.
    today : date, optional
        In UTC; else the clock's.
    """
    day = today or datetime.now(UTC).date()
    broken = (
        violation
        for name, entry in entries.items()
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
