"""All images of a result as a Zarr dataset in xradio's image schema."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from spectrum_workflows.radio.write.dataset import dataset_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spectrum_workflows.radio.types import ImagingResult

NAME = "images.zarr"

SIDE = 2048
"""Pixels along the side of a chunk, at most."""


def objects(result: ImagingResult) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the objects of the dataset, below `NAME`; metadata last."""
    import zarr
    from zarr.errors import UnstableSpecificationWarning

    contents: dict[str, Any] = {}
    store = zarr.storage.MemoryStore(contents)
    dataset = dataset_of(result)
    dataset.attrs["name"] = result.name
    sizes = {name: min(SIDE, dataset.sizes[name]) for name in ("l", "m")}
    chunks = {
        str(name): {"chunks": tuple(sizes.get(str(d), 1) for d in array.dims)}
        for name, array in dataset.variables.items()
        if {*array.dims} >= {"l", "m"}
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableSpecificationWarning)  # text; as xradio writes
        dataset.to_zarr(store, mode="w", encoding=chunks, zarr_format=3, consolidated=False)
    for key in sorted(contents, key=lambda key: (key == "zarr.json", key)):
        yield f"{NAME}/{key}", contents[key].to_bytes()
