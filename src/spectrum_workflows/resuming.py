"""The ledger of a run: what is asked, hashed, and where what is finished of it is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from types import MappingProxyType
from typing import Any

from spectrum_workflows import __version__, arithmetic, record, storage
from spectrum_workflows.domain import Domain, Plan
from spectrum_workflows.engine import Ledger
from spectrum_workflows.engine.parts import source_of
from spectrum_workflows.sites import Place

FORMAT = 1
"""Of the question; another one finds nothing of what was kept before."""

KNOWN = ".known"
"""Folder below the results root for what was found in inputs and finished of runs."""

FOLDER = "ledger"
"""Below the folder of what is known, which is below the results root."""


def ledger_of(
    spec: Any,
    plan: Plan,
    place: Place,
    science: Domain[Any, Any],
    *,
    stamps: Mapping[str, str],
    resume: bool,
    trust_weak: bool,
    copies: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Ledger | None:
    """The ledger of a run; none where the place keeps none.

    Parameters
    ----------
    spec, plan, place, science
        Of the run.
    stamps : mapping of str to str
        Version of every input by URL, and of what is read in its place.
    copies : mapping of str to tuple of str
        What is read in the place of an input, by its URL.
    resume : bool
        Whether what is there is used.
    trust_weak : bool
        Whether a file at another URL is the same by its identity without a checksum.
    """
    settings = place.site.ledger
    if not place.results or not settings.enabled:
        return None
    question = question_of(spec, plan, science)
    return Ledger(
        folder=storage.join(place.results, f"{KNOWN}/{FOLDER}/{question}"),
        stamps=stamps,
        copies=copies,
        published=frozenset(plan.published),
        about={"workflow": spec.workflow, "name": spec.name, "partitions": len(plan.partitions)},
        after=settings.after,
        reading=resume,
        trusting=trust_weak,
        known=storage.join(place.results, KNOWN),
    )


def question_of(spec: Any, plan: Plan, science: Domain[Any, Any]) -> str:
    """Hash of all that decides what the partitions of a run give.

    These are the numbers of the spec, the partitions in their order with the identity of their
    input wherever it lies, the code, the user's other files, and the versions of the libraries
    and of the machine code that compute.
    """
    identities = dict(plan.inputs)
    sources = {source_of(item) for item in plan.partitions}
    asked = {
        "format": FORMAT,
        "package": __version__,
        "workflow": science.name,
        "numbers": science.numbers(spec),
        "code": plan.code,
        "inputs": [identity for name, identity in plan.inputs if _is_data(name, sources)],
        "versions": record.machine(science.libraries)["versions"],
        "arithmetic": arithmetic.arithmetic(),
        "items": [_item(item, identities) for item in plan.partitions],
    }
    text = json.dumps(asked, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_data(name: str, sources: set[str]) -> bool:
    """Whether an input is neither read by partitions nor code, which count by themselves."""
    return name not in sources and not name.endswith(".py")


def _item(item: Any, identities: Mapping[str, str]) -> Any:
    """A partition, with the identity of its input instead of where that lies."""
    source = source_of(item)
    fields = asdict(item) if is_dataclass(item) else vars(item)  # type: ignore[arg-type]
    return _renamed(fields, source, identities.get(source) or source)


def _renamed(value: Any, source: str, identity: str) -> Any:
    """A value with the identity in place of the source, however deep, as in groups of chunks."""
    if isinstance(value, dict):
        return {name: _renamed(own, source, identity) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(own, source, identity) for own in value]
    return identity if value == source else value
