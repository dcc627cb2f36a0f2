"""Versions of Python and of libraries, against the lock and against the other side."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import Distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from spectrum_workflows import shipped
from spectrum_workflows.findings import Finding, doubt, fine

LOCK = "requirements.lock"
SHOWN = 5
"""Differences that are named; of more, the rest is counted."""
REMEDY = f"pip install --require-hashes -r environments/{LOCK}, or make env"


def locked(text: str) -> dict[str, str]:
    """Versions that a lock file names for this interpreter, by distribution."""
    pins = re.findall(r"^([A-Za-z0-9][^\s#\\]*==[^\\\n]*?)\s*\\?$", text, flags=re.MULTILINE)
    requirements = [Requirement(pin) for pin in pins]
    return {
        canonicalize_name(one.name): next(iter(one.specifier)).version
        for one in requirements
        if one.marker is None or one.marker.evaluate()
    }


def lock() -> dict[str, str]:
    """The versions of the lock that comes with this package; none if it does not."""
    file = shipped.folder("environments") / LOCK
    return locked(file.read_text()) if file.is_file() else {}


def installed() -> dict[str, str]:
    """Versions of all distributions that this process can import."""
    versions: dict[str, str] = {}
    for one in distributions():
        if name := _name_of(one):
            versions.setdefault(canonicalize_name(name), one.version)  # the first is imported
    return versions


def _name_of(one: Distribution) -> str:
    """A distribution's name; empty for what an installation that was broken off has left."""
    with suppress(FileNotFoundError):
        return str(one.metadata["Name"] or "")
    return ""


def working_set() -> dict[str, str]:
    """Versions here of what the lock names: neither developers' tools nor others' packages."""
    pins, versions = lock(), installed()
    return {name: version for name, version in versions.items() if name in pins or not pins}


def against_lock(
    versions: Mapping[str, str], pins: Mapping[str, str], deciding: Iterable[str]
) -> Finding:
    """Compare what is installed with the lock; a library that is not installed is not missed.

    Parameters
    ----------
    versions, pins : mapping
        Distribution to version: installed, and locked.
    deciding : iterable of str
        Distributions that decide numbers, named first.
    """
    subject, expected = "libraries", f"the versions of environments/{LOCK}"
    both = pins.keys() & versions.keys()
    if not pins:
        return doubt(subject, "no lock comes with this package", expected, REMEDY)
    others = [name for name in both if versions[name] != pins[name]]
    if not others:
        return fine(subject, f"{len(both)} as locked", expected)
    first: set[str] = {canonicalize_name(name) for name in deciding}
    lines = [
        f"{name} {versions[name]}, not {pins[name]}" for name in _deciding_first(others, first)
    ]
    return doubt(
        subject,
        _some(lines),
        expected,
        f"{REMEDY}; with other versions results may differ, or work fail",
    )


def against_session(versions: Mapping[str, str], session: Mapping[str, str]) -> Finding:
    """Compare what is installed elsewhere with what is installed here."""
    subject, expected = "libraries", "the session's versions"
    names = sorted(session.keys() & versions.keys())
    lines = [
        f"{n} {versions[n]}, and {session[n]} here" for n in names if versions[n] != session[n]
    ]
    lines += [f"no {n}" for n in sorted(session.keys() - versions.keys())]
    if not lines:
        return fine(subject, f"{len(names)} as in the session", expected)
    return doubt(subject, _some(lines), expected, f"install environments/{LOCK} on both sides")


def python_here() -> Finding:
    """The interpreter of this session."""
    return fine("Python", platform.python_version(), "3.11 or newer")


def _deciding_first(names: Iterable[str], deciding: set[str]) -> list[str]:
    return sorted(names, key=lambda name: (name not in deciding, name))


def _some(lines: list[str]) -> str:
    more = len(lines) - SHOWN
    return "; ".join([*lines[:SHOWN], *([f"and {more} more"] if more > 0 else [])])
