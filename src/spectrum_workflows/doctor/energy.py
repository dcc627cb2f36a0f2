"""Whether the energy of a run is measured on a node, or follows from a model."""

from __future__ import annotations

from pathlib import Path

from spectrum_workflows.accounting.rapl import POWERCAP, domains
from spectrum_workflows.findings import Finding, fine

READABLE = "ask the centre to make energy_uj below /sys/class/powercap readable"


def of_counters(root: Path = POWERCAP) -> Finding:
    """The counters that this process may read; work starts without any of them.

    Parameters
    ----------
    root : Path
        Laid out as ``/sys/class/powercap`` is.
    """
    names = [domain.name for domain in domains(root)]
    if names:
        return fine("energy", f"measured by RAPL: {', '.join(names)}")
    if any(root.glob("intel-rapl:*")):
        return fine("energy", f"modelled: RAPL is there and for root alone ({READABLE})")
    return fine("energy", "modelled: the node shows no counter")
