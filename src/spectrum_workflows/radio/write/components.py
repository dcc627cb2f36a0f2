"""CLEAN components of several scales as an ECSV table, which astropy and TOPCAT read, and back."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.types import ComponentList, sky_position

if TYPE_CHECKING:
    from spectrum_workflows.radio.types import ImagingResult

NAME = "components.ecsv"

SHAPE = "(1 - x^2) (1 + cos(pi x)) / 2 with x = 2 radius / diameter < 1, on pixels, of sum 1"
"""How an extended component is drawn; diameter 0 is a point."""


def encode(result: ImagingResult) -> bytes:
    """The components of all planes of a result; a column says the plane's number.

    A component stands on the pixel (row, column) from 0; right ascension and declination are
    that pixel's.
    """
    from astropy import units
    from astropy.table import Column, Table

    listed = [(p.plane.number, p.components) for p in result.planes if p.components is not None]
    middle, cell = result.geometry.npix // 2, result.geometry.cell
    plane = np.concatenate([np.full(len(own), number) for number, own in listed])
    row, column, diameter, flux = (
        np.concatenate([getattr(own, name) for _, own in listed])
        for name in ("row", "column", "diameter", "flux")
    )
    east, north = (middle - column) * cell, (row - middle) * cell
    sky = sky_position(east, north, result.observation.phase_centre)
    table = Table()
    table["plane"], table["row"], table["column"] = plane, row, column
    table["ra"] = Column(np.degrees(sky.right_ascension), unit=units.deg)
    table["dec"] = Column(np.degrees(sky.declination), unit=units.deg)
    table["diameter"] = Column(diameter, unit=units.arcsec)
    table["flux"] = Column(flux, unit=units.Jy)
    table.meta = {"origin": result.observation.origin} if result.observation.origin else {}
    table.meta |= {"image": result.name, "shape": SHAPE}
    text = io.StringIO()
    table.write(text, format="ascii.ecsv", delimiter=",")
    return text.getvalue().encode()


def decode(data: bytes, where: str) -> dict[int, ComponentList]:
    """The components in a file made by `encode`, by the number of their plane.

    Raises
    ------
    DataError
        It is not such a file.
    """
    from astropy.table import Table

    try:
        table = Table.read(data.decode().splitlines(), format="ascii.ecsv")
        plane = np.asarray(table["plane"], np.int64)
        place = [np.asarray(table[name], np.int64) for name in ("row", "column")]
        value = [np.asarray(table[name], np.float64) for name in ("diameter", "flux")]
        lists = {}
        for number in np.unique(plane).tolist():
            own = plane == number
            lists[number] = ComponentList(*(array[own] for array in (*place, *value)))
    except (ValueError, LookupError, TypeError) as error:
        message = f"not a list of components of this package ({type(error).__name__}: {error})"
        raise DataError(message, where, "run the workflow again") from error
    return lists
