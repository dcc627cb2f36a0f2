"""The word for writing data in another form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Converter:
    """How one science writes its data in the form that is best read from a store.

    Attributes
    ----------
    suffix : str
        How the names of the files or sets end that it reads.
    convert : callable
        ``convert(source, target, *, columns, overwrite, report, ...)`` returns
        JSON-ready numbers; further options are the science's own.
    to_keep : callable, optional
        ``to_keep(spec)``: columns that a copy must keep for a spec; a ``?``
        ends those that the source may lack.
    recognises : callable, optional
        ``recognises(source)``: whether it reads that, whatever its name ends in.
    """

    suffix: str
    convert: Callable[..., dict[str, Any]]
    to_keep: Callable[[Any], list[str]] | None = None
    recognises: Callable[[str], bool] | None = None
