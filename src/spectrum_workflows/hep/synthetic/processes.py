"""Hard processes by two-body decays: which leptons and partons an event has.

Leading-order toys, not an event generator: spectra are simple functions that
resemble measured ones, spins are ignored, masses and widths are the PDG's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep.synthetic.kinematics import (
    Floats,
    breit_wigner,
    four_vector,
    two_body_decay,
)

TOP, W, Z, MUON, ELECTRON, BOTTOM = 172.7, 80.377, 91.188, 0.10566, 0.000511, 4.18
"""Masses in GeV (PDG 2022)."""

LIGHT, CHARM, B = 1, 4, 5
"""Parton flavours."""


@dataclass(frozen=True)
class Particles:
    """Particles of many events, flat: event number, kind and four-vector.

    Attributes
    ----------
    event : ndarray, shape (n,)
        Index of the event each belongs to.
    kind : ndarray, shape (n,)
        PDG number with sign for leptons, flavour for partons.
    p4 : ndarray, shape (n, 4)
        (E, px, py, pz) in GeV.
    """

    event: NDArray[np.int64]
    kind: NDArray[np.int64]
    p4: Floats


@dataclass(frozen=True)
class Hard:
    """The true leptons, partons and neutrino momenta of ``n`` events."""

    n: int
    leptons: Particles
    partons: Particles
    missing: Floats
    """Shape (n, 2): px and py carried away by neutrinos."""


def ttbar(
    n: int,
    rng: np.random.Generator,
    *,
    hardness: float = 1.0,
    radiation: float = 1.0,
    slope: float = 1.0,
) -> Hard:
    """Semileptonic top pairs: t t̄ → b ℓ ν  b q q̄', and initial-state radiation.

    ``hardness`` scales the tops' transverse momenta, ``radiation`` the mean
    number of further jets and ``slope`` their transverse momenta.
    """
    pt, phi = hardness * rng.gamma(2.2, 55.0, n), rng.uniform(-np.pi, np.pi, n)
    mean = rng.normal(0.0, 0.8, n)
    pair = []
    for side in (0, 1):
        shift = np.where(side, np.pi, 0.0) + rng.normal(0, 0.15, n)
        rapidity = mean + rng.normal(0.0, 0.6, n)
        mass = breit_wigner(TOP, 1.42, n, rng)
        pair.append(four_vector(pt * rng.uniform(0.9, 1.1, n), rapidity, phi + shift, mass))
    return top_pair((pair[0], pair[1]), rng, radiation=1.2 * radiation, slope=30.0 * slope)


def top_pair(
    tops: tuple[Floats, Floats], rng: np.random.Generator, *, radiation: float, slope: float
) -> Hard:
    """Decays t t̄ → b ℓ ν  b q q̄' of given top quarks, with ``radiation`` further jets."""
    n = len(tops[0])
    b_lep, lepton, neutrino = _leptonic_top(tops[0], rng)
    b_had, quarks, flavours = _hadronic_top(tops[1], rng)
    bottom = np.full(n, B)
    hard = [(b_lep, bottom), (b_had, bottom), *zip(quarks, flavours, strict=True)]
    more = _radiation(n, radiation, rng, slope=slope)
    return Hard(n, lepton, _joined(hard, more), neutrino[:, 1:3])


def single_top_tw(n: int, rng: np.random.Generator, *, least: float = 0.0) -> Hard:
    """Associated t W production: one W decays to leptons, the other to quarks."""
    pt, phi = least + rng.gamma(2.2, 45.0, n), rng.uniform(-np.pi, np.pi, n)
    top = four_vector(pt, rng.normal(0, 1.0, n), phi, breit_wigner(TOP, 1.42, n, rng))
    w = four_vector(pt, rng.normal(0, 1.0, n), phi + np.pi, breit_wigner(W, 2.085, n, rng))
    leptonic = rng.random(n) < 0.5
    zero = np.zeros(n)
    b, top_w = two_body_decay(top, (np.full(n, BOTTOM), breit_wigner(W, 2.085, n, rng)), rng)
    to_leptons = np.where(leptonic[:, None], top_w, w)
    lepton, neutrino = _leptonic_w(to_leptons, rng)
    quarks = two_body_decay(np.where(leptonic[:, None], w, top_w), (zero, zero), rng)
    flavours = _w_flavours(n, rng)
    hard = [(b, np.full(n, B)), *zip(quarks, flavours, strict=True)]
    return Hard(n, lepton, _joined(hard, _radiation(n, 1.2, rng)), neutrino[:, 1:3])


