"""What analyses of large momenta read: clustered jets, fat jets, vertices, pile-up, weights.

Partons are measured as in `detector` and clustered with anti-kT.  Data differ from simulation by
what `Conditions` says, so that an analysis agrees with them only if it corrects its simulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep.synthetic import detector
from spectrum_workflows.hep.synthetic.clustering import anti_kt
from spectrum_workflows.hep.synthetic.detector import Collection, Columns
from spectrum_workflows.hep.synthetic.kinematics import Floats, four_vector, pt_eta_phi_mass
from spectrum_workflows.hep.synthetic.processes import CHARM, LIGHT, B, Hard, Particles

Integers = NDArray[np.int64]

Measured = Collection | NDArray[np.generic]
"""A collection, a number per event, or as many per event in a row."""

R_JETS, R_FAT_JETS = 0.4, 0.8
"""Parameters R of the two kinds of jets."""

LEAST_FAT = 180.0
"""Transverse momentum of fat jets in GeV."""

BEAM_SPOT = {"x": 0.002, "y": 0.002, "z": 3.5}
"""Spread of primary vertices in cm."""

CLEAN = 0.995
"""Share of events without noise, which are flagged as good."""

TRIGGER_PT = 50.0
"""Of the muon trigger, in GeV."""

ISOLATIONS = (0.40, 0.20, 0.10, 0.05)
"""Working points of ``Muon_miniIsoId``: loose, medium, tight, very tight."""

SCALES = np.array([0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]), np.array([0.5, 1.0, 2.0] * 3)
"""Factors of renormalisation and factorisation scale, in NanoAOD's order of ``LHEScaleWeight``."""

DENSITIES = 11
"""Of ``LHEPdfWeight``: the central one and ten directions of a Hessian set."""


@dataclass(frozen=True)
class Conditions:
    """Where data and simulation differ.

    Attributes
    ----------
    scale, resolution : float
        Factors on the response of jets and on its width.
    pileup : float
        Mean number of interactions.
    muons, b_jets, trigger : float
        Efficiencies: of identified muons and tagged b jets relative to simulation, and of the
        trigger.
    """

    scale: float = 1.0
    resolution: float = 1.0
    pileup: float = 27.0
    muons: float = 1.0
    b_jets: float = 1.0
    trigger: float = 0.93


SIMULATION = Conditions()
DATA = Conditions(0.99, 1.12, 25.0, 0.97, 0.95, 0.93)


def measure(hard: Hard, rng: np.random.Generator, conditions: Conditions) -> dict[str, Measured]:
    """All collections, and columns of one number or one list per event, by their names.

    Returns
    -------
    dict of str to Collection or ndarray
        Lists of weights have shape (n_events, n_weights).
    """
    muons = _muons(hard, rng, conditions)
    jets, generated, fat_jets, shift = _jets(hard, rng, conditions)
    interactions = rng.poisson(rng.gamma(16.0, conditions.pileup / 16.0, hard.n))
    good = rng.binomial(interactions, 0.7)
    met = hard.missing - shift + rng.normal(0.0, 12.0 + 0.2 * interactions[:, None], (hard.n, 2))
    loose = rng.normal(0.0, 6.0, (hard.n, 2))
    out: dict[str, Measured] = {
        "Muon": muons,
        "Jet": jets,
        "GenJet": generated,
        "FatJet": fat_jets,
        "PV_npvs": (good + 1).astype(np.int32),
        "PV_npvsGood": good.astype(np.int32),
        "Pileup_nTrueInt": interactions.astype(np.float32),
        "HLT_Mu50": _trigger(hard, rng, conditions.trigger),
    }
    for name, momentum in (("", met), ("Up", met + loose), ("Down", met - loose)):
        unclustered = f"Unclustered{name}" if name else ""
        out[f"PuppiMET_pt{unclustered}"] = np.hypot(*momentum.T).astype(np.float32)
        out[f"PuppiMET_phi{unclustered}"] = np.arctan2(*momentum.T[::-1]).astype(np.float32)
    out |= _weights(hard, rng)
    for name, spread in BEAM_SPOT.items():
        out[f"PV_{name}"] = rng.normal(0.0, spread, hard.n).astype(np.float32)
    out["Flag_METFilters"] = rng.random(hard.n) < CLEAN
    return out


