"""Results of one field or of several, as the engine asks for them.

One field's files and arrays have their own names. Those of several stand in a folder for each:
``NAME/image.fits`` is a file, and ``NAME/image`` an array, of the field NAME. ``fields.json``
lists the folders.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.domain.panel import Panel
from spectrum_workflows.domain.plain_result import import_xarray
from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import plot as pictured
from spectrum_workflows.radio import results
from spectrum_workflows.radio.types import FieldResults, ImagingResult
from spectrum_workflows.radio.write import dataset as written
from spectrum_workflows.radio.write import reading_back

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from spectrum_workflows.radio.spec import RadioSpec

    Result = ImagingResult | FieldResults

LIST = "fields.json"
"""The folders of several fields, in their order."""


def by_folder(result: Result) -> dict[str, ImagingResult]:
    """What was made of each field, by its folder; of one alone there is none (an empty name)."""
    if isinstance(result, ImagingResult):
        return {"": result}
    return dict(zip(result.folders, result.fields, strict=True))


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _of(result: Result, name: str) -> tuple[ImagingResult, str]:
    """The field that a name belongs to, and what it is called there."""
    folder, _, plain = name.rpartition("/")
    return by_folder(result)[folder], plain


def arrays(result: Result) -> dict[str, NDArray[np.float64]]:
    """The images that were made, by name: see `results.arrays`."""
    return {
        _below(folder, name): array
        for folder, own in by_folder(result).items()
        for name, array in results.arrays(own).items()
    }


def summary(result: Result) -> dict[str, Any]:
    """The numbers a person asks for first, of every field: see `results.summary`."""
    if isinstance(result, ImagingResult):
        return results.summary(result)
    told = {}
    for folder, own in by_folder(result).items():
        observation = own.observation
        numbers = results.summary(own)
        numbers.pop("origin", None)
        told[folder] = {
            "field": observation.field,
            "name": observation.object_name,
            "phase_centre_deg": np.degrees(observation.phase_centre).tolist(),
            **numbers,
        }
    origin = result.fields[0].observation.origin
    return {"fields": told} | ({"origin": origin} if origin else {})


def table(result: Result) -> list[dict[str, Any]]:
    """A record for every plane of every field: see `results.table`."""
    if isinstance(result, ImagingResult):
        return results.table(result)
    return [
        {"field": folder} | record
        for folder, own in by_folder(result).items()
        for record in results.table(own)
    ]


def warnings(result: Result) -> tuple[str, ...]:
    """Warnings of a result about itself."""
    return tuple(
        f"{folder}: {line}" if folder else line
        for folder, own in by_folder(result).items()
        for line in results.warnings(own)
    )


def files(result: Result) -> Iterator[tuple[str, bytes]]:
    """All numbers to be saved: see `results.files`."""
    if isinstance(result, FieldResults):
        yield LIST, json.dumps(result.folders).encode()
    for folder, own in by_folder(result).items():
        for name, data in results.files(own):
            yield _below(folder, name), data


def pictures(result: Result) -> Iterator[tuple[str, Figure]]:
    """Pictures beside the numbers: see `results.pictures`; and all fields side by side."""
    if isinstance(result, FieldResults):
        yield "fields.png", plot(result)
    for folder, own in by_folder(result).items():
        for name, figure in results.pictures(own):
            yield _below(folder, name), figure


def _folders(run: str) -> tuple[str, ...]:
    """The folders of the fields in the folder of a run.

    Raises
    ------
    DataError
        The list of them is none.
    """
    url = storage.join(run, LIST)
    if storage.exists(storage.join(run, "dirty.fits")) or not storage.exists(url):
        return ("",)
    try:
        listed = json.loads(storage.read_bytes(url))
    except ValueError as error:
        raise DataError(f"not a list of fields ({error})", url, "run it again") from None
    if not isinstance(listed, list) or not all(_is_name(name) for name in listed):
        raise DataError("not a list of fields", url, "run it again")
    return tuple(listed)


def _is_name(name: Any) -> bool:
    """Whether it is the name of a folder, and of none elsewhere."""
    return isinstance(name, str) and bool(name) and "/" not in name and name not in (".", "..")


def read(run: str) -> dict[str, NDArray[np.float64]]:
    """The arrays back from the files of a run."""
    return {
        _below(folder, name): array
        for folder in _folders(run)
        for name, array in results.read(storage.join(run, folder) if folder else run).items()
    }


def axes(run: str) -> dict[str, Any]:
    """Positions of the pixels of a run's images, which two runs must agree in."""
    return {
        _below(folder, name): value
        for folder in _folders(run)
        for name, value in results.axes(storage.join(run, folder) if folder else run).items()
    }


def load(run: str, spec: RadioSpec, summary: Mapping[str, Any]) -> Result:
    """The result back from its files: see `reading_back.load`."""
    if "fields" not in summary:
        return reading_back.load(run, spec, summary)
    fields = []
    for folder, numbers in summary["fields"].items():
        lines = [line for line in summary.get("warnings", ()) if line.startswith(f"{folder}: ")]
        told = {**numbers, "warnings": [line.removeprefix(f"{folder}: ") for line in lines]}
        own = reading_back.load(storage.join(run, folder), spec, told)
        observation = replace(own.observation, field=numbers["field"])
        fields.append(replace(own, observation=observation))
    return FieldResults(spec.name, tuple(fields))


def dataset(result: Result) -> Any:
    """All images as a dataset, or of several fields as a tree: see `write.dataset.dataset_of`."""
    if isinstance(result, ImagingResult):
        return written.dataset_of(result)
    own = {f"/{folder}": written.dataset_of(one) for folder, one in by_folder(result).items()}
    return import_xarray().DataTree.from_dict(own, name=result.name)


def shown(result: Result) -> tuple[str, ...]:
    """The names of what can be shown: see `plot.shown`."""
    every = by_folder(result).items()
    return tuple(_below(folder, name) for folder, own in every for name in pictured.shown(own))


def show(
    panels: Sequence[Panel[Result]], *, region: tuple[float, ...] | None, common: bool
) -> Figure:
    """Images side by side: see `plot.show`."""
    own = [Panel(panel.title, *_of(panel.result, panel.name)) for panel in panels]
    return pictured.show(own, region=region, common=common)


def explore(result: Result, name: str) -> Any:
    """An image to explore: see `plot.explore`."""
    return pictured.explore(*_of(result, name))


def plot(result: Result) -> Figure:
    """The image, or those of several fields side by side, each on its own scale."""
    if isinstance(result, ImagingResult):
        return pictured.plot(result)
    panels = [
        Panel(folder, own, pictured.shown(own)[0]) for folder, own in by_folder(result).items()
    ]
    return pictured.show(panels, region=None, common=False)
