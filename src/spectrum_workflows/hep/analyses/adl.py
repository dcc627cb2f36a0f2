"""The eight ADL benchmark queries: idioms from which selections are written.

Definitions: iris-hep/adl-benchmarks-index.  Every query is a function of
events (an awkward array of records, shape (n_events,), with the columns that
its spec names) and returns what to histogram: one number per event, jet or
pair, in GeV where not said otherwise.
"""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from spectrum_workflows.hep.analyses.particles import (
    collection,
    delta_phi,
    delta_r,
    leading,
    mass,
    momentum,
    nearest,
    total,
    transverse,
)

Events = Any
Selected = dict[str, Any]


def q1(events: Events) -> Selected:
    """Q1, a number per event: the missing transverse momentum of all events.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        With ``MET_pt``.

    Returns
    -------
    dict of ak.Array
        ``met``: one per event, GeV.

    Examples
    --------
    >>> events = ak.Array([{"MET_pt": 20.0}, {"MET_pt": 35.0}])
    >>> q1(events)["met"].tolist()
    [20.0, 35.0]
    """
    return {"met": events.MET_pt}


def q2(events: Events) -> Selected:
    """Q2, a list per event: the pt of all jets.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        With ``Jet_pt``.

    Returns
    -------
    dict of ak.Array
        ``jet_pt``: one per jet, GeV.

    Examples
    --------
    >>> events = ak.Array([{"Jet_pt": [50.0, 30.0]}, {"Jet_pt": []}, {"Jet_pt": [25.0]}])
    >>> q2(events)["jet_pt"].tolist()
    [50.0, 30.0, 25.0]
    """
    return {"jet_pt": ak.flatten(events.Jet_pt)}


def q3(events: Events, *, jet_eta: float = 1.0) -> Selected:
    """Q3, choose from a list: the pt of jets with ``|eta|`` below ``jet_eta``.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        With ``Jet_pt`` and ``Jet_eta``.
    jet_eta : float
        Absolute pseudorapidities are below.

    Returns
    -------
    dict of ak.Array
        ``jet_pt``: one per jet that is chosen, GeV.

    Examples
    --------
    >>> events = ak.Array([{"Jet_pt": [50.0, 30.0], "Jet_eta": [0.3, -2.0]}])
    >>> q3(events)["jet_pt"].tolist()
    [50.0]
    """
    central = abs(events.Jet_eta) < jet_eta
    return {"jet_pt": ak.flatten(events.Jet_pt[central])}


def q4(events: Events, *, jet_pt: float = 40.0) -> Selected:
    """Q4, choose events: missing transverse momentum beside two jets above ``jet_pt``.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        With ``MET_pt`` and ``Jet_pt``.
    jet_pt : float
        Two jets at least have more, GeV.

    Returns
    -------
    dict of ak.Array
        ``met``: one per event that is chosen, GeV.

    Examples
    --------
    >>> events = ak.Array([{"MET_pt": 20.0, "Jet_pt": [50.0, 45.0]}, {"MET_pt": 9.0, "Jet_pt": []}])
    >>> q4(events)["met"].tolist()
    [20.0]
    """
    hard = ak.num(events.Jet_pt[events.Jet_pt > jet_pt])
    return {"met": events.MET_pt[hard >= 2]}


def q5(events: Events, *, low: float = 60.0, high: float = 120.0) -> Selected:
    """Q5, pairs from one list: missing transverse momentum beside a muon pair.

    The two muons have opposite charge and a mass between ``low`` and ``high``;
    one such pair is enough.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        With ``MET_pt``, ``Muon_pt``, ``_eta``, ``_phi``, ``_mass`` and ``_charge``.
    low, high : float
        Between which the mass of the pair is, GeV.

    Returns
    -------
    dict of ak.Array
        ``met``: one per event that is chosen, GeV.

    Examples
    --------
    >>> event = {"MET_pt": 20.0, "Muon_pt": [45.6, 45.6], "Muon_eta": [0.0, 0.0]}
    >>> event |= {"Muon_phi": [0.0, 3.1416], "Muon_mass": [0.1, 0.1], "Muon_charge": [1, -1]}
    >>> q5(ak.Array([event]))["met"].tolist(), q5(ak.Array([event]), low=100.0)["met"].tolist()
    ([20.0], [])
    """
    muons = collection(events, "Muon", "pt", "eta", "phi", "mass", "charge")
    a, b = ak.unzip(ak.combinations(muons, 2))
    pair = mass(total(momentum(a), momentum(b)))
    good = (a.charge != b.charge) & (pair > low) & (pair < high)
    return {"met": events.MET_pt[ak.any(good, axis=1)]}


