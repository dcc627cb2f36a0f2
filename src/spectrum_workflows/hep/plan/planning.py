"""Plan a HEP run: look into every file that is not known, and rehearse the selection.

The files are looked into on the workers.  Where the spec says how many
events they have, none is opened; where a run of the same question looked
into them before, its findings are used again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import awkward as ak
from awkward.errors import FieldNotFoundError

from spectrum_workflows import storage
from spectrum_workflows.domain import Failure, OnError, Plan, Report
from spectrum_workflows.engine import each, merged
from spectrum_workflows.errors import DataError, PartitionError, SpectrumError
from spectrum_workflows.hep import columns, histogram, normalisation
from spectrum_workflows.hep.columns import RequestedColumns
from spectrum_workflows.hep.io.read import wrong_count
from spectrum_workflows.hep.plan import cache, duplicates, partition
from spectrum_workflows.hep.plan.duplicates import Known
from spectrum_workflows.hep.plan.files import listing
from spectrum_workflows.hep.plan.inspection import File, FileInfo, look
from spectrum_workflows.hep.select.observables import regions as looked_at
from spectrum_workflows.hep.select.preparing import counted, selection
from spectrum_workflows.hep.select.selection import located
from spectrum_workflows.hep.select.workload import Workload, job
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import Events

if TYPE_CHECKING:
    from distributed import Client

COUNTED = "events are counted by spec or catalogue: those files were not opened, nor checked"

NOT_COMPARED = (
    'normalisation = "events": nobody looked whether the counted files of {} hold all events'
    " that were generated"
)

Counted = tuple[File, int | None]
"""A file, and how many events spec or catalogue say it has."""


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
        Whose workers look into the files; they keep them open.
    known : str
        URL of a folder where findings are kept for the next plan, if any.
    report : callable
        ``report(stage, done, total)`` as files are looked into.
    glance : bool
        Only the first file of every sample: what can be refused before
        workers are asked for.
    on_error : {"raise", "keep"}
        Stop at the first file that cannot be looked into, or list it in the
        plan's failures and plan the rest.

    Raises
    ------
    DataNotFoundError, DataError
        A file is missing, damaged, lacks a branch, or is counted twice; or a
        sample holds no events.
    SpecError
        The selection cannot be used as written.
    """
    task = job(spec)
    listed = listing(spec, data, first=preflight, on_error=on_error)
    asked = cache.Question(spec.name, task.wanted, spec.partition.max_events)
    opening = _Opening(asked, client, known, report, on_error)
    found, lost = _inspected(_to_open(listed.files, task.wanted), opening)
    lost |= _miscounted(listed.files, found, on_error)
    files = [(f, None if f in found else n) for f, n in listed.files if f not in lost]
    failures = (*listed.failures, *lost.values())
    if not files and failures and not preflight:
        raise DataError(f"no file could be planned: {failures[0].error}", spec.name)
    partitions: list[Events] = []
    warnings = _counted_once(files, found, task.data)
    for sample, wanted in task.wanted.items():
        mine = [(file, count) for file, count in files if file.sample == sample]
        looked = [found[file] for file, _ in mine if file in found]
        fallbacks_used = _same_stand_ins(sample, looked, wanted)
        partitions += _partitions(mine, found, fallbacks_used, spec.partition.max_events)
        lacking = [(x.url, x.fallbacks_used) for x in looked if x.entries]
        warnings += columns.absent(sample, lacking, wanted)
        warnings += [f"{f.url} has no events" for f, n in mine if _entries(f, n, found) == 0]
        made = [(x.url, x.entries, x.generated) for x in looked]
        warnings += normalisation.warnings(sample, wanted.normalisation, made)
        if mine and not preflight:
            _check_not_empty(sample, mine, found, wanted)
    warnings += _not_opened(files, found, task)
    warnings += _rehearsed(task, found)[:1]
    if spec.user_code:
        ran = f"runs the code in {spec.user_code} on every worker; its top level ran here"
        warnings.append(ran)
    known_files = all(file in found for file, _ in files)
    everything = [found[file] for file, _ in files] if known_files else []
    return Plan(
        tuple(partitions),
        sum(looked.bytes_to_read for looked in everything),
        max((looked.memory for looked in everything), default=0),
        warnings=tuple(dict.fromkeys(warnings)),
        inputs=(*_identities(partitions, files).items(), *listed.inputs, *task.inputs),
        code=task.digest,
        data_bytes=sum({p.url: p.nbytes for p in partitions}.values()) if everything else 0,
        failures=failures,
    )