def single_top_s(n: int, rng: np.random.Generator) -> Hard:
    """A leptonic top and a b quark back to back (s channel)."""
    return _single_top(n, rng, flavour=B, spread=1.0)


def single_top_t(n: int, rng: np.random.Generator) -> Hard:
    """A leptonic top and a light quark that goes forward (t channel)."""
    return _single_top(n, rng, flavour=LIGHT, spread=2.4)


def wjets(n: int, rng: np.random.Generator) -> Hard:
    """A leptonic W and at least three jets with a falling spectrum."""
    return radiated_wjets(n, rng, least=3, mean=0.9, slope=38.0)


def radiated_wjets(
    n: int,
    rng: np.random.Generator,
    *,
    least: int,
    mean: float,
    slope: float,
    hardest: float = 0.0,
) -> Hard:
    """A leptonic W that recoils against jets: ``least``, and ``mean`` more on average.

    ``slope`` is the mean of their transverse momenta above 20 GeV, and ``hardest`` is added to
    that of the first jet.
    """
    jets = _radiation(n, mean, rng, least=least, slope=slope, heavy=(0.06, 0.12))
    if hardest:
        leading = np.searchsorted(jets.event, np.arange(n))
        jets.p4[leading] *= 1 + hardest / np.hypot(*jets.p4[leading, 1:3].T)[:, None]
    recoil = np.zeros((n, 2))
    np.add.at(recoil, jets.event, -jets.p4[:, 1:3])
    pt, phi = np.hypot(*recoil.T), np.arctan2(recoil[:, 1], recoil[:, 0])
    w = four_vector(pt, rng.normal(0, 1.4, n), phi, breit_wigner(W, 2.085, n, rng))
    lepton, neutrino = _leptonic_w(w, rng)
    return Hard(n, lepton, jets, neutrino[:, 1:3])


def zmumu(n: int, rng: np.random.Generator) -> Hard:
    """Z → μ⁺μ⁻ with a little radiation."""
    return _dimuon(breit_wigner(Z, 2.4955, n, rng, reach=20.0), rng)


def dimuon(n: int, rng: np.random.Generator) -> Hard:
    """Muon pairs of low mass: J/ψ and ϒ(1S, 2S, 3S) over a falling continuum."""
    peaks = [(3.0969, 9.3e-5), (9.4603, 5.4e-5), (10.0233, 3.2e-5), (10.3552, 2.0e-5)]
    shares = [0.18, 0.055, 0.018, 0.011]
    source = rng.choice(len(peaks) + 1, n, p=[*shares, 1 - sum(shares)])
    low, high, power = 0.3, 300.0, 0.8  # falls as m^-(1 + power)
    mass = (low**-power + rng.random(n) * (high**-power - low**-power)) ** (-1 / power)
    for k, (centre, width) in enumerate(peaks):
        mass[source == k] = breit_wigner(centre, width, int(np.sum(source == k)), rng)
    return _dimuon(mass, rng)


PROCESSES: dict[str, Callable[[int, np.random.Generator], Hard]] = {
    "ttbar": ttbar,
    "ttbar_scaleup": partial(ttbar, radiation=0.88, slope=0.97),
    "ttbar_scaledown": partial(ttbar, radiation=1.14, slope=1.03),
    "ttbar_ME_var": partial(ttbar, hardness=1.05),
    "ttbar_PS_var": partial(ttbar, radiation=1.08, slope=1.06),
    "single_top": single_top_tw,
    "single_top_s_chan": single_top_s,
    "single_top_t_chan": single_top_t,
    "single_top_tW": single_top_tw,
    "wjets": wjets,
    "zmumu": zmumu,
    "dimuon": dimuon,
}
"""Generators by name of the process; the systematic variations are of the size that is usual.

Scale variations change the radiation, ME_var (another matrix element) the
transverse momenta of the tops, and PS_var (another parton shower) the jets.
"""


