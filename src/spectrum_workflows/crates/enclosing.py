"""Files that ask the question of a run again: its spec, and what lies beside the spec.

The plan of a run lists the files that the spec names, by name and SHA-256.  Each is enclosed
only if it still has that content.  What did not lie below the spec's folder goes into another
one, and the spec names it there.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.crates.layout import BESIDE, ELSEWHERE, WORKFLOW
from spectrum_workflows.credentials import found_in
from spectrum_workflows.errors import SpectrumError

_SHA256 = re.compile(r"sha256 ([0-9a-f]{64})")
_FUNCTION = re.compile(r"(.+\.py)(:\w+)")
"""How a spec names a function in a file."""
LEVELS = 4
"""Folders above a file of code that its relative imports may lead to."""


@dataclass(frozen=True)
class Enclosed:
    """A spec that travels, with the files it names.

    Attributes
    ----------
    spec : mapping
        Its table; names lead to the files below.
    files : mapping of str to bytes
        Content by name in the run's folder.
    recorded : mapping of str to str
        By the name that the plan has for it, the name in the run's folder.
    missing : tuple of str
        Names of files that are no longer what the run read, or hold a password or a token.
    """

    spec: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    recorded: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def beside(inputs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name and SHA-256 of those inputs that a spec names as its own files."""
    own = {}
    for name, identity in inputs:
        match = _SHA256.fullmatch(identity)
        if match and "://" not in name:
            own[name] = match[1]
    return own


def enclose(spec: Any, inputs: Iterable[tuple[str, str]]) -> Enclosed:
    """Gather a spec and the files beside it.

    Parameters
    ----------
    spec : model
        Has it a ``folder``, its names are relative to that.
    inputs : iterable of (str, str)
        Name and identity of all input, as a plan has them.
    """
    table = spec.model_dump(mode="json")
    folder = str(getattr(spec, "folder", "") or ".")
    code = [match[1] for text in _texts(table) if (match := _FUNCTION.fullmatch(text))]
    files: dict[str, bytes] = {}
    recorded: dict[str, str] = {}
    moved: dict[str, str] = {}
    missing = []
    for name, sha256 in beside(inputs).items():
        content = _content(storage.join(folder, name), sha256)
        if content is not None and _is_below(name):
            recorded[name] = f"{BESIDE}/{name}"
        elif content is not None:
            place = f"{ELSEWHERE}/{sha256[:12]}-{posixpath.basename(name)}"
            recorded[name], moved[name] = f"{WORKFLOW}/{place}", f"../{place}"
        else:
            content, source = _of_code(folder, code, name, sha256)
            if content is None:
                missing.append(name)
                continue
            recorded[name] = f"{WORKFLOW}/{ELSEWHERE}/{name}"
            moved |= source
        files[recorded[name]] = content
    return Enclosed(_renamed(table, moved), files, recorded, tuple(missing))


def _content(url: str, sha256: str) -> bytes | None:
    """A file's content, if it has that SHA-256 and no secret stands in it."""
    with suppress(SpectrumError, OSError):
        content = storage.read_bytes(url)
        if hashlib.sha256(content).hexdigest() == sha256 and not _holds_a_secret(content):
            return content
    return None


def _holds_a_secret(content: bytes) -> bool:
    with suppress(UnicodeDecodeError):
        return any(map(found_in, content.decode().splitlines()))
    return False


def _is_below(name: str) -> bool:
    return not name.startswith("/") and posixpath.normpath(name) == name and name[:2] != ".."


def _of_code(
    folder: str, code: list[str], name: str, sha256: str
) -> tuple[bytes | None, dict[str, str]]:
    """A file that travels with code outside the spec's folder; new names of that code."""
    if not _is_below(name):
        return None, {}
    for named in code:
        if not storage.is_local(storage.join(folder, named)):
            continue
        path = Path(storage.local_path(storage.join(folder, named))).absolute()
        for root in path.parents[:LEVELS]:
            content = _content(str(root / name), sha256)
            if content is not None:
                return content, {named: f"../{ELSEWHERE}/{path.relative_to(root).as_posix()}"}
    return None, {}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _renamed(value: Any, moved: Mapping[str, str]) -> Any:
    """A table whose texts name the moved files where they are now."""
    if isinstance(value, dict):
        return {key: _renamed(inner, moved) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, moved) for inner in value]
    if not isinstance(value, str) or not moved:
        return value
    function = _FUNCTION.fullmatch(value)
    if function and function[1] in moved:
        return moved[function[1]] + function[2]
    mark = value[:1] if value[:1] == "@" else ""  # a list of files
    name = value.removeprefix(mark)
    return mark + moved[name] if name in moved else value
