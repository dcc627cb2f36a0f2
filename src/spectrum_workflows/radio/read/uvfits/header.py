"""The header of a UVFITS file: where in a group which number stands (AIPS memo 117)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.rows.conventions import STOKES
from spectrum_workflows.radio.types import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FLOATS = {-32: ">f4", -64: ">f8"}
"""FITS' BITPIX of floating point numbers, and NumPy's names."""

PROJECTIONS = {"", "SIN"}
"""Projections in whose coordinates a sky can be imaged."""


@dataclass(frozen=True)
class Axis:
    """A regular axis of the data: length, and the value at each place."""

    name: str
    length: int
    value: float
    reference: float
    step: float

    @property
    def values(self) -> NDArray[np.float64]:
        """The value at every place."""
        places = np.arange(self.length, dtype=np.float64) + 1 - self.reference
        return self.value + places * self.step


@dataclass(frozen=True)
class Parameter:
    """A random parameter: the sum of the scaled numbers at some places of a group.

    Numbers of the same name add up, so that single precision may hold more digits.
    """

    places: tuple[int, ...]
    scale: tuple[float, ...]
    zero: tuple[float, ...]

    def of(self, groups: NDArray[Any], *, without: float = 0.0) -> NDArray[np.float64]:
        """The parameter of every group, shape (n,), less a number."""
        total = np.full(len(groups), sum(self.zero) - without)
        for place, scale in zip(self.places, self.scale, strict=True):
            total += scale * groups[:, place].astype(np.float64)
        return total


@dataclass(frozen=True)
class Header:
    """The shape of a file's groups.

    Attributes
    ----------
    dtype : str
        Of all numbers.
    ngroup : int
    parameters : dict
        By name.
    nparameter : int
        Numbers before the data of a group.
    axes : tuple of Axis
        Of the data, the fastest first; the first is COMPLEX.
    metre : float
        What the coordinates are multiplied with to be in m.
    """

    dtype: str
    ngroup: int
    parameters: Mapping[str, Parameter]
    nparameter: int
    axes: tuple[Axis, ...]
    metre: float

    @property
    def numbers(self) -> int:
        """Numbers of a group."""
        return self.nparameter + int(np.prod([axis.length for axis in self.axes]))

    @property
    def group_bytes(self) -> int:
        """Bytes of a group."""
        return self.numbers * np.dtype(self.dtype).itemsize

    def axis(self, name: str) -> Axis:
        """An axis of the data; one of length 1 where there is none."""
        return next((axis for axis in self.axes if axis.name == name), Axis(name, 1, 1.0, 1.0, 1.0))

    @property
    def types(self) -> tuple[int, ...]:
        """Correlations by their number in a Measurement Set."""
        return tuple(STOKES.get(round(value), 0) for value in self.axis("STOKES").values)

    def data_of(self, groups: NDArray[Any]) -> NDArray[Any]:
        """The data of some groups: (n, IF, FREQ, STOKES, COMPLEX)."""
        lengths = [axis.length for axis in reversed(self.axes)]
        data = groups[:, self.nparameter :].reshape(len(groups), *lengths)
        names = [axis.name for axis in reversed(self.axes)]
        standard = ("IF", "FREQ", "STOKES", "COMPLEX")
        first = [1 + n for n, name in enumerate(names) if name not in standard]
        present = [name for name in standard if name in names]
        data = data.transpose(0, *first, *(1 + names.index(name) for name in present))
        data = data.reshape(len(groups), *data.shape[1 + len(first) :])
        for place, name in enumerate(standard):
            if name not in present:
                data = np.expand_dims(data, 1 + place)
        return data


def parsed(header: Any, url: str) -> Header:
    """Take the words of a primary header.

    Raises
    ------
    DataError
        They are not those of visibilities that can be imaged.
    """
    dtype = FLOATS.get(header["BITPIX"])
    if dtype is None:
        message = f"its numbers are integers (BITPIX {header['BITPIX']})"
        raise DataError(message, url, "write it in floating point (AIPS: FITTP, FORMAT = 3)")
    if (header.get("BSCALE", 1), header.get("BZERO", 0)) != (1, 0):
        scaled = f"BSCALE {header.get('BSCALE', 1)}, BZERO {header.get('BZERO', 0)}"
        raise DataError(
            f"its visibilities are scaled ({scaled})",
            url,
            "write it without (AIPS: FITTP, FORMAT = 3)",
        )
    axes = tuple(_axis(header, number) for number in range(2, header["NAXIS"] + 1))
    _check_axes(axes, url)
    count = header["PCOUNT"]
    names = [_name(header.get(f"PTYPE{n}", "")) for n in range(1, count + 1)]
    parameters = {name: _parameter(header, names, name) for name in names}
    coordinates, metre = _coordinates(parameters, axes, url)
    if "DATE" not in parameters:
        raise DataError("its groups have no parameter DATE", url, "write it again")
    if "BASELINE" not in parameters and not {"ANTENNA1", "ANTENNA2"} <= {*names}:
        raise DataError("its groups have no parameter BASELINE", url, "write it again")
    return Header(dtype, header["GCOUNT"], parameters | coordinates, count, axes, metre)


def _name(given: Any) -> str:
    """The name of a parameter; astropy puts ``_`` before one that is there already."""
    return str(given).strip().upper().lstrip("_")


def _axis(header: Any, number: int) -> Axis:
    return Axis(
        name=str(header.get(f"CTYPE{number}", "")).strip().upper(),
        length=int(header[f"NAXIS{number}"]),
        value=float(header.get(f"CRVAL{number}", 1)),
        reference=float(header.get(f"CRPIX{number}", 1)),
        step=float(header.get(f"CDELT{number}", 1)),
    )


def _check_axes(axes: tuple[Axis, ...], url: str) -> None:
    remedy = "write it again as AIPS memo 117 says"
    if not axes or axes[0].name != "COMPLEX" or axes[0].length not in (2, 3):
        raise DataError("its data do not begin with real, imaginary part and weight", url, remedy)
    for name in ("FREQ", "STOKES"):
        if name not in (axis.name for axis in axes):
            raise DataError(f"its data have no axis {name}", url, remedy)
    for axis in axes:
        if axis.length < 1 or (
            axis.length > 1 and axis.name not in ("COMPLEX", "FREQ", "STOKES", "IF")
        ):
            message = f"its axis {axis.name or 'without a name'} has length {axis.length}"
            raise DataError(message, url, remedy)


def _parameter(header: Any, names: list[str], name: str) -> Parameter:
    places = tuple(n for n, other in enumerate(names) if other == name)
    scale = tuple(float(header.get(f"PSCAL{n + 1}", 1)) for n in places)
    zero = tuple(float(header.get(f"PZERO{n + 1}", 0)) for n in places)
    return Parameter(places, scale, zero)


def _coordinates(
    parameters: Mapping[str, Parameter], axes: tuple[Axis, ...], url: str
) -> tuple[dict[str, Parameter], float]:
    """The baseline coordinates under the names u, v and w, and what makes metres of them.

    Their names are ``UU--``, in seconds, or ``UU-L``, in wavelengths at the file's frequency,
    and then the projection.
    """
    coordinates: dict[str, Parameter] = {}
    kinds = set()
    for letter in "uvw":
        twice = 2 * letter.upper()
        names = [name for name in parameters if name.startswith(twice)]
        if len(names) != 1:
            message = f"its groups have {'several parameters' if names else 'no parameter'} {twice}"
            raise DataError(message, url, "write it again")
        coordinates[letter] = parameters[names[0]]
        kinds.add(names[0][2:])
    unit, projection = (part.strip("-") for part in (_first(kinds)[:2], _first(kinds)[2:]))
    if len(kinds) > 1 or projection not in PROJECTIONS or unit not in ("", "L"):
        message = f"baseline coordinates {', '.join(sorted(f'UU{kind}' for kind in kinds))}"
        remedy = "write them in the projection SIN (AIPS: UVFIX), in seconds"
        raise DataError(f"{message} are not read", url, remedy)
    frequency = next(axis.value for axis in axes if axis.name == "FREQ")
    return coordinates, SPEED_OF_LIGHT / frequency if unit == "L" else SPEED_OF_LIGHT


def _first(kinds: set[str]) -> str:
    return sorted(kinds)[0]
