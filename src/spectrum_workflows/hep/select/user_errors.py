"""Errors of the user's code: where in it, and what."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from spectrum_workflows.errors import PartitionError

_LINES = 40
"""Lines of a traceback that are kept."""

DEEPEST = 100
"""Steps of a traceback that is sent as a whole."""


@dataclass(frozen=True)
class Frame:
    """A step of a traceback that is in the user's code.

    Attributes
    ----------
    file, function, text : str
        File below the folder of the code, function, and the line itself.
    line : int
        Its number.
    """

    file: str
    line: int
    function: str
    text: str

    @property
    def where(self) -> str:
        """File, line and function in words."""
        return f"{self.file}, line {self.line}, in {self.function}"


def frames_in(error: BaseException, folder: Path | None) -> list[Frame]:
    """The steps of an error's traceback that are in the code of a folder."""
    if folder is None:
        return []
    return [
        Frame(
            Path(step.filename).relative_to(folder).as_posix(),
            step.lineno or 0,
            step.name,
            step.line or "",
        )
        for step in traceback.extract_tb(error.__traceback__)
        if folder in Path(step.filename).parents
    ]


def explain(error: BaseException, folder: Path | None, where: str) -> PartitionError:
    """The error to show, with the user's lines in its message and its note.

    Parameters
    ----------
    error : BaseException
        Raised by the user's function.
    folder : Path or None
        Where its code lies in this process.
    where : str
        The function in words, for an error that is in no line of it.
    """
    frames = frames_in(error, folder)
    last = frames[-1].where if frames else where
    caller = f" (called from {frames[-2].where})" if len(frames) > 1 else ""
    relative = isinstance(error, FileNotFoundError) and not _names_full_path(error)
    remedy = 'files beside the code are Path(__file__).parent / "name"' if relative else ""
    explained = PartitionError(f"{last}{caller}: {first_line(error)}", "", remedy)
    lines = [f"  {frame.where}\n    {frame.text}" for frame in frames]
    full = "".join(traceback.format_exception_only(error)).strip().splitlines()[:_LINES]
    explained.add_note("\n".join(["Traceback of the selection:", *lines[-_LINES:], *full]))
    return explained


def without_deep_traceback(error: BaseException) -> BaseException:
    """The error, without a traceback that would be too deep to be sent by a worker.

    Dask sends the traceback along, entry in entry, and where that fails an error of no kind.
    """
    depth = sum(1 for _ in traceback.walk_tb(error.__traceback__))
    return error if depth <= DEEPEST else error.with_traceback(None)


def first_line(error: BaseException) -> str:
    """Type and first line of an error."""
    try:
        text = str(error).strip().splitlines()
    except Exception:  # whose text is the user's code, too
        text = []
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _names_full_path(error: OSError) -> bool:
    return Path(str(error.filename or "/")).is_absolute()
