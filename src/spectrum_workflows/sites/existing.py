"""A scheduler that somebody else has started, with its workers."""

from __future__ import annotations

from pathlib import Path

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.deployment import Deployment
from spectrum_workflows.sites.profile import Existing, Site
from spectrum_workflows.sites.security import check_address


def join_existing(site: Site, cluster: Existing) -> Deployment:
    """Use a scheduler that is already there.

    Raises
    ------
    SiteError
        It does not answer, or talks plain TCP without leave.
    """
    from distributed import Client, Security

    check_address(cluster.address, safe=("tls", "wss", "inproc"), insecure=cluster.insecure)
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
        client, client.close, diagnose=lambda: f"no worker is connected to {cluster.address}"
    )
