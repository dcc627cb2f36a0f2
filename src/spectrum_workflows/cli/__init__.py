"""The command line: parses, calls one public function, shows what came back."""

from spectrum_workflows.cli.commands import main

__all__ = ["main"]
