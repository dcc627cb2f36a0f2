"""The software of a run: everything installed, and every module that decides its result."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import distributions
from typing import Any

from spectrum_workflows.code_identity import science_code
from spectrum_workflows.jsontext import as_json

DIGITS = 16
"""Of a module's SHA-256: enough to name the one that differs; the identity of all is whole."""


@lru_cache(maxsize=1)
def installed() -> str:
    """Name and version of every distribution of this environment, a line each."""
    pairs = {(str(d.metadata["Name"]), d.version) for d in distributions() if d.metadata["Name"]}
    return "".join(f"{name}=={version}\n" for name, version in sorted(pairs))


def modules_of(spec: Any, code: str) -> dict[str, str]:
    """Digest of every module and data file that decides what a science gives, by name.

    Parameters
    ----------
    spec : model
        Of the science.
    code : str
        Identity of all code, as a plan has it: while it is the same, so are the modules.
    """
    return _modules(type(spec).__module__, code)


@lru_cache(maxsize=32)
def _modules(module: str, _code: str) -> dict[str, str]:
    code = science_code(module)
    whole = {module.name: module.tree for module in code.modules} | dict(code.data)
    return {name: digest[:DIGITS] for name, digest in whole.items()}


def modules_text(spec: Any, code: str) -> str:
    """The same as JSON."""
    return as_json({"modules": modules_of(spec, code)})


def versions_of(record: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Versions of Python and of the libraries that matter, of session and workers, by name."""
    versions: dict[str, set[str]] = {}
    for machine in (record["machine"], *record["worker_machines"]):
        for name, version in {"python": machine["python"], **machine["versions"]}.items():
            versions.setdefault(str(name), set()).add(str(version))
    return {name: tuple(sorted(those)) for name, those in sorted(versions.items())}
