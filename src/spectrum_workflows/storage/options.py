"""Options per URL prefix, in force inside a block."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from spectrum_workflows.ambient import Ambient

ELSEWHERE = "elsewhere"
"""What the site of a store is called that lies at none of those that compute together."""


@dataclass(frozen=True)
class Stores:
    """Options per URL prefix, without secrets; travels with every task.

    Attributes
    ----------
    options : tuple
        ``(prefix, ((name, value), ...))`` pairs.  A prefix ends where a name
        ends: ``s3://a`` is not one of ``s3://ab``.  Of several that fit, the
        longest is taken.
    replicas : tuple of str
        URL prefixes, the most wanted first: in which order the copies of
        catalogued data are tried.
    copies : tuple of tuple of str
        Roots below which the same files lie, the most wanted first.
    roots : tuple of str
        Data roots below which a name is looked up, of several sites that compute together; the
        first stands for all.
    sites : tuple of (str, str)
        URL prefixes, and the site at which each lies, of such sites.
    here : str
        The site of these that reads; empty where bytes are not accounted for by site.
    nearer : tuple of (str, str)
        Planned inputs, and what is read here in the place of each: the same content, nearer.
    source : str
        The input of which a partition is computed here, the one that is read elsewhere.
    """

    options: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...] = ()
    replicas: tuple[str, ...] = ()
    copies: tuple[tuple[str, ...], ...] = ()
    roots: tuple[str, ...] = ()
    sites: tuple[tuple[str, str], ...] = ()
    here: str = ""
    nearer: tuple[tuple[str, str], ...] = ()
    source: str = ""

    def reading(self, source: str) -> Stores:
        """The same while a partition of one input is computed: of it alone a copy is read."""
        if not self.nearer:
            return self
        nearer = tuple(pair for pair in self.nearer if pair[0] == source)
        return replace(self, nearer=nearer, source=source if nearer else "")

    def nearest(self, url: str) -> str:
        """What is read here for a URL: itself, or where it is in the input the same nearer."""
        if self.source and _below(url, self.source):
            return dict(self.nearer)[self.source] + url.removeprefix(self.source)
        return url

    def sites_of(self, url: str) -> tuple[str, ...]:
        """The sites at which a URL lies: several where they share a file system."""
        fits = [(len(prefix), site) for prefix, site in self.sites if _below(url, prefix)]
        longest = max((length for length, _ in fits), default=0)
        return tuple(site for length, site in fits if length == longest) or (ELSEWHERE,)

    def site_of(self, url: str) -> str:
        """The site at which a URL lies; this one, if it is at several."""
        sites = self.sites_of(url)
        return self.here if self.here in sites else sites[0]

    def copies_of(self, url: str) -> list[tuple[str, str]]:
        """Copies of a file, itself first: root and URL; empty where there is no other.

        Of several roots that fit, the longest is taken.
        """
        fits = [(root, roots) for roots in self.copies for root in roots if _below(url, root)]
        if not fits:
            return []
        own = max((root for root, _ in fits), key=len)
        others = [root for root, roots in fits if root == own for root in roots]
        return [(root, root + url.removeprefix(own)) for root in dict.fromkeys([own, *others])]

    def changed(self, url: str, **options: Any) -> Stores:
        """The same, with some options of one URL and what is below it replaced."""
        own = self.for_url(url) | options
        return replace(self, options=(*self.options, (url, tuple(own.items()))))

    def for_url(self, url: str) -> dict[str, Any]:
        """The options for one URL; `filesystem_options` makes fsspec's of them."""
        fits = [(p, o) for p, o in self.options if _below(url, p)]
        return dict(max(reversed(fits), key=lambda pair: len(pair[0]))[1]) if fits else {}


def _below(url: str, prefix: str) -> bool:
    rest = url.removeprefix(prefix)
    return url.startswith(prefix) and (prefix.endswith("/") or not rest or rest[0] == "/")


_stores = Ambient("stores", Stores())


def using(stores: Stores) -> AbstractContextManager[None]:
    """Resolve URLs with these stores inside the block, and in threads that it starts."""
    return _stores.set(stores)


def current_stores() -> Stores:
    """The stores in force here."""
    return _stores.value


_results = Ambient("results", "")


def writing_below(root: str) -> AbstractContextManager[None]:
    """Let a results root be in force inside the block, for what a run writes as it goes on."""
    return _results.set(root)


def results_root() -> str:
    """The results root in force here; empty where there is none."""
    return _results.value
