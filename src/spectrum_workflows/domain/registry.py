"""The sciences that are installed, by their entry points."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

from spectrum_workflows.domain.contract import Domain
from spectrum_workflows.errors import MissingExtraError, SpecError, SpectrumError
from spectrum_workflows.registration import LeftOutWarning, names, points


def get(name: str) -> Domain[Any, Any]:
    """Load one registered domain.

    Raises
    ------
    SpecError
        No such domain is registered, or what is registered is broken.
    MissingExtraError
        Its libraries are not installed.
    """
    point = next((point for point in points() if point.name == name), None)
    if point is None:
        known = ", ".join(names()) or "none"
        raise SpecError(f"unknown workflow {name!r}", remedy=f"installed: {known}")
    try:
        domain = point.load()
    except ModuleNotFoundError as error:
        remedy = remedy_for(point)
        raise MissingExtraError(f"the {name} workflow needs {error.name}", remedy=remedy) from error
    except SpectrumError:
        raise
    except Exception as error:  # somebody else's module, which may do anything
        raise broken(point, f"{type(error).__name__}: {error}") from error
    if not isinstance(domain, Domain):
        raise broken(point, f"it is a {type(domain).__name__}, not a Domain")
    return domain


def installed() -> Iterator[Domain[Any, Any]]:
    """Every domain that can be used here, by name; a warning says which cannot, and why."""
    for name in names():
        try:
            domain = get(name)
        except SpectrumError as error:
            warnings.warn(f"left out: {error}", LeftOutWarning, stacklevel=2)
        else:
            yield domain


def remedy_for(point: EntryPoint) -> str:
    """The command that installs what a science needs: by the extra of its name, if there is one."""
    if point.dist is None:
        return ""
    if point.name in (point.dist.metadata.get_all("Provides-Extra") or ()):
        return f"pip install '{point.dist.name}[{point.name}]'"
    return f"install what {point.dist.name} requires"


def broken(point: EntryPoint, error: str) -> SpecError:
    """The error of a science that is registered, and is none."""
    owner = point.dist.name if point.dist else point.value
    line = " ".join(error.split())
    return SpecError(
        f"the {point.name} workflow cannot be loaded ({line})", remedy=f"mend or remove {owner}"
    )
