"""Pictures beside the numbers: drawn last, and never at the numbers' expense."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

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


def png(figure: Any, stamp: str = "") -> bytes:
    """A figure as it is saved, with a stamp across it where the result is partial."""
    if stamp:
        text = stamp.replace("; ", "\n")
        figure.text(0.5, 0.5, text, color="red", size=18, ha="center", alpha=0.7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def _in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
