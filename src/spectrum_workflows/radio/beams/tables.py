"""The primary beams of telescopes, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spectrum_workflows.errors import DataError, MissingExtraError
from spectrum_workflows.radio.beams.dish import (
    ARCMIN,
    Airy,
    CosineTaper,
    Polynomial,
    PrimaryBeam,
    main_lobe,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Observation

Model = Literal["table", "katbeam", "airy"]

VLA = (
    (0.15e9, 1.1e9, "VLA P band (AIPS PBCOR)", (-0.935e-3, 3.23e-7, -0.378e-10)),
    (1.1e9, 2e9, "VLA L band (AIPS PBCOR)", (-1.343e-3, 6.579e-7, -1.186e-10)),
    (2e9, 6e9, "VLA C band (AIPS PBCOR)", (-1.372e-3, 6.940e-7, -1.309e-10)),
    (6e9, 10e9, "VLA X band (AIPS PBCOR)", (-1.306e-3, 6.253e-7, -1.100e-10)),
    (10e9, 18e9, "VLA U band (AIPS PBCOR)", (-1.305e-3, 6.155e-7, -1.030e-10)),
    (18e9, 30e9, "VLA K band (AIPS PBCOR)", (-1.417e-3, 7.332e-7, -1.352e-10)),
    (30e9, 50e9, "VLA Q band (AIPS PBCOR)", (-1.321e-3, 6.185e-7, -0.983e-10)),
)
"""Lowest and highest frequency (Hz), name and coefficients: those of AIPS' task PBCOR, which
were measured with the receivers of before 2010.  Those of today differ by some per cent of the
peak where the beam is half (Perley 2016, EVLA memo 195)."""

GMRT = (
    (250e6, 500e6, "uGMRT band 3 (NCRA 2018)", (-2.939e-3, 33.312e-7, -16.659e-10, 3.066e-13)),
    (550e6, 850e6, "uGMRT band 4 (NCRA 2018)", (-3.190e-3, 38.642e-7, -20.471e-10, 3.964e-13)),
    (1e9, 1.46e9, "uGMRT band 5 (NCRA 2018)", (-2.608e-3, 27.357e-7, -13.091e-10, 2.368e-13)),
)
"""The same of the upgraded GMRT (NCRA's memo on its primary beam shape, December 2018)."""

MEERKAT = CosineTaper("57.5 arcmin at 1.5 GHz (Mauch et al. 2020)", 57.5 * ARCMIN * 1.5e9)
"""Mauch et al. 2020, ApJ 888, 61, equations 3 and 4."""

ALMA = {12.0: Airy(10.7, 0.75), 7.0: Airy(6.25, 0.75)}
"""By the diameter of the dishes, m; what CASA takes, which fits the measured main lobe."""

POLYNOMIALS = {"VLA": VLA, "EVLA": VLA, "GMRT": GMRT, "UGMRT": GMRT}

NO_DISHES = ("LOFAR", "MWA", "OVRO-LWA", "OVRO_LWA", "LWA", "NENUFAR", "SKA-LOW", "AARTFAAC")
"""Telescopes of fixed antennas, whose beams go with the direction and the time."""

ALIKE = 0.01
"""Dishes whose diameters differ by less, relative to them, are the same."""

KATBEAMS = (("MKAT-AA-L-JIM-2020", 856e6, 1712e6), ("MKAT-AA-UHF-JIM-2020", 544e6, 1088e6))
"""Models of katbeam, and the frequencies that their receivers take, Hz."""

AZIMUTHS = 16
"""Directions over which a beam that is not round is averaged: it turns on the sky."""


def beam_of(
    observation: Observation, model: Model = "table", diameter: float | None = None
) -> PrimaryBeam:
    """The primary beam of the dishes of an observation.

    Parameters
    ----------
    observation : Observation
    model : {"table", "katbeam", "airy"}
        The telescope's own, where the tables here have it, else the Airy pattern of its dishes;
        the library katbeam's for MeerKAT; the Airy pattern always.
    diameter : float, optional
        Of an Airy pattern, m, instead of the dishes' own.

    Raises
    ------
    DataError
        The telescope has no dishes, they differ, or the set does not give their diameter.
    MissingExtraError
        katbeam is not installed.
    """
    name = observation.telescope.strip().upper()
    if name in NO_DISHES:
        message = f"no primary beam is known for {observation.telescope}, which has no dishes"
        raise DataError(message, observation.url, "leave out [products.primary_beam]")
    if diameter is not None:
        return Airy(diameter)
    if model == "katbeam":
        return katbeam_of(observation)
    known = _tabled(name, observation) if model == "table" else None
    return known if known is not None else Airy(dish_of(observation))


def dish_of(observation: Observation) -> float:
    """The diameter that all dishes have, m.

    Raises
    ------
    DataError
        They differ, or there is none.
    """
    sizes = observation.antennas.diameter
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    remedy = "give products.primary_beam.diameter_m"
    if not len(sizes):
        raise DataError("the set does not say how large its dishes are", observation.url, remedy)
    if np.ptp(sizes) > ALIKE * sizes.max():
        message = f"its dishes are {sizes.min():g} to {sizes.max():g} m wide"
        raise DataError(message, observation.url, remedy)
    return float(sizes.mean())


def _tabled(name: str, observation: Observation) -> PrimaryBeam | None:
    """What the tables have for a telescope; ``None`` where they have nothing."""
    middle = float((observation.frequency.min() + observation.frequency.max()) / 2)
    for low, high, label, coefficients in POLYNOMIALS.get(name, ()):
        if low <= middle < high:
            return Polynomial(label, coefficients)
    if name == "MEERKAT":
        return MEERKAT
    if name in ("ALMA", "ACA"):
        size = dish_of(observation)
        return next((b for d, b in ALMA.items() if abs(d - size) < ALIKE * d), None)
    return None


@dataclass(frozen=True)
class Katbeam:
    """A model of katbeam for Stokes I, averaged over position angles: the dishes turn."""

    model: Any
    name: str

    @property
    def words(self) -> str:
        """What it is, for the header of an image."""
        return f"katbeam, {self.name}, averaged in angle"

    def power(self, angle: NDArray[np.float64], hertz: float) -> NDArray[np.float64]:
        """The pattern at rising distances from the axis (rad), at one frequency."""
        degrees, turn = np.degrees(angle), 2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS
        x, y = np.outer(np.cos(turn), degrees), np.outer(np.sin(turn), degrees)
        seen = np.asarray(self.model.I(x, y, hertz / 1e6)).reshape(x.shape)
        mean: NDArray[np.float64] = seen.mean(axis=0) / float(seen[:, 0].mean())
        return main_lobe(mean, mean)


def katbeam_of(observation: Observation) -> Katbeam:
    """The model of the library katbeam that has the frequencies of an observation.

    Raises
    ------
    DataError
        It has none.
    MissingExtraError
        katbeam is not installed.
    """
    try:
        from katbeam import JimBeam
    except ImportError as error:
        remedy = "pip install 'spectrum-workflows[beams]', or model = \"table\""
        raise MissingExtraError("this primary beam needs katbeam", remedy=remedy) from error
    low, high = float(observation.frequency.min()), float(observation.frequency.max())
    for name, first, last in KATBEAMS:
        if observation.telescope.upper() == "MEERKAT" and first <= low and high <= last:
            return Katbeam(JimBeam(name), name)
    message = (
        f"katbeam has no model for {observation.telescope or 'an unknown telescope'} at "
        f"{low / 1e6:g} to {high / 1e6:g} MHz"
    )
    raise DataError(message, observation.url, 'choose model = "table" or "airy"')
