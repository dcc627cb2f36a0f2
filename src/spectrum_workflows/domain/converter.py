"""The converter of a science, which writes its data in another form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


def _no_remarks(_numbers: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True)
class Converter:
    """Converter of one science's data to the form that is best read from a store.

    Attributes
    ----------
    suffix : str
        How the names of the files or sets end that it reads.
    convert : callable
        ``convert(source, target, *, columns, overwrite, report, ...)`` returns
        JSON-ready numbers, among them ``url``, ``bytes`` written, the number
        of ``entries`` under their own name, and ``kept``: pieces that an
        earlier, interrupted conversion had written.  Further options are the
        science's own.
    to_keep : callable, optional
        ``to_keep(spec)``: columns that a copy must keep for a spec; a ``?``
        ends those that the source may lack.
    recognises : callable, optional
        ``recognises(source)``: whether it reads that, whatever its name ends in.
    target : str
        How the name of what it writes ends; as its source, if left out.
    entries : str
        What it counts, and calls their number in what ``convert`` returns.
    remarks : callable
        ``remarks(numbers)``: what a person should know of a conversion besides
        the numbers, to stand behind them in one line.
    """

    suffix: str
    convert: Callable[..., dict[str, Any]]
    to_keep: Callable[[Any], list[str]] | None = None
    recognises: Callable[[str], bool] | None = None
    target: str = ""
    entries: str = "entries"
    remarks: Callable[[Mapping[str, Any]], str] = _no_remarks
