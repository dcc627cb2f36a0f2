"""Reference workflows for HEP and radio astronomy that run unchanged anywhere.

::

    spec = load_spec("hep/quickstart")
    with connect(load_site()) as place:
        outcome = run(spec, place)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spectrum_workflows import arithmetic

arithmetic.pin()

if TYPE_CHECKING:
    from spectrum_workflows.checking import calibrate, check
    from spectrum_workflows.crates.exporting import export
    from spectrum_workflows.crates.verifying import verify
    from spectrum_workflows.doctor.diagnosis import diagnose
    from spectrum_workflows.errors import SpectrumError
    from spectrum_workflows.examples import make_data
    from spectrum_workflows.front import load, load_spec, plot, run, save
    from spectrum_workflows.projection.projecting import project
    from spectrum_workflows.record import compare
    from spectrum_workflows.showing import explore, show
    from spectrum_workflows.sites import connect, load_site
    from spectrum_workflows.varying import vary

__version__ = "0.1.0"

_HOME = {
    "SpectrumError": "errors",
    "calibrate": "checking",
    "check": "checking",
    "compare": "record",
    "connect": "sites",
    "diagnose": "doctor.diagnosis",
    "explore": "showing",
    "export": "crates.exporting",
    "load": "front",
    "load_site": "sites",
    "load_spec": "front",
    "make_data": "examples",
    "plot": "front",
    "project": "projection.projecting",
    "run": "front",
    "save": "front",
    "show": "showing",
    "vary": "varying",
    "verify": "crates.verifying",
}

__all__ = [
    "SpectrumError",
    "calibrate",
    "check",
    "compare",
    "connect",
    "diagnose",
    "explore",
    "export",
    "load",
    "load_site",
    "load_spec",
    "make_data",
    "plot",
    "project",
    "run",
    "save",
    "show",
    "vary",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that this import stays light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
