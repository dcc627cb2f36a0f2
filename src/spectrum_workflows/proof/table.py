"""Rows of a proof for people, for JSON and for Markdown."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from spectrum_workflows import storage


@dataclass(frozen=True)
class Row:
    """One notebook at one site, with its data in one store.

    Attributes
    ----------
    notebook, sha256 : str
        The file, and the hash of its bytes.
    site, store : str
        Where it ran, and where its data was.
    workers : int
        Workers at the end of the run; 0 for none but the notebook itself.
    digest : str
        Of the result that the notebook saved; empty if it saved none.
    seconds : float
        Wall time of that run, as its record says.
    bytes_read : int
        By that run.
    agreement : {"reference", "identical", "equivalent", "different", "failed"}
        With the first row of the same notebook.
    equivalent_only : bool
        The same within the tolerance between CPU types, not to the bit.
    error : str
        Why there is no result.
    """

    notebook: str
    sha256: str
    site: str
    store: str
    workers: int = 0
    digest: str = ""
    seconds: float = 0.0
    bytes_read: int = 0
    agreement: str = "failed"
    equivalent_only: bool = False
    error: str = ""


@dataclass(frozen=True)
class Proof:
    """All rows, and whether they prove it.

    Attributes
    ----------
    rows : tuple of Row
    allowed : frozenset of str
        Sites of other arithmetic, whose results are shown and need not agree.
    """

    rows: tuple[Row, ...]
    allowed: frozenset[str] = frozenset()

    @property
    def holds(self) -> bool:
        """Whether every row has the result of its notebook's first row, of two sites or more."""
        good = all(
            row.agreement in ("reference", "identical")
            or (row.agreement != "failed" and row.site in self.allowed)
            for row in self.rows
        )
        return good and all(self._sites_of(row.notebook) > 1 for row in self.rows)

    def _sites_of(self, notebook: str) -> int:
        sites = {row.site for row in self.rows if row.notebook == notebook}
        return len(sites - self.allowed)

    @property
    def summary(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "holds": self.holds,
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{platform.system()} {platform.machine()}",
            "rows": [asdict(row) for row in self.rows],
        }


def shown(proof: Proof) -> list[dict[str, Any]]:
    """The rows for a person: short digests, words for agreement."""
    return [
        {
            "notebook": row.notebook,
            "site": row.site,
            "store": row.store,
            "workers": row.workers,
            "digest": row.digest[:12] or "-",
            "result": row.error or row.agreement,
            "seconds": round(row.seconds, 1),
            "MB read": round(row.bytes_read / 1e6, 1),
        }
        for row in proof.rows
    ]


def markdown(proof: Proof) -> str:
    """The rows as a Markdown table, with the hashes of the notebooks below."""
    rows = shown(proof)
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    lines += [
        "| " + " | ".join(str(v).replace("|", "/") for v in row.values()) + " |" for row in rows
    ]
    hashes = {row.notebook: row.sha256 for row in proof.rows}
    lines += ["", *(f"`{name}` has SHA-256 `{sha}`." for name, sha in hashes.items())]
    return "\n".join(lines) + "\n"


def write(proof: Proof, folder: str) -> Sequence[str]:
    """Write ``proof.json`` and ``proof.md``; returns their names.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    """
    texts = {"proof.json": json.dumps(proof.summary, indent=1) + "\n", "proof.md": markdown(proof)}
    for name, text in texts.items():
        storage.write_bytes(storage.join(folder, name), text.encode())
    return list(texts)
