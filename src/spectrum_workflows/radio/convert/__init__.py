"""Sets of visibilities to Zarr in the MSv4 schema, for file systems and object stores.

xradio has a converter too; it cannot be resumed and writes all channels of a time
into one chunk unless told otherwise, and it brings a second casacore into the
process.  What both write is the same schema, which a test compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spectrum_workflows.radio.convert.layout import OUTPUT_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spectrum_workflows.domain import Report

__all__ = ["convert"]


def convert(
    source: str,
    target: str,
    *,
    columns: Sequence[str] = (),
    output_channels: int = OUTPUT_CHANNELS,
    overwrite: bool = False,
    report: Report | None = None,
) -> dict[str, Any]:
    """Write a Measurement Set, or a UVFITS or UVH5 file, as a Zarr set in the MSv4 schema.

    Memory does not grow with the set: one block of at most `layout.BLOCK_BYTES`
    of visibilities is held at a time.  A conversion that was interrupted goes
    on where it was; until it is complete nothing can open the target.

    Parameters
    ----------
    source : str
        A Measurement Set on a local file system; a UVFITS or UVH5 file, there or in a store.
    target : str
        URL ending in ``.zarr``.
    columns : sequence of str
        Data columns; all that the set has if none are given.
    output_channels : int
        Pieces the frequency axis is cut into: a reader of one such piece moves
        nothing of the others.
    overwrite : bool
        Replace what is at the target.
    report : callable, optional
        ``report("convert", done, total)`` in visibilities.

    Returns
    -------
    dict
        ``url``, ``left_out``: data columns without a value in some row, ``bytes`` stored by
        this call, ``parts``, ``visibilities``, and
        ``kept``: blocks that an earlier call had stored.

    Raises
    ------
    DataNotFoundError, DataError
        The source cannot be converted, or something else is at the target.
    SpecError
        A column or number that makes no sense.
    OutputError
        The target cannot be written to.
    """
    from spectrum_workflows.radio.convert import converting  # xarray and pandas take a second

    return converting.write(
        source,
        target,
        columns=columns,
        output_channels=output_channels,
        overwrite=overwrite,
        report=report,
    )
