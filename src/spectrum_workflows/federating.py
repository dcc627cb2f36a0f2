"""A run over several sites: which inputs lie where, and what moves between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from spectrum_workflows import display, storage
from spectrum_workflows.comparing import equal_copies
from spectrum_workflows.domain import Metrics, Plan
from spectrum_workflows.engine.federation import Expected, Federation, Member
from spectrum_workflows.engine.parts import source_of
from spectrum_workflows.engine.placement import distance, place
from spectrum_workflows.errors import AccessError, SpectrumError, StoreError
from spectrum_workflows.storage import Stores
from spectrum_workflows.traffic import Flow, Traffic

R = TypeVar("R")

FAN_IN = 8
"""Of the tree that is placed before a run, whose science may take another."""

AT_A_TIME = 32
"""Inputs that are looked for at other sites at a time."""


@dataclass(frozen=True)
class Copies:
    """What some members read in the place of inputs.

    Attributes
    ----------
    read : mapping of str to tuple of str
        By the URL of the input.
    stamps : mapping of str to str
        Versions of what is read, from before it was compared, as far as stores tell.
    warnings : tuple of str
    """

    read: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stamps: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def know_inputs(
    sites: Federation, plan: Plan, copies: Sequence[Sequence[str]], *, known: str, compare: bool
) -> Copies:
    """Tell a federation where the inputs of a plan lie, and how large they are.

    Parameters
    ----------
    sites : Federation
        Its members get to know which copy is the nearest.
    plan : Plan
    copies : sequence of sequence of str
        Roots below which the same files lie, by what a catalogue says.
    known : str
        Folder of what earlier runs have found out; empty for none.
    compare : bool
        Whether inputs that lie at several sites are read, each at its own, to see that they are
        the same; else those that nobody has compared so far count as being at one site only.

    Returns
    -------
    Copies

    Raises
    ------
    DataError
        Two sites hold different bytes under one name.
    """
    sources = list(dict.fromkeys(filter(None, map(source_of, plan.partitions))))
    candidates = _candidates_of(sources)
    stamps = storage.stamps_of(u for others in candidates.values() for u in others)
    equal, warnings = equal_copies(sites, candidates, known=known, compare=compare)
    equal = {url: tuple(dict.fromkeys((*equal[url], *_published(url, copies)))) for url in sources}
    pairs = _nearer(sites, equal)
    sites.members = tuple(
        replace(
            member,
            stores=replace(
                member.stores,
                nearer=pairs[member.name],
                copies=tuple(tuple(group) for group in copies),
            ),
        )
        for member in sites.members
    )
    stores = sites.members[0].stores
    sites.holders = {
        url: tuple(dict.fromkeys(s for u in (url, *equal[url]) for s in stores.sites_of(u)))
        for url in sources
    }
    sites.weights = _weights(plan)
    read: dict[str, tuple[str, ...]] = {}
    for url, instead in dict.fromkeys(pair for own in pairs.values() for pair in own):
        read[url] = (*read.get(url, ()), instead)
    urls = [u for instead in read.values() for u in instead]
    stamps |= storage.stamps_of(u for u in urls if u not in stamps)
    return Copies(read, {u: stamps[u] for u in urls if u in stamps}, tuple(warnings))


def _weights(plan: Plan) -> dict[str, float]:
    """Bytes of an entry of every input, of one pass over the data."""
    entries, sizes = Counter[str](), dict[str, int]()
    for partition in plan.partitions:
        url = source_of(partition)
        entries[url] += partition.size
        sizes[url] = int(getattr(partition, "nbytes", 0) or 0)
    unknown = [url for url, size in sizes.items() if url and not size]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        sizes |= dict(zip(unknown, pool.map(storage.size_below, unknown), strict=True))
    whole = sum(sizes[url] for url in entries)
    share = (plan.bytes_to_read or whole) / whole if whole else 0.0
    return {url: share * sizes[url] / max(1, entries[url]) for url in entries if url}


def _candidates_of(sources: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What has the same name below the data roots of other sites, for every input."""
    stores = storage.current_stores()
    roots = stores.roots if len(stores.roots) > 1 else ()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        others = pool.map(lambda url: tuple(_candidates(url, roots, stores)), sources)
        return dict(zip(sources, others, strict=True))


def _published(url: str, copies: Sequence[Sequence[str]]) -> Iterator[str]:
    """Copies of a catalogued input, by what its catalogue says."""
    for group in copies:
        for own in group:
            if url.startswith(f"{own}/"):
                yield from (root + url.removeprefix(own) for root in group if root != own)


