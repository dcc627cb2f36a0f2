"""The request of an unattended run: what its job is handed, beside its log."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spectrum_workflows import domain, storage
from spectrum_workflows.domain import OnError, Plan
from spectrum_workflows.naming import file_names
from spectrum_workflows.resuming import question_of
from spectrum_workflows.sites import Place, Site
from spectrum_workflows.specs import parse

FILE = "request.json"
LENGTH = 10  # characters of a hash in the name of a run


@dataclass(frozen=True)
class Request:
    """What a job is to do.

    Attributes
    ----------
    run : str
    workflow : str
    spec, site : dict
        As JSON; neither holds a secret.
    data, results : str
        Root URLs.
    on_error : {"raise", "keep"}
    resume, trust_weak : bool
        As `front.run`.
    notify : str
        A command or URL; empty for none.
    """

    run: str
    workflow: str
    spec: dict[str, Any]
    site: dict[str, Any]
    data: str
    results: str
    on_error: OnError = "raise"
    resume: bool = True
    trust_weak: bool = False
    notify: str = ""

    @property
    def place(self) -> Place:
        """The place, without workers."""
        return Place(parse(Site, self.site, where=f"site of {self.run}"), self.data, self.results)

    def parsed_spec(self) -> Any:
        """The spec as a model of its science."""
        return parse(domain.get(self.workflow).spec, self.spec, where=self.run)


def spec_table(spec: Any) -> dict[str, Any]:
    """A spec as JSON, with the folder that its files are relative to."""
    table: dict[str, Any] = spec.model_dump(mode="json", exclude_unset=True)
    for name in (name for name, field in type(spec).model_fields.items() if field.exclude):
        value = getattr(spec, name)
        is_path = name == "folder" and storage.is_local(value)
        table[name] = str(Path(value).absolute()) if is_path else value
    return table


def run_name(spec: Any, data: str, on_error: str) -> str:
    """The name of a run: the same for the same spec, input and rule of errors.

    Whether what came out of it still holds is another question, see `question`.
    """
    asked = [spec_table(spec), data, on_error]
    text = json.dumps(asked, sort_keys=True, default=str)
    [name] = file_names([spec.name])
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:LENGTH]}"


def question(spec: Any, plan: Plan) -> str:
    """Hash of all that decides a result, and of the versions of its input files."""
    stamps = storage.stamps_of(url for url, _ in plan.inputs)
    asked = [question_of(spec, plan, domain.get(spec.workflow)), sorted(stamps.items())]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def write_request(folder: Path, request: Request) -> None:
    """Leave a request for the job in its own folder."""
    (folder / FILE).write_text(json.dumps(asdict(request)))


def read_request(folder: Path) -> Request:
    """The request that was left there."""
    return Request(**json.loads((folder / FILE).read_text()))
