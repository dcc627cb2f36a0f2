"""Runs notebooks at sites and with stores, changing nothing but ``SPECTRUM_SITE``."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spectrum_workflows import shipped
from spectrum_workflows.arithmetic import LEVEL, arithmetic
from spectrum_workflows.errors import DataNotFoundError
from spectrum_workflows.proof.kernel import executed
from spectrum_workflows.proof.places import (
    FILE,
    DataStore,
    Where,
    covering,
    profile,
    rows,
    upload,
)
from spectrum_workflows.proof.table import Proof, Row
from spectrum_workflows.proof.variants import SITE, Variant
from spectrum_workflows.record import compare, read_record
from spectrum_workflows.sites.profile_files import VARIABLE

SITES = ("serial", "laptop", "slurm", "cloud")
_IN_NAMES = str.maketrans("/ ", "--")

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
    stores: Sequence[DataStore] = (),
    full: bool = False,
    variants: Sequence[Variant] = (),
    report: Callable[[str], None] = lambda _: None,
) -> Proof:
    """Run notebooks at sites and with stores, and compare the results they save.

    Parameters
    ----------
    sites : sequence of str
        Names or files of profiles; the first gives the reference.
    notebooks : sequence of str
        Files; each saves at least one run.
    folder : str
        Local folder that all sites can reach: data, and results per row.
    stores : sequence of DataStore
        From `read_stores`.  The data, which the first row of a notebook makes
        in ``folder`` if it is not there, is copied to each; inputs that
        are folders are converted.
    full : bool
        Every notebook at every site with every store, not a `covering` choice.
    variants : sequence of Variant
        One more row of each notebook for each.
    report : callable
        Told what is going on.

    Raises
    ------
    DataNotFoundError
        There is no such notebook.
    MissingExtraError
        Notebooks cannot be executed here.
    OutputError
        A store cannot be written to.
    """
    root = Path(folder).absolute()
    here = DataStore(FILE, str(root / "data"), str(root / "data"))
    named = {store.name: store for store in (here, *stores)}
    files = {_short_name(notebook): notebook for notebook in notebooks}
    choice = rows([*files], sites, [*named.values()])
    choice = choice if full else covering(choice)
    results = root / "results" / secrets.token_hex(3)
    changed = {variant.name: variant for variant in variants}
    proof_rows: list[Row] = []
    for name, file in files.items():
        places = [where for where in choice if where.notebook == name]
        places += [Where(name, variant, FILE) for variant in changed]
        reference: dict[Key, Path] = {}
        for number, where in enumerate(places):
            report(f"{name} at {where.site}, {where.store}")
            own = results / "-".join((name, where.site, where.store)).translate(_IN_NAMES)
            row = _row(file, where, named[where.store], own, changed.get(where.site))
            if not row.error:
                row = _compared(row, reference, saved := _runs(own))
                reference = reference or saved
            proof_rows.append(row)
            report(f"  {row.error or f'{row.agreement}, {row.digest[:12]}'}")
            if number == 0 and (root / "data").is_dir():
                names = {w.store for w in places} - {FILE}
                _fill([named[n] for n in sorted(names)], root / "data", _sets(reference), report)
    return Proof(tuple(proof_rows), frozenset(v.name for v in changed.values() if v.level < LEVEL))


def _fill(
    stores: Sequence[DataStore], data: Path, sets: Sequence[Path], report: Callable[[str], None]
) -> None:
    for store in stores:
        report(f"copying data to {store.name}")
        upload(data, sets, store)


def _sets(saved: Mapping[Key, Path]) -> list[Path]:
    """Inputs of saved runs that are folders: no store but a file system holds them as they are."""
    inputs = {url for path in saved.values() for url in read_record(str(path))["inputs"]}
    return sorted(path for path in map(Path, inputs) if path.is_dir())


def _row(
    notebook: str, where: Where, store: DataStore, results: Path, variant: Variant | None
) -> Row:
    """Run one notebook at one site, or as a variant, and read what it saved."""
    try:
        content = Path(notebook).read_bytes()
    except OSError:
        raise DataNotFoundError("no such notebook", notebook) from None
    row = Row(where.notebook, hashlib.sha256(content).hexdigest(), where.site, store.name)
    base, variant = (where.site, Variant("")) if variant is None else (SITE, variant)
    file = results.parents[2] / "sites" / f"{results.name}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    parent = str(Path(base).absolute()) if base.endswith(".toml") else base
    file.write_text(profile(parent, str(results), store))
    error = executed(notebook, content, {VARIABLE: str(file)} | variant.environment, variant.argv)
    records = [read_record(str(path)) for path in _runs(results).values()]
    if error or not records:
        return replace(row, error=error or "the notebook saved no run")
    level = min(variant.level, arithmetic()["level"])
    if others := {_level(r) for r in records} - {level}:
        return replace(row, error=f"computed with x86-64-v{min(others)}, not v{level}")
    digests = sorted(r["digest"] for r in records)
    several = hashlib.sha256("".join(digests).encode()).hexdigest()
    return replace(
        row,
        workers=records[-1]["workers"],
        digest=several if len(digests) > 1 else digests[0],
        seconds=sum(r["seconds"] for r in records),
        bytes_read=sum(r["bytes_read"] for r in records),
    )


def _level(record: Mapping[str, Any]) -> int:
    """The lowest level of x86-64 that a run computed with."""
    machines = (record["machine"], *record["worker_machines"])
    return min(int(machine["arithmetic"]["level"]) for machine in machines)


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
    runs = {}
    for folder in (path.parent for path in sorted(results.glob("*/record.json"))):
        record = read_record(str(folder))
        runs[record["name"], record["spec_digest"]] = folder
    return runs


def _short_name(notebook: str) -> str:
    path = Path(notebook)
    return f"{path.parent.name}/{path.name}"
