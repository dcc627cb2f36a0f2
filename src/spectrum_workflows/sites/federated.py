"""A federation's profile as values: what each of its sites sees of the stores of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from spectrum_workflows.engine import Limits
from spectrum_workflows.engine.federation import SESSION, Federation, Member
from spectrum_workflows.sites.profile import Local, Site
from spectrum_workflows.sites.profile_files import members_of
from spectrum_workflows.storage import Stores


def session_stores(site: Site, data: str) -> Stores:
    """The stores as the session sees them: those of all sites."""
    return _seen_from(SESSION, site, members_of(site), data)


def outline(site: Site, data: str) -> Federation:
    """The federation before anything is connected: enough to say what would lie where."""
    assert site.federation is not None
    profiles = members_of(site)
    members = (member(name, site, profiles, data) for name in profiles)
    return Federation(tuple(members), site.federation.pairs)


def member(name: str, site: Site, profiles: Mapping[str, Site], data: str) -> Member:
    """One of its sites, without workers so far."""
    own = profiles[name]
    return Member(
        name,
        None,
        _seen_from(name, site, profiles, data),
        Limits(own.workers.partition_timeout, own.workers.patience),
        asked_threads(own),
    )


def asked_threads(site: Site) -> int:
    """Threads that a profile asks for, as far as it says that."""
    number = site.workers.count or site.workers.max or 1
    threads = 1
    if isinstance(site.cluster, Local):
        threads = int(site.cluster.options.get("threads_per_worker") or 1)
    return number * threads


def _seen_from(here: str, site: Site, profiles: Mapping[str, Site], data: str) -> Stores:
    """The stores of all sites as one of them sees them: its own options before those of others."""
    assert site.federation is not None
    order = sorted(profiles, key=lambda name: name != here)
    given: dict[str, dict[str, str | int | float | bool]] = {}
    for options in (*(profiles[name].storage for name in order), site.storage):
        for prefix, own in options.items():
            given.setdefault(prefix, own)
    roots = tuple(dict.fromkeys(own.data for own in profiles.values()))
    lying = [(own.data.rstrip("/"), name) for name, own in profiles.items()]
    lying += [(prefix.rstrip("/"), name) for prefix, name in site.federation.stores.items()]
    return replace(
        site.stores,
        options=tuple(
            sorted((prefix, tuple(sorted(own.items()))) for prefix, own in given.items())
        ),
        replicas=profiles[here].replicas if here in profiles else site.replicas,
        roots=roots if data == roots[0] else (data,),
        sites=tuple(lying),
        here=here,
    )
