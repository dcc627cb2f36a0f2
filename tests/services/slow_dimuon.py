"""The dimuon selection, taking as long as a test needs; sent to the workers by value."""

import time

from spectrum_workflows.hep.analyses import dimuon


def select(events, *, seconds=0.0):
    """Sleep, then select."""
    time.sleep(seconds)
    return dimuon.select(events)
