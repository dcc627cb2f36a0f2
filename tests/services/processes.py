"""What the services have in common: free ports, daemons and their end."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on."""
    listening = [socket.socket() for _ in range(count)]
    for one in listening:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in listening]
    for one in listening:
        one.close()
    return ports


def listens(port: int) -> bool:
    """Whether somebody accepts connections on a port of loopback."""
    with socket.socket() as connecting:
        connecting.settimeout(2)
        return connecting.connect_ex(("127.0.0.1", port)) == 0


def run(command: list[str], *, seconds: float = 60) -> str:
    """Run a command to its end and give what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr or done.stdout}")
    return done.stdout


def start(command: list[str], log: Path, environment: dict[str, str] | None = None) -> int:
    """Start a server of its own session, with its output in a file; gives its number."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=os.environ | (environment or {}),
        )
    CHILDREN[process.pid] = process
    return process.pid


CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


def until(holds: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Wait for something, and say what did not come."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one of ours that has ended is reaped."""
    if pid in CHILDREN:
        return CHILDREN[pid].poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def end(pid: int, first: signal.Signals = signal.SIGTERM) -> None:
    """End a process and see it gone."""
    for number in (first, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        for _ in range(100):
            if not alive(pid):
                return
            time.sleep(0.05)


def end_file(file: Path, first: signal.Signals = signal.SIGTERM) -> None:
    """End the process whose number stands in a file, if there is one."""
    if file.exists() and (text := file.read_text().strip()):
        end(int(text), first)
    file.unlink(missing_ok=True)
