"""Plan a HEP run: look into every file that is not known, and rehearse the selection.

The files are looked into on the workers.  Where the spec says how many
events they have, none is opened; where a run of the same question looked
into them before, its findings are used again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import awkward as ak
from awkward.errors import FieldNotFoundError

from spectrum_workflows import storage
from spectrum_workflows.domain import OnError, Plan, Report
from spectrum_workflows.engine import each, merged
from spectrum_workflows.errors import DataError, PartitionError, SpectrumError
from spectrum_workflows.hep import histogram, partition, plan_cache
from spectrum_workflows.hep.columns import Wanted
from spectrum_workflows.hep.job import Job, job
from spectrum_workflows.hep.listing import files_of
from spectrum_workflows.hep.looking import File, Looked, look
from spectrum_workflows.hep.observables import regions as looked_at
from spectrum_workflows.hep.preparing import counted, selection
from spectrum_workflows.hep.selection import located
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import Events

if TYPE_CHECKING:
    from distributed import Client

COUNTED = "events are counted by spec or catalogue: those files were not opened, nor checked"


def plan(
    spec: HepSpec,
    data: str,
    *,
    client: Client | None = None,
    known: str = "",
    report: Report = lambda *_: None,
    glance: bool = False,
    on_error: OnError = "raise",  # noqa: ARG001
) -> Plan:
    """Cut all files into partitions; nothing is computed.

    The selection is rehearsed on no events at all, so that a misspelt column,
    cut or region is found now.  Files whose events the spec counts are not
    opened, except one per sample if the spec has fallbacks: to know which
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

    Raises
    ------
    DataNotFoundError, DataError
        A file is missing, damaged, lacks a branch, or holds no events.
    SpecError
        The selection cannot be used as written.
    """
    task = job(spec)
    files = list(files_of(spec, data, first=glance))
    ask = [file for file, count in files if count is None or file.form]
    found = _looked_into(ask, spec, task.wanted, client=client, known=known, report=report)
    partitions: list[Events] = []
    warnings: list[str] = []
    for sample in spec.samples:
        mine = [(file, count) for file, count in files if file.sample == sample]
        _check_listed_once(sample, mine, found)
        stand_ins = _same_stand_ins(sample, [found[f] for f, _ in mine if f in found])
        partitions += _partitions(mine, found, stand_ins, spec.partition.max_events)
        warnings += [f"{sample}: {spec.fallbacks[n].words(n)}" for n in stand_ins]
        warnings += [f"{f.url} has no events" for f, n in mine if _entries(f, n, found) == 0]
    warnings += [COUNTED] if any(count is not None for _, count in files) else []
    warnings += [w for file in found if file.form for w in _rehearsed(task, file, found)][:1]
    if spec.user_code:
        warnings.append(f"runs the code in {spec.user_code} on every worker")
    everything = found.values() if all(file in found for file, _ in files) else ()
    return Plan(
        tuple(partitions),
        sum(looked.bytes_to_read for looked in everything),
        max((looked.memory for looked in everything), default=0),
        warnings=tuple(warnings),
        inputs=(*_identities(partitions, files).items(), *task.inputs),
        code=task.digest,
        data_bytes=sum({p.url: p.nbytes for p in partitions}.values()) if everything else 0,
    )


def _looked_into(
    files: Sequence[File],
    spec: HepSpec,
    wanted: Wanted,
    *,
    client: Client | None,
    known: str,
    report: Report,
) -> dict[File, Looked]:
    """What is known of some files, from an earlier plan or by opening them on workers."""
    name = plan_cache.question(spec.name, spec.tree, wanted, spec.partition.max_events)
    now = plan_cache.identities(files) if known else {}
    before = plan_cache.load(known, name, now) if known else {}
    found = {f: before[f] for f in files if f in before}
    fresh = [f for f in files if f not in found]
    if fresh:
        label = f"hep-{spec.name}-open"
        parts = each(look, fresh, wanted, spec.partition.max_events, client=client, label=label)
        sums = merged(parts, _joined, done=lambda n: report("open", n, len(fresh)))
        opened, tally = sums
        assert opened is not None
        if client is not None:  # what is read in this process is counted already
            storage.count(tally.bytes_read)
        found |= dict(zip(fresh, opened, strict=True))
        if known:
            plan_cache.keep(known, name, now, found)
    return {f: found[f] for f in files}


def _joined(a: tuple[Looked, ...], b: tuple[Looked, ...]) -> tuple[Looked, ...]:
    return a + b


def _entries(file: File, count: int | None, found: Mapping[File, Looked]) -> int:
    return found[file].entries if count is None else count


def _check_listed_once(
    sample: str, files: Sequence[tuple[File, int | None]], found: Mapping[File, Looked]
) -> None:
    """Refuse a sample without events or with a file counted twice."""
    urls = [f.url for f, _ in files]
    contents: list[Any] = list(urls)
    if len({*urls}) == len(urls):
        contents = [(found[f].uuid, found[f].nbytes) if f in found else f.url for f, _ in files]
    [(content, times)] = Counter(contents).most_common(1)
    if times > 1:
        urls = [f.url for (f, _), c in zip(files, contents, strict=True) if c == content]
        raise DataError(
            "the same file is listed twice", f"samples.{sample}: {', '.join(urls)}", "list it once"
        )
    if not any(_entries(f, count, found) for f, count in files):
        remedy = f"leave sample {sample!r} out, or replace it"
        raise DataError("no events", files[0][0].url, remedy)


def _same_stand_ins(sample: str, found: Sequence[Looked]) -> tuple[str, ...]:
    """The columns of a sample that something stands in for: in all of its files or in none."""
    if not found:
        return ()
    for looked in found:
        differ = {*looked.stand_ins} ^ {*found[0].stand_ins}
        if differ:
            raise DataError(
                f"only one of {found[0].url} and {looked.url} has {min(differ)}",
                f"samples.{sample}",
                "make two samples of them: what stands in may select otherwise",
            )
    return found[0].stand_ins


def _partitions(
    files: Sequence[tuple[File, int | None]],
    found: Mapping[File, Looked],
    stand_ins: tuple[str, ...],
    max_events: int,
) -> Iterator[Events]:
    for file, count in files:
        if count is None:
            yield from found[file].partitions(file)
            continue
        for start, stop in partition.cuts((0, count), max_events):
            where = (file.sample, file.url, file.tree, start, stop)
            yield Events(*where, "", 0, entries=count, stand_ins=stand_ins)


def _identities(
    partitions: Sequence[Events], files: Sequence[tuple[File, int | None]]
) -> dict[str, str]:
    """What is known of the content of every file."""
    published = {file.url: file.checksum for file, _ in files}
    return {
        p.url: f"{f'{p.uuid} {p.nbytes}' if p.uuid else f'{p.entries} events'} "
        f"{published[p.url]}".strip()
        for p in partitions
    }


def _rehearsed(task: Job, file: File, found: Mapping[File, Looked]) -> Iterator[str]:
    """Rehearse every way in which events like those of a file are selected."""
    alike = [name for name in task.variations if (name in task.data) == file.data]
    ways = {task.variations[name]: name for name in reversed(alike)}
    for sample in ways.values():
        yield from _rehearse(task, replace(file, sample=sample), found[file])


def _rehearse(task: Job, file: File, looked: Looked) -> list[str]:
    """Apply the selection to no events; warn if it cannot stand that."""
    none: Any = ak.Array(ak.forms.from_json(looked.form).length_zero_array())
    events = Events(file.sample, file.url, file.tree, 0, 0, "", 0, stand_ins=looked.stand_ins)
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
