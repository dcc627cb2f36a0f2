"""A ROOT file while it is being written: a local file that appears whole, or not at all."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spectrum_workflows import storage
from spectrum_workflows.errors import OutputError


@contextmanager
def atomic_write(url: str) -> Iterator[str]:
    """A local file that becomes ``url`` if the block succeeds.

    ROOT files are not written from front to back, so that one for a store is
    made in the folder for temporary files and copied when it is complete.

    Raises
    ------
    OutputError
        The place cannot be written to.
    """
    local = storage.is_local(url)
    try:
        final = storage.local_path(url) if local else None
        folder = final.parent if final else Path(tempfile.gettempdir())
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f".{uuid.uuid4().hex}.root.part"
        try:
            yield str(path)
            if final:
                path.replace(final)
            else:
                storage.put_file(path, url)
        finally:
            path.unlink(missing_ok=True)
    except OSError as error:
        remedy = "choose another place"
        raise OutputError(f"cannot write ({error.strerror or error})", url, remedy) from error
