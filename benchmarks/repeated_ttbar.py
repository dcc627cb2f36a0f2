"""The ttbar selection done several times over, as its systematic variations would."""

from spectrum_workflows.hep.analyses import ttbar


def select(events, *, repeats=10, **cuts):
    """Select ``repeats`` times; the last result counts."""
    for _ in range(repeats):
        found = ttbar.select(events, **cuts)
    return found
