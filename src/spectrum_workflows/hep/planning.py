"""Plan a HEP run: look into every file, cut it, and rehearse the selection."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from awkward.errors import FieldNotFoundError

from spectrum_workflows import storage
from spectrum_workflows.domain import Plan
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.hep import histogram, partition, runs
from spectrum_workflows.hep.read import EXPANSION, FileFacts, facts, nothing
from spectrum_workflows.hep.selection import Selection, find
from spectrum_workflows.hep.spec import HepSpec, HistogramSpec
from spectrum_workflows.hep.types import Events

GENERATED = "genWeight"
"""Branch of the generator's weight of an event."""


@dataclass(frozen=True)
class Job:
    """What every task needs besides its partition."""

    columns: tuple[str, ...]
    selection: Selection
    histograms: dict[str, HistogramSpec]
    data: frozenset[str]
    variations: dict[str, tuple[str, ...]]
    corrections: str
    generated: bool

    def columns_of(self, sample: str) -> tuple[str, ...]:
        """Branches to read of a sample."""
        more = (GENERATED,) if self.weighted(sample) else ()
        return tuple(dict.fromkeys((*self.columns, *more)))

    def weighted(self, sample: str) -> bool:
        """Whether the events of a sample have generator weights."""
        return self.generated and sample not in self.data

    @property
    def digest(self) -> str:
        """SHA-256 of the code and the corrections that decide the result."""
        if not self.corrections:
            return self.selection.digest
        both = self.selection.digest + self.corrections
        return hashlib.sha256(both.encode()).hexdigest()

    def select(self, sample: str, events: Any) -> Mapping[str, Any]:
        """Apply the selection as it is for a sample."""
        options: dict[str, Any] = {}
        if any(self.variations.values()):
            options["variations"] = self.variations[sample]
        if self.corrections:
            options["corrections"] = _corrections(self.corrections)
        return self.selection(events, **options)


def inputs(spec: HepSpec, data: str) -> list[str]:
    """URLs of all files the spec names, whether they exist or not."""
    return [storage.join(data, f) for sample in spec.samples.values() for f in sample.files]


def plan(spec: HepSpec, data: str) -> Plan:
    """Look into every file and cut it into partitions; nothing is computed.

    The selection is rehearsed on no events at all, so that a misspelt column,
    cut or region is found now.

    Parameters
    ----------
    spec : HepSpec
        The question.
    data : str
        URL that relative file names are resolved against.

    Raises
    ------
    DataNotFoundError, DataError
        A file is missing, damaged, lacks a branch, or holds no events.
    SpecError
        The selection cannot be used as written.
    """
    task = job(spec)
    partitions: list[Events] = []
    warnings: list[str] = []
    nbytes = memory = 0
    for sample, described in spec.samples.items():
        columns = task.columns_of(sample)
        found = [facts(storage.join(data, f), spec.tree, columns) for f in described.files]
        for file in found if task.weighted(sample) else ():
            runs.generated(file.url, spec.tree)
        warnings += _checked(sample, found)
        for file in found:
            cut = partition.cuts(file.boundaries, spec.partition.max_events)
            partitions += [
                Events(sample, file.url, spec.tree, start, stop, file.uuid, file.nbytes)
                for start, stop in cut
            ]
            nbytes += partition.bytes_read(file.baskets, cut)
            largest = max((stop - start for start, stop in cut), default=0)
            memory = max(memory, EXPANSION * file.uncompressed * largest // max(file.entries, 1))
    for variations in dict.fromkeys(task.variations.values()):
        first = next(p for p in partitions if task.variations[p.sample] == variations)
        warnings += _rehearse(task, first)
    if spec.user_code:
        warnings.append(f"runs the code in {spec.user_code} on every worker")
    identities = {p.url: f"{p.uuid} {p.nbytes}" for p in partitions}
    return Plan(
        tuple(partitions),
        nbytes,
        memory,
        warnings=tuple(warnings),
        inputs=tuple(identities.items()),
        code=task.digest,
    )


def job(spec: HepSpec) -> Job:
    """What every task of a run needs besides its partition."""
    variations = {name: spec.variations_of(name) for name in spec.samples}
    options = ["variations"] * any(variations.values()) + ["corrections"] * bool(spec.corrections)
    selection = find(spec.select, spec.cuts, folder=spec.folder, options=options)
    return Job(
        tuple(dict.fromkeys(spec.columns)),
        selection,
        dict(spec.histograms),
        frozenset(name for name, sample in spec.samples.items() if sample.data),
        variations,
        _correction_text(spec),
        spec.normalisation == "genweight",
    )


def _correction_text(spec: HepSpec) -> str:
    if not spec.corrections:
        return ""
    url = storage.join(spec.folder, spec.corrections)
    text = storage.read_bytes(url).decode(errors="replace")
    try:
        _corrections(text)
    except Exception as error:
        said = str(error).strip().splitlines()[0]
        raise DataError(f"not a correctionlib file ({said})", url) from error
    return text


@lru_cache(maxsize=4)
def _corrections(text: str) -> Any:
    from correctionlib import CorrectionSet

    return CorrectionSet.from_string(text)


def _checked(sample: str, found: list[FileFacts]) -> list[str]:
    """Refuse a sample without events or with a file counted twice."""
    [(identity, times)] = Counter((f.uuid, f.nbytes) for f in found).most_common(1)
    if times > 1:
        urls = [f.url for f in found if (f.uuid, f.nbytes) == identity]
        raise DataError(
            "the same file is listed twice", f"samples.{sample}: {', '.join(urls)}", "list it once"
        )
    if not any(f.entries for f in found):
        raise DataError("no events", found[0].url, f"leave sample {sample!r} out, or replace it")
    return [f"{f.url} has no events" for f in found if not f.entries]


def _rehearse(task: Job, events: Events) -> list[str]:
    """Apply the selection to no events; warn if it cannot stand that."""
    try:
        sample = events.sample
        found = task.select(sample, nothing(events.url, events.tree, task.columns_of(sample)))
    except SpectrumError:
        raise
    except (AttributeError, FieldNotFoundError) as error:
        missing = str(error).splitlines()[0]
        raise DataError(
            f"the selection asks for what is not read ({missing})", "select", "add it to columns"
        ) from error
    except Exception as error:
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        return [f"the selection could not be rehearsed on no events ({line})"]
    varied = task.variations[events.sample]
    histogram.filled(events.sample, found, task.histograms, events=0, variations=varied)
    return []
