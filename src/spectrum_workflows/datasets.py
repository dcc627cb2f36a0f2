"""Input data besides the runs: other forms of it, and the catalogue."""

from __future__ import annotations

import inspect
import resource
import sys
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from spectrum_workflows import catalogue, domain, progress, storage
from spectrum_workflows.errors import SpecError
from spectrum_workflows.front import load_spec
from spectrum_workflows.storage import Stores


def convert_data(
    source: str,
    target: str,
    *,
    stores: Stores | None = None,
    columns: Iterable[str] = (),
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write data in the form that is best read from a store, with progress.

    Parameters
    ----------
    source : str
        A Measurement Set (``.ms``) or a ROOT file (``.root``).
    target : str
        URL to write.
    stores : Stores, optional
        Options per URL prefix.
    columns : iterable of str
        Columns or branches to keep; all if none are given.
    options : mapping, optional
        Options of the science's own converter.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    dict
        What was written, ``seconds``, and the ``peak_memory`` of this process
        in bytes.

    Raises
    ------
    SpecError
        Nothing converts such a source, or it has no such option.
    SpectrumError
        Source or target cannot be used.
    """
    science = _converter(source)
    assert science.convert is not None
    known = inspect.signature(science.convert).parameters
    for name in options or {}:
        if name not in known:
            flag = f"--{name.replace('_', '-')}"
            raise SpecError(f"{flag} is no option for {science.converts}", source, "leave it out")
    started = time.perf_counter()
    with storage.using(stores or Stores()), progress.shown() as report:
        said = science.convert(
            source,
            target,
            columns=list(dict.fromkeys(columns)),
            overwrite=overwrite,
            report=report,
            **(options or {}),
        )
    return said | {"seconds": time.perf_counter() - started, "peak_memory": _peak_memory()}


def fetch_data(name: str, data: str, *, stores: Stores | None = None) -> list[dict[str, str]]:
    """Copy a catalogue entry below a local data root, with progress.

    Returns
    -------
    list of dict
        ``file`` and ``replica`` of each: where it is now, and came from.

    Raises
    ------
    SpectrumError
        There is no such entry, no replica answers, or what came is not what
        was published.
    """
    rows = []
    with storage.using(stores or Stores()), progress.shown() as report:
        found = catalogue.entry(name, data)
        for file in found.files:
            place, replica = catalogue.fetch(found, file, data, partial(report, file.name))
            rows.append({"file": place, "replica": storage.shown(replica) if replica else ""})
    return rows


def verify_data(
    names: Iterable[str], data: str, *, stores: Stores | None = None
) -> list[dict[str, str]]:
    """Read catalogued files below a data root and compare them with what was published.

    Parameters
    ----------
    names : iterable of str
        Entries; all that have a file there if none are given.
    data : str
        A local data root.

    Returns
    -------
    list of dict
        ``entry``, ``file``, ``state`` and ``what``, as `catalogue.verify` says.
    """
    rows = []
    with storage.using(stores or Stores()), progress.shown() as report:
        entries = catalogue.catalogue(data)
        wanted = list(names)
        for name in wanted or entries:
            for file in catalogue.entry(name, data).files:
                if wanted or storage.exists(storage.join(data, file.name)):
                    state, what = catalogue.verify(file, data)
                    row = {"entry": name, "file": file.name, "state": state, "what": what}
                    rows.append(row)
                    report("verify", len(rows), len(rows))
    return rows


def columns_of(spec: str) -> list[str]:
    """The branches that a spec reads.

    Raises
    ------
    SpecError
        Its science does not read by columns.
    """
    found = getattr(load_spec(spec), "columns", None)
    if found is None:
        raise SpecError("this spec names no columns", spec, "leave --spec out")
    return list(found)


def _converter(source: str) -> domain.Domain:
    """The science that converts such data."""
    name = source.rstrip("/")
    endings = []
    for science in (domain.get(n) for n in domain.names()):
        if science.converts and (name.endswith(science.converts) or f"{science.converts}:" in name):
            return science
        endings += [science.converts] if science.converts else []
    raise SpecError("nothing converts such data", source, f"known: {', '.join(endings)}")


def _peak_memory() -> int:
    """Largest resident memory of this process so far, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
