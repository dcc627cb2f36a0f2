"""Failures as values, and the errors to show for them."""

from __future__ import annotations

from spectrum_workflows.domain import Failure, Partition
from spectrum_workflows.errors import PartitionError, SpectrumError, StoreError

_PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def failure(item: Partition, error: BaseException, attempts: int) -> Failure:
    """The value that stands for a partition which could not be computed."""
    notes = "\n".join(getattr(error, "__notes__", ()))
    return Failure(item.where, item.size, _describe(error), attempts, notes)


def as_spectrum_error(error: BaseException, item: Partition) -> SpectrumError:
    """The error to show: our own as it is, any other with its partition named."""
    if not isinstance(error, SpectrumError):
        remedy = "--on-error keep finishes without it"
        error = PartitionError(_describe(error), item.where, remedy)
    error.partition = item.where
    return error


def as_merge_error(error: BaseException) -> SpectrumError:
    """The error to show when results could be computed but not merged."""
    if isinstance(error, SpectrumError):
        return error
    return PartitionError(f"merging results failed ({_describe(error)})")


def _describe(error: BaseException) -> str:
    if isinstance(error, SpectrumError):
        return str(error)
    if type(error).__name__ == "KilledWorker":  # distributed's, which is not imported here
        cause = "every worker that tried it died: it may need more memory than a worker has"
        return f"{cause}, or be damaged so that its reader dies"
    lines = str(error).splitlines() or [""]
    texts = [line.strip() for line in lines if line.strip()] or [""]
    return (
        f"{type(error).__name__}: {texts[0] if lines[0].strip() else texts[-1]}"  # C++'s end in it
    )


def may_pass(error: BaseException) -> bool:
    """Whether the same partition may succeed when it is tried again."""
    if isinstance(error, PartitionError) and error.__cause__ is not None:
        error = error.__cause__  # what a user's own code met
    ours = isinstance(error, SpectrumError) and not isinstance(error, StoreError)
    return isinstance(error, OSError) and not ours and not isinstance(error, _PERMANENT)
