"""The picture of the proof: every site and every store, and the digest of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

SITES = {
    "serial": "one process",
    "laptop": "laptop",
    "slurm": "SLURM",
    "cloud": "Dask Gateway",
}
STORES = {
    "file": "local files",
    "ceph": "S3 (Ceph)",
    "rclone": "S3 (rclone)",
    "xrootd": "XRootD",
    "https": "https",
}
TITLES = {
    "hep/quickstart.ipynb": "HEP: tt̄ event selection",
    "radio/quickstart.ipynb": "Radio: CLEAN image",
}
COLOURS = ("#cfe8d5", "#f3d9b1", "#f2c4c4", "#d8d0ee")
"""Of the first digest of a notebook, and of others should there be any."""


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """One panel per notebook; cells of one colour hold the same digest.

    Parameters
    ----------
    rows : sequence of mapping
        Of ``proof.json``.
    path : Path
        The PNG to write.
    """
    figure = Figure(figsize=(10.5, 3.1), layout="constrained")
    for axes, (notebook, title) in zip(figure.subplots(1, 2), TITLES.items(), strict=True):
        cells = {(r["store"], r["site"]): r["digest"] for r in rows if r["notebook"] == notebook}
        digests = list(dict.fromkeys(cells.values()))
        for y, store in enumerate(STORES):
            for x, site in enumerate(SITES):
                digest = cells.get((store, site))
                colour = COLOURS[min(digests.index(digest), 3)] if digest else "#f4f4f4"
                axes.add_patch(_box(x, y, colour))
                words = digest[:8] if digest else "–"
                axes.text(x + 0.5, y + 0.5, words, ha="center", va="center", family="monospace")
        axes.set(xlim=(0, len(SITES)), ylim=(len(STORES), 0), title=title)
        axes.set_xticks([x + 0.5 for x in range(len(SITES))], labels=list(SITES.values()))
        axes.set_yticks([y + 0.5 for y in range(len(STORES))], labels=list(STORES.values()))
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
    figure.supxlabel("site", fontsize=10)
    figure.supylabel("data in", fontsize=10)
    figure.savefig(path, dpi=130, metadata={"Software": None})


def _box(x: int, y: int, colour: str) -> FancyBboxPatch:
    style = "round,pad=0,rounding_size=0.06"
    corner = (x + 0.04, y + 0.06)
    return FancyBboxPatch(corner, 0.92, 0.88, boxstyle=style, facecolor=colour, edgecolor="none")


def picture(folder: Path, path: Path) -> None:
    """Draw from the proof in a folder, if there is one."""
    source = folder / "proof.json"
    if source.exists():
        draw(json.loads(source.read_text())["rows"], path)
