"""The plan of a run: every file surveyed and cut into partitions, the selection rehearsed.

Files are opened on the workers.  Where spec or catalogue say how many events they
have, none is opened; where a plan of the same question opened them before, what it
knew is used again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spectrum_workflows import catalogue, storage
from spectrum_workflows.display import counted
from spectrum_workflows.domain import OnError, Plan, Report, Volume
from spectrum_workflows.engine.tree import FAN_IN
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import columns, normalisation
from spectrum_workflows.hep.bootstrap.filling import BLOCK
from spectrum_workflows.hep.columns import RequestedColumns
from spectrum_workflows.hep.plan import checks, partition
from spectrum_workflows.hep.plan.cache import Question
from spectrum_workflows.hep.plan.files import InputFile, list_files
from spectrum_workflows.hep.plan.inspection import FileInfo
from spectrum_workflows.hep.plan.rehearsal import rehearse
from spectrum_workflows.hep.plan.survey import Surveyor
from spectrum_workflows.hep.select.workload import Workload, load_workload
from spectrum_workflows.hep.spec import HepSpec, bootstrap
from spectrum_workflows.hep.types import Events

if TYPE_CHECKING:
    from distributed import Client


def plan(
    spec: HepSpec,
    data: str,
    *,
    client: Client | None = None,
    known: str = "",
    report: Report = lambda *_: None,
    preflight: bool = False,
    on_error: OnError = "raise",
) -> Plan:
    """Cut all files into partitions; nothing is computed.

    The selection is rehearsed on no events at all, so that a misspelt column,
    cut or region is found now.  Files whose events the spec counts are not
    opened, except those of which the sum of generator weights is asked, and one
    per sample if the spec has fallbacks that select otherwise: to know which
    columns something must stand in for.

    Parameters
    ----------
    spec : HepSpec
        The question.
    data : str
        URL that relative file names are resolved against.
    client : distributed.Client, optional
        Whose workers open the files, and keep them open.
    known : str
        URL of a folder where what is known of files is kept for the next plan, if any.
    report : callable
        ``report(stage, done, total)`` as files are opened.
    preflight : bool
        Only the first file of every sample: what can be refused before
        workers are asked for.
    on_error : {"raise", "keep"}
        Stop at the first file that cannot be opened, or list it in the
        plan's failures and plan the rest.

    Raises
    ------
    DataNotFoundError, DataError
        A file is missing, damaged, lacks a branch, or is counted twice; or a
        sample holds no events.
    SpecError
        The selection cannot be used as written.
    """
    workload = load_workload(spec)
    listing = list_files(spec, data, first=preflight, on_error=on_error)
    question = Question(spec.name, _asked(spec, workload), spec.partition.max_events)
    replicas = tuple(file.replicas for file in listing.files if file.replicas)
    stores = storage.current_stores()
    with storage.using(replace(stores, copies=stores.copies + catalogue.shared_roots(replicas))):
        survey = Surveyor(question, client, known, report, on_error).survey(listing.files)
    infos = survey.infos
    files = [file for file in listing.files if file not in survey.lost]
    lost = (replace(failure, group=file.sample) for file, failure in survey.lost.items())
    failures = (*listing.failures, *lost)
    if not files and failures and not preflight:
        raise DataError(f"no file could be planned: {failures[0].error}", spec.name)
    partitions: list[Events] = []
    warnings = [*listing.warnings, *checks.counted_once(files, infos, workload.data)]
    for sample, requested in workload.requested.items():
        own = [file for file in files if file.sample == sample]
        opened = [infos[file] for file in own if file in infos]
        fallbacks_used = checks.common_fallbacks(sample, opened, requested)
        partitions += _partitions(own, infos, fallbacks_used, spec.partition.max_events)
        lacking = [(info.url, info.fallbacks_used) for info in opened if info.entries]
        warnings += columns.absent(sample, lacking, requested)
        warnings += [f"{f.url} has no events" for f in own if checks.entries(f, infos) == 0]
        generated = [(info.url, info.entries, info.generated) for info in opened]
        warnings += normalisation.warnings(sample, requested.normalisation, generated)
        if own and not preflight:
            checks.check_not_empty(sample, own, infos, requested)
    warnings += checks.not_opened(files, infos, workload.requested)
    warnings += rehearse(workload, infos)[:1]
    if spec.user_code:
        ran = f"runs the code in {spec.user_code} on every worker; it was imported here"
        warnings.append(ran)
    complete = [infos[file] for file in files] if all(f in infos for f in files) else []
    return Plan(
        tuple(partitions),
        sum(info.bytes_to_read for info in complete),
        _memory(complete, spec),
        warnings=tuple(dict.fromkeys(warnings)),
        inputs=(*_identities(partitions, files).items(), *listing.inputs, *workload.inputs),
        code=workload.digest,
        data_bytes=sum({p.url: p.nbytes for p in partitions}.values()) if complete else 0,
        failures=failures,
        published=tuple(sorted({file.url for file in files if file.checksum})),
        replicas=replicas,
        method=_method(spec),
        read=_traffic(complete, user_code=bool(spec.user_code)),
        written=Volume(None, None, COLUMNS) if spec.columns_out is not None else None,
    )


COLUMNS = "how many events are selected for columns_out is not known before"
SELF_CHECK = 4
"""How often at most the events are read that a user's selection is tried on besides."""


