"""The location of data: a URL, parsed once, with what a site says of its store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spectrum_workflows.storage.options import current_stores
from spectrum_workflows.storage.urls import LOCAL, absolute, scheme_of, shown

TIMEOUT = 10.0
PATIENCE = 20.0
SLOWEST = 100e3
CONCURRENCY = 32


@dataclass(frozen=True)
class Location:
    """A URL with the options that were in force where it came in; made by `location_of`.

    Attributes
    ----------
    url : str
        As it was given.
    scheme : str
        In lower case; ``file`` for a path.
    options : tuple of (str, object)
        What the site profile says of this store, without secrets.
    """

    url: str
    scheme: str
    options: tuple[tuple[str, Any], ...] = ()

    def option(self, name: str, default: Any = None) -> Any:
        """An option that the site profile gives, or else the default."""
        return dict(self.options).get(name, default)

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this machine's file systems."""
        return self.scheme in LOCAL

    @property
    def is_http(self) -> bool:
        """Whether it is a web server's, which can neither list nor take files."""
        return self.scheme in ("http", "https")

    @property
    def bucket(self) -> str:
        """The bucket of an S3 URL; empty for others."""
        return self.url.split("/", 3)[2] if self.scheme in ("s3", "s3a") else ""

    @property
    def shown(self) -> str:
        """The URL without what may be secret in it."""
        return shown(self.url)

    @property
    def patience(self) -> float:
        """Seconds in which what may pass is tried again; 0 for local files."""
        return 0.0 if self.is_local else float(self.option("patience", PATIENCE))

    @property
    def timeout(self) -> float:
        """Seconds without an answer after which it is asked again."""
        return max(0.1, float(self.option("timeout", TIMEOUT)))

    @property
    def slowest(self) -> float:
        """Bytes a second below which a read or write is given up."""
        return max(1.0, float(self.option("slowest", SLOWEST)))

    @property
    def concurrency(self) -> int:
        """Requests that may be under way at a time for one reader."""
        return int(self.option("concurrency", CONCURRENCY))

    @property
    def has_credentials(self) -> bool:
        """Whether there may be credentials that can be read anew."""
        if self.is_http:
            return self.option("token_file") is not None
        return not self.option("anon", False)


def location_of(url: str | Location) -> Location:
    """A URL with the options in force here; a location as it is."""
    if isinstance(url, Location):
        return url
    options = current_stores().for_url(absolute(url))
    return Location(url, scheme_of(url), tuple(options.items()))


def to_read(url: str | Location) -> Location:
    """The same, of what is read here in the place of an input; nothing is written to it."""
    return location_of(url if isinstance(url, Location) else current_stores().nearest(url))
