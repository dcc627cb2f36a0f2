"""The skims that a run may read, and those that it leaves: found, compared, refused with a reason.

A folder below the results root holds the skims of one *content*: conditions, branches, trigger
bits, good runs, and what was looked at when they were made.  Whatever follows from it by itself is
read; what may not follow, though it might, is read from the files.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from spectrum_workflows import storage
from spectrum_workflows.code_identity import science_code
from spectrum_workflows.engine.ledger import CONTENT, SKIMS, Ledger, current_ledger
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.columns import sources
from spectrum_workflows.hep.select.event_filters import GoodRuns
from spectrum_workflows.hep.select.requirements import not_implied
from spectrum_workflows.hep.select.workload import Workload, load_workload
from spectrum_workflows.hep.spec.event_filters import GOOD_RUNS, OVERLAPS, READ, TRIGGERS
from spectrum_workflows.hep.spec.skim import RequirementSpec
from spectrum_workflows.hep.types.skims import (
    SUFFIX,
    Skims,
    first_entry,
    range_key,
    version_key,
)
from spectrum_workflows.hep.workflow.reading import branches_to_keep, counts_blocks
from spectrum_workflows.hep.workflow.skim_check import to_check

if TYPE_CHECKING:
    from spectrum_workflows.domain import Plan
    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.types import Events

FORMAT = 1
LIBRARIES = ("awkward", "numpy", "uproot")
"""Those that read files."""


@dataclass(frozen=True)
class SkimContent:
    """What skims hold of any file, and what was looked at when they were made.

    Attributes
    ----------
    tree : str
        Name of it.
    branches : tuple of str
        Those that are kept of every file that has them.
    fallbacks : mapping of str to tuple of str
        Where a column comes from that a file does not have.
    require : mapping of str to RequirementSpec
        Conditions that all events fulfil.
    triggers : tuple of str
        Bits of which one is set; all events if there are none.
    vetoing : tuple of str
        Bits of which none is set.
    event_filters : tuple of str
        Flags of which all are set.
    good_runs : tuple of (int, int) or None
        First and last luminosity block of the ranges that all events are in; anywhere if None.
    weighted, certified, blocks : bool
        Whether generator weights were looked at and summed, numbers of runs looked at, and
        luminosity blocks counted.
    rows : tuple of str
        Filters after each of which it was counted what is left.
    format : str
        What makes columns of branches.
    made_by : tuple of str
        Code and versions of libraries.
    """

    tree: str
    branches: tuple[str, ...]
    fallbacks: Mapping[str, tuple[str, ...]]
    require: Mapping[str, RequirementSpec]
    triggers: tuple[str, ...] = ()
    vetoing: tuple[str, ...] = ()
    event_filters: tuple[str, ...] = ()
    good_runs: tuple[tuple[int, int], ...] | None = None
    weighted: bool = False
    certified: bool = False
    blocks: bool = False
    rows: tuple[str, ...] = ()
    format: str = ""
    made_by: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Hash of it all: name of the folder."""
        return hashlib.sha256(_CONTENT.dump_json(self)).hexdigest()[:32]

    @property
    def filters(self) -> tuple[Any, ...]:
        """What leaves events out by what the file has of them."""
        return self.triggers, self.vetoing, self.event_filters, self.good_runs

    @property
    def conditions(self) -> list[RequirementSpec]:
        """What events fulfil besides."""
        return [*self.require.values()]


_CONTENT = TypeAdapter(SkimContent)


def refusals(asked: SkimContent, kept: SkimContent) -> list[str]:
    """Why skims of one content do not serve a run that asks for another; empty if they do."""
    ways = (_of_origin, _of_branches, _of_filters, _of_checks, _of_conditions)
    return [reason for reason in (way(asked, kept) for way in ways) if reason]


