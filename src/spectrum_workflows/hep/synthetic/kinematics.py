"""Four-vectors of many particles at once: arrays of shape (n, 4) holding (E, px, py, pz)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def four_vector(pt: Floats, rapidity: Floats, phi: Floats, mass: Floats) -> Floats:
    """Four-vectors from transverse momentum, rapidity, azimuth and mass; (n, 4), GeV."""
    transverse_mass = np.hypot(pt, mass)
    return np.stack(
        [
            transverse_mass * np.cosh(rapidity),
            pt * np.cos(phi),
            pt * np.sin(phi),
            transverse_mass * np.sinh(rapidity),
        ],
        axis=1,
    )


def pt_eta_phi_mass(p4: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Transverse momentum, pseudorapidity, azimuth and mass of four-vectors."""
    energy, px, py, pz = p4.T
    pt = np.hypot(px, py)
    eta = np.arcsinh(pz / np.maximum(pt, 1e-9))
    mass2 = energy**2 - px**2 - py**2 - pz**2
    return pt, eta, np.arctan2(py, px), np.sqrt(np.maximum(mass2, 0.0))


def two_body_decay(
    parent: Floats, masses: tuple[Floats, Floats], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Decay every parent into two particles, isotropically in its rest frame.

    The momentum in the rest frame is the Källén function of the three masses
    (PDG review, "Kinematics", eq. 49.17).

    Parameters
    ----------
    parent : ndarray, shape (n, 4)
        Four-vectors in GeV.
    masses : pair of ndarray, shape (n,)
        Masses of the daughters; their sum must not exceed the parent's.
    rng : numpy.random.Generator
        Directions are drawn from it.

    Returns
    -------
    pair of ndarray, shape (n, 4)
        Daughters in the frame of the parents' four-vectors.
    """
    mass = pt_eta_phi_mass(parent)[3]
    first, second = masses
    total, difference = (first + second) ** 2, (first - second) ** 2
    kallen = (mass**2 - total) * (mass**2 - difference)
    momentum = np.sqrt(np.maximum(kallen, 0.0)) / (2 * mass)
    cosine = rng.uniform(-1, 1, len(parent))
    azimuth = rng.uniform(-np.pi, np.pi, len(parent))
    sine = np.sqrt(1 - cosine**2)
    direction = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)
    daughter = np.column_stack([np.hypot(momentum, first), momentum[:, None] * direction])
    boosted = _boost(daughter, parent, mass)
    return boosted, parent - boosted


def breit_wigner(
    centre: float, width: float, n: int, rng: np.random.Generator, *, reach: float = 8.0
) -> Floats:
    """Masses from a Breit-Wigner peak, cut at ``reach`` widths; shape (n,), GeV."""
    edge = np.arctan(2 * reach)
    return centre + width / 2 * np.tan(rng.uniform(-edge, edge, n))


def _boost(p4: Floats, parent: Floats, mass: Floats) -> Floats:
    """From the rest frame of ``parent`` to the frame in which it is given."""
    along = np.sum(p4[:, 1:] * parent[:, 1:], axis=1)
    energy = (parent[:, 0] * p4[:, 0] + along) / mass
    factor = (p4[:, 0] + energy) / (parent[:, 0] + mass)
    return np.column_stack([energy, p4[:, 1:] + factor[:, None] * parent[:, 1:]])
