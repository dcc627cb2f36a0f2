"""A process of this machine that goes on when the shell that began it ends."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

LOCK = "lock"
"""File that the process holds as long as it lives: numbers of processes are given again."""
GRACE = 30.0  # seconds in which a process that is told to end does so


def start_detached(module: str, folder: Path, log: Path) -> str:
    """Start ``python -m module folder`` on its own, and give its number."""
    with (folder / LOCK).open("w") as lock, log.open("ab") as output:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(lock.fileno(),),
        )
    threading.Thread(target=process.wait, daemon=True).start()  # or it would stay as a zombie
    return str(process.pid)


def is_running(folder: Path) -> bool:
    """Whether the process of a folder lives, on this machine."""
    try:
        with (folder / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def end_detached(number: str, folder: Path) -> None:
    """Tell the process of a folder to end; one that does not is killed with its children."""
    if not is_running(folder):
        return
    with suppress(ProcessLookupError):
        os.kill(int(number), signal.SIGTERM)
    end = time.monotonic() + GRACE
    while is_running(folder) and time.monotonic() < end:
        time.sleep(0.1)
    if is_running(folder):
        with suppress(ProcessLookupError):
            os.killpg(int(number), signal.SIGKILL)
