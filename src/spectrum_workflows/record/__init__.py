"""Records of runs: inputs, software, machines, result; and comparison of two runs."""

from spectrum_workflows.record.comparing import Comparison, compare
from spectrum_workflows.record.digest import digest
from spectrum_workflows.record.inputs import check_replicas, check_unchanged
from spectrum_workflows.record.loading import load
from spectrum_workflows.record.machine import machine, processor
from spectrum_workflows.record.outcome import Outcome
from spectrum_workflows.record.report import report
from spectrum_workflows.record.saving import save
from spectrum_workflows.record.spool import Spooled, check_spool, discard, find, send, spooled
from spectrum_workflows.record.timeline import spans_of
from spectrum_workflows.record.writing import damaged, read_record, summary_in

__all__ = [
    "Comparison",
    "Outcome",
    "Spooled",
    "check_replicas",
    "check_spool",
    "check_unchanged",
    "compare",
    "damaged",
    "digest",
    "discard",
    "find",
    "load",
    "machine",
    "processor",
    "read_record",
    "report",
    "save",
    "send",
    "spans_of",
    "spooled",
    "summary_in",
]
