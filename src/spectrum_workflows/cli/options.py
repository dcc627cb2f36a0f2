"""Options that several commands take."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from spectrum_workflows import shipped
from spectrum_workflows.errors import DataNotFoundError, SpecError


class OnErrorChoice(StrEnum):
    """Choice for a partition that fails."""

    RAISE = "raise"
    KEEP = "keep"


def _shipped(incomplete: str) -> list[str]:
    return [name for name in shipped.specs() if name.startswith(incomplete)]


Spec = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="TOML file saying what to compute, or a shipped one by name: FOLDER/NAME.",
        autocompletion=_shipped,
    ),
]
SomeSpec = Annotated[
    str | None,
    typer.Argument(metavar="[SPEC]", help="As of `run`.", autocompletion=_shipped),
]
SiteOption = Annotated[
    str | None,
    typer.Option("--site", metavar="NAME|FILE", help="Where to compute; default: SPECTRUM_SITE."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the profile: cluster.account=mine."),
]
SetBoth = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change spec or profile: name=again, cluster.account=mine; several times.",
    ),
]
Data = Annotated[
    str | None, typer.Option("--data", metavar="URL", help="Data root; replaces the site's.")
]
Out = Annotated[
    str | None, typer.Option("--out", metavar="URL", help="Results root; replaces the site's.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
OnErrorOption = Annotated[
    OnErrorChoice,
    typer.Option(help="Stop at the first failing partition, or keep the others' result."),
]
NoUserCode = Annotated[
    bool,
    typer.Option(
        "--no-user-code", help="Refuse a spec that names code which is not part of this package."
    ),
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Compute everything, whatever an earlier run had finished."),
]
TrustWeak = Annotated[
    bool,
    typer.Option(
        "--trust-weak",
        help="Go on from what another site had finished of files without a published checksum.",
    ),
]
RunA = Annotated[str, typer.Argument(metavar="RUN_A", help="Folder of a saved run.")]
RunB = Annotated[str, typer.Argument(metavar="RUN_B", help="Folder of another.")]


def changes(given: list[str] | None) -> dict[str, Any]:
    """``["workers.count=4"]`` as ``{"workers.count": 4}``; values are TOML, else text.

    Raises
    ------
    SpecError
        Not of that form.
    """
    values: dict[str, Any] = {}
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise SpecError(f"--set {text}: not KEY=VALUE", remedy="try --set workers.count=4")
        try:
            values[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            values[key.strip()] = value.strip()
    return values


@dataclass(frozen=True)
class Question:
    """A spec with its changes, and the changes that are for the site's profile."""

    spec: Any
    profile: dict[str, Any]


def question(
    source: str, given: list[str] | None, *, site: str | None, no_user_code: bool
) -> Question:
    """Read a spec and apply the ``--set`` that are its own; the others are the profile's.

    Raises
    ------
    SpecError
        As `trusted_spec` and `changes`; or the changed spec is not valid.
    """
    spec = trusted_spec(source, site, no_user_code=no_user_code)
    own: dict[str, Any] = {}
    profile: dict[str, Any] = {}
    for key, value in changes(given).items():
        first, *rest = key.split(".")
        if first not in type(spec).model_fields:
            profile[key] = value
            continue
        table = own
        for name in (first, *rest)[:-1]:
            table = table.setdefault(name, {})
        table[(first, *rest)[-1]] = value
    changed = spec.changed(**own) if own else spec
    _refuse_user_code(changed, no_user_code)
    return Question(changed, profile)


def changed(spec: Any, of_science: dict[str, Any]) -> Any:
    """The spec with keys replaced by options of the same name."""
    for name in of_science:
        if name not in type(spec).model_fields:
            words = name.replace("_", "-")
            raise SpecError(f"a {spec.workflow} run has no {words}", remedy="leave it out")
    return spec.changed(**of_science) if of_science else spec


@contextmanager
def data_can_be_made(source: str, spec: Any) -> Iterator[None]:
    """Name the command that makes the missing input, where the spec describes how to make it."""
    try:
        yield
    except DataNotFoundError as error:
        if getattr(spec, "synthetic", None) is None:
            raise
        remedy = f"spectrum data make {source} makes example data; {error.remedy}"
        raise DataNotFoundError(error.what, error.where, remedy) from error


def trusted_spec(source: str, site: str | None, *, no_user_code: bool) -> Any:
    """Read a spec, unless it brings code and that is not wanted; none of it has run so far.

    Raises
    ------
    SpecError
        As `front.load_spec`; or it names code that is not part of this package.
    """
    from spectrum_workflows import front

    spec = front.load_spec(source, site=site)
    _refuse_user_code(spec, no_user_code)
    return spec


def _refuse_user_code(spec: Any, no_user_code: bool) -> None:
    from spectrum_workflows import domain

    code = domain.get(spec.workflow).user_code(spec)
    if no_user_code and code:
        raise SpecError(
            f"it names code that is not part of this package ({code})",
            spec.name,
            "read that code, then leave --no-user-code out",
        )
