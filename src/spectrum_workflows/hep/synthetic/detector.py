"""A toy detector: acceptance, resolution, identification and b-tagging.

Numbers are of the size that CMS quotes for Run 2: muon pt to 1.2 %, electron
energy to 2 %, jet energy to 80 %/√pt ⊕ 5 %, of
which 2 % are lost out of the cone; at a CSVv2 discriminant of 0.5
about 83 % of b jets, 40 % of c jets and 10 % of light jets are tagged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep.synthetic.kinematics import Floats, pt_eta_phi_mass
from spectrum_workflows.hep.synthetic.processes import CHARM, MUON, B, Hard, Particles

Columns = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Collection:
    """Objects of one type of many events, by event and then falling pt.

    Attributes
    ----------
    counts : ndarray, shape (n_events,)
        Objects per event.
    columns : dict of ndarray, shape (n_objects,)
        Fields, named and typed as in NanoAOD.
    """

    counts: NDArray[np.int64]
    columns: Columns


def electrons(hard: Hard, rng: np.random.Generator) -> Collection:
    """Reconstructed electrons, true ones and a few from jets."""
    event, charge, p4, prompt = _candidates(hard, 11, 0.25, rng)
    pt, eta, phi, _ = pt_eta_phi_mass(p4)
    n = len(pt)
    pt = pt * rng.normal(1.0, 0.02, n)
    good = rng.choice([0, 1, 2, 3, 4], n, p=[0.06, 0.04, 0.05, 0.10, 0.75])
    fake = rng.choice([0, 1, 2, 3, 4], n, p=[0.80, 0.12, 0.05, 0.02, 0.01])
    columns: Columns = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "mass": np.zeros(n),
        "charge": charge,
        "cutBased": np.where(prompt, good, fake),
        "sip3d": _impact(prompt, rng),
        "pfRelIso03_all": _isolation(prompt, rng),
    }
    return collected(hard.n, event, columns, (pt > 5) & (np.abs(eta) < 2.5))


def muons(hard: Hard, rng: np.random.Generator) -> Collection:
    """Reconstructed muons, true ones and a few from jets."""
    event, charge, p4, prompt = _candidates(hard, 13, 0.10, rng)
    pt, eta, phi, _ = pt_eta_phi_mass(p4)
    n = len(pt)
    pt = pt * rng.normal(1.0, 0.012, n)
    columns: Columns = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "mass": np.full(n, MUON),
        "charge": charge,
        "tightId": rng.random(n) < np.where(prompt, 0.96, 0.5),
        "sip3d": _impact(prompt, rng),
        "pfRelIso04_all": _isolation(prompt, rng),
    }
    return collected(hard.n, event, columns, (pt > 3) & (np.abs(eta) < 2.4))


def jets(hard: Hard, rng: np.random.Generator) -> Collection:
    """Jets of partons; leptons make jets too, which the tight identity rejects."""
    lepton = hard.leptons
    event = np.concatenate([hard.partons.event, lepton.event])
    kind = np.concatenate([hard.partons.kind, np.abs(lepton.kind)])
    p4 = np.concatenate([hard.partons.p4, lepton.p4])
    pt, eta, phi, _ = pt_eta_phi_mass(p4)
    n, parton = len(pt), kind < 10
    resolution = np.where(parton, np.hypot(0.8 / np.sqrt(np.maximum(pt, 5.0)), 0.05), 0.03)
    in_cone = np.where(parton, 0.98, 1.0)
    mass_to_energy = 0.5 * rng.beta(2.5, 12.0, n) / np.cosh(eta)
    response = np.maximum(rng.normal(in_cone, resolution), 0.1) * np.sqrt(1 - mass_to_energy**2)
    identity = np.where(rng.random(n) < np.where(parton, 0.98, 0.05), 6, 2)
    pt = pt * response
    columns: Columns = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "mass": pt * np.cosh(eta) * mass_to_energy,
        "jetId": identity,
        "btagCSVV2": btag(kind, rng),
        "hadronFlavour": np.where((kind == B) | (kind == CHARM), kind, 0),
    }
    return collected(hard.n, event, columns, (pt > 15) & (np.abs(eta) < 4.7))


def missing_momentum(hard: Hard, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Size and azimuth of the missing transverse momentum; shape (n_events,)."""
    x, y = (hard.missing + rng.normal(0.0, 18.0, (hard.n, 2))).T
    return np.hypot(x, y), np.arctan2(y, x)


def _candidates(
    hard: Hard, pdg: int, fakes: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, NDArray[np.bool_]]:
    """True leptons of one type, and softer ones along partons."""
    true = hard.leptons
    mine = np.abs(true.kind) == pdg
    along = np.flatnonzero(rng.random(len(hard.partons.event)) < fakes / 3)
    share = rng.beta(1.2, 6.0, len(along))
    soft = Particles(hard.partons.event[along], along, hard.partons.p4[along] * share[:, None])
    event = np.concatenate([true.event[mine], soft.event])
    charge = np.concatenate([-np.sign(true.kind[mine]), rng.choice([-1, 1], len(along))])
    prompt = np.arange(len(event)) < np.count_nonzero(mine)
    return event, charge, np.concatenate([true.p4[mine], soft.p4]), prompt


def _impact(prompt: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Impact parameter over its uncertainty, in three dimensions."""
    return np.sqrt(rng.chisquare(3, len(prompt))) * np.where(prompt, 0.65, 4.0)


def _isolation(prompt: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    return rng.exponential(np.where(prompt, 0.04, 0.8))


def btag(kind: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """CSVv2-like discriminant between 0 and 1."""
    rising = np.select([kind == B, kind == CHARM], [3.6, 1.7], 0.9)
    falling = np.select([kind == B, kind == CHARM], [1.45, 2.2], 3.0)
    return rng.beta(rising, falling)


def collected(
    n_events: int, event: NDArray[np.int64], columns: Columns, keep: NDArray[np.bool_]
) -> Collection:
    """The objects to keep, event after event, by falling pt."""
    kept = np.flatnonzero(keep)
    order = kept[np.lexsort((-columns["pt"][kept].astype(np.float64), event[kept]))]
    counts = np.bincount(event[order], minlength=n_events)
    return Collection(counts, {name: values[order] for name, values in columns.items()})
