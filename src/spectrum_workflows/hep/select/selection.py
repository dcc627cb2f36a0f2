"""A selection: the user's function with its cuts, as it travels to any worker."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

from spectrum_workflows.errors import PartitionError, SpectrumError
from spectrum_workflows.hep.select.source import (
    Installed,
    Source,
    entry_of,
    folder_of,
    function_of,
)
from spectrum_workflows.hep.select.user_errors import explain, without_deep_traceback
from spectrum_workflows.hep.spec.cuts import Bound, bound, given

TOLD = ("sample", "is_data")
"""Keyword arguments by which a selection is told of the sample, if it has them."""


@dataclass(frozen=True)
class Selection:
    """A selection function and its cuts, in a form that any worker can load.

    Attributes
    ----------
    name : str
        Of the function.
    source : Bundle or Installed
        Where its code is.
    cuts : tuple of (str, value)
        Keyword arguments for it.
    told : tuple of str
        Which of `TOLD` it takes besides.
    """

    name: str
    source: Source
    cuts: Bound
    told: tuple[str, ...] = ()

    def __call__(self, events: Any, **options: Any) -> Any:
        """Apply the selection to an awkward record array of events.

        Raises
        ------
        PartitionError
            It raised an error, whose lines of the user's code are named.
        """
        return self._called(self.name, events, {**given(self.cuts), **options})

    def beside(self, name: str, events: Any, **more: Any) -> Any:
        """Apply another function of the same module, with those of the cuts that it takes.

        What is given besides, it takes.

        Raises
        ------
        PartitionError
            As of the selection.
        """
        parameters = inspect.signature(function_of(self.source, name)).parameters.values()
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
        known = {p.name for p in parameters}
        cuts = {cut: v for cut, v in given(self.cuts).items() if takes_all or cut in known}
        return self._called(name, events, cuts | more)

    def _called(self, name: str, events: Any, options: Mapping[str, Any]) -> Any:
        function = function_of(self.source, name)
        try:
            with redirect_stdout(sys.stderr):  # the output is the command's, and may be JSON
                return function(events, **options)
        except (Exception, SystemExit, GeneratorExit) as error:
            if isinstance(error, SpectrumError) and isinstance(self.source, Installed):
                raise
            explained = explain(error, folder_of(self.source), self.where)
            raise explained from without_deep_traceback(error)

    @property
    def digest(self) -> str:
        """SHA-256 of the code that it consists of."""
        return self.source.digest

    @property
    def where(self) -> str:
        """File, line and name of the function in words."""
        function = inspect.unwrap(function_of(self.source, self.name))
        code = getattr(getattr(function, "func", function), "__code__", None)
        if code is None:
            called = type(function).__call__
            code = getattr(called, "__code__", None)
        line = f", line {code.co_firstlineno}" if code else ""
        return f"{entry_of(self.source)}{line}, in {self.name}"

    def with_cuts(self, cuts: Mapping[str, Any]) -> Selection:
        """The same selection with some cuts replaced."""
        return replace(self, cuts=bound({**dict(self.cuts), **cuts}))


def located(error: SpectrumError, where: str, selection: Selection) -> SpectrumError:
    """The same error with its partition, and with the function if it is about what that returned.

    Parameters
    ----------
    error : SpectrumError
        Of the selection, or of what it returned.
    where : str
        File and entries.
    selection : Selection
        Whose error it is.
    """
    if isinstance(error, PartitionError):
        remedy = error.remedy or "--on-error keep finishes without it"
        own: SpectrumError = PartitionError(error.what, where, remedy)
        for note in getattr(error, "__notes__", ()):
            own.add_note(note)
        return own
    about = f"returned by {selection.where}" if error.where == "select" else error.where
    return error.at(where if where.startswith(about) else f"{where}: {about}")
