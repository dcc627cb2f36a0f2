"""One set of functions for library, command line and notebook."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from spectrum_workflows import (
    arithmetic,
    catalogue,
    domain,
    engine,
    policy,
    progress,
    record,
    shipped,
    storage,
)
from spectrum_workflows.budget import with_facts
from spectrum_workflows.checking import completed, expected, held_to, seconds_of_the_largest
from spectrum_workflows.code_identity import science_code
from spectrum_workflows.crates.circumstances import Circumstances
from spectrum_workflows.domain import Metrics, OnError, Plan
from spectrum_workflows.errors import (
    DataError,
    DataNotFoundError,
    PartitionError,
    SpecError,
    SpectrumError,
)
from spectrum_workflows.exporting import both, exported
from spectrum_workflows.federating import Copies, know_inputs, over_sites, traffic_of
from spectrum_workflows.interrupts import hearing_interrupts, letting_go
from spectrum_workflows.record import Outcome
from spectrum_workflows.resuming import KNOWN, ledger_of
from spectrum_workflows.showing import show_figures
from spectrum_workflows.sites import Place, Site, load_site, spending
from spectrum_workflows.sites.asking import asked
from spectrum_workflows.specs import parse, read_toml
from spectrum_workflows.stages import Stage


def load_spec(source: str | Path, *, site: Site | str | None = None) -> Any:
    """Read a run spec.

    Parameters
    ----------
    source : str or Path
        Path or URL of a TOML file with at least ``workflow`` and ``name``, or the
        name of a shipped one: ``FOLDER/NAME``.
    site : Site or str, optional
        Whose storage options reach a URL: a profile, or its name; the default site's,
        if left out.

    Returns
    -------
    model
        The frozen spec of its domain; ``spec.changed(...)`` gives variants.

    Raises
    ------
    SpecError
        Not a spec, an unknown key, a bad value.
    DataNotFoundError
        There is no such file.
    """
    where = shipped.spec(str(source))
    stores = storage.current_stores()
    if not storage.is_local(where):
        stores = (site if isinstance(site, Site) else load_site(site)).stores
    try:
        with storage.using(stores):
            text = storage.read_bytes(where)
    except DataNotFoundError:
        names = ", ".join(name for name in shipped.specs() if name.count("/") == 1)
        remedy = f"give the path of a TOML file, or a shipped one by name: {names}"
        raise DataNotFoundError("no such spec", where, remedy) from None
    table = read_toml(text, where=where)
    if not isinstance(table.get("workflow"), str):
        known = " or ".join(f'"{n}"' for n in domain.names())
        raise SpecError("not a run spec", where, f"it needs a line: workflow = {known}")
    model = domain.get(table["workflow"]).spec
    if "folder" in model.model_fields:
        table |= {"folder": where.rpartition("/")[0] or "."}
    return parse(model, table, where=where, exact=True)


def preflight(spec: Any, place: Place, *, on_error: OnError = "raise") -> None:
    """Refuse what cannot work before workers are asked for: a look at some of the input.

    With ``on_error="keep"`` input that cannot be looked into is left to the run.

    Raises
    ------
    SpectrumError
        As `check`.
    """
    known = storage.join(place.results, KNOWN) if place.results else ""
    with storage.using(place.stores):
        domain.get(spec.workflow).plan(
            spec, place.data, known=known, preflight=True, on_error=on_error
        )


def run(
    spec: Any,
    place: Place,
    *,
    on_error: OnError = "raise",
    watch: progress.Watch = None,
    resume: bool = True,
    trust_weak: bool = False,
) -> Outcome:
    """Run a spec at a place, with progress.

    Parameters
    ----------
    spec : model
        From `load_spec`.
    place : Place
        From `connect`.
    on_error : {"raise", "keep"}
        Stop at the first partition that fails, or finish the others: the
        outcome then says which are missing and what fraction it holds.
    watch : callable, False or None
        Whoever watches: ``watch(state)`` is called with a `RunState` at every step, in this
        thread.  An error of it does not end the run, and no result depends on it.  By default
        one view that stays in a notebook, with what there is so far as a picture; in a
        terminal bars, and a line whenever a major cycle or the like is done; nothing
        elsewhere, and nowhere with False.
    resume : bool
        Go on from what earlier runs of the same question had finished before they were ended;
        else compute everything.  The result is the same to the bit.
    trust_weak : bool
        Take a file at another URL for the same by its identity, where no checksum of it is
        published: to go on at another site.

    Raises
    ------
    OutputError
        The results root cannot be written to: that is found before anything is computed.
    PolicyError
        It breaks rules of the site or of its data: that, too.
    SpectrumError
        Bad input, a partition that failed, or a site that gave no workers.
    """
    broken = policy.before_planning(spec, place)
    if not broken:  # nothing is written to where it may not be
        check_results(place)
    science, spent = domain.get(spec.workflow), spending.begin(place)
    started, clock, cpu = datetime.now(UTC), time.perf_counter(), time.thread_time()
    limits = engine.limited(_limits(place))
    if place.federation is not None:
        place.federation.forget()
    code = science_code(type(spec).__module__) if place.client else None
    watched = progress.watched(watch, title=spec.name, plot=science.plot_progress)
    with (
        hearing_interrupts(),
        letting_go(),
        storage.using(place.stores),
        storage.writing_below(place.results),
        limits,
        threadpool_limits(1),
        watched as watching,
        exported(place, spec, watching or engine.Nobody()) as exporter,
        engine.observed(exporter or watching or engine.Nobody()),
        engine.confirming(code),
    ):
        report = both(*(one.report for one in (watching, exporter) if one))
        gate = policy.planning(spec.name, broken)
        with gate, _site_error_first(place), storage.metering() as opening:
            known = storage.join(place.results, KNOWN) if place.results else ""
            plan = science.plan(
                spec,
                place.data,
                client=place.client,
                known=known,
                report=report,
                on_error=on_error,
            )
            plan = completed(plan, science, spec, place.data)
        budget = held_to(spec, plan, place, broken)
        stamps = storage.stamps_of(url for url, _ in plan.inputs)
        stores, copied = _with_copies(spec, plan, place), Copies()
        if (sites := place.federation) is not None:
            copied = know_inputs(sites, plan, stores.copies, known=known, compare=True)
            stamps |= copied.stamps
        ledger = ledger_of(
            spec,
            plan,
            place,
            science,
            stamps=stamps,
            copies=copied.read,
            resume=resume,
            trust_weak=trust_weak,
        )
        copies = storage.using(stores)
        stages = expected(spec, plan)
        limits = engine.limited(_limits(place, plan, stages))
        with _site_error_first(place), _same_input(stamps), copies, engine.keeping(ledger), limits:
            compute = partial(science.run, spec, plan, on_error=on_error, report=report)
            result, metrics = (
                compute(client=place.client) if sites is None else over_sites(sites, compute)
            )
            record.check_replicas(metrics.replicas)
    if result is None:
        reason = metrics.failures[0].error if metrics.failures else "there was nothing to compute"
        raise PartitionError(f"no partition could be computed: {reason}")
    driver, seconds = time.thread_time() - cpu, time.perf_counter() - clock
    here, worker_machines = machine(science.libraries), _machines(place, science.libraries)
    doubts = arithmetic.doubts((here, *worker_machines))
    opened = tuple(sorted(opening.by_store.items()))
    metrics += Metrics(
        bytes_read=opening.bytes_read, warnings=(*copied.warnings, *doubts), stores=opened
    )
    cpu_seconds = driver + (metrics.cpu_seconds if place.client else 0.0)
    accounts = spent.end(metrics, cpu_seconds=cpu_seconds, seconds=seconds)
    if exporter:
        exporter.end("done", accounts)
    return Outcome(
        spec=spec,
        plan=plan,
        result=result,
        metrics=metrics,
        digest=record.digest(science.arrays(result)),
        started=started.isoformat(timespec="milliseconds"),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        workers=place.workers,
        machine=here,
        worker_machines=worker_machines,
        expected=stages,
        accounts=accounts,
        traffic=traffic_of(sites, plan, metrics) if sites is not None else None,
        budget=with_facts(budget, policy.facts(seconds, cpu_seconds, metrics.bytes_read, accounts)),
        circumstances=_circumstances(spec, place),
    )


def _circumstances(spec: Any, place: Place) -> Circumstances:
    """Where a run took place, and what the catalogue says of its input, as far as it answers."""
    entries = {}
    with storage.using(place.stores), suppress(SpectrumError, OSError):
        for name in sorted({*domain.get(spec.workflow).references(spec)}):
            if name.startswith(catalogue.PREFIX):
                entries[name.removeprefix(catalogue.PREFIX)] = catalogue.entry(name, place.data)
    kind = place.site.cluster.kind if place.site.cluster else "serial"
    return Circumstances(kind, place.site.description, entries)


def _limits(place: Place, plan: Plan | None = None, stages: Sequence[Stage] = ()) -> engine.Limits:
    """How long a partition may take here, and a run stand still."""
    workers = place.site.workers
    forecast = seconds_of_the_largest(plan, stages) if plan else {}
    return engine.Limits(workers.partition_timeout, workers.patience, forecast)


def _with_copies(spec: Any, plan: Plan, place: Place) -> storage.Stores:
    """The place's stores, and where files of the catalogue and of data sets lie besides."""
    references = domain.get(spec.workflow).references(spec)
    catalogued = sorted({name for name in references if name.startswith(catalogue.PREFIX)})
    copies = catalogue.shared_roots(plan.replicas)
    if catalogued:
        with storage.using(place.stores):
            copies += catalogue.copies(catalogued, place.data)
    return replace(place.stores, copies=copies) if copies else place.stores


