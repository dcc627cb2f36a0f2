"""The commands of ``spectrum``."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from spectrum_workflows import __version__, shipped
from spectrum_workflows.cli import proof_command, screen, sites_commands
from spectrum_workflows.cli.options import (
    Data,
    Json,
    OnErrorChoice,
    OnErrorOption,
    Out,
    RunA,
    RunB,
    SelfCheck,
    Set,
    SiteOption,
    Spec,
    changes,
)
from spectrum_workflows.errors import SpecError, SpectrumError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Reference workflows for HEP and radio astronomy that run unchanged on a laptop,
a cluster and a cloud.

A **spec** (TOML) says *what* to compute, a **site** (TOML) says *where*. Try:

* `spectrum demo` makes synthetic data, runs both sciences and shows where the pictures are
* `spectrum check SPEC` says what a run would read and need, before anything runs
* `spectrum run SPEC --site serial` runs it in this process; `laptop` uses all cores
* `spectrum compare RUN_A RUN_B` says whether two results are identical or equivalent
* `spectrum sites` lists the sites; `spectrum sites show slurm` shows the job it would submit
* `spectrum proof` runs the notebooks at every site and compares their results
""",
)
data_app = typer.Typer(no_args_is_help=True, help="Make the data that specs name.")
app.add_typer(data_app, name="data")
app.add_typer(sites_commands.app, name="sites")
app.command("proof")(proof_command.proof)
app.command("schema")(sites_commands.schema)


@app.command("run")
def run_command(
    spec: Spec,
    site: SiteOption = None,
    change: Set = None,
    data: Data = None,
    out: Out = None,
    on_error: OnErrorOption = OnErrorChoice.RAISE,
    self_check: SelfCheck = False,
    json: Json = False,
) -> None:
    """Run a spec at a site and save the result in a folder of its own."""
    from spectrum_workflows import front, storage
    from spectrum_workflows.sites import connect, load_site

    wanted = front.load_spec(spec)
    if self_check:
        wanted = _with_self_check(wanted)
    profile = load_site(site, changes=changes(change))
    with storage.using(profile.stores):
        storage.check_writable(out or profile.results)
        with connect(profile, data=data, results=out) as place:
            outcome = front.run(wanted, place, on_error=on_error.value)
            folder = front.save(outcome, place)
        if json:
            screen.as_json({**outcome.summary, "folder": folder})
        else:
            screen.outcomes([(outcome.summary, folder)])


@app.command("check")
def check_command(
    spec: Spec,
    site: SiteOption = None,
    change: Set = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say what a run would do: partitions, bytes to read, memory. Computes nothing."""
    from spectrum_workflows import front
    from spectrum_workflows.sites import Place, load_site

    profile = load_site(site, changes=changes(change))
    place = Place(profile, data or profile.data, profile.results)
    found = front.check(front.load_spec(spec), place)
    if json:
        screen.as_json(found.summary)
    else:
        screen.text(str(found))


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
        found = compare(a, b)
    screen.comparison(found, json=json)
    if found.verdict == "different":
        raise typer.Exit(1)


@app.command("demo")
def demo_command(
    out: Annotated[str, typer.Option(help="Folder for data and results.")] = "spectrum-demo",
    site: SiteOption = None,
    change: Set = None,
    json: Json = False,
) -> None:
    """Make synthetic data, find the top quark in it and deconvolve a radio image."""
    from spectrum_workflows import front, storage
    from spectrum_workflows.examples import make_data
    from spectrum_workflows.sites import connect, load_site

    data, results = storage.join(out, "data"), storage.join(out, "results")
    storage.check_writable(results)
    done: list[tuple[dict[str, Any], str]] = []
    with connect(load_site(site, changes=changes(change)), data=data, results=results) as place:
        for name in ("hep/ttbar.toml", "radio/vla_sim.toml"):
            spec = front.load_spec(shipped.folder("workflows") / name)
            screen.note(f"{name}: making its data", quiet=json)
            make_data(spec, place)
            screen.note(f"{name}: running", quiet=json)
            outcome = front.run(spec, place)
            done.append((outcome.summary, front.save(outcome, place)))
    if json:
        screen.as_json({"runs": [{**summary, "folder": folder} for summary, folder in done]})
    else:
        screen.outcomes(done)


@data_app.command("make")
def make_command(
    spec: Spec,
    site: SiteOption = None,
    change: Set = None,
    data: Data = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Events per sample, or visibilities.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Make anew what was made before.")] = False,
) -> None:
    """Write the synthetic data a spec names, below the data root."""
    from spectrum_workflows import front
    from spectrum_workflows.examples import make_data
    from spectrum_workflows.sites import Place, load_site

    profile = load_site(site, changes=changes(change))
    place = Place(profile, data or profile.data, profile.results)
    for url in make_data(front.load_spec(spec), place, size=size, overwrite=overwrite):
        screen.text(url)


def _with_self_check(spec: Any) -> Any:
    if "self_check" not in type(spec).model_fields:
        raise SpecError(f"a {spec.workflow} run has no self-check", remedy="leave it out")
    return spec.changed(self_check=True)


def _version(wanted: bool) -> None:
    if wanted:
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
    """Turn our own errors into one line and exit code 2."""
    try:
        yield
    except SpectrumError as error:
        screen.error(str(error))
        sys.exit(2)


def main() -> None:
    """Entry point of the ``spectrum`` command."""
    warnings.showwarning = _as_one_line
    with _explained():
        app()


def _as_one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    screen.note(f"spectrum: warning: {message}")
