"""What leaves events out before ``select``: triggers, primary data sets and flags of events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from spectrum_workflows.hep.spec.veto_maps import maps_of, row_of
from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel, closest

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec

READ, TRIGGERS, OVERLAPS = "read", "triggers", "primary_datasets"
GOOD_RUNS, SKIM, PRESELECT = "good_runs", "skim", "preselect"
"""Rows of the events that are left, besides those of flags and maps."""


class TriggerSpec(FrozenModel):
    """One trigger bit; in a spec a plain string, or ``{path = "HLT_...", absent = false}``."""

    path: Annotated[str, Field(min_length=1)]
    """Name of the branch."""
    absent: Literal[False] | None = None
    """``false``: where a file does not have the bit, it did not fire.  A file without it is
    refused if left out."""


Triggers = tuple[str | TriggerSpec, ...]


class PrimaryDatasetSpec(FrozenModel):
    """A primary data set: data that was written since some triggers fired.

    An event is in every primary data set of which a trigger fired; it is taken from the first in
    the order of the spec.
    """

    name: Name
    """As samples name it by ``primary_dataset``."""
    triggers: Annotated[Triggers, Field(min_length=1)]
    """Its trigger bits, of which one must be set; an event is left out where one of an earlier
    primary data set is."""


class FilterSpec(FrozenModel):
    """A flag of good events; in a spec a string, or ``{path = "Flag_...", absent = true}``."""

    path: Annotated[str, Field(min_length=1)]
    """Name of the branch."""
    absent: Literal[True] | None = None
    """``true``: where a file does not have the flag, all of its events pass.  A file without it is
    refused if left out."""


Filters = tuple[str | FilterSpec, ...]


def triggers_of(spec: HepSpec, sample: str) -> tuple[TriggerSpec, ...]:
    """Trigger bits of a sample, of which one must have fired.

    Those of its own, of its primary data set, of all of them for simulation, or the spec's.
    """
    described = spec.samples[sample]
    if described.triggers is not None:
        return _bits(described.triggers)
    if not spec.primary_datasets:
        return _bits(spec.triggers)
    own = described.primary_dataset
    return _bits(t for p in spec.primary_datasets if own in ("", p.name) for t in p.triggers)


def vetoing_of(spec: HepSpec, sample: str) -> tuple[TriggerSpec, ...]:
    """Trigger bits of earlier primary data sets, of which none may have fired."""
    own = spec.samples[sample].primary_dataset
    if not own:
        return ()
    at = [p.name for p in spec.primary_datasets].index(own)
    return _bits(t for p in spec.primary_datasets[:at] for t in p.triggers)


def filters_of(spec: HepSpec, sample: str) -> tuple[FilterSpec, ...]:
    """Flags that all events of a sample must have."""
    own = spec.samples[sample].event_filters
    named = spec.event_filters if own is None else own
    return tuple(FilterSpec(path=f) if isinstance(f, str) else f for f in named)


def _bits(triggers: Iterable[str | TriggerSpec]) -> tuple[TriggerSpec, ...]:
    """Triggers as they are described in full, each path once; absent where any says so."""
    out: dict[str, TriggerSpec] = {}
    for t in triggers:
        bit = TriggerSpec(path=t) if isinstance(t, str) else t
        if bit.path not in out or bit.absent is not None:
            out[bit.path] = bit
    return tuple(out.values())


def counted(spec: HepSpec) -> bool:
    """Whether it is counted how many events are left after each of them."""
    own = (sample.event_filters for sample in spec.samples.values())
    return bool(spec.primary_datasets or spec.event_filters or spec.veto_maps or any(own))


def rows_of(spec: HepSpec, sample: str) -> tuple[str, ...]:
    """Rows of the events of a sample that are left, in their order; none if nobody counts."""
    if not counted(spec):
        return ()
    rows = [READ]
    rows += [TRIGGERS] if triggers_of(spec, sample) else []
    rows += [OVERLAPS] if vetoing_of(spec, sample) else []
    rows += [GOOD_RUNS] if spec.good_runs and spec.samples[sample].data else []
    rows += [described.path for described in filters_of(spec, sample)]
    rows += [SKIM] if spec.skim is not None else []
    rows += [PRESELECT] if spec.preselect else []
    rows += [row_of(name) for name, m in maps_of(spec, sample).items() if m.drop == "events"]
    return tuple(rows)


def check(spec: HepSpec) -> None:
    """Refuse primary data sets by which an event could be counted twice, or not at all.

    Raises
    ------
    ValueError
        In one line.
    """
    names = [p.name for p in spec.primary_datasets]
    _refuse_twice(names, "primary_datasets")
    if names and spec.triggers:
        raise ValueError("triggers stand in primary_datasets; leave the spec's own out")
    for name in spec.samples:
        _check_sample(spec, name, names)
        _refuse_twice([described.path for described in filters_of(spec, name)], "event_filters")
    if any(sample.data for sample in spec.samples.values()):
        with_data = {sample.primary_dataset for sample in spec.samples.values()}
        lost = next((name for name in names if name not in with_data), "")
        if lost:
            raise ValueError(
                f"primary_datasets: no sample is of {lost!r}, and its events are left out of those"
                " that follow; add one, or leave it out"
            )


def _check_sample(spec: HepSpec, name: str, names: list[str]) -> None:
    sample, where = spec.samples[name], f"samples.{name}"
    own = sample.primary_dataset
    if own and own not in names:
        hint = closest(own, names) if names else "there are no [[primary_datasets]]"
        raise ValueError(f"{where}.primary_dataset: no {own!r} here; {hint}")
    if own and not sample.data:
        raise ValueError(f"{where}: simulation is of no primary data set")
    if own and sample.triggers is not None:
        raise ValueError(f"{where}: its triggers are those of its primary data set")
    if names and sample.data and not own and sample.triggers is None:
        raise ValueError(f"{where} needs primary_dataset, or triggers of its own")


def _refuse_twice(names: list[str], where: str) -> None:
    twice = next((name for k, name in enumerate(names) if name in names[:k]), "")
    if twice:
        raise ValueError(f"{where}: {twice!r} is there twice")
