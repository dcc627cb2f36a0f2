"""Several sites that compute together: who they are, what they hold, and which were lost."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from spectrum_workflows import storage
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.limits import Limits, current_limits, limited
from spectrum_workflows.engine.parts import Part, source_of
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.engine.placement import (
    Distances,
    Wanted,
    distance,
    nearest_to,
)
from spectrum_workflows.engine.sizes import nbytes
from spectrum_workflows.errors import SiteError
from spectrum_workflows.storage import Stores

if TYPE_CHECKING:
    from distributed import Client

R = TypeVar("R")

SESSION = "session"
"""What the process in which a run was begun is called among the sites."""


@dataclass(frozen=True)
class Member:
    """One of the sites.

    Attributes
    ----------
    name : str
    client : distributed.Client or None
        ``None`` computes in this process.
    stores : Stores
        As its workers see them.
    limits : Limits
    threads : int
        Threads of its workers, as far as they are not there yet: those that were asked for.
    error : callable
        Why its workers were given up, if they were.
    """

    name: str
    client: Client | None
    stores: Stores
    limits: Limits = field(default_factory=Limits)
    threads: int = 1
    error: Callable[[], SiteError | None] = lambda: None

    @property
    def capacity(self) -> float:
        """Threads that compute here, or will."""
        if self.client is None:
            return 1.0
        try:
            return float(sum(self.client.nthreads().values()) or self.threads)
        except Exception:  # the scheduler has gone: the run hears of it
            return float(self.threads)

    @property
    def limits_now(self) -> Limits:
        """Its limits, with what is forecast of the stage that is computed."""
        now = current_limits()
        return replace(self.limits, forecast=now.forecast, expected=now.expected)

    def fault(self, error: BaseException) -> SiteError | None:
        """Why the site is lost, if an error of its tasks means that."""
        if (given_up := self.error()) is not None:
            return given_up
        if isinstance(error, SiteError):
            return error
        if self.client is not None and self.client.status in ("closing", "closed"):
            return SiteError("its client was closed")
        return None


@dataclass
class Expected:
    """Bytes by source and target, as they are expected.

    Attributes
    ----------
    planned, by_chance : dict of (str, str) to float
        As partitions were placed, and as they would be by chance.
    unavoidable : float
        Bytes that cross as partitions are placed, wherever those are computed that all could read.
    subtrees : dict of str to int
        Of the last pass, by site.
    """

    planned: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    by_chance: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    unavoidable: float = 0.0
    subtrees: dict[str, int] = field(default_factory=dict)


@dataclass
class Federation:
    """Sites that compute together; where the engine takes a client, it takes one of these.

    Attributes
    ----------
    members : tuple of Member
    distances : mapping of (str, str) to float
        From a store's site to a computing one.
    holders : mapping of str to tuple of str
        Sites that hold the content of an input, by its URL; of others the prefix tells.
    weights : mapping of str to float
        Bytes of an entry of an input, by its URL, where they are known.
    lost : dict of str to SiteError
        Members that are not there any more, and why.
    interrupted : int
        How often values that lay at a single site were lost with it.
    expected : Expected
        Bytes as the placement has them, of all passes so far over inputs that are known.
    """

    members: tuple[Member, ...]
    distances: Distances = field(default_factory=dict)
    holders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    lost: dict[str, SiteError] = field(default_factory=dict)
    interrupted: int = 0
    expected: Expected = field(default_factory=Expected)
    in_session: threading.Lock = field(default_factory=threading.Lock)

    @property
    def alive(self) -> tuple[Member, ...]:
        """The members that have not been lost."""
        return tuple(m for m in self.members if m.name not in self.lost)

    def member(self, name: str) -> Member:
        """The member of a name."""
        return next(m for m in self.members if m.name == name)

    def forget(self) -> None:
        """Begin another run: nothing is known of its inputs, nor where they lie; lost is lost."""
        self.holders, self.weights, self.expected = {}, {}, Expected()
        self.members = tuple(
            replace(member, stores=replace(member.stores, nearer=(), copies=()))
            for member in self.members
        )

    def lose(self, member: Member, error: SiteError) -> None:
        """Note that a member is not there any more.

        Raises
        ------
        SiteError
            It was the last.
        """
        self.lost[member.name] = error
        self.check_alive()

    def check_alive(self) -> None:
        """Refuse to go on without any member.

        Raises
        ------
        SiteError
            All were lost; it says why each was.
        """
        if self.alive:
            return
        reasons = "; ".join(f"{name}: {lost.what}" for name, lost in self.lost.items())
        last = [*self.lost.values()][-1]
        raise SiteError(
            f"all sites of the federation were lost ({reasons})",
            remedy=last.remedy or "run it again: it goes on from what was finished",
        ) from last

    def wanted(self, items: Sequence[Any]) -> list[Wanted]:
        """What every item needs of the members that are there."""
        self.check_alive()
        names = [member.name for member in self.alive]
        nearest: dict[str, frozenset[str]] = {}
        for source in {source_of(item) for item in items}:
            nearest[source] = nearest_to(self.held(source), names, self.distances)
        return [Wanted(nearest[source_of(item)], self.bytes_of(item)) for item in items]

    def held(self, source: str) -> tuple[str, ...]:
        """Sites that hold an input; none for what is no input."""
        if not source:
            return ()
        if source in self.holders:
            return self.holders[source]
        return self.members[0].stores.sites_of(source)

    def bytes_of(self, item: Any) -> float:
        """Bytes of an item, or only how large it is beside others."""
        return float(item.size) * self.weights.get(source_of(item), 1.0) or 1e-9

    def capacity(self) -> dict[str, float]:
        """What every member can compute that is there."""
        return {member.name: member.capacity for member in self.alive}

    def single(self, items: Sequence[Any]) -> Member:
        """The one member for what needs one scheduler: bytes have the shortest way to it.

        Raises
        ------
        SiteError
            No member is there any more.
        """
        self.check_alive()
        held = [(self.held(source_of(item)), self.bytes_of(item)) for item in items]

        def way(member: Member) -> tuple[float, float]:
            ways = (
                size * min(distance(self.distances, source, member.name) for source in sources)
                for sources, size in held
                if sources
            )
            return sum(ways), -member.capacity

        return min(self.alive, key=way)

    def expect_reads(self, items: Sequence[Any], sites: Sequence[str]) -> None:
        """Note what is read, where, in a pass that computes every item at the site beside it."""
        capacity = self.capacity()
        total = sum(capacity.values())
        planned, by_chance = self.expected.planned, self.expected.by_chance
        pairs: dict[tuple[str, str], float] = defaultdict(float)
        for item, site in zip(items, sites, strict=True):
            if (source := source_of(item)) in self.weights:
                pairs[source, site] += self.bytes_of(item)
        for (source, site), size in pairs.items():
            planned[self._from(source, site), site] += size
            for other, threads in capacity.items():
                by_chance[self._from(source, other), other] += size * threads / total
            if not {*self.held(source)} & {*capacity}:
                self.expected.unavoidable += size

    def expect_values(self, size: int, sites: Mapping[str, int]) -> None:
        """Note the values of some subtrees, all of one size, that go from sites to the session."""
        if not self.weights:
            return  # a pass that plans
        for name, count in sites.items():
            if self.member(name).client is not None:
                self.expected.planned[name, SESSION] += count * size
                self.expected.unavoidable += count * size

    def expect_shared(self, shared: Sequence[Any], member: Member) -> None:
        """Note the values that all partitions of a site need."""
        if self.weights:
            for pair, size in sent(shared, member).between.items():
                self.expected.planned[pair] += size
                self.expected.unavoidable += size

    def _from(self, source: str, site: str) -> str:
        """The site from which another reads an input."""
        return min(self.held(source), key=lambda s: distance(self.distances, s, site))

    def of_values(self, shared: Sequence[Any]) -> Member | None:
        """The member at which values lie that a computation shares, if it shares any."""
        persisted = [value for value in shared if isinstance(value, Persisted)]
        return next((m for v in persisted for m in self.members if m.client is v.client), None)


@contextmanager
def computing_at(federation: Federation, member: Member) -> Iterator[None]:
    """Compute in the block at one of the sites, as what lies there, or needs one scheduler, must.

    Raises
    ------
    SiteError
        The site was lost, and what lay there with it.
    """
    try:
        with storage.using(member.stores), limited(member.limits_now):
            yield
    except Exception as error:
        fault = member.fault(error)
        if fault is None:
            raise
        federation.lose(member, fault)
        federation.interrupted += 1
        raise fault from error


def sent(shared: Sequence[Any], member: Member) -> Metrics:
    """What goes to a site with the first of its partitions: the values that all of them need."""
    if member.client is None:
        return Metrics()
    sizes = [nbytes(value) for value in shared if not isinstance(value, Persisted)]
    return Metrics(between={(SESSION, member.name): sum(sizes)}) if sizes else Metrics()


def travelled(part: Part[R], member: Member) -> Part[R]:
    """A value that came from a site, with the bytes of its way and the CPU time of that site."""
    if member.client is None:
        return part
    moved = Metrics(
        between={(member.name, SESSION): nbytes(part.value)},
        cpu_at={member.name: part.metrics.cpu_seconds},
    )
    return replace(part, metrics=part.metrics + moved)


def is_federation(client: object) -> TypeGuard[Federation]:
    """Whether what stands for a client is several sites."""
    return isinstance(client, Federation)
