"""The public surface is pinned, and importing the package costs nothing."""

import inspect
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import spectrum_workflows
from spectrum_workflows import accounting, hep, radio
from spectrum_workflows.domain import Domain, Plan
from spectrum_workflows.record import Outcome
from spectrum_workflows.sites import Place

PINNED = Path(__file__).with_name("public_surface.txt")

LIBRARY = {
    "accounting": tuple(accounting.__all__),
    "engine": ("map_reduce",),
    "hep": tuple(name for name in hep.__all__ if name != "DOMAIN"),
    "hep.analyses.adl": tuple(f"q{number}" for number in range(1, 9)),
    "hep.analyses.dimuon": ("select",),
    "hep.analyses.ttbar": ("select",),
    "radio": tuple(name for name in radio.__all__ if name != "DOMAIN"),
}
"""What other pipelines import, by room."""

HEAVY = (
    *("astropy", "awkward", "bokeh", "casacore", "dask", "distributed", "ducc0", "fsspec", "hist"),
    *("IPython", "matplotlib", "mplhep", "numba", "numpy", "pandas", "pydantic", "rich", "scipy"),
    *("typer", "uproot", "xarray", "zarr"),
)


def described(name: str, value: object) -> list[str]:
    """Give a public object as lines: its call signature, and what a class shows."""
    signature = re.sub(r" at 0x[0-9a-f]+", "", str(inspect.signature(value)))
    lines = [f"{name}{signature}"]
    if isinstance(value, type):
        shown = [a for a in vars(value) if not a.startswith("_")]
        lines += [f"{name}.{attribute}" for attribute in sorted(shown)]
    return lines


def surface() -> str:
    """Give the whole surface as text, one line per callable or attribute."""
    public = {name: getattr(spectrum_workflows, name) for name in spectrum_workflows.__all__}
    public |= {kind.__name__: kind for kind in (Domain, Outcome, Place, Plan)}
    for room, names in LIBRARY.items():
        module = import_module(f"spectrum_workflows.{room}")
        public |= {f"{room}.{name}": getattr(module, name) for name in names}
    return "".join(f"{line}\n" for name in sorted(public) for line in described(name, public[name]))


def test_the_surface_is_the_pinned_one() -> None:
    """After a wanted change: ``python tests/test_public_surface.py`` writes the file anew."""
    assert surface() == PINNED.read_text()


@pytest.mark.parametrize("name", spectrum_workflows.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    doc = inspect.getdoc(getattr(spectrum_workflows, name))
    assert doc
    assert not doc.startswith(f"{name}(")  # what a dataclass writes by itself


@pytest.mark.parametrize("room", LIBRARY)
def test_every_function_of_the_library_has_an_example(room: str) -> None:
    module = import_module(f"spectrum_workflows.{room}")
    functions = [f for f in (getattr(module, n) for n in LIBRARY[room]) if not inspect.isclass(f)]
    assert [f.__name__ for f in functions if ">>> " not in (inspect.getdoc(f) or "")] == []
    assert functions


def modules_after(statement: str) -> set[str]:
    """Give the top-level modules that a fresh interpreter holds after one statement."""
    script = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return {name.partition(".")[0] for name in json.loads(run.stdout)}


def test_import_brings_in_nothing_heavy() -> None:
    assert modules_after("import spectrum_workflows") & {*HEAVY} == set()


def test_the_probe_sees_a_heavy_import() -> None:
    assert "numpy" in modules_after("import numpy")


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        spectrum_workflows.runn  # noqa: B018


def test_dir_lists_every_public_name() -> None:
    assert {*spectrum_workflows.__all__} <= {*dir(spectrum_workflows)}


if __name__ == "__main__":
    PINNED.write_text(surface())
