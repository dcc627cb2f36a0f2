"""Declarations of a spec and its data to the rest of the package, which knows no science."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spectrum_workflows import storage

if TYPE_CHECKING:
    from spectrum_workflows.radio.spec import RadioSpec

LIBRARIES = ("astropy", "ducc0", "h5py", "numba", "python-casacore", "scipy", "xarray", "zarr")
"""Distributions whose versions matter to a result."""


LATER = {"windows": [], "hands": "both", "fields": [], "turns": 1, "format": "ms"}
"""Keys of ``synthetic`` that came after the others, and what they are where not given."""


def references(spec: RadioSpec) -> tuple[str, ...]:
    """The data set as the spec names it, which may be an entry of the catalogue."""
    return (spec.data_set,)


def recipe(spec: RadioSpec) -> dict[str, Any]:
    """The table of what is simulated, without keys that earlier versions had not, if not given.

    So what they made is known for what it is.
    """
    table = spec.synthetic.model_dump(mode="json") if spec.synthetic else None
    if table is None:
        return {"synthetic": None}
    for name, value in LATER.items():
        if table[name] == value:
            del table[name]
    for source in table["sources"]:
        if source["ring_arcsec"] is None:
            del source["ring_arcsec"]
    return {"synthetic": table}


def is_there(url: str) -> bool:
    """Whether a set exists; of a Zarr set its metadata: not every store has folders."""
    return storage.exists(f"{url}/zarr.json" if url.endswith(".zarr") else url)


def is_convertible(url: str) -> bool:
    """Whether something is a set that can be written as a Zarr set."""
    from spectrum_workflows.radio.read.formats import READERS
    from spectrum_workflows.radio.read.msv4 import MSV4

    return any(reader.recognises(url) for reader in READERS if reader is not MSV4)


def remarks(numbers: Mapping[str, Any]) -> str:
    """Remarks on a conversion: what was there before, and what it left out."""
    left_out = ", ".join(numbers.get("left_out", ()))
    line = f", {numbers['kept']} blocks were there" if numbers.get("kept") else ""
    return line + (f"; left out, not filled in every row: {left_out}" if left_out else "")


OF_THE_RESULT = {"name", "products", "synthetic"}
"""Keys of what is made of the images, or of the set."""


def numbers(spec: RadioSpec) -> dict[str, Any]:
    """What of a spec decides its images."""
    return spec.model_dump(mode="json", exclude=OF_THE_RESULT)
