"""A file that looks like a real NanoAOD file of top pairs, where there is no real one.

``nanoaod_like.json`` holds what was measured of 1,000 real events: of every event
how many electrons, muons and jets it has that are good in the sense of the AGC's
selection (jets also with or without b-tag), how many that are too soft and how
many that are hard and bad; of every branch the percentiles of its numbers, or how
often each of a few occurs, apart for each of these kinds.  Events are drawn from
the former, their numbers from the latter.  So the selection takes what it takes of
the real file, and every event has as much to unpack.

    python benchmarks/nanoaod_like.py OUTPUT [--events N]     write such a file
    python benchmarks/nanoaod_like.py --measure NANOAOD       measure anew
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from nanoaod_layout import columns, truncated

TABLE = Path(__file__).with_suffix(".json")
EVENTS, SEED, DIGITS = 20_000, 1, 4
PT, TAG = 30.0, 0.5  # the selection's own
PERCENTILES = np.array([0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100])

Array = NDArray[Any]


def good(group: str, f: Mapping[str, Any]) -> Any:
    """Which objects the AGC's selection takes, whatever their pt."""
    if group == "Electron":
        return (abs(f["eta"]) < 2.1) & (f["cutBased"] == 4) & (f["sip3d"] < 4)
    if group == "Muon":
        isolated = f["pfRelIso04_all"] < 0.15
        return (abs(f["eta"]) < 2.1) & (f["tightId"] > 0) & (f["sip3d"] < 4) & isolated
    return (abs(f["eta"]) < 2.4) & (f["jetId"] == 6)


def kinds(group: str, f: Mapping[str, Any]) -> dict[str, Any]:
    """Which objects of a collection are of which kind; every one is of exactly one."""
    hard, taken = f["pt"] > PT, good(group, f)
    found = {"soft": ~hard, "bad": hard & ~taken}
    if group != "Jet":
        return found | {"good": hard & taken}
    tagged = f["btagCSVV2"] > TAG
    return found | {"tagged": hard & taken & tagged, "untagged": hard & taken & ~tagged}


def measured(path: str) -> dict[str, Any]:
    """What the table holds, of a real file."""
    with uproot.open(path) as file:
        tree = file["Events"]
        keep = columns(tree)
        whole = tree.arrays([branch for fields in keep.values() for branch in fields.values()])
    counts: dict[str, dict[str, str]] = {}
    numbers: dict[str, Any] = {"": {b: shape_of(whole[b]) for b in keep.pop("").values()}}
    for group, fields in keep.items():
        found = kinds(group, {f: whole[b] for f, b in fields.items()})
        counts[group] = {kind: digits(ak.sum(mask, axis=1)) for kind, mask in found.items()}
        numbers[group] = {
            kind: {f: shape_of(ak.flatten(whole[b][mask])) for f, b in fields.items()}
            for kind, mask in found.items()
        }
    return {"percentiles": PERCENTILES.tolist(), "counts": counts, "numbers": numbers}


def digits(numbers: Any) -> str:
    """One character per event, 0 to 9 and then letters."""
    return "".join(np.base_repr(n, 36) for n in numbers)


def shape_of(array: Any) -> dict[str, Any]:
    """Type of some numbers, and their percentiles or how often each occurs."""
    values = ak.to_numpy(array)
    if values.dtype == np.float32:
        found = np.percentile(values, PERCENTILES)
        return {"type": "float32", "percentiles": [float(f"{x:.{DIGITS}g}") for x in found]}
    each, times = np.unique(values, return_counts=True)
    if len(each) > len(values) // 2:  # they name events
        each, times = each[:1], times[:1]
    return {"type": str(values.dtype), "values": each.tolist(), "times": times.tolist()}


def drawn(shape: Mapping[str, Any], percentiles: Array, n: int, rng: np.random.Generator) -> Array:
    """Numbers like those measured; shape (n,)."""
    if "percentiles" in shape:
        values = np.interp(rng.uniform(0, 100, n), percentiles, shape["percentiles"])
        return truncated(values.astype(np.float32))
    share = np.array(shape["times"], float)
    values = rng.choice(np.array(shape["values"]), n, p=share / share.sum())
    return values.astype(shape["type"])


def objects(
    group: str, kind: str, shapes: Mapping[str, Any], percentiles: Array, n: int, rng: Any
) -> dict[str, Array]:
    """Fields of ``n`` objects of one kind; numbers that are drawn apart may make a good one."""
    enough = 4 * n if kind == "bad" else n
    fields = {f: drawn(shape, percentiles, enough, rng) for f, shape in shapes.items()}
    if kind != "bad":
        return fields
    kept = np.flatnonzero(~good(group, fields))[:n]
    assert len(kept) == n, (group, kind)
    return {f: values[kept] for f, values in fields.items()}


def collection(
    group: str, shapes: Mapping[str, Any], counts: Mapping[str, Array], percentiles: Array, rng: Any
) -> ak.Array:
    """Objects of all kinds, by event and then falling pt; shape (n_events, var)."""
    event = np.concatenate([np.repeat(np.arange(len(n)), n) for n in counts.values()])
    parts = [
        objects(group, kind, shapes[kind], percentiles, int(n.sum()), rng)
        for kind, n in counts.items()
    ]
    fields = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((-fields["pt"], event))
    flat = ak.zip({name: values[order] for name, values in fields.items()})
    return ak.unflatten(flat, sum(counts.values()))


def write(path: str, *, events: int = EVENTS, seed: int = SEED, cluster: int = 0) -> None:
    """Write a file of generated events, in clusters of so many: one, if that is 0."""
    table, rng = json.loads(TABLE.read_text()), np.random.default_rng(seed)
    with uproot.recreate(path, compression=uproot.ZSTD(5)) as file:
        tree = None
        for start in range(0, events, cluster or events):
            stop = min(start + (cluster or events), events)
            content = drawn_events(table, start, stop, rng)
            if tree is None:
                tree = file.mktree("Events", {n: ak.Array(c).type for n, c in content.items()})
            tree.extend(content)


def drawn_events(table: Mapping[str, Any], start: int, stop: int, rng: Any) -> dict[str, Any]:
    """Collections and numbers of some events."""
    percentiles = np.array(table["percentiles"])
    known = {
        group: {kind: np.array([int(c, 36) for c in text]) for kind, text in found.items()}
        for group, found in table["counts"].items()
    }
    events = stop - start
    draw = rng.integers(0, len(known["Jet"]["soft"]), events)
    content: dict[str, Any] = {}
    for group, found in known.items():
        counts = {kind: numbers[draw] for kind, numbers in found.items()}
        content[group] = collection(group, table["numbers"][group], counts, percentiles, rng)
    for branch, shape in table["numbers"][""].items():
        content[branch] = drawn(shape, percentiles, events, rng)
    content["event"] = np.arange(start + 1, stop + 1).astype(np.uint64)
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", nargs="?")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--measure", metavar="NANOAOD")
    args = parser.parse_args()
    if args.measure:
        TABLE.write_text(json.dumps(measured(args.measure)) + "\n")
    if args.output:
        write(args.output, events=args.events)


if __name__ == "__main__":
    main()
