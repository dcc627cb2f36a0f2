"""Folders that nobody else can read, or put something of theirs into.

``python -m spectrum_workflows.sites.private PARENT`` makes one and prints it: the first
thing that a batch job does.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from spectrum_workflows.errors import SiteError

SCRIPT = """
trap '' INT HUP TERM
cat >/dev/null
for pause in 0 1 2 5 10 30; do
    sleep "$pause"
    [ -e "$1" ] || exit 0
    rm -rf -- "$1"
done
"""
"""``cat`` ends with the process that holds the other end of its pipe; workers may outlive it."""


def new_folder(parent: str | Path | None = None, *, prefix: str = "spectrum-") -> Path:
    """Make a folder of mode 0700 that did not exist before.

    Parameters
    ----------
    parent : str or Path, optional
        Else ``TMPDIR``, else the system's folder for temporary files.
    prefix : str
        How its name begins; the rest is random.

    Raises
    ------
    SiteError
        It cannot be made, or others could exchange it for one of theirs.
    """
    where = Path(os.path.expandvars(parent or tempfile.gettempdir())).expanduser()
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        where = where.resolve(strict=True)
        check_owned(where)
        return Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    except OSError as error:
        if isinstance(error, SiteError):
            raise
        remedy = "local_directory below [cluster], or TMPDIR, says where"
        reason = f"cannot make a private folder ({error.strerror})"
        raise SiteError(reason, str(where), remedy) from error


def check_owned(folder: Path) -> None:
    """Refuse a folder in which others could exchange what is ours.

    It and all folders above it must belong to us or to the system; others must
    not be able to write there, unless the folder is sticky as ``/tmp`` is.

    Raises
    ------
    SiteError
        It is not so.
    """
    for part in (folder, *folder.parents):
        if reason := open_to_others(part):
            raise SiteError(reason, str(part), "choose a folder that only you can change")


def open_to_others(path: Path) -> str:
    """Others who can change what is at a path; empty if none can. ACLs are not looked at."""
    if not hasattr(os, "getuid"):  # Windows: a user's folders are private by default
        return ""
    state = path.stat()
    if state.st_uid not in {os.getuid(), 0, Path("/").stat().st_uid}:
        return f"it belongs to another user ({state.st_uid})"
    if stat.S_ISDIR(state.st_mode) and state.st_mode & stat.S_ISVTX:
        return ""
    if state.st_mode & stat.S_IWOTH:
        return "every user of this machine can change it"
    if state.st_mode & stat.S_IWGRP and not _only_ours(state.st_gid):
        return "other users of its group can change it"
    return ""


def _only_ours(gid: int) -> bool:
    """Whether a group is a user's own, as many systems make one per user."""
    import grp
    import pwd

    if gid == 0:
        return True
    try:
        user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name == user.pw_name and {*group.gr_mem} <= {user.pw_name}


@dataclass(frozen=True)
class Scratch:
    """A folder of one run, removed at its end, however it ends.

    Attributes
    ----------
    folder : Path
    process : subprocess.Popen or None
        Removes it when this process is killed.
    """

    folder: Path
    process: subprocess.Popen[bytes] | None

    @classmethod
    def make(cls, parent: str | Path | None = None) -> Scratch:
        """Make the folder, and start the process that waits for the end of this one.

        Raises
        ------
        SiteError
            As `new_folder`.
        """
        folder = new_folder(parent)
        if shutil.which("sh") is None:
            return cls(folder, None)
        process = subprocess.Popen(
            ["sh", "-c", SCRIPT, "scratch", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return cls(folder, process)

    def remove(self) -> None:
        """Remove the folder now; may be called again."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.process is None or self.process.stdin is None or self.process.stdin.closed:
            return
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:  # something is still being written there
            shutil.rmtree(self.folder, ignore_errors=True)
            self.process.kill()
            self.process.wait()


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{new_folder(sys.argv[1] if sys.argv[1:] else None)}\n")
    except SiteError as error:
        sys.exit(str(error))
