"""Run a command with real services on this machine, and stop them afterwards.

python tests/services/with_services.py slurm gateway -- spectrum proof
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import gateway
import slurm

SERVICES = {"slurm": slurm, "gateway": gateway}


def main(arguments: list[str]) -> int:
    """Start the services named before ``--``, then run the command after it."""
    names, command = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    environment = dict(os.environ)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spectrum-")))
        for name in names:
            for program in SERVICES[name].PROGRAMS:
                if shutil.which(program) is None:
                    sys.exit(f"{program} is not installed; `make services` does it")
            stack.callback(SERVICES[name].down, folder / name)
            environment |= SERVICES[name].up(folder / name)
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
