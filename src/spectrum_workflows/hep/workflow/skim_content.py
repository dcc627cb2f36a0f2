"""The content of skims: what they hold of any file, and what was looked at when they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from spectrum_workflows.code_identity import science_code
from spectrum_workflows.hep.columns import sources
from spectrum_workflows.hep.select.event_filters import GoodRuns
from spectrum_workflows.hep.select.workload import Workload
from spectrum_workflows.hep.spec.event_filters import GOOD_RUNS, OVERLAPS, READ, TRIGGERS
from spectrum_workflows.hep.spec.skim import RequirementSpec
from spectrum_workflows.hep.workflow.reading import branches_to_keep, counts_blocks

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec

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


def content_as_words(content: SkimContent) -> Any:
    """A content, ready for JSON."""
    return _CONTENT.dump_python(content, mode="json")


def content_from_words(words: Any) -> SkimContent:
    """The content that `content_as_words` was given.

    Raises
    ------
    ValueError
        It is none.
    """
    return _CONTENT.validate_python(words)


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
