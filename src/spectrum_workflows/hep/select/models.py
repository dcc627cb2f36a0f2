"""Model files as a spec names them: read once, loaded once in every process."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.hep.spec.models import Kind, ModelSpec

if TYPE_CHECKING:
    from spectrum_workflows.hep.models.calling import Model
    from spectrum_workflows.hep.models.loaded import Loaded

_loading = threading.Lock()


@dataclass(frozen=True)
class ModelFile:
    """A model and its content, told from others by the content's identity.

    Attributes
    ----------
    name : str
        By which ``select`` finds it.
    file : str
        As the spec names it.
    kind : {"onnx", "xgboost"}
    output : str
        Which of several outputs is its value.
    identity : str
        SHA-256 of the content.
    content : bytes
    """

    name: str
    file: str
    kind: Kind
    output: str
    identity: str
    content: bytes = field(compare=False, repr=False)


@dataclass(frozen=True)
class Models:
    """All models of a spec.

    Attributes
    ----------
    files : tuple of ModelFile
    """

    files: tuple[ModelFile, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files)

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        """Name of each file in the spec, and its SHA-256."""
        return tuple(dict.fromkeys((f.file, f"sha256 {f.identity}") for f in self.files))

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides what they give."""
        described = [(f.name, f.kind, f.output, f.identity) for f in self.files]
        return hashlib.sha256(repr(described).encode()).hexdigest()

    def loaded(self) -> dict[str, Model]:
        """The argument of ``select``: models by their names, loaded once in a process.

        Raises
        ------
        MissingExtraError
            The library that computes one is not installed.
        DataError, SpecError
            One is no such model, or has no such output.
        """
        from spectrum_workflows.hep.models.calling import Model

        with _loading:
            return {file.name: Model(file.name, _loaded(file)) for file in self.files}


def read_models(described: Mapping[str, ModelSpec], folder: str) -> Models:
    """Read the files that a spec names.

    Parameters
    ----------
    described : mapping of str to ModelSpec
    folder : str
        What relative names are relative to.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    """
    return Models(tuple(_read(name, model, folder) for name, model in described.items()))


def _read(name: str, model: ModelSpec, folder: str) -> ModelFile:
    content = storage.read_bytes(storage.join(folder, model.file))
    identity = hashlib.sha256(content).hexdigest()
    return ModelFile(name, model.file, model.kind, model.output, identity, content)


@lru_cache(maxsize=16)
def _loaded(file: ModelFile) -> Loaded:
    from spectrum_workflows.hep.models.onnx import load_onnx
    from spectrum_workflows.hep.models.xgboost import load_xgboost

    where = f"models.{file.name}"
    if file.kind == "onnx":
        return load_onnx(file.content, where, output=file.output)
    return load_xgboost(file.content, where)