def q6(events: Events, *, top_mass: float = 172.5) -> Selected:
    """Q6, the best of all triples: three jets of a mass closest to the top quark's.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        With ``Jet_pt``, ``_eta``, ``_phi``, ``_mass`` and ``_btag``.
    top_mass : float
        GeV.

    Returns
    -------
    dict of ak.Array
        ``trijet_pt``: transverse momentum of their sum, GeV; ``btag``: their largest b-tagging
        discriminant (no unit).

    Examples
    --------
    >>> event = {"Jet_pt": [90.0, 80.0, 40.0], "Jet_eta": [0.0] * 3, "Jet_phi": [0.0, 1.0, 2.0]}
    >>> event |= {"Jet_mass": [9.0, 8.0, 4.0], "Jet_btag": [0.1, 0.8, 0.3]}
    >>> trijets = q6(ak.Array([event]))
    >>> round(float(trijets["trijet_pt"][0]), 1), trijets["btag"].tolist()
    (156.0, [0.8])
    """
    jets = collection(events, "Jet", "pt", "eta", "phi", "mass", "btag")
    jets = jets[ak.num(jets) >= 3]
    a, b, c = ak.unzip(ak.combinations(jets, 3))
    top = total(momentum(a), momentum(b), momentum(c))
    best = nearest(mass(top), top_mass)
    btag = np.maximum(np.maximum(a.btag, b.btag), c.btag)
    return {"trijet_pt": ak.flatten(transverse(top)[best]), "btag": ak.flatten(btag[best])}


def q7(
    events: Events, *, jet_pt: float = 30.0, lepton_pt: float = 10.0, distance: float = 0.4
) -> Selected:
    """Q7, two lists against each other: the pt sum of jets away from every lepton.

    Jets above ``jet_pt`` with no electron or muon above ``lepton_pt`` within
    ``distance`` in ΔR; events without such a jet are not filled.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        With ``_pt``, ``_eta`` and ``_phi`` of ``Jet``, ``Electron`` and ``Muon``.
    jet_pt, lepton_pt : float
        Jets and leptons have more, GeV.
    distance : float
        In pseudorapidity and azimuth.

    Returns
    -------
    dict of ak.Array
        ``jet_pt_sum``: one per event that is chosen, GeV.

    Examples
    --------
    >>> event = {"Jet_pt": [50.0, 40.0], "Jet_eta": [0.0, 2.0], "Jet_phi": [0.0, 0.0]}
    >>> event |= {"Muon_pt": [20.0], "Muon_eta": [2.1], "Muon_phi": [0.1]}
    >>> event |= {"Electron_pt": [0.0], "Electron_eta": [0.0], "Electron_phi": [0.0]}
    >>> q7(ak.Array([event]))["jet_pt_sum"].tolist()
    [50.0]
    """
    jets = collection(events, "Jet", "pt", "eta", "phi")
    leptons = _leptons(events, "pt", "eta", "phi")
    jets, leptons = jets[jets.pt > jet_pt], leptons[leptons.pt > lepton_pt]
    jet, lepton = ak.unzip(ak.cartesian([jets, leptons], nested=True))
    away = jets[~ak.any(delta_r(jet, lepton) < distance, axis=2)]
    return {"jet_pt_sum": ak.sum(away.pt, axis=1)[ak.num(away) > 0]}


def q8(events: Events, *, z_mass: float = 91.2) -> Selected:
    """Q8, what a best pair leaves over: transverse mass of the leading other lepton.

    Of three or more electrons and muons, the pair of one flavour and opposite
    charge with the mass closest to the Z's is set aside; the transverse mass
    is that of the remaining lepton of largest pt with the missing momentum.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        With ``_pt``, ``_eta``, ``_phi``, ``_mass`` and ``_charge`` of ``Electron`` and ``Muon``,
        ``MET_pt`` and ``MET_phi``.
    z_mass : float
        GeV.

    Returns
    -------
    dict of ak.Array
        ``mt``: one per event that is chosen, GeV.

    Examples
    --------
    >>> event = {"MET_pt": 40.0, "MET_phi": 3.141592653589793}
    >>> event |= {"Muon_pt": [45.6, 45.6], "Muon_eta": [0.0, 0.0], "Muon_phi": [0.5, 3.64]}
    >>> event |= {"Muon_mass": [0.1, 0.1], "Muon_charge": [1, -1], "Electron_pt": [40.0]}
    >>> event |= {"Electron_eta": [0.0], "Electron_phi": [0.0], "Electron_mass": [0.0]}
    >>> event |= {"Electron_charge": [1]}
    >>> round(float(q8(ak.Array([event]))["mt"][0]), 6)
    80.0
    """
    leptons = _leptons(events, "pt", "eta", "phi", "mass", "charge")
    i, j = ak.unzip(ak.argcombinations(leptons, 2))
    a, b = leptons[i], leptons[j]
    same = (a.flavour == b.flavour) & (a.charge != b.charge)
    chosen = (ak.num(leptons) >= 3) & ak.any(same, axis=1)
    best = nearest(mass(total(momentum(a), momentum(b)))[same][chosen], z_mass)
    i, j = (ak.flatten(k[same][chosen][best]) for k in (i, j))
    leptons, events = leptons[chosen], events[chosen]
    index = ak.local_index(leptons)
    other = leading(leptons[(index != i) & (index != j)])
    angle = delta_phi(events.MET_phi, other.phi)
    return {"mt": np.sqrt(2 * other.pt * events.MET_pt * (1 - np.cos(angle)))}


def _leptons(events: Events, *fields: str) -> Any:
    """Muons, then electrons, with the ``flavour`` of each."""
    flavours = []
    for flavour, name in ((13, "Muon"), (11, "Electron")):
        leptons = collection(events, name, *fields)
        leptons["flavour"] = ak.ones_like(leptons.pt) * flavour
        flavours.append(leptons)
    return ak.concatenate(flavours, axis=1)
