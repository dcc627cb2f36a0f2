"""Schedulers and workers without an open door besides their encrypted one.

Dask also serves HTTP: the dashboard, and numbers and task names as JSON and for
Prometheus.  Every user of a machine can connect to its ports.  So workers serve none, and
the scheduler only below a path that is made anew for every run and that nobody can guess.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import signal
import threading
from collections.abc import Awaitable, Callable
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.security import is_loopback, warn_insecure

if TYPE_CHECKING:
    from bokeh.resources import Resources
    from distributed import Scheduler
    from distributed import Worker as DaskWorker


def secret_path() -> str:
    """A path that nobody can guess."""
    return f"/{secrets.token_urlsafe(24)}"


def scheduler(**options: Any) -> Scheduler:
    """A scheduler that answers HTTP below its ``http_prefix`` alone.

    By itself it would list all its paths, the secret one included, at
    ``/sitemap.json``.  There is no moment in between: requests are answered
    by the event loop in which this runs.
    """
    from distributed import Scheduler
    from tornado.web import ErrorHandler

    made = Scheduler(**options)
    application, below = made.http_application, f"{options['http_prefix']}/".encode()
    for pages in application.applications:
        if hasattr(pages, "resources"):
            pages.resources = _beside_the_page
    routed = application.find_handler

    def find_handler(request: Any, **more: Any) -> Any:
        if hmac.compare_digest(request.path.encode()[: len(below)], below):
            return routed(request, **more)
        return application.get_handler_delegate(request, ErrorHandler, {"status_code": 404})

    application.find_handler = find_handler
    return made


def _beside_the_page(absolute_url: str | bool | None = None) -> Resources:
    """Bokeh's scripts under relative addresses, as Dask's own pages have theirs.

    By itself Bokeh asks for them at the root of the server, where a proxy has other things.
    """
    from bokeh.resources import Resources
    from bokeh.server.views.static_handler import StaticHandler

    del absolute_url
    return Resources(mode="server", root_url="", path_versioner=StaticHandler.append_version)


def worker(*address: str, **options: Any) -> DaskWorker:
    """A worker without an HTTP server, which leaves Ctrl-C to the process that waits for it."""
    from distributed import Worker

    if parent_process() and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    made = Worker(*address, **options | {"dashboard": False})  # dask worker asks for one
    made.start_http_server = _served_not
    made.close = _quietly(made.close)
    logging.getLogger("distributed.worker").addFilter(_is_of_this_side)
    return made


def _is_of_this_side(record: logging.LogRecord) -> bool:
    """Whether an error of a worker is no other than that who asked it for data has gone.

    A session that was stopped meanwhile does so, and a worker that died; neither is its fault.
    """
    from distributed.comm import CommClosedError

    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, CommClosedError) and "failed during get data" in record.msg)


def _quietly(close: Callable[..., Awaitable[str]]) -> Callable[..., Awaitable[str]]:
    """End a worker without its last words: whatever it is talking to may end before it."""

    async def closed_quietly(*args: Any, **options: Any) -> str:
        for handler in logging.getLogger("distributed").handlers:
            handler.setLevel(logging.CRITICAL)
        return await close(*args, **options)

    return closed_quietly


def _served_not(*_: Any, **__: Any) -> None:
    pass


class Closed:
    """Base class beside one of Dask's cluster classes, whose scheduler is made by `scheduler`."""

    http_prefix = ""

    __del__ = staticmethod(int)
    """Dask's warns of a cluster that was not closed.  One in Python, run by the garbage collector,
    could meet Stop, of which it can only print a traceback."""

    async def _start(self) -> None:
        self.scheduler_spec: dict[str, Any] = {**self.scheduler_spec, "cls": scheduler}
        await super()._start()  # type: ignore[misc]

    @property
    def dashboard_link(self) -> str:
        """For the owner's browser; it holds the secret path."""
        return link_below(str(super().dashboard_link), self.http_prefix)  # type: ignore[misc]


def closed(kind: type[Any], prefix: str) -> type[Any]:
    """A kind of Dask's cluster objects, with a closed scheduler."""
    return type(f"Closed{kind.__name__}", (Closed, kind), {"http_prefix": prefix})


def link_below(link: str, prefix: str) -> str:
    """Put the secret path before the last part of a link, which is the page.

    >>> link_below("/user/me/proxy/8787/status", "/x")
    '/user/me/proxy/8787/x/status'
    """
    head, _, page = link.rpartition("/")
    return f"{head}{prefix}/{page}" if head else link


def check_dashboard(address: Any, *, insecure: bool) -> None:
    """Refuse a dashboard that other machines can reach: it is not encrypted.

    Raises
    ------
    SiteError
        It listens beyond loopback, and the profile does not allow that.
    """
    host = urlsplit(f"//{address}").hostname if isinstance(address, str) else "localhost"
    if not address or is_loopback(host or ""):
        return
    if not insecure:
        raise SiteError(
            f"a dashboard at {address} is not encrypted, and other machines can reach it",
            "[cluster]",
            'write dashboard_address = "127.0.0.1:0" and use an SSH tunnel or jupyter-server-proxy',
        )
    warn_insecure("the dashboard")
