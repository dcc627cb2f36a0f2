"""A connected site: a Dask client, or none, and the roots for data and results."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, Self

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.profile import Site
from spectrum_workflows.specs import closest
from spectrum_workflows.storage import Stores

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Place:
    """Somewhere to run, until `close`; also a context manager.

    Attributes
    ----------
    site : Site
        The profile it was made from.
    data, results : str
        Root URLs.
    client : distributed.Client or None
        ``None`` means a plain loop in this process.
    cluster : object or None
        What `close` shuts down.
    """

    site: Site
    data: str
    results: str
    client: Client | None = None
    cluster: Any = None

    @property
    def stores(self) -> Stores:
        """Storage options per URL prefix."""
        return self.site.stores

    @property
    def workers(self) -> int:
        """Workers connected now; 0 without a cluster."""
        return len(self.client.nthreads()) if self.client else 0

    def close(self) -> None:
        """Give the workers back."""
        if self.client is not None:
            self.client.close()
        if self.cluster is not None:
            self.cluster.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def connect(site: Site, *, data: str | None = None, results: str | None = None) -> Place:
    """Start or reach the site's workers.

    Parameters
    ----------
    site : Site
        From `load_site`.
    data, results : str, optional
        Root URLs that replace the profile's.

    Raises
    ------
    SiteError
        The workers could not be started.
    """
    data, results = data or site.data, results or site.results
    if site.cluster is None:
        return Place(site, data, results)
    from distributed import Client, LocalCluster

    _check_options(site.cluster.options)
    try:
        cluster = LocalCluster(**site.cluster.options)
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise SiteError(f"the local cluster did not start: {error}") from error
    return Place(site, data, results, Client(cluster), cluster)


def _check_options(options: dict[str, Any]) -> None:
    """Find a misspelt option before LocalCluster hands it to a worker that dies of it."""
    from distributed import LocalCluster, Nanny, Worker

    makers = (LocalCluster.__init__, Nanny.__init__, Worker.__init__)
    known = sorted({name for maker in makers for name in signature(maker).parameters})
    for name in options:
        if name not in known:
            raise SiteError(
                f"LocalCluster has no option {name!r}", "[cluster]", closest(name, known)
            )
