"""Columns of selected events as files: Parquet or ROOT, one for each partition, and a list."""

from __future__ import annotations

import hashlib
import io
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
import uproot

from spectrum_workflows import storage
from spectrum_workflows.errors import MissingExtraError
from spectrum_workflows.hep.io.convert import JAGGED
from spectrum_workflows.hep.spec.columns_out import WEIGHT
from spectrum_workflows.hep.types import ColumnFile

if TYPE_CHECKING:
    from spectrum_workflows.hep.types import Events

LIST = "columns.json"
"""The list of all files, written last."""

WRITTEN = re.compile(r".*-\d{10,}-[0-9a-f]{8}\.(parquet|root)")
"""Names of the files that are written."""

COMPRESSION = 3
"""Level of ZSTD."""


@dataclass(frozen=True)
class Share:
    """What the events of a file of columns stand for.

    Attributes
    ----------
    processed : int
        Events that were looked at.
    sum_of_weights : float
        Of the generator, for them; their number where it is not asked for.
    """

    processed: int
    sum_of_weights: float


def check_format(kind: str) -> None:
    """Refuse a format whose library is not installed.

    Raises
    ------
    MissingExtraError
        Naming it.
    """
    if kind == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            remedy = "pip install 'spectrum-workflows[parquet]', or format = \"root\""
            raise MissingExtraError("Parquet needs pyarrow", "columns_out", remedy) from error


def write_columns(
    columns: ak.Array, events: Events, share: Share, folder: str, kind: str, content: str
) -> ColumnFile:
    """Write one file; its name and its bytes depend on partition and columns alone.

    Parameters
    ----------
    columns : ak.Array, shape (n_selected,)
        Records.
    events : Events
        The partition that they are of.
    share : Share
    folder : str
        URL.
    kind : {"parquet", "root"}
    content : str
        Identity of the file that the events are from.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    """
    identity = hashlib.sha256(f"{content} {events.start}".encode()).hexdigest()
    stem = PurePosixPath(events.url.rpartition("/")[2]).stem
    name = f"{events.sample}/{stem}-{events.start:010d}-{identity[:8]}.{kind}"
    data = (_parquet if kind == "parquet" else _root)(columns, share, identity)
    storage.write_bytes(storage.join(folder, name), data)
    return ColumnFile(
        events.sample,
        name,
        len(columns),
        len(data),
        hashlib.sha256(data).hexdigest(),
        share.processed,
        share.sum_of_weights,
    )


def _parquet(columns: ak.Array, share: Share, _identity: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {
        name: ak.to_arrow(columns[name], extensionarray=False, list_to32=True)
        for name in columns.fields
    }
    about = {"processed": str(share.processed), "sum_of_weights": repr(share.sum_of_weights)}
    fields = [pa.field(name, a.type, nullable=False) for name, a in arrow.items()]
    table = pa.table(arrow, pa.schema(fields, about))
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", compression_level=COMPRESSION)
    return out.getvalue()


def _root(columns: ak.Array, share: Share, identity: str) -> bytes:
    """A tree of events, and ``Runs`` with the sum of weights: the form that specs name."""
    flat = {n: columns[n] for n in columns.fields if columns[n].ndim == 1}
    flat["genWeight"] = columns[WEIGHT]
    jagged = {n: columns[n] for n in columns.fields if columns[n].ndim > 1}
    groups: dict[str, dict[str, ak.Array]] = {}
    for name, column in jagged.items():
        own = groups.setdefault(name.partition("_")[0], {})
        alike = not own or ak.all(ak.num(next(iter(own.values()))) == ak.num(column))
        (own if alike else groups.setdefault(name, {}))[name] = column
    content = flat | {f"n{prefix}{JAGGED}": ak.zip(own) for prefix, own in groups.items()}
    unique = uuid.UUID(identity[:32])
    out = io.BytesIO()
    compression = uproot.ZSTD(COMPRESSION)
    with uproot.recreate(out, compression=compression, uuid_function=lambda: unique) as file:
        tree = file.mktree(
            "Events",
            {name: column.type for name, column in content.items()},
            counter_name=lambda counted: counted.removesuffix(JAGGED),
            field_name=lambda _, inner: inner,
        )
        tree.extend(content)
        totals = {"genEventSumw": np.array([share.sum_of_weights])}
        totals["genEventCount"] = np.array([share.processed], np.int64)
        runs = file.mktree("Runs", {name: a.dtype for name, a in totals.items()})
        runs.extend(totals)
        file.file.sink.flush()
        return out.getvalue()


def write_list(
    files: Sequence[ColumnFile],
    folder: str,
    *,
    samples: Mapping[str, Mapping[str, Any]],
    missing: Sequence[str],
) -> None:
    """Write the list of all files: what a reader begins with.

    Parameters
    ----------
    files : sequence of ColumnFile
    folder : str
        URL.
    samples : mapping of str to mapping
        What is known of each sample, such as its normalisation.
    missing : sequence of str
        Files that are not complete in it.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    """
    described = {
        sample: {
            **about,
            "events": sum(f.events for f in files if f.sample == sample),
            "files": [
                {k: v for k, v in vars(f).items() if k != "sample"}
                for f in files
                if f.sample == sample
            ],
        }
        for sample, about in samples.items()
    }
    table = {"samples": described, **({"incomplete": list(missing)} if missing else {})}
    storage.write_bytes(storage.join(folder, LIST), json.dumps(table, indent=1).encode())


def remove_others(files: Sequence[ColumnFile], folder: str, samples: Iterable[str]) -> None:
    """Remove files of the same samples that an earlier run has left in a folder.

    They hold events that the listed files may hold, too: a pattern would name both.

    Parameters
    ----------
    files : sequence of ColumnFile
        All that are to stay.
    folder : str
        URL.
    samples : iterable of str
    """
    kept = {file.name for file in files}
    for sample in samples:
        for url in storage.files_below(storage.join(folder, sample)):
            name = url.rpartition("/")[2]
            if WRITTEN.fullmatch(name) and f"{sample}/{name}" not in kept:
                storage.remove(url)
