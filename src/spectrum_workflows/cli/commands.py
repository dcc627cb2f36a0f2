"""The commands of ``spectrum``."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

import typer

from spectrum_workflows import __version__
from spectrum_workflows.cli import (
    blueprint_command,
    crate_commands,
    data_commands,
    doctor_command,
    ledger_commands,
    notebooks_command,
    project_command,
    proof_command,
    report_command,
    run_commands,
    save_command,
    sciences,
    screen,
    sites_commands,
    unattended_commands,
    usage_command,
    use_case_command,
)
from spectrum_workflows.cli.options import (
    Data,
    Fresh,
    Json,
    NoUserCode,
    OnErrorChoice,
    OnErrorOption,
    Out,
    RunA,
    RunB,
    Set,
    SetBoth,
    SiteOption,
    SomeSpec,
    Spec,
    TrustWeak,
    changed,
    changes,
    data_can_be_made,
    question,
)
from spectrum_workflows.credentials import hidden
from spectrum_workflows.errors import MissingExtraError, PolicyError, SpectrumError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Reference workflows of several sciences that run unchanged on a laptop, a cluster
and a cloud.

A **spec** (TOML) says *what* to compute, a **site** (TOML) says *where*. Try:

* `spectrum demo` makes synthetic data, runs every science and shows where the pictures are
* `spectrum check SPEC` says what a run would read and need, before anything runs
* `spectrum doctor --site NAME` says whether work would start there, and what to do if not
* `spectrum run SPEC --site serial` runs it in this process; `laptop` uses all cores
* `spectrum submit SPEC --site NAME` hands it to one batch job; `status`, `logs`, `result`
  and `cancel` ask about it from any later shell
* `spectrum notebooks DIR` copies the notebooks and their specs to a folder of yours
* `spectrum calibrate` measures this machine, for the predictions of `check`
* `spectrum compare RUN_A RUN_B` says whether two results are identical or equivalent
* `spectrum verify CRATE` runs a saved run again, here or elsewhere, and says whether it is the same
* `spectrum export RUN crate.zip` packs a saved run, with all that verifies it elsewhere
* `spectrum save` puts results where they should go that could not be saved when they were made
* `spectrum usage RUN...` prints what runs used, for an allocation manager
* `spectrum data` makes, converts, fetches and verifies input data
* `spectrum sites` lists the sites; `spectrum sites show slurm` shows the job it would submit
* `spectrum proof` runs the notebooks at every site and compares their results
* `spectrum project RUN...` says what runs mean for larger data: cores, bytes per second, disk
* `spectrum use-case NAME` prints a workflow's sheet, `spectrum blueprint` SPECTRUM's map of it all
"""
    + "".join(f"* {line}\n" for line in sciences.COMMAND_LINE.runs),
)
for _science, _commands in sciences.COMMAND_LINE.commands.items():
    app.add_typer(run_commands.app_of(_science, _commands), name=_science)
app.add_typer(data_commands.app, name="data")
app.add_typer(sites_commands.app, name="sites")
app.add_typer(ledger_commands.app, name="ledger")
app.command("doctor")(doctor_command.doctor)
app.command("export")(crate_commands.export)
app.command("proof")(proof_command.proof)
app.command("project")(project_command.project)
app.command("report")(report_command.report)
app.command("save")(save_command.save)
app.command("usage")(usage_command.usage)
app.command("notebooks")(notebooks_command.notebooks)
app.command("schema")(sites_commands.schema)
app.command("use-case")(use_case_command.use_case)
app.command("blueprint")(blueprint_command.blueprint)
app.command("verify")(crate_commands.verify)


