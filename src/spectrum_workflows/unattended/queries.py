"""Questions about unattended runs, answered from the results root by any later shell."""

from __future__ import annotations

import time

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.sites import Place
from spectrum_workflows.unattended import state_files
from spectrum_workflows.unattended.jobs import end_job, is_alive, log_here
from spectrum_workflows.unattended.states import End, Status, status_of


def statuses(place: Place) -> list[Status]:
    """The state of every run that was submitted below the place's results root."""
    with storage.using(place.stores):
        runs = [status(place.results, run) for run in state_files.runs(place.results)]
    return sorted((run for run in runs if run), key=lambda run: run.submitted.at)


def find(run: str, place: Place) -> Status:
    """The state of one run, by its name or the beginning of it.

    Raises
    ------
    DataNotFoundError
        There is none.
    DataError
        There are several.
    """
    with storage.using(place.stores):
        names = [name for name in state_files.runs(place.results) if name.startswith(run)]
        if run in names:
            names = [run]
        if len(names) > 1:
            raise DataError(f"several runs begin so: {', '.join(names)}", run, "give more of it")
        state = status(place.results, names[0]) if names else None
    if state is None:
        remedy = "spectrum status lists them; --site or --out says where"
        raise DataNotFoundError(f"no such run below {place.results}", run, remedy)
    return state


def status(results: str, run: str) -> Status | None:
    """The state of a run; ``None`` where nothing is known of it."""
    submitted = state_files.submitted(results, run)
    if submitted is None:
        return None
    end = state_files.end(results, run)
    over = end is not None and end.job == submitted.job.number
    alive = None if over else is_alive(submitted.job)
    if alive is False:  # it may have said its last word since
        end = state_files.end(results, run)
    progress = state_files.progress(results, run)
    return status_of(submitted, progress, end, alive=alive, now=time.time())


def log(run: str, place: Place) -> str:
    """What the job of a run has printed so far, as far as it can be seen from here."""
    state = find(run, place)
    with storage.using(place.stores):
        here = b"" if state.end else log_here(state.submitted.job)
        folder = state_files.folder_of(place.results, state.submitted.run)
        url = storage.join(folder, state_files.LOG)
        try:
            data = here or storage.read_bytes(url)
        except DataNotFoundError:
            data = b""
    return data.decode(errors="replace")


def cancel(run: str, place: Place) -> Status:
    """End a run that is not over; what it has finished is kept to go on from.

    Raises
    ------
    SiteError
        Its job cannot be reached from here.
    """
    state = find(run, place)
    if state.is_over:
        return state
    submitted = state.submitted
    end_job(submitted.job)
    with storage.using(place.stores):
        last = state_files.end(place.results, submitted.run)
        if last is None or last.job != submitted.job.number or last.state != "finished":
            word = "cancelled; submit it again to go on"
            cancelled = End(submitted.job.number, time.time(), "cancelled", error=word)
            state_files.write(place.results, submitted.run, cancelled)
    return find(submitted.run, place)
