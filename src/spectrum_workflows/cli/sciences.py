"""The sciences' additions to the command line: options, and words of the help.

A science says it in a file ``command_line.toml`` beside the module of its entry
point, which is read without importing the science: that would take seconds.
All keys may be left out:

``[run.NAME]``
    An option of ``spectrum run`` that sets the spec's key NAME: its ``kind``
    (``flag``, ``integer``, ``number`` or ``text``) and its ``help``.
``[convert.NAME]``
    An option of ``spectrum data convert`` for the science's converter.
``shows``
    What ``spectrum data show`` can look into.
``source``, ``target``, ``converting``
    What is converted, how the name of what is written ends, and a sentence.
``size``
    What ``spectrum data make --size`` counts.
``[commands.NAME]``
    A command ``spectrum SCIENCE NAME RUN`` that calls the science's action NAME (`Domain.actions`)
    with a saved result: its ``help``, its ``options`` as above, and ``workers = true`` if workers
    compute it.
``runs``, ``conversions``
    Lines for ``spectrum --help`` and ``spectrum data --help``: what one may do.
"""

from __future__ import annotations

import inspect
import tomllib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from spectrum_workflows.registration import LeftOutWarning, points

FILE = "command_line.toml"

Kind = Literal["flag", "integer", "number", "text"]
TYPES: Mapping[Kind, type[Any]] = {"flag": bool, "integer": int, "number": float, "text": str}


@dataclass(frozen=True)
class Option:
    """One option that a science adds to a command."""

    kind: Kind
    help: str


@dataclass(frozen=True)
class Command:
    """One command that a science adds, for its saved runs."""

    help: str
    options: Mapping[str, Option]
    workers: bool = False


@dataclass(frozen=True)
class CommandLine:
    """Additions of all sciences together.

    Attributes
    ----------
    run, convert : dict of str to Option
        Options of the two commands.
    commands : dict of str to dict of str to Command
        Commands of each science that has some.
    shown, sources, targets, converting, sizes, runs, conversions : tuple of str
        Words of the help; see above.
    """

    run: dict[str, Option]
    convert: dict[str, Option]
    commands: dict[str, dict[str, Command]]
    shown: tuple[str, ...]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    converting: tuple[str, ...]
    sizes: tuple[str, ...]
    runs: tuple[str, ...]
    conversions: tuple[str, ...]


def command_line() -> CommandLine:
    """Additions of the registered sciences; a warning names one whose file cannot be used."""
    tables: list[dict[str, Any]] = []
    commands: dict[str, dict[str, Command]] = {}
    for point in points():
        try:
            table = _table(point)
            added = _commands(table)
            tables.append(table | {key: _options(table, key) for key in ("run", "convert")})
            commands |= {point.name: added} if added else {}
        except Exception as error:  # somebody else's package
            line = " ".join(f"{point.name}: {FILE} cannot be used ({error})".split())
            warnings.warn(f"left out: {line}", LeftOutWarning, stacklevel=2)

    def words(key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(t[key]).strip() for t in tables if key in t))

    def lines(key: str) -> tuple[str, ...]:
        return tuple(str(line) for t in tables for line in t.get(key, ()))

    def options(key: str) -> dict[str, Option]:
        return {name: option for t in tables for name, option in t[key].items()}

    return CommandLine(
        run=options("run"),
        convert=options("convert"),
        commands=commands,
        shown=words("shows"),
        sources=words("source"),
        targets=words("target"),
        converting=words("converting"),
        sizes=words("size"),
        runs=lines("runs"),
        conversions=lines("conversions"),
    )


def _table(point: EntryPoint) -> dict[str, Any]:
    """The file of one science, parsed; nothing if there is none."""
    module = find_spec(point.module)
    if module is None or module.origin is None:
        return {}
    file = Path(module.origin).with_name(FILE)
    return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}


def _options(table: Mapping[str, Any], key: str) -> dict[str, Option]:
    options = {name: Option(**option) for name, option in table.get(key, {}).items()}
    for name, option in options.items():
        if option.kind not in TYPES or not name.isidentifier():
            raise ValueError(f"{key}.{name}: kind is one of {', '.join(get_args(Kind))}")
    return options


def _commands(table: Mapping[str, Any]) -> dict[str, Command]:
    described = table.get("commands", {})
    return {
        name: Command(said["help"], _options(said, "options"), said.get("workers", False))
        for name, said in described.items()
    }


def with_options(
    command: Callable[..., None], options: Mapping[str, Option]
) -> Callable[..., None]:
    """The command, taking these options besides its own; they come as ``**of_science``."""
    signature = inspect.signature(command, eval_str=True)
    own = {p.name: p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD}
    added = [_parameter(name, option) for name, option in options.items() if name not in own]
    command.__signature__ = signature.replace(parameters=[*own.values(), *added])  # type: ignore[attr-defined]
    return command


def _parameter(name: str, option: Option) -> inspect.Parameter:
    flag = f"--{name.replace('_', '-')}"
    kind: Any = TYPES[option.kind] if option.kind == "flag" else TYPES[option.kind] | None
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if option.kind == "flag" else None,
        annotation=Annotated[kind, typer.Option(flag, help=option.help)],
    )


def given(of_science: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the sciences' options that were given."""
    return {
        name: value
        for name, value in of_science.items()
        if value is not None and value is not False
    }


COMMAND_LINE = command_line()
"""Read once, when the command starts."""
