"""Filled histograms as arrays and words, which a ledger keeps and reads back to the bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import hist
import numpy as np
from numpy.typing import NDArray

from spectrum_workflows.engine import Codec, Written
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.exact.histograms import shape_of
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.eras import era_samples
from spectrum_workflows.hep.types import Events, FileRead, Filled
from spectrum_workflows.hep.types.luminosity import Blocks
from spectrum_workflows.hep.types.sums import ExactHistogram, ExactSums

if TYPE_CHECKING:
    from spectrum_workflows.hep.types.sums import Filling, Sums


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
    lowest = {
        "h": [_keep(arrays, f"h{n}", h) for n, h in enumerate(filled.histograms.values())],
        "f": [_keep(arrays, f"f{n}", sums) for n, sums in enumerate(filled.fates.values())],
        "l": [_keep(arrays, f"l{n}", sums) for n, sums in enumerate(filled.left.values())],
        "r": [_keep(arrays, f"r{n}", sums) for n, sums in enumerate(filled.replicas.values())],
    }
    for n, keys in enumerate(filled.lowest_keys.values()):
        arrays[f"k{n}"] = keys
    words: dict[str, Any] = {
        "lowest": lowest,
        "histograms": [*map(list, filled.histograms)],
        "fates": [*map(list, filled.fates)],
        "left": [*map(list, filled.left)],
        "replicas": [*map(list, filled.replicas)],
        "lowest_keys": [*filled.lowest_keys],
        "shared": [[*key, int(n)] for key, n in filled.shared.items()],
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
        histograms[sample, title] = _histogram(h, arrays[f"h{n}"], words["lowest"]["h"][n])

    def sums(kind: str, n: int) -> Sums:
        digits, lowest = arrays[f"{kind}{n}"], words["lowest"][kind][n]
        return digits if lowest is None else ExactSums(digits, lowest)

    places = _files(items)
    return Filled(
        histograms,
        {(sample, region): n for sample, region, n in words["selected"]},
        dict(words["events"]),
        {
            places[number]: _file(file, arrays.get(f"b{n}"))
            for n, (number, file) in enumerate(words["files"])
        },
        {(s, r, v): sums("f", n) for n, (s, r, v) in enumerate(words["fates"])},
        left={(s, r): sums("l", n) for n, (s, r) in enumerate(words["left"])},
        replicas={(s, t): sums("r", n) for n, (s, t) in enumerate(words["replicas"])},
        lowest_keys={s: arrays[f"k{n}"] for n, s in enumerate(words["lowest_keys"])},
        shared={(s, a, b): n for s, a, b, n in words["shared"]},
    )


def _keep(arrays: dict[str, NDArray[Any]], name: str, given: Sums | Filling) -> int | None:
    """Keep sums or a histogram as an array; place of the first digit, if they are exact."""
    sums = given.sums if isinstance(given, ExactHistogram) else given
    if isinstance(sums, ExactSums):
        arrays[name] = sums.digits
        return sums.lowest
    arrays[name] = np.asarray(sums.view(flow=True) if isinstance(sums, hist.Hist) else sums)
    return None


def _histogram(empty: hist.Hist, kept: NDArray[Any], lowest: int | None) -> Filling:
    """A histogram that was kept.

    Raises
    ------
    DataError
        It has other bins.
    """
    view = empty.view(flow=True)
    if lowest is None:
        alike = kept.dtype == view.dtype and kept.shape == view.shape
    else:
        alike = kept.dtype == np.int64 and kept.shape[:-1] == shape_of(empty)
    if not alike:
        raise DataError(f"histogram {empty.name!r} of the ledger has other bins")
    if lowest is not None:
        return ExactHistogram(empty, ExactSums(kept, lowest))
    view[...] = kept
    return empty


def _file(words: Mapping[str, Any], blocks: NDArray[Any] | None) -> FileRead:
    listed = words["blocks"]
    known = None if blocks is None else Blocks(blocks[0], blocks[1], blocks[2], listed)
    return FileRead(**{**words, "fallbacks_used": tuple(words["fallbacks_used"]), "blocks": known})


def _files(items: Sequence[Events]) -> list[tuple[str, str]]:
    """Sample and URL of every file, in the order of the items."""
    return [*dict.fromkeys((events.sample, events.url) for events in items)]
