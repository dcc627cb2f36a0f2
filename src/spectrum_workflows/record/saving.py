"""A result is saved whole or kept here: never half there, never in memory only."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, OutputError, SpectrumError
from spectrum_workflows.record import spool
from spectrum_workflows.record.outcome import Outcome
from spectrum_workflows.record.writing import folder_name, read_record, write
from spectrum_workflows.specs import spec_digest


def save(outcome: Outcome, results: str, *, spools: Sequence[str] = ()) -> str:
    """Write everything a run produced below ``results``.

    In a local folder it is written under another name, which is changed when
    all is there.  Before the first byte goes to a store, it is written to a
    spool on this machine; and there too if the local folder cannot take it.

    Parameters
    ----------
    outcome : Outcome
    results : str
        URL of the folder that gets one folder per run.
    spools : sequence of str
        Folders of this machine that may keep it, the most wanted first.

    Returns
    -------
    str
        URL of the run's own folder, which no other run can have.

    Raises
    ------
    OutputError
        The place cannot be written to; the error says where the result is kept.
    """
    kept = _kept_before(outcome, spools)
    if storage.is_local(results):
        folder = _saved_here(outcome, results, kept, spools)
    else:
        folder = _saved_there(outcome, results, kept, spools)
    if kept:
        spool.discard(kept)
    return folder


def _saved_here(outcome: Outcome, results: str, kept: str, spools: Sequence[str]) -> str:
    name = folder_name(outcome)
    part, folder = (storage.join(results, n) for n in (f".{name}{spool.PARTIAL}", name))
    try:
        write(outcome, part)
        spool.move_into_place(part, folder)
    except SpectrumError as error:
        spool.sweep(part)
        raise _told(error, kept or _keep(outcome, name, results, spools, error)) from error
    except BaseException:
        spool.sweep(part)
        raise
    return folder


def _saved_there(outcome: Outcome, results: str, kept: str, spools: Sequence[str]) -> str:
    name = folder_name(outcome)
    try:
        kept = kept or spool.keep(lambda folder: write(outcome, folder), name, results, spools)
    except OutputError as error:
        return _unspooled(outcome, storage.join(results, name), error)
    try:
        folder = spool.send(kept, results)
    except SpectrumError as error:
        raise _told(error, kept) from error
    spool.discard(kept)
    return folder


def _unspooled(outcome: Outcome, folder: str, cause: OutputError) -> str:
    """Send it without a copy here: nothing else is left to try."""
    try:
        write(outcome, folder)
    except OutputError as error:
        spool.sweep(folder)
        raise OutputError(f"{error.what}; {cause.what}", error.where, error.remedy) from error
    return folder


def _keep(
    outcome: Outcome, name: str, results: str, spools: Sequence[str], error: SpectrumError
) -> str:
    try:
        return spool.keep(lambda folder: write(outcome, folder), name, results, spools)
    except OutputError as second:
        raise OutputError(f"{error.what}; {second.what}", error.where, error.remedy) from error


def _told(error: SpectrumError, kept: str) -> OutputError:
    """The error that says where the result is."""
    spool.note_reason(kept, str(error))
    remedy = f"spectrum save '{kept}' --out URL puts it elsewhere"
    return OutputError(f"{error.what}; the result is kept in {kept}", error.where, remedy)


def _kept_before(outcome: Outcome, spools: Sequence[str]) -> str:
    """Where this very result is kept since it could not be saved before; empty if nowhere."""
    identity = {
        "digest": outcome.digest,
        "started": outcome.started,
        "spec_digest": spec_digest(outcome.spec),
    }
    for one in spool.spooled(spools):
        with suppress(DataError, OSError):
            record = read_record(one.folder)
            if all(record.get(word) == value for word, value in identity.items()):
                return one.folder
    return ""
