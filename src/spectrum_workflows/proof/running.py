"""Runs notebooks at sites, changing nothing but ``SPECTRUM_SITE``."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spectrum_workflows import shipped
from spectrum_workflows.errors import DataNotFoundError
from spectrum_workflows.proof.kernel import executed
from spectrum_workflows.proof.table import Proof, Row
from spectrum_workflows.record import compare, machine, read_record
from spectrum_workflows.sites.finding import VARIABLE

SITES = ("serial", "laptop", "slurm", "cloud")
PLAIN = "laptop without AVX-512"
"""One more row: NumPy may not use AVX-512 there, as on an older processor."""

DISABLE = "NPY_DISABLE_CPU_FEATURES"

Key = tuple[str, str]
"""Name and digest of a spec: what was asked."""


def quick_starts() -> list[str]:
    """The notebooks that come with the package."""
    return sorted(str(path) for path in shipped.folder("workflows").glob("*/quickstart.ipynb"))


def prove(
    sites: Sequence[str],
    notebooks: Sequence[str],
    *,
    folder: str,
    report: Callable[[str], None] = lambda _: None,
) -> Proof:
    """Run every notebook at every site and compare the results they save.

    Parameters
    ----------
    sites : sequence of str
        Names or files of profiles; the first gives the reference.
    notebooks : sequence of str
        Files; each saves at least one run.
    folder : str
        Local folder that all sites can reach: data, and results per row.
    report : callable
        Told what is going on.

    Raises
    ------
    DataNotFoundError
        There is no such notebook.
    MissingExtraError
        Notebooks cannot be executed here.
    """
    root, run = Path(folder).absolute(), secrets.token_hex(3)
    rows: list[Row] = []
    more = [PLAIN] if _avx512(machine()) else []
    for notebook in notebooks:
        name = _short_name(notebook)
        reference: dict[Key, Path] = {}
        for site in [*sites, *more]:
            report(f"{name} at {site}")
            place = f"{name}-{site}".replace("/", "-").replace(" ", "-")
            results = root / "results" / run / place
            row = _row(notebook, site, root, results)
            if not row.error:
                row = _compared(row, reference, saved := _runs(results))
                reference = reference or saved
            rows.append(row)
            report(f"  {row.error or f'{row.agreement}, {row.digest[:12]}'}")
    return Proof(tuple(rows), frozenset({PLAIN}))


def _row(notebook: str, site: str, root: Path, results: Path) -> Row:
    """Run one notebook at one site and read what it saved."""
    try:
        content = Path(notebook).read_bytes()
    except OSError:
        raise DataNotFoundError("no such notebook", notebook) from None
    row = Row(_short_name(notebook), hashlib.sha256(content).hexdigest(), site, store="file")
    profile = root / "sites" / f"{results.name}.toml"
    profile.parent.mkdir(parents=True, exist_ok=True)
    profile.write_text(_profile(site, root / "data", results))
    environment = {VARIABLE: str(profile)}
    if site == PLAIN:
        environment[DISABLE] = " ".join(_avx512(machine()))
    error = executed(notebook, content, environment)
    records = [read_record(str(path)) for path in _runs(results).values()]
    if error or not records:
        return replace(row, error=error or "the notebook saved no run")
    if site == PLAIN and any(_avx512(m) for r in records for m in r["worker_machines"]):
        return replace(row, error="NumPy used AVX-512 all the same")
    digests = sorted(r["digest"] for r in records)
    several = hashlib.sha256("".join(digests).encode()).hexdigest()
    return replace(
        row,
        workers=records[-1]["workers"],
        digest=several if len(digests) > 1 else digests[0],
        seconds=sum(r["seconds"] for r in records),
        bytes_read=sum(r["bytes_read"] for r in records),
    )


def _profile(site: str, data: Path, results: Path) -> str:
    """A profile that differs from the site's own in its two roots alone."""
    base = "laptop" if site == PLAIN else site
    parent = str(Path(base).absolute()) if base.endswith(".toml") else base
    keys = {"extends": parent, "data": str(data), "results": str(results)}
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())


def _avx512(found: Mapping[str, Any]) -> list[str]:
    """Features of a `record.machine` that mean AVX-512; X86_V4 is NumPy's name for its base."""
    return [f for f in found["cpu_features"] if f.startswith("AVX512") or f == "X86_V4"]


def _compared(row: Row, reference: Mapping[Key, Path], saved: Mapping[Key, Path]) -> Row:
    """Say how a row's results agree with those of the first row."""
    if not reference:
        return replace(row, agreement="reference")
    verdicts = {"different"} if saved.keys() != reference.keys() else set()
    both = saved.keys() & reference.keys()
    verdicts |= {compare(str(reference[key]), str(saved[key])).verdict for key in both}
    worst = next(v for v in ("different", "equivalent", "identical") if v in verdicts)
    return replace(row, agreement=worst, equivalent_only=worst == "equivalent")


def _runs(results: Path) -> dict[Key, Path]:
    """Every saved run below a results root, by what was asked."""
    found = {}
    for folder in (path.parent for path in sorted(results.glob("*/record.json"))):
        record = read_record(str(folder))
        found[record["name"], record["spec_digest"]] = folder
    return found


def _short_name(notebook: str) -> str:
    path = Path(notebook)
    return f"{path.parent.name}/{path.name}"
