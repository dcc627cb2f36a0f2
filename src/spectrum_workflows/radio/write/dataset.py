"""Images as xarray datasets, with the names of xradio's image schema and sky coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.radio.types import ARCSEC, sky_position
from spectrum_workflows.radio.write.axes import axes_of, band_of

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Geometry, ImagingResult, Observation

SCHEMA = "0.0.2"

NAMES = {
    "image": "SKY",
    "dirty": "SKY_DIRTY",
    "residual": "SKY_RESIDUAL",
    "model": "SKY_MODEL",
    "psf": "POINT_SPREAD_FUNCTION",
    "primary_beam": "PRIMARY_BEAM",
    "corrected": "SKY_CORRECTED",
}
"""Images of a result, and what they are called in a dataset."""

GROUPS = {"image": "base", "dirty": "dirty", "residual": "residual", "model": "model"}
GROUPS |= {"corrected": "corrected"}

DIMS = ("time", "frequency", "polarization", "l", "m")

BEAM = "BEAM_FIT_PARAMS_POINT_SPREAD_FUNCTION"

FRAMES = {"BARYCENT": "BARY", "GEOCENTR": "GEO", "TOPOCENT": "TOPO", "GALACTOC": "GALACTO"}
FRAMES |= {"LOCALGRP": "LGROUP", "CMBDIPOL": "CMB", "LSRK": "LSRK", "LSRD": "LSRD"}
"""FITS' SPECSYS and casacore's names."""

OBSERVERS = {"LSRK": "lsrk", "LSRD": "lsrd", "GEO": "gcrs"}
"""casacore's names that MSv4 spells otherwise."""

SECONDS_OF_A_DAY = 86_400.0


def dataset_of(result: ImagingResult) -> xr.Dataset:
    """All images of a result.

    Parameters
    ----------
    result : ImagingResult

    Returns
    -------
    xarray.Dataset
        Float64 images with dimensions time (one), frequency, polarization, l and m: the
        restored ``SKY``, ``SKY_DIRTY``, ``SKY_RESIDUAL`` and ``POINT_SPREAD_FUNCTION`` in Jy/beam,
        ``SKY_MODEL`` in Jy/pixel, ``PRIMARY_BEAM`` and ``SKY_CORRECTED``, as far as they were made.
        Images that were rounded to single precision are float32.  ``l`` (to the east) and ``m``
        (to the north) are direction cosines; ``right_ascension`` and ``declination`` of every
        pixel are in rad.  The beam's axes are full widths at half maximum, in rad.
    """
    import xarray as xr  # it takes a second, and is not needed to image

    planes = axes_of(tuple(plane.plane for plane in result.planes))
    shape = (1, len(planes.stokes), len(planes.channels))
    observation = result.observation
    made = [n for n in NAMES if any(getattr(plane, n) is not None for plane in result.planes)]
    missing = np.full((result.geometry.npix,) * 2, np.nan)
    variables: dict[str, Any] = {}
    for name in made:
        images = [getattr(plane, name) for plane in result.planes]
        cube = np.stack([missing if image is None else image for image in images])
        cube = cube.reshape(*shape, *missing.shape).transpose(0, 2, 1, 4, 3)
        cube = cube.astype(np.float32) if result.single else cube
        variables[NAMES[name]] = (DIMS, cube, _about(name, observation))
    if any(plane.beam for plane in result.planes):
        beams = [
            (np.nan,) * 3
            if plane.beam is None
            else (
                plane.beam.bmaj * ARCSEC,
                plane.beam.bmin * ARCSEC,
                float(np.radians(plane.beam.bpa)),
            )
            for plane in result.planes
        ]
        values = np.array(beams).reshape(*shape, 3).transpose(0, 2, 1, 3)
        about = {"type": BEAM.lower(), "units": "rad"}
        variables[BEAM] = ((*DIMS[:3], "beam_params_label"), values, about)
        for name in set(made) - {"model", "primary_beam"}:
            variables[NAMES[name]][2]["beam_fit_params"] = BEAM
    coordinates = sky_coordinates(result.geometry, observation) | {
        "time": _time(observation),
        "frequency": _frequency(result),
        "polarization": ("polarization", np.array(planes.stokes)),
    }
    if BEAM in variables:
        labels = np.array(["major", "minor", "pa"])
        coordinates["beam_params_label"] = ("beam_params_label", labels)
    return xr.Dataset(variables, coordinates, _attributes(result, made, beam=BEAM in variables))


def image_array(
    pixels: NDArray[Any], name: str, geometry: Geometry, observation: Observation | None = None
) -> xr.DataArray:
    """One image with its coordinates.

    Parameters
    ----------
    pixels : ndarray, shape (npix, npix)
        In FITS orientation.
    name : str
        One of `NAMES`.
    geometry : Geometry
    observation : Observation, optional
        For the phase centre, if it is known.

    Returns
    -------
    xarray.DataArray
        Dimensions m and l: rows are Dec going up, columns are RA going down.
    """
    import xarray as xr

    about = _about(name, observation)
    coordinates = sky_coordinates(geometry, observation)
    return xr.DataArray(pixels, coordinates, ("m", "l"), NAMES[name], about)


