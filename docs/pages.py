"""Writes the pages of the site that come from the code.

The public names, from the surface that the tests pin; the commands, from the
command line's own descriptions; the notebooks, executed in a copy.
"""

import inspect
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from spectrum_workflows.projection.rates import measured
from spectrum_workflows.use_cases.page import page
from spectrum_workflows.use_cases.reading import load_use_case

ROOT = Path(__file__).parents[1]
SURFACE = ROOT / "tests" / "public_surface.txt"
EXAMPLE = ROOT / "examples" / "gravitational_waves"
PACKAGE = "spectrum_workflows"
TIME_LIMIT = 600  # seconds for one notebook, on a busy machine
AT_ONCE = 2  # notebooks

SMALLER = {"hep/ttbar.toml": 10_000}
"""Specs whose own data would take too long here, and how many events they get instead."""


REPORTS = {"quickstart": "report_hep.html", "vla_sim": "report_radio.html"}
"""Pages of the site that are the reports of runs which notebooks have saved, by the run's name."""

UNEXECUTED = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A report</title>'
    '<link rel="icon" href="data:,"></head><body><p>Nothing was executed for this copy of the '
    "site: make docs does it.</p></body></html>"
)


@dataclass(frozen=True)
class PublicName:
    """One line of the pinned surface: a function or a class, and where it is imported from."""

    name: str
    module: str

    @property
    def value(self) -> object:
        """The object itself."""
        return getattr(import_module(self.module), self.name)

    @property
    def directive(self) -> str:
        """What autodoc is told."""
        if isinstance(self.value, type):
            return (
                f".. autoclass:: {self.module}.{self.name}\n   :members:\n   :exclude-members: "
                "__new__, __init__\n"
            )
        return f".. autofunction:: {self.module}.{self.name}\n"


def write(folder: Path, *, execute: bool) -> None:
    """Write all generated pages anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "api.md").write_text(api_page(SURFACE.read_text()))
    (folder / "commands.md").write_text(commands_page())
    (folder / "use_cases").mkdir()
    for name, text in use_case_pages().items():
        (folder / "use_cases" / f"{name}.md").write_text(text)
    (folder / "contributing.md").write_text(
        contributing_page((ROOT / "CONTRIBUTING.md").read_text())
    )
    shutil.copytree(EXAMPLE, folder / "third_science", ignore=shutil.ignore_patterns("__pycache__"))
    copy_notebooks(ROOT / "workflows", folder / "workflows")
    (folder / "as_they_are").mkdir()
    if execute:
        execute_notebooks(folder / "workflows", folder / "as_they_are")
    else:
        for report in REPORTS.values():
            (folder / "as_they_are" / report).write_text(UNEXECUTED)


# Public names


def public_names(surface: str) -> list[PublicName]:
    """Give the functions and classes of the pinned surface, as it orders them.

    Raises
    ------
    LookupError
        A name is nowhere in the package.
    """
    return [_located(dotted) for dotted in re.findall(r"^([\w.]+)\(", surface, flags=re.M)]


def _located(dotted: str) -> PublicName:
    room, _, name = dotted.rpartition(".")
    module = import_module(f"{PACKAGE}.{room}" if room else PACKAGE)
    if hasattr(module, name):
        return PublicName(name, module.__name__)
    return PublicName(name, _module_of_class(name))


def _module_of_class(name: str) -> str:
    """Where a class is defined that users meet but do not import."""
    top = import_module(PACKAGE)
    for found in pkgutil.walk_packages(top.__path__, f"{PACKAGE}."):
        if "__main__" not in found.name and (value := _class(import_module(found.name), name)):
            return value.__module__
    raise LookupError(f"{name} is in {SURFACE.name} and nowhere in {PACKAGE}")


def _class(module: ModuleType, name: str) -> type | None:
    value = getattr(module, name, None)
    ours = isinstance(value, type) and value.__module__.startswith(PACKAGE)
    return value if ours else None


def api_page(surface: str) -> str:
    """Give the page of all public names: functions, then classes, room by room."""
    names = public_names(surface)
    rooms = {n.module: n.module for n in names if not inspect.isclass(n.value)}
    lines = ["# Python", "", "Every public name. A test pins this list.", ""]
    for room in rooms:
        lines += [f"## `{room}`", ""]
        lines += _directives([n for n in names if n.module == room])
    lines += ["## What they give and take", ""]
    lines += _directives([n for n in names if n.module not in rooms])
    return "\n".join(lines)


def _directives(names: list[PublicName]) -> list[str]:
    return [f"```{{eval-rst}}\n{name.directive}```\n" for name in names]


# Commands


def commands_page() -> str:
    """Give what typer says of every command."""
    command = [sys.executable, "-m", "typer", f"{PACKAGE}.cli.commands", "utils", "docs"]
    done = subprocess.run(
        [*command, "--name", "spectrum"], capture_output=True, text=True, check=True
    )
    return done.stdout


# Use cases


USE_CASES = {
    "hep": ("hep", "agc"),
    "radio": ("radio", "radio"),
    "gravitational_waves": (str(EXAMPLE / "gravitational_waves" / "use_case.toml"), "third"),
}
"""Sheets by name: where each is, and which runs of the evidence fill it in, of which the first."""


def use_case_pages() -> dict[str, str]:
    """Give the sheets of use cases, with the figures of the runs in the evidence."""
    records = json.loads((ROOT / "docs" / "evidence" / "projection.json").read_text())["records"]
    return {
        name: page(load_use_case(source), measured(records[group][0], group))
        for name, (source, group) in USE_CASES.items()
    }


def contributing_page(text: str) -> str:
    """Give CONTRIBUTING.md with its link to the example led to the page made of that."""
    return text.replace("](examples/gravitational_waves/", "](third_science/")


# Notebooks


def copy_notebooks(source: Path, target: Path) -> None:
    """Copy specs and notebooks; links to pages of the site lead to these."""
    shutil.copytree(source, target)
    for file in target.rglob("*.ipynb"):
        file.write_text(re.sub(r"\]\((?:\.\./)+docs/", "](/", file.read_text()))


def linked_to_copies(text: str) -> str:
    """Give a page's text with links to notebooks of the repository led to the copies."""
    return re.sub(r"\]\((?:\.\./)+workflows/", "](/generated/workflows/", text)