def run_command(
    spec: Spec,
    site: SiteOption = None,
    change: SetBoth = None,
    data: Data = None,
    out: Out = None,
    on_error: OnErrorOption = OnErrorChoice.RAISE,
    no_user_code: NoUserCode = False,
    fresh: Fresh = False,
    trust_weak: TrustWeak = False,
    json: Json = False,
    **of_science: Any,
) -> None:
    """Run a spec at a site and save the result in a folder of its own.

    A run that was ended goes on from what it had finished: give the same command again.

    Exits with 3 if some of its numbers could not be computed or saved; those that could are.
    """
    from spectrum_workflows import front, storage
    from spectrum_workflows.checking import hold_policy
    from spectrum_workflows.record import read_record
    from spectrum_workflows.sites import Place, connect, load_site

    asked = question(spec, change, site=site, no_user_code=no_user_code)
    run_spec = changed(asked.spec, sciences.given(of_science))
    profile = load_site(site, changes=asked.profile)
    with storage.using(profile.stores), data_can_be_made(spec, run_spec):
        unconnected = Place(profile, data or profile.data, out or profile.results)
        hold_policy(run_spec, unconnected, on_error=on_error.value)
        front.check_results(unconnected)
        if profile.cluster is not None:
            front.preflight(run_spec, unconnected, on_error=on_error.value)
        with connect(profile, data=data, results=out) as place:
            outcome = front.run(
                run_spec,
                place,
                on_error=on_error.value,
                resume=not fresh,
                trust_weak=trust_weak,
            )
            folder = front.save(outcome, place)
        saved = read_record(folder)
        if json:
            problems = {key: saved.get(key, []) for key in ("notes", "lost")}
            accounts = {"accounts": saved.get("accounts")}
            screen.as_json({**outcome.summary, **accounts, "folder": folder, **problems})
        else:
            screen.outcomes([(outcome.summary, folder)])
    if outcome.failures and on_error is OnErrorChoice.RAISE:
        screen.error(f"{folder} is partial: {outcome.failures[0].error}")
        raise typer.Exit(3)
    if lost := saved.get("lost"):
        screen.error(f"{folder} lacks numbers: {'; '.join(lost)}")
        raise typer.Exit(3)


app.command("run")(sciences.with_options(run_command, sciences.COMMAND_LINE.run))
app.command("submit")(
    sciences.with_options(unattended_commands.submit_command, sciences.COMMAND_LINE.run)
)
app.command("status")(unattended_commands.status_command)
app.command("logs")(unattended_commands.logs_command)
app.command("result")(unattended_commands.result_command)
app.command("cancel")(unattended_commands.cancel_command)


@app.command("check")
def check_command(
    spec: Spec,
    site: SiteOption = None,
    change: SetBoth = None,
    data: Data = None,
    out: Out = None,
    no_user_code: NoUserCode = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Say also what so many workers need of the plan."),
    ] = None,
    json: Json = False,
) -> None:
    """Say what a run would do: partitions, bytes, memory, stages. Computes no partition.

    Files are opened, and code of its own that a spec names is loaded and rehearsed, so
    that its top level runs here, as you.  With --no-user-code such a spec is refused,
    before any of its code has run.

    Rules of the site and of its data that the run breaks are listed, and it would be refused
    for; the command then exits with 2.
    """
    from spectrum_workflows import checking
    from spectrum_workflows.scaling import scale
    from spectrum_workflows.sites import Place, load_site

    asked = question(spec, change, site=site, no_user_code=no_user_code)
    profile = load_site(site, changes=asked.profile)
    place = Place(profile, data or profile.data, out or profile.results)
    with data_can_be_made(spec, asked.spec):
        try:
            check = checking.check(asked.spec, place)
        except PolicyError as error:
            if not json:
                raise
            screen.as_json(checking.refusal(asked.spec.name, place, error))
            raise typer.Exit(2) from None
    many = None
    if workers is not None:
        check = replace(check, workers=workers)
        many = scale(check.plan, check.stages, workers)
    if json:
        screen.as_json(check.summary | ({"scale": many.summary} if many else {}))
    else:
        screen.text("\n".join(map(str, filter(None, (check, many)))))
    if check.violations:
        raise typer.Exit(2)


