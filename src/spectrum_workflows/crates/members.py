"""Everything that makes the folder of a run a crate, as files to be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from spectrum_workflows.crates import layout
from spectrum_workflows.crates.describing import Facts, describe
from spectrum_workflows.crates.enclosing import enclose
from spectrum_workflows.crates.hashing import hashes
from spectrum_workflows.crates.software import installed, modules_text
from spectrum_workflows.crates.toml import catalogue_text
from spectrum_workflows.credentials import all_hidden
from spectrum_workflows.jsontext import as_json

if TYPE_CHECKING:
    from spectrum_workflows.crates.circumstances import Circumstances


def write_members(
    spec: Any,
    record: Mapping[str, Any],
    circumstances: Circumstances,
    save: Callable[[str, bytes], None],
) -> None:
    """Write the spec, what lies beside it, and at last the description of the run.

    Parameters
    ----------
    spec : model
        What was asked.
    record : mapping
        Of the run; ``save`` adds to its ``objects`` what it writes.
    circumstances : Circumstances
    save : callable
        ``save(name, content)``.
    """
    enclosed = enclose(spec, record["inputs"].items())
    own = {
        layout.SPEC: as_json(all_hidden(dict(enclosed.spec))).encode(),
        layout.SOFTWARE: installed().encode(),
        layout.CODE: modules_text(spec, record["code"]).encode(),
    }
    if circumstances.entries:
        own[layout.CATALOGUE] = catalogue_text(circumstances.entries).encode()
    for name, data in (own | dict(enclosed.files)).items():
        save(name, data)
    away = {*enclosed.recorded, *enclosed.missing}
    facts = Facts(
        circumstances,
        enclosed.recorded,
        hashes([url for url in record["inputs"] if url not in away]),
        enclosed.missing,
    )
    save(layout.METADATA, describe(all_hidden(dict(record)), facts).encode())