@dataclass(frozen=True)
class _Opening:
    """How files are looked into, and where what was found is kept."""

    asked: cache.Question
    client: Client | None
    known: str
    report: Report
    on_error: OnError


def _to_open(files: Sequence[Counted], wanted: Mapping[str, RequestedColumns]) -> list[File]:
    """Files to look into; of the first of each kind, the types of its columns are wanted too.

    A sum of generator weights stands in the file only, and decides whether its
    sample can be normalised: that must not show after the run.
    """
    typed: set[str] = set()
    begun: set[str] = set()
    kinds = {sample: repr(asked) for sample, asked in wanted.items()}
    ask = []
    for file, count in files:
        first = file.sample not in begun
        begun.add(file.sample)
        asked = wanted[file.sample]
        if count is not None and not (asked.generated or (first and asked.differing)):
            continue
        ask.append(replace(file, form=kinds[file.sample] not in typed))
        typed.add(kinds[file.sample])
    return ask


def _inspected(
    files: Sequence[File], opening: _Opening
) -> tuple[dict[File, FileInfo], dict[File, Failure]]:
    """What is known of some files, from an earlier plan or by opening them on workers.

    Returns
    -------
    found : dict of File to FileInfo
        In the order of the files.
    lost : dict of File to Failure
        Those that could not be looked into.
    """
    known, asked = opening.known, opening.asked
    now = cache.identities(files) if known else {}
    before = cache.load(known, asked, now) if known else {}
    fresh = [f for f in files if f not in before]
    opened, lost = _opened(fresh, opening)
    found = before | opened
    typed, more = _opened(_without_types(files, found, asked), opening)
    found, lost = found | typed, lost | more
    if known and (opened or typed):
        cache.keep(known, asked, now, found)
    return {f: found[f] for f in files if f in found and f not in lost}, lost


def _miscounted(
    files: Sequence[Counted], found: Mapping[File, FileInfo], on_error: OnError
) -> dict[File, Failure]:
    """Files that were opened, and have other numbers of events than spec or catalogue say."""
    wrong = {}
    for file, count in files:
        if count is None or file not in found or found[file].entries == count:
            continue
        error = wrong_count(file.url, found[file].entries, count)
        if on_error == "raise":
            raise error
        wrong[file] = Failure(file.url, count, str(error), 1)
    return wrong


def _opened(
    files: Sequence[File], opening: _Opening
) -> tuple[dict[File, FileInfo], dict[File, Failure]]:
    """What workers find in some files, and which they could not look into."""
    if not files:
        return {}, {}
    asked, client = opening.asked, opening.client
    parts = each(
        look,
        files,
        dict(asked.wanted),
        asked.max_events,
        client=client,
        label=f"hep-{asked.name}-open",
        on_error=opening.on_error,
    )
    sums = merged(parts, _joined, done=lambda n: opening.report("open", n, len(files)))
    rows, metrics = sums
    if client is not None:  # what is read in this process is counted already
        storage.count(metrics.bytes_read)
    found = dict(rows or ())
    failures = {failure.where: failure for failure in metrics.failures}
    return found, {file: failures[file.where] for file in files if file not in found}


def _without_types(
    files: Sequence[File], found: Mapping[File, FileInfo], asked: cache.Question
) -> list[File]:
    """One more file of every kind whose first gave no types: it was lost, or has no events."""
    kinds: dict[str, list[File]] = {}
    for file in files:
        if file in found and found[file].entries:
            kinds.setdefault(asked.of(file.sample), []).append(file)
    return [
        replace(kind[0], form=True)
        for kind in kinds.values()
        if not any(found[file].form for file in kind)
    ]


def _joined(
    a: tuple[tuple[File, FileInfo], ...], b: tuple[tuple[File, FileInfo], ...]
) -> tuple[tuple[File, FileInfo], ...]:
    return a + b


def _entries(file: File, count: int | None, found: Mapping[File, FileInfo]) -> int:
    return found[file].entries if count is None else count


def _counted_once(
    files: Sequence[Counted], found: Mapping[File, FileInfo], data: Collection[str]
) -> list[str]:
    """Refuse a file that would be counted twice; warnings of what may be meant."""
    known = []
    contents: dict[str, tuple[str, str]] = {}
    for file, _ in files:
        identities = [storage.same_place(file.url)]
        if file in found:
            looked = found[file]
            identities.append(looked.content)
            contents.setdefault(looked.content, (file.url, looked.uuid.partition(".")[0]))
        if file.checksum:
            identities.append(file.checksum)
        known.append(Known(file.sample, file.url, tuple(identities)))
    return [*duplicates.refuse(known, data=data), *duplicates.alike(contents.values())]


