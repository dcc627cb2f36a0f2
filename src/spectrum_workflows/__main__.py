"""``python -m spectrum_workflows`` is the ``spectrum`` command."""

from spectrum_workflows.cli import main

main()
