"""The description of a run as a Provenance Run Crate: ``ro-crate-metadata.json``.

A run is one `CreateAction` of its spec, the main workflow; every stage is a step, with an action
of its own, and the engine organises them.  Nothing is said that the record does not know: no
person, no licence of the results, no time of a stage.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from spectrum_workflows import storage
from spectrum_workflows.crates import layout
from spectrum_workflows.crates.circumstances import UNKNOWN, Circumstances
from spectrum_workflows.crates.media import media_type
from spectrum_workflows.crates.software import versions_of

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
TERMS = "https://w3id.org/ro/terms/workflow-run#"
EXTRA_TERMS = {name: f"{TERMS}{name}" for name in ("resourceUsage", "sha256")}
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
DONE, FAILED = (f"http://schema.org/{status}ActionStatus" for status in ("Completed", "Failed"))
UNITS = {"seconds": "SEC", "hours": "HUR", "bytes": "AD", "number": "C62"}
"""Unit codes of UN/CEFACT."""
MEASURED = {
    "tasks": "number",
    "cpu_seconds": "seconds",
    "bytes_moved": "bytes",
    "memory": "bytes",
}
"""Unit of what a record has measured of a stage."""
ROOT = "./"
"""Identifier of the folder that a crate is."""
NAMESPACE = uuid.UUID("9a3c2f0e-64f1-5a9e-8a53-5e1f6c7b1d20")
"""Of identifiers of input that lies in a local folder and was not hashed."""


Crate = dict[str, dict[str, Any]]
"""The entities of a crate by their identifiers, in the order in which they were added."""


@dataclass(frozen=True)
class Facts:
    """What is known of a run besides its record.

    Attributes
    ----------
    circumstances : Circumstances
    recorded : mapping of str to str
        By the name that the record's input has, the name of the file in the crate.
    hashes : mapping of str to str
        SHA-256 of input, by URL, where it was read for it.
    missing : tuple of str
        Files beside the spec that could not be enclosed.
    """

    circumstances: Circumstances = UNKNOWN
    recorded: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def describe(record: Mapping[str, Any], facts: Facts) -> str:
    """The crate's metadata as JSON-LD text; the same text for the same run.

    Parameters
    ----------
    record : mapping
        Of the run, with all objects but the metadata itself.
    facts : Facts
    """
    crate: Crate = {ROOT: {"@type": "Dataset"}, layout.METADATA: {"@type": "CreativeWork"}}
    _describe_root(crate, record, facts)
    files = {entry["name"]: _add_file(crate, entry) for entry in record["objects"]}
    _add(crate, _entity("record.json", "File", name="record of the run", data=True) | _json())
    software = _describe_software(crate, record, facts)
    inputs = _describe_inputs(crate, record, facts)
    _describe_run(crate, record, facts, inputs, software, files)
    metadata = {
        "@context": [f"{SPECIFICATION}/context", EXTRA_TERMS],
        "@graph": [_sorted({"@id": name} | entity) for name, entity in crate.items()],
    }
    return json.dumps(metadata, indent=1, ensure_ascii=False) + "\n"


def metadata_id(name: str) -> str:
    """The identifier of a file of the crate: its name as a relative URI."""
    return quote(name, safe="/-._~!$&'()*+,;=@")


def _json() -> dict[str, Any]:
    return {"encodingFormat": "application/json"}


def _entity(
    identifier: str, kind: Any, /, *, data: bool = False, **properties: Any
) -> dict[str, Any]:
    return {"@id": identifier, "@type": kind, "data": data, **properties}


def _add(crate: Crate, entity: dict[str, Any]) -> dict[str, str]:
    """Add an entity, and give the reference to it; data are part of the crate."""
    properties = {k: v for k, v in entity.items() if v not in (None, "", [], {})}
    data, identifier = properties.pop("data", False), properties.pop("@id")
    if data and identifier not in crate:
        crate[ROOT].setdefault("hasPart", []).append({"@id": identifier})
    crate[identifier] = {k: _compact(v) for k, v in properties.items()}
    return {"@id": identifier}


def _compact(value: Any) -> Any:
    """A list of one as that one: JSON-LD's compact form."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _sorted(entity: dict[str, Any]) -> dict[str, Any]:
    first = {key: entity[key] for key in ("@id", "@type") if key in entity}
    return first | {key: entity[key] for key in sorted(entity) if key not in first}


def _end(record: Mapping[str, Any]) -> str:
    started = datetime.fromisoformat(record["started"])
    return (started + timedelta(seconds=record["seconds"])).isoformat(timespec="milliseconds")


