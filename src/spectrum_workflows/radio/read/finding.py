"""The search for a data set: its place and its form."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from spectrum_workflows import catalogue, storage
from spectrum_workflows.errors import AccessError, DataError, DataNotFoundError, StoreError
from spectrum_workflows.radio.read import formats
from spectrum_workflows.radio.read.msv2.files import MADE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spectrum_workflows.radio.read.reader import Reader
    from spectrum_workflows.radio.spec import RadioSpec


SUFFIXES = (MADE, ".zarr")
"""How a name ends that is the set's own, not a stem."""


def inputs(spec: RadioSpec, data: str) -> list[str]:
    """The set the spec names: what is there, a Measurement Set first, else what would be made."""
    stems = catalogue.stems(spec.data_set, data)[: len(storage.data_roots(data))]
    made = f".{spec.synthetic.format}" if spec.synthetic else MADE
    places = (_locate(stem, reversed(formats.READERS)) for stem in stems)
    return [next(filter(None, places), None) or _called(stems[0], made)]


def find(spec: RadioSpec, data: str) -> str:
    """The URL of the spec's data set: ``NAME.zarr``, else ``NAME.ms``, else the folder NAME.

    Raises
    ------
    DataNotFoundError
        There is no such set.
    DataError
        There is only a Zarr set whose conversion was not finished, only a
        remote Measurement Set, or a folder that is no set.
    """
    stem, *others = catalogue.stems(spec.data_set, data)
    roots = len(storage.data_roots(data))
    with suppress(*([AccessError, StoreError] if roots > 1 else [])):  # the next one may answer
        if url := _locate(stem, formats.READERS):
            return url
    remote = [reader for reader in formats.READERS if reader.remote]
    for number, other in enumerate(others, 1):
        with suppress(AccessError, StoreError):
            if url := _locate(other, formats.READERS if number < roots else remote):
                return url
    raise _missing(stem)


def _locate(stem: str, readers: Iterable[Reader]) -> str | None:
    """The set of that name in the first format that has one."""
    return next((url for reader in readers if (url := reader.locate(stem))), None)


def _called(stem: str, suffix: str = MADE) -> str:
    """What a set of that name would be called here."""
    return stem if stem.endswith(SUFFIXES) else f"{stem}{suffix}"


def _missing(stem: str) -> DataError | DataNotFoundError:
    """Why there is no set of a name, as far as what lies there tells it."""
    url = f"{stem}.zarr"
    if storage.exists(f"{url}/conversion.json"):
        remedy = "run spectrum data convert again: it goes on where it was"
        return DataError("its conversion was not finished", url, remedy)
    for older in (url, stem):
        if storage.exists(f"{older}/.zgroup"):
            remedy = "convert the Measurement Set with spectrum data convert"
            return DataError("a set in version 2 of Zarr; version 3 is read", older, remedy)
    if storage.is_local(stem) and storage.exists(stem):
        message = (
            "it is there, but no Measurement Set (table.dat), Zarr set (zarr.json), UVFITS or UVH5"
        )
        packed = stem.endswith((".tar", ".tgz", ".gz", ".zip", ".bz2", ".xz"))
        return DataError(message, stem, "unpack it" if packed else "check data_set")
    remedy = "check data_set, or say where the data is: --data, or connect(site, data=...)"
    if storage.exists(url):
        message = "it is there, but no Zarr set (it has no zarr.json)"
        return DataError(message, url, "convert or copy the set again, whole")
    if storage.is_local(stem):
        return DataNotFoundError("no such data set", _called(stem), remedy)
    where = stem if stem.endswith(SUFFIXES) else url
    return DataNotFoundError("no such data set (remote sets are in Zarr form)", where, remedy)
