"""Pictures beside the numbers: drawn last, and never at the numbers' expense."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.rendering import png

if TYPE_CHECKING:
    from spectrum_workflows.record.outcome import Outcome


def pictures(outcome: Outcome) -> tuple[dict[str, bytes], list[str]]:
    """PNG files by name, and what went wrong, if anything.

    The pictures of a partial result say so.  One that cannot be drawn does not
    keep the others from it.
    """
    drawn: dict[str, bytes] = {}
    problems: list[str] = []
    try:
        for name, figure in outcome.domain.pictures(outcome.result):
            try:
                drawn[name] = png(figure, outcome.completeness)
            except Exception as error:
                problems.append(f"{name} could not be drawn: {_in_a_line(error)}")
    except Exception as error:
        problems.append(f"not all pictures could be drawn: {_in_a_line(error)}")
    return drawn, problems


def _in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
