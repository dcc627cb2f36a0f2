"""The source of a selection's code, and its module in this process: the same in any process."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from spectrum_workflows.code_identity import Code, confirm
from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.select import loader
from spectrum_workflows.hep.select.bundle import Bundle
from spectrum_workflows.hep.select.user_errors import first_line, frames_in

Select = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class Installed:
    """A module of a package, and the code that it depends on."""

    module: str
    code: Code

    @property
    def digest(self) -> str:
        """SHA-256 of that code."""
        return self.code.digest

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        """No files: it is not the user's, or is kept elsewhere."""
        return ()


Source = Bundle | Installed
"""A file that travels with what it uses beside it, or a package that travels as its name."""


def function_of(source: Source, name: str) -> Select:
    """A function of the module, in this process.

    Raises
    ------
    SpecError
        As `module_of`.
    """
    module = module_of(source) if isinstance(source, Bundle) else _confirmed(source)
    function: Select = getattr(module, name)
    return function


def module_of(source: Source) -> ModuleType:
    """The module in this process.

    Raises
    ------
    SpecError
        Its code does not run, or it is not the one that the run was planned with.
    """
    if isinstance(source, Installed):
        module = importlib.import_module(source.module)
        confirm(source.code)
        return module
    try:
        with redirect_stdout(sys.stderr):
            module = loader.module(source)
    except (Exception, SystemExit) as error:
        frames = frames_in(error, folder_of(source))
        line = f", line {frames[-1].line}" if frames else ""
        file = frames[-1].file if frames else source.entry
        path = os.path.join(source.origin, file)  # noqa: PTH118
        absent = isinstance(error, ModuleNotFoundError)
        remedy = "install it on both sides, or put it beside this file" if absent else ""
        message = f"this code does not run ({first_line(error)})"
        raise SpecError(message, f"{path}{line}", remedy) from error
    confirm(source.elsewhere)
    return module


@lru_cache(maxsize=8)
def _confirmed(source: Installed) -> ModuleType:
    """An installed module, whose file is looked at once per process and not per partition."""
    return module_of(source)


def entry_of(source: Source) -> str:
    """Name of the file that the function is in."""
    if isinstance(source, Bundle):
        return source.entry
    path = getattr(sys.modules.get(source.module), "__file__", None)
    return Path(path).name if path else source.module


def folder_of(source: Source) -> Path | None:
    """The folder that the code lies in, in this process, if it was run or tried to."""
    if isinstance(source, Bundle):
        return loader.place(source)
    path = getattr(sys.modules.get(source.module), "__file__", None)
    return Path(path).parent if path else None
