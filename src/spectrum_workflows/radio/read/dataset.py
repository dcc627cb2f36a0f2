"""Visibilities as xarray datasets, with the names of the MSv4 schema.

The names, dimensions and units are those of xradio's MSv4 schema, so that its own datasets
are taken, too.  Imaging wants rows of Stokes I: `stokes_i_of` gives them, whatever the
dimensions of the dataset are called besides ``frequency`` and ``polarization``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes
from spectrum_workflows.radio.read.frequencies import rising
from spectrum_workflows.radio.read.msv4.observation import SPECTRAL_FRAMES, responsible
from spectrum_workflows.radio.read.units import UNIX_EPOCH, units_factor
from spectrum_workflows.radio.types import Observation, Visibilities, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

FULL = ("frequency", "polarization")
NEEDED = ("VISIBILITY", "WEIGHT", "FLAG", "UVW", "frequency", "polarization")
"""Variables and coordinates without which a dataset cannot be imaged."""

DIRECTION = "FIELD_PHASE_CENTER_DIRECTION"

HERE = "the dataset"
"""What errors call a dataset, which has no name."""

CODES = {name: code for code, name in stokes.NAMES.items()}


def direction(centre: tuple[float, float], frame: str) -> tuple[str, list[float], dict[str, str]]:
    """The phase centre (rad), as MSv4 has it."""
    sky = {"type": "sky_coord", "units": "rad", "frame": frame.lower()}
    return "sky_dir_label", list(centre), sky


def attributes() -> dict[str, Any]:
    """Attributes of every dataset: which variables belong together."""
    group = {"correlated_data": "VISIBILITY", "flag": "FLAG", "weight": "WEIGHT", "uvw": "UVW"}
    return {"type": "visibility", "data_groups": {"base": group}}


def visibilities(
    uvw: ArrayLike,
    frequency: ArrayLike,
    visibility: ArrayLike,
    weight: ArrayLike | None = None,
    flag: ArrayLike | None = None,
    *,
    polarization: Sequence[str] = ("I",),
    phase_centre: tuple[float, float] | None = None,
) -> xr.Dataset:
    """Make a dataset of plain arrays, for the functions that take one.

    Parameters
    ----------
    uvw : array_like, shape (nrow, 3)
        Baseline coordinates, m.
    frequency : array_like, shape (nchan,)
        Channel centres, Hz.
    visibility : array_like of complex, shape (nrow, nchan) or (nrow, nchan, npol)
        Jy.
    weight : array_like, optional
        Inverse variances, 1/Jy²; of the shape of ``visibility``, or one that broadcasts to it.
        1 if left out.
    flag : array_like of bool, optional
        Likewise; True where a visibility is not to be used.  False if left out.
    polarization : sequence of str
        What the last axis holds: I, XX, RR and so on.
    phase_centre : tuple of float, optional
        Right ascension and declination (FK5), rad; without it images have no sky coordinates.

    Returns
    -------
    xarray.Dataset
        As `open` gives it, with the dimension ``row`` in place of time and baseline_id.

    Raises
    ------
    DataError
        The shapes do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrum_workflows import radio
    >>> vis = radio.visibilities(np.eye(3), [1.4e9, 1.5e9], np.ones((3, 2)))
    >>> dict(vis.sizes)
    {'row': 3, 'frequency': 2, 'polarization': 1, 'uvw_label': 3}
    """
    baselines, hertz = np.asarray(uvw, np.float64), np.asarray(frequency, np.float64)
    values = np.asarray(visibility, np.complex64)
    values = values[..., None] if values.ndim == 2 else values
    shape = (len(baselines), *hertz.shape, len(polarization))
    if baselines.shape != (len(baselines), 3) or hertz.ndim != 1 or values.shape != shape:
        message = f"uvw {baselines.shape}, frequency {hertz.shape}, visibility {values.shape}"
        remedy = "give shapes (nrow, 3), (nchan,) and (nrow, nchan) or (nrow, nchan, npol)"
        raise DataError(f"shapes do not fit together: {message}", "visibilities", remedy)
    dims = ("row", *FULL)
    variables: dict[str, Any] = {
        "VISIBILITY": (dims, values, {"units": "Jy"}),
        "WEIGHT": (dims, _like(values, weight, 1, np.float32, "weight"), {"units": "1/Jy**2"}),
        "FLAG": (dims, _like(values, flag, False, np.bool_, "flag")),
        "UVW": (("row", "uvw_label"), baselines, {"units": "m"}),
    }
    if phase_centre is not None:
        variables[DIRECTION] = direction(phase_centre, "FK5")
    coordinates = {
        "frequency": ("frequency", hertz, {"type": "spectral_coord", "units": "Hz"}),
        "polarization": ("polarization", np.array(list(polarization))),
        "uvw_label": ("uvw_label", np.array(["u", "v", "w"])),
    }
    return xr.Dataset(variables, coordinates, attributes())


def _like(
    values: NDArray[Any], given: ArrayLike | None, default: Any, kind: type, name: str
) -> NDArray[Any]:
    """An array as large as the visibilities."""
    array: NDArray[Any] = np.asarray(default if given is None else given, kind)
    array = array[..., None] if array.ndim == 2 else array
    try:
        return np.broadcast_to(array, values.shape).copy()
    except ValueError:
        message = f"{name} of shape {array.shape} does not fit visibilities of {values.shape}"
        raise DataError(message, "visibilities", "give one for each of them") from None


# To rows


@dataclass(frozen=True)
class StokesI:
    """Visibilities of a dataset as rows of Stokes I.

    Attributes
    ----------
    data : Visibilities
        Channels by rising frequency.
    dims : tuple of str
        Dimensions of the dataset that the rows were.
    shape : tuple of int
        Their sizes.
    channels : ndarray of int64
        Which channel of the dataset each one is.
    known : ndarray of bool, shape (nrow,)
        Rows whose UVW are finite.
    """

    data: Visibilities
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    channels: NDArray[np.int64]
    known: NDArray[np.bool_]

    def array(
        self, rows: NDArray[Any], vis: xr.Dataset | xr.DataTree, attrs: dict[str, Any]
    ) -> xr.DataArray:
        """Values of every row and channel as an array with the dataset's coordinates."""
        source, own = dataset_in(vis), np.empty_like(rows)
        own[:, self.channels] = rows
        values = own.reshape(*self.shape, len(self.channels), 1)
        dims = (*self.dims, *FULL)
        of_rows = {n: c for n, c in source.coords.items() if {*c.dims} <= {*self.dims}}
        labels = {"frequency": source["frequency"], "polarization": ["I"]}
        return xr.DataArray(values, of_rows | labels, dims, attrs=attrs)


