"""The common form of a running site, whatever library made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

from spectrum_workflows.errors import MissingExtraError, SiteError
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    from distributed import Client

LOOPBACK = "127.0.0.1:0"
"""Where dashboards listen unless a profile says otherwise."""


def _nothing() -> None:
    pass


def _no_reason() -> str:
    return ""


@dataclass(frozen=True)
class Deployment:
    """Workers that are there or on their way.

    Attributes
    ----------
    client : distributed.Client
    close : callable
        Gives everything back; may be called more than once.
    reconcile : callable
        Puts right what has gone wrong with the workers; called every second
        or two.  Raises `SiteError` where that is hopeless.
    diagnose : callable
        Why there is no worker, in the site's own words.
    """

    client: Client
    close: Callable[[], None]
    reconcile: Callable[[], None] = _nothing
    diagnose: Callable[[], str] = _no_reason


def check_options(
    options: Mapping[str, Any], makers: tuple[Any, ...], *, ours: Mapping[str, str], library: str
) -> None:
    """Find a key that the deployment library does not have before it is started.

    Parameters
    ----------
    options : mapping
        The keys to be handed on.
    makers : tuple of callable
        Whose parameters are allowed.
    ours : mapping
        Keys that are set by us, and what to write in the profile instead.
    library : str
        Name of the class, for the error.

    Raises
    ------
    SiteError
        An unknown key, or one of ours.
    """
    known = sorted({name for maker in makers for name in signature(maker).parameters} - {*ours})
    for name in options:
        if name in ours:
            raise SiteError(f"{name} cannot be set", "[cluster]", ours[name])
        if name not in known:
            raise SiteError(f"{library} has no option {name!r}", "[cluster]", closest(name, known))


def missing(library: str, extra: str) -> MissingExtraError:
    """The error where a deployment library is not installed."""
    return MissingExtraError(
        f"{library} is not installed", remedy=f"pip install 'spectrum-workflows[{extra}]'"
    )
