"""Rules of a place: where results and messages go, whose code runs, and which credentials last."""

from __future__ import annotations

import os
import posixpath
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from spectrum_workflows import budget, domain, storage
from spectrum_workflows.doctor.tokens import Credential, at_hand
from spectrum_workflows.policy.hosts import Host, hosts_of, policies_of
from spectrum_workflows.sites.federated import outline
from spectrum_workflows.violations import Violation

if TYPE_CHECKING:
    from spectrum_workflows.sites import Place
    from spectrum_workflows.sites.policy import Policy


def of_code(spec: Any, policies: Sequence[Policy]) -> Iterator[Violation]:
    """A spec that brings code where none is allowed; none of it has run."""
    code = domain.get(spec.workflow).user_code(spec)
    for policy in policies if code else ():
        if not policy.user_code:
            yield Violation(
                "user_code",
                policy.stated_by,
                f"it names code that is not part of this package ({code})",
                "code of the package only",
                "have that code reviewed and installed as part of a package, or run elsewhere",
            )


def of_places(place: Place, notify: str = "", *, data: str = "") -> Iterator[Violation]:
    """What would go where it may not, and a site that is not allowed.

    Parameters
    ----------
    place : Place
        It need not be connected.
    notify : str
        Told of the end of a submitted run; empty for nobody.
    data : str
        Root that data would be copied to, if that is what is done; else results are written.
    """
    goes = [("data", data)] if data else [("results", place.results)] if place.results else []
    if notify.startswith(("https://", "http://")):
        goes.append(("the message at the end", notify))
    for policy in policies_of(place):
        if policy.places is not None:
            yield from _targets(policy, goes)
    for host in hosts_of(place):
        for policy in host.policies:
            if policy.places is not None:
                yield from _computing(policy, host)


def _targets(policy: Policy, goes: Sequence[tuple[str, str]]) -> Iterator[Violation]:
    allowed = policy.places or ()
    prefixes = [one for one in allowed if is_prefix(one)]
    if allowed and not prefixes:  # they are names of sites
        return
    for what, url in goes:
        if not any(is_below(url, prefix) for prefix in prefixes):
            yield Violation(
                "places",
                policy.stated_by,
                f"{what} would go to {storage.shown(url)}",
                ", ".join(allowed) or "nowhere",
                REMEDIES[what],
            )


def _computing(policy: Policy, host: Host) -> Iterator[Violation]:
    names = {one.casefold() for one in policy.places or () if not is_prefix(one)}
    if names and not host.known_as & names:
        known_as = ", ".join(sorted(host.known_as)) or "nothing"
        yield Violation(
            "places",
            policy.stated_by,
            f"it would compute at {host.name or 'a site'}, which is known as {known_as}",
            ", ".join(policy.places or ()),
            "run at one of these sites; a site says which it is in policy.known_as",
        )


REMEDIES = {
    "data": "give one of these as data root (--data)",
    "results": "give one of these as results root (--out)",
    "the message at the end": "give one of these, or a command, as --notify",
}
"""By what goes."""


def is_prefix(text: str) -> bool:
    """Whether a place is a URL or a path, not the name of a site."""
    return "://" in text or text.startswith(("/", "~", "."))


def is_below(url: str, prefix: str) -> bool:
    """Whether a URL or path is a prefix, or below it; no link and no ``..`` leads out of it."""
    own, root = _plain(url), _plain(prefix).rstrip("/")
    return own == root or own.startswith(root + "/")


def _plain(url: str) -> str:
    """A local path without links; of a URL scheme and host in small letters, and no ``..``."""
    if storage.is_local(url):
        path = url.partition("://")[2] if "://" in url else url
        return os.path.realpath(Path(path).expanduser())
    parts = urlsplit(url)
    steps = unquote(parts.path).strip("/")
    path = posixpath.normpath(f"/{steps}") if steps else ""
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), path, "", ""))


def of_credentials(
    place: Place, wall: budget.Amount, inputs: Iterable[str] = (), *, now: float | None = None
) -> Iterator[Violation]:
    """Tokens and proxies that end before a run may, or cannot be read.

    Where the run's length is not foretold, its limit counts; where there is none, either,
    credentials that end cannot be said to last.

    Parameters
    ----------
    place : Place
    wall : Amount
        The run's time.
    inputs : iterable of str
        URLs of what it reads, besides its roots.
    now : float, optional
        Seconds since 1970; else the clock's.
    """
    asked = [one for one in policies_of(place) if one.credentials_margin is not None]
    if not asked:
        return
    moment = time.time() if now is None else now
    longest = wall.at_most if wall.at_most is not None else wall.allowed
    held = _credentials(place, inputs)
    for policy in asked:
        margin = policy.credentials_margin or 0.0
        for credential in held:
            yield from _lasting(credential, policy.stated_by, longest, margin, moment)


def _credentials(place: Place, inputs: Iterable[str]) -> tuple[Credential, ...]:
    """What opens the roots, the inputs and the stores of a place, at each of its sites."""
    members = outline(place.site, place.data).members if place.site.federation else ()
    views = (place.stores, *(member.stores for member in members))
    urls = dict.fromkeys((place.data, place.results, *place.stores.roots, *inputs))
    held: dict[Credential, None] = {}
    for stores in views:
        alike = {
            (storage.urls.scheme_of(url), *sorted(stores.for_url(url).items())): url for url in urls
        }
        options = {url: stores.for_url(url) for url in alike.values()}
        stated = {prefix: dict(own) for prefix, own in stores.options}
        held |= dict.fromkeys(at_hand(tuple(alike.values()), stated | options, os.environ))
    return tuple(held)


def _lasting(
    credential: Credential, stated_by: str, longest: float | None, margin: float, now: float
) -> Iterator[Violation]:
    held = f"{credential.kind} {credential.source}"
    spare = budget.words(margin, "s")
    if credential.error:
        yield Violation(
            "credentials_margin",
            stated_by,
            f"{held}: {credential.error}",
            f"valid {spare} beyond the end of the run",
            "correct its name, or renew it",
        )
        return
    left = credential.expires - now
    if left == float("inf"):
        return
    if longest is None:
        yield Violation(
            "credentials_margin",
            stated_by,
            f"{held} ends {_moment(credential.expires)}, and nobody knows when the run does",
            f"valid {spare} beyond the end of the run",
            "spectrum calibrate SPEC measures it; or state policy.walltime",
        )
    elif left < longest + margin:
        over = "has expired" if left <= 0 else f"ends in {budget.words(left, 's')}"
        yield Violation(
            "credentials_margin",
            stated_by,
            f"{held} {over}, and the run may take {budget.words(longest, 's')}",
            f"valid {spare} beyond the end of the run",
            f"renew it for {budget.words(longest + margin, 's')} or longer",
        )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="minutes")
