"""``spectrum submit``, ``status``, ``logs``, ``result`` and ``cancel``: runs without a session."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectrum_workflows.cli import sciences, screen
from spectrum_workflows.cli.options import (
    Data,
    Fresh,
    Json,
    NoUserCode,
    OnErrorChoice,
    OnErrorOption,
    Out,
    Set,
    SetBoth,
    SiteOption,
    Spec,
    TrustWeak,
    changed,
    changes,
    data_can_be_made,
    question,
)

if TYPE_CHECKING:
    from spectrum_workflows.sites import Place
    from spectrum_workflows.unattended import Status

Run = Annotated[
    str, typer.Argument(metavar="RUN", help="As `submit` named it; a beginning is enough.")
]
SomeRun = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="One of them; else all are listed.")
]
Notify = Annotated[
    str | None,
    typer.Option(
        "--notify", metavar="COMMAND|URL", help="Told of the end; replaces the profile's."
    ),
]


def submit_command(
    spec: Spec,
    site: SiteOption = None,
    change: SetBoth = None,
    data: Data = None,
    out: Out = None,
    on_error: OnErrorOption = OnErrorChoice.RAISE,
    no_user_code: NoUserCode = False,
    fresh: Fresh = False,
    trust_weak: TrustWeak = False,
    notify: Notify = None,
    json: Json = False,
    **of_science: Any,
) -> None:
    """Hand a run to one batch job, and return at once: nothing stays on the login node.

    Scheduler, workers and the run are inside the job. Where a site has no batch system
    it is a process of this machine that goes on when the shell ends. A run that is finished or
    under way is left alone; one that failed, was cancelled or lost goes on.
    """
    from spectrum_workflows.sites import Place, load_site
    from spectrum_workflows.unattended import submit

    asked = question(spec, change, site=site, no_user_code=no_user_code)
    run_spec = changed(asked.spec, sciences.given(of_science))
    profile = load_site(site, changes=asked.profile)
    place = Place(profile, data or profile.data, out or profile.results)
    with data_can_be_made(spec, run_spec):
        submission = submit(
            run_spec,
            place,
            on_error=on_error.value,
            fresh=fresh,
            trust_weak=trust_weak,
            notify=notify,
        )
    if json:
        screen.as_json({"is_new": submission.is_new, **_table(submission.status)})
    else:
        screen.text(str(submission))


def status_command(
    run: SomeRun = None,
    site: SiteOption = None,
    change: Set = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Say what became of submitted runs: queued, running, finished, failed, cancelled or lost."""
    from spectrum_workflows.unattended import find, statuses

    place = _place(site, change, out)
    states = [find(run, place)] if run else statuses(place)
    if json:
        screen.as_json({"runs": [_table(state) for state in states]})
        return
    for state in states:
        screen.text(str(state))
    if not states:
        screen.text(f"nothing was submitted below {place.results}")


def logs_command(run: Run, site: SiteOption = None, change: Set = None, out: Out = None) -> None:
    """Print what the job of a run has printed so far."""
    from spectrum_workflows.unattended import log

    screen.text(log(run, _place(site, change, out)).rstrip("\n"))


def result_command(
    run: Run,
    site: SiteOption = None,
    change: Set = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Show the numbers of a finished run, and where its files are; exits with 3 without any."""
    from spectrum_workflows import storage
    from spectrum_workflows.record import read_record, summary_in
    from spectrum_workflows.unattended import find

    place = _place(site, change, out)
    state = find(run, place)
    if state.end is None or not state.end.folder:
        screen.error(str(state))
        raise typer.Exit(3)
    with storage.using(place.stores):
        summary = summary_in(read_record(state.end.folder))
        if json:
            screen.as_json({**summary, "folder": state.end.folder})
        else:
            screen.outcomes([(summary, state.end.folder)])
    if state.end.error:
        screen.error(state.end.error)
        raise typer.Exit(3)


def cancel_command(run: Run, site: SiteOption = None, change: Set = None, out: Out = None) -> None:
    """End a submitted run; what it has finished is kept, and `submit` goes on from there."""
    from spectrum_workflows.unattended import cancel

    screen.text(str(cancel(run, _place(site, change, out))))


def _table(status: Status) -> dict[str, Any]:
    return asdict(status) | {"run": status.submitted.run}


def _place(site: str | None, change: list[str] | None, out: str | None) -> Place:
    from pathlib import Path

    from spectrum_workflows import storage
    from spectrum_workflows.sites import Place, load_site

    profile = load_site(site, changes=changes(change))
    results = out or profile.results
    if storage.is_local(results) and "://" not in results:
        results = str(Path(results).absolute())
    return Place(profile, profile.data, results)
