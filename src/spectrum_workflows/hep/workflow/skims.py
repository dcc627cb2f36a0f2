"""Skims in a run: those that it may read and those that it leaves, given to its workload; in words.

A folder below the results root holds the skims of one *content*: conditions, branches, trigger
bits, good runs, and what was looked at when they were made.  Whatever follows from it by itself is
read; what may not follow, though it might, is read from the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from spectrum_workflows.engine.ledger import Ledger, current_ledger
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.select.workload import Workload, load_workload
from spectrum_workflows.hep.types.skims import Skims
from spectrum_workflows.hep.workflow.skim_check import to_check
from spectrum_workflows.hep.workflow.skim_lookup import Match, find, versions_of
from spectrum_workflows.hep.workflow.skim_store import begin_folder, folder_of

if TYPE_CHECKING:
    from spectrum_workflows.domain import Plan
    from spectrum_workflows.hep.spec import HepSpec


def with_skims(workload: Workload, spec: HepSpec, plan: Plan) -> Workload:
    """The workload with the skims that serve it, and with places for those that it leaves.

    Without a ledger, or where the results root cannot be read, nothing is read and left: the
    conditions of the spec hold all the same.
    """
    if spec.skim is None:
        return workload
    unserved = {sample: Skims(columns=spec.skim.columns) for sample in workload.requested}
    workload = replace(workload, checked=to_check(plan.partitions), skims=unserved)
    ledger = current_ledger()
    if ledger is None or not ledger.known:
        return workload
    versions = versions_of(plan, ledger)
    try:
        matches = find(spec, plan, workload, ledger, versions)
        folders = {s: _folder(match, ledger, versions) for s, match in matches.items()}
    except (SpectrumError, OSError):
        return workload
    stamps = {url: ledger.stamps.get(url, "") for url in versions}
    served = {
        sample: Skims(
            match.served,
            folders[sample],
            versions,
            stamps,
            spec.skim.columns,
            match.filtered,
            match.fulfilling,
        )
        for sample, match in matches.items()
    }
    return replace(workload, skims=unserved | served)


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
            share = f"{len(match.served):,} of {match.partitions:,} partitions"
            lines.append(f"{sample}: {share} from the skim {match.key[:12]}")
        elif match.refused:
            lines.append(f"{sample}: no skim serves: {match.refused[0]}")
        else:
            lines.append(f"{sample}: no skim yet; this run leaves one")
    return tuple(lines)


def _folder(match: Match, ledger: Ledger, versions: Mapping[str, str]) -> str:
    """The folder for new skims of a sample, which says what they hold; empty if there is none."""
    if len(match.served) == match.partitions or not versions:  # a damaged one takes its own place
        return folder_of(match.content, ledger) if match.key == match.content.key else ""
    return begin_folder(match.content, ledger)
