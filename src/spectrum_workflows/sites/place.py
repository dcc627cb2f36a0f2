"""A connected site: a Dask client, or none, and the roots for data and results."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from spectrum_workflows import display, storage
from spectrum_workflows.credentials import hidden
from spectrum_workflows.engine.federation import Federation, Member, is_federation
from spectrum_workflows.errors import SiteError
from spectrum_workflows.interrupts import (
    hearing_interrupts,
    hide_stray_cancellations,
    interrupted_later,
)
from spectrum_workflows.sites.beginning import begin, without_collecting
from spectrum_workflows.sites.dashboard import dashboard_link, memory_of
from spectrum_workflows.sites.deployment import Deployment
from spectrum_workflows.sites.federated import outline, session_stores
from spectrum_workflows.sites.profile import Batch, Existing, Gateway, Local, Site
from spectrum_workflows.sites.profile_files import members_of
from spectrum_workflows.sites.spooling import spools
from spectrum_workflows.sites.watch import Watch, connected
from spectrum_workflows.storage import Stores

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True, repr=False)
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
    watch : Watch or None
        Looks after the workers; ``None`` where they are somebody else's.
    members : tuple of Place
        The sites of a federation; the engine takes it where it takes a client.
    """

    site: Site
    data: str
    results: str
    client: Client | None = None
    watch: Watch | None = None
    members: tuple[Place, ...] = ()

    @property
    def stores(self) -> Stores:
        """Storage options per URL prefix."""
        if self.site.federation is not None:
            return session_stores(self.site, self.data)
        return self.site.stores

    @property
    def federation(self) -> Federation | None:
        """The sites that compute together here, if they are several and connected."""
        return self.client if is_federation(self.client) else None

    @property
    def clients(self) -> tuple[Client, ...]:
        """The Dask clients: one, or those of the sites that are there."""
        if (sites := self.federation) is not None:
            return tuple(member.client for member in sites.alive if member.client is not None)
        return (self.client,) if self.client is not None else ()

    @property
    def spools(self) -> tuple[str, ...]:
        """Folders of this machine that keep results until they are below ``results``."""
        return spools(self.site)

    @property
    def workers(self) -> int:
        """Workers connected now; 0 without a cluster."""
        return sum(len(connected(client)) for client in self.clients)

    @property
    def error(self) -> SiteError | None:
        """The error for which the workers were given up, if they were."""
        return self.watch.error if self.watch else None

    @property
    def dashboard(self) -> str:
        """Address of the tasks for a browser; through jupyter-server-proxy where there is a hub."""
        return ", ".join(dashboard_link(client) for client in self.clients)

    @property
    def metrics(self) -> str:
        """Address of the figures for Prometheus, of every scheduler; empty without a cluster."""
        links = map(dashboard_link, self.clients)
        return ", ".join(f"{link.removesuffix('/status')}/metrics" for link in links if link)

    def __repr__(self) -> str:
        return f"<Place, {self._kind}: {self._workers}>"

    @property
    def _kind(self) -> str:
        if self.site.federation is not None:
            return f"federation of {', '.join(self.site.federation.sites)}"
        return self.site.cluster.kind if self.site.cluster else "serial"

    @property
    def _workers(self) -> str:
        if not self.clients:
            return "this process, no workers"
        number, memory = self.workers, sum(map(memory_of, self.clients))
        limit = f" of {memory / 1e9:.1f} GB together" if memory else ""
        return f"{number} worker{'s' * (number != 1)}{limit}"

    def _repr_html_(self) -> str:
        rows = [("where", self.site.description), ("workers", self._workers)]
        if self.dashboard:
            rows.append(("dashboard", self.dashboard))
        rows += [("data", hidden(self.data)), ("results", hidden(self.results))]
        notes = [str(self.error)] if self.error else []
        return display.card(f"place: {self._kind}", rows, notes=notes)

    def read(self, name: str) -> bytes:
        """The content of a small file below the data root, wherever that is.

        Raises
        ------
        SpectrumError
            It is not there, or cannot be read.
        """
        with storage.using(self.stores):
            return storage.read_bytes(storage.join(self.data, name))

    def close(self) -> None:
        """Give the workers back; Dask has nothing to say about how they end."""
        for member in self.members:
            member.close()
        if self.watch is not None:
            from distributed.utils import silence_logging_cmgr

            quiet = silence_logging_cmgr(logging.CRITICAL)
            with interrupted_later(), quiet, without_collecting():
                self.watch.stop()
                self.watch.deployment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def connect(site: Site, *, data: str | None = None, results: str | None = None) -> Place:
    """Start or reach the site's workers, and wait for the first of them.

    Python, Dask and this package are compared on both sides before work
    starts.

    Parameters
    ----------
    site : Site
        From `load_site`.
    data, results : str, optional
        Root URLs that replace the profile's.

    Raises
    ------
    SiteError
        The workers could not be started, did not come within the site's
        patience, or have other software.
    """
    with hearing_interrupts():
        return _connected(site, data or site.data, results or site.results, _started)


