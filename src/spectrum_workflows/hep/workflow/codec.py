"""Filled histograms as arrays and words, which a ledger keeps and reads back to the bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.engine import Codec, Written
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.eras import era_samples
from spectrum_workflows.hep.types import Events, FileRead, Filled
from spectrum_workflows.hep.types.luminosity import Blocks


def codec(spec: HepSpec) -> Codec[Filled]:
    """How the fills of a spec are kept; what the spec says of axes is not kept with them."""
    kinds = {
        (sample, title): name
        for sample, of in era_samples(spec).items()
        for (name, _), title in of.spec.titles.items()
    }
    return Codec(_written, lambda written, items: _read(written, items, spec, kinds))


def _written(filled: Filled, items: Sequence[Events]) -> Written:
    """Files are kept as numbers in the order of the items: a copy has another URL."""
    numbers = {place: n for n, place in enumerate(_files(items))}
    arrays: dict[str, NDArray[Any]] = {}
    for n, h in enumerate(filled.histograms.values()):
        arrays[f"h{n}"] = np.asarray(h.view(flow=True))
    for n, fates in enumerate(filled.fates.values()):
        arrays[f"f{n}"] = np.asarray(fates)
    for n, replicas in enumerate(filled.replicas.values()):
        arrays[f"r{n}"] = replicas
    for n, keys in enumerate(filled.lowest_keys.values()):
        arrays[f"k{n}"] = keys
    if filled.left:
        arrays["left"] = np.stack([*filled.left.values()])
    words: dict[str, Any] = {
        "histograms": [*map(list, filled.histograms)],
        "fates": [*map(list, filled.fates)],
        "left": [*map(list, filled.left)],
        "replicas": [*map(list, filled.replicas)],
        "lowest_keys": [*filled.lowest_keys],
        "selected": [[*key, int(n)] for key, n in filled.selected.items()],
        "events": [[sample, int(n)] for sample, n in filled.events.items()],
        "files": [],
    }
    for n, (place, file) in enumerate(filled.files.items()):
        listed = None
        if file.blocks is not None:
            listed = file.blocks.listed
            arrays[f"b{n}"] = np.stack([file.blocks.place, file.blocks.events, file.blocks.read])
        plain = asdict(replace(file, blocks=None)) | {"blocks": listed}
        words["files"].append([numbers[place], plain])
    return Written(arrays, words)


def _read(
    written: Written, items: Sequence[Events], spec: HepSpec, kinds: Mapping[tuple[str, str], str]
) -> Filled:
    """The fill of these items.

    Raises
    ------
    DataError, KeyError, ValueError
        It is of another spec.
    """
    words, arrays = written.words, written.arrays
    histograms = {}
    for n, (sample, title) in enumerate(words["histograms"]):
        h = histogram.empty(title, spec.histograms[kinds[sample, title]])
        view, kept = h.view(flow=True), arrays[f"h{n}"]
        if (kept.dtype, kept.shape) != (view.dtype, view.shape):
            raise DataError(f"histogram {title!r} of the ledger has other bins")
        view[...] = kept
        histograms[sample, title] = h
    places = _files(items)
    return Filled(
        histograms,
        {(sample, region): n for sample, region, n in words["selected"]},
        dict(words["events"]),
        {
            places[number]: _file(file, arrays.get(f"b{n}"))
            for n, (number, file) in enumerate(words["files"])
        },
        {(s, r, v): arrays[f"f{n}"] for n, (s, r, v) in enumerate(words["fates"])},
        left={(s, r): arrays["left"][n] for n, (s, r) in enumerate(words["left"])},
        replicas={(s, t): arrays[f"r{n}"] for n, (s, t) in enumerate(words["replicas"])},
        lowest_keys={s: arrays[f"k{n}"] for n, s in enumerate(words["lowest_keys"])},
    )


def _file(words: Mapping[str, Any], blocks: NDArray[Any] | None) -> FileRead:
    listed = words["blocks"]
    known = None if blocks is None else Blocks(blocks[0], blocks[1], blocks[2], listed)
    return FileRead(**{**words, "fallbacks_used": tuple(words["fallbacks_used"]), "blocks": known})


def _files(items: Sequence[Events]) -> list[tuple[str, str]]:
    """Sample and URL of every file, in the order of the items."""
    return [*dict.fromkeys((events.sample, events.url) for events in items)]
