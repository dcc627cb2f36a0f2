"""A run over several sites: which inputs lie where, and what moves between them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import permutations
from typing import TypeVar

from spectrum_workflows import display, storage
from spectrum_workflows.domain import Metrics, Plan
from spectrum_workflows.engine.federation import Federation, Member
from spectrum_workflows.engine.ledger import source_of
from spectrum_workflows.engine.placement import distance, place
from spectrum_workflows.errors import AccessError, DataError, SpectrumError, StoreError
from spectrum_workflows.storage import Stores
from spectrum_workflows.traffic import Flow, Traffic

R = TypeVar("R")

FAN_IN = 8
"""Of the tree that is placed before a run, whose science may take another."""

MOST_PAIRS = 256
"""Inputs with a copy at another site that are told one by one: they travel with every task."""

AT_A_TIME = 32
"""Inputs that are looked for at other sites at a time."""

BLOCK = 8 << 20
"""Bytes of an input that are read at a time where copies are compared."""

KEPT = "copies.json"
"""Below the folder of what is known: hashes of inputs that lie at several sites, by version."""


def know_inputs(
    sites: Federation, plan: Plan, copies: Sequence[Sequence[str]], *, known: str, compare: bool
) -> None:
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

    Raises
    ------
    DataError
        Two sites hold different bytes under one name.
    """
    sources = list(dict.fromkeys(filter(None, map(source_of, plan.partitions))))
    equal = _equal_copies(sites, sources, copies, known, compare=compare)
    groups = [storage.current_stores().roots, *copies]
    pairs = _nearer(sites, sources, equal, groups)
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


def _equal_copies(
    sites: Federation,
    sources: Sequence[str],
    copies: Sequence[Sequence[str]],
    known: str,
    *,
    compare: bool,
) -> dict[str, tuple[str, ...]]:
    """The copies of every input at other sites that hold the same bytes."""
    stores = storage.current_stores()
    roots = stores.roots if len(stores.roots) > 1 else ()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        candidates = pool.map(lambda url: _candidates(url, roots, stores), sources)
        found = dict(zip(sources, map(tuple, candidates), strict=True))
    hashes = _Hashes(sites, known, compare=compare)
    equal = {
        url: tuple(other for other in others if hashes.agree(url, other))
        for url, others in found.items()
    }
    hashes.keep()
    for url in sources:
        published = [
            root + url.removeprefix(own)
            for group in copies
            for own in group
            if url.startswith(f"{own}/")
            for root in group
            if root != own
        ]
        equal[url] += tuple(u for u in published if u not in equal[url])
    return equal


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


class _Hashes:
    """Hashes of inputs, each made at the site where it lies, and kept by the input's version."""

    def __init__(self, sites: Federation, known: str, *, compare: bool) -> None:
        self.sites, self.compare, self.fresh = sites, compare, False
        self.url = storage.join(known, KEPT) if known else ""
        self.kept: dict[str, str] = {}
        if self.url:
            with suppress(SpectrumError, OSError, ValueError):
                self.kept = json.loads(storage.read_bytes(self.url))

    def agree(self, url: str, other: str) -> bool:
        """Whether two inputs hold the same bytes, as far as that may be found out now.

        What a store does not let us compare, such as a folder of a web server, is none.
        """
        try:
            sizes = [_file_size(u) for u in (url, other)]
            mine = theirs = ""
            if sizes[0] == sizes[1]:
                mine, theirs = self.of(url), self.of(other)
        except (AccessError, StoreError):
            return False
        if sizes[0] == sizes[1]:
            if not mine or not theirs:
                return False
            if mine == theirs:
                return True
        detail = f" ({sizes[0]:,} and {sizes[1]:,} bytes)" if sizes[0] != sizes[1] else ""
        raise DataError(
            f"two sites hold different bytes under one name{detail}: here, and at "
            f"{storage.shown(other)}",
            storage.shown(url),
            "copy the right one over the other, or remove one of them",
        )

    def of(self, url: str) -> str:
        """The hash of an input; empty where it is not known and may not be made."""
        version = storage.stamp_below(url) or storage.stamp(url)
        key = f"{storage.shown(url)} {version}"
        if key in self.kept:
            return self.kept[key]
        if not self.compare:
            return ""
        self.kept[key], self.fresh = _hashed(self.sites, url), True
        return self.kept[key]

    def keep(self) -> None:
        """Write down what was made."""
        if self.fresh and self.url:
            with suppress(SpectrumError, OSError):
                storage.write_bytes(self.url, json.dumps(self.kept, indent=1).encode())


def _hashed(sites: Federation, url: str) -> str:
    """The hash of an input, made by a worker of a site where it lies, if there is one."""
    at = sites.members[0].stores.sites_of(url)
    for member in sites.alive:
        if member.name in at and member.client is not None and member.client.nthreads():
            with suppress(Exception):  # the site is lost, or has no access: the session looks
                future = member.client.submit(content_hash, url, member.stores, pure=False)
                return str(future.result(timeout=member.limits.stalled))
    return content_hash(url, storage.current_stores())


def _file_size(url: str) -> int:
    """Of a folder none: its locks come and go."""
    described = storage.info(url)
    return 0 if described["type"] == "directory" else int(described["size"] or 0)


def content_hash(url: str, stores: Stores) -> str:
    """SHA-256 of a file, or of all files of a folder with their names; locks are no content."""
    digest = hashlib.sha256()
    with storage.using(stores):
        folder = storage.info(url)["type"] == "directory"
        files = storage.files_below(url) if folder else [url]
        for file in files:
            if file.endswith(".lock"):
                continue
            digest.update(file.rpartition(url.rstrip("/"))[2].encode() + b"\0")
            with storage.open_read(file) as content:
                while block := content.read(BLOCK):
                    digest.update(block)
    return digest.hexdigest()


def _nearer(
    sites: Federation,
    sources: Sequence[str],
    equal: dict[str, tuple[str, ...]],
    groups: Sequence[Sequence[str]],
) -> dict[str, tuple[tuple[str, str], ...]]:
    """What every member reads in the place of an input, where a copy is nearer."""
    pairs = {}
    for member in sites.members:
        own: dict[str, str] = {}
        for url in sources:
            nearest = min((url, *equal[url]), key=lambda u: _way(sites, member, u))
            if nearest != url:
                own[url] = nearest
        pairs[member.name] = tuple(_joined(own, sources, groups).items())
        if len(pairs[member.name]) > MOST_PAIRS:
            pairs[member.name] = ()
            for url in own:
                equal[url] = ()
    return pairs


def _way(sites: Federation, member: Member, url: str) -> float:
    return min(distance(sites.distances, s, member.name) for s in member.stores.sites_of(url))


def _joined(
    pairs: dict[str, str], sources: Sequence[str], groups: Sequence[Sequence[str]]
) -> dict[str, str]:
    """The same with a pair of roots for all that lies below one, where that holds for all."""
    joined, rest = {}, pairs
    for own, instead in (pair for group in groups for pair in permutations(group, 2)):
        root, other = own.rstrip("/"), instead.rstrip("/")
        below = [url for url in sources if url.startswith(f"{root}/")]
        moved = {url: other + url.removeprefix(root) for url in below}
        if len(below) > 1 and all(rest.get(url) == u for url, u in moved.items()):
            joined[root] = other
            rest = {url: u for url, u in rest.items() if url not in moved}
    return {**joined, **rest}


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
        before = sites.interrupted
        try:
            result, metrics = compute(client=sites)
        except SpectrumError:
            if sites.interrupted == before:
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
    return Traffic(tuple(flows), round(expected.minimum), method, expected.subtrees, lost)


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
