"""The formats that are read; another one is one more reader in this list.

One that is a single file has its `suffixes`, too; how it is written as a Zarr set is said in
`spectrum_workflows.radio.convert.converting`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.radio.read.msv2 import MSV2
from spectrum_workflows.radio.read.msv4 import MSV4
from spectrum_workflows.radio.read.suffixes import ONE_FILE
from spectrum_workflows.radio.read.uvfits import UVFITS
from spectrum_workflows.radio.read.uvh5 import UVH5

if TYPE_CHECKING:
    from spectrum_workflows.radio.read.reader import Reader

__all__ = ["ONE_FILE", "READERS", "reader_of"]

READERS: tuple[Reader, ...] = (MSV4, UVFITS, UVH5, MSV2)
"""In the order in which a data set is looked for; the last one says what is wrong with a
folder that is no set."""


def reader_of(url: str) -> Reader:
    """The reader for a set that is there."""
    return next((reader for reader in READERS if reader.recognises(url)), READERS[-1])