def _candidates(url: str, roots: Sequence[str], stores: Stores) -> Iterator[str]:
    """What has the same name below the data root of another site."""
    own = next((root for root in roots if url.startswith(f"{root.rstrip('/')}/")), None)
    if own is None:
        return
    for root in roots:
        if root != own:
            other = root.rstrip("/") + url.removeprefix(own.rstrip("/"))
            with storage.using(stores), suppress(AccessError, StoreError):
                if storage.exists(other):
                    yield other


def _nearer(
    sites: Federation, equal: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[tuple[str, str], ...]]:
    """What every member reads in the place of an input, where a copy is nearer."""
    pairs = {}
    for member in sites.members:
        nearest = {
            url: min((url, *others), key=lambda u: _way(sites, member, u))
            for url, others in equal.items()
        }
        pairs[member.name] = tuple(pair for pair in nearest.items() if pair[0] != pair[1])
    return pairs


def _way(sites: Federation, member: Member, url: str) -> float:
    return min(distance(sites.distances, s, member.name) for s in member.stores.sites_of(url))


def over_sites(sites: Federation, compute: Callable[..., tuple[R, Metrics]]) -> tuple[R, Metrics]:
    """Compute at the sites; again where values were lost with the one site at which they lay.

    Parameters
    ----------
    sites : Federation
    compute : callable
        ``compute(client=sites)``.

    Raises
    ------
    SpectrumError
        As ``compute``, or all sites were lost.
    """
    while True:
        sites.check_alive()
        before, sites.expected = sites.interrupted, Expected()
        try:
            result, metrics = compute(client=sites)
        except SpectrumError:
            if sites.interrupted == before or not sites.alive:
                raise
        else:
            if sites.interrupted == before:
                return result, metrics


def planned_traffic(sites: Federation, plan: Plan) -> Traffic:
    """What one pass over the data would move, before anything is computed."""
    items = plan.partitions
    if plan.one_site:
        at = sites.single(items).name
        sites.expect_reads(items, [at] * len(items))
        sites.expected.subtrees = {at: 1}
    else:
        cut = place(sites.wanted(items), FAN_IN, sites.capacity())
        placed = [(item, s.site) for s in cut for item in items[s.node.span(FAN_IN)]]
        sites.expect_reads([item for item, _ in placed], [site for _, site in placed])
        sites.expected.subtrees = dict(Counter(s.site for s in cut))
    return traffic_of(sites, plan, Metrics())


def traffic_of(sites: Federation, plan: Plan, metrics: Metrics) -> Traffic:
    """What was to move and what did."""
    expected, measured = sites.expected, metrics.between
    pairs = sorted({*expected.planned, *expected.by_chance, *measured})
    flows = [
        Flow(
            *pair,
            round(expected.planned.get(pair, 0)),
            measured.get(pair, 0),
            round(expected.by_chance.get(pair, 0)),
        )
        for pair in pairs
    ]
    lost = {name: error.what for name, error in sites.lost.items()}
    method = _method(sites, plan)
    return Traffic(tuple(flows), round(expected.unavoidable), method, expected.subtrees, lost)


def _method(sites: Federation, plan: Plan) -> str:
    """How the work is placed, and why, in a line."""
    shares = sites.expected.subtrees
    if plan.one_site:
        at = next(iter(shares), "") or sites.single(plan.partitions).name
        sizes = [(sites.held(source_of(p)), sites.bytes_of(p)) for p in plan.partitions]
        own = sum(nbytes for held, nbytes in sizes if at in held)
        whole = sum(nbytes for _, nbytes in sizes)
        lies = f"{display.megabytes(round(own))} of {display.megabytes(round(whole))} lie there"
        return f"at one site, {at}: {plan.one_site}; {lies}"
    number = sum(shares.values())
    each = ", ".join(f"{count} at {site}" for site, count in sorted(shares.items()))
    what = display.counted(number, "subtree")
    return f"{what}, where the bytes lie: {each}; their values travel to the session"


def lines_of(traffic: Traffic) -> list[str]:
    """The byte ledger for people: a line for every pair of sites."""
    lines = [traffic.method]
    for name, reason in traffic.lost.items():
        lines.append(f"{name} was lost: {reason}")
    for flow in traffic.flows:
        words = [f"{display.megabytes(flow.planned)} planned"]
        if any(other.measured for other in traffic.flows):
            words.append(f"{display.megabytes(flow.measured)} measured")
        if flow.by_chance:
            words.append(f"{display.megabytes(flow.by_chance)} by chance")
        lines.append(f"{flow.source} -> {flow.target}: {', '.join(words)}")
    return lines
