"""The radio run spec: what to image and how, parsed once into frozen models."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spectrum_workflows.radio.types import ARCSEC
from spectrum_workflows.specs import FrozenModel

Positive = Annotated[float, Field(gt=0)]

SELF_CHECK_NPIX = 1024
"""Largest image side for which the self-check is on unless the spec says otherwise."""


class ImageSpec(FrozenModel):
    """Geometry and accuracy of the image: ``npix`` × ``npix`` pixels of ``cell_arcsec``."""

    npix: int = Field(ge=32, le=65536, multiple_of=2)
    cell_arcsec: Positive
    epsilon: float = Field(1e-4, ge=1e-12, le=1e-2)
    psf: bool = True

    @model_validator(mode="after")
    def _above_horizon(self) -> Self:
        if self.npix * self.cell_arcsec * ARCSEC / 2**0.5 >= 1:
            raise ValueError("the image's corners lie beyond the horizon: fewer or smaller pixels")
        return self


class WeightingSpec(FrozenModel):
    """Imaging weights; ``robust`` is Briggs' parameter and used by ``briggs`` only."""

    scheme: Literal["natural", "uniform", "briggs"] = "natural"
    robust: float = Field(0.0, ge=-5, le=5)


class PartitionSpec(FrozenModel):
    """How finely the data are cut; never depends on the number of workers."""

    max_visibilities: int = Field(10_000_000, gt=0)


class StripsSpec(FrozenModel):
    """In how many uv strips the image is made; ``"auto"`` follows from image and data."""

    count: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = "auto"


class CleanSpec(FrozenModel):
    """Cotton–Schwab CLEAN; thresholds in Jy (``threshold``) and in image rms (``sigma``).

    ``residual`` says how the residual between major cycles is found: from the
    data, or, at no pass over them, from the PSF; the last one is always exact.
    """

    iterations: int = Field(50_000, gt=0)
    gain: float = Field(0.1, gt=0, le=1)
    mgain: float = Field(0.8, gt=0, lt=1)
    threshold: float | None = Field(None, gt=0)
    sigma: float | None = Field(None, gt=0)
    max_major: int = Field(20, gt=0)
    residual: Literal["exact", "psf"] = "exact"


class RestoreSpec(FrozenModel):
    """A restoring beam to use instead of the one fitted to the PSF."""

    bmaj_arcsec: Positive
    bmin_arcsec: Positive
    bpa_deg: float = 0.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.bmin_arcsec > self.bmaj_arcsec:
            raise ValueError("bmin_arcsec must not exceed bmaj_arcsec")
        return self


class SourceSpec(FrozenModel):
    """One simulated source: a point, or a Gaussian where ``fwhm_arcsec`` is given.

    ``east_arcsec`` and ``north_arcsec`` are direction cosines from the phase
    centre, expressed in arcseconds.
    """

    name: str
    flux_jy: Positive
    east_arcsec: float
    north_arcsec: float
    fwhm_arcsec: float | None = Field(None, gt=0)


class SyntheticSpec(FrozenModel):
    """A simulated observation, written as a Measurement Set by ``spectrum data make``.

    ``point_sources`` sources with power-law fluxes between ``flux_jy``'s ends
    are scattered over the field besides the ``sources`` that are listed.
    """

    telescope: Literal["vla-a", "vla-b", "vla-c", "vla-d", "meerkat"] = "vla-c"
    seed: int = Field(1, ge=0)
    right_ascension_deg: float = Field(180.0, ge=0, lt=360)
    declination_deg: float = Field(45.0, ge=-90, le=90)
    hour_angles: tuple[float, float] = (-2.0, 2.0)
    frequency_hz: Positive = 1.4e9
    channel_width_hz: Positive = 4e6
    channels: int = Field(16, gt=0)
    visibilities: int = Field(500_000, gt=0)
    feeds: Literal["linear", "circular"] = "linear"
    sefd_jy: float = Field(400.0, ge=0)
    point_sources: int = Field(0, ge=0)
    flux_jy: tuple[Positive, Positive] = (0.005, 0.2)
    sources: tuple[SourceSpec, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not -12 <= self.hour_angles[0] < self.hour_angles[1] <= 12:
            raise ValueError("hour_angles must rise and lie between -12 and 12")
        if self.flux_jy[0] >= self.flux_jy[1]:
            raise ValueError("flux_jy must rise")
        return self


class RadioSpec(FrozenModel):
    """One image from one data set.

    ``data_set`` has no suffix, so that the spec stays the same for other
    forms of the data: the reader takes ``NAME.zarr`` below the data root, else ``NAME.ms``.
    ``catalogue:NAME`` is the set of an entry of the catalogue, read below the
    data root where it was fetched, else, in Zarr form, from a replica.
    ``field`` and ``data_description`` are row numbers of the Measurement Set's
    subtables and may be left out where the set has only one of them.
    """

    workflow: Literal["radio"] = "radio"
    name: str = Field(pattern=r"^[^/\s]+$")
    data_set: str = Field(min_length=1)
    column: Literal["DATA", "CORRECTED_DATA"] = "DATA"
    field: int | None = Field(None, ge=0)
    data_description: int | None = Field(None, ge=0)
    image: ImageSpec
    weighting: WeightingSpec = WeightingSpec()
    partition: PartitionSpec = PartitionSpec()
    strips: StripsSpec = StripsSpec()
    clean: CleanSpec | None = None
    restore: RestoreSpec | None = None
    self_check: bool | None = None
    synthetic: SyntheticSpec | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.data_set.rstrip("/").endswith((".ms", ".zarr")):
            raise ValueError("write data_set without its suffix: .zarr or .ms is found by itself")
        if self.clean and not self.image.psf:
            raise ValueError("[clean] needs the PSF: set image.psf = true")
        if self.restore and not self.clean:
            raise ValueError("[restore] needs a model to restore: add a [clean] table")
        return self

    @property
    def checks_itself(self) -> bool:
        """Whether the run compares its gridding with a direct Fourier sum."""
        if self.self_check is None:
            return self.image.npix <= SELF_CHECK_NPIX
        return self.self_check
