"""Another real user of this machine, for tests of what he can reach."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = 65534
INTRUDER = Path(__file__).with_name("intruder.py").read_text()


def needs_another_user() -> None:
    """Skip where we cannot be one."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("another user can be had by root with setpriv only")


def as_nobody(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command as ``nobody``."""
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    environment = {"PATH": os.environ["PATH"], "HOME": "/"}
    return subprocess.run(
        [*user, *command],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def family() -> set[int]:
    """This process and all below it."""
    found, parents = {os.getpid()}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except OSError:
            continue
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def listening(pids: set[int]) -> set[int]:
    """TCP ports on which processes listen, from the kernel's table of sockets."""
    ours = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                ours.add(str(link.readlink()))
            except OSError:
                continue
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in ours:
                ports.add(int(words[1].rpartition(":")[2], 16))
    return ports


def open_doors(
    pids: set[int], files: list[Path], *, besides: frozenset[int] = frozenset()
) -> list[str]:
    """What another user gets into, one line per door; empty is right.

    ``besides`` are ports that are no matter of ours: of other tests in this process.
    """
    asked = {
        "ports": sorted(listening(pids) - besides),
        "pids": sorted(pids),
        "files": [*map(str, files)],
    }
    done = as_nobody(sys.executable, "-c", INTRUDER, json.dumps(asked), timeout=100)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found
