"""Policy: what a site and data allow, held against the plan of a run before anything is queued."""

from spectrum_workflows.policy.forecasting import budget_of, facts, remember_run
from spectrum_workflows.policy.gate import (
    Rule,
    before_planning,
    hold_copy,
    needs_plan,
    of_files,
    of_plan,
    planning,
    refuse,
    rules_of,
)
from spectrum_workflows.violations import Violation

__all__ = [
    "Rule",
    "Violation",
    "before_planning",
    "budget_of",
    "facts",
    "hold_copy",
    "needs_plan",
    "of_files",
    "of_plan",
    "planning",
    "refuse",
    "remember_run",
    "rules_of",
]
