"""Walking through a Measurement Set, in a process of its own that `probing` starts or forks.

casacore ends the process on some damaged tables.  This file imports casacore
and nothing of the package, so that a process that may die is there at once.
It says where it is; what it cannot read without dying is left to the reader.
"""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import casacore.tables as casa

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 1 << 17
FAR = 1 << 20
"""Rows at the beginning and at the end that are read."""


def walk(path: str, say: Callable[[str], None]) -> None:
    """Touch all that an image or a conversion reads, but for the visibilities.

    Parameters
    ----------
    path : str
        Folder of the set.
    say : callable
        Is told what is touched next.
    """
    links: list[str] = []
    with suppress(Exception), casa.table(path, ack=False, lockoptions="usernoread") as table:
        links = [str(value) for value in table.getkeywords().values()]
    _table(path, "main table", say)
    for link in links:
        if link.startswith("Table: "):
            name = link.removeprefix("Table: ")
            _table(name, name.rpartition("/")[2], say)


def _table(path: str, name: str, say: Callable[[str], None]) -> None:
    say(name)
    with suppress(Exception), casa.table(path, ack=False, lockoptions="usernoread") as table:
        table.getdminfo()
        for column in table.colnames():
            say(f"{column} of {name}")
            with suppress(Exception):
                _column(table, column)


def _column(table: casa.table, column: str) -> None:
    table.getcolkeywords(column)
    nrow = table.nrows()
    begins = {*range(0, min(nrow, FAR), ROWS), *range(max(0, nrow - FAR), nrow, ROWS)}
    large = table.isvarcol(column) or column.endswith(("DATA", "FLAG", "SPECTRUM"))
    for start in sorted(begins):
        count = min(ROWS, nrow - start)
        for row in (start, start + count - 1):
            with suppress(Exception):
                table.getcell(column, row)
        with suppress(Exception):
            if not large or table.isscalarcol(column) or _is_small(table, column, start, count):
                table.getcol(column, start, count)
            else:
                table.getcolshapestring(column, start, count)


def _is_small(table: casa.table, column: str, start: int, count: int) -> bool:
    """Whether the cells of some rows are a few numbers each, and as many in each.

    casacore writes beyond its memory where cells that are read together differ in shape.
    """
    if table.getcell(column, start).size > 16:
        return False
    return len(set(table.getcolshapestring(column, start, count))) == 1


def _print(where: str) -> None:
    sys.stdout.write(f"{where}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    walk(sys.argv[1], _print)
    gc.freeze()  # or Python looks for garbage several times while it ends
