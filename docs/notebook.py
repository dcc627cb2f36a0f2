"""Executes one notebook in place, and leaves in it what a page can show.

``python docs/notebook.py NOTEBOOK``; the environment is that of the notebook's kernel.
"""

import os
import sys
from pathlib import Path

import nbformat

from spectrum_workflows.proof.kernel import execute

WIDGET = "application/vnd.jupyter.widget-view+json"


def main(file: Path) -> None:
    """Execute it; progress widgets, which need a kernel to live, are left out."""
    notebook = nbformat.read(file, as_version=4)
    execute(notebook, file.parent, os.environ)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, file)


main(Path(sys.argv[1]))
