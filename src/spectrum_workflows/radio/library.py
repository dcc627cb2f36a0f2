"""Imaging for anybody's pipeline: functions of visibilities and images in memory.

No spec, file or site: each takes an xarray dataset with MSv4's names (`radio.open`,
`radio.visibilities`, xradio's own) and calls the kernels that the workflow calls.
Images are arrays with the dimensions m and l; where one is taken, a plain array in the
same orientation (rows Dec going up, columns RA going down) will do, with its ``cell``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spectrum_workflows.engine import Run, one_thread
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio import gridding, workflow
from spectrum_workflows.radio.deconvolution import components, cotton_schwab
from spectrum_workflows.radio.deconvolution.restoration import restored
from spectrum_workflows.radio.deconvolution.search import search_for
from spectrum_workflows.radio.imaging import beam as beams
from spectrum_workflows.radio.imaging import chunk_tasks as tasks
from spectrum_workflows.radio.imaging import gate
from spectrum_workflows.radio.imaging.imager import Outputs, Sums, loosened, normalised
from spectrum_workflows.radio.imaging.residual import LocalResidual, local_residual
from spectrum_workflows.radio.plan.planning import PlaneGroup, geometry_of
from spectrum_workflows.radio.read.dataset import HERE, observation_of, stokes_i_of
from spectrum_workflows.radio.read.mask import mask_of
from spectrum_workflows.radio.spec import RadioSpec, Scheme
from spectrum_workflows.radio.types import (
    ARCSEC,
    Beam,
    Chunk,
    Geometry,
    GroupImages,
    ImagingPartition,
    ImagingResult,
    Plane,
    Visibilities,
)
from spectrum_workflows.radio.weights import Weighting, prepared
from spectrum_workflows.radio.write.dataset import dataset_of, image_array
from spectrum_workflows.specs import parse

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import NDArray

    from spectrum_workflows.radio.deconvolution import Components
    from spectrum_workflows.radio.deconvolution.masks import PixelMask
    from spectrum_workflows.radio.types import Observation

    Visible = xr.Dataset | xr.DataTree
    """Visibilities: a dataset, or a tree with one at its root."""

    AnImage = xr.DataArray | NDArray[np.floating[Any]]

EPSILON = 1e-4
"""Gridding accuracy that is asked for unless another one is."""


# Of visibilities


def dirty_image(vis: Visible, *, npix: int, cell: float, epsilon: float = EPSILON) -> xr.DataArray:
    """Dirty image of Stokes I: the weighted visibilities, gridded and transformed.

    Parameters
    ----------
    vis : xarray.Dataset or xarray.DataTree
        ``VISIBILITY``, ``WEIGHT``, ``FLAG`` and ``UVW``; the weights are taken as they are, see
        `imaging_weights`.
    npix : int
        Pixels per side, even.
    cell : float
        Size of a pixel at the phase centre, arcsec.
    epsilon : float
        Accuracy asked of gridding, relative.

    Returns
    -------
    xarray.DataArray, shape (npix, npix)
        Jy/beam, with dimensions m and l.

    Raises
    ------
    DataError
        Something is missing in the dataset, or nothing in it has a weight.
    SpecError
        No such image can be made.

    Examples
    --------
    A source of 2 Jy at the phase centre is the PSF, twice:

    >>> import numpy as np
    >>> from spectrum_workflows import radio
    >>> rng = np.random.default_rng(1)
    >>> uvw = rng.normal(0.0, 300.0, (500, 3))
    >>> vis = radio.visibilities(uvw, [1.4e9], np.full((500, 1), 2.0))
    >>> dirty = radio.dirty_image(vis, npix=64, cell=20.0)
    >>> dirty.dims, round(float(dirty.sel(l=0, m=0)), 3), dirty.units
    (('m', 'l'), 2.0, 'Jy/beam')
    """
    return _inverted(vis, "dirty", npix, cell, epsilon)


def psf(vis: Visible, *, npix: int, cell: float, epsilon: float = EPSILON) -> xr.DataArray:
    """Point spread function: the dirty image of a source of 1 Jy at the phase centre.

    Parameters
    ----------
    vis : xarray.Dataset or xarray.DataTree
        As for `dirty_image`; only coordinates, weights and flags count.
    npix : int
        Pixels per side, even.
    cell : float
        Size of a pixel at the phase centre, arcsec.
    epsilon : float
        Accuracy asked of gridding, relative.

    Returns
    -------
    xarray.DataArray, shape (npix, npix)
        1 at its peak, in the middle: l = m = 0.

    Raises
    ------
    DataError
        Something is missing in the dataset, or nothing in it has a weight.
    SpecError
        No such image can be made.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrum_workflows import radio
    >>> uvw = np.random.default_rng(1).normal(0.0, 300.0, (500, 3))
    >>> vis = radio.visibilities(uvw, [1.4e9], np.zeros((500, 1)))
    >>> response = radio.psf(vis, npix=64, cell=20.0)
    >>> round(float(response.sel(l=0, m=0)), 3)
    1.0
    """
    return _inverted(vis, "psf", npix, cell, epsilon)


def _inverted(vis: Visible, name: str, npix: int, cell: float, epsilon: float) -> xr.DataArray:
    """Dirty image or PSF, in Jy/beam."""
    geometry, data = _geometry(npix, cell, epsilon), stokes_i_of(vis).data
    observation = observation_of(vis, data)
    weight_sum = float(data.weight.sum(dtype=np.float64))
    workflow.check_weight(weight_sum, data.unflagged, observation)
    with one_thread():
        make = gridding.invert if name == "dirty" else gridding.invert_psf
        image = gate.finite(make(data, geometry), f"the {name} image", HERE)
    return image_array(image / weight_sum, name, geometry, observation)


def predict(
    model: AnImage, vis: Visible, *, cell: float | None = None, epsilon: float = EPSILON
) -> xr.DataArray:
    """Visibilities of a model image, at the coordinates of some visibilities.

    Parameters
    ----------
    model : xarray.DataArray or ndarray, shape (npix, npix)
        Jy/pixel.
    vis : xarray.Dataset or xarray.DataTree
        Its ``UVW`` and ``frequency`` are used; weights and flags do not count.
    cell : float, optional
        Size of a pixel, arcsec; for an image without coordinates.
    epsilon : float
        Accuracy asked of gridding, relative.

    Returns
    -------
    xarray.DataArray
        Jy, with the dimensions of ``vis.VISIBILITY``; NaN where UVW is not finite.

    Raises
    ------
    DataError
        Something is missing in the dataset or the image.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrum_workflows import radio
    >>> uvw = np.random.default_rng(1).normal(0.0, 300.0, (500, 3))
    >>> vis = radio.visibilities(uvw, [1.4e9], np.zeros((500, 1)))
    >>> model = np.zeros((64, 64))
    >>> model[32, 32] = 1.5  # Jy, in the middle
    >>> visibility = radio.predict(model, vis, cell=20.0)
    >>> visibility.dims, bool(np.allclose(visibility, 1.5, atol=1e-3))
    (('row', 'frequency', 'polarization'), True)
    """
    rows = stokes_i_of(vis)
    geometry, data = _geometry_of(model, cell, epsilon), rows.data
    everywhere = replace(data, weight=np.ones_like(data.weight))
    with one_thread():
        visibility = gridding.predict(_pixels(model), everywhere, geometry)
    visibility[~rows.known] = np.nan
    return rows.array(visibility, vis, {"units": "Jy"})


def imaging_weights(
    vis: Visible,
    *,
    npix: int,
    cell: float,
    weighting: Scheme = "briggs",
    robust: float = 0.0,
    taper: float | None = None,
) -> xr.DataArray:
    """Imaging weights of Stokes I for an image, from the visibilities' own.

    ``vis.assign(WEIGHT=imaging_weights(vis, ...))`` is what the other functions then take.

    Parameters
    ----------
    vis : xarray.Dataset or xarray.DataTree
        With all the data of the image: the density of the uv plane is that of all of them.
    npix : int
        Pixels per side of the image, even.
    cell : float
        Size of a pixel, arcsec.
    weighting : {"natural", "uniform", "briggs"}
        Briggs 1995, PhD thesis, New Mexico Tech; grid and formula as WSClean's.
    robust : float
        Briggs' parameter, from -2 (about uniform) to 2 (about natural).
    taper : float, optional
        Gaussian taper: full width at half maximum, arcsec, of the beam that it alone would give.

    Returns
    -------
    xarray.DataArray
        With the dimensions of ``vis.WEIGHT``; 0 for what is not used.

    Raises
    ------
    DataError
        Nothing has a weight, or lies on the grid of the weights.
    SpecError
        No such weighting or image.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrum_workflows import radio
    >>> uvw = np.random.default_rng(1).normal(0.0, 300.0, (500, 3))
    >>> vis = radio.visibilities(uvw, [1.4e9], np.ones((500, 1)))
    >>> uniform = radio.imaging_weights(vis, npix=64, cell=20.0, weighting="uniform")
    >>> bool(uniform.max() == 1), bool(uniform.min() < 0.2)  # alone in its uv cell, or not
    (True, True)
    """
    spec = _spec(npix, cell, EPSILON, weighting=weighting, robust=robust, taper=taper)
    rows = stokes_i_of(vis)
    data, _ = _weighted(rows.data, spec, observation_of(vis, rows.data))
    return rows.array(data.weight, vis, {"units": "1/Jy**2"})


def clean(
    vis: Visible,
    *,
    npix: int,
    cell: float,
    epsilon: float = EPSILON,
    iterations: int = 50_000,
    gain: float = 0.1,
    mgain: float = 0.8,
    threshold: float | None = None,
    sigma: float | None = None,
    max_major: int = 20,
    scales: Literal["auto"] | tuple[float, ...] = (),
    scale_bias: float | None = None,
    mask: AnImage | NDArray[np.bool_] | None = None,
    auto_mask: float | None = None,
    local_rms: float | None = None,
    accuracy: Literal["full", "as needed"] = "full",
) -> xr.Dataset:
    """Deconvolve with Cotton–Schwab CLEAN; the residual is computed from the data every time.

    Parameters
    ----------
    vis : xarray.Dataset or xarray.DataTree
        As for `dirty_image`.
    npix : int
        Pixels per side, even.
    cell : float
        Size of a pixel at the phase centre, arcsec.
    epsilon : float
        Accuracy asked of gridding, relative.
    iterations : int
        Most components.
    gain : float
        Part of the peak that one component takes.
    mgain : float
        Part of the peak by which one major cycle lowers the residual.
    threshold : float, optional
        Stop where the residual's peak is below it, Jy/beam.
    sigma : float, optional
        Stop where the residual's peak is below so many times its rms.
    max_major : int
        Most major cycles.
    scales : tuple of float or "auto"
        Diameters of extended components, rising, arcsec, beside points: multi-scale CLEAN.
        ``"auto"`` is four beams and its doubles up to a quarter of the image.
    scale_bias : float, optional
        How much less the residual's peak at a scale counts than at one half as wide (WSClean's:
        0.6); if left out, every scale's peak counts by its noise.
    mask : xarray.DataArray or ndarray, shape (npix, npix), optional
        Components lie where it is not 0.
    auto_mask : float, optional
        Clean to so many times the rms everywhere, then to ``sigma`` or ``threshold`` only where
        components have been found.
    local_rms : float, optional
        Side, in beams, of squares whose own rms peaks are compared with.
    accuracy : {"full", "as needed"}
        Accuracy of gridding in major cycles: ``epsilon``, or, except in the last one, what the
        next minor cycle needs.

    Returns
    -------
    xarray.Dataset
        ``SKY_MODEL`` (Jy/pixel) and ``SKY_RESIDUAL`` (Jy/beam), with dimensions m and l; its
        attributes say how it stopped.

    Raises
    ------
    DataError
        Something is missing in the dataset, or nothing in it has a weight.
    SpecError
        No such image can be made, or a value is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrum_workflows import radio
    >>> uvw = np.random.default_rng(1).normal(0.0, 300.0, (500, 3))
    >>> vis = radio.visibilities(uvw, [1.4e9], np.full((500, 1), 2.0))
    >>> cleaned = radio.clean(vis, npix=64, cell=20.0, threshold=0.01)
    >>> round(float(cleaned.SKY_MODEL.sum()), 1), cleaned.attrs["stop"]
    (2.0, 'threshold')
    """
    control: dict[str, Any] = {
        "iterations": iterations,
        "gain": gain,
        "mgain": mgain,
        "max_major": max_major,
    }
    control |= {"scales": scales, "accuracy": accuracy}
    given = {"threshold": threshold, "sigma": sigma, "auto_mask": auto_mask}
    given |= {"local_rms": local_rms, "scale_bias": scale_bias}
    control |= {name: value for name, value in given.items() if value is not None}
    spec = _spec(npix, cell, epsilon, clean=control)
    assert spec.clean is not None
    geometry, data = geometry_of(spec), stokes_i_of(vis).data
    if not data.weight.size:
        raise DataError("there is no visibility", HERE, "choose other times and channels")
    observation = observation_of(vis, data)
    with one_thread(), closing(_InMemory(data, geometry, Outputs(True, True, 0))) as imager:
        plane = imager.sums().planes[0]
        workflow.check_weight(plane.weight_sum, data.unflagged, observation)
        assert plane.psf is not None
        by_beam = scales == "auto" or local_rms is not None
        beam = beams.fit_beam(plane.psf, geometry.cell) if by_beam else None
        search = search_for(spec.clean, geometry, beam, _mask(mask, npix))
        cleaned = cotton_schwab(imager, (plane.psf,), spec.clean, search=search)
    [residual], [model] = cleaned.residual.gathered(), cleaned.model.dense(npix, npix)
    how = {"stop": cleaned.stop.name.lower(), "major_cycles": cleaned.major}
    how |= {"iterations": cleaned.iterations, "threshold": cleaned.threshold}
    arrays = {"model": model, "residual": residual}
    images = [image_array(array, n, geometry, observation) for n, array in arrays.items()]
    return xr.Dataset({image.name: image for image in images}, attrs=how)


def image(
    vis: Visible,
    *,
    npix: int,
    cell: float,
    weighting: Scheme = "natural",
    robust: float = 0.0,
    taper: float | None = None,
    epsilon: float = EPSILON,
    clean: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Make an image of Stokes I: weights, dirty image, PSF and beam; CLEAN and restore if asked.

    Parameters
    ----------
    vis : xarray.Dataset or xarray.DataTree
        As for `dirty_image`.
    npix : int
        Pixels per side, even.
    cell : float
        Size of a pixel at the phase centre, arcsec.
    weighting : {"natural", "uniform", "briggs"}
        Imaging weights; see `imaging_weights`.
    robust : float
        Briggs' parameter; for ``"briggs"`` only.
    taper : float, optional
        Gaussian taper, arcsec; see `imaging_weights`.
    epsilon : float
        Accuracy asked of gridding, relative.
    clean : mapping, optional
        Keyword arguments of `clean` after ``epsilon``: ``{"sigma": 3}``; ``{}`` takes the
        defaults.  No CLEAN if left out.

    Returns
    -------
    xarray.Dataset
        ``SKY_DIRTY``, ``POINT_SPREAD_FUNCTION`` and the beam; with CLEAN also ``SKY``,
        ``SKY_MODEL`` and ``SKY_RESIDUAL``.  Names, dimensions (time, frequency, polarization,
        l, m) and coordinates are those of xradio's image schema.  The attributes hold the
        accuracy that gridding reached, how CLEAN stopped, and ``warnings``.

    Raises
    ------
    DataError
        Something is missing in the dataset, or nothing in it has a weight.
    SpecError
        No such image can be made, or an unknown key of ``clean``.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrum_workflows import radio
    >>> uvw = np.random.default_rng(1).normal(0.0, 300.0, (500, 3))
    >>> vis = radio.visibilities(
    ...     uvw, [1.4e9], np.full((500, 1), 2.0), phase_centre=(3.0, 0.5)
    ... )
    >>> images = radio.image(vis, npix=64, cell=20.0, clean={"threshold": 0.01})
    >>> peak = images.SKY.squeeze().sel(l=0, m=0)
    >>> round(float(peak), 2), round(float(peak.right_ascension), 6)
    (2.0, 3.0)
    """
    weights_of = {"weighting": weighting, "robust": robust, "taper": taper}
    control = None if clean is None else {k: v for k, v in clean.items() if k != "mask"}
    mask = _mask((clean or {}).get("mask"), npix)
    spec = _spec(npix, cell, epsilon, **weights_of, clean=control)
    natural = stokes_i_of(vis).data
    observation = observation_of(vis, natural)
    if not natural.weight.size:
        raise DataError("there is no visibility", HERE, "choose other times and channels")
    data, weights = _weighted(natural, spec, observation)
    outputs = Outputs(True, clean is not None, data.weight.size if spec.checks_itself else 0)
    group, run = PlaneGroup((Plane(),)), _one_run(data)
    with one_thread(), closing(_InMemory(data, geometry_of(spec), outputs)) as imager:
        sums = imager.sums()
        workflow.check_weight(sums.weight_sum, sums.unflagged, observation)
        workflow.check_taper(spec, sums, observation)
        use = workflow.count_use(run, sums, weights)
        planes = (workflow.before_clean(spec, group, Plane(), sums),)
        images = workflow.with_beams(spec, GroupImages(planes, use=use))
        if clean is not None:
            images = workflow.clean(spec, imager, images, run, observation, mask)
    result = ImagingResult(
        name=spec.name,
        observation=observation,
        geometry=geometry_of(spec),
        weighting=workflow.name_of_weights(spec),
        groups=(images,),
    )
    return dataset_of(replace(result, warnings=gate.warnings(result)))


