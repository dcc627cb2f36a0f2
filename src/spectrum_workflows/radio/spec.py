"""The radio run spec: what to image and how, parsed once into frozen models."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NaiveDatetime, StringConstraints, field_validator, model_validator

from spectrum_workflows.naming import Name
from spectrum_workflows.radio.types import ARCSEC, Hands
from spectrum_workflows.specs import FrozenModel

SMALLEST_SCALE = 3.0
"""Pixels across the smallest extended component that differs from a point."""

Positive = Annotated[float, Field(gt=0)]

NotNegative = Annotated[float, Field(ge=0)]
Word = Annotated[str, StringConstraints(min_length=1)]
Number = Annotated[int, Field(ge=0)]
NumberOrName = Number | Word
"""A row of a subtable, or what stands in its column NAME."""

HANDS = {"linear": ("XX", "YY"), "circular": ("RR", "LL")}
"""Parallel hands of receivers."""

MADE = (".ms", ".zarr", ".uvfits", ".uvh5")
"""How the names of sets end that ``spectrum data make`` writes."""

SELF_CHECK_NPIX = 1024
"""Largest image side for which the self-check is on unless the spec says otherwise."""


class ImageSpec(FrozenModel):
    """Geometry and accuracy of the image: ``npix`` × ``npix`` pixels of ``cell_arcsec``."""

    npix: int = Field(ge=32, le=65536, multiple_of=2)
    """Pixels per side; even."""
    cell_arcsec: Positive
    """Size of a pixel at the phase centre, in arcseconds."""
    epsilon: float = Field(1e-4, ge=1e-12, le=1e-2)
    """Accuracy asked of gridding: rms error relative to the image's."""
    psf: bool = True
    """Whether the point spread function is made, too."""

    @model_validator(mode="after")
    def _above_horizon(self) -> Self:
        if self.npix * self.cell_arcsec * ARCSEC / 2**0.5 >= 1:
            raise ValueError("the image's corners lie beyond the horizon: fewer or smaller pixels")
        return self


Scheme = Literal["natural", "uniform", "briggs"]
"""Imaging weights."""


class WeightingSpec(FrozenModel):
    """Weights with which the visibilities are gridded."""

    scheme: Scheme = "natural"
    """Imaging weights: the visibilities' own, uniform over the uv plane, or Briggs' in between."""
    robust: float = Field(0.0, ge=-5, le=5)
    """Briggs' parameter, from -2 (about uniform) to 2 (about natural); for ``briggs`` only."""
    taper_arcsec: float | None = Field(None, gt=0)
    """Gaussian taper: full width at half maximum, in arcseconds, of the beam that it alone would
    give. It multiplies the weights after ``scheme``, as in WSClean and CASA."""


class VisibilityPartitionSpec(FrozenModel):
    """How finely the data are cut; never depends on the number of workers."""

    max_visibilities: int = Field(10_000_000, gt=0)
    """Most visibilities, rows times channels, of one partition; it never depends on the workers."""


class StripsSpec(FrozenModel):
    """In how many uv strips the image is made; ``"auto"`` follows from image and data."""

    count: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = "auto"
    """Strips of the uv plane in which the image is made; ``"auto"`` follows from image and data."""


