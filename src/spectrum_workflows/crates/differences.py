"""Differences, by name, between what a crate was made with and what there is here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from spectrum_workflows import storage
from spectrum_workflows.crates import layout
from spectrum_workflows.crates.enclosing import beside
from spectrum_workflows.crates.hashing import sha256_of
from spectrum_workflows.crates.reading import Crate, recorded_hashes
from spectrum_workflows.crates.software import modules_of, versions_of
from spectrum_workflows.errors import DataError

if TYPE_CHECKING:
    from spectrum_workflows.domain import Plan

Kind = Literal["input", "code", "version"]
_STAMP = re.compile(r"\d+ \d+ \d+")
"""What a local file is known by where its science says nothing: size, time of change, inode."""
SHOWN = 5
"""Modules that are named; of the others there is the number."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not what it was.

    Attributes
    ----------
    kind : {"input", "code", "version"}
    name : str
        Of the file, the module or the library.
    was, now : str
        What tells the two apart; ``now`` is empty where there is nothing.
    """

    kind: Kind
    name: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: was {self.was}, here {self.now or 'nothing'}"


def in_versions(crate: Crate, machine: Mapping[str, Any]) -> Iterator[Difference]:
    """Libraries that matter to the result and have another version here.

    Raises
    ------
    DataError
        The record does not say with which versions it was made.
    """
    try:
        were = versions_of(crate.record)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError("not a run record: no versions in it", crate.origin) from error
    now = versions_of({"machine": machine, "worker_machines": []})
    for name in sorted({*were, *now}):
        was, here = were.get(name, ()), now.get(name, ())
        if was != here:
            yield Difference("version", name, " and ".join(was) or "nothing", " and ".join(here))


def in_files(crate: Crate) -> Iterator[Difference]:
    """Files beside the spec that are not those that the run read."""
    inside = {e["sha256"]: e["name"] for e in crate.record["objects"]}
    own = (f"{layout.BESIDE}/", f"{layout.WORKFLOW}/{layout.ELSEWHERE}/")
    enclosed = {n.rpartition("/")[2]: s for s, n in inside.items() if n.startswith(own)}
    for name, sha256 in beside(crate.record["inputs"].items()).items():
        if not inside.get(sha256, "").startswith(own):
            kind: Kind = "code" if name.endswith(".py") else "input"
            yield Difference(kind, name, _short(sha256), _short(enclosed.get(_last(name), "")))


def in_inputs(crate: Crate, plan: Plan) -> Iterator[Difference]:
    """Input whose content is another one here; read anew where its SHA-256 is known."""
    hashes = recorded_hashes(crate)
    own = beside(crate.record["inputs"].items())
    were = {url: i for url, i in crate.record["inputs"].items() if url not in own}
    now = {url: i for url, i in plan.inputs if url not in beside(plan.inputs)}
    for url, here in _pairs(list(were), list(now)):
        if not here:
            yield Difference("input", _last(url), were[url], "")
        elif not url:
            yield Difference("input", _last(here), "nothing", now[here])
        elif difference := _of_input(url, here, were[url], now[here], hashes.get(url, "")):
            yield difference


def _pairs(were: list[str], now: list[str]) -> Iterator[tuple[str, str]]:
    """The same inputs of two plans: by their order, or by name if they are not as many."""
    if len(were) == len(now):
        yield from zip(were, now, strict=True)
        return
    here = {_stem(url): url for url in now}
    yield from ((url, here.pop(_stem(url), "")) for url in were)
    yield from (("", url) for url in here.values())


def _of_input(url: str, here: str, was: str, now: str, sha256: str) -> Difference | None:
    if sha256 and _last(url) == _last(here) and _is_file(here):
        actual = sha256_of(here)
        if actual == sha256:
            return None
        return Difference("input", here, _short(sha256), _short(actual))
    if was == now:
        return None
    if _STAMP.fullmatch(was) or _STAMP.fullmatch(now):  # other times and inodes mean nothing
        was, now = was.partition(" ")[0], now.partition(" ")[0]
        if was == now:
            return None
        was, now = f"{was} bytes", f"{now} bytes"
    return Difference("input", here, was, now)


def _is_file(url: str) -> bool:
    return storage.info(url).get("type") != "directory"


def in_code(crate: Crate, spec: Any, plan: Plan) -> Iterator[Difference]:
    """Modules that decide the result and are others here."""
    if crate.record["code"] == plan.code:
        return
    were = crate.table(layout.CODE).get("modules")
    now = modules_of(spec, plan.code)
    if not isinstance(were, dict):
        were = {}
    names = [name for name in sorted({*were, *now}) if were.get(name) != now.get(name)]
    for name in names[:SHOWN]:
        yield Difference("code", name, _short(str(were.get(name, ""))), _short(now.get(name, "")))
    if len(names) > SHOWN:
        more = f"{len(names) - SHOWN} more modules"
        yield Difference("code", more, "others", "these")
    if not names:  # it is what the spec names, or a module that is installed beside it
        yield Difference("code", "all of it", _short(crate.record["code"]), _short(plan.code))


def _short(sha256: str) -> str:
    return f"sha256 {sha256[:12]}…" if sha256 else ""


def _last(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2]


def _stem(url: str) -> str:
    return _last(url).partition(".")[0]
