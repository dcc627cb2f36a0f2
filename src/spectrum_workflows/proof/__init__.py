"""The proof: one notebook file, several sites and stores, the same result."""

from spectrum_workflows.proof.places import DataStore, read_stores
from spectrum_workflows.proof.running import SITES, prove, quick_starts
from spectrum_workflows.proof.table import Proof, Row, markdown, shown, write

__all__ = [
    "SITES",
    "DataStore",
    "Proof",
    "Row",
    "markdown",
    "prove",
    "quick_starts",
    "read_stores",
    "shown",
    "write",
]
