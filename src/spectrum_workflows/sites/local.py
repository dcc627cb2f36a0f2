"""Workers on this machine, and a scheduler that somebody else has started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.deployment import LOOPBACK, Deployment, check_options
from spectrum_workflows.sites.profile import Existing, Local, Site, Workers
from spectrum_workflows.sites.security import (
    check_address,
    fresh_certificates,
    is_loopback,
    warn_insecure,
)

OURS = {
    "security": "certificates are made for every run",
    "protocol": "it is TLS wherever others can reach the scheduler",
    "scheduler_kwargs": "set host or interface",
}


def start_local(site: Site, cluster: Local) -> Deployment:
    """Start worker processes on this machine.

    Raises
    ------
    SiteError
        They could not be started.
    """
    from distributed import Client, LocalCluster, Nanny, Worker

    makers = (LocalCluster.__init__, Nanny.__init__, Worker.__init__)
    check_options(cluster.options, makers, ours=OURS, library="LocalCluster")
    options = {"dashboard_address": LOOPBACK} | _counted(site.workers)
    options |= cluster.options | _secured(cluster)
    try:
        started = LocalCluster(**options)
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise SiteError(f"the local cluster did not start: {error}") from error
    try:
        if site.workers.max is not None:
            started.adapt(minimum=site.workers.min, maximum=site.workers.max)
        client = Client(started, direct_to_workers=True)  # results in one step, not two
    except BaseException:
        started.close()
        raise

    def close() -> None:
        try:
            client.close()
        finally:
            started.close()

    return Deployment(client, close)


def _counted(workers: Workers) -> dict[str, Any]:
    if workers.max is not None:
        return {"n_workers": workers.min}
    return {} if workers.count is None else {"n_workers": workers.count}


def _secured(cluster: Local) -> dict[str, Any]:
    """TLS, unless nobody else can reach the scheduler or the profile wants it open."""
    host = cluster.options.get("host")
    if "interface" not in cluster.options and (host is None or is_loopback(str(host))):
        return {}
    if cluster.insecure:
        warn_insecure("the local cluster")
        return {}
    return {"security": fresh_certificates(), "protocol": "tls"}


def join(site: Site, cluster: Existing) -> Deployment:
    """Use a scheduler that is already there.

    Raises
    ------
    SiteError
        It does not answer, or talks plain TCP without leave.
    """
    from distributed import Client, Security

    check_address(cluster.address, safe=("tls", "wss"), insecure=cluster.insecure)
    for name, file in cluster.files.items():
        if not Path(file).is_file():
            raise SiteError("no such file", file, f"correct {name} below [cluster]")
    try:
        security = Security(**cluster.files)
        client = Client(cluster.address, security=security, timeout=min(30, site.workers.patience))
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise SiteError(
            f"the scheduler does not answer ({error})",
            cluster.address,
            "is it running, and are these its certificates?",
        ) from error
    return Deployment(
        client, client.close, why=lambda: f"no worker is connected to {cluster.address}"
    )
