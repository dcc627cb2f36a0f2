"""A run handed to a job: once, and on from where an earlier job of it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spectrum_workflows import domain, front, storage
from spectrum_workflows.checking import completed, hold_policy
from spectrum_workflows.domain import OnError
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.record import read_record
from spectrum_workflows.resuming import KNOWN
from spectrum_workflows.sites import Place
from spectrum_workflows.unattended import state_files
from spectrum_workflows.unattended.jobs import clear, end_job, new_folder, submit_job
from spectrum_workflows.unattended.notifying import check_notify
from spectrum_workflows.unattended.queries import status
from spectrum_workflows.unattended.request import (
    Request,
    question,
    run_name,
    spec_table,
    write_request,
)
from spectrum_workflows.unattended.states import JobHandle, Status, Submitted


@dataclass(frozen=True)
class Submission:
    """What became of a submission.

    Attributes
    ----------
    status : Status
        Of the run.
    is_new : bool
        Whether a job was submitted; else there is nothing to do.
    """

    status: Status
    is_new: bool

    def __str__(self) -> str:
        submitted = self.status.submitted
        if not self.is_new and self.status.state == "finished":
            return f"{self.status}\nnothing to do: this run is finished (--fresh computes it again)"
        if not self.is_new:
            return f"{self.status}\nnothing to do: this run is under way"
        again = f", attempt {submitted.attempt}: it goes on" if submitted.attempt > 1 else ""
        return f"{submitted.run}  {submitted.job.kind} {submitted.job.number}{again}"


def submit(
    spec: Any,
    place: Place,
    *,
    on_error: OnError = "raise",
    fresh: bool = False,
    trust_weak: bool = False,
    notify: str | None = None,
) -> Submission:
    """Hand a run to a job that needs no session: one batch job, or a process of this machine.

    A run that is finished, or under way, is left alone; one that failed, was cancelled or
    lost goes on from what it had finished.

    Parameters
    ----------
    spec : model
        From `load_spec`.
    place : Place
        Not connected.
    on_error, trust_weak
        As for `run`.
    fresh : bool
        Compute it whatever is there.
    notify : str, optional
        A command or URL told of the end; default: the profile's.

    Raises
    ------
    SpectrumError
        Bad input, results that cannot be written, or a job that is not taken.
    """
    told = place.site.notify if notify is None else notify
    check_notify(told)
    place = _absolute(place)
    run = run_name(spec, place.data, on_error)
    with storage.using(place.stores):
        before = status(place.results, run)
    if before and (not before.is_over or (not fresh and _holds(spec, place, before, on_error))):
        return Submission(before, is_new=False)
    hold_policy(spec, place, on_error=on_error, notify=told)
    front.check_results(place)
    front.preflight(spec, place, on_error=on_error)
    if before:
        clear(before.submitted.job)
    request = Request(
        run=run,
        workflow=spec.workflow,
        spec=spec_table(spec),
        site=place.site.model_dump(mode="json", exclude_unset=True),
        data=place.data,
        results=place.results,
        on_error=on_error,
        resume=not fresh,
        trust_weak=trust_weak,
        notify=told,
    )
    folder = new_folder(place.site)
    job = JobHandle("", "", "", str(folder))
    try:
        write_request(folder, request)
        job = submit_job(place.site, run, folder)
        attempt = before.submitted.attempt + 1 if before else 1
        about = place.site.description
        submitted = Submitted(run, spec.name, spec.workflow, about, time.time(), attempt, job)
        with storage.using(place.stores):
            state_files.write(place.results, run, submitted)
    except SpectrumError:
        if job.number:  # it runs, and nobody would know of it
            end_job(job)
        clear(job)
        raise
    return Submission(Status(submitted, "queued"), is_new=True)


def _absolute(place: Place) -> Place:
    """The place with roots that mean the same in any working folder."""
    return replace(place, data=_rooted(place.data), results=_rooted(place.results))


def _rooted(url: str) -> str:
    """A local root as an absolute path; a URL as it is."""
    is_path = storage.is_local(url) and "://" not in url
    return str(Path(url).absolute()) if is_path else url


def _holds(spec: Any, place: Place, before: Status, on_error: OnError) -> bool:
    """Whether a run is finished, its result is there, and the same would come out again."""
    if before.state != "finished" or before.end is None:
        return False
    science, known = domain.get(spec.workflow), storage.join(place.results, KNOWN)
    with storage.using(place.stores):
        try:
            read_record(before.end.folder)
        except DataError:
            return False
        plan = science.plan(spec, place.data, known=known, on_error=on_error)
        return question(spec, completed(plan, science, spec, place.data)) == before.end.question
