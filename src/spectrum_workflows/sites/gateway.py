"""Workers from a Dask Gateway server, which looks after them itself."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.deployment import Deployment, missing
from spectrum_workflows.sites.profile import Gateway, Site
from spectrum_workflows.sites.security import check_address

if TYPE_CHECKING:
    from dask_gateway import GatewayCluster

ANSWERS_WITHIN = 10.0  # seconds

ENDED: list[Any] = []
"""Closed gateways, kept: one that is deleted before Python ends wants its loop once more, and
waits for ever if the garbage collector deletes it while a client is starting."""


def start_gateway(site: Site, cluster: Gateway) -> Deployment:
    """Ask the server for a cluster of our own.

    Raises
    ------
    SiteError
        The server does not answer, refuses us, or cannot start a cluster.
    """
    try:
        from dask_gateway import GatewayCluster
    except ImportError:
        raise missing("dask-gateway", "gateway") from None

    check_address(cluster.address, safe=("https",), insecure=cluster.insecure)
    started = GatewayCluster.__new__(GatewayCluster)
    try:
        started.__init__(  # in two steps: what fails half-way is ended, too
            address=cluster.address,
            proxy_address=cluster.proxy_address,
            public_address=cluster.public_address,
            auth=cluster.auth,
            **cluster.options,
        )
    except Exception as error:  # aiohttp's and the gateway's own, of many kinds
        with suppress(Exception):
            _end(started)
        raise _refused(error, cluster) from error
    try:
        client = started.get_client()
        _scale(started, site)
    except BaseException as error:
        _end(started)
        raise _refused(error, cluster) if isinstance(error, Exception) else error from error

    def close() -> None:
        try:
            with suppress(Exception):
                client.close()
        finally:
            _end(started)

    return Deployment(
        client, close, diagnose=lambda: f"the gateway at {cluster.address} has started none"
    )


def ask_server(cluster: Gateway) -> int:
    """Clusters that we have at a server, which is asked without starting one.

    Raises
    ------
    SiteError
        It does not answer, or refuses us.
    """
    try:
        from dask_gateway import Gateway as Server
    except ImportError:
        raise missing("dask-gateway", "gateway") from None

    check_address(cluster.address, safe=("https",), insecure=cluster.insecure)
    addresses = {"proxy_address": cluster.proxy_address, "public_address": cluster.public_address}

    async def listed() -> int:
        options: dict[str, Any] = {"auth": cluster.auth, "asynchronous": True, **addresses}
        async with Server(cluster.address, **options) as server:
            return len(await server.list_clusters())

    def in_a_loop() -> int:
        return asyncio.run(asyncio.wait_for(listed(), ANSWERS_WITHIN))

    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook has a loop of its own in this one
            return thread.submit(in_a_loop).result()
    except Exception as error:
        raise _refused(error, cluster) from error


def _end(started: GatewayCluster) -> None:
    try:
        started.close(shutdown=True)
    finally:
        ENDED.append(started.gateway)


def _scale(started: GatewayCluster, site: Site) -> None:
    if site.workers.max is not None:
        started.adapt(minimum=site.workers.min, maximum=site.workers.max)
    else:
        started.scale(site.workers.count or 1)


def _refused(error: Exception, cluster: Gateway) -> SiteError:
    remedies: dict[Any, str] = {
        401: "your credentials are not accepted: set them in Dask's configuration, gateway.auth",
        403: "you may not start clusters there",
    }
    remedy = remedies.get(
        getattr(error, "status", None), "is the address right, and the server up?"
    )
    reason = " ".join(str(error).split()) or type(error).__name__
    return SiteError(f"the gateway did not start a cluster ({reason})", cluster.address, remedy)
