"""Synthetic data for the specs that describe some, made once and never over real data."""

from __future__ import annotations

import json
from typing import Any

from spectrum_workflows import catalogue, domain, progress, storage
from spectrum_workflows.errors import DataError, SpectrumError
from spectrum_workflows.sites import Place


def make_data(
    spec: Any, place: Place, *, size: int | None = None, overwrite: bool = False
) -> list[str]:
    """Write the synthetic data a spec names below the place's data root.

    What was made before by the same recipe is kept.  A small file beside the
    data, ``NAME.synthetic.json``, says what was made and how: without it,
    existing files are somebody's own, and are never replaced.

    Parameters
    ----------
    spec : model
        A spec with a ``[synthetic]`` table.
    place : Place
    size : int, optional
        How much, in the science's own measure; the spec's own otherwise.
    overwrite : bool
        Replace what was made before by another recipe.

    Returns
    -------
    list of str
        URLs of the input, made or found.

    Raises
    ------
    DataError
        Input is there that was not made here, or made by another recipe; or a file would
        have the name of a published one.
    OutputError
        The data root cannot be written to.
    """
    science = domain.get(spec.workflow)
    note = storage.join(place.data, f"{spec.name}.synthetic.json")
    with storage.using(place.stores), progress.shown() as report:
        inputs = science.inputs(spec, place.data)
        _check_unpublished(inputs, place.data)
        before = _noted(note)
        existing = [url for url in inputs if science.is_there(url)]
        _check_own(existing, before, place.data)
        recipe = science.recipe(spec)
        size_before = before.get("recipe", {}).get("size")
        if existing and not overwrite:
            asked = {"size": size or size_before} | recipe
            if _same(before["recipe"], asked) and len(existing) == len(inputs):
                return inputs
            raise DataError(
                "the synthetic data here was made otherwise, or is incomplete",
                note,
                "--overwrite makes it anew",
            )
        made = science.make(spec, place.data, size=size, report=report)
        names = [_name(url, place.data) for url in made]
        text = json.dumps({"recipe": {"size": size} | recipe, "names": names}, indent=1)
        storage.write_bytes(note, text.encode())
        return made


def _noted(note: str) -> dict[str, Any]:
    """What was made before, and how; nothing where that is not known, or the note is damaged."""
    try:
        before = json.loads(storage.read_bytes(note)) if storage.exists(note) else {}
        return {"recipe": dict(before["recipe"]), "names": list(map(str, before["names"]))}
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, SpectrumError):
            raise
        return {}


def _same(before: dict[str, Any], recipe: dict[str, Any]) -> bool:
    """Whether data was made so; what an older version did not write down is not compared."""
    return all((recipe.get(key) or None) == (value or None) for key, value in before.items())


def _name(url: str, data: str) -> str:
    """A URL below the data root without that root, which may be written in several ways."""
    return url.removeprefix(data.rstrip("/") + "/")


def _stem(name: str) -> str:
    """A name without its suffix: what was made is the same in another form."""
    return name.rpartition(".")[0]


def _check_unpublished(inputs: list[str], data: str) -> None:
    """Refuse to make a file that anybody would take for a published one."""
    published = catalogue.published(data)
    for url in inputs:
        if entry := published.get(catalogue.plain_name(url.rpartition("/")[2])):
            raise DataError(
                f"this is the name of a published file, of {catalogue.PREFIX}{entry}",
                url,
                "give generated data another name in the spec",
            )


def _check_own(existing: list[str], before: dict[str, Any], data: str) -> None:
    own = {_stem(name) for name in before.get("names", ())}
    foreign = sorted(url for url in existing if _stem(_name(url, data)) not in own)
    if foreign:
        raise DataError(
            "this file is not synthetic data of this spec, and stays as it is",
            foreign[0],
            "give another folder with --data",
        )