def execute_notebooks(folder: Path, reports: Path) -> None:
    """Execute every notebook in its folder, as a new user would: a home without anything in it.

    Reports of the runs that two of them have saved go into another folder.

    Raises
    ------
    RuntimeError
        One failed, or took longer than the time limit, or has saved no run.
    """
    notebooks = sorted(folder.rglob("*.ipynb"))
    with TemporaryDirectory(prefix="spectrum-") as home:
        environment = new_environment(Path(home))
        for spec, size in SMALLER.items():
            command = [sys.executable, "-m", PACKAGE, "data", "make", str(folder / spec)]
            subprocess.run([*command, "--size", str(size)], env=environment, check=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            failures = [f for f in pool.map(lambda n: _executed(n, environment), notebooks) if f]
        if failures:
            raise RuntimeError("\n".join(failures))
        for name, page in REPORTS.items():
            (reports / page).write_bytes(_report(name, Path(home), environment))


def _report(name: str, home: Path, environment: Mapping[str, str]) -> bytes:
    """Report of the last saved run of a name below a folder."""
    runs = sorted(record.parent for record in home.rglob(f"{name}-*/record.json"))
    if not runs:
        raise RuntimeError(f"no notebook has saved a run named {name}")
    command = [sys.executable, "-m", PACKAGE, "report", str(runs[-1])]
    subprocess.run(command, env=environment, check=True)
    return (runs[-1] / "report.html").read_bytes()


def new_environment(home: Path) -> dict[str, str]:
    """Give the environment of somebody who has set nothing."""
    own = ("SPECTRUM_", "XDG_", "CI", "MPLBACKEND")  # Jupyter draws inline unless that is set
    kept = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    return kept | {"HOME": str(home)}


def _executed(notebook: Path, environment: Mapping[str, str]) -> str:
    """Execute one notebook in place; what went wrong, if anything did."""
    command = [sys.executable, str(Path(__file__).with_name("notebook.py")), str(notebook)]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{notebook.name}: not done after {TIME_LIMIT} seconds"
    return f"{notebook.name}: {done.stderr[-2000:]}" if done.returncode else ""
