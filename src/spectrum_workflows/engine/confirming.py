"""The code that a run was planned with: a worker that has another one computes nothing for it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from spectrum_workflows.ambient import Ambient
from spectrum_workflows.code_identity import Code

_code: Ambient[Code | None] = Ambient("code", None)


def confirming(code: Code | None) -> AbstractContextManager[None]:
    """Let workers compare this code with their own before they compute inside the block.

    Parameters
    ----------
    code : Code or None
        Of the session; ``None`` compares nothing.
    """
    return _code.set(code)


def current_code() -> Code | None:
    """The code in force here."""
    return _code.value
