"""The proof: one notebook file, several sites and stores, the same result."""

from spectrum_workflows.proof.places import DataStore, read_stores
from spectrum_workflows.proof.running import SITES, prove, quick_starts
from spectrum_workflows.proof.table import Proof, Row, markdown, shown, write
from spectrum_workflows.proof.variants import Variant, machine_codes, other_python

__all__ = [
    "SITES",
    "DataStore",
    "Proof",
    "Row",
    "Variant",
    "machine_codes",
    "markdown",
    "other_python",
    "prove",
    "quick_starts",
    "read_stores",
    "shown",
    "write",
]
