"""The proof: one notebook file, several sites, the same result."""

from spectrum_workflows.proof.running import SITES, prove, quick_starts
from spectrum_workflows.proof.table import Proof, Row, markdown, shown, write

__all__ = ["SITES", "Proof", "Row", "markdown", "prove", "quick_starts", "shown", "write"]
