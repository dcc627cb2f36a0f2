"""Specs: what to compute, parsed once at the door into frozen models."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from spectrum_workflows import display
from spectrum_workflows.credentials import found_in, texts
from spectrum_workflows.errors import SpecError
from spectrum_workflows.meanings import meanings_of
from spectrum_workflows.naming import Name

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler

_TRIED = r"(tuple|list|dict)\[.*\]|int|float|str|bool"
"""What pydantic puts behind a key that may have several types."""

TAGS = ("tuple[...]", "dict[...]")
"""What a key that is a list or a table calls the two; see `listed_or_tabled`."""

LONGEST = 300
"""Characters that an error quotes of a name or value."""

M = TypeVar("M", bound=BaseModel)


class FrozenModel(BaseModel):
    """A model that cannot change and takes no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema with the docstrings of the keys, which are read only for it."""
        schema = handler(core_schema)
        keys = handler.resolve_ref_schema(schema).get("properties", {})
        for name, meaning in meanings_of(cls).items():
            if name in keys:
                keys[name].setdefault("description", meaning)
        return schema

    def _repr_html_(self) -> str:
        """The keys that were given, for a notebook."""
        given = self.model_dump(mode="json", exclude_unset=True)
        named = {key: given.pop(key) for key in ("workflow", "name") if key in given}
        title = " ".join(map(str, named.values())) or type(self).__name__
        rows = [(key, json.dumps(value, ensure_ascii=False)) for key, value in given.items()]
        return display.card(title, rows[: display.MOST_ROWS])

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """What IPython prints: a long spec is not repeated, `model_dump` gives it all."""
        printer.text(display.shortened(repr(self), 1_000))

    def changed(self, **changes: Any) -> Self:
        """Return a validated copy with some values replaced.

        Nested tables are given as mappings and merged:
        ``spec.changed(cuts={"jet_pt": 40.0})``.

        Raises
        ------
        SpecError
            The changed spec is not valid.
        """
        merged = merged_tables(self.model_dump(exclude_unset=True), changes)
        hidden = [n for n, f in type(self).model_fields.items() if f.exclude]
        merged |= {n: getattr(self, n) for n in hidden if n not in changes}
        return parse(type(self), merged, where="changed spec", exact=True)


class RunSpec(FrozenModel):
    """What every run spec has: which science it is of, and a name."""

    workflow: str
    """Which science this spec is of."""
    name: Name
    """Of the run: its folder below the results root begins with it."""


def listed_or_tabled(value: Any) -> str:
    """Which of `TAGS` a value is, so that an error is about what it was meant to be."""
    return TAGS[isinstance(value, Mapping)]


def parse(model: type[M], table: Mapping[str, Any], *, where: str, exact: bool = False) -> M:
    """Validate a parsed TOML table, with errors a person can act on.

    Parameters
    ----------
    model : type of FrozenModel
        What it should be.
    table : mapping
        Parsed TOML.
    where : str
        Name in errors.
    exact : bool
        Text is text, a number is a number, and true and false are neither.
        Otherwise text may stand for the others, as values of environment
        variables do.

    Raises
    ------
    SpecError
        Unknown key (the closest known one is suggested), missing or bad value; or
        there is a secret in it, which would get into records and job scripts.
    """
    refuse_secrets(table, where)
    try:
        parsed = model.model_validate(table)
    except ValidationError as error:
        raise _explain(error, model, where) from None
    if exact:
        _refuse_other_kinds(table, parsed, where)
    return parsed


def refuse_secrets(table: Mapping[str, Any], where: str, *, guess: bool = False) -> None:
    """Refuse a file in which a password, a token or a signed link stands literally.

    Raises
    ------
    SpecError
        It says where, and of which kind; not what.
    """
    for at, text in texts(table):
        if kind := found_in(text, guess=guess):
            remedy = "leave it to the library's own chain (environment, provider profile, netrc)"
            if "://" in text:
                remedy = "name the file without it, and a token_file in the profile's [storage]"
            raise SpecError(f"{at or 'a key'} holds {kind}", where, remedy)


def read_toml(text: bytes, *, where: str) -> dict[str, Any]:
    """Parse TOML bytes.

    Raises
    ------
    SpecError
        The text is not UTF-8 TOML.
    """
    try:
        return tomllib.loads(text.decode())
    except RecursionError:
        raise SpecError("not valid TOML: nested too deeply", where) from None
    except ValueError as error:  # a TOMLDecodeError, not UTF-8, or a number of too many digits
        raise SpecError(f"not valid TOML: {_short(str(error))}", where) from None


def _short(text: str) -> str:
    """A text of any length for a line that people read."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def spec_digest(spec: BaseModel) -> str:
    """SHA-256 over the spec's canonical JSON: the same for the same question."""
    canonical = json.dumps(spec.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def closest(word: str, known: list[str]) -> str:
    """A ``did you mean`` remedy naming the nearest known words."""
    word = word[:LONGEST]
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return "known here: " + ", ".join(sorted(known)[:12]) if known else "there are none here"


def _refuse_other_kinds(given: Any, parsed: Any, where: str, at: str = "") -> None:
    """Refuse what validation took for something else than it was: ``"no"`` for false."""
    for step, value, taken in _pairs(given, parsed):
        here = f"{at}.{step}" if at else str(step)
        was, became = _kind_of(value), _kind_of(taken)
        if was and became and was != became:
            remedy = "write it without quotes" if was == "text" else ""
            message = f"{_short(here)}: this is {became}, not {was} (got {_short(repr(value))})"
            raise SpecError(message, where, remedy)
        _refuse_other_kinds(value, taken, where, here)


def _pairs(given: Any, parsed: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """What stands under each key or position before and after validation."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            inner = parsed.get(key) if isinstance(parsed, Mapping) else getattr(parsed, key, None)
            yield key, value, inner
    elif isinstance(given, list | tuple) and isinstance(parsed, list | tuple):
        for k, (value, inner) in enumerate(zip(given, parsed, strict=False)):
            yield k, value, inner


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "text" if isinstance(value, str) else ""


def merged_tables(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """A table with some values replaced; tables in it are merged, too."""
    out = dict(old)
    for key, value in new.items():
        before = out.get(key)
        nested = isinstance(value, Mapping) and isinstance(before, Mapping)
        out[key] = merged_tables(before, value) if nested else value  # type: ignore[arg-type]
    return out


def _explain(error: ValidationError, model: type[BaseModel], where: str) -> SpecError:
    first = min(error.errors(), key=_unlikely)
    path = _short(_path(first["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, first["loc"][:-1])
        word = str(first["loc"][-1])
        return SpecError(f"unknown key {path!r}{more}", where, closest(word, known))
    if first["type"] == "missing":
        return SpecError(f"missing key {path!r}{more}", where, "add it to the file")
    message = _short(first["msg"].removeprefix("Value error, "))
    given = "" if isinstance(first["input"], Mapping) else f" (got {_short(repr(first['input']))})"
    return SpecError(f"{path + ': ' if path else ''}{message}{given}{more}", where)


def _unlikely(error: Any) -> tuple[bool, bool]:
    """Whether it is rather another error that helps: of a table, what is wrong inside it."""
    outside = isinstance(error["input"], Mapping) and error["type"] != "missing"
    return error["type"] != "extra_forbidden", outside


def _path(loc: tuple[int | str, ...]) -> str:
    """Where in the file, without the types that were tried there."""
    steps = [str(step) for k, step in enumerate(loc) if not _was_tried(loc, k)]
    return ".".join(s if s.isprintable() else repr(s) for s in steps)


def _was_tried(loc: tuple[int | str, ...], k: int) -> bool:
    """Whether a step is not in the file but a type, or a model of an entry of a list."""
    step, after = str(loc[k]), loc[k + 1 :]
    if k and isinstance(loc[k - 1], int) and re.fullmatch(r"[A-Z]\w*Spec", step):
        return True
    if step in TAGS:
        return True
    return bool(re.fullmatch(_TRIED, step)) and all(isinstance(s, int) for s in after)


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Keys allowed at ``path``, following model-valued fields where there are any."""
    for step in path:
        field = model.model_fields.get(str(step))
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            continue  # an index, a mapping's key, or a discriminator
        model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The first model mentioned in an annotation such as ``dict[str, Model]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(part) for part in getattr(annotation, "__args__", ()))
    return next((m for m in inner if m is not None), None)