def _check_not_empty(
    sample: str, files: Sequence[Counted], found: Mapping[File, FileInfo], wanted: RequestedColumns
) -> None:
    """Refuse a sample without events, unless its sum of weights says that there were some."""
    if wanted.generated and all(file in found for file, _ in files):
        total = sum(found[file].generated.weights or 0.0 for file, _ in files)
        normalisation.check_total(sample, total)
    elif not wanted.generated and not any(_entries(f, count, found) for f, count in files):
        remedy = f"leave sample {sample!r} out, or replace it"
        raise DataError("no events", files[0][0].url, remedy)


def _same_stand_ins(
    sample: str, found: Sequence[FileInfo], wanted: RequestedColumns
) -> tuple[str, ...]:
    """The columns of a sample that something stands in for: in all of its files or in none."""
    having = [looked for looked in found if looked.entries]
    for looked in having:
        differ = {*wanted.alike(looked.fallbacks_used)} ^ {*wanted.alike(having[0].fallbacks_used)}
        if differ:
            raise DataError(
                f"only one of {having[0].url} and {looked.url} has {min(differ)}",
                f"samples.{sample}",
                "make two samples of them: what stands in may select otherwise",
            )
    return wanted.alike(having[0].fallbacks_used) if having else ()


def _partitions(
    files: Sequence[Counted],
    found: Mapping[File, FileInfo],
    fallbacks_used: tuple[str, ...],
    max_events: int,
) -> Iterator[Events]:
    """Partitions of files; of one without events, an empty one that sees to its identity."""
    for file, count in files:
        if count is None:
            yield from found[file].partitions(file)
            continue
        for start, stop in partition.cuts((0, count), max_events) or [(0, 0)]:
            where = (file.sample, file.url, file.tree, start, stop)
            yield Events(*where, "", 0, entries=count, fallbacks_used=fallbacks_used)


def _not_opened(
    files: Sequence[Counted], found: Mapping[File, FileInfo], task: Workload
) -> Iterator[str]:
    """What nobody has looked at, as spec or catalogue count the events."""
    if any(count is not None for _, count in files):
        yield COUNTED
    unseen = dict.fromkeys(f.sample for f, count in files if count is not None and f not in found)
    by_events = [name for name in unseen if task.wanted[name].normalisation == "events"]
    if by_events:
        yield NOT_COMPARED.format(", ".join(by_events))


def _identities(partitions: Sequence[Events], files: Sequence[Counted]) -> dict[str, str]:
    """What is known of the content of every file."""
    published = {file.url: file.checksum for file, _ in files}
    return {
        p.url: f"{f'{p.uuid} {p.nbytes}' if p.uuid else f'{p.entries} events'} "
        f"{published[p.url]}".strip()
        for p in partitions
    }


def _rehearsed(task: Workload, found: Mapping[File, FileInfo]) -> list[str]:
    """Rehearse every way in which events are selected, on the first file of its kind."""
    typed: dict[str, File] = {}
    for file, looked in found.items():
        if looked.form:
            typed.setdefault(repr(task.wanted[file.sample]), file)
    ways: dict[str, tuple[str, File]] = {}
    for sample, wanted in task.wanted.items():
        own = (task.variations[sample], task.cuts.get(sample), task.selection.told and sample)
        if kind := typed.get(repr(wanted)):
            ways.setdefault(repr((wanted, own)), (sample, kind))
    return [
        said
        for sample, file in ways.values()
        for said in _rehearse(task, replace(file, sample=sample), found[file])
    ]


def _rehearse(task: Workload, file: File, looked: FileInfo) -> list[str]:
    """Apply the selection to no events; warn if it cannot stand that."""
    none: Any = ak.Array(ak.forms.from_json(looked.form).length_zero_array())
    events = Events(
        file.sample, file.url, file.tree, 0, 0, "", 0, fallbacks_used=looked.fallbacks_used
    )
    chosen = selection(events, task)
    try:
        regions = looked_at(
            chosen(counted(none, events, task), **task.options(file.sample)), seen=0
        )
    except PartitionError as error:
        if isinstance(error.__cause__, FieldNotFoundError) or "no field named" in error.what:
            raise DataError(
                f"the selection asks for what is not read ({error.what})",
                "select",
                "add it to columns",
            ) from error
        if isinstance(error.__cause__, AttributeError) and "NoneType" not in error.what:
            raise located(error, file.url, chosen) from error
        return [f"the selection could not be rehearsed on no events ({error})"]
    except SpectrumError as error:
        raise located(error, file.url, chosen) from error
    for _ in histogram.wanted(regions, task.histograms, task.variations[events.sample]):
        pass  # it refuses what is not there
    return []
