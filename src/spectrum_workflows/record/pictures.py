"""Pictures beside the numbers: drawn last, and never at the numbers' expense."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectrum_workflows.record.outcome import Outcome


def pictures(outcome: Outcome) -> tuple[dict[str, bytes], str]:
    """PNG files by name, and what went wrong, if anything.

    The pictures of a partial result say so.
    """
    drawn: dict[str, bytes] = {}
    try:
        for name, figure in outcome.domain.pictures(outcome.result):
            if outcome.failures:
                stamp = f"PARTIAL: {outcome.fraction:.2%} of the input"
                figure.text(0.5, 0.5, stamp, color="red", size=18, ha="center", alpha=0.7)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
            drawn[name] = buffer.getvalue()
    except Exception as error:
        return drawn, f"not all pictures could be drawn: {type(error).__name__}: {error}"
    return drawn, ""