def _describe_root(crate: Crate, record: Mapping[str, Any], facts: Facts) -> None:
    title = f"{record['name']}: a {record['workflow']} run of spectrum-workflows"
    share = f"  PARTIAL: it holds {record['fraction']:.4%} of its input." * record["partial"]
    gone = f"  Changed since, or with a secret in it, and so not here: {', '.join(facts.missing)}."
    summary = f"Result and provenance of one run; digest of the result {record['digest']}."
    licence = _add(
        crate,
        _entity(
            "#licence",
            "CreativeWork",
            name="not stated",
            description="Whoever made these results has not stated under which terms they are; "
            "those of the input, where a catalogue knows them, stand with the input.",
        ),
    )
    profiles = [
        _add(crate, _entity(url, "CreativeWork", name=name, version=version))
        for url, (name, version) in PROFILES.items()
    ]
    root = crate[ROOT]
    root["name"] = title
    root["description"] = summary + share + (gone if facts.missing else "")
    root["datePublished"] = _end(record)
    root["identifier"] = f"sha256:{record['digest']}"
    root["license"] = licence
    root["conformsTo"] = profiles
    crate[layout.METADATA]["about"] = {"@id": ROOT}
    crate[layout.METADATA]["conformsTo"] = [
        {"@id": SPECIFICATION},
        {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
    ]


def _add_file(crate: Crate, entry: Mapping[str, Any]) -> dict[str, str]:
    """A file of the crate, by what the record lists of it."""
    name = entry["name"]
    entity = _entity(
        metadata_id(name),
        "File",
        data=True,
        name=name,
        contentSize=str(entry["size"]),
        sha256=entry["sha256"],
        encodingFormat=media_type(name),
    )
    if name == layout.SPEC:
        entity["name"] = "the spec of the run, resolved"
        entity["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
    elif name.endswith(".py"):
        entity |= {"@type": ["File", "SoftwareSourceCode"], "version": entry["sha256"]}
    elif name == layout.SOFTWARE:
        entity["description"] = "everything installed where the run was started from"
    elif name == layout.CODE:
        entity["description"] = "digest of every module that decides the result"
    return _add(crate, entity)


@dataclass(frozen=True)
class _Software:
    tools: list[dict[str, str]]
    engine: dict[str, str]


def _describe_software(crate: Crate, record: Mapping[str, Any], facts: Facts) -> _Software:
    versions = versions_of(record)
    needed = [
        _add(
            crate,
            _entity(
                f"pkg:{'generic' if name == 'python' else 'pypi'}/{quote(name)}@{those[0]}",
                "SoftwareApplication",
                name=name,
                softwareVersion=" and ".join(those),
            ),
        )
        for name, those in versions.items()
        if name != "spectrum-workflows"
    ]
    ours = " and ".join(versions.get("spectrum-workflows", ("unknown",)))
    science = _add(
        crate,
        _entity(
            "#science",
            "SoftwareApplication",
            name=f"spectrum-workflows: {record['workflow']}",
            softwareVersion=ours,
            identifier=f"sha256:{record['code']}",
            description="identifier: digest of all code that decides the result",
            softwareRequirements=needed,
        ),
    )
    engine = _add(
        crate,
        _entity(
            "#engine",
            "SoftwareApplication",
            name="spectrum-workflows: engine, on Dask",
            softwareVersion=ours,
        ),
    )
    code = [n for n in facts.recorded.values() if n.endswith(".py")]
    return _Software([science, *({"@id": metadata_id(n)} for n in code)], engine)


def _describe_inputs(crate: Crate, record: Mapping[str, Any], facts: Facts) -> list[dict[str, str]]:
    licences = _licences(crate, facts.circumstances)
    references = []
    for url, identity in record["inputs"].items():
        if url in facts.recorded:
            references.append({"@id": metadata_id(facts.recorded[url])})
        elif url not in facts.missing:
            name = url.rstrip("/").rpartition("/")[2]
            references.append(
                _add(crate, _input(url, identity, facts.hashes.get(url, ""), licences.get(name)))
            )
    return list({reference["@id"]: reference for reference in references}.values())


def _input(url: str, identity: str, sha256: str, entry: dict[str, str] | None) -> dict[str, Any]:
    """Input that is not in the crate: by its URL, or where that is local by its content."""
    folder = not sha256 and url.rstrip("/").endswith((".ms", ".MS", ".zarr"))
    if not storage.is_local(url):
        identifier = quote(url, safe=":/?#[]@!$&'()*+,;=%-._~") + "/" * folder
    elif sha256:
        digest = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
        identifier = f"ni:///sha-256;{digest}"
    else:
        identifier = uuid.uuid5(NAMESPACE, f"{url} {identity}").urn + "/" * folder
    return _entity(
        identifier,
        "Dataset" if folder else "File",
        data=True,
        name=url.rstrip("/").rpartition("/")[2],
        contentUrl=url,
        identifier=identity,
        sha256=sha256,
        encodingFormat="" if folder else media_type(url),
        isPartOf=entry,
    )


def _licences(crate: Crate, circumstances: Circumstances) -> dict[str, dict[str, str]]:
    """The catalogue's entries as entities; references to them by the names of their files."""
    references: dict[str, dict[str, str]] = {}
    for name, entry in circumstances.entries.items():
        reference = _add(
            crate,
            _entity(
                f"#catalogue-{quote(name)}",
                "CreativeWork",
                name=entry.title,
                license=entry.licence,
                description=f"to be cited as: {entry.citation}",
                url=entry.source,
            ),
        )
        references |= {file.name: reference for file in entry.files}
    return references


def _describe_run(
    crate: Crate,
    record: Mapping[str, Any],
    facts: Facts,
    inputs: list[dict[str, str]],
    software: _Software,
    files: Mapping[str, dict[str, str]],
) -> None:
    workflow = {"@id": metadata_id(layout.SPEC)}
    steps, controls, stages = [], [], []
    status = FAILED if record["partial"] else DONE
    listed = record["stages"] or [{"name": record["workflow"], "measured": {}}]
    for number, stage in enumerate(listed, start=1):
        step = _entity(
            f"#step-{number}",
            "HowToStep",
            name=stage["name"],
            position=str(number),
            workExample=software.tools[0],
        )
        action = _entity(
            f"#stage-{number}",
            "CreateAction",
            name=stage["name"],
            description=f"stage {number} of {len(listed)}; its values went to the next one",
            instrument=software.tools,
            resourceUsage=_usage(crate, f"#stage-{number}", _measured(stage["measured"])),
        )
        steps.append(_add(crate, step))
        stages.append(_add(crate, action))
        control = _entity(
            f"#control-{number}",
            "ControlAction",
            name=f"orchestration of stage {number}",
            instrument=steps[-1],
            object=stages[-1],
        )
        controls.append(_add(crate, control))
    run = _run(crate, record, facts, inputs, files, status) | {"instrument": workflow}
    engine_run = _entity(
        "#engine-run",
        "OrganizeAction",
        name="run of the engine",
        instrument=software.engine,
        object=controls,
        result=_add(crate, run),
        startTime=record["started"],
        endTime=_end(record),
        actionStatus=status,
    )
    _add(crate, engine_run)
    spec = crate[metadata_id(layout.SPEC)]
    spec["step"], spec["hasPart"] = _compact(steps), _compact(software.tools)
    spec["version"] = record["spec_digest"]
    spec["programmingLanguage"] = _add(
        crate,
        _entity(
            "#language",
            "ComputerLanguage",
            name="run spec of spectrum-workflows",
            version=" and ".join(versions_of(record).get("spectrum-workflows", ("unknown",))),
        ),
    )
    crate[ROOT]["mainEntity"] = workflow
    crate[ROOT]["mentions"] = [{"@id": run["@id"]}, *stages]


def _run(
    crate: Crate,
    record: Mapping[str, Any],
    facts: Facts,
    inputs: list[dict[str, str]],
    files: Mapping[str, dict[str, str]],
    status: str,
) -> dict[str, Any]:
    """The action that made the result of the spec."""
    read = record["copies_read"]
    failures = [f"{failure['where']}: {failure['error']}" for failure in record["failures"]]
    error = f"{len(failures)} failed; " + "; ".join(failures[:10])
    memory = max((s["measured"]["memory"] for s in record["stages"]), default=0)
    measures = [
        ("wall_seconds", record["seconds"], "seconds"),
        ("cpu_hours", round(record["cpu_seconds"] / 3600, 6), "hours"),
        ("bytes_read", record["bytes_read"], "bytes"),
        *([("peak_memory", memory, "bytes")] if memory else []),
        ("workers", record["workers"], "number"),
        ("partitions", len(record["plan"]["partitions"]), "number"),
    ]
    own = f"{layout.WORKFLOW}/"
    results = [files[name] for name in files if not name.startswith(own)]
    return _entity(
        "#run",
        "CreateAction",
        name=f"run of {record['name']}",
        description="read from other replicas than planned: " + ", ".join(read)
        if read
        else "input was read from where it is said to lie",
        object=inputs,
        result=results,
        startTime=record["started"],
        endTime=_end(record),
        actionStatus=status,
        error=error if record["partial"] else None,
        location=_site(crate, facts.circumstances),
        resourceUsage=_usage(crate, "#run", measures),
    )


def _site(crate: Crate, circumstances: Circumstances) -> dict[str, str] | None:
    if not circumstances.kind:
        return None
    about = circumstances.description
    return _add(crate, _entity("#site", "Place", name=circumstances.kind, description=about))


def _measured(measured: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    return [(k, measured[k], unit) for k, unit in MEASURED.items() if k in measured]


def _usage(
    crate: Crate, owner: str, measures: Iterable[tuple[str, Any, str]]
) -> list[dict[str, str]]:
    return [
        _add(
            crate,
            _entity(
                f"{owner}-{name.replace('_', '-')}",
                "PropertyValue",
                name=name,
                propertyID=name,
                value=str(value),
                unitCode=UNITS[unit],
                unitText=unit,
            ),
        )
        for name, value, unit in measures
    ]