class SelectSpec(FrozenModel):
    """The part of the data that is imaged; what is left out chooses everything."""

    channels: tuple[tuple[Number, Number], ...] = ()
    """Ranges of channels in every window, each the first and the one after the last."""
    frequencies_hz: tuple[tuple[Positive, Positive], ...] = ()
    """Ranges of frequency in Hz; a channel belongs where its centre lies."""
    times: tuple[tuple[NaiveDatetime, NaiveDatetime], ...] = ()
    """Ranges of time, each from (included) and to (not included) a date and time in the set's own
    time scale, which is nearly always UTC: ``[["2024-05-01T10:00:00", "2024-05-01T10:30:00"]]``."""
    scans: tuple[Number, ...] = ()
    """Numbers of scans."""
    antennas: tuple[NumberOrName, ...] = ()
    """Numbers or names of antennas: baselines between two of them are imaged."""
    without_antennas: tuple[NumberOrName, ...] = ()
    """Numbers or names of antennas whose baselines are not imaged."""
    baselines: tuple[tuple[NumberOrName, NumberOrName], ...] = ()
    """Pairs of antennas, by numbers or names, in either order: no other baselines are imaged."""
    uv_m: tuple[NotNegative, NotNegative] | None = None
    """Shortest (included) and longest (not included) projected baseline in metres."""
    uv_wavelengths: tuple[NotNegative, NotNegative] | None = None
    """The same in wavelengths: it leaves out other rows in every channel."""

    @field_validator("times", mode="before")
    @classmethod
    def _are_dates(cls, ranges: Any) -> Any:
        """A number would be taken for seconds since 1970, which no table of a set counts."""
        pairs = ranges if isinstance(ranges, list | tuple) else ()
        ends = [end for pair in pairs if isinstance(pair, list | tuple) for end in pair]
        if any(isinstance(end, int | float) or str(end).strip().isdecimal() for end in ends):
            raise ValueError('a time is a date in UTC, such as "2014-06-10T12:00:00", no number')
        return ranges

    @field_validator("channels", "frequencies_hz", "times")
    @classmethod
    def _all_rise(cls, ranges: tuple[tuple[Any, Any], ...]) -> tuple[tuple[Any, Any], ...]:
        for start, stop in ranges:
            if not start < stop:
                raise ValueError(f"a range ends where it begins, or before: {start} to {stop}")
        return ranges

    @field_validator("uv_m", "uv_wavelengths")
    @classmethod
    def _rises(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends is not None and not ends[0] < ends[1]:
            raise ValueError(f"the range ends where it begins, or before: {ends[0]} to {ends[1]}")
        return ends


class CleanSpec(FrozenModel):
    """Cotton–Schwab CLEAN."""

    iterations: int = Field(50_000, gt=0)
    """Most components."""
    gain: float = Field(0.1, gt=0, le=1)
    """Part of the peak that one component takes."""
    mgain: float = Field(0.8, gt=0, lt=1)
    """Part of the peak by which one major cycle lowers the residual."""
    threshold: float | None = Field(None, gt=0)
    """Stop where the residual's peak is below it, in Jy per beam."""
    sigma: float | None = Field(None, gt=0)
    """Stop where the residual's peak is below so many times its rms."""
    max_major: int = Field(20, gt=0)
    """Most major cycles."""
    scales: Literal["auto"] | tuple[Positive, ...] = ()
    """Diameters of extended components, rising, in arcseconds, beside points: multi-scale CLEAN.
    ``"auto"`` is four beams and its doubles up to a quarter of the image; none if left out."""
    scale_bias: float | None = Field(None, gt=0, le=1)
    """How much less the residual's peak at a scale counts than at one half as wide (WSClean: 0.6).
    If left out, every scale's peak counts by its noise, so that ``sigma`` means the same in all."""
    mask: str | None = None
    """FITS image of the same pixels, beside the data set or at a URL: components lie where it is
    not 0. Everywhere if left out."""
    auto_mask: float | None = Field(None, gt=0)
    """Clean to so many times the rms everywhere, then to ``sigma`` or ``threshold`` only on the
    pixels, and at the scales, where components have been found, and for smaller ones in the middle
    of extended ones. What extended sources want."""
    local_rms: float | None = Field(None, ge=5)
    """Side, in beams, of squares whose own rms peaks are compared with, by ``sigma`` and without
    ``threshold``; that of the whole image if left out."""
    accuracy: Literal["full", "as needed"] = "full"
    """Accuracy of gridding in major cycles: ``epsilon``, or, except in the last one, what the next
    minor cycle needs; minor cycles then go to 0.9 of the threshold. Those of points alone also look
    again at pixels around their components, and go there where they would end below twice that."""

    @model_validator(mode="before")
    @classmethod
    def _without_residual(cls, table: Any) -> Any:
        """The residual comes from the data always; earlier specs could say otherwise."""
        if not isinstance(table, dict) or "residual" not in table:
            return table
        if table["residual"] != "exact":
            message = (
                'residual = "psf" is gone, as it did not end where sources are extended: remove '
                'the line; accuracy = "as needed" makes major cycles cheaper'
            )
            raise ValueError(message)
        return {key: value for key, value in table.items() if key != "residual"}

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if isinstance(self.scales, tuple) and any(a >= b for a, b in pairwise(self.scales)):
            raise ValueError("scales must rise")
        if self.scale_bias is not None and not self.scales:
            raise ValueError("scale_bias is between scales, and there are none: give scales too")
        if self.auto_mask is not None and not (self.sigma or self.threshold):
            raise ValueError("auto_mask needs the depth to go on to: sigma or threshold")
        if self.auto_mask is not None and self.sigma and self.sigma >= self.auto_mask:
            raise ValueError("auto_mask must exceed sigma, to which CLEAN goes on within it")
        if self.local_rms is not None and self.sigma is None:
            raise ValueError("local_rms needs sigma: a threshold in units of the rms")
        if self.local_rms is not None and self.threshold is not None:
            raise ValueError("local_rms compares peaks with the noise around them: no threshold")
        return self


class RestoreSpec(FrozenModel):
    """A restoring beam to use instead of the one fitted to the PSF."""

    bmaj_arcsec: Positive
    """Full width at half maximum along the major axis, in arcseconds."""
    bmin_arcsec: Positive
    """The same along the minor axis."""
    bpa_deg: float = Field(0.0, ge=-360, le=360)
    """Position angle of the major axis, in degrees from north through east."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.bmin_arcsec > self.bmaj_arcsec:
            raise ValueError("bmin_arcsec must not exceed bmaj_arcsec")
        return self


class PrimaryBeamSpec(FrozenModel):
    """The primary beam of dishes, and the image divided by it; not for Stokes Q, U and V."""

    cut: float = Field(0.2, ge=0.05, lt=1)
    """Where the beam is below it, the corrected image is not a number."""
    model: Literal["table", "katbeam", "airy"] = "table"
    """The telescope's own, where there is a table of it, else the Airy pattern of its dishes;
    the library katbeam's, for MeerKAT; or the Airy pattern always."""
    diameter_m: float | None = Field(None, gt=0)
    """Effective diameter of an Airy pattern, in metres; that of the set's dishes if left out."""


class SourcesSpec(FrozenModel):
    """A list of the sources in the image."""

    finder: Literal["photutils", "bdsf"] = "photutils"
    """The library that finds them, which has to be installed."""
    sigma: float = Field(5.0, gt=0)
    """Times the rms of the residual that a pixel of a source has at least."""


class ProductsSpec(FrozenModel):
    """What is saved besides the images, and as what."""

    pixels: Literal["float64", "float32"] = "float64"
    """Numbers of the saved images. With ``float32`` the result is rounded, so that the files hold
    all of it."""
    zarr: bool = False
    """Whether all images are written as one Zarr dataset, too, in xradio's image schema."""
    plots: bool = False
    """Whether the uv coverage and a histogram of the residual are drawn, too. The coverage is that
    of the visibilities of the self-check, which is then made."""
    primary_beam: PrimaryBeamSpec | None = None
    """Images of the primary beam and of the sky divided by it."""
    sources: SourcesSpec | None = None
    """A list of sources."""


class SourceSpec(FrozenModel):
    """One simulated source: a point, a Gaussian, or a ring."""

    name: str
    """In the list of sources that is written beside the set."""
    flux_jy: Positive
    """Flux density, in Jy."""
    east_arcsec: float
    """Direction cosine from the phase centre to the east, expressed in arcseconds."""
    north_arcsec: float
    """The same to the north."""
    fwhm_arcsec: float | None = Field(None, gt=0)
    """Full width at half maximum of a Gaussian, in arcseconds; a point if left out."""
    ring_arcsec: tuple[NotNegative, Positive] | None = None
    """Inner and outer diameter of a ring of constant brightness, in arcseconds: both the same for
    a thin one, and 0 inside for a disk."""

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if self.ring_arcsec and self.fwhm_arcsec:
            raise ValueError("a source is a Gaussian (fwhm_arcsec) or a ring (ring_arcsec)")
        if self.ring_arcsec and self.ring_arcsec[0] > self.ring_arcsec[1]:
            raise ValueError("ring_arcsec is the inner and then the outer diameter")
        return self


class SimulatedWindowSpec(FrozenModel):
    """One simulated spectral window."""

    frequency_hz: Positive
    """Of the first channel's centre, in Hz."""
    channel_width_hz: float | None = Field(None, gt=0)
    """Of a channel, in Hz; that of ``synthetic`` if left out."""
    channels: int | None = Field(None, gt=0)
    """Number of channels; that of ``synthetic`` if left out."""


class SimulatedFieldSpec(FrozenModel):
    """One simulated field: a phase centre and a sky of its own."""

    name: Word
    """In the set, and in the list of sources."""
    right_ascension_deg: float = Field(ge=0, lt=360)
    """Of the phase centre, in degrees."""
    declination_deg: float = Field(ge=-90, le=90)
    """Of the phase centre, in degrees."""
    point_sources: int = Field(0, ge=0)
    """Points scattered over the field besides the listed sources."""
    sources: tuple[SourceSpec, ...] = ()
    """Listed sources, of which no other field sees anything."""


class SimulationSpec(FrozenModel):
    """A simulated observation, written by ``spectrum data make``."""

    telescope: Literal["vla-a", "vla-b", "vla-c", "vla-d", "meerkat"] = "vla-c"
    """Where its antennas stand."""
    seed: int = Field(1, ge=0)
    """Of the random numbers; the same seed gives the same set."""
    right_ascension_deg: float = Field(180.0, ge=0, lt=360)
    """Of the phase centre, in degrees."""
    declination_deg: float = Field(45.0, ge=-90, le=90)
    """Of the phase centre, in degrees."""
    hour_angles: tuple[float, float] = (-2.0, 2.0)
    """When the observation begins and ends, in hours from the meridian (of the first field)."""
    frequency_hz: Positive = 1.4e9
    """Of the first channel's centre, in Hz, where there are no ``windows``."""
    channel_width_hz: Positive = 4e6
    """Of a channel, in Hz."""
    channels: int = Field(16, gt=0)
    """Number of channels."""
    windows: tuple[SimulatedWindowSpec, ...] = ()
    """Several spectral windows, in place of the one at ``frequency_hz``."""
    visibilities: int = Field(500_000, gt=0)
    """About how many, baselines times times times channels."""
    feeds: Literal["linear", "circular"] = "linear"
    """Hands of the receivers."""
    hands: Literal["both", "XX", "YY", "RR", "LL"] = "both"
    """Parallel hands that are recorded: both, or one of those that ``feeds`` gives."""
    sefd_jy: float = Field(400.0, ge=0)
    """System equivalent flux density of an antenna, in Jy; 0 for no noise."""
    point_sources: int = Field(0, ge=0)
    """Points scattered over the field besides the listed sources."""
    flux_jy: tuple[Positive, Positive] = (0.005, 0.2)
    """Least and largest flux of these points, in Jy, between which they follow a power law."""
    sources: tuple[SourceSpec, ...] = ()
    """Listed sources."""
    fields: tuple[SimulatedFieldSpec, ...] = ()
    """Several fields, each with its phase centre and sky, in place of the one above."""
    turns: int = Field(1, gt=0)
    """How often each of several fields is observed: one after the other, then from the first."""
    format: Literal["ms", "zarr", "uvfits", "uvh5"] = "ms"
    """Format of the set, which is the suffix of its name, too."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not -12 <= self.hour_angles[0] < self.hour_angles[1] <= 12:
            raise ValueError("hour_angles must rise and lie between -12 and 12")
        if self.flux_jy[0] >= self.flux_jy[1]:
            raise ValueError("flux_jy must rise")
        if self.hands != "both" and self.hands not in HANDS[self.feeds]:
            listed = " and ".join(HANDS[self.feeds])
            raise ValueError(f"hands: {self.feeds} feeds have {listed}")
        if self.fields and (self.sources or self.point_sources):
            raise ValueError("with fields, the sources of each stand in it, and none beside them")
        names = [field.name for field in self.fields]
        if len(set(names)) < len(names):
            raise ValueError("fields must have different names")
        if self.turns > 1 and len(self.fields) < 2:
            raise ValueError("turns are taken by several fields")
        if self.format == "uvfits" and len({w.channels or self.channels for w in self.windows}) > 1:
            raise ValueError("windows of UVFITS have equal numbers of channels: use another format")
        return self


class RadioSpec(FrozenModel):
    """An image from one data set, or one of each of its fields."""

    workflow: Literal["radio"] = "radio"
    """Which science this spec is of."""
    name: Name
    """Of the run: its folder below the results root begins with it."""
    data_set: str = Field(min_length=1)
    """The set below the data root. Without suffix the spec stays the same for other forms of the
    data: ``NAME.zarr``, else ``NAME.ms``, else ``NAME`` itself, whatever it ends in.
    ``catalogue:NAME`` is an entry of the catalogue."""
    column: Word = "DATA"
    """Visibilities to image: ``DATA``, ``CORRECTED_DATA`` or any other data column of the set."""
    field: Literal["all"] | NumberOrName | tuple[NumberOrName, ...] | None = None
    """Row number of the FIELD table, or name of the field; may be left out where the set has one
    field. Several in a list, or ``"all"``, become an image each, of one run, with files in a
    folder of the field's name."""
    spectral_window: Literal["all"] | NumberOrName | tuple[NumberOrName, ...] | None = None
    """Row number of the SPECTRAL_WINDOW table or name of the window; several in a list, or
    ``"all"``, are imaged together. May be left out where the set has one."""
    data_description: Number | None = None
    """Row number of the DATA_DESCRIPTION table (spectral window and polarisation), in place of
    ``spectral_window``."""
    hands: Hands = "both"
    """Parallel hands that Stokes I is made of: ``"both"``, each needing the other;
    ``"either"``, one where the other is flagged or missing; or one, such as ``"XX"``. All but
    the first make a pseudo-I, which is Stokes I where nothing is polarised."""
    select: SelectSpec = SelectSpec()
    """Channels, times, scans, antennas, baselines and uv range that are imaged."""
    image: ImageSpec
    """Geometry and accuracy of the image."""
    weighting: WeightingSpec = WeightingSpec()
    """Imaging weights."""
    partition: VisibilityPartitionSpec = VisibilityPartitionSpec()
    """How the data are cut into partitions."""
    strips: StripsSpec = StripsSpec()
    """How the image is cut into strips of the uv plane."""
    clean: CleanSpec | None = None
    """Deconvolution; the image stays dirty without it."""
    restore: RestoreSpec | None = None
    """A restoring beam instead of the fitted one."""
    products: ProductsSpec = ProductsSpec()
    """Primary beam, list of sources, Zarr dataset, more pictures, and the numbers in the files."""
    self_check: bool | None = None
    """Whether gridding is compared with a direct Fourier sum; if left out, up to 1024 pixels per
    side, and wherever strips are used."""
    synthetic: SimulationSpec | None = None
    """What ``spectrum data make`` simulates, if the data can be simulated."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.synthetic and self.data_set.rstrip("/").endswith(MADE):
            message = f"it is a .{self.synthetic.format}"
            raise ValueError(f"write the data_set of [synthetic] without its suffix: {message}")
        if self.spectral_window is not None and self.data_description is not None:
            raise ValueError("give spectral_window or data_description, not both")
        if self.clean and not self.image.psf:
            raise ValueError("[clean] needs the PSF: set image.psf = true")
        if self.clean and isinstance(self.clean.scales, tuple) and self.clean.scales:
            cell, half = self.image.cell_arcsec, self.image.npix / 2
            if self.clean.scales[0] < SMALLEST_SCALE * cell or self.clean.scales[-1] > half * cell:
                message = "clean.scales are diameters: at least 3 pixels, at most half the image"
                raise ValueError(message)
        if self.restore and not self.clean:
            raise ValueError("[restore] needs a model to restore: add a [clean] table")
        return self

    @property
    def checks_itself(self) -> bool:
        """Whether the run compares its gridding with a direct Fourier sum."""
        if self.self_check is None:
            return self.image.npix <= SELF_CHECK_NPIX
        return self.self_check
