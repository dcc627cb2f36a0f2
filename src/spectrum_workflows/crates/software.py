"""The software of a run: everything installed, and every module that decides its result."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import Distribution, distributions
from typing import Any

from spectrum_workflows.code_identity import science_code
from spectrum_workflows.jsontext import as_json

DIGITS = 16
"""Of a module's SHA-256: enough to name the one that differs; the identity of all is whole."""


@lru_cache(maxsize=1)
def installed() -> str:
    """Name and version of every distribution of this environment, a line each."""
    pairs = {_name_and_version(distribution) for distribution in distributions()}
    return "".join(f"{name}=={version}\n" for name, version in sorted(pairs) if name)


def _name_and_version(distribution: Distribution) -> tuple[str, str]:
    """From the first lines of its metadata, of which a mail parser would read all."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    head = text.partition("\n\n")[0].splitlines()
    fields = dict(line.split(": ", 1) for line in reversed(head) if ": " in line)
    return fields.get("Name", "").strip(), fields.get("Version", "").strip()


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