def _of_origin(asked: SkimContent, kept: SkimContent) -> str:
    if asked.made_by != kept.made_by:
        return "it was made by other code, or with other versions of libraries"
    if asked.format != kept.format:
        return "it is of files in another format"
    return "" if asked.tree == kept.tree else f"it is of the tree {kept.tree}"


def _of_branches(asked: SkimContent, kept: SkimContent) -> str:
    for name in asked.branches:
        if name not in kept.branches:
            return f"{name} is not kept"
    for name, origin in asked.fallbacks.items():
        if origin and kept.fallbacks.get(name) != origin:
            return f"the fallback of {name} was another"
    return ""


def _of_filters(asked: SkimContent, kept: SkimContent) -> str:
    """Events that are asked for, and were left out."""
    if kept.triggers and not asked.triggers:
        return f"it holds events with {' or '.join(kept.triggers)} only"
    for name in asked.triggers:
        if name not in kept.triggers:
            return f"it was made without the trigger {name}"
    for name in (*asked.vetoing, *asked.event_filters):
        if name not in (*kept.vetoing, *kept.event_filters):
            return f"it was made without {name}"
    if not {*kept.vetoing} <= {*asked.vetoing}:
        return "events of earlier primary data sets are left out"
    if not {*kept.event_filters} <= {*asked.event_filters}:
        return "events without all of its flags are left out"
    if kept.good_runs is not None and not _within(asked.good_runs, kept.good_runs):
        return "the list of good runs holds others"
    return ""


def _of_checks(asked: SkimContent, kept: SkimContent) -> str:
    """Sums and checks over all events that are asked for, and were not made."""
    counted = (asked.rows, asked.filters, asked.weighted)
    if asked.rows and counted != (kept.rows, kept.filters, kept.weighted):
        return "it was counted otherwise what is left by each event filter"
    if asked.weighted and not kept.weighted:
        return "it was made without sums of generator weights"
    if asked.certified and not kept.certified:
        return "it was made without a list of good runs"
    if asked.blocks and not kept.blocks:
        return "it was made without a table of luminosity blocks"
    return ""


def _of_conditions(asked: SkimContent, kept: SkimContent) -> str:
    name = not_implied(asked.require, kept.require)
    words = f"skim.require.{name}, which its events fulfil, does not follow from what is asked"
    return words if name else ""


def _within(asked: Sequence[tuple[int, int]] | None, kept: Sequence[tuple[int, int]]) -> bool:
    """Whether every range is inside one of those that were kept."""
    if asked is None:
        return False
    first, last = np.array(kept, np.int64).reshape(-1, 2).T
    low, high = np.array(asked, np.int64).reshape(-1, 2).T
    at = np.searchsorted(first, low, side="right") - 1
    return bool(np.all((at >= 0) & (high <= last[at])))


def content_of(spec: HepSpec, workload: Workload, sample: str) -> SkimContent:
    """What a run of a spec keeps of the files of a sample, and so what it needs of them."""
    assert spec.skim is not None
    requested = workload.requested[sample]
    more = spec.skim.columns
    fallbacks = requested.fallbacks or {}
    before = (READ, TRIGGERS, OVERLAPS, GOOD_RUNS, *requested.filters)
    return SkimContent(
        spec.tree,
        tuple(sorted(branches_to_keep(requested, more))),
        {n: tuple(sources(fallbacks[n])) for n in requested.every if n in fallbacks},
        dict(spec.skim.require),
        tuple(sorted(requested.triggers)),
        tuple(sorted(requested.vetoing)),
        requested.filters,
        _ranges(workload.inputs_of(sample).good_runs) if requested.certified else None,
        requested.generator_weighted,
        requested.certified,
        counts_blocks(sample, workload),
        tuple(row for row in workload.filter_rows.get(sample, ()) if row in before),
        repr(requested.format),
        (
            science_code(__name__).digest,
            *(f"{name} {version(name)}" for name in LIBRARIES),
            f"format {FORMAT}",
        ),
    )


