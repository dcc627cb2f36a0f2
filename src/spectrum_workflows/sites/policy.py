"""What a site allows a run: limits, places, and what its people are admitted to."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from spectrum_workflows.specs import FrozenModel

CLOCK = re.compile(r"(?:(\d+)-)?(\d{1,4}):([0-5]\d):([0-5]\d)")
"""A time as batch systems write it: ``HH:MM:SS``, with days before it ``D-HH:MM:SS``."""


def seconds(value: Any) -> Any:
    """A duration as seconds: a number, words such as ``"10 minutes"``, or ``"HH:MM:SS"``."""
    from dask.utils import parse_timedelta

    if isinstance(value, str) and (clock := CLOCK.fullmatch(value.strip())):
        days, hours, minutes, rest = (int(part or 0) for part in clock.groups())
        return float(((24 * days + hours) * 60 + minutes) * 60 + rest)
    message = 'not a duration: give seconds, or words such as "2 hours" or "02:00:00"'
    if isinstance(value, bool):
        raise ValueError(message)
    try:
        return parse_timedelta(value)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ValueError(message) from None


def nbytes(value: Any) -> Any:
    """A size as bytes: a number, or words such as ``"10 GB"``."""
    from dask.utils import parse_bytes

    message = 'not a size: give bytes, or words such as "10 GB"'
    if isinstance(value, bool) or (isinstance(value, str) and not re.search(r"\d", value)):
        raise ValueError(message)
    try:
        return parse_bytes(value)
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise ValueError(message) from None


def number(value: Any) -> Any:
    """A number, which true and false are not."""
    if isinstance(value, bool):
        raise ValueError("not a number")
    return value


def yes_or_no(value: Any) -> Any:
    """True or false, as TOML writes them."""
    if not isinstance(value, bool):
        raise ValueError("not true or false, written without quotes")
    return value


def several(value: Any) -> Any:
    """A list of texts, of which none is empty."""
    texts = value if isinstance(value, list | tuple) else None
    if texts is None or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError('not a list of texts, such as ["open"]')
    return tuple(text.strip() for text in texts)


Amount = Annotated[float, BeforeValidator(number, json_schema_input_type=float), Field(gt=0)]
Duration = Annotated[float, BeforeValidator(seconds, json_schema_input_type=str | float)]
Bytes = Annotated[int, BeforeValidator(nbytes, json_schema_input_type=str | int), Field(gt=0)]
Texts = Annotated[tuple[str, ...], BeforeValidator(several, json_schema_input_type=list[str])]
YesOrNo = Annotated[bool, BeforeValidator(yes_or_no, json_schema_input_type=bool)]


class Policy(FrozenModel):
    """Rules that a run must keep; of several, all of them.

    What is left out is not limited.
    """

    stated_by: str = ""
    """Who states it, for messages; without it, the profile's file."""
    core_hours: Amount | None = None
    """Most CPU-hours of a run, of all its tasks and of its session."""
    walltime: Annotated[Duration, Field(gt=0)] | None = None
    """Longest run: ``"2 hours"``, ``"02:00:00"``, or seconds."""
    bytes_read: Bytes | None = None
    """Most bytes that a run reads: ``"500 GB"``, or bytes."""
    bytes_out: Bytes | None = None
    """Most bytes of results that a run writes below its results root: ``"10 GB"``, or bytes."""
    energy_kwh: Amount | None = None
    """Most energy of a run, kWh; it is foretold as CPU-hours times the power of a core, see
    ``[energy]``."""
    places: Texts | None = None
    """Places to which results and messages may go: URL or path prefixes."""
    user_code: YesOrNo = True
    """Whether a spec may name code that is not part of the package."""
    credentials_margin: Annotated[Duration, Field(ge=0)] | None = None
    """Time for which tokens and proxies must be valid after the expected end of a run; without it
    their ends are not looked at."""
    known_as: Texts = ()
    """What this site is called in the ``residency`` of data sets: itself, its centre, its country,
    its federation."""
    access: Texts = ()
    """Groups that who runs here belongs to: the ``access`` of data sets that they may read."""
    licences: Texts | None = None
    """Licences of catalogued data that may be processed here."""


def as_list(value: Any) -> Any:
    """One table, or a list of them, as a list."""
    return [value] if isinstance(value, dict | Policy) else value


Policies = Annotated[
    tuple[Policy, ...],
    BeforeValidator(as_list, json_schema_input_type=Policy | list[Policy]),
]
"""``[policy]``, or several ``[[policy]]``: each holds."""
