"""The address of Dask's dashboard for a browser: direct, or through the notebook server."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from distributed import Client


def dashboard_link(client: Client) -> str:
    """The dashboard's address for the person in front of the notebook.

    On a hub or Binder the browser does not reach this machine's loopback, but the
    notebook server does, where jupyter-server-proxy is installed.

    Parameters
    ----------
    client : distributed.Client

    Returns
    -------
    str
        A URL, or a path on the notebook server; it holds the secret path of the run.
    """
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "")
    proxied = bool(prefix) and find_spec("jupyter_server_proxy") is not None
    return through_proxy(str(client.dashboard_link), prefix if proxied else "")


def through_proxy(link: str, prefix: str) -> str:
    """The same page behind a notebook server whose own pages lie below a prefix.

    >>> through_proxy("http://127.0.0.1:8787/secret/status", "/user/me/")
    '/user/me/proxy/8787/secret/status'
    >>> through_proxy("http://127.0.0.1:8787/status", "")
    'http://127.0.0.1:8787/status'
    """
    parts = urlsplit(link)
    if not prefix or not parts.port:
        return link
    return f"{prefix.rstrip('/')}/proxy/{parts.port}{parts.path}"


def memory_of(client: Client) -> int:
    """Memory limits of all connected workers, bytes; 0 where they have none."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return sum(int(worker["memory_limit"] or 0) for worker in workers)