def _ranges(good: GoodRuns | None) -> tuple[tuple[int, int], ...] | None:
    if good is None:
        return None
    return tuple(zip(good.first.tolist(), good.last.tolist(), strict=True))


@dataclass(frozen=True)
class _Kept:
    """Skims of one content.

    Attributes
    ----------
    folder : str
        URL.
    content : SkimContent
    written : str
        When a run that adds to them began, UTC.
    urls : mapping of str to dict of str to str
        Of all of them, by `range_key` and by `version_key`.
    """

    folder: str
    content: SkimContent
    written: str
    urls: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Match:
    """What there is for the partitions of a sample.

    Attributes
    ----------
    content : SkimContent
        That is asked for.
    there : mapping of str to str
        URLs of skims that serve, by `first_entry`.
    partitions : int
        All that hold events.
    key : str
        Folder of those that serve.
    filtered, fulfilling : bool
        Whether they were kept by the same filters, and by the same conditions.
    refused : tuple of str
        Why others do not, each in a line: first those that are nearest.
    """

    content: SkimContent
    there: Mapping[str, str] = field(default_factory=dict)
    partitions: int = 0
    key: str = ""
    filtered: bool = False
    fulfilling: bool = False
    refused: tuple[str, ...] = ()


def with_skims(workload: Workload, spec: HepSpec, plan: Plan) -> Workload:
    """The workload with the skims that serve it, and with places for those that it leaves.

    Without a ledger, or where the results root cannot be read, nothing is read and left: the
    conditions of the spec hold all the same.
    """
    if spec.skim is None:
        return workload
    workload = replace(workload, checked=to_check(plan.partitions))
    ledger = current_ledger()
    if ledger is None or not ledger.known:
        return workload
    versions = versions_of(plan, ledger)
    try:
        matches = find(spec, plan, workload, ledger, versions)
        folders = {s: _begun(match, ledger, versions) for s, match in matches.items()}
    except (SpectrumError, OSError):
        return workload
    return replace(
        workload,
        skims={
            sample: Skims(
                match.there,
                folders[sample],
                versions,
                spec.skim.columns,
                match.filtered,
                match.fulfilling,
            )
            for sample, match in matches.items()
        },
    )


def describe(spec: HepSpec, plan: Plan) -> tuple[str, ...]:
    """What a run would read of skims, sample by sample, and why others do not serve; in words."""
    ledger = current_ledger()
    if spec.skim is None or ledger is None or not ledger.known:
        return ()
    workload = load_workload(spec)
    matches = find(spec, plan, workload, ledger, versions_of(plan, ledger))
    lines = []
    for sample, match in matches.items():
        if match.key:
            share = f"{len(match.there):,} of {match.partitions:,} partitions"
            lines.append(f"{sample}: {share} from the skim {match.key[:12]}")
        elif match.refused:
            lines.append(f"{sample}: no skim serves: {match.refused[0]}")
        else:
            lines.append(f"{sample}: no skim yet; this run leaves one")
    return tuple(lines)


def versions_of(plan: Plan, ledger: Ledger) -> dict[str, str]:
    """What tells the content of every file, by its URL: a published checksum, or URL and state."""
    versions = {}
    for url, identity in plan.inputs:
        if url in ledger.published:
            versions[url] = f"published {identity}"
        elif ledger.stamps.get(url):
            versions[url] = f"{url} {ledger.stamps[url]}"
    return versions


def find(
    spec: HepSpec, plan: Plan, workload: Workload, ledger: Ledger, versions: Mapping[str, str]
) -> dict[str, Match]:
    """The skims that serve the partitions of every sample.

    Raises
    ------
    SpectrumError
        The results root cannot be read.
    """
    all_kept = _kept(storage.join(ledger.known, SKIMS)) if ledger.reading else []
    items: dict[str, list[Events]] = defaultdict(list)
    partitions: Sequence[Any] = plan.partitions
    for events in partitions:
        if events.size:
            items[events.sample].append(events)
    out = {}
    for sample, own in items.items():
        asked = content_of(spec, workload, sample)
        needed = replace(asked, branches=branches_to_keep(workload.requested[sample], ()))
        out[sample] = _match(asked, needed, own, all_kept, ledger, versions)
    return out