# Of images


def fit_beam(psf: AnImage, *, cell: float | None = None) -> Beam:
    """Fit an elliptical Gaussian to the main lobe of a PSF: the restoring beam.

    Parameters
    ----------
    psf : xarray.DataArray or ndarray, shape (npix, npix)
        With its peak in the middle.
    cell : float, optional
        Size of a pixel, arcsec; for an image without coordinates.

    Returns
    -------
    Beam
        Full widths at half maximum ``bmaj`` and ``bmin`` in arcsec, position angle ``bpa`` in
        degrees from north through east.

    Raises
    ------
    DataError
        The main lobe is too small or too odd for a fit.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrum_workflows import radio
    >>> north, east = np.mgrid[-32:32, 32:-32:-1]
    >>> lobe = np.exp(-4 * np.log(2) * ((north / 8) ** 2 + (east / 6) ** 2))
    >>> radio.fit_beam(lobe, cell=2.0)
    Beam(bmaj=16.0, bmin=12.0, bpa=0.0)
    """
    pixels = _pixels(psf)
    return beams.fit_beam(pixels, _cell_of(psf, cell))


def restore(
    model: AnImage, residual: AnImage, beam: Beam, *, cell: float | None = None
) -> xr.DataArray:
    """Convolve a model with the restoring beam, and add the residual.

    Parameters
    ----------
    model : xarray.DataArray or ndarray, shape (npix, npix)
        Jy/pixel.
    residual : xarray.DataArray or ndarray, shape (npix, npix)
        Jy/beam.
    beam : Beam
        From `fit_beam`, or another one.
    cell : float, optional
        Size of a pixel, arcsec; for images without coordinates.

    Returns
    -------
    xarray.DataArray, shape (npix, npix)
        Jy/beam, with the coordinates of the residual.

    Raises
    ------
    DataError
        The images differ in size.
    SpecError
        The beam or the pixel has no size.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrum_workflows import radio
    >>> model = np.zeros((64, 64))
    >>> model[20, 40] = 1.5
    >>> restored = radio.restore(model, np.zeros((64, 64)), radio.Beam(9.0, 6.0, 30.0), cell=2.0)
    >>> float(restored[20, 40]), restored.units
    (1.5, 'Jy/beam')
    """
    pixels, left = _pixels(model), _pixels(residual)
    if pixels.shape != left.shape:
        message = f"the model has {pixels.shape} pixels, the residual {left.shape}"
        raise DataError(message, "restore", "give images of the same size")
    if not 0 < beam.bmin <= beam.bmaj < np.inf or not np.isfinite(beam.bpa):
        remedy = "give full widths above 0, the larger as bmaj, in arcsec"
        raise SpecError(f"no beam is {beam.bmaj:g} by {beam.bmin:g} arcsec", "beam", remedy)
    size = _cell_of(residual, cell)
    if isinstance(model, xr.DataArray) and not np.isclose(_cell_of(model, cell), size):
        raise DataError("model and residual have other pixels", "restore", "give the same ones")
    pixels_restored = restored(components.of(pixels), left, beam, size)
    if isinstance(residual, xr.DataArray):
        source = residual.squeeze(drop=False).transpose("m", "l")
        about = {**source.attrs, "units": "Jy/beam"}
        return xr.DataArray(pixels_restored, source.coords, ("m", "l"), "SKY", about)
    return image_array(pixels_restored, "image", Geometry(len(pixels_restored), size, EPSILON))


