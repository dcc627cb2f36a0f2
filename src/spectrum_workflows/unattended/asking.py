"""Questions about unattended runs, answered from the results root by any later shell."""

from __future__ import annotations

import time

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.sites import Place
from spectrum_workflows.unattended import keeping
from spectrum_workflows.unattended.jobs import end_job, is_alive, log_here
from spectrum_workflows.unattended.states import End, Status, status_of


def statuses(place: Place) -> list[Status]:
    """The state of every run that was submitted below the place's results root."""
    with storage.using(place.stores):
        known = [status(place.results, run) for run in keeping.runs(place.results)]
    return sorted((one for one in known if one), key=lambda one: one.submitted.at)


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
        names = [name for name in keeping.runs(place.results) if name.startswith(run)]
        if run in names:
            names = [run]
        if len(names) > 1:
            raise DataError(f"several runs begin so: {', '.join(names)}", run, "give more of it")
        known = status(place.results, names[0]) if names else None
    if known is None:
        remedy = "spectrum status lists them; --site or --out says where"
        raise DataNotFoundError(f"no such run below {place.results}", run, remedy)
    return known


def status(results: str, run: str) -> Status | None:
    """The state of a run; ``None`` where nothing is known of it."""
    submitted = keeping.submitted(results, run)
    if submitted is None:
        return None
    end = keeping.end(results, run)
    over = end is not None and end.job == submitted.job.number
    alive = None if over else is_alive(submitted.job)
    if alive is False:  # it may have said its last word since
        end = keeping.end(results, run)
    progress = keeping.progress(results, run)
    return status_of(submitted, progress, end, alive=alive, now=time.time())


def log(run: str, place: Place) -> str:
    """What the job of a run has printed so far, as far as it can be seen from here."""
    known = find(run, place)
    with storage.using(place.stores):
        here = b"" if known.end else log_here(known.submitted.job)
        url = storage.join(keeping.folder_of(place.results, known.submitted.run), keeping.LOG)
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
    known = find(run, place)
    if known.is_over:
        return known
    submitted = known.submitted
    end_job(submitted.job)
    with storage.using(place.stores):
        last = keeping.end(place.results, submitted.run)
        if last is None or last.job != submitted.job.number or last.state != "finished":
            word = "cancelled; submit it again to go on"
            cancelled = End(submitted.job.number, time.time(), "cancelled", error=word)
            keeping.write(place.results, submitted.run, cancelled)
    return find(submitted.run, place)
