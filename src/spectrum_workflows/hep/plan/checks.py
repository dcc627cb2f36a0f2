"""Checks of a plan's files: counted once, not empty, alike in the columns that they lack."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import normalisation
from spectrum_workflows.hep.columns import RequestedColumns
from spectrum_workflows.hep.plan import duplicates
from spectrum_workflows.hep.plan.duplicates import Identified
from spectrum_workflows.hep.plan.files import InputFile
from spectrum_workflows.hep.plan.inspection import FileInfo

COUNTED = "events are counted by spec or catalogue: those files were not opened, nor checked"

NOT_COMPARED = (
    'normalisation = "events": nobody looked whether the counted files of {} hold all events'
    " that were generated"
)


def counted_once(
    files: Sequence[InputFile], infos: Mapping[InputFile, FileInfo], data: Collection[str]
) -> list[str]:
    """Warnings of files that may be copies of each other.

    Raises
    ------
    DataError
        A file would be counted twice.
    """
    identified = []
    uuids: dict[str, tuple[str, str]] = {}
    for file in files:
        identities = [storage.same_place(file.url)]
        if file in infos:
            info = infos[file]
            identities.append(info.content)
            uuids.setdefault(info.content, (file.url, info.uuid.partition(".")[0]))
        if file.checksum:
            identities.append(file.checksum)
        identified.append(Identified(file.sample, file.url, tuple(identities)))
    return [*duplicates.refuse(identified, data=data), *duplicates.alike(uuids.values())]


def check_not_empty(
    sample: str,
    files: Sequence[InputFile],
    infos: Mapping[InputFile, FileInfo],
    requested: RequestedColumns,
) -> None:
    """Refuse a sample without events, unless its sum of weights says that there were some.

    Raises
    ------
    DataError
        It holds no events, or its sum of weights is not positive.
    """
    if requested.generator_weighted and all(file in infos for file in files):
        total = sum(infos[file].generated.weights or 0.0 for file in files)
        normalisation.check_total(sample, total)
    elif not requested.generator_weighted and not any(entries(file, infos) for file in files):
        remedy = f"leave sample {sample!r} out, or replace it"
        raise DataError("no events", files[0].url, remedy)


def entries(file: InputFile, infos: Mapping[InputFile, FileInfo]) -> int | None:
    """Events of a file: its own number if it was opened, else as spec or catalogue count them."""
    return infos[file].entries if file in infos else file.counted


def common_fallbacks(
    sample: str, infos: Sequence[FileInfo], requested: RequestedColumns
) -> tuple[str, ...]:
    """Columns of a sample that something stands in for: in all of its files or in none.

    Raises
    ------
    DataError
        In some files only.
    """
    having = [info for info in infos if info.entries]
    for info in having:
        differ = {*requested.alike(info.fallbacks_used)} ^ {
            *requested.alike(having[0].fallbacks_used)
        }
        if differ:
            raise DataError(
                f"only one of {having[0].url} and {info.url} has {min(differ)}",
                f"samples.{sample}",
                "make two samples of them: what stands in may select otherwise",
            )
    return requested.alike(having[0].fallbacks_used) if having else ()


def not_opened(
    files: Sequence[InputFile],
    infos: Mapping[InputFile, FileInfo],
    requested: Mapping[str, RequestedColumns],
) -> Iterator[str]:
    """Warnings of what nobody has looked at, as spec or catalogue count the events."""
    counted = [file for file in files if file.counted is not None and file not in infos]
    if counted:
        yield COUNTED
    samples = dict.fromkeys(file.sample for file in counted)
    by_events = [name for name in samples if requested[name].normalisation == "events"]
    if by_events:
        yield NOT_COMPARED.format(", ".join(by_events))
