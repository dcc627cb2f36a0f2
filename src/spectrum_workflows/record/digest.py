"""The digest: one number for a scientific result."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spectrum_workflows.domain import Arrays


CHUNK = 2**16
"""Numbers taken at a time, few enough for a processor's cache."""


def digest(arrays: Arrays) -> str:
    """SHA-256 over named float64 arrays, the same wherever they were computed.

    Covers, in order of name: name, dtype, shape and the C-order bytes, with
    one bit pattern for zero and one for NaN.  Nothing is rounded, and no time,
    URL or version enters.

    Parameters
    ----------
    arrays : mapping of str to ndarray

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], dtype="<f8")
        total.update(f"{name}\0<f8\0{array.shape}\0".encode())
        flat = np.ascontiguousarray(array).reshape(-1)
        for start in range(0, flat.size, CHUNK):
            plain = flat[start : start + CHUNK] + 0.0  # -0 becomes 0, and this is a copy
            plain[np.isnan(plain)] = np.nan
            total.update(plain.data)
    return total.hexdigest()
