"""Folders: whether they can be written to, how much is free, and on which disk they are."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from spectrum_workflows import display
from spectrum_workflows.findings import Finding, doubt, failed, fault, fine
from spectrum_workflows.storage.writing import BLOCK

ROOM = 16 << 20
"""Bytes without which nothing can be kept."""

MOUNTS = Path("/proc/self/mountinfo")
SHARED = re.compile(
    r"nfs\d*|lustre|gpfs|beegfs\w*|ceph|cifs|smb\d*|afs|panfs|pvfs2|orangefs|glusterfs|9p|fuse\..+"
)
"""Types of file systems that other machines see, too."""
IN_MEMORY = {"tmpfs", "ramfs"}


@dataclass(frozen=True)
class Folder:
    """A folder as it was seen where it was looked at.

    Attributes
    ----------
    path : str
    error : str
        Why nothing can be written there; empty if it can.
    free : int
        Bytes.
    filesystem : str
        Its type as the system calls it, such as ``ext4``; empty where that is not known.
    """

    path: str
    error: str = ""
    free: int = 0
    filesystem: str = ""


def looked_at(path: str | Path) -> Folder:
    """Write a block into a folder, remove it again, and see what is free."""
    folder = Path(os.path.expandvars(path)).expanduser()
    probe = folder / f".doctor-{uuid.uuid4().hex[:8]}"
    error = ""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.write_bytes(bytes(BLOCK))
        if probe.stat().st_size != BLOCK:
            error = "not all of a file arrived"
    except (OSError, ValueError) as problem:
        error = getattr(problem, "strerror", None) or str(problem)
    finally:
        _removed(probe)
    free = shutil.disk_usage(folder).free if folder.is_dir() else 0
    return Folder(str(folder), error, free, filesystem_of(folder))


def _removed(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # a folder above it is none
        return


def judged(
    folder: Folder, subject: str, key: str, *, room: int = 0, local: bool = False
) -> Finding:
    """Judge a folder by what it is for.

    Parameters
    ----------
    folder : Folder
    subject, key : str
        What it is for, and the key of the profile that names another.
    room : int
        Bytes that should be free.
    local : bool
        Whether it should be on a disk of the machine's own.
    """
    kind = f" ({folder.filesystem})" if folder.filesystem else ""
    free = f"{folder.path}{kind}, {display.megabytes(folder.free)} free"
    expected = f"writable, {display.megabytes(max(room, ROOM))} free" + ", node-local" * local
    if folder.error:
        return fault(subject, f"{folder.path}: cannot write ({folder.error})", expected, key)
    if folder.free < ROOM:
        return fault(subject, free, expected, f"make room there, or {key}")
    if folder.free < room:
        return doubt(subject, free, expected, f"make room there, or {key}")
    if local and SHARED.fullmatch(folder.filesystem):
        return doubt(subject, free, expected, f"it is slow and others see it: {key}")
    if local and folder.filesystem in IN_MEMORY:
        remedy = f"what is spilled there stays in memory: {key}"
        return doubt(subject, free, expected, remedy)
    return fine(subject, free, expected)


def filesystem_of(folder: Path, mounts: Path = MOUNTS) -> str:
    """Type of the file system that a folder is on; empty where the system does not tell."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
        here = str(folder.resolve())
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        left, dash, right = line.partition(" - ")
        point = left.split()[4].encode().decode("unicode_escape") if dash else ""
        below = here == point or here.startswith(point.rstrip("/") + "/")
        if point and below and len(point) >= len(best):
            best, kind = point, right.split()[0]
    return kind


def spool(folders: tuple[str, ...]) -> Finding:
    """The folder that keeps results until they are in the store: the first that takes them."""
    key = "name another with spool in the profile"
    views = [judged(looked_at(folder), "spool", key) for folder in folders]
    if not views:
        return failed("spool", OSError("there is none"), "a folder of yours", key)
    usable = [view for view in views if view.status != "fault"]
    if not usable:
        return views[0]
    if usable[0] is views[0]:
        return views[0]
    first = views[0]
    return doubt("spool", f"{first.found}; {usable[0].found} is taken", first.expected, key)
