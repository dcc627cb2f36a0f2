"""Looks after a site's workers while runs go on, and gives up when there are none."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.agreement import check_agreement
from spectrum_workflows.sites.asking import WITHIN
from spectrum_workflows.sites.deployment import Deployment

if TYPE_CHECKING:
    from distributed import Client

PERIOD = 1.0  # seconds between two looks
QUIET = 3.0  # seconds of waiting about which nothing is said


def connected(client: Client) -> frozenset[str]:
    """Addresses of the workers connected now; none where the scheduler does not answer."""
    try:
        return frozenset(client.sync(client.scheduler.ncores, callback_timeout=WITHIN))
    except Exception:  # whatever a client says whose scheduler or loop has gone
        return frozenset()


@dataclass
class Watch:
    """A thread that tends a deployment until `stop`.

    When there has been no worker for ``patience``, a worker has other software
    or the site is beyond repair, ``error`` is set and the client is closed,
    which ends whatever waits for a task.  Any other error of a look is put up
    with: there is another look in a second, and ``patience`` decides.

    Attributes
    ----------
    deployment : Deployment
    patience : float
        Seconds.
    error : SiteError or None
        Why the site was given up.
    """

    deployment: Deployment
    patience: float
    error: SiteError | None = None
    fault: str = ""
    agreed: frozenset[str] = frozenset()
    stopped: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self.thread = threading.Thread(target=self._watch, name="site-watch", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """End the thread; a look under way is finished first."""
        self.stopped.set()
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join(timeout=60)

    def await_first(self) -> None:
        """Wait until there is a worker with the right software, saying so if it takes a while.

        Raises
        ------
        SiteError
            The site was given up.
        """
        console, began = Console(stderr=True), time.monotonic()
        announced = False
        while not self.agreed:
            if self.error is not None:
                raise self.error
            if not announced and time.monotonic() - began > QUIET and console.is_terminal:
                console.print("waiting for the first worker; Ctrl-C gives up")
                announced = True
            self.stopped.wait(0.1)

    def _watch(self) -> None:
        seen = time.monotonic()
        while not self.stopped.wait(PERIOD if self.agreed else PERIOD / 10):
            try:
                seen = time.monotonic() if self._look() else seen
                if time.monotonic() - seen > self.patience:
                    raise self._nobody()
            except SiteError as error:
                if not self.stopped.is_set():
                    self.error = error
                    with suppress(Exception):
                        self.deployment.client.close()
                return

    def _look(self) -> bool:
        """Tend the deployment and compare software; whether there are workers."""
        try:
            self.deployment.reconcile()
            self.fault = ""
            workers = connected(self.deployment.client)
            fresh = workers - self.agreed
            answered = check_agreement(self.deployment.client, fresh) if fresh else frozenset()
        except SiteError:
            raise
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"
            workers, answered = connected(self.deployment.client), frozenset()
        self.agreed = (self.agreed & workers) | answered
        return bool(self.agreed)

    def _nobody(self) -> SiteError:
        reason = ", ".join(filter(None, (self.deployment.diagnose(), self.fault)))
        return SiteError(
            f"no worker for {self.patience:g} s" + (f": {reason}" if reason else ""),
            remedy="patience below [workers] says how long to wait",
        )