@app.command("calibrate")
def calibrate_command(
    spec: SomeSpec = None,
    site: SiteOption = None,
    change: SetBoth = None,
    data: Data = None,
    no_user_code: NoUserCode = False,
    json: Json = False,
) -> None:
    """Measure for a few seconds what work costs on this machine, and remember it.

    With a SPEC, some of its partitions are computed in this process, and nothing is saved.

    `spectrum check` and the records of runs then predict with these costs; no
    result depends on them.
    """
    from spectrum_workflows import checking
    from spectrum_workflows.sites.calibration import calibration_file

    if spec is not None:
        _pilot(spec, site, change, data, no_user_code=no_user_code, json=json)
        return
    calibration = checking.calibrate()
    if json:
        screen.as_json({"costs": calibration, "file": str(calibration_file())})
        return
    rows = [
        {"science": science, "work": kind, "CPU seconds per unit": f"{seconds:.3g}"}
        for science, costs in calibration.items()
        for kind, seconds in costs.items()
    ]
    screen.table(rows, title=f"Costs, kept in {calibration_file()}")


def _pilot(
    spec: str,
    site: str | None,
    change: list[str] | None,
    data: str | None,
    *,
    no_user_code: bool,
    json: bool,
) -> None:
    from spectrum_workflows.pilot import pilot
    from spectrum_workflows.sites import Place, load_site

    asked = question(spec, change, site=site, no_user_code=no_user_code)
    profile = load_site(site, changes=asked.profile)
    place = Place(profile, data or profile.data, profile.results)
    with data_can_be_made(spec, asked.spec):
        took = pilot(asked.spec, place)
    if json:
        screen.as_json(vars(took))
    else:
        screen.text(str(took))


@app.command("compare")
def compare_command(a: RunA, b: RunB, site: SiteOption = None, json: Json = False) -> None:
    """Say whether two saved runs are identical, equivalent or different.

    The site says how stores are reached, if a run is in one.  Exits with 1 if
    the runs are different.
    """
    from spectrum_workflows import storage
    from spectrum_workflows.record import compare
    from spectrum_workflows.sites import load_site

    remote = site is not None or not (storage.is_local(a) and storage.is_local(b))
    with storage.using(load_site(site).stores if remote else storage.Stores()):
        comparison = compare(a, b)
    screen.comparison(comparison, json=json)
    if comparison.verdict == "different":
        raise typer.Exit(1)


@app.command("demo")
def demo_command(
    out: Annotated[str, typer.Option(help="Folder for data and results.")] = "spectrum-demo",
    site: SiteOption = None,
    change: Set = None,
    json: Json = False,
) -> None:
    """Make synthetic data for an example of every science, and run it."""
    from spectrum_workflows import domain, front, storage
    from spectrum_workflows.examples import make_data
    from spectrum_workflows.sites import connect, load_site

    demos = [science.demo for science in domain.installed() if science.demo]
    if not demos:
        remedy = "pip install 'spectrum-workflows[all]'"
        raise MissingExtraError("no science is installed that has a demo", remedy=remedy)
    data, results = storage.join(out, "data"), storage.join(out, "results")
    storage.check_writable(results)
    done: list[tuple[dict[str, Any], str]] = []
    with connect(load_site(site, changes=changes(change)), data=data, results=results) as place:
        for file in demos:
            name = f"{file.parent.name}/{file.name}"
            spec = front.load_spec(file)
            screen.note(f"{name}: making its data", quiet=json)
            make_data(spec, place)
            screen.note(f"{name}: running", quiet=json)
            outcome = front.run(spec, place)
            done.append((outcome.summary, front.save(outcome, place)))
    if json:
        screen.as_json({"runs": [{**summary, "folder": folder} for summary, folder in done]})
    else:
        screen.outcomes(done)
        spec = f"{demos[0].parent.name}/{demos[0].stem}"
        screen.text(f"To go on with this data: spectrum check {spec} --data {data}")


def _version(asked: bool) -> None:
    if asked:
        screen.text(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@contextmanager
def _explained() -> Iterator[None]:
    """Turn our own errors into one line and exit code 2; hide what is secret in others."""
    try:
        yield
    except SpectrumError as error:
        for line in error.lines:
            screen.error(line)
        sys.exit(2)
    except Exception:  # ours to mend; what the report quotes may hold a signed link or a token
        sys.stderr.write(hidden(traceback.format_exc()))
        sys.exit(1)


def main() -> None:
    """Entry point of the ``spectrum`` command."""
    warnings.showwarning = _as_one_line
    with _explained():
        app()


def _as_one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    screen.note(f"spectrum: warning: {message}")
