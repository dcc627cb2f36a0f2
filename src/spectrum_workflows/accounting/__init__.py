"""Energy of a run, measured or modelled, what it emits, and what an allocation manager reads."""

from spectrum_workflows.accounting.energy import (
    Carbon,
    Energy,
    Intensity,
    Power,
    carbon_of,
    energy_of,
    per_core,
)

__all__ = [
    "Carbon",
    "Energy",
    "Intensity",
    "Power",
    "carbon_of",
    "energy_of",
    "per_core",
]
