"""Scripts that start workers: each worker process imports the script again."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import FrameType

from spectrum_workflows.errors import SiteError

REMEDY = (
    'put what starts workers below `if __name__ == "__main__":`, because every worker imports '
    "the script, or take the site serial, which has no workers"
)


def check_guarded() -> None:
    """Refuse a script whose import by a worker would start workers again, without end.

    The line of the main module that is running has to stand below a condition on
    ``__name__``.  Notebooks and interactive sessions have no such module.

    Raises
    ------
    SiteError
        It does not.

    References
    ----------
    Python's documentation of `multiprocessing`, *safe importing of main module*.
    """
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    frame: FrameType | None = sys._getframe()
    while frame and not (frame.f_globals is vars(main) and frame.f_code.co_name == "<module>"):
        frame = frame.f_back
    if path is None or frame is None or is_guarded(path, frame.f_lineno):
        return
    raise SiteError(
        "a script may not start workers while it is imported", f"{path}:{frame.f_lineno}", REMEDY
    )


def is_guarded(path: str, line: int) -> bool:
    """Whether a line of a module stands below a condition on ``__name__``, or cannot be read."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True
    return any(
        isinstance(node, ast.If)
        and any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test))
        and node.lineno <= line <= (node.end_lineno or node.lineno)
        for node in ast.walk(tree)
    )
