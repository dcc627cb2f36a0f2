"""Options that several commands take."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from typing import Annotated, Any

import typer

from spectrum_workflows.errors import SpecError


class OnErrorChoice(StrEnum):
    """What to do when a partition fails."""

    RAISE = "raise"
    KEEP = "keep"


Spec = Annotated[str, typer.Argument(metavar="SPEC", help="TOML file saying what to compute.")]
SiteOption = Annotated[
    str | None,
    typer.Option("--site", metavar="NAME|FILE", help="Where to compute; default: SPECTRUM_SITE."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the profile: cluster.account=mine."),
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
RunA = Annotated[str, typer.Argument(metavar="RUN_A", help="Folder of a saved run.")]
RunB = Annotated[str, typer.Argument(metavar="RUN_B", help="Folder of another.")]
SelfCheck = Annotated[
    bool, typer.Option("--self-check", help="Measure the image's accuracy whatever its size.")
]


def changes(given: list[str] | None) -> dict[str, Any]:
    """``["workers.count=4"]`` as ``{"workers.count": 4}``; values are TOML, else text.

    Raises
    ------
    SpecError
        Not of that form.
    """
    found: dict[str, Any] = {}
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise SpecError(f"--set {text}: not KEY=VALUE", remedy="try --set workers.count=4")
        try:
            found[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value.strip()
    return found


def trusted_spec(source: str, *, no_user_code: bool) -> Any:
    """Read a spec, unless it brings code and that is not wanted; none of it has run so far.

    Raises
    ------
    SpecError
        As `front.load_spec`; or it names code that is not part of this package.
    """
    from spectrum_workflows import front

    spec = front.load_spec(source)
    code = getattr(spec, "user_code", "")
    if no_user_code and code:
        raise SpecError(
            f"it names code that is not part of this package ({code})",
            spec.name,
            "read that code, then leave --no-user-code out",
        )
    return spec
