"""Files of a data set whose name Rucio or DAS resolves, with their replicas as a site wants them.

Each is asked through its own client, which finds its credentials as it always does; nothing of
them is read here.  A list that may lack files, or a file without a replica that can be read, is
never passed over in silence.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from spectrum_workflows import storage
from spectrum_workflows.catalogue import das, rucio
from spectrum_workflows.catalogue.data_set_names import (
    RUCIO,
    check_name,
    das_name,
    rucio_name,
)
from spectrum_workflows.catalogue.data_set_types import DataSetFile
from spectrum_workflows.catalogue.finding import ordered
from spectrum_workflows.errors import DataNotFoundError, SpecError

KEPT = 300.0
"""Seconds for which an answer is used again, so that one run asks once."""

_answers: dict[tuple[str, str, storage.Stores], tuple[float, DataSet]] = {}


@dataclass(frozen=True)
class DataSet:
    """A data set as its bookkeeping knew it when it was asked.

    Attributes
    ----------
    reference : str
        As the spec writes it.
    files : tuple of DataSetFile
        Sorted by name; the replicas of each in this site's order.
    left_out : tuple of str
        Names of files that the bookkeeping itself holds for invalid.
    """

    reference: str
    files: tuple[DataSetFile, ...]
    left_out: tuple[str, ...] = ()

    @property
    def unavailable(self) -> tuple[DataSetFile, ...]:
        """Files without a replica that can be read."""
        return tuple(file for file in self.files if not file.replicas)

    @property
    def identity(self) -> str:
        """Text over names, sizes and checksums of all files; of no replica."""
        rows = [f"{f.name} {f.size} {f.checksum} {f.events}\n" for f in self.files]
        listed = hashlib.sha256("".join(rows).encode()).hexdigest()
        return f"{len(self.files)} files, sha256 {listed}"

    def check_available(self) -> None:
        """Refuse a data set of which a file cannot be read.

        Raises
        ------
        DataNotFoundError
            Naming the first files.
        """
        missing = [file.name for file in self.unavailable]
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise DataNotFoundError(
                f"{len(missing)} of {len(self.files)} files have no replica on disk that can be"
                f" read ({', '.join(missing[:3])}{more})",
                self.reference,
                "ask for a replica (a rule in Rucio), or --on-error keep goes on without them",
            )


def data_set(reference: str, data: str) -> DataSet:
    """Ask for the files of a data set, or use an answer of a moment ago.

    Parameters
    ----------
    reference : str
        ``rucio:SCOPE:NAME`` or ``das:/PRIMARY/PROCESSED/TIER``.
    data : str
        Data root, where files of CMS are looked for first.

    Raises
    ------
    SpecError
        The name is malformed, or no store serves such files here.
    MissingExtraError
        The client is not installed.
    DataNotFoundError
        There is no such data set, or it holds no file.
    AccessError, StoreError
        The bookkeeping does not let us in, or does not answer.
    DataError
        It answers what cannot be understood.
    """
    key = (reference, data, storage.current_stores())
    asked, answer = _answers.get(key, (-KEPT, None))
    if answer is None or time.monotonic() - asked >= KEPT:
        answer = _asked(reference, data)
        _answers[key] = (time.monotonic(), answer)
    return answer


def shared_roots(replicas: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Roots below which the same files lie, from the replicas of each file.

    A root is what is left of a URL without the longest end that all replicas share.

    >>> shared_roots([["root://a//store/x.root", "https://b/cms/store/x.root"]])
    (('root://a/', 'https://b/cms'),)
    """
    groups: dict[tuple[str, ...], None] = {}
    for urls in replicas:
        if len(urls) > 1:
            end = _shared_end(urls)
            groups[tuple(url.removesuffix(end) for url in urls)] = None
    return tuple(groups)


def _shared_end(urls: Sequence[str]) -> str:
    """The longest end of some URLs that begins with a slash and lies behind their hosts."""
    paths = [url.partition("://")[2].partition("/")[2].split("/") for url in urls]
    shared: list[str] = []
    for names in zip(*(reversed(path) for path in paths), strict=False):
        if len({*names}) > 1 or not names[0]:
            break
        shared.append(names[0])
    return "".join(f"/{name}" for name in reversed(shared))


def _asked(reference: str, data: str) -> DataSet:
    try:
        check_name(reference)
    except ValueError as error:
        raise SpecError(str(error), "files") from None
    left_out: Sequence[str] = ()
    if reference.startswith(RUCIO):
        name = rucio_name(reference)
        rows = rucio.files(name.scope, name.name, reference)
        files = [replace(file, replicas=tuple(ordered(file.replicas))) for file in rows]
    else:
        rows, left_out = das.files(das_name(reference), reference)
        files = [replace(file, replicas=_served(file.name, data)) for file in rows]
        if not any(file.replicas for file in files):
            raise SpecError(
                "no store of this site serves files of CMS by their names",
                reference,
                'give one in the profile: data = "root://HOST", or replicas = ["root://HOST"]',
            )
    if not files:
        remedy = "look at it with its own client"
        raise DataNotFoundError("no file in this data set", reference, remedy)
    return DataSet(reference, tuple(sorted(files, key=lambda file: file.name)), tuple(left_out))


def _served(name: str, data: str) -> tuple[str, ...]:
    """URLs of a file of CMS by its logical name: the data root's, then those of the site's stores.

    A local data root counts where the file is there.
    """
    if storage.is_local(data):
        here = storage.join(data, name.lstrip("/"))
        own = [here] if storage.exists(here) else []
    else:
        own = [storage.below(data, name)]
    stores = [prefix for prefix in storage.current_stores().replicas if "://" in prefix]
    return tuple(
        dict.fromkeys([*own, *(storage.join(prefix, name.lstrip("/")) for prefix in stores)])
    )