def sky_coordinates(geometry: Geometry, observation: Observation | None) -> dict[str, Any]:
    """Direction cosines of the pixels, and their right ascension and declination, rad.

    Where the phase centre is not known, there are direction cosines only; beyond the horizon
    there is nothing.
    """
    offset = (np.arange(geometry.npix) - geometry.npix // 2) * geometry.cell
    east, north = -offset, offset
    about = {"note": "direction cosine", "units": "rad"}
    coordinates: dict[str, Any] = {"l": ("l", east, about), "m": ("m", north, about)}
    if observation is None:
        return coordinates
    if not np.isfinite(observation.phase_centre).all():
        return coordinates
    sky = sky_position(east[:, None], north[None, :], observation.phase_centre)
    radians = {"units": "rad"}
    coordinates["right_ascension"] = (("l", "m"), sky.right_ascension, radians)
    coordinates["declination"] = (("l", "m"), sky.declination, radians)
    return coordinates


def _about(name: str, observation: Observation | None) -> dict[str, Any]:
    """Attributes of an image."""
    kinds = {"psf": "point_spread_function", "primary_beam": "primary_beam"}
    about: dict[str, Any] = {"type": kinds.get(name, "sky")}
    if name != "primary_beam":
        about["units"] = "Jy/pixel" if name == "model" else "Jy/beam"
    if observation is None:
        return about
    if observation.responsible.observer:
        about["observer"] = observation.responsible.observer
    if observation.telescope:
        about["telescope"] = {"name": observation.telescope}
    if observation.object_name:
        about["object_name"] = observation.object_name
    return about


def _time(observation: Observation) -> tuple[str, NDArray[np.float64], dict[str, str]]:
    """When the observation began; not a number where that is not known."""
    begin = float(observation.times[0]) if len(observation.times) else np.nan
    about = {"type": "time", "units": "d", "format": "mjd"}
    about["scale"] = observation.time_scale.lower()
    return "time", np.array([begin / SECONDS_OF_A_DAY]), about


def _frequency(result: ImagingResult) -> tuple[str, NDArray[np.float64], dict[str, Any]]:
    """Centres of the planes' bands."""
    channels = axes_of(tuple(plane.plane for plane in result.planes)).channels
    bands = [band_of(result.observation, each) for each in channels]
    frame = FRAMES.get(result.observation.spectral_frame, "Undefined")
    observer = OBSERVERS.get(frame, frame)
    centre = bands[0].centre
    hertz = {"units": "Hz", "type": "quantity"}
    spectral = {"units": "Hz", "type": "spectral_coord", "observer": observer}
    about: dict[str, Any] = {
        **spectral,
        "frame": frame,
        "rest_frequency": {"attrs": hertz, "data": centre, "dims": []},
        "reference_frequency": {"attrs": spectral, "data": centre, "dims": []},
        "channel_width": {"attrs": hertz, "data": bands[0].high - bands[0].low, "dims": []},
    }
    return "frequency", np.array([band.centre for band in bands]), about


def _attributes(result: ImagingResult, made: list[str], *, beam: bool) -> dict[str, Any]:
    """What holds for all images: their groups, the projection, and how they were made."""
    groups = {
        GROUPS[name]: {"sky": NAMES[name]}
        | ({"point_spread_function": NAMES["psf"]} if "psf" in made else {})
        | ({"primary_beam": NAMES["primary_beam"]} if "primary_beam" in made else {})
        | ({"beam_fit_params_point_spread_function": BEAM} if beam else {})
        for name in made
        if name in GROUPS
    }
    attributes: dict[str, Any] = {
        "type": "image_dataset",
        "schema_version": SCHEMA,
        "data_groups": {"base": groups["dirty"]} | groups,
        "weighting": result.weighting,
        "epsilon": result.geometry.epsilon,
        "visibilities": [plane.visibilities for plane in result.planes],
        "clean": [
            {
                "stop": group.stop.name.lower(),
                "major_cycles": group.major,
                "iterations": group.iterations,
                "threshold": group.threshold,
            }
            for group in result.groups
        ],
        "warnings": list(result.warnings),
    }
    if result.observation.origin:
        attributes["origin"] = result.observation.origin
    checks = [plane.self_check for plane in result.planes]
    if all(checks):
        attributes["self_check_error_peak"] = [c.error_peak for c in checks if c is not None]
    if np.isfinite(result.observation.phase_centre).all():
        attributes["coordinate_system_info"] = _projection(result.observation)
    return attributes


def _projection(observation: Observation) -> dict[str, Any]:
    frame = observation.frame.lower() or "icrs"
    equinox = {"equinox": "j2000.0"} if frame == "fk5" else {}
    direction = {"type": "sky_coord", "units": "rad", "frame": frame, **equinox}
    pole = {"type": "location", "units": "rad", "frame": "NATIVE_PROJECTION"}
    declination = observation.phase_centre[1]
    return {
        "reference_direction": {
            "attrs": direction,
            "data": list(observation.phase_centre),
            "dims": ["sky_dir_label"],
            "coords": {"sky_dir_label": {"dims": ["sky_dir_label"], "data": ["ra", "dec"]}},
        },
        "native_pole_direction": {
            "attrs": pole,
            "data": [float(np.pi), declination],
            "dims": ["ellipsoid_dir_label"],
            "coords": {
                "ellipsoid_dir_label": {"dims": ["ellipsoid_dir_label"], "data": ["lon", "lat"]}
            },
        },
        "projection": "SIN",
        "projection_parameters": [0.0, 0.0],
        "pixel_coordinate_transformation_matrix": [[1.0, 0.0], [0.0, 1.0]],
    }
