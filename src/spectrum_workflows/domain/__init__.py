"""The contract between a science and the rest of the package, and the words that both share.

A science ("domain") is a value: ``DOMAIN = Domain(...)`` in a module of its own
or of another package, named by one line under the entry-point group
``spectrum_workflows.domains``.  Nothing else knows which sciences exist.
`testing.check_domain` shows whether one keeps the contract.
"""

from spectrum_workflows.domain.contents import Contents, Inspector, Table
from spectrum_workflows.domain.contract import Arrays, Domain
from spectrum_workflows.domain.converter import Converter
from spectrum_workflows.domain.deviation import Deviation
from spectrum_workflows.domain.metrics import Metrics
from spectrum_workflows.domain.panel import Panel
from spectrum_workflows.domain.piece import Piece
from spectrum_workflows.domain.plan import (
    Failure,
    OnError,
    Partition,
    Plan,
    Report,
    Volume,
    completeness,
    fraction_done,
)
from spectrum_workflows.domain.product import Product
from spectrum_workflows.domain.registry import get, installed
from spectrum_workflows.domain.timeline import Span
from spectrum_workflows.registration import GROUP, LeftOutWarning, names

__all__ = [
    "GROUP",
    "Arrays",
    "Contents",
    "Converter",
    "Deviation",
    "Domain",
    "Failure",
    "Inspector",
    "LeftOutWarning",
    "Metrics",
    "OnError",
    "Panel",
    "Partition",
    "Piece",
    "Plan",
    "Product",
    "Report",
    "Span",
    "Table",
    "Volume",
    "completeness",
    "fraction_done",
    "get",
    "installed",
    "names",
]