PER_EVENT = 64
"""Bytes of an event while replicas are filled: its key, and its entry in one histogram."""


PER_NUMBER = 8 * 5
"""Bytes of a number of replicas: digits of an exact sum, of weights that are of one magnitude."""


def _memory(complete: Sequence[FileInfo], spec: HepSpec) -> int:
    """Bytes that the largest task needs: to fill a partition, or to merge replicas."""
    largest = max((info.memory for info in complete), default=0)
    numbers = PER_NUMBER * bootstrap.numbers_per_sample(spec)
    if not complete or not numbers:
        return largest
    merging = (FAN_IN + 1) * numbers * len(spec.samples)
    events = max((stop - start for info in complete for start, stop in info.cut), default=0)
    return max(largest + BLOCK + PER_EVENT * events + 2 * numbers, merging)


def _traffic(complete: Sequence[FileInfo], *, user_code: bool) -> Volume | None:
    """What a run reads of files that were all looked into: each is opened once, and its columns.

    At most every partition opens its file anew, and so does the plan.  Of an RNTuple only the
    size is known.
    """
    if not complete:
        return None
    columns = sum(info.bytes_to_read for info in complete)
    opening = sum(info.opening for info in complete)
    again = sum((info.opening + info.record) * len(info.cut) for info in complete)
    most = columns + opening + again
    if user_code:
        most += SELF_CHECK * (columns + opening)
    if any(info.bounded for info in complete):
        return Volume(None, most, "the sizes of RNTuples, of which a run reads less")
    return Volume(columns + opening, most, "the files' own structure")


def _asked(spec: HepSpec, workload: Workload) -> Mapping[str, RequestedColumns]:
    """What files must have: what is read, and of simulation what a skim is to keep besides."""
    if spec.skim is None:
        return workload.requested
    return {
        sample: own if sample in workload.data else replace(own, besides=spec.skim.columns)
        for sample, own in workload.requested.items()
    }


def _method(spec: HepSpec) -> str:
    """Eras, and what leaves events out beside triggers, in a line; empty where there is neither."""
    parts = []
    for era, own in spec.era_specs.items():
        size = f"{own.luminosity:g} /pb, " if own.luminosity else ""
        left_out = _left_out(own)
        more = f", {left_out}" if left_out else ""
        parts.append(f"era {era} ({size}{counted(len(own.samples), 'sample')}{more})")
    return "; ".join(parts) if parts else _left_out(spec)


def _left_out(spec: HepSpec) -> str:
    names = [p.name for p in spec.primary_datasets]
    parts = [f"primary data sets {' before '.join(names)}"] if names else []
    parts += [counted(len(spec.event_filters), "event filter")] if spec.event_filters else []
    parts += [f"veto map {name}" for name in spec.veto_maps]
    return ", ".join(parts)


def _partitions(
    files: Sequence[InputFile],
    infos: Mapping[InputFile, FileInfo],
    fallbacks_used: tuple[str, ...],
    max_events: int,
) -> Iterator[Events]:
    """Partitions of files; of one without events, an empty one that sees to its identity."""
    for file in files:
        if file in infos:
            yield from infos[file].partitions(file)
            continue
        assert file.counted is not None, f"{file.url} was neither opened nor counted"
        for start, stop in partition.cuts((0, file.counted), max_events) or [(0, 0)]:
            yield Events(
                file.sample,
                file.url,
                file.tree,
                *(start, stop, "", 0),
                entries=file.counted,
                fallbacks_used=fallbacks_used,
            )


def _identities(partitions: Sequence[Events], files: Sequence[InputFile]) -> dict[str, str]:
    """Identity of the content of every file, as far as it is known."""
    published = {file.url: file.checksum for file in files}
    return {
        p.url: f"{f'{p.uuid} {p.nbytes}' if p.uuid else f'{p.entries} events'} "
        f"{published[p.url]}".strip()
        for p in partitions
    }
