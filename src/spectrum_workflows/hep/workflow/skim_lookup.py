"""The skims that serve a run: looked up for every sample, the others refused with a reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from spectrum_workflows import storage
from spectrum_workflows.engine.ledger import SKIMS
from spectrum_workflows.hep.select.requirements import not_implied
from spectrum_workflows.hep.types.skims import first_entry, range_key, version_key
from spectrum_workflows.hep.workflow.skim_content import SkimContent, content_of
from spectrum_workflows.hep.workflow.skim_implication import refusals
from spectrum_workflows.hep.workflow.skim_store import KeptSkims, kept_skims

if TYPE_CHECKING:
    from spectrum_workflows.domain import Plan
    from spectrum_workflows.engine.ledger import Ledger
    from spectrum_workflows.hep.select.workload import Workload
    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.types import Events


@dataclass(frozen=True)
class Match:
    """What there is for the partitions of a sample.

    Attributes
    ----------
    content : SkimContent
        That is asked for.
    served : mapping of str to str
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
    served: Mapping[str, str] = field(default_factory=dict)
    partitions: int = 0
    key: str = ""
    filtered: bool = False
    fulfilling: bool = False
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Serving:
    """Skims of one content, with the URLs of those that serve by `first_entry`."""

    kept: KeptSkims
    urls: Mapping[str, str]


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
    all_kept = kept_skims(storage.join(ledger.known, SKIMS)) if ledger.reading else []
    items: dict[str, list[Events]] = defaultdict(list)
    partitions: Sequence[Any] = plan.partitions
    for events in partitions:
        if events.size:
            items[events.sample].append(events)
    out = {}
    for sample, own in items.items():
        asked = content_of(spec, workload, sample)
        out[sample] = _match(asked, own, all_kept, ledger, versions)
    return out


def _match(
    asked: SkimContent,
    items: Sequence[Events],
    all_kept: Sequence[KeptSkims],
    ledger: Ledger,
    versions: Mapping[str, str],
) -> Match:
    """The skims that serve most partitions; of several the one with the fewest events."""
    refused: list[tuple[int, str]] = []
    serving = []
    for kept in all_kept:
        reasons = refusals(asked, kept.content)
        if reasons:
            refused.append((len(reasons), f"{reasons[0]} ({kept.content.key[:12]})"))
            continue
        urls = _urls(kept, items, versions, trusting=ledger.trusting)
        if urls:
            serving.append(_Serving(kept, urls))
        else:
            other = f"it is of other files or partitions ({kept.content.key[:12]})"
            refused.append((1, other))
    words = tuple(line for _, line in sorted(refused, key=itemgetter(0)))
    if not serving:
        return Match(asked, {}, len(items), refused=words)
    contents = [one.kept.content for one in serving]
    best = max(serving, key=lambda s: (len(s.urls), _tightness(s.kept.content, contents)))
    content = best.kept.content
    filtered = asked.filters == content.filters
    fulfilling = asked.conditions == content.conditions
    return Match(asked, best.urls, len(items), content.key, filtered, fulfilling, words)


def _tightness(content: SkimContent, others: Sequence[SkimContent]) -> int:
    """In how many others all events of some content are."""
    return sum(not not_implied(content.require, other.require) for other in others)


def _urls(
    kept: KeptSkims, items: Sequence[Events], versions: Mapping[str, str], *, trusting: bool
) -> dict[str, str]:
    """URLs of the skims of one content that are of these partitions, by `first_entry`."""
    urls = {}
    for events in items:
        of_range = kept.urls.get(range_key(events), {})
        version = versions.get(events.url, "")
        url = of_range.get(version_key(version), "") if version else ""
        if not url and trusting and events.uuid:
            url = next(iter(of_range.values()), "")
        if url:
            urls[first_entry(events)] = url
    return urls
