"""Bootstrap a large NanoAOD-like file from a small one, for timing.

Events are drawn with replacement from the given file (or from this project's
own generator when no file is given), so that multiplicities, selected
fractions and branch types are those of the source; the layout is that of a
production file: 60 branches, ZSTD level 5, float mantissas cut to 10 bits,
clusters of 100,000 events.

    python benchmarks/bootstrap_hep.py OUTPUT [--source FILE] [--events N]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

CLUSTER = 100_000
MANTISSA_BITS = 10
WANTED = 60
FIRST = {
    "Electron": ("pt", "eta", "phi", "mass", "cutBased", "sip3d", "charge"),
    "Muon": ("pt", "eta", "phi", "mass", "tightId", "sip3d", "pfRelIso04_all", "charge"),
    "Jet": ("pt", "eta", "phi", "mass", "jetId", "btagCSVV2"),
}
"""Branches always kept; others of the source fill up to ``WANTED``."""
EXTRA = {
    "Electron": ("dxy", "dz", "hoe", "r9", "pfRelIso03_all", "sieie", "lostHits", "eInvMinusPInv"),
    "Muon": ("dxy", "dz", "pfRelIso03_all", "nStations", "nTrackerLayers", "isGlobal", "looseId"),
    "Jet": (
        "area",
        "chEmEF",
        "chHEF",
        "neEmEF",
        "neHEF",
        "muEF",
        "nConstituents",
        "rawFactor",
        "nMuons",
        "nElectrons",
        "qgl",
        "btagDeepB",
        "btagDeepFlavB",
        "puId",
    ),
    "": (
        "genWeight",
        "run",
        "luminosityBlock",
        "event",
        "MET_pt",
        "MET_phi",
        "MET_sumEt",
        "PV_npvs",
        "PV_z",
        "PV_x",
        "PV_y",
        "PV_chi2",
        "MET_significance",
        "fixedGridRhoFastjetAll",
    ),
}


def truncated(values: NDArray[np.float32], bits: int = MANTISSA_BITS) -> NDArray[np.float32]:
    """Round float32 to a mantissa of ``bits`` bits, as NanoAOD production does."""
    drop = 23 - bits
    raw = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half = np.uint32(1 << (drop - 1))
    kept = (raw + half) & np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)
    return kept.view(np.float32)


def numbers(array: ak.Array) -> ak.Array:
    """An array with its floats truncated and everything else as it is."""
    return ak.transform(
        lambda layout, **_: (
            ak.contents.NumpyArray(truncated(layout.data))
            if layout.is_numpy and layout.data.dtype == np.float32
            else None
        ),
        array,
    )


def columns(tree: uproot.TTree) -> dict[str, dict[str, str]]:
    """Which branches to keep: group -> {field: branch}; ``WANTED`` leaves with counters."""
    have, out, kept = set(tree.keys()), {}, 0
    for table in (FIRST, EXTRA):
        for group, fields in table.items():
            for field in fields:
                branch = f"{group}_{field}" if group else field
                if branch in have and kept < WANTED - len(FIRST):
                    out.setdefault(group, {})[field] = branch
                    kept += 1
    return out


def bootstrap(source: str, output: str, *, events: int, seed: int = 1) -> list[str]:
    """Write ``events`` events drawn with replacement; return the branch names.

    Parameters
    ----------
    source, output : str
        ROOT files; the source has a tree named ``Events``.
    events : int
        Number of events to write.
    seed : int
        Of the draw.
    """
    with uproot.open(source) as file:
        tree = file["Events"]
        keep = columns(tree)
        names = [branch for fields in keep.values() for branch in fields.values()]
        whole = tree.arrays(names)
    packed = {
        group: numbers(ak.zip({f: whole[b] for f, b in fields.items()}))
        for group, fields in keep.items()
        if group
    }
    flat = {branch: numbers(whole[branch]) for branch in keep.get("", {}).values()}
    rng = np.random.default_rng(seed)
    with uproot.recreate(output, compression=uproot.ZSTD(5)) as out:
        made = None
        for start in range(0, events, CLUSTER):
            draw = rng.integers(0, len(whole), min(CLUSTER, events - start))
            chunk = {name: array[draw] for name, array in (packed | flat).items()}
            if made is None:
                made = out.mktree("Events", {k: v.type for k, v in chunk.items()})
            made.extend(chunk)
    return names


def generated(folder: str) -> str:
    """A source file from this project's own generator."""
    from spectrum_workflows.hep.synthetic import write_sample

    path = str(Path(folder) / "source.root")
    write_sample(path, "ttbar", events=20_000, seed=1)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--source", help="a NanoAOD file (default: our own generator)")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = args.source or generated(folder)
        names = bootstrap(source, args.output, events=args.events, seed=args.seed)
    print(f"{args.output}: {args.events} events, {len(names)} branches and their counters")


if __name__ == "__main__":
    main()
