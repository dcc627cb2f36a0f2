"""Bootstrap a large NanoAOD-like file from a small one, for timing.

Events are drawn with replacement from the given file (or from a generated one,
see nanoaod_like.py), so that multiplicities, selected fractions and branch
types are those of the source; the layout is that of a production file: 60
branches, ZSTD level 5, float mantissas cut to 10 bits, clusters of 100,000
events or as many as one likes.

No event comes twice: every float is multiplied by a number of its own, normal
about 1, before its mantissa is cut, and run, luminosity block and event number
are counted anew.  A file of repeated events would be compressed into references
to earlier ones, and be read faster than any real file is.

    python benchmarks/bootstrap_hep.py OUTPUT [--source FILE] [--events N] [--cluster N]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

import nanoaod_like
from nanoaod_layout import columns, truncated

CLUSTER, DRAWN = 100_000, 100_000
"""Events per cluster, and events that are drawn at once, whatever the clusters."""

SPREAD = 1e-2
"""Width of what a float is multiplied by, ten steps of the mantissa that is kept: with one
step (1e-3) rows of equal numbers are left for the compression to find, 2.7 to 1 instead of 2.3."""

BLOCK = 100
"""Events per luminosity block, which come in any order, as in real files."""


def varied(array: ak.Array, rng: np.random.Generator) -> ak.Array:
    """An array whose floats are each their own and truncated; everything else as it is."""

    def changed(layout: Any, **_: Any) -> Any:
        if not layout.is_numpy or layout.data.dtype != np.float32:
            return None
        factor = 1 + SPREAD * rng.standard_normal(len(layout.data), np.float32)
        return ak.contents.NumpyArray(truncated(layout.data * factor))

    return ak.transform(changed, array)


def counted(start: int, stop: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Numbers that name events ``start <= k < stop``: no two are named alike."""
    k = np.arange(start, stop)
    block = k // BLOCK
    order = np.lexsort((rng.random(len(k)), block))
    return {
        "run": np.ones(len(k), np.uint32),
        "luminosityBlock": (1 + block).astype(np.uint32),
        "event": (1 + k[order]).astype(np.uint64),
    }


def bootstrap(
    source: str,
    output: str,
    *,
    events: int,
    cluster: int = CLUSTER,
    seed: int = 1,
    keep: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """Write ``events`` events drawn with replacement; return the branch names.

    Parameters
    ----------
    source, output : str
        ROOT files; the source has a tree named ``Events``.
    events, cluster : int
        Number of events to write, and per cluster; the events are the same in any.
    seed : int
        Of the draw and of what every float is multiplied by.
    keep : mapping, optional
        Which branches, as `nanoaod_layout.columns` gives them, and by default it does.
    """
    with uproot.open(source) as file:
        tree = file["Events"]
        keep = keep or columns(tree)
        names = [branch for fields in keep.values() for branch in fields.values()]
        whole = tree.arrays(names)
    lists = {
        group: ak.zip({f: whole[b] for f, b in fields.items()})
        for group, fields in keep.items()
        if group
    }
    known = lists | {branch: whole[branch] for branch in keep.get("", {}).values()}
    rng = np.random.default_rng(seed)
    with uproot.recreate(output, compression=uproot.ZSTD(5)) as out:
        made = None
        for start in range(0, events, DRAWN):
            stop = min(start + DRAWN, events)
            draw = rng.integers(0, len(whole), stop - start)
            drawn = {n: varied(ak.to_packed(array[draw]), rng) for n, array in known.items()}
            names_of = counted(start, stop, rng)
            drawn |= {n: ak.Array(named) for n, named in names_of.items() if n in drawn}
            if made is None:
                made = out.mktree("Events", {k: v.type for k, v in drawn.items()})
            for first in range(0, stop - start, cluster):
                made.extend({n: v[first : first + cluster] for n, v in drawn.items()})
    return names


def compression(path: str, branches: Sequence[str]) -> float:
    """Unpacked over stored bytes of some branches of a file.

    Infinite for a file of few events, which ROOT keeps with the metadata.
    """
    with uproot.open(path) as file:
        found = [file["Events"][name] for name in branches]
        unpacked, stored = (
            sum(getattr(b, f"{kind}compressed_bytes") for b in found) for kind in ("un", "")
        )
    return float(unpacked / stored) if stored else float("inf")


def generated(folder: str) -> str:
    """A source file for where there is no real one."""
    path = str(Path(folder) / "source.root")
    nanoaod_like.write(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--source", help="a NanoAOD file (default: a generated one)")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--cluster", type=int, default=CLUSTER)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    how = {"events": args.events, "cluster": args.cluster, "seed": args.seed}
    with tempfile.TemporaryDirectory() as folder:
        source = args.source or generated(folder)
        names = bootstrap(source, args.output, **how)
        before, after = (compression(path, names) for path in (source, args.output))
    print(f"{args.output}: {args.events} events, {len(names)} branches and their counters")
    print(f"unpacked over stored bytes: {after:.2f}, of the source {before:.2f}")


if __name__ == "__main__":
    main()