def dataset_in(vis: xr.Dataset | xr.DataTree) -> xr.Dataset:
    """The visibilities' own dataset, of a tree with its phase centre; checked for its names.

    Raises
    ------
    DataError
        Something is missing or has units that are not known.
    """
    data = vis.to_dataset() if isinstance(vis, xr.DataTree) else vis
    if missing := [name for name in NEEDED if name not in data]:
        remedy = "name them as MSv4 does; radio.visibilities makes a dataset of plain arrays"
        raise DataError(f"it has no {', '.join(missing)}", HERE, remedy)
    for name, unit in (("UVW", "m"), ("frequency", "Hz")):
        if units_factor(data[name].attrs.get("units", unit), unit, name, HERE) != 1.0:
            raise DataError(f"{name} is not in {unit}", HERE, f"give it in {unit}")
    if isinstance(vis, xr.DataTree) and DIRECTION not in data:
        groups = data.attrs.get("data_groups", {})
        name = groups.get("base", {}).get("field_and_source", "field_and_source_base_xds")
        if name in vis.children:
            path = vis[f"{name}/{DIRECTION}"]
            data = data.assign(
                {DIRECTION: path.isel(field_name=0, drop=True, missing_dims="ignore")}
            )
    return data


def stokes_i_of(vis: xr.Dataset | xr.DataTree) -> StokesI:
    """Rows of Stokes I: what is flagged, not finite or of one antenna has no weight.

    Raises
    ------
    DataError
        Something is missing, the dimensions do not fit, or Stokes I cannot be formed.
    """
    data = dataset_in(vis)
    dims = tuple(str(d) for d in data["UVW"].dims if d != "uvw_label")
    full = (*dims, *FULL)
    if {*data["VISIBILITY"].dims} != {*full} or data.sizes.get("uvw_label") != 3:
        message = f"VISIBILITY has {data['VISIBILITY'].dims} and UVW {data['UVW'].dims}"
        remedy = "UVW has the same, and uvw_label in place of frequency and polarization"
        raise DataError(f"dimensions do not fit: {message}", HERE, remedy)
    frequency = np.asarray(data["frequency"].values, np.float64)
    if not (np.isfinite(frequency) & (frequency > 0)).all():
        raise DataError("a channel has no frequency", HERE, "give all of them in Hz")
    names = [str(name) for name in data["polarization"].values]
    hand = stokes.hands([CODES.get(name, 0) for name in names], HERE)
    shape = tuple(data.sizes[d] for d in dims)
    nrow = int(np.prod(shape))

    def hands_of(name: str, kind: type) -> NDArray[Any]:
        array = data[name].broadcast_like(data["VISIBILITY"]).transpose(*full)
        values: NDArray[Any] = np.asarray(array.isel(polarization=list(hand)).values, kind)
        return np.ascontiguousarray(values.reshape(nrow, len(frequency), len(hand)))

    weight = hands_of("WEIGHT", np.float32)
    uvw = np.asarray(data["UVW"].transpose(*dims, "uvw_label").values, np.float64).reshape(nrow, 3)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(uvw).all(axis=1))
    weight[~known | _of_one_antenna(data, dims)] = 0
    out = Visibilities(
        uvw=np.where(known[:, None], uvw, 0.0),
        frequency=frequency,
        visibility=np.empty((nrow, len(frequency)), np.complex64),
        weight=np.empty((nrow, len(frequency)), np.float32),
        unflagged=0,
    )
    every = np.arange(nrow)
    pieces = (hands_of("VISIBILITY", np.complex64), hands_of("FLAG", np.bool_), weight)
    unflagged = stokes.combine(pieces, every, every, out.visibility, out.weight, False)
    order = np.argsort(frequency, kind="stable")
    return StokesI(rising(replace(out, unflagged=unflagged)), dims, shape, order, known)


