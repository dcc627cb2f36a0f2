"""A data set, or a part of it, as an xarray dataset with the names of the MSv4 schema."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError
from spectrum_workflows.radio.read import formats
from spectrum_workflows.radio.read.dataset import DIRECTION, FULL, attributes, direction
from spectrum_workflows.radio.read.msv4.observation import SPECTRAL_FRAMES
from spectrum_workflows.radio.read.reader import Chosen
from spectrum_workflows.radio.read.units import UNIX_EPOCH
from spectrum_workflows.radio.types import Chunk, Observation, Visibilities, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spectrum_workflows.radio.types import Hands

OBSERVERS = {fits: observer for observer, fits in SPECTRAL_FRAMES.items()}
"""FITS' SPECSYS and MSv4's spectral frames."""


def open(  # noqa: A001  (what xarray and zarr call it, too)
    url: str | Path,
    *,
    field: int | str | None = None,
    spectral_window: int | str | None = None,
    data_description: int | None = None,
    column: str = "DATA",
    hands: Hands = "both",
    times: tuple[int, int] | None = None,
    channels: tuple[int, int] | None = None,
) -> xr.Dataset:
    """Read visibilities of a Measurement Set, or of a Zarr set in the MSv4 schema.

    What is read is in memory, as Stokes I: the mean of the parallel hands.  Ranges of times
    and channels are read without the rest, so that a set may be larger than the memory.

    Parameters
    ----------
    url : str or Path
        The set: a Measurement Set (version 2) on this file system, or a Zarr set on it or
        in a store.
    field : int or str, optional
        Row of the FIELD table, or name; needed where there are several.
    spectral_window : int or str, optional
        Row of the SPECTRAL_WINDOW table, or name; needed where there are several.
    data_description : int, optional
        Row of the DATA_DESCRIPTION table (spectral window and polarisation), in place of it.
    column : str
        Visibilities to read: ``DATA``, ``CORRECTED_DATA`` or another data column.
    hands : {"both", "either", "XX", "YY", "RR", "LL"}
        Parallel hands that Stokes I is made of.
    times, channels : tuple of int, optional
        Half-open ranges ``(start, stop)`` among the times that have cross-correlations, and
        among the channels; all if left out.

    Returns
    -------
    xarray.Dataset
        ``VISIBILITY`` (Jy), ``WEIGHT`` (1/Jy²) and ``FLAG`` with dimensions time, baseline_id,
        frequency and polarization; ``UVW`` (m) with time, baseline_id and uvw_label.  Cells
        without a usable visibility are flagged, of weight 0, and those without a row have a
        UVW of NaN.  ``baseline_id`` is the same for the same antennas in every range.

    Raises
    ------
    DataNotFoundError, DataError
        There is no such set, or it cannot be imaged.
    SpecError
        The set holds several fields or windows and none was chosen, or no such range.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from spectrum_workflows import load_spec, radio
    >>> with TemporaryDirectory() as folder:
    ...     [url] = radio.DOMAIN.make(load_spec("radio/vla_sim"), folder, size=5_000)
    ...     vis = radio.open(url, channels=(0, 4))
    >>> vis.VISIBILITY.dims, vis.VISIBILITY.units, vis.sizes["frequency"]
    (('time', 'baseline_id', 'frequency', 'polarization'), 'Jy', 4)
    """
    where = str(url).rstrip("/")
    if not any(map(storage.exists, (where, f"{where}/zarr.json"))):
        raise DataNotFoundError("no such data set", where, "name a Measurement Set or a Zarr set")
    reader = formats.reader_of(where)
    choice = Chosen(column, field, spectral_window, data_description, hands)
    observation = reader.describe(choice, where)
    if len(observation.windows) > 1:
        numbers = ", ".join(str(window.number) for window in observation.windows)
        message = f"several data descriptions are chosen: {numbers}"
        raise SpecError(message, where, "open one: data_description = N")
    for note in observation.notes:
        warnings.warn(note, stacklevel=2)
    chunk = _chunk(observation, times, channels)
    return _dataset(reader.read(chunk), observation, chunk)


def _chunk(
    observation: Observation, times: tuple[int, int] | None, channels: tuple[int, int] | None
) -> Chunk:
    """The part of a set that two ranges name."""
    [window] = observation.windows
    rows = window.rows_per_time
    time_start, time_stop = _range("times", times, len(rows))
    chan_start, chan_stop = _range("channels", channels, len(window.frequency))
    return Chunk(
        url=observation.url,
        column=observation.column,
        field=observation.field,
        data_description=window.number,
        time_start=time_start,
        time_stop=time_stop,
        chan_start=chan_start,
        chan_stop=chan_stop,
        size=int(rows[time_start:time_stop].sum()) * (chan_stop - chan_start),
        selection=observation.selection,
    )


def _range(name: str, asked: tuple[int, int] | None, count: int) -> tuple[int, int]:
    start, stop = (0, count) if asked is None else asked
    if not 0 <= start < stop <= count:
        raise SpecError(f"there are {count} {name}, no {start} to {stop}", name, "name fewer")
    return start, stop


def _dataset(data: Visibilities, observation: Observation, chunk: Chunk) -> xr.Dataset:
    """Rows as cells of times and baselines."""
    assert data.rows is not None
    antennas = observation.antennas.name
    count = max(len(antennas), 1 + int(max(data.rows.first.max(), data.rows.second.max())))
    pair = data.rows.first.astype(np.int64) * count + data.rows.second
    baselines, place = np.unique(pair, return_inverse=True)
    time = data.rows.time - chunk.time_start
    if len(np.unique(time.astype(np.int64) * len(baselines) + place)) < len(time):
        message = "rows repeat the time and baseline of another, which has no place in a dataset"
        raise DataError(message, observation.url, "remove them from the set")
    cells = (chunk.time_stop - chunk.time_start, len(baselines))
    shape = (*cells, len(data.frequency), 1)

    def placed(values: NDArray[Any], shape: tuple[int, ...], missing: Any) -> NDArray[Any]:
        out = np.full(shape, missing, values.dtype)
        out[time, place] = values.reshape(len(values), *shape[2:])
        return out

    dims = ("time", "baseline_id")
    weight = placed(data.weight, shape, 0)
    variables = {
        "VISIBILITY": ((*dims, *FULL), placed(data.visibility, shape, 0), {"units": "Jy"}),
        "WEIGHT": ((*dims, *FULL), weight, {"units": "1/Jy**2"}),
        "FLAG": ((*dims, *FULL), weight == 0),
        "UVW": ((*dims, "uvw_label"), placed(data.uvw, (*cells, 3), np.nan), {"units": "m"}),
    }
    [window] = observation.windows
    seconds = window.times[chunk.time_start : chunk.time_stop] - UNIX_EPOCH
    scale = {"type": "time", "units": "s", "format": "unix"}
    scale |= {"scale": observation.time_scale.lower()}
    coordinates: dict[str, Any] = {
        "time": ("time", seconds, scale),
        "baseline_id": ("baseline_id", baselines),
        "frequency": _frequency(data.frequency, window),
        "polarization": ("polarization", np.array(["I"])),
        "uvw_label": ("uvw_label", np.array(["u", "v", "w"])),
    }
    if antennas:
        for number, of in enumerate((baselines // count, baselines % count), start=1):
            names = np.array(antennas)[of]
            coordinates[f"baseline_antenna{number}_name"] = ("baseline_id", names)
    centre = direction(observation.phase_centre, observation.frame)
    about = attributes() | {
        "telescope": observation.telescope,
        "object_name": observation.object_name,
        "observation_info": {
            "observer": [observation.responsible.observer],
            "project_UID": observation.responsible.project,
        },
    }
    return xr.Dataset(variables | {DIRECTION: centre}, coordinates, about)


def _frequency(
    hertz: NDArray[np.float64], window: Window
) -> tuple[str, NDArray[np.float64], dict[str, Any]]:
    about: dict[str, Any] = {"type": "spectral_coord", "units": "Hz"}
    if observer := OBSERVERS.get(window.spectral_frame):
        about["observer"] = observer
    width = window.width
    if width is not None and np.isfinite(width).any():
        quantity = {"units": "Hz", "type": "quantity"}
        value = float(np.abs(width[np.isfinite(width)][0]))
        about["channel_width"] = {"attrs": quantity, "data": value, "dims": []}
    return "frequency", hertz, about