# What they share


def _spec(npix: int, cell: float, epsilon: float, **more: Any) -> RadioSpec:
    """The options as a spec says them, so that they are checked as there.

    Raises
    ------
    SpecError
        One of them is out of its range, or not known.
    """
    table: dict[str, Any] = {"name": HERE.replace(" ", "-"), "data_set": HERE}
    table["image"] = {"npix": npix, "cell_arcsec": cell, "epsilon": epsilon}
    if scheme := more.get("weighting"):
        table["weighting"] = {"scheme": scheme, "robust": more["robust"]}
    if more.get("taper") is not None:
        table["weighting"]["taper_arcsec"] = more["taper"]
    if more.get("clean") is not None:
        table["clean"] = dict(more["clean"])
    return parse(RadioSpec, table, where="radio")


def _geometry(npix: int, cell: float, epsilon: float) -> Geometry:
    return geometry_of(_spec(npix, cell, epsilon))


def _geometry_of(model: AnImage, cell: float | None, epsilon: float) -> Geometry:
    """The geometry of an image that is given."""
    return _geometry(len(_pixels(model)), _cell_of(model, cell) / ARCSEC, epsilon)


def _pixels(image: AnImage) -> NDArray[np.float64]:
    """The pixels of one image in FITS orientation.

    Raises
    ------
    DataError
        It is not one square image of finite numbers.
    """
    if isinstance(image, xr.DataArray):
        single = image.squeeze(drop=True)
        if {*single.dims} != {"l", "m"}:
            remedy = "choose one plane: image.isel(frequency=0)"
            raise DataError(f"an image of dimensions {image.dims}", HERE, remedy)
        image = single.transpose("m", "l").values
    pixels = np.ascontiguousarray(image, np.float64)
    if pixels.ndim != 2 or pixels.shape[0] != pixels.shape[1] or not pixels.size:
        raise DataError(f"an image of shape {pixels.shape}", HERE, "give a square one")
    return gate.finite(pixels, "the image", HERE)


