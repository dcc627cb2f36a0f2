"""Particles of many events as awkward arrays: momenta, masses, angles, in float64.

What a selection is written with; `adl` shows how.
"""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

Array = Any
"""An awkward array; the shapes are in the docstrings."""


def collection(events: Array, name: str, *fields: str) -> Array:
    """The particles of a NanoAOD collection as records.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        With columns such as ``Jet_pt`` for ``name`` "Jet" and field "pt".
    name : str
        Of the collection.
    *fields : str
        Which fields the records get.

    Returns
    -------
    ak.Array, shape (n_events, var)
        Numbers are float64: masses of close pairs cancel badly in float32.
    """
    columns = {field: events[f"{name}_{field}"] for field in fields}
    return ak.values_astype(ak.zip(columns), np.float64)


def momentum(particles: Array) -> Array:
    """Four-momentum (E, px, py, pz) in GeV, from pt, eta, phi and mass; same shape."""
    pt, eta, phi = particles.pt, particles.eta, particles.phi
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    energy = np.sqrt(px**2 + py**2 + pz**2 + particles.mass**2)
    return ak.zip({"E": energy, "px": px, "py": py, "pz": pz})


def total(*momenta: Array) -> Array:
    """Sum of four-momenta of one shape, element by element."""
    return ak.zip({k: sum(p[k] for p in momenta) for k in ("E", "px", "py", "pz")})


def mass(momentum: Array) -> Array:
    """Invariant mass in GeV of four-momenta; 0 where rounding makes its square negative."""
    p = momentum
    return np.sqrt(np.maximum(p.E**2 - p.px**2 - p.py**2 - p.pz**2, 0.0))


def transverse(momentum: Array) -> Array:
    """Transverse momentum in GeV of four-momenta."""
    return np.hypot(momentum.px, momentum.py)


def delta_phi(a: Array, b: Array) -> Array:
    """Difference a - b of two azimuths, from -π to π."""
    return (a - b + np.pi) % (2 * np.pi) - np.pi


def delta_r(a: Array, b: Array) -> Array:
    """Distance in pseudorapidity and azimuth of particles with ``eta`` and ``phi``."""
    return np.hypot(a.eta - b.eta, delta_phi(a.phi, b.phi))


def leading(particles: Array) -> Array:
    """The particle of largest pt of every event, which must have one; shape (n_events,)."""
    return ak.flatten(particles[ak.argmax(particles.pt, axis=1, keepdims=True)])


def nearest(values: Array, target: float) -> Array:
    """Index of the value closest to a target in every event, as lists of one.

    Shape (n_events, 1), so that it picks from any array of the shape of
    ``values``; events must not be empty.
    """
    return ak.argmin(abs(values - target), axis=1, keepdims=True)
