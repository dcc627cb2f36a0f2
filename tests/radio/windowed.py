"""Sets of several spectral windows, made from one of a single window."""

from contextlib import suppress

import casacore.tables as casa
import numpy as np

from spectrum_workflows.radio.synthetic import measurement_set

COPIED = ("ANTENNA", "FEED", "FIELD", "OBSERVATION", "POLARIZATION")


def windowed(source, target, windows):
    """Copy a set, each window having the channels of the source that it lists.

    Rows are ordered by time, then window, then baseline.  All windows have as many channels.
    """
    [nchan] = {len(window) for window in windows}
    with casa.table(str(source), ack=False) as table:
        columns = {name: table.getcol(name) for name in filled(table)}
    step = np.unique(columns["TIME"], return_inverse=True)[1]
    rows = np.concatenate([np.arange(len(step))] * len(windows))
    number = np.repeat(np.arange(len(windows)), len(step))
    order = np.lexsort((rows, number, step[rows]))
    rows, number = rows[order], number[order]
    channels = np.array(windows)[number]
    with measurement_set._create(target, nchan) as main:
        main.addrows(len(rows))
        for name, values in columns.items():
            own = values[rows]
            if name in ("DATA", "FLAG"):
                own = np.take_along_axis(own, channels[..., None], axis=1)
            main.putcol(name, own)
        main.putcol("DATA_DESC_ID", number.astype(np.int32))
    for name in COPIED:
        copy_rows(f"{source}::{name}", f"{target}::{name}")
    for number in range(len(windows)):
        for name in ("SPECTRAL_WINDOW", "DATA_DESCRIPTION"):
            copy_rows(f"{source}::{name}", f"{target}::{name}")
        with casa.table(f"{target}::DATA_DESCRIPTION", readonly=False, ack=False) as table:
            table.putcell("SPECTRAL_WINDOW_ID", number, number)
        with casa.table(f"{target}::SPECTRAL_WINDOW", readonly=False, ack=False) as table:
            for name in ("CHAN_FREQ", "CHAN_WIDTH", "EFFECTIVE_BW", "RESOLUTION"):
                table.putcell(name, number, table.getcell(name, number)[windows[number]])
            table.putcell("NUM_CHAN", number, nchan)
            table.putcell("NAME", number, f"SPW{number}")
    return target


def filled(table):
    """The columns of a main table that hold values."""
    names = []
    for name in table.colnames():
        with suppress(RuntimeError):
            table.getcell(name, 0)
            names.append(name)
    return names


def copy_rows(source, target):
    """Append all rows of one table to another of the same columns."""
    with (
        casa.table(source, ack=False) as rows,
        casa.table(target, readonly=False, ack=False) as table,
    ):
        rows.copyrows(table)