def _muons(hard: Hard, rng: np.random.Generator, conditions: Conditions) -> Collection:
    """Muons of `detector.muons` with a working point of isolation; in data some are not found."""
    found = detector.muons(hard, rng)
    isolation = np.asarray(found.columns["pfRelIso04_all"], np.float64)
    tight = found.columns["tightId"].astype(bool)
    columns = {
        **found.columns,
        "miniIsoId": np.sum([isolation < limit for limit in ISOLATIONS], axis=0),
        "tightId": tight & (rng.random(len(tight)) < conditions.muons),
    }
    return Collection(found.counts, columns)


def _jets(
    hard: Hard, rng: np.random.Generator, conditions: Conditions
) -> tuple[Collection, Collection, Collection, Floats]:
    """Jets, generated jets, fat jets, and by how much their momenta are off; (n_events, 2)."""
    order = np.argsort(hard.partons.event, kind="stable")
    event, kind = hard.partons.event[order], hard.partons.kind[order]
    true = hard.partons.p4[order]
    electrons = np.abs(hard.leptons.kind) == 11
    p4 = _measured(true, rng, conditions)
    shift = np.zeros((hard.n, 2))
    np.add.at(shift, event, p4[:, 1:3] - true[:, 1:3])
    first = _offsets(event, hard.n)
    jet = anti_kt(first, true, R_JETS)
    owner, heaviest = _of_jets(jet, event), _heaviest(jet, kind)
    lepton = hard.leptons.p4[electrons]  # electrons make jets, too, which the identity rejects
    is_parton = np.arange(len(owner) + len(lepton)) < len(owner)
    owner = np.concatenate([owner, hard.leptons.event[electrons]])
    heaviest = np.concatenate([heaviest, np.full(len(lepton), LIGHT)])
    reconstructed = np.concatenate([_sums(jet, p4), lepton])
    generated = np.concatenate([_sums(jet, true), lepton])
    pt, eta, phi, mass = pt_eta_phi_mass(reconstructed)
    gen_pt, gen_eta, gen_phi, gen_mass = pt_eta_phi_mass(generated)
    n = len(pt)
    tag = _tag(heaviest, rng, conditions)
    columns: Columns = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "mass": mass,
        "jetId": np.where(rng.random(n) < np.where(is_parton, 0.98, 0.05), 6, 2),
        "btagDeepB": tag,
        "hadronFlavour": np.where((heaviest == B) | (heaviest == CHARM), heaviest, 0),
    }
    kept = gen_pt > 10.0
    columns["genJetIdx"] = _places(owner, gen_pt, kept)
    jets = detector.collected(hard.n, owner, columns, (pt > 15) & (np.abs(eta) < 4.7))
    true_columns: Columns = {"pt": gen_pt, "eta": gen_eta, "phi": gen_phi, "mass": gen_mass}
    fat = _fat_jets(hard.n, Particles(event, kind, true), p4, rng)
    return jets, detector.collected(hard.n, owner, true_columns, kept), fat, shift


def _fat_jets(
    n_events: int, partons: Particles, p4: Floats, rng: np.random.Generator
) -> Collection:
    """Fat jets, with a score that is high for those of three partons, a b quark and m = 173 GeV."""
    first = _offsets(partons.event, n_events)
    jet = anti_kt(first, partons.p4, R_FAT_JETS)
    pt, eta, phi, mass = pt_eta_phi_mass(_sums(jet, p4))
    several = np.bincount(jet, minlength=len(pt)) >= 3
    top_like = several & (_heaviest(jet, partons.kind) == B) & (np.abs(mass - 173.0) < 60.0)
    high, low = rng.beta(5.0, 1.6, len(pt)), rng.beta(1.0, 4.0, len(pt))
    score = np.where(top_like, high, low)
    columns: Columns = {"pt": pt, "eta": eta, "phi": phi, "mass": mass}
    columns["particleNet_TvsQCD"] = score
    keep = (pt > LEAST_FAT) & (np.abs(eta) < 2.4)
    return detector.collected(n_events, _of_jets(jet, partons.event), columns, keep)


