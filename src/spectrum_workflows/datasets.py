"""Input data besides the runs: other forms of it, and the catalogue."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from spectrum_workflows import catalogue, domain, progress, storage
from spectrum_workflows.domain import Contents, Converter
from spectrum_workflows.engine.memory import peak_memory
from spectrum_workflows.errors import DataError, DataNotFoundError, OutputError, SpecError
from spectrum_workflows.showing import show_figures
from spectrum_workflows.storage import Stores

GENERATED = "generated data lies under this name, not what was published"


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
        A file or set that a science converts.
    target : str
        URL to write.
    stores : Stores, optional
        Options per URL prefix.
    columns : iterable of str
        Columns to keep; all if none are given.
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
    converter = converter_of(source)
    known = inspect.signature(converter.convert).parameters
    for name in options or {}:
        if name not in known:
            flag = f"--{name.replace('_', '-')}"
            raise SpecError(f"{flag} is no option for {converter.suffix}", source, "leave it out")
    started = time.perf_counter()
    with storage.using(stores or Stores()), progress.shown() as report:
        conversion = converter.convert(
            source,
            target,
            columns=list(dict.fromkeys(columns)),
            overwrite=overwrite,
            report=report,
            **(options or {}),
        )
    return conversion | {"seconds": time.perf_counter() - started, "peak_memory": peak_memory()}


def show_data(url: str, *, stores: Stores | None = None) -> Contents:
    """What is in a data set or file.

    Parameters
    ----------
    url : str
        Data of a science that shows its own.
    stores : Stores, optional
        Options per URL prefix.

    Returns
    -------
    Contents

    Raises
    ------
    DataNotFoundError
        Nothing is there.
    SpecError
        No science shows such data.
    SpectrumError
        It cannot be read.
    """
    show_figures()
    with storage.using(stores or Stores()):
        inspectors = [science.inspector for science in domain.installed() if science.inspector]
        for inspector in inspectors:
            if inspector.recognises(url):
                return inspector.look(url)
        if storage.is_local(url) and not storage.exists(url):
            raise DataNotFoundError("no such data", url, "check the name")
    kinds = " and ".join(kind for inspector in inspectors for kind in inspector.kinds)
    raise SpecError("no science shows such data", url, f"shown are {kinds}")


def save_plot(contents: Contents, file: str) -> None:
    """Write the plot of what is in a data set.

    Raises
    ------
    SpecError
        There is none.
    OutputError
        The file cannot be written, or its name says no kind of picture.
    """
    if contents.plot is None:
        raise SpecError("there is no plot of such data", contents.title, "leave --plot out")
    try:
        contents.plot().savefig(file, dpi=150)
    except (OSError, ValueError) as error:
        remedy = "choose a name that ends in .png, .pdf or .svg, in a folder that is there"
        raise OutputError(f"cannot write the plot ({error})", file, remedy) from error


def fetch_data(
    name: str, data: str, *, stores: Stores | None = None, unpacked: int | None = None
) -> list[dict[str, str]]:
    """Copy a catalogue entry below a local data root, with progress.

    Parameters
    ----------
    name, data : str
    stores : Stores, optional
        Options per URL prefix.
    unpacked : int, optional
        Bytes that its archives may unpack to, in place of what the entry says.

    Returns
    -------
    list of dict
        ``file`` and ``replica`` of each: where it is now, and came from.

    Raises
    ------
    SpectrumError
        There is no such entry, no replica answers, what came is not what was
        published, or generated data lies under the name of a file.
    """
    rows = []
    with storage.using(stores or Stores()), progress.shown() as report:
        entry = catalogue.entry(name, data)
        for file in entry.files:
            _check_published(file, data)
            here = partial(report, file.name)
            place, replica = catalogue.fetch(entry, file, data, here, unpacked=unpacked)
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
        selection = list(names)
        for name in selection or entries:
            for file in catalogue.entry(name, data).files:
                if selection or storage.exists(storage.join(data, file.name)):
                    state, detail = catalogue.verify(file, data)
                    if state != "missing" and _generated(file, data):
                        state, detail = "different", GENERATED
                    row = {"entry": name, "file": file.name, "state": state, "what": detail}
                    rows.append(row)
                    report("verify", len(rows), len(rows))
    return rows


def _generated(file: catalogue.CatalogueFile, data: str) -> str:
    """What lies under the name of a catalogued file and was generated here, if anything is."""
    names = dict.fromkeys((file.name, catalogue.set_name(file.name)))
    urls = [storage.join(data, name) for name in names]
    sciences = [*domain.installed()]
    return next((url for url in urls if any(s.is_synthetic(url) for s in sciences)), "")


def _check_published(file: catalogue.CatalogueFile, data: str) -> None:
    """Refuse to take generated data for what was published."""
    if url := _generated(file, data):
        raise DataError(GENERATED, url, "move it away, or give another folder with --data")


def columns_of(spec: Any) -> list[str]:
    """The columns that a converted copy must keep for a spec from `front.load_spec`.

    Raises
    ------
    SpecError
        Its science does not read by columns.
    """
    converter = domain.get(spec.workflow).converter
    if converter is None or converter.to_keep is None:
        raise SpecError("this spec names no columns", spec.name, "leave --spec out")
    return converter.to_keep(spec)


def converter_of(source: str) -> Converter:
    """The converter of such data.

    Raises
    ------
    SpecError
        There is none, of the sciences that are installed.
    """
    name = source.rstrip("/")
    known = [science.converter for science in domain.installed() if science.converter]
    for converter in known:
        if name.endswith(converter.suffix) or f"{converter.suffix}:" in name:
            return converter
    for converter in known:
        if converter.recognises and converter.recognises(name):
            return converter
    endings = ", ".join(converter.suffix for converter in known)
    raise SpecError("nothing converts such data", source, f"known: {endings}")
