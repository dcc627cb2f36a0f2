"""ONNX models, computed by onnxruntime on the processor, in one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrum_workflows.errors import DataError, MissingExtraError, SpecError
from spectrum_workflows.hep.models.batches import ROWS, independent
from spectrum_workflows.hep.models.loaded import Loaded, Tensor
from spectrum_workflows.specs import closest

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
"""Types of tensors that a selection can give."""

ERRORS_ONLY = 3
"""Of onnxruntime's levels of what it prints."""


def load_onnx(content: bytes, where: str, *, output: str = "") -> Loaded:
    """Load a model of one file.

    Parameters
    ----------
    content : bytes
        Of the file.
    where : str
        What the model is called in errors.
    output : str
        Which of its outputs; may be left out if there is one.

    Raises
    ------
    MissingExtraError
        There is no onnxruntime.
    DataError
        It is no such model, or an event's value does not depend on that event alone.
    SpecError
        There is no such output, or it has several and none is named.
    """
    session = _session(content, where)
    named = _output(session.get_outputs(), output, where)
    inputs = session.get_inputs()
    for node in inputs:
        if node.type not in DTYPES or not node.shape:
            message = f"input {node.name} is {node.type} of shape {node.shape}"
            raise DataError(message, where, "events give tensors of numbers, rows first")
    fixed = {node.shape[0] for node in inputs if isinstance(node.shape[0], int)}
    if len(fixed) > 1:
        raise DataError("its inputs have different numbers of rows", where, "export it again")
    tensors = tuple(
        Tensor(
            node.name,
            np.dtype(DTYPES[node.type]),
            tuple(size if isinstance(size, int) else None for size in node.shape[1:]),
        )
        for node in inputs
    )
    names = [tensor.name for tensor in tensors]

    def compute(arrays: Any) -> Any:
        try:
            return session.run([named], dict(zip(names, arrays, strict=True)))[0]
        except Exception as error:  # onnxruntime has no class of its own for them
            remedy = "export it again: onnxruntime alone does not compute it either"
            raise DataError(f"cannot be computed ({_line(error)})", where, remedy) from error

    return independent(Loaded(tensors, compute, fixed.pop() if fixed else ROWS), where)


def _session(content: bytes, where: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        remedy = "pip install 'spectrum-workflows[onnx]'"
        raise MissingExtraError("ONNX models need onnxruntime", where, remedy) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.use_deterministic_compute = True
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        message = f"not an ONNX model that onnxruntime takes ({_line(error)})"
        remedy = "export it again, with its weights in the same file"
        raise DataError(message, where, remedy) from error


def _output(outputs: Any, named: str, where: str) -> str:
    names = [node.name for node in outputs]
    if not named and len(names) > 1:
        message = f"it has the outputs {', '.join(names)}"
        raise SpecError(message, where, "name one of them as its output")
    name = named or names[0]
    if name not in names:
        raise SpecError(f"no output {name!r}", f"{where}.output", closest(name, names))
    kind = next(node.type for node in outputs if node.name == name)
    if kind not in DTYPES:
        message = f"output {name} is {kind}, not a tensor of numbers"
        raise DataError(message, where, "name another output, or export it without ZipMap")
    return name


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
