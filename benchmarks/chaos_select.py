"""Muon pairs, each partition taking a moment, and noted in a file when it is computed."""

import os
import time

from spectrum_workflows.hep.analyses import dimuon


def select(events, *, log="", seconds=0.1):
    """Select, and add the partition's first event number to the log."""
    time.sleep(seconds)
    if log and len(events):
        line = f"{int(events.event[0])} {len(events)}\n".encode()
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line)  # at once, whoever else writes
        os.close(descriptor)
    return dimuon.select(events)
