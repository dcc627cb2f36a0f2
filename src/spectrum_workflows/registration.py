"""Which sciences are registered, by their entry points: nothing of theirs is imported."""

from __future__ import annotations

from importlib.metadata import entry_points

GROUP = "spectrum_workflows.domains"


class LeftOutWarning(UserWarning):
    """A registered science cannot be used here, and the others go on without it."""


def names() -> list[str]:
    """Names of the registered sciences, sorted, whether they can be loaded or not."""
    return sorted({point.name for point in entry_points(group=GROUP)})
