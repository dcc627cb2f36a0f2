"""Where CLEAN stands between a minor cycle and the major cycle that follows, without images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectrum_workflows.radio.deconvolution.components import Components
    from spectrum_workflows.radio.types import Stop


@dataclass(frozen=True)
class Level:
    """A level to go down to, Jy/beam, and what reaching it is called."""

    threshold: float
    stop: Stop


@dataclass(frozen=True)
class Found:
    """A model and how CLEAN came to it.

    Attributes
    ----------
    model : Components
    stop : Stop
    major, iterations : int
    threshold : float
        Jy/beam.
    peak : float
        Of the residual that it was found in, see `ResidualImage.peak`.
    """

    model: Components
    stop: Stop
    major: int
    iterations: int
    threshold: float
    peak: float = math.nan


@dataclass(frozen=True)
class Cycle:
    """CLEAN after a minor cycle: its residual images follow from the models and the data.

    Attributes
    ----------
    after, before : Found
        What it has found, and what it had found before the minor cycle.
    accuracy : float
        By how much less accurate the residual of ``after`` may be, see `Imager.residual`.
    rough : bool
        Whether that of ``before`` was less accurate than the spec asks for.
    allowed : float
        Peak above which CLEAN diverges, Jy/beam.
    held : Level or None
        Where the minor cycle went down to it.
    mask : Components or None
        The automatic mask, once there is one.
    """

    after: Found
    before: Found
    accuracy: float
    rough: bool
    allowed: float
    held: Level | None
    mask: Components | None = None