def _match(
    asked: SkimContent,
    needed: SkimContent,
    items: Sequence[Events],
    all_kept: Sequence[_Kept],
    ledger: Ledger,
    versions: Mapping[str, str],
) -> Match:
    """The skims that serve most partitions; of several the one with the fewest events."""
    refused: list[tuple[int, str]] = []
    serving = []
    for kept in all_kept:
        reasons = refusals(needed, kept.content)
        if reasons:
            refused.append((len(reasons), f"{reasons[0]} ({kept.content.key[:12]})"))
            continue
        there = _accepted(kept, items, versions, trusting=ledger.trusting)
        if there:
            serving.append((kept, there))
        else:
            other = f"it is of other files or partitions ({kept.content.key[:12]})"
            refused.append((1, other))
    words = tuple(line for _, line in sorted(refused, key=itemgetter(0)))
    if not serving:
        return Match(asked, {}, len(items), refused=words)
    contents = [kept.content for kept, _ in serving]
    kept, there = max(serving, key=lambda one: (len(one[1]), _tightness(one[0].content, contents)))
    filtered = asked.filters == kept.content.filters
    fulfilling = asked.conditions == kept.content.conditions
    return Match(asked, there, len(items), kept.content.key, filtered, fulfilling, words)


def _tightness(content: SkimContent, others: Sequence[SkimContent]) -> int:
    """In how many others all events of some content are."""
    return sum(not not_implied(content.require, other.require) for other in others)


def _accepted(
    kept: _Kept, items: Sequence[Events], versions: Mapping[str, str], *, trusting: bool
) -> dict[str, str]:
    there = {}
    for events in items:
        of_range = kept.urls.get(range_key(events), {})
        version = versions.get(events.url, "")
        url = of_range.get(version_key(version), "") if version else ""
        if not url and trusting and events.uuid:
            url = next(iter(of_range.values()), "")
        if url:
            there[first_entry(events)] = url
    return there


def _kept(root: str) -> list[_Kept]:
    """All skims below a folder, the latest first; what is damaged is not there."""
    urls: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    listed = storage.files_below(root)
    for url in listed:
        folder, _, name = url.rpartition("/")
        if name.endswith(SUFFIX):
            of_range, _, of_version = name.removesuffix(SUFFIX).partition(".")
            urls[folder][of_range][of_version] = url
    out = []
    for url in listed:
        folder, _, name = url.rpartition("/")
        if name == CONTENT:
            content, written = read_content(url)
            if content is not None and content.key == folder.rpartition("/")[2]:
                out.append(_Kept(folder, content, written, urls[folder]))
    return sorted(out, key=lambda kept: kept.written, reverse=True)


def read_content(url: str) -> tuple[SkimContent | None, str]:
    """What a folder says of its skims, and when; nothing where it is damaged."""
    try:
        words = json.loads(storage.read_bytes(url))
        return _CONTENT.validate_python(words["content"]), str(words["written"])
    except (SpectrumError, OSError, ValueError, KeyError, TypeError):
        return None, ""


def _begun(match: Match, ledger: Ledger, versions: Mapping[str, str]) -> str:
    """The folder for new skims of a sample, which says what they hold; empty if there is none."""
    folder = storage.join(ledger.known, f"{SKIMS}/{match.content.key}")
    if len(match.there) == match.partitions or not versions:  # a damaged one takes its own place
        return folder if match.key == match.content.key else ""
    words = {
        "content": _CONTENT.dump_python(match.content, mode="json"),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "workflow": "hep",
        "name": ledger.about.get("name", ""),
    }
    storage.write_bytes(storage.join(folder, CONTENT), json.dumps(words, indent=1).encode())
    return folder