def connect_in_job(site: Site, folder: Path, *, data: str, results: str) -> Place:
    """As `connect`, from inside the one batch job of a whole run.

    Parameters
    ----------
    site : Site
        Workers of a batch system are steps of this job; others are as for `connect`.
    folder : Path
        The run's own, which all nodes of the job see.
    data, results : str
        Root URLs.

    Raises
    ------
    SiteError
        As `connect`.
    """

    def start(site: Site) -> Deployment:
        if not isinstance(site.cluster, Batch):
            return _started(site)
        from spectrum_workflows.sites.batch.allocation import start_steps

        return start_steps(site, site.cluster, folder)

    return _connected(site, data, results, start)


def _connected(site: Site, data: str, results: str, start: Callable[[Site], Deployment]) -> Place:
    if site.federation is not None:
        return _federated(site, data, results)
    place = _begun(site, data, results, start)
    try:
        if place.watch is not None:
            place.watch.await_first()
    except BaseException:
        place.close()
        raise
    return place


def _begun(site: Site, data: str, results: str, start: Callable[[Site], Deployment]) -> Place:
    """A place whose workers are on their way."""
    if site.cluster is None:
        return Place(site, data, results)
    from distributed.gc import disable_gc_diagnosis

    hide_stray_cancellations()
    place = None
    try:
        with interrupted_later() if isinstance(site.cluster, Local) else nullcontext():
            watch = Watch(begin(partial(start, site)), site.workers.patience)
            place = Place(site, data, results, watch.deployment.client, watch)
        disable_gc_diagnosis(force=True)  # a scheduler's here: Stop that meets it would be lost
        watch.start()
    except BaseException:
        if place is not None:
            place.close()
        raise
    return place


def _federated(site: Site, data: str, results: str) -> Place:
    """The sites of a federation; one that cannot be started is lost, as if it had died."""
    begun: dict[str, Place] = {}
    sites = outline(site, data)
    try:
        for name, own in members_of(site).items():
            try:
                begun[name] = _begun(own, own.data, own.results, _started)
            except SiteError as error:
                sites.lose(sites.member(name), error)
        sites.members = tuple(_connected_to(member, begun) for member in sites.members)
        place = Place(site, data, results, cast("Client", sites), members=tuple(begun.values()))
        _await_any(sites, begun)
    except BaseException:
        for own_place in begun.values():
            own_place.close()
        raise
    return place


def _connected_to(member: Member, begun: Mapping[str, Place]) -> Member:
    """A member of a federation with its client, if it could be started."""
    place = begun.get(member.name)
    if place is None:
        return member
    return replace(member, client=place.client, error=partial(_error, place))


def _await_any(sites: Federation, begun: Mapping[str, Place]) -> None:
    """Wait until one of the sites has workers; those of the others may come later.

    Raises
    ------
    SiteError
        All were given up.
    """
    while True:
        for member in sites.alive:
            place = begun[member.name]
            if place.watch is None or place.watch.agreed:
                return
            if place.error is not None:
                sites.lose(member, place.error)
        time.sleep(0.1)


def _error(place: Place) -> SiteError | None:
    return place.error


def _started(site: Site) -> Deployment:
    match site.cluster:
        case Local() as cluster:
            from spectrum_workflows.sites.local import start_local

            return start_local(site, cluster)
        case Batch() as cluster:
            from spectrum_workflows.sites.batch.jobs import start_batch

            return start_batch(site, cluster)
        case Gateway() as cluster:
            from spectrum_workflows.sites.gateway import start_gateway

            return start_gateway(site, cluster)
        case Existing() as cluster:
            from spectrum_workflows.sites.existing import join_existing

            return join_existing(site, cluster)
    raise AssertionError(f"no such kind of cluster: {site.cluster}")
