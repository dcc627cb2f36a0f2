"""The report of a saved run, written beside it."""

from __future__ import annotations

from spectrum_workflows import charts, storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.record import read_record, spans_of
from spectrum_workflows.record.report import REPORT, report


def write_report(folder: str) -> str:
    """Write ``report.html`` into the folder of a saved run, and give its URL.

    Raises
    ------
    DataNotFoundError
        There is no finished run in the folder.
    DataError
        Its record is damaged.
    OutputError
        The folder cannot be written to.
    """
    record = read_record(folder)
    names = [entry["name"] for entry in record["objects"] if entry["name"].endswith(".png")]
    pictures = {name: storage.read_bytes(storage.join(folder, name)) for name in names}
    try:
        page = report(record, pictures, charts.drawn(spans_of(record)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"not a run record that this version can read ({type(error).__name__}: {error})"
        raise DataError(message, folder, "run it again") from error
    url = storage.join(folder, REPORT)
    storage.write_bytes(url, page.encode())
    return url