@contextmanager
def _same_input(before: dict[str, str]) -> Iterator[None]:
    """Refuse what was computed, or went wrong, while the input was exchanged."""
    try:
        yield
    except SpectrumError as error:
        try:
            record.check_unchanged(before)
        except DataError as changed:
            raise changed from error
        raise
    record.check_unchanged(before)


@contextmanager
def _site_error_first(place: Place) -> Iterator[None]:
    """Say why the workers were given up, not how the client noticed."""
    try:
        yield
    except Exception as error:
        if place.error is None:
            raise
        raise place.error from error


def machine(libraries: Sequence[str] = ()) -> dict[str, Any]:
    """Description of this process, see `record.machine`, and of its machine code."""
    return record.machine(libraries) | {"arithmetic": arithmetic.arithmetic()}


def _machines(place: Place, libraries: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """What the workers run on, each kind once; a worker that hangs says nothing."""
    machines = [
        answer
        for client in place.clients
        for answer in asked(client, partial(machine, libraries)).values()
    ]
    return tuple({json.dumps(m, sort_keys=True): m for m in machines}.values())


def plot(outcome: Outcome) -> Any:
    """A matplotlib figure of what people look at first; a notebook shows it.

    Parameters
    ----------
    outcome : Outcome
        From `run`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with hearing_interrupts():
        show_figures()
        return outcome.domain.plot(outcome.result)


def save(outcome: Outcome, place: Place) -> str:
    """Write results and record into a new folder at the place.

    Parameters
    ----------
    outcome : Outcome
        From `run`.
    place : Place
        The folder is made below its results root.

    Returns
    -------
    str
        URL of the folder.

    Raises
    ------
    OutputError
        The place's results root cannot be written to; the error says in which
        folder of this machine the result is kept.  `save` may be called again.
    """
    with hearing_interrupts(), storage.using(place.stores):
        folder = record.save(outcome, place.results, spools=place.spools)
        policy.remember_run(outcome, place, folder)
    return folder


def load(folder: str | Path, *, site: Site | str | None = None) -> Outcome:
    """Bring a saved run back: its result, its numbers, and how it came about.

    Parameters
    ----------
    folder : str or Path
        The run's own folder, on this file system or in a store, as `save` gives it.
    site : Site or str, optional
        Whose storage options reach a URL: a profile, or its name; the default site's,
        if left out.

    Returns
    -------
    Outcome
        With the same result to the bit, so that `plot`, ``to_xarray()`` and ``digest`` are those
        of the run; of its plan and its stages what the record holds.

    Raises
    ------
    DataNotFoundError
        There is no finished run in the folder.
    DataError
        What is there is damaged, was not saved whole, or was written by another version.

    Examples
    --------
    >>> from spectrum_workflows import SpectrumError, load
    >>> try:
    ...     load("nowhere")
    ... except SpectrumError as error:
    ...     print(error.what)
    no record.json: not a run, or one that did not finish
    """
    where = str(folder)
    stores = storage.current_stores()
    if not storage.is_local(where):
        stores = (site if isinstance(site, Site) else load_site(site)).stores
    with storage.using(stores):
        return record.load(where)


def check_results(place: Place) -> None:
    """Try now what `save` will do at the end of a run.

    Raises
    ------
    OutputError
        The results root cannot be written to, or results for a store could
        not be kept on this machine meanwhile.
    """
    with storage.using(place.stores):
        storage.check_writable(place.results)
        if not storage.is_local(place.results):
            record.check_spool(place.spools)


def spooled(place: Place) -> list[record.Spooled]:
    """Results that are kept on this machine because they could not be saved."""
    return record.spooled(place.spools)


def save_spooled(name: str, place: Place, *, out: str | None = None) -> str:
    """Put a spooled result where it should go, and remove it here; returns its URL.

    Parameters
    ----------
    name : str
        Its name or folder.
    place : Place
        It need not be connected.
    out : str, optional
        Results root; by default the one that the result was meant for.

    Raises
    ------
    DataNotFoundError
        There is no such result in the spool.
    SpectrumError
        It is damaged, or cannot be written there; it stays in the spool.
    """
    kept = record.find(name, place.spools)
    with storage.using(place.stores):
        folder = record.send(kept.folder, out or kept.results or place.results)
    record.discard(kept.folder)
    return folder