def _mask(mask: AnImage | NDArray[np.bool_] | None, npix: int) -> PixelMask | None:
    """A mask that is given as an image."""
    if mask is None:
        return None
    as_numbers = (mask if isinstance(mask, xr.DataArray) else np.asarray(mask)).astype(np.float64)
    return mask_of(np.nan_to_num(_pixels(as_numbers)), npix, HERE)


def _cell_of(image: AnImage, cell: float | None) -> float:
    """Size of a pixel, rad: that of the coordinates, or the one that is given (arcsec).

    Raises
    ------
    SpecError
        There is none, or two.
    """
    if not isinstance(image, xr.DataArray) or "l" not in image.coords:
        if cell is None:
            raise SpecError("the image has no coordinates", "cell", "give the pixel size, arcsec")
        if not 0 < cell < np.inf:
            raise SpecError(f"no pixel has a size of {cell:g} arcsec", "cell", "give its size")
        return float(cell) * ARCSEC
    if cell is not None:
        raise SpecError("the image has its own coordinates", "cell", "leave it out")
    size = float(image["l"][0] - image["l"][-1]) / (image.sizes["l"] - 1)
    if not size > 0 or not np.isclose(float(image["m"][1] - image["m"][0]), size):
        raise DataError("l must fall and m rise in equal steps", HERE, "sort or interpolate it")
    return size


