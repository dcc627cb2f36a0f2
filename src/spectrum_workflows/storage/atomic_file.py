"""Local files that appear whole; where that is possible, nothing is left of one that does not."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_file(path: str) -> Iterator[Path]:
    """A file to write, which is at ``path``, all of it at once, if the block succeeds.

    Where the file system can (``O_TMPFILE``: most local ones of Linux, not
    NFS), the file has no name before, so that it is gone with a process
    that is killed while it writes.  Elsewhere, and for a moment where it
    replaces another, it lies beside its place with a name that ends in
    ``.part``.

    Parameters
    ----------
    path : str
        Where the file is to be; its folder is made, what is there replaced.

    Yields
    ------
    Path
        What to write to; it exists no longer than the block.

    Raises
    ------
    OSError
        The place cannot be written to.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    unnamed = _open_unnamed(final.parent)
    if unnamed is None:
        with _beside(final) as part:
            yield part
        return
    try:
        yield Path(f"/proc/self/fd/{unnamed}")
        try:
            _link(unnamed, final)
        except FileExistsError:  # only a rename replaces what is there
            with _beside(final) as part:
                _link(unnamed, part)
        except OSError:  # a place that has such files, and no links to them
            with _beside(final) as part:
                shutil.copyfile(f"/proc/self/fd/{unnamed}", part)
    finally:
        os.close(unnamed)


def _open_unnamed(folder: Path) -> int | None:
    """A file below a folder that has no name there; nothing where there are no such files."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is not None and Path("/proc/self/fd").exists():
        with suppress(OSError):  # an error of the folder's is told when a named file is tried
            return os.open(folder, flag | os.O_WRONLY, 0o666)
    return None


def _link(unnamed: int, path: Path) -> None:
    """Give an open file a name, as open(2) describes it."""
    # the path says where the file is; that a descriptor is given makes Python follow the link
    os.link(f"/proc/self/fd/{unnamed}", path, src_dir_fd=unnamed, follow_symlinks=True)


@contextmanager
def _beside(final: Path) -> Iterator[Path]:
    """A file with a name of its own beside its place, which it takes if the block succeeds."""
    part = final.with_name(f".{uuid.uuid4().hex[:12]}.part")  # a name of 255 bytes gets no longer
    try:
        yield part
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