def _measured(true: Floats, rng: np.random.Generator, conditions: Conditions) -> Floats:
    """Partons as jets are measured: with a mass, some energy lost, and resolution."""
    pt, eta, phi, _ = pt_eta_phi_mass(true)
    width = np.hypot(0.8 / np.sqrt(np.maximum(pt, 5.0)), 0.05) * conditions.resolution
    response = np.maximum(rng.normal(0.98 * conditions.scale, width), 0.1)
    mass = 0.5 * rng.beta(2.5, 20.0, len(pt)) * pt
    rapidity = np.arcsinh(pt * np.sinh(eta) / np.hypot(pt, mass))
    return four_vector(pt, rapidity, phi, mass) * response[:, None]


def _tag(heaviest: Integers, rng: np.random.Generator, conditions: Conditions) -> Floats:
    """Discriminant of `detector.btag`; in data some b jets look like others."""
    tag = detector.btag(heaviest, rng)
    lost = (heaviest == B) & (rng.random(len(tag)) > conditions.b_jets)
    return np.where(lost, 0.5 * tag, tag)


def _trigger(hard: Hard, rng: np.random.Generator, efficiency: float) -> NDArray[np.bool_]:
    """Whether a muon above the threshold fired."""
    pt, eta, _, _ = pt_eta_phi_mass(hard.leptons.p4)
    muon = (np.abs(hard.leptons.kind) == 13) & (pt > TRIGGER_PT) & (np.abs(eta) < 2.4)
    fired = np.zeros(hard.n, np.bool_)
    fired[hard.leptons.event[muon & (rng.random(len(pt)) < efficiency)]] = True
    return fired


def _weights(hard: Hard, rng: np.random.Generator) -> Mapping[str, Measured]:
    """Lists of weights of other scales, parton densities and showers, relative to the nominal."""
    activity = np.zeros(hard.n)
    pt = np.hypot(hard.partons.p4[:, 1], hard.partons.p4[:, 2])
    np.add.at(activity, hard.partons.event, pt)
    hardness = np.log(np.maximum(activity, 100.0) / 700.0)[:, None]
    renormalisation, factorisation = (np.log2(factors)[None, :] for factors in SCALES)
    scale = np.exp(-(0.09 + 0.04 * hardness) * renormalisation + 0.03 * hardness * factorisation)
    directions = rng.normal(0.0, 0.3, (hard.n, DENSITIES - 1)) + hardness
    sizes = 0.02 / np.arange(1, DENSITIES)
    densities = np.column_stack([np.ones(hard.n), 1 + sizes * directions])
    number = np.bincount(hard.partons.event, minlength=hard.n)[:, None] - 5.5
    shower = 1 + 0.02 * number * np.array([1.0, 0.5, -1.0, -0.5])
    return {
        "LHEScaleWeight": scale.astype(np.float32),
        "LHEPdfWeight": densities.astype(np.float32),
        "PSWeight": np.maximum(shower, 0.1).astype(np.float32),
    }


def _offsets(event: Integers, n_events: int) -> Integers:
    """Where the particles of every event begin, which are in order; shape (n_events + 1,)."""
    return np.searchsorted(event, np.arange(n_events + 1)).astype(np.int64)


def _sums(jet: Integers, p4: Floats) -> Floats:
    """Four-vectors of jets from those of their members."""
    out = np.zeros((int(jet.max(initial=-1)) + 1, 4))
    np.add.at(out, jet, p4)
    return out


def _of_jets(jet: Integers, event: Integers) -> Integers:
    """The event of every jet."""
    owner = np.empty(int(jet.max(initial=-1)) + 1, np.int64)
    owner[jet] = event
    return owner


def _heaviest(jet: Integers, kind: Integers) -> Integers:
    """Flavour of the heaviest member of every jet."""
    flavour = np.zeros(int(jet.max(initial=-1)) + 1, np.int64)
    np.maximum.at(flavour, jet, kind)
    return flavour


def _places(event: Integers, pt: Floats, kept: NDArray[np.bool_]) -> Integers:
    """Place of each among those of its event that are kept, by falling pt; -1 of the others."""
    chosen = np.flatnonzero(kept)
    order = chosen[np.lexsort((-pt[chosen], event[chosen]))]
    first = np.searchsorted(event[order], event[order])
    place = np.full(len(event), -1)
    place[order] = np.arange(len(order)) - first
    return place
