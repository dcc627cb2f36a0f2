"""Write the bill of materials of a lock: CycloneDX in JSON, the same bytes every time.

``sbom.py LOCK PYTHON OUT``, run by the Python of ``.venv-exchange``; `make sbom` does it.  The
packages, hashes and package URLs are what ``cyclonedx-py`` reads from the lock; licences and
dependencies are what it finds where PYTHON has the packages installed.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SCHEMA = SchemaVersion.V1_6
TO_COPY = ("description", "licenses")
"""Of a package, what is known where it is installed."""

Bill = dict[str, Any]


def read_bill(kind: str, source: str) -> Bill:
    """What ``cyclonedx-py`` says of a lock (requirements) or an interpreter (environment)."""
    program = str(Path(sys.executable).with_name("cyclonedx-py"))
    options = ["--output-reproducible", "--no-validate", "--spec-version", SCHEMA.to_version()]
    project = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "library"]
    command = [program, kind, *options, *project, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"sbom.py: cyclonedx-py {kind} {source}: {done.stderr.strip()}")
    document: Bill = json.loads(done.stdout)
    return document


def reference(component: Bill) -> str:
    """The package URL of a component, by which others refer to it."""
    return f"pkg:pypi/{canonicalize_name(component['name'])}@{component['version']}"


def marker(component: Bill) -> str:
    """For which systems and Pythons the lock has a package; empty for all."""
    line = component["description"].partition("--hash=")[0]
    return line.partition(" ; ")[2].strip()


def combined(locked: Bill, installed: Bill, version: str) -> Bill:
    """The lock's bill with licences and dependencies of what is installed."""
    known = {reference(c): c for c in installed["components"]}
    names = {c["bom-ref"]: reference(c) for c in installed["components"]}
    components = []
    for component in locked["components"]:
        name = reference(component)
        own = {key: known[name][key] for key in TO_COPY if key in known.get(name, {})}
        rest = {k: v for k, v in component.items() if k not in ("description", "bom-ref")}
        only = marker(component)
        properties = [{"name": "spectrum-workflows:marker", "value": only}] if only else []
        more = {"properties": properties} if properties else {}
        components.append(rest | own | more | {"bom-ref": name, "purl": name})
    references = {c["bom-ref"] for c in components}
    root = installed["metadata"]["component"]
    whole = f"pkg:pypi/{root['name']}@{version}"
    names[root["bom-ref"]] = whole
    edges = {
        names[d["ref"]]: sorted({names[r] for r in d.get("dependsOn", [])} & references)
        for d in installed["dependencies"]
    }
    described = root | {"bom-ref": whole, "purl": whole, "version": version}
    return locked | {
        "metadata": locked["metadata"] | {"component": described},
        "components": sorted(components, key=lambda c: c["bom-ref"]),
        "dependencies": [
            {"ref": name} | ({"dependsOn": edges[name]} if edges.get(name) else {})
            for name in (whole, *sorted(references))
        ],
    }


def main(lock: str, python: str, out: str) -> None:
    """Write the bill, if it is valid."""
    source = (ROOT / "src" / "spectrum_workflows" / "__init__.py").read_text()
    [version] = re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    bill = combined(read_bill("requirements", lock), read_bill("environment", python), version)
    text = json.dumps(bill, indent=1, sort_keys=True) + "\n"
    if error := JsonStrictValidator(SCHEMA).validate_str(text):
        sys.exit(f"sbom.py: not valid: {error}")
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_text(text)
    print(f"{out}: {len(bill['components'])} packages of {lock}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: sbom.py LOCK PYTHON OUT")
    main(*sys.argv[1:])
