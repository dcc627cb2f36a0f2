"""Run a command with real services on this machine, and stop them afterwards.

python tests/services/with_services.py slurm gateway -- spectrum proof

With ceph, rclone, xrootd or https among them, SPECTRUM_STORES is a file for ``spectrum proof
--stores``.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import ceph
import condor
import gateway
import https
import rclone
import slurm
import xrootd

SERVICES = {"slurm": slurm, "htcondor": condor, "gateway": gateway}
STORES = {"ceph": ceph, "rclone": rclone, "xrootd": xrootd, "https": https}
FILE = "SPECTRUM_STORES"
"""Variable with the file in which the stores are described, as ``spectrum proof`` reads it."""


def described(folder: Path, names: list[str]) -> str:
    """A file of stores, for those that run below a folder."""
    lines = []
    for name in names:
        store = STORES[name].store(folder / name)
        tables = {f"[{name}]": {k: v for k, v in store.items() if k != "storage"}}
        for prefix, options in store["storage"].items():
            tables[f"[{name}.storage.{json.dumps(prefix)}]"] = options
        for header, table in tables.items():
            lines += [header, *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _allowing_http(folder: Path) -> Path:
    """A configuration folder whose profile ``cloud`` talks HTTP: the server has no certificate."""
    own = folder / "spectrum-workflows" / "cloud.toml"
    own.parent.mkdir(parents=True)
    own.write_text('extends = "cloud"\n[cluster]\ninsecure = true\n')
    return folder


def main(arguments: list[str]) -> int:
    """Start the services named before ``--``, then run the command after it."""
    names, command = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    environment = dict(os.environ)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spectrum-")))
        for name in names:
            service = (SERVICES | STORES)[name]
            for program in service.PROGRAMS:
                if shutil.which(program) is None:
                    sys.exit(f"{program} is not installed; `make services` does it")
            stack.callback(service.down, folder / name)
            environment |= service.up(folder / name)
        file = folder / "stores.toml"
        file.write_text(described(folder, [name for name in names if name in STORES]))
        environment[FILE] = str(file)
        if "gateway" in names:
            environment["XDG_CONFIG_HOME"] = str(_allowing_http(folder / "config"))
        sys.stderr.write(f"up: {', '.join(names)}\n")
        process = subprocess.Popen(command, env=environment)
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise


if __name__ == "__main__":
    if "--" not in sys.argv:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