def _weighted(
    data: Visibilities, spec: RadioSpec, observation: Observation
) -> tuple[Visibilities, Weighting | None]:
    """The visibilities with imaging weights."""
    geometry = geometry_of(spec)
    weights = workflow.untouched(spec)
    if spec.weighting.scheme != "natural":
        weights = workflow.weighting_of(spec, tasks.density_in(data, geometry), observation)
    return (prepared(data, geometry, weights) if weights else data), weights


def _one_run(data: Visibilities) -> Run[ImagingPartition]:
    """A run whose only partition is what is in memory."""
    nrow, nchan = data.weight.shape
    chunk = Chunk(HERE, "VISIBILITY", 0, 0, 0, nrow, 0, nchan, nrow * nchan)
    return Run((chunk,), None, "raise", lambda *_: None, "radio")


@dataclass
class _InMemory:
    """An `Imager` of one plane whose weighted visibilities are in memory."""

    data: Visibilities
    geometry: Geometry
    outputs: Outputs
    _dirty: LocalResidual | None = field(default=None, init=False)
    _weight_sum: float = field(default=0.0, init=False)

    def sums(self) -> Sums:
        """Dirty image and PSF, in Jy/beam unless no visibility has a weight."""
        [chunk] = _one_run(self.data).partitions
        shared = ((Plane(),), self.geometry, self.outputs)
        sums = normalised(tasks.sums_of([self.data], chunk, *shared))
        plane = sums.planes[0]
        self._weight_sum = plane.weight_sum
        if plane.psf is not None:
            self._dirty = local_residual((plane.dirty,), (plane.psf,))
        return sums

    def residual(self, model: Components, cycle: int, *, accuracy: float = 1.0) -> LocalResidual:
        """The dirty image of the data minus a model; see `Imager.residual`."""
        assert self._dirty is not None
        if cycle == 0:
            return self._dirty
        [dense] = model.dense(self.geometry.npix, self.geometry.npix)
        geometry = loosened(self.geometry, accuracy)
        left = gridding.invert_residual(self.data, dense, geometry) / self._weight_sum
        return replace(self._dirty, images=(gate.finite(left, "the residual", HERE),))

    def close(self) -> None:
        """Do nothing: the caller holds what there is."""
