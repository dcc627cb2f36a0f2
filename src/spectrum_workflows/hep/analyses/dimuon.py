"""Opposite-charge muon pairs: the simplest selection (ROOT tutorial df102)."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from spectrum_workflows.hep.analyses.jagged import flat
from spectrum_workflows.hep.types import Observable


def select(events: Any, *, muon_pt: float = 0.0) -> dict[str, Observable]:
    """Select events with exactly two muons, of opposite charge.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        With ``Muon_pt``, ``_eta``, ``_phi``, ``_mass`` and ``_charge``.
    muon_pt : float
        Both muons must have more transverse momentum than this, in GeV.

    Returns
    -------
    dict of Observable
        ``dimuon``: the mass of the pair in GeV.

    Examples
    --------
    >>> import awkward as ak
    >>> pair = {"Muon_pt": [45.6, 45.6], "Muon_eta": [0.0, 0.0], "Muon_phi": [0.0, 3.1415927]}
    >>> pair |= {"Muon_mass": [0.1057, 0.1057], "Muon_charge": [1, -1]}
    >>> select(ak.Array([pair]))["dimuon"].values.round(2)
    array([91.2])
    """
    two = ak.num(events.Muon_pt) == 2
    opposite = ak.sum(events.Muon_charge, axis=1) == 0
    index = np.flatnonzero(two & opposite & ak.all(events.Muon_pt > muon_pt, axis=1))
    events = events[index]
    columns = dict.fromkeys(("Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass"), np.float64)
    pt, eta, phi, mass = (items.reshape(-1, 2) for items in flat(events, columns)[1:])
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    energy = np.sqrt(px**2 + py**2 + pz**2 + mass**2)
    total = [component.sum(axis=1) for component in (energy, px, py, pz)]
    mass2 = total[0] ** 2 - total[1] ** 2 - total[2] ** 2 - total[3] ** 2
    return {"dimuon": Observable(np.sqrt(np.maximum(mass2, 0.0)), index=index)}
