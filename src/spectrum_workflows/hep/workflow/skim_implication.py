"""Implication between contents of skims: whatever follows from one by itself is served by it.

What may not follow, though it might, does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.hep.select.requirements import not_implied

if TYPE_CHECKING:
    from spectrum_workflows.hep.workflow.skim_content import SkimContent


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
