"""Files of a data set of CMS, by the program ``dasgoclient``.

The program finds the proxy as it always does.  Not run against a real DAS; the tests parse
answers of its documented form.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from spectrum_workflows.catalogue.data_set_types import DataSetFile, file_of, not_understood
from spectrum_workflows.errors import (
    AccessError,
    DataNotFoundError,
    MissingExtraError,
    StoreError,
)

PROGRAM = "dasgoclient"
TIMEOUT = 300.0
"""Seconds until an answer is given up."""

USERS = "instance=prod/phys03"
"""Where data sets of users are registered."""

_PROXY = ("proxy", "x509", "certificate", "401", "403")
"""Words of a complaint that is about credentials."""


def files(name: str, where: str) -> tuple[list[DataSetFile], list[str]]:
    """Ask DAS for the files of a data set.

    Parameters
    ----------
    name : str
        ``/PRIMARY/PROCESSED/TIER``.
    where : str
        The reference in the spec, for errors.

    Returns
    -------
    list of DataSetFile
        Without replicas: DAS gives logical names.
    list of str
        Names of the files that DAS holds for invalid.

    Raises
    ------
    MissingExtraError
        The program is not installed.
    DataNotFoundError
        There is no such data set.
    AccessError
        There is no proxy, or DAS does not take it.
    StoreError
        DAS does not answer.
    DataError
        It answers what cannot be understood.
    """
    instance = f" {USERS}" if name.endswith("/USER") else ""
    query = f"-query=file dataset={name}{instance}"
    try:
        done = subprocess.run(
            [PROGRAM, query, "-json", "-limit=0"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        remedy = 'set up CMS\' common software, or list the files: files = ["@LIST"]'
        raise MissingExtraError(f"{PROGRAM} is not installed here", where, remedy) from None
    except subprocess.TimeoutExpired:
        raise StoreError("DAS does not answer", where, "try again later") from None
    except OSError as error:
        message = f"{PROGRAM} cannot be run ({error.strerror})"
        raise StoreError(message, where, "install it anew") from None
    if done.returncode:
        raise _complaint(f"{done.stderr}\n{done.stdout}", where)
    return parsed(done.stdout, where)


def parsed(text: str, where: str) -> tuple[list[DataSetFile], list[str]]:
    """The files in an answer of ``dasgoclient -json``, and the names of the invalid ones.

    Raises
    ------
    DataNotFoundError
        There is none.
    DataError
        It is no list of records with a file, or one file is in it twice, and differs.
    AccessError, StoreError
        It is a complaint.
    """
    try:
        records = json.loads(text or "[]")
    except ValueError:
        raise _complaint(text, where) from None
    if not isinstance(records, list):
        raise not_understood(where, "no list of records")
    known: dict[str, DataSetFile] = {}
    invalid: dict[str, None] = {}
    for row in (row for record in records for row in _rows(record, where)):
        name = row.get("name") if isinstance(row, dict) else None
        if not isinstance(name, str) or not name.startswith("/"):
            raise not_understood(where, "a file without a name")
        if row.get("is_file_valid", 1) not in (1, True):
            invalid[name] = None
            continue
        file = file_of(row, name, "nevents", where)
        if known.setdefault(name, file) != file:
            raise not_understood(where, f"{name} is listed twice, and differs")
    if both := known.keys() & invalid.keys():
        raise not_understood(where, f"{min(both)} is valid and invalid")
    if not known:
        remedy = f"check the name: {PROGRAM} -query='dataset=NAME status=*'"
        raise DataNotFoundError("DAS knows no valid file of this data set", where, remedy)
    return list(known.values()), list(invalid)


def _rows(record: Any, where: str) -> list[Any]:
    rows = record.get("file") if isinstance(record, dict) else None
    if not isinstance(rows, list):
        raise not_understood(where, "a record without a file")
    return rows


def _complaint(text: str, where: str) -> AccessError | StoreError:
    """What the program printed instead of an answer, as an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[0][:200] if lines else "it printed nothing"
    if any(word in text.lower() for word in _PROXY):
        remedy = "make a proxy: voms-proxy-init --voms cms"
        return AccessError(f"DAS does not let us in ({line})", where, remedy)
    return StoreError(f"DAS gives no answer ({line})", where, "try again later")
