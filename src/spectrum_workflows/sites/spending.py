"""What a run spends at a place: its processes are asked at its beginning and at its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spectrum_workflows.accounting.accounts import Accounts, Terms, accounts_of, mean_terms
from spectrum_workflows.accounting.energy import Intensity, Power, per_core
from spectrum_workflows.accounting.power import DEFAULT, Processor, mean_power
from spectrum_workflows.accounting.processors import design_powers
from spectrum_workflows.accounting.readings import Reading, Use, use_between, with_counters
from spectrum_workflows.accounting.telling import tell
from spectrum_workflows.sites.asking import WITHIN, asked
from spectrum_workflows.sites.federated import asked_threads
from spectrum_workflows.sites.profile import Batch, EnergySpec, Local
from spectrum_workflows.sites.profile_files import members_of
from spectrum_workflows.sites.watch import connected

if TYPE_CHECKING:
    from distributed import Client

    from spectrum_workflows.domain import Metrics
    from spectrum_workflows.sites.place import Place
    from spectrum_workflows.sites.profile import Site

PLUG_IN = "SLURM's counters of whole nodes (AcctGatherEnergyType)"


@dataclass(frozen=True)
class Spending:
    """A run that has begun to spend.

    Attributes
    ----------
    place : Place
    readings : tuple of Reading
        Of its processes at the beginning.
    processors : int
        Tasks that could be computed at a time then.
    """

    place: Place
    readings: tuple[Reading, ...]
    processors: int

    def end(self, metrics: Metrics, *, cpu_seconds: float, seconds: float) -> Accounts:
        """The accounts of the run that is over now.

        Parameters
        ----------
        metrics : Metrics
            Of its partitions.
        cpu_seconds, seconds : float
            CPU time of all tasks and of the driver, and wall time.
        """
        now = readings(self.place)
        use = use_between(self.readings, now)
        return accounts_of(
            use,
            self._terms(now, use),
            cpu_seconds=cpu_seconds,
            seconds=seconds,
            processors=self.processors,
            memory=metrics.memory,
            stores=metrics.stores,
            stages=metrics.stages,
        )

    def _terms(self, now: Sequence[Reading], use: Use) -> Terms:
        """What the site says; of several, the mean by what was computed at each of them.

        What the profile of a federation says holds for all.  Sites that compute in this process
        have its CPU time together.
        """
        whole, parts = terms_of(self.place.site, use.processors), []
        if self.place.site.energy != EnergySpec():
            return whole
        for number, own in enumerate(self.place.members):
            at = None if own.client is None else number
            there = use_between(_at(at, self.readings), _at(at, now))
            if spent := sum(seconds for _, seconds in there.processors):
                parts.append((terms_of(own.site, there.processors), spent))
        if not parts:
            return whole
        mean = mean_terms(parts)
        site, project = whole.site or mean.site, whole.project or mean.project
        return replace(mean, site=site, project=project)


def _at(number: int | None, readings: Iterable[Reading]) -> list[Reading]:
    return [reading for reading in readings if reading.site == number]


def begin(place: Place) -> Spending:
    """Begin the accounts of a run."""
    return Spending(place, tuple(readings(place)), _processors(place))


def readings(place: Place) -> list[Reading]:
    """What this process and the workers of a place tell now; those that do not answer are left."""
    told = [tell()]
    for number, own in enumerate(place.members or (place,)):
        if own.client in place.clients:
            told += (replace(one, site=number) for one in asked(own.client, tell).values())
    each = [*{reading.process: reading for reading in told}.values()]
    jobs = sorted({one.job for one in each if one.job and one.joules is None})
    clusters = [own.site.cluster for own in place.members or (place,)]
    for cluster in clusters:
        if jobs and isinstance(cluster, Batch):
            each = with_counters(each, cluster.system.consumed(jobs), PLUG_IN)
    return each


def terms_of(site: Site, kinds: Sequence[tuple[Processor, float]] = ()) -> Terms:
    """What a profile says of energy, and the power of a core.

    Parameters
    ----------
    site : Site
    kinds : sequence of (Processor, float)
        Processors of the nodes and the CPU seconds on each; where they are not known and the
        place is this machine, its own.
    """
    stated = site.energy
    named = site.accounting
    return Terms(
        _power(site, stated, kinds),
        stated.pue,
        _intensity(stated),
        named.site,
        named.project,
    )


def expected_terms(site: Site) -> Terms:
    """What a profile says before a run; of a federation, the mean by the threads it asks for."""
    whole, sites = terms_of(site), terms_of_sites(site)
    if len(sites) == 1:
        return sites[0][0]
    mean = mean_terms(sites)
    return replace(mean, site=whole.site or mean.site, project=whole.project or mean.project)


def terms_of_sites(site: Site) -> list[tuple[Terms, int]]:
    """The terms of every site that may compute, with the threads it asks for.

    What the profile of a federation says holds for all.
    """
    members = members_of(site) if site.energy == EnergySpec() else {}
    return [(terms_of(own), asked_threads(own)) for own in members.values() or (site,)]


def _power(site: Site, stated: EnergySpec, kinds: Sequence[tuple[Processor, float]]) -> Power:
    if stated.watts_per_core is not None:
        source = f"{stated.watts_per_core:g} W per core ({stated.watts_source})"
        return per_core(stated.watts_per_core, source)
    here = site.cluster is None or isinstance(site.cluster, Local)
    if not kinds and here and (processor := tell().processor):
        kinds = [(processor, 1.0)]
    if not kinds:
        return DEFAULT
    models = [processor.name for processor, _ in kinds if processor.cores]
    return mean_power(kinds, design_powers(*models) if models else {})


def _intensity(stated: EnergySpec) -> Intensity | None:
    if stated.carbon_intensity is None:
        return None
    return Intensity(stated.carbon_intensity, stated.carbon_source, stated.carbon_date)


def _processors(place: Place) -> int:
    """Threads of all workers; 1 for a plain loop."""
    if not place.clients:
        return 1
    return sum(map(_threads, place.clients))


def _threads(client: Client) -> int:
    try:
        threads: dict[str, int] = client.sync(client.scheduler.ncores, callback_timeout=WITHIN)
    except Exception:  # whatever a client says whose scheduler or loop has gone
        return len(connected(client))
    return sum(threads.values())
