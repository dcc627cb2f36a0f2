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
    with casa.table(f"{source}::SPECTRAL_WINDOW", ack=False) as table:
        frequency, width = (table.getcell(name, 0) for name in ("CHAN_FREQ", "CHAN_WIDTH"))
    for number, window in enumerate(windows):
        add_window(source, target, number, frequency[window], width[window])
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


def parted(source, target, parts):
    """A set whose windows have rows of their own: those of each `Columns`, at its frequencies.

    Rows are ordered by time, then window; subtables are those of the source.
    """
    number = np.repeat(np.arange(len(parts)), [len(part.time) for part in parts])
    time = np.concatenate([part.time for part in parts])
    order = np.lexsort((number, time))
    one_shape = len({len(part.frequency) for part in parts}) == 1

    def column(name):
        return np.concatenate([getattr(part, name) for part in parts])[order]

    hands = parts[0].weight.shape[-1]
    weight = np.concatenate(
        [part.weight.reshape(len(part.time), -1, hands)[:, 0] for part in parts]
    )
    with measurement_set._create(target, len(parts[0].frequency) if one_shape else None) as main:
        main.addrows(len(order))
        for name in ("TIME", "TIME_CENTROID"):
            main.putcol(name, time[order])
        for name in ("INTERVAL", "EXPOSURE"):
            main.putcol(name, column("exposure"))
        for name, values in (("ANTENNA1", "first"), ("ANTENNA2", "second"), ("UVW", "uvw")):
            main.putcol(name, column(values))
        main.putcol("DATA_DESC_ID", number[order].astype(np.int32))
        main.putcol("WEIGHT", weight[order].astype(np.float32))
        for name in ("DATA", "FLAG"):
            cells = [cell for part in parts for cell in getattr(part, name.lower())]
            for row, cell in enumerate(order.tolist()):
                main.putcell(name, row, cells[cell])
    for name in COPIED:
        copy_rows(f"{source}::{name}", f"{target}::{name}")
    for number, part in enumerate(parts):
        width = np.full(len(part.frequency), np.diff(part.frequency).mean())
        add_window(source, target, number, part.frequency, width)
    return target


def add_window(source, target, number, frequency, width):
    """Append a spectral window and its data description, otherwise like those of a source."""
    for name in ("SPECTRAL_WINDOW", "DATA_DESCRIPTION"):
        copy_rows(f"{source}::{name}", f"{target}::{name}")
    with casa.table(f"{target}::DATA_DESCRIPTION", readonly=False, ack=False) as table:
        table.putcell("SPECTRAL_WINDOW_ID", number, number)
    with casa.table(f"{target}::SPECTRAL_WINDOW", readonly=False, ack=False) as table:
        table.putcell("CHAN_FREQ", number, frequency)
        for name in ("CHAN_WIDTH", "EFFECTIVE_BW", "RESOLUTION"):
            table.putcell(name, number, width)
        table.putcell("NUM_CHAN", number, len(frequency))
        table.putcell("NAME", number, f"SPW{number}")
