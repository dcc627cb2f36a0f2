"""The command line: parses, calls one public function, shows what came back."""

import signal
import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> None:
    """Entry point of the ``spectrum`` command."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, _interrupted)
    from spectrum_workflows.cli import commands

    commands.main()


def _interrupted(*_: object) -> NoReturn:
    """End with one line on Ctrl-C; what is open is closed on the way."""
    sys.stderr.write("spectrum: interrupted\n")
    sys.exit(130)
