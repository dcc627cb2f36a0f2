"""Sends the figures of a run to its scheduler, whose ``/metrics`` Prometheus reads.

Of several sites, the first that is there tells of the whole run, and each of its own part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from spectrum_workflows.accounting import Energy, energy_of
from spectrum_workflows.accounting.exposing import Progress, RunFigures, SiteFigures, expose
from spectrum_workflows.domain import Metrics, Report
from spectrum_workflows.engine import Observer
from spectrum_workflows.engine.federation import SESSION
from spectrum_workflows.sites.spending import terms_of

if TYPE_CHECKING:
    from distributed import Client

    from spectrum_workflows.accounting.accounts import Accounts, Terms
    from spectrum_workflows.sites import Place

EVERY = 2.0
"""Seconds between two messages, at least: Prometheus asks every 15 s or so."""


@dataclass
class Exporter:
    """An `Observer` that also sends what it hears; what goes wrong there is nobody's loss.

    Attributes
    ----------
    place : Place
    run, workflow : str
    terms : Terms
        Of the site, for the energy while the run goes on.
    observer : Observer
        Whoever watches besides.
    """

    place: Place
    run: str
    workflow: str
    terms: Terms
    observer: Observer
    _begun: float = field(default_factory=time.monotonic)
    _next: float = 0.0
    _progress: dict[str, Progress] = field(default_factory=dict)
    _known: Metrics = field(default_factory=Metrics)

    def due(self) -> bool:
        """Whether whoever watches has time for a picture."""
        return self.observer.due()

    def see(self, snapshot: Any, *, picture: bool) -> None:
        """Hand a snapshot on to whoever watches."""
        self.observer.see(snapshot, picture=picture)

    def attempt(self, action: Callable[[], object]) -> None:
        """Do something for whoever watches."""
        self.observer.attempt(action)

    def count(self, metrics: Metrics) -> None:
        """Take what the run has cost so far."""
        self.observer.count(metrics)
        self._known = metrics
        self._send_if_due()

    def report(self, stage: str, done: int, total: int) -> None:
        """Take the progress of a stage."""
        self._progress[stage] = Progress(stage, done, total)
        self._send_if_due()

    def end(self, state: str, accounts: Accounts | None = None) -> None:
        """Send how the run has ended."""
        self._send(state, accounts)

    def _send_if_due(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            self._send("running")

    def _send(self, state: str, accounts: Accounts | None = None) -> None:
        known, energy = self._known, self._energy(accounts)
        figures = RunFigures(
            self.run,
            self.workflow,
            state,
            time.monotonic() - self._begun,
            tuple(self._progress.values()),
            len(known.failures),
            accounts.cpu_seconds if accounts else known.cpu_seconds,
            accounts.stores if accounts else known.stores,
            energy.joules,
            energy.method,
        )

        whole: RunFigures | None = figures
        for client, part in self._schedulers():
            _send_to(client, whole, part)
            whole = None

    def _schedulers(self) -> Iterator[tuple[Client, SiteFigures | None]]:
        """The clients of the sites that are there, and what each site has done."""
        sites = self.place.federation
        if sites is None:
            yield from ((client, None) for client in self.place.clients)
            return
        for member in sites.alive:
            if member.client is not None:
                yield member.client, part_of(self.run, member.name, self._known)

    def _energy(self, accounts: Accounts | None) -> Energy:
        if accounts is not None:
            return accounts.energy
        return energy_of(
            cpu_seconds=self._known.cpu_seconds,
            watts_per_core=self.terms.power,
            pue=self.terms.pue or 1.0,
        )


def part_of(run: str, site: str, known: Metrics) -> SiteFigures:
    """The part of one of several sites in what a run has cost.

    What moved is told by the site that computes; of values that it gives, by the one that gives.

    Parameters
    ----------
    run, site : str
    known : Metrics
        Of all sites.
    """
    flows = tuple(
        (source, target, nbytes)
        for (source, target), nbytes in sorted(known.between.items())
        if site == (source if target == SESSION else target)
    )
    return SiteFigures(run, site, known.cpu_at.get(site, 0.0), flows)


def _send_to(client: Client, figures: RunFigures | None, part: SiteFigures | None) -> None:
    """Send figures to a scheduler, and do not wait."""

    async def send() -> None:
        with suppress(Exception):
            await client.run_on_scheduler(expose, figures, part)

    with suppress(Exception):
        client.loop.add_callback(send)


@contextmanager
def exported(place: Place, spec: Any, observer: Observer) -> Iterator[Exporter | None]:
    """Export what happens inside the block, where there is a scheduler and prometheus-client.

    Parameters
    ----------
    place : Place
    spec : model
        Of the run, whose name and the time are what its figures are labelled with.
    observer : Observer
        Whoever watches besides.
    """
    if not place.clients or find_spec("prometheus_client") is None:
        yield None
        return
    run = f"{spec.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    exporter = Exporter(place, run, spec.workflow, terms_of(place.site), observer)
    try:
        yield exporter
    except BaseException:
        exporter.end("stopped")
        raise


def both(*reports: Report) -> Report:
    """Tell everybody who wants it of the progress."""

    def report(stage: str, done: int, total: int) -> None:
        for one in reports:
            one(stage, done, total)

    return report
