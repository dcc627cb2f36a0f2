"""The ``[models]`` table of a spec: trained models that ``select`` evaluates."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spectrum_workflows.specs import FrozenModel

Kind = Literal["onnx", "xgboost"]
"""Which library computes a model."""

KINDS: dict[str, Kind] = {".onnx": "onnx", ".json": "xgboost", ".ubj": "xgboost"}
"""By the ending of a file's name."""


class ModelSpec(FrozenModel):
    """A trained model, given to ``select`` by its name."""

    file: Annotated[str, Field(min_length=1)]
    """An ONNX model (``.onnx``) or boosted trees as XGBoost saves them (``.json``, ``.ubj``),
    relative to the spec, or its URL."""
    output: str = ""
    """Which output of an ONNX model is its value; needed if it has several."""

    @property
    def kind(self) -> Kind:
        """Which library computes it."""
        return KINDS[_ending(self.file)]

    @model_validator(mode="after")
    def _a_library_knows_it(self) -> Self:
        if _ending(self.file) not in KINDS:
            raise ValueError(f"{self.file} does not end in {', '.join(KINDS)}: save it as one")
        if self.output and self.kind != "onnx":
            raise ValueError("output is for ONNX models; boosted trees have one")
        return self


def _ending(file: str) -> str:
    return PurePosixPath(file.partition("?")[0]).suffix.lower()