def _of_one_antenna(data: xr.Dataset, dims: tuple[str, ...]) -> NDArray[np.bool_]:
    """Mask of the rows of an antenna with itself, as far as the dataset names antennas."""
    ends = [f"baseline_antenna{number}_name" for number in (1, 2)]
    shape = tuple(data.sizes[d] for d in dims)
    if not all(name in data.coords for name in ends):
        return np.zeros(int(np.prod(shape)), bool)
    same = data[ends[0]] == data[ends[1]]
    rows = same.broadcast_like(data["UVW"].isel(uvw_label=0, drop=True)).transpose(*dims)
    return np.asarray(rows.values, bool).reshape(-1)


def observation_of(vis: xr.Dataset | xr.DataTree, data: Visibilities) -> Observation:
    """What a dataset says of itself, as far as an image's coordinates need it."""
    source = dataset_in(vis)
    known = source.get(DIRECTION)
    centre, frame = (np.nan, np.nan), ""
    if known is not None:
        ra, dec = (float(value) for value in np.ravel(known.values)[:2])
        centre, frame = (ra, dec), str(known.attrs.get("frame", "")).upper()
    frequency = source["frequency"].attrs
    width = frequency.get("channel_width")
    value = float(width["data"]) if isinstance(width, dict) and "data" in width else np.nan
    times = np.ravel(source["time"].values) if "time" in source.coords else np.empty(0)
    window = Window(
        number=0,
        frequency=data.frequency,
        rows_per_time=np.array([len(data.uvw)]),
        times=np.unique(np.asarray(times, np.float64) + UNIX_EPOCH),
        width=np.full(len(data.frequency), value),
        spectral_frame=SPECTRAL_FRAMES.get(str(frequency.get("observer")), ""),
    )
    return Observation(
        url=HERE,
        column="VISIBILITY",
        telescope=str(source.attrs.get("telescope", "")),
        object_name=str(source.attrs.get("object_name", "")),
        field=0,
        phase_centre=centre,
        frame=frame,
        windows=(window,),
        longest_baseline=float(np.hypot(data.uvw[:, 0], data.uvw[:, 1]).max(initial=0.0)),
        identity="",
        responsible=responsible(source.attrs),
    )
