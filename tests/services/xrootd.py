"""A real XRootD server on loopback, ``root://`` only; it refuses to be root, so nobody runs it."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

from processes import end_file, free_ports, listens, start, until

PROGRAMS = ("xrootd", "setpriv")

CONFIGURATION = """\
all.role server
all.export / r/w
oss.localroot {folder}/files
all.adminpath {folder}/admin
all.pidpath {folder}/admin
xrd.port {port}
xrd.network nodnr norpipa
xrootd.async off
"""


def up(folder: Path) -> dict[str, str]:
    """Start it, and give the environment with which its clients notice trouble soon."""
    for name in ("files", "admin", "log"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    [port] = free_ports(1)
    (folder / "port").write_text(str(port))
    (folder / "xrootd.cfg").write_text(CONFIGURATION.format(folder=folder, port=port))
    if os.geteuid() == 0:
        _let_nobody_in(folder)
    restart(folder)
    return {}


def restart(folder: Path) -> None:
    """Start the server on the port it had."""
    drop = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    command = ["xrootd", "-c", str(folder / "xrootd.cfg"), "-n", "spectrum", "-I", "v4"]
    command += ["-l", str(folder / "log" / "xrootd.log")]
    pid = start([*drop, *command] if os.geteuid() == 0 else command, folder / "log" / "out")
    (folder / "pid").write_text(str(pid))
    until(lambda: listens(int((folder / "port").read_text())), "the XRootD server")


def kill(folder: Path) -> None:
    """Let the server die in mid-sentence."""
    end_file(folder / "pid", signal.SIGKILL)


def down(folder: Path) -> None:
    """Stop it."""
    end_file(folder / "pid")


def store(folder: Path) -> dict[str, Any]:
    """Data root and storage options, as a file of stores has them."""
    address = f"root://127.0.0.1:{(folder / 'port').read_text()}"
    return {"data": f"{address}//data", "notebooks": ["hep/*"], "storage": {}}


def _let_nobody_in(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        shutil.chown(path, "nobody", "nogroup")
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path(parent.anchor):
            parent.chmod(parent.stat().st_mode | 0o011)
