"""Hard processes of large mass, and mixtures of processes as data are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.hep.synthetic.kinematics import (
    Floats,
    breit_wigner,
    four_vector,
    two_body_decay,
)
from spectrum_workflows.hep.synthetic.processes import (
    PROCESSES,
    TOP,
    Hard,
    Particles,
    radiated_wjets,
    single_top_tw,
    top_pair,
)

Process = Callable[[int, np.random.Generator], Hard]

THRESHOLD, POWER = 700.0, 4.2
"""Least mass of pairs in GeV, and how steeply their number above a mass falls with it."""

WIDTH = 0.01
"""Of a resonance, relative to its mass."""

RESONANCE = re.compile(r"zprime_M(\d+)")
"""Name of the resonance with its mass in GeV."""


def heavy_ttbar(n: int, rng: np.random.Generator) -> Hard:
    """Semileptonic top pairs of more than 700 GeV; their number falls as a power of the mass."""
    mass = THRESHOLD * (1 - rng.random(n)) ** (-1 / POWER)
    return _pairs(n, mass, rng, spread=0.6)


def zprime(n: int, rng: np.random.Generator, *, mass: float) -> Hard:
    """A narrow heavy resonance that decays to a semileptonic top pair, isotropically."""
    masses = np.maximum(breit_wigner(mass, WIDTH * mass, n, rng), 2.2 * TOP)
    return _pairs(n, masses, rng, spread=0.45)


def hard_single_top(n: int, rng: np.random.Generator) -> Hard:
    """Associated t W production at large transverse momentum."""
    return single_top_tw(n, rng, least=180.0)


def hard_wjets(n: int, rng: np.random.Generator) -> Hard:
    """A leptonic W that recoils against two hard jets or more."""
    return radiated_wjets(n, rng, least=2, mean=1.2, slope=130.0, hardest=150.0)


HEAVY: dict[str, Process] = {
    "ttbar_M700": heavy_ttbar,
    "single_top_hard": hard_single_top,
    "wjets_hard": hard_wjets,
}
"""Generators of large masses and momenta by name, besides the resonances ``zprime_M2000``."""


def process_of(name: str) -> Process:
    """The process of a name, a resonance of the mass in its name, or a mixture.

    A mixture is ``"0.6 ttbar + 0.4 wjets"``: shares that add up to 1.

    Raises
    ------
    KeyError
        There is none of that name.
    """
    if " " in name:
        words = (term.split() for term in name.split(" + "))
        return partial(mixture, shares={process: float(share) for share, process in words})
    if match := RESONANCE.fullmatch(name):
        return partial(zprime, mass=float(match[1]))
    return {**PROCESSES, **HEAVY}[name]


def names() -> list[str]:
    """What can be generated."""
    return [*PROCESSES, *HEAVY, "zprime_M2000"]


def mixture(n: int, rng: np.random.Generator, *, shares: Mapping[str, float]) -> Hard:
    """Events of several processes in an order without meaning, as data are."""
    counts = rng.multinomial(n, [*shares.values()])
    parts = [process_of(p)(int(k), rng) for p, k in zip(shares, counts, strict=True) if k]
    first = np.cumsum([0, *(part.n for part in parts)])
    place = rng.permutation(n)
    missing = np.empty((n, 2))
    missing[place] = np.concatenate([part.missing for part in parts]) if parts else 0.0
    places = [place[start : start + part.n] for start, part in zip(first, parts, strict=False)]
    leptons = _together([part.leptons for part in parts], places)
    partons = _together([part.partons for part in parts], places)
    return Hard(n, leptons, partons, missing)


def _together(parts: list[Particles], places: list[NDArray[np.int64]]) -> Particles:
    """Particles of parts, whose events have new places."""
    if not parts:
        return Particles(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)))
    return Particles(
        np.concatenate([place[some.event] for some, place in zip(parts, places, strict=True)]),
        np.concatenate([some.kind for some in parts]),
        np.concatenate([some.p4 for some in parts]),
    )


def _pairs(n: int, mass: Floats, rng: np.random.Generator, *, spread: float) -> Hard:
    """Top pairs of these masses."""
    pt, phi = rng.gamma(1.4, 30.0, n), rng.uniform(-np.pi, np.pi, n)
    parent = four_vector(pt, rng.normal(0.0, spread, n), phi, mass)
    tops = (breit_wigner(TOP, 1.42, n, rng), breit_wigner(TOP, 1.42, n, rng))
    return top_pair(two_body_decay(parent, tops, rng), rng, radiation=1.5, slope=45.0)