def _single_top(n: int, rng: np.random.Generator, *, flavour: int, spread: float) -> Hard:
    pt, phi = rng.gamma(2.2, 35.0, n), rng.uniform(-np.pi, np.pi, n)
    top = four_vector(pt, rng.normal(0, 1.0, n), phi, breit_wigner(TOP, 1.42, n, rng))
    recoil = four_vector(pt, rng.normal(0, spread, n), phi + np.pi, np.zeros(n))
    b, lepton, neutrino = _leptonic_top(top, rng)
    hard = [(b, np.full(n, B)), (recoil, np.full(n, flavour))]
    return Hard(n, lepton, _joined(hard, _radiation(n, 1.4, rng)), neutrino[:, 1:3])


def _leptonic_top(top: Floats, rng: np.random.Generator) -> tuple[Floats, Particles, Floats]:
    n = len(top)
    b, w = two_body_decay(top, (np.full(n, BOTTOM), breit_wigner(W, 2.085, n, rng)), rng)
    return b, *_leptonic_w(w, rng)


def _hadronic_top(
    top: Floats, rng: np.random.Generator
) -> tuple[Floats, tuple[Floats, Floats], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    n = len(top)
    b, w = two_body_decay(top, (np.full(n, BOTTOM), breit_wigner(W, 2.085, n, rng)), rng)
    return b, two_body_decay(w, (np.zeros(n), np.zeros(n)), rng), _w_flavours(n, rng)


def _leptonic_w(w: Floats, rng: np.random.Generator) -> tuple[Particles, Floats]:
    n = len(w)
    electron = rng.random(n) < 0.5
    mass = np.where(electron, ELECTRON, MUON)
    lepton, neutrino = two_body_decay(w, (mass, np.zeros(n)), rng)
    kind = np.where(electron, 11, 13) * rng.choice([-1, 1], n)
    return Particles(np.arange(n), kind, lepton), neutrino


def _w_flavours(n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """W → c s or u d, half each."""
    return np.where(rng.random(n) < 0.5, CHARM, LIGHT), np.full(n, LIGHT)


def _dimuon(mass: Floats, rng: np.random.Generator) -> Hard:
    n = len(mass)
    pt = rng.gamma(1.6, 4.0 + 0.06 * mass)
    parent = four_vector(pt, rng.normal(0, 1.3, n), rng.uniform(-np.pi, np.pi, n), mass)
    pair = two_body_decay(parent, (np.full(n, MUON), np.full(n, MUON)), rng)
    sign = rng.choice([-1, 1], n)
    sign = np.where(rng.random(n) < 0.02, 0, sign)  # rarely both have one charge
    events = np.arange(n)
    kinds = [np.where(sign == 0, 13, 13 * sign), np.where(sign == 0, 13, -13 * sign)]
    muons = Particles(np.tile(events, 2), np.concatenate(kinds), np.concatenate(pair))
    return Hard(n, muons, _radiation(n, 0.3, rng), np.zeros((n, 2)))


def _radiation(
    n: int,
    mean: float,
    rng: np.random.Generator,
    *,
    least: int = 0,
    slope: float = 30.0,
    heavy: tuple[float, float] = (0.01, 0.03),
) -> Particles:
    """Poisson numbers of jets with an exponential pt spectrum above 20 GeV."""
    number = least + rng.poisson(mean, n)
    event = np.repeat(np.arange(n), number)
    total = len(event)
    pt = 20.0 + rng.exponential(slope, total)
    phi = rng.uniform(-np.pi, np.pi, total)
    p4 = four_vector(pt, rng.normal(0, 1.6, total), phi, np.zeros(total))
    bottom, charm = heavy
    draw = rng.random(total)
    kind = np.where(draw < bottom, B, np.where(draw < bottom + charm, CHARM, LIGHT))
    return Particles(event, kind, p4)


def _joined(hard: list[tuple[Floats, NDArray[np.int64]]], more: Particles) -> Particles:
    events = [np.arange(len(p4)) for p4, _ in hard]
    return Particles(
        np.concatenate([*events, more.event]),
        np.concatenate([*(kind for _, kind in hard), more.kind]),
        np.concatenate([*(p4 for p4, _ in hard), more.p4]),
    )
