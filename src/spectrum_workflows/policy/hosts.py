"""The sites that compute for a place, each with the rules that hold there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spectrum_workflows.sites.profile_files import members_of

if TYPE_CHECKING:
    from spectrum_workflows.sites import Place
    from spectrum_workflows.sites.policy import Policy

ITSELF = "the site"
"""Who states a rule that says nothing about it."""


@dataclass(frozen=True)
class Host:
    """A site that may compute.

    Attributes
    ----------
    name : str
        In its federation; empty where there is none.
    policies : tuple of Policy
        Its own, and those of its federation.
    """

    name: str
    policies: tuple[Policy, ...]

    @property
    def known_as(self) -> frozenset[str]:
        """What it is called in the rules of data."""
        return frozenset(one.casefold() for policy in self.policies for one in policy.known_as)

    @property
    def access(self) -> frozenset[str]:
        """Groups that who runs there belongs to."""
        return frozenset(one.casefold() for policy in self.policies for one in policy.access)


def hosts_of(place: Place) -> tuple[Host, ...]:
    """The place's site, or all sites of its federation.

    Raises
    ------
    SpecError
        The profile of one of them cannot be read.
    """
    common = tuple(_named(policy, "") for policy in place.site.policy)
    members = members_of(place.site)
    if not members:
        return (Host("", common),)
    return tuple(
        Host(name, (*common, *(_named(policy, name) for policy in site.policy)))
        for name, site in members.items()
    )


def policies_of(place: Place) -> tuple[Policy, ...]:
    """All rules that hold for a run which any of the sites may compute, each once."""
    every = (policy for host in hosts_of(place) for policy in host.policies)
    return tuple(dict.fromkeys(every))


def _named(policy: Policy, name: str) -> Policy:
    """The same, said to be of a site of a federation."""
    stated = policy.stated_by or ITSELF
    return policy.model_copy(update={"stated_by": f"{name}: {stated}" if name else stated})
